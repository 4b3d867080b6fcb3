/*
 * The state directory (B32, decision 46): <root>/<id>/ is 0700 and holds state.json (temporary
 * name, rename, no fsync), config.json as it was at create, hardening.json (what the policy did,
 * apart because only `state` shows it), the directory `notify` (store_notify_make), and the socket
 * `gate`, whose presence with a live stage means "created".  mkdir of the directory takes the id.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum store_status {
	STORE_CREATING,
	STORE_CREATED,
	STORE_RUNNING,
	STORE_PAUSED,
	STORE_STOPPED,
	STORE_STATUS_COUNT,
};
const char *store_status_name(enum store_status status);

struct store_pair {
	char *key, *value;
};

/* A cgroup manager beside those that can be chosen: systemd, the instance of the user. */
#define STORE_SYSTEMD_USER "systemd-user"

/* What state.json holds. Strings live in the arena it was read into. */
struct store_record {
	char *id, *bundle, *rootfs, *oci_version;
	char *created; /* RFC 3339 with nanoseconds */
	char *boot_id;
	uint32_t owner; /* uid */
	bool creating;  /* create has not come to its end */
	pid_t pid;      /* 0: no process yet */
	uint64_t start_time;
	uint32_t seccomp_filters; /* what `start` must find (struct launch) */
	char *cgroup_path, *cgroup_manager; /* path "" when without */
	bool private_pid_ns;
	bool no_new_keyring; /* its processes keep their caller's session keyring */
	bool poststart_hooks,
	        poststop_hooks; /* there are some: spares start and delete config.json */
	char *selinux_label; /* its program's; "": none */
	/* Where the listener of a filter that notifies goes; "": nowhere. */
	char *listener_path, *listener_metadata;
	/* Of resctrl: "" for none, "/" for the root group; made: removed with the container; monitored: so is
	 * the monitoring group of the container's name. */
	char *rdt_group;
	bool rdt_made, rdt_monitored;
	uint32_t id_range;      /* reserved slot, 0: none */
	struct store_pair *annotations;
	size_t n_annotations;
};

struct store {
	int root_fd;
	char *root; /* absolute path */
};
#define STORE_EMPTY                                                                                \
	{                                                                                          \
		.root_fd = -1                                                                      \
	}

/* Opens (and for `create`, makes: 0700, parents too) the root directory.  Refuses a link, a
 * directory that others may write and one that belongs to somebody else (T65).  Without `create` a
 * missing one is DONJON_E_NOT_FOUND. */
int store_open(const char *path, bool create, struct store *out, struct donjon_error *err);
void store_close(struct store *store);

/* Contract R7 narrowed by B32 and decision 46. */
int store_check_id(const char *id, struct donjon_error *err);

/* Takes the id and locks it: returns the new directory's descriptor; DONJON_E_EXISTS "container
 * with given ID already exists". */
int store_reserve(struct store *store, const char *id, struct donjon_error *err);
/* DONJON_E_NOT_FOUND "container does not exist: <id>". */
int store_enter(struct store *store, const char *id, struct donjon_error *err);
/* Is dir_fd still the container of that name?  Not (0) once somebody else has removed it; -1: that
 * cannot be told. */
int store_is_entry(const struct store *store, const char *id, int dir_fd, struct donjon_error *err);
/* Removes the directory dir_fd stands for, if it still is <root>/<id>, with all it contains; also a
 * half-made one. */
int store_remove(struct store *store, const char *id, int dir_fd, struct donjon_error *err);

/* One writer per container: flock on the directory, released by closing dir_fd.  Waits at most
 * `timeout_ms` for another writer, then DONJON_E_STATUS. */
int store_lock(int dir_fd, unsigned timeout_ms, struct donjon_error *err);
void store_unlock(int dir_fd);

#define STORE_STATE_FILE "state.json"
int store_write(int dir_fd, const struct store_record *record, struct donjon_error *err);
/* DONJON_E_NOT_FOUND if there is no state file (half-made), DONJON_E_CONFIG if it is damaged. */
int store_read(int dir_fd, struct dj_arena *arena, struct store_record *out,
               struct donjon_error *err);

/* Documents kept beside the state as they are. */
enum store_document {
	STORE_CONFIG,
	STORE_HARDENING,
	STORE_SECCOMP,   /* of --seccomp */
	STORE_RESOURCES, /* what updates have set of linux.resources */
};
int store_save(int dir_fd, enum store_document which, const char *text, size_t size,
               struct donjon_error *err);
/* *text is malloc'ed; NULL if the document was never saved. */
int store_load(int dir_fd, enum store_document which, char **text, size_t *size,
               struct donjon_error *err);

/* The socket a created container waits at (launch_start_gate() connects to it). */
int store_gate_listen(int dir_fd, struct donjon_error *err);
int store_gate_is_there(int dir_fd, struct donjon_error *err); /* 1, 0 or -1 */
/* A pidfd of the process that waits there, known without any record; -1: there is none. */
int store_gate_waiter(int dir_fd);
void store_gate_remove(int dir_fd);

/* The directory that containers see where somebody waits for their READY=1 (V3), and the socket in
 * it: a descriptor, or -1, DONJON_E_NOT_FOUND if the container has no such directory.  SELinux: the
 * directory's label (linux.mountLabel) or NULL, and the program's or "". */
#define STORE_NOTIFY        "notify"
#define STORE_NOTIFY_SOCKET "notify.sock"
int store_notify_make(int dir_fd, const char *label, struct donjon_error *err);
int store_notify_bind(int dir_fd, const char *label, struct donjon_error *err);

/* Names of all containers, sorted, in the arena. */
int store_list(struct store *store, struct dj_arena *arena, char ***ids, size_t *n,
               struct donjon_error *err);

/* Id ranges (decision 19): 65,536 ids from a pool no person's sub-ids overlap.  The search starts
 * at a slot made from the id, so its cost does not grow with the number of containers. */
#define STORE_RANGE_FIRST 0x70000000u
#define STORE_RANGE_LAST  0x7fff0000u
#define STORE_RANGE_SIZE  0x10000u
int store_reserve_range(struct store *store, const char *id, uint32_t *out,
                        struct donjon_error *err);
/* Nothing happens unless `id` holds it. */
void store_release_range(struct store *store, const char *id, uint32_t range);
/* Of a container whose record is lost. */
void store_release_ranges(struct store *store, const char *id);

#endif
