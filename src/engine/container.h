/* A container that exists: its directory, its record, and what it is doing. */
#ifndef ENGINE_CONTAINER_H
#define ENGINE_CONTAINER_H

#include "base/arena.h"
#include "base/host.h"
#include "cgroup/cgroup.h"
#include "engine/runtime.h"
#include "store/store.h"

/* What status needs of the host; read and opened once, and the cgroup part only where it is needed. */
struct observer {
	char boot_id[37];
	bool has_proc, has_host, has_freezer;
	int proc;
	struct host_facts host;
	struct cgroup_freezer freezer;
};
int observer_init(struct observer *observer, struct donjon_error *err); /* zeroed, or used before */
void observer_done(struct observer *observer);
const struct host_facts *observer_host(struct observer *observer, struct donjon_error *err);

struct container {
	struct dj_arena arena; /* owns the record's strings */
	struct store store;
	int dir;
	struct store_record record;
	struct observer observer;
};
#define CONTAINER_EMPTY                                                                            \
	{                                                                                          \
		.store = STORE_EMPTY, .dir = -1                                                    \
	}

/* DONJON_E_NOT_FOUND "container does not exist: <id>", also for one without a state file. */
int container_open(const struct donjon_runtime *runtime, const char *id, struct container *out,
                   struct donjon_error *err);
/* The same in two steps, for callers that lock between them or can do without the record. */
int container_enter(const struct donjon_runtime *runtime, const char *id, struct container *out,
                    struct donjon_error *err);
int container_read(struct container *container, const char *id, struct donjon_error *err);
/* Takes the lock and reads the record.  Where another process is creating the container and runs
 * its hooks, which may take any time, the record is read without the lock: its status is
 * "creating". */
int container_lock(struct container *container, const char *id, struct donjon_error *err);
void container_close(struct container *container);

/* Is the recorded process alive?  1: *pidfd is open; 0: it is gone, or another one by now; -1: that
 * cannot be told, which must not pass for "gone" (B19, T63). */
int record_process(const struct store_record *record, const struct observer *observer, int *pidfd,
                   struct donjon_error *err);

/* enum store_status, or -1. */
int record_status(const struct store_record *record, int dir_fd, struct observer *observer,
                  struct donjon_error *err);
int container_status(struct container *container, struct donjon_error *err);
int container_process(const struct container *container, int *pidfd, struct donjon_error *err);

/* A cgroup of the name that a record of another boot has is somebody else's by now (S13). */
bool container_is_of_this_boot(const struct container *container);
/* The container's cgroup; without one (or once it is gone, or of another boot) no descriptor is open
 * in *out. */
int container_cgroup(struct container *container, struct cgroup *out, struct donjon_error *err);

#endif
