/* The container's cgroup: made, limited, watched and removed through descriptors (B28). */
#ifndef CGROUP_CGROUP_H
#define CGROUP_CGROUP_H

#include "base/arena.h"
#include "base/error.h"
#include "base/host.h"
#include "plan/plan.h"

#include <sys/types.h>

struct json_value;

/* Open handles on one container's cgroup in every hierarchy. */
struct cgroup {
	int v2;                           /* directory, or -1 */
	int v1[HOST_CGROUP_V1_MAX];       /* directories, host order; -1 where absent */
	int v1_tasks[HOST_CGROUP_V1_MAX]; /* `tasks` opened for writing with the host's rights */
	pid_t keeper; /* a process of ours in a scope of systemd's, until cgroup_settle() */
	size_t n_v1;
	size_t freezer, memory, devices; /* index into v1 of who can; n_v1 or more: none */
	bool made;                       /* by cgroup_create: to be removed if the launch fails */
	/* The hierarchies' own roots, as cgroup_create went through them: whoever makes a cgroup mostly
	 * removes it, too. */
	int roots[HOST_CGROUP_V1_MAX + 1];
	size_t n_roots;
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

/* What is in force, as the files say; -1: no limit, or nobody here can have one. */
struct cgroup_limits {
	int64_t cpu_quota;
	uint64_t cpu_period; /* 0 where it has a file of its own */
	int64_t memory, memory_and_swap;
	uint64_t memory_used, memory_and_swap_used;
};
struct cgroup_limits cgroup_limits_now(const struct host_facts *host, const struct cgroup *cg);

/* Writes the plan's limits over those in force: all of them, or none. */
int cgroup_update(const struct dj_plan *plan, const struct host_facts *host,
		  const struct cgroup *cg, struct donjon_error *err);

/* Opens an existing one by the path recorded in the state (no fd when it is gone). */
int cgroup_open(const struct host_facts *host, const char *path, struct cgroup *out,
		struct donjon_error *err);

/* The hierarchy that pauses containers, open for questions about any number of them: one file each. */
struct cgroup_freezer {
	int root; /* -1: there is none */
	bool is_v2;
};
int cgroup_freezer_open(const struct host_facts *host, struct cgroup_freezer *out,
			struct donjon_error *err);
/* 1, 0 (also for a cgroup that is gone) or -errno. */
int cgroup_freezer_ask(const struct cgroup_freezer *freezer, const char *path);

/* Opens what a process that joins the container has to enter.  choice: "[CONTROLLER,...:]PATH", each a
 * cgroup below the container's own (F43); member: a process that is in the container.  below: the way
 * down in each hierarchy, the v2 tree's after the v1 ones; untouched where there is none. */
struct cgroup_choice {
	const char *const *v;
	size_t n;
	pid_t member;
};
int cgroup_open_to_join(const struct host_facts *host, const char *path, const struct cgroup_choice *choice,
			struct dj_arena *arena, struct cgroup *out,
			const char *below[static HOST_CGROUP_V1_MAX + 1], struct donjon_error *err);

/* Kills everything in it (cgroup.kill; v1 or joined pid namespaces: freeze, signal, thaw,
 * repeat). */
int cgroup_kill_all(const struct cgroup *cg, int sig, struct donjon_error *err);

/* On v1 a frozen process does not even die, and a sub-cgroup may be frozen by itself (S5): all of them go on.
 * Who cannot be thawed now is seen by those who wait for the end. */
void cgroup_thaw_below(const struct cgroup *cg);

/* Pids of all processes, sub-cgroups included.  *pids is malloc'ed. */
int cgroup_pids(const struct cgroup *cg, pid_t **pids, size_t *n, struct donjon_error *err);

int cgroup_is_frozen(const struct cgroup *cg); /* 1, 0; unknown is 0 */
/* Returns when it is frozen or thawed; a freeze that does not come about within ten seconds is taken
 * back. */
int cgroup_freeze(const struct cgroup *cg, bool frozen, struct donjon_error *err);

/* Kills nothing; removes the tree in every hierarchy, retrying EBUSY for a bounded time. */
int cgroup_remove(const struct host_facts *host, const char *path, struct donjon_error *err);

/* The same without waiting, as long as nothing lives there: false as soon as something does, or
 * anything else is in the way.  `made` may be empty. */
bool cgroup_remove_unused(const struct host_facts *host, const struct cgroup *made, const char *path);

/* Times init was OOM-killed (M13): memory.events oom_kill / memory.oom_control. 0 if unknown. */
uint64_t cgroup_oom_kills(const struct cgroup *cg);

/* What has to be polled to learn of the next one; -1 where nobody accounts for memory. */
struct oom_watch {
	int fd;
	uint64_t kills; /* so far */
};
int cgroup_watch_oom(const struct cgroup *cg, struct oom_watch *out, struct donjon_error *err);
/* Since the last call, or since the watch began? */
bool cgroup_oom_happened(const struct cgroup *cg, struct oom_watch *watch);

/* `data` of the statistics that `events` prints (contract N8), without intel_rdt.  Free with json_free(). */
struct json_value *cgroup_stats(const struct host_facts *host, const struct cgroup *cg);

/* The container's own, of which there are two descriptors a hierarchy. */
void cgroup_close_directories(struct cgroup *cg);
void cgroup_close(struct cgroup *cg);

#endif
