/* The container's cgroup: made, limited, watched and removed through descriptors (B28). */
#ifndef CGROUP_CGROUP_H
#define CGROUP_CGROUP_H

#include "base/error.h"
#include "base/host.h"
#include "plan/plan.h"

#include <sys/types.h>

/* Open handles on one container's cgroup in every hierarchy. */
struct cgroup {
	int v2;                           /* directory, or -1 */
	int v1[HOST_CGROUP_V1_MAX];       /* directories, host order; -1 where absent */
	int v1_tasks[HOST_CGROUP_V1_MAX]; /* `tasks` opened for writing with the host's rights */
	size_t n_v1;
	size_t freezer, memory, devices; /* index into v1 of who can; n_v1 or more: none */
	bool made;                       /* by cgroup_create: to be removed if the launch fails */
	pid_t keeper; /* a process of ours in a scope of systemd's, until cgroup_settle() */
};
#define CGROUP_EMPTY { .v2 = -1 }

/* Fills `host`'s cgroup fields from /proc/self/mountinfo-free sources: /proc/self/cgroup, statfs of
 * the usual mount points, then /proc/self/mounts only if those do not fit. */
int cgroup_probe(struct host_facts *host, struct donjon_error *err);

/* Creates plan->cgroup_path in every hierarchy (v1: every mounted one, name=systemd and the v2 tree
 * included) and enables v2 controllers on the way.  Refuses a cgroup that already has processes or
 * is frozen.  On failure nothing is left. */
int cgroup_create(const struct dj_plan *plan, const struct host_facts *host, struct cgroup *out,
		  struct donjon_error *err);

/* The container is in it: what kept a new scope alive goes. */
void cgroup_settle(struct cgroup *cg);

/* Writes the plan's limits and the device rules (v1 files, v2 BPF program).  Optional writes that
 * fail call `unavailable` with the pointer and the reason. */
int cgroup_apply(const struct dj_plan *plan, const struct host_facts *host, const struct cgroup *cg,
		 void (*unavailable)(void *data, const char *pointer, const char *why), void *data,
		 struct donjon_error *err);

/* Opens an existing one by the path recorded in the state (no fd when it is gone). */
int cgroup_open(const struct host_facts *host, const char *path, struct cgroup *out,
		struct donjon_error *err);

/* Opens `tasks` of an opened cgroup, for joining it (exec). */
int cgroup_open_tasks(struct cgroup *cg, struct donjon_error *err);

/* Kills everything in it (cgroup.kill; v1 or joined pid namespaces: freeze, signal, thaw,
 * repeat). */
int cgroup_kill_all(const struct cgroup *cg, int sig, struct donjon_error *err);

/* Pids of all processes, sub-cgroups included.  *pids is malloc'ed. */
int cgroup_pids(const struct cgroup *cg, pid_t **pids, size_t *n, struct donjon_error *err);

int cgroup_is_frozen(const struct cgroup *cg); /* 1, 0; unknown is 0 */
int cgroup_freeze(const struct cgroup *cg, bool frozen, struct donjon_error *err);

/* Kills nothing; removes the tree in every hierarchy, retrying EBUSY for a bounded time. */
int cgroup_remove(const struct host_facts *host, const char *path, struct donjon_error *err);

/* Times init was OOM-killed (M13): memory.events oom_kill / memory.oom_control. 0 if unknown. */
uint64_t cgroup_oom_kills(const struct cgroup *cg);

void cgroup_close(struct cgroup *cg);

#endif
