/* What only the host's rights can set on the container's process. */
#include "launch/outside.h"

#include "base/procfs.h"
#include "launch/late_limits.h"
#include "launch/scheduling.h"
#include "launch/sources.h"

#include <errno.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

static int set_final_affinity(const struct outside *o, struct donjon_error *err)
{
	const struct plan_list cpus = o->plan->cpus_final;

	if (sched_setaffinity(o->pid, cpus.n * sizeof(uint64_t),
			      plan_list_data(o->plan, cpus, sizeof(uint64_t))) < 0)
		return dj_fail_os(err, errno, "process.execCPUAffinity.final");
	return 0;
}

/* To leave SCHED_IDLE takes a right that an unprivileged caller lacks, and real time none at all. */
int outside_reset_policy(pid_t pid, struct donjon_error *err)
{
	const struct sched_param none = { 0 };

	if (sched_getscheduler(pid) == SCHED_OTHER || sched_setscheduler(pid, SCHED_OTHER, &none) == 0 ||
	    errno == EPERM)
		return 0;
	return dj_fail_os(err, errno, "reset the scheduling policy");
}

/* T59: an odd caller's leftovers.  Only with the right to do it: an unprivileged caller's own limits
 * stay. */
int reset_scheduling(struct outside *o, uint32_t row, struct donjon_error *err)
{
	cpu_set_t all;

	(void)row;
	if (outside_reset_policy(o->pid, err) < 0)
		return -1;
	errno = 0;
	if (getpriority(PRIO_PROCESS, 0) != 0 && errno == 0 &&
	    setpriority(PRIO_PROCESS, (id_t)o->pid, 0) < 0 && errno != EACCES && errno != EPERM)
		return dj_fail_os(err, errno, "reset the nice value");
	if (o->plan->cpus_final.n)
		return set_final_affinity(o, err);
	/* The kernel cuts this to the cpuset. */
	memset(&all, 0xff, sizeof(all));
	if (sched_setaffinity(o->pid, sizeof(all), &all) < 0)
		return dj_fail_os(err, errno, "reset the CPU affinity");
	return 0;
}

int set_oom_score(struct outside *o, uint32_t row, struct donjon_error *err)
{
	char path[64], value[16];

	(void)row;
	/* While the child is still dumpable: afterwards the file belongs to the host's root. */
	(void)snprintf(path, sizeof(path), "%d/oom_score_adj", (int)o->pid);
	(void)snprintf(value, sizeof(value), "%d", o->plan->oom_score_adj);
	if (procfs_write(o->proc, path, value, err) < 0)
		return dj_note(err, "process.oomScoreAdj");
	return 0;
}

int set_scheduler(struct outside *o, uint32_t row, struct donjon_error *err)
{
	(void)row;
	return scheduling_set(o->plan, o->pid, err);
}

static const char *limit_name(int type)
{
	static const char *const names[] = {
		[RLIMIT_CPU] = "CPU",		[RLIMIT_FSIZE] = "FSIZE",
		[RLIMIT_DATA] = "DATA",		[RLIMIT_STACK] = "STACK",
		[RLIMIT_CORE] = "CORE",		[RLIMIT_RSS] = "RSS",
		[RLIMIT_NPROC] = "NPROC",	[RLIMIT_NOFILE] = "NOFILE",
		[RLIMIT_MEMLOCK] = "MEMLOCK",	[RLIMIT_AS] = "AS",
		[RLIMIT_LOCKS] = "LOCKS",	[RLIMIT_SIGPENDING] = "SIGPENDING",
		[RLIMIT_MSGQUEUE] = "MSGQUEUE", [RLIMIT_NICE] = "NICE",
		[RLIMIT_RTPRIO] = "RTPRIO",	[RLIMIT_RTTIME] = "RTTIME",
	};

	return type >= 0 && (size_t)type < sizeof(names) / sizeof(names[0]) ? names[type] : "?";
}

static int set_rlimit(const struct outside *o, const struct plan_rlimit *limit, struct donjon_error *err)
{
	const struct rlimit want = { .rlim_cur = limit->soft, .rlim_max = limit->hard };
	struct rlimit have;

	if (prlimit(o->pid, (__rlimit_resource_t)limit->type, NULL, &have) < 0)
		return dj_fail_os(err, errno, "process.rlimits: read RLIMIT_%s", limit_name(limit->type));
	/* Anybody may lower a limit, so one that would get in the stage's way is left to it. */
	if (limit_is_late(limit) && limit->hard <= have.rlim_max)
		return 0;
	if (prlimit(o->pid, (__rlimit_resource_t)limit->type, &want, NULL) == 0)
		return 0;
	/* Many a host gives its users a hard limit of 0 core dumps (decision 16). */
	if (errno == EPERM && limit->optional) {
		outside_note(o, "res.core", "RLIMIT_%s stays %llu: to raise it needs CAP_SYS_RESOURCE",
			     limit_name(limit->type), (unsigned long long)have.rlim_max);
		return 0;
	}
	return dj_fail_os(err, errno, "process.rlimits: set RLIMIT_%s to %llu:%llu%s", limit_name(limit->type),
			  (unsigned long long)limit->soft, (unsigned long long)limit->hard,
			  errno == EPERM ? " (raising a hard limit needs CAP_SYS_RESOURCE)" : "");
}

/* While the child still has our own ids: afterwards even lowering would need CAP_SYS_RESOURCE. */
int set_rlimits(struct outside *o, uint32_t row, struct donjon_error *err)
{
	const struct plan_rlimit *limits = plan_items(o->plan, o->plan->rlimits, struct plan_rlimit);

	(void)row;
	for (uint32_t i = 0; i < o->plan->rlimits.n; i++)
		if (set_rlimit(o, &limits[i], err) < 0)
			return -1;
	return 0;
}

/* A process that is not root cannot reopen /dev/stdout if it is somebody else's pipe.  Only an
 * anonymous pipe: a file, socket, FIFO or terminal is the caller's and stays as it is (decision 1,
 * CVE-2026-88265).  From outside, because inside a user namespace the pipe's owner is nobody. */
int own_pipes(struct outside *o, uint32_t row, struct donjon_error *err)
{
	uint32_t uid = plan_owner_id(o->plan, o->plan->uid_maps, o->plan->uid);

	(void)row;
	for (int fd = 0; fd <= 2; fd++) {
		struct statfs fs;

		if (fstatfs(fd, &fs) < 0 || fs.f_type != PIPEFS_MAGIC)
			continue;
		/* Rootless, the pipes are the caller's already, or belong to somebody it has no say over. */
		if (fchown(fd, uid, (gid_t)-1) < 0 && !(errno == EPERM && o->plan->rootless))
			return dj_fail_os(err, errno, "give the pipe on descriptor %d to uid %u", fd, uid);
	}
	return 0;
}
