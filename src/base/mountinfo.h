/* What the kernel tells of one mount, asked for that mount alone where it can be, and where mounts are. */
#ifndef BASE_MOUNTINFO_H
#define BASE_MOUNTINFO_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

struct mount_facts {
	const char *options; /* of the file system, comma separated, octal escapes; in the arena */
	bool is_whole; /* what `fd` is of shows all of the file system, not a directory of it */
	bool has_submounts;
};

/* Of the mount that `fd` is on, which must be one of the caller's mount namespace: by statmount(2),
 * 0 or -errno.  Linux 6.11 has what is needed. */
int mount_facts_ask(int fd, struct dj_arena *arena, struct mount_facts *out);

/* The same by one scan of mountinfo, which costs the more the more mounts the host has.  `proc` is
 * a verified procfs (base/procfs.h). */
int mount_facts_scan(int proc, int fd, struct dj_arena *arena, struct mount_facts *out,
                     struct donjon_error *err);

/* Which part of which file system the mount that `fd` is on shows: by statmount(2), -errno where the
 * kernel or a filter around us does not know it, or by a scan as above.  In the arena. */
struct mount_part {
	uint32_t dev_major, dev_minor; /* of the file system, also where its files tell others (btrfs) */
	const char *root;
};
int mount_part_ask(int fd, struct dj_arena *arena, struct mount_part *out);
int mount_part_scan(int proc, int fd, struct dj_arena *arena, struct mount_part *out,
                    struct donjon_error *err);

/* Where a file system of this type is mounted as a whole, in the caller's mount namespace, found by one
 * scan; in the arena.  *out is NULL: nowhere. */
int mount_point_of_type(int proc, const char *type, struct dj_arena *arena, char **out,
                        struct donjon_error *err);

/* Where anything is mounted in the caller's mount namespace, by one scan as well. */
struct mount_points {
	char **v; /* in the arena */
	size_t n;
};
int mount_points_scan(int proc, struct dj_arena *arena, struct mount_points *out,
                      struct donjon_error *err);

#endif
