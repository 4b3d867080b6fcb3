/*
 * The state directory (B32, decision 46): <root>/<id>/ is 0700 and holds state.json (temporary
 * name, rename, no fsync), config.json as it was at create, and the socket `gate`, whose presence
 * with a live stage means "created".  mkdir of the directory is the lock on the id.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum store_status { STORE_CREATING, STORE_CREATED, STORE_RUNNING, STORE_PAUSED, STORE_STOPPED };
const char *store_status_name(enum store_status status);

struct store_pair {
	char *key, *value;
};

/* What state.json holds. Strings live in the arena it was read into. */
struct store_record {
	char *id, *bundle, *rootfs, *oci_version;
	char *created; /* RFC 3339 with nanoseconds */
	char *boot_id;
	uint32_t owner; /* uid */
	pid_t pid;
	uint64_t start_time;
	char *cgroup_path, *cgroup_manager; /* path "" when without */
	bool private_pid_ns;
	uint32_t id_range; /* reserved slot, 0: none */
	struct store_pair *annotations;
	size_t n_annotations;
	char *hardening;   /* JSON object as text (policy_result_json) */
};

struct store {
	int root_fd;
	char *root; /* absolute path */
};

/* Opens (and for `create`, makes: 0700, parents too) the root directory.  `path` NULL: the default
 * (F1).  Refuses a directory that others may write or that belongs to somebody else (T65). */
int store_open(const char *path, bool create, struct store *out, struct donjon_error *err);
void store_close(struct store *store);

/* Contract R7 narrowed by B32 and decision 46. */
int store_check_id(const char *id, struct donjon_error *err);

/* Takes the id: returns the new directory's descriptor; DONJON_E_EXISTS "container with given ID
 * already exists". */
int store_reserve(struct store *store, const char *id, struct donjon_error *err);
/* DONJON_E_NOT_FOUND "container does not exist: <id>". */
int store_enter(struct store *store, const char *id, struct donjon_error *err);
/* Removes the directory and its known contents; also a half-made one. */
int store_remove(struct store *store, const char *id, struct donjon_error *err);

int store_write(int dir_fd, const struct store_record *record, struct donjon_error *err);
int store_read(int dir_fd, struct dj_arena *arena, struct store_record *out, struct donjon_error *err);

/* config.json as it was at create. */
int store_save_config(int dir_fd, const char *text, size_t size, struct donjon_error *err);
int store_load_config(int dir_fd, char **text, size_t *size, struct donjon_error *err);

/* One writer per container: flock on the directory, released by closing the returned descriptor. */
int store_lock(int dir_fd, struct donjon_error *err);

/* Names of all containers, sorted, in the arena. */
int store_list(struct store *store, struct dj_arena *arena, char ***ids, size_t *n,
	       struct donjon_error *err);

/* Id ranges (decision 19): reserves a free 65,536-aligned range not overlapping /etc/subuid and
 * records `id` as its holder with one O_EXCL name, so the cost does not grow with containers. */
int store_reserve_range(struct store *store, const char *id, uint32_t *out, struct donjon_error *err);
void store_release_range(struct store *store, uint32_t range);

#endif
