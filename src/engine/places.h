/*
 * The names by which the policy judges what a path of the host leads to.  What is mounted twice
 * (`mount --bind / /x`) has two; this finds the one that is on the list, by device and inode of
 * directories, and where none of those is above it (`mount --bind /etc/ssl /x`), by the part of the
 * file system that is mounted there.
 */
#ifndef ENGINE_PLACES_H
#define ENGINE_PLACES_H

#include "base/arena.h"
#include "base/mountinfo.h"

#include <stdbool.h>
#include <stdint.h>

struct places {
	struct dj_arena *arena;
	const char *bundle; /* clean; its own things are not the host's, wherever it is mounted */
	bool known, links_known, scanned; /* read once, and only where something has to be compared */
	uint64_t root_mount;
	struct place {
		const char *name;
		uint32_t dev_major, dev_minor;
		uint64_t ino;
		bool is_mount;
		const char *target; /* of a link */
		struct mount_part part; /* of what is mounted there, once asked for */
	} *v;
	size_t n;
	struct mount_points mounts;
};

struct place_name {
	char *real; /* the path as the kernel has it */
	char *name; /* the one to judge it by */
};

/* `fd` may be O_PATH.  `links`: also where a listed name is a link to it (/lib is; /var/lib/docker may be),
 * which costs a look at each even for what is on the root's own mount.  Where it cannot be told a directory
 * is "/", and anything else has no name: false. */
bool places_name(struct places *places, int fd, bool links, struct place_name *out);

/* A listed directory that is mounted somewhere below a real path, so that a recursive bind would show it,
 * or NULL; "/" where it cannot be told. */
const char *places_below(struct places *places, const char *real);

#endif
