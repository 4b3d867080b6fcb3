/* What only the host's rights can set on the container's process. */
#include "launch/outside.h"

#include "base/procfs.h"

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>

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

/* Set last, from outside: a small limit must not fail the stage's own work, and a raise needs the
 * host's CAP_SYS_RESOURCE. Descriptors keep a floor until the stage has done with them. */
int set_rlimits(struct outside *o, uint32_t row, struct donjon_error *err)
{
	const struct plan_rlimit *limits = plan_items(o->plan, o->plan->rlimits, struct plan_rlimit);

	(void)row;
	for (uint32_t i = 0; i < o->plan->rlimits.n; i++) {
		uint64_t floor = limits[i].type == RLIMIT_NOFILE ? 64 : 0;
		const struct rlimit want = {
			.rlim_cur = limits[i].soft < floor ? floor : limits[i].soft,
			.rlim_max = limits[i].hard < floor ? floor : limits[i].hard,
		};

		if (prlimit(o->pid, (__rlimit_resource_t)limits[i].type, &want, NULL) < 0)
			return dj_fail_os(err, errno,
					  "process.rlimits: set RLIMIT_%s to %llu:%llu%s",
					  limit_name(limits[i].type), (unsigned long long)limits[i].soft,
					  (unsigned long long)limits[i].hard,
					  errno == EPERM ? " (raising a hard limit needs CAP_SYS_RESOURCE)" : "");
	}
	return 0;
}
