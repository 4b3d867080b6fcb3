/* What must hold for `linux.seccomp`. */
#include "oci/rule.h"

enum { ERRNO_MAX = 4095 }; /* the kernel cuts a greater one off; a tracer gets 16 bits */

static bool errno_is_used(enum oci_seccomp_action action)
{
	return action == OCI_ACT_ERRNO || action == OCI_ACT_TRACE;
}

static bool errno_fits(enum oci_seccomp_action action, uint32_t number)
{
	return action != OCI_ACT_ERRNO || number <= ERRNO_MAX;
}

static bool default_is_not_notify(const void *member)
{
	const struct oci_seccomp *seccomp = member;

	return !seccomp->set || seccomp->default_action != OCI_ACT_NOTIFY;
}

static bool default_errno_is_used(const void *member)
{
	const struct oci_seccomp *seccomp = member;

	return !seccomp->default_errno.set || errno_is_used(seccomp->default_action);
}

static bool default_errno_fits(const void *member)
{
	const struct oci_seccomp *seccomp = member;

	return errno_fits(seccomp->default_action, seccomp->default_errno.v);
}

/* Without one nobody would answer. */
static bool notify_has_listener(const void *member)
{
	const struct oci_seccomp *seccomp = member;

	for (size_t i = 0; i < seccomp->rules.n; i++) {
		if (seccomp->rules.v[i].action == OCI_ACT_NOTIFY)
			return seccomp->listener_path != NULL;
	}
	return true;
}

static bool metadata_has_listener(const void *member)
{
	const struct oci_seccomp *seccomp = member;

	return !seccomp->listener_metadata || seccomp->listener_path;
}

static const struct oci_rule seccomp_rules[] = {
	OCI_WHOLE("defaultAction", default_is_not_notify, "SCMP_ACT_NOTIFY cannot be the default"),
	OCI_WHOLE("defaultErrnoRet", default_errno_is_used, "the default action returns no errno"),
	OCI_WHOLE("defaultErrnoRet", default_errno_fits, "must be from 0 to 4095"),
	OCI_HOLDS("listenerPath", struct oci_seccomp, listener_path, oci_is_absolute,
	          OCI_ABSOLUTE_MESSAGE),
	OCI_WHOLE("listenerPath", notify_has_listener, "missing: SCMP_ACT_NOTIFY needs it"),
	OCI_WHOLE("listenerMetadata", metadata_has_listener, "needs listenerPath"),
};

static bool names_calls(const void *member)
{
	const struct oci_strings *names = member;

	for (size_t i = 0; i < names->n; i++) {
		if (*names->v[i] == '\0')
			return false;
	}
	return names->n > 0;
}

static bool rule_errno_is_used(const void *member)
{
	const struct oci_seccomp_rule *rule = member;

	return !rule->errno_ret.set || errno_is_used(rule->action);
}

static bool rule_errno_fits(const void *member)
{
	const struct oci_seccomp_rule *rule = member;

	return errno_fits(rule->action, rule->errno_ret.v);
}

static const struct oci_rule syscall_rules[] = {
	OCI_HOLDS(".names", struct oci_seccomp_rule, names, names_calls, "must name system calls"),
	OCI_WHOLE(".errnoRet", rule_errno_is_used, "the action returns no errno"),
	OCI_WHOLE(".errnoRet", rule_errno_fits, "must be from 0 to 4095"),
};

static const struct oci_place places[] = {
	{ "linux.seccomp.", OCI_THE(linux.seccomp), OCI_RULES(seccomp_rules) },
	{ "linux.seccomp.syscalls", OCI_ITEMS(linux.seccomp.rules), OCI_RULES(syscall_rules) },
};
const struct oci_places oci_seccomp_places = { places, DJ_COUNT(places) };
