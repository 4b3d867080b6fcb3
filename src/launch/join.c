/*
 * Entering a running container (exec).  Whoever controls the container may watch, stop and kill what
 * appears in it, so nothing that appears there can be looked into: not dumpable before the first
 * setns (B17, CVE-2016-9962), and everything at once, by a pidfd whose identity is proven (B18, B19).
 */
#include "launch/outside.h"

#include "base/cleanup.h"
#include "base/procfs.h"
#include "base/sys.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>

/* Those the container does not share with us: to enter one's own user namespace is an error, and to
 * enter the host's others may need rights a user does not have. */
static int namespaces_of(const struct dj_plan *plan)
{
	int flags = 0;

	for (size_t ns = 0; ns < OCI_NS_COUNT; ns++)
		if (plan->ns[ns].kind == PLAN_NS_JOIN)
			flags |= outside_ns_flag((enum oci_ns)ns);
	return flags;
}

/* By itself, and while it is still its caller's: the file of one who is not dumpable belongs to the
 * host's root. */
static int set_own_oom_score(const struct outside *o, struct donjon_error *err)
{
	char value[16];

	if (!o->plan->oom_score_adj_set)
		return 0;
	(void)snprintf(value, sizeof(value), "%d", o->plan->oom_score_adj);
	if (procfs_write(o->proc, "self/oom_score_adj", value, err) < 0)
		return dj_note(err, "process.oomScoreAdj");
	return 0;
}

static int enter(struct outside *o, const struct child_args *child, struct donjon_error *err)
{
	int flags = namespaces_of(o->plan);

	/* With the host's rights and in the host's cgroup namespace, or the kernel would refuse it. */
	if (child_join_cgroups(child, err) < 0 || set_own_oom_score(o, err) < 0)
		return -1;
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return dj_fail_os(err, errno, "become undumpable");
	if (flags && setns(o->request->container_pidfd, flags) < 0)
		return dj_fail_os(err, errno, "join the container's namespaces");
	return 0;
}

/* P36: the CPUs of whoever starts the process, until it is in the container's cgroup. */
static int take_affinity(const struct dj_plan *plan, cpu_set_t *own, struct donjon_error *err)
{
	if (!plan->cpus_initial.n)
		return 0;
	if (sched_getaffinity(0, sizeof(*own), own) < 0)
		return dj_fail_os(err, errno, "read the CPU affinity");
	if (sched_setaffinity(0, plan->cpus_initial.n * sizeof(uint64_t),
			      plan_list_data(plan, plan->cpus_initial, sizeof(uint64_t))) < 0)
		return dj_fail_os(err, errno, "process.execCPUAffinity.initial");
	return 0;
}

static void return_affinity(const struct dj_plan *plan, const cpu_set_t *own)
{
	/* Cannot fail but where the CPUs went away meanwhile. */
	if (plan->cpus_initial.n)
		(void)sched_setaffinity(0, sizeof(*own), own);
}

/*
 * What a running container calls /proc is whatever it put there (T17, CVE-2025-52881), so the stage
 * gets one of ours: a mount of its own directory alone.  Should somebody take the descriptor from it,
 * there is no way from there to another process, nor up.  A user may not clone mounts of the host, and
 * any other descriptor of its /proc would lead to the host's root: then the container's has to do,
 * where it is one.
 */
int lend_procfs(struct outside *o, uint32_t row, struct donjon_error *err)
{
	char path[16];
	int fd;

	(void)row;
	(void)snprintf(path, sizeof(path), "%d", (int)o->pid);
	fd = sys_open_tree(o->proc, path, SYS_OPEN_TREE_CLONE);
	if (fd < 0 && fd != -EPERM)
		return dj_fail_os(err, -fd, "clone the process's own directory of /proc");
	o->stage_proc = fd < 0 ? -1 : fd;
	return 0;
}

int join_container(struct outside *o, uint32_t row, struct donjon_error *err)
{
	const struct dj_plan *plan = o->plan;
	const struct child_args child = {
		.plan = plan,
		.wire = o->child_wire,
		.stage = o->stage,
		.parent_wire = o->wire,
		.cgroup_tasks = o->request->cgroup_tasks,
		.n_cgroup_tasks = o->request->n_cgroup_tasks,
		.rdt_tasks = o->request->rdt_tasks,
		.n_rdt_tasks = o->request->n_rdt_tasks,
		.wait_for_maps = plan->ns[OCI_NS_USER].kind == PLAN_NS_JOIN,
	};
	const struct outside_helper how = {
		.enter = enter, .own_cgroup = o->request->cgroup_v2, .stage_cgroup = -1,
	};
	cpu_set_t own;
	int r;

	(void)row;
	if (take_affinity(plan, &own, err) < 0)
		return -1;
	r = outside_clone_by_helper(o, &how, &child, err);
	return_affinity(plan, &own);
	dj_close(&o->child_wire);
	return r;
}
