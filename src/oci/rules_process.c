/* What must hold for `process`. */
#include "oci/names.h"
#include "oci/number_list.h"
#include "oci/rule.h"

#include <linux/sched.h>
#include <sys/resource.h>

static bool has_args(const void *member)
{
	const struct oci_process *process = member;

	return !process->set || process->args.n > 0;
}

static bool lists_limits_once(const void *member)
{
	const struct oci_process *process = member;
	uint64_t seen = 0;

	_Static_assert(RLIMIT_NLIMITS <= 64, "one bit for each limit");
	for (size_t i = 0; i < process->rlimits.n; i++) {
		uint64_t bit = UINT64_C(1) << process->rlimits.v[i].type;

		if (seen & bit)
			return false;
		seen |= bit;
	}
	return true;
}

static bool is_linux_policy(const void *member)
{
	const struct oci_scheduler *scheduler = member;
	uint64_t iso = 0;

	return !oci_word_value(&oci_sched_policy_words, "SCHED_ISO", &iso) ||
	       scheduler->policy != (int)iso;
}

static bool priority_is_real_time(const void *member)
{
	const struct oci_scheduler *s = member;

	return s->priority == 0 || s->policy == SCHED_FIFO || s->policy == SCHED_RR;
}

static bool times_are_for_deadline(const void *member)
{
	const struct oci_scheduler *s = member;

	return s->policy == SCHED_DEADLINE ||
	       (s->runtime == 0 && s->deadline == 0 && s->period == 0);
}

/* Refused with the container's config, not with the first exec (P36). */
static bool names_cpus(const void *member)
{
	uint64_t mask[OCI_CPUS / 64];
	const char *list = oci_string_at(member);

	return !list || oci_number_list(list, mask, DJ_COUNT(mask));
}

#define AFFINITY_MESSAGE "must be a list like 0-3,7 of numbers below 8192"

#define P struct oci_process

static const struct oci_rule process_rules[] = {
	OCI_WHOLE("args", has_args, "must name a program"),
	OCI_HOLDS("cwd", P, cwd, oci_is_absolute, OCI_ABSOLUTE_MESSAGE),
	OCI_FITS("user.uid", P, user.uid, oci_is_mapped_uid, "is not mapped in the user namespace"),
	OCI_FITS("user.gid", P, user.gid, oci_is_mapped_gid, "is not mapped in the user namespace"),
	OCI_HOLDS("apparmorProfile", P, apparmor_profile, oci_is_line, OCI_LINE_MESSAGE),
	OCI_HOLDS("selinuxLabel", P, selinux_label, oci_is_line, OCI_LINE_MESSAGE),
	OCI_HOLDS("execCPUAffinity.initial", P, cpu_affinity_initial, names_cpus, AFFINITY_MESSAGE),
	OCI_HOLDS("execCPUAffinity.final", P, cpu_affinity_final, names_cpus, AFFINITY_MESSAGE),
	OCI_WHOLE("rlimits", lists_limits_once, "lists a resource limit twice"),
	OCI_HOLDS("scheduler.policy", P, scheduler, is_linux_policy, "SCHED_ISO is not in Linux"),
	OCI_HOLDS("scheduler.priority", P, scheduler, priority_is_real_time,
	          "needs SCHED_FIFO or SCHED_RR"),
	OCI_HOLDS("scheduler", P, scheduler, times_are_for_deadline,
	          "runtime, deadline and period need SCHED_DEADLINE"),
};

static const struct oci_rule group_rules[] = {
	OCI_WHOLE_FITS("", oci_is_mapped_gid, "is not mapped in the user namespace"),
};

static bool soft_is_below_hard(const void *member)
{
	const struct oci_rlimit *limit = member;

	return limit->soft <= limit->hard;
}

static const struct oci_rule rlimit_rules[] = {
	OCI_WHOLE(".soft", soft_is_below_hard, "must not be greater than the hard limit"),
};

static const struct oci_rule env_rules[] = {
	OCI_WHOLE("", oci_is_environment, "must be NAME=VALUE"),
};

static const struct oci_place places[] = {
	{ "process.", OCI_THE(process), OCI_RULES(process_rules) },
	{ "process.env", OCI_ITEMS(process.env), OCI_RULES(env_rules) },
	{ "process.user.additionalGids", OCI_ITEMS(process.user.additional_gids),
	  OCI_RULES(group_rules) },
	{ "process.rlimits", OCI_ITEMS(process.rlimits), OCI_RULES(rlimit_rules) },
};
const struct oci_places oci_process_places = { places, DJ_COUNT(places) };
