#include "launch/scheduling.h"

#include <errno.h>
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_real_time(const struct dj_plan *plan)
{
	return plan->sched_policy == SCHED_FIFO || plan->sched_policy == SCHED_RR ||
	       plan->sched_policy == SCHED_DEADLINE;
}

static int set_scheduler(const struct dj_plan *plan, pid_t pid, struct donjon_error *err)
{
	struct { /* struct sched_attr, which libc headers lack or clash on */
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
		uint32_t util_min, util_max;
	} attr = {
		.size = sizeof(attr),
		.policy = (uint32_t)plan->sched_policy,
		.flags = plan->sched_flags,
		.nice = plan->sched_nice,
		.priority = (uint32_t)plan->sched_priority,
		.runtime = plan->sched_runtime,
		.deadline = plan->sched_deadline,
		.period = plan->sched_period,
	};

	if (syscall(SYS_sched_setattr, pid, &attr, 0) == 0)
		return 0;
	return dj_fail_os(err, errno, "process.scheduler: set the policy%s",
			  errno == EPERM && is_real_time(plan)
				  ? " (real time also takes a share of it: RLIMIT_RTPRIO for a user, "
				    "linux.resources.cpu.realtimeRuntime on cgroup v1, all CPUs for SCHED_DEADLINE)"
				  : "");
}

bool scheduling_is_outside(const struct dj_plan *plan)
{
	return !plan->rootless && (plan->scheduler_set || plan->io_priority_set);
}

int scheduling_set(const struct dj_plan *plan, pid_t pid, struct donjon_error *err)
{
	if (plan->scheduler_set && set_scheduler(plan, pid, err) < 0)
		return -1;
	if (plan->io_priority_set &&
	    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, pid,
		    plan->io_class << IOPRIO_CLASS_SHIFT | plan->io_priority) < 0)
		return dj_fail_os(err, errno, "process.ioPriority: ioprio_set");
	return 0;
}
