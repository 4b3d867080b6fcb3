/* The profile is the operator's and stays as it is; the guard filter is stacked on it, and the
 * kernel takes the stricter answer (hardening-checks.md §6.5, decisions 21, 44). */
#include "base/cleanup.h"
#include "policy/harden.h"

#include <linux/seccomp.h>
#include <string.h>

/* Engines leave the section out for "unconfined" too: the two cannot be told apart (decision 21).
 */
void harden_seccomp(struct harden *h)
{
	if (h->spec->linux.seccomp.set || overridden(h, "guard-only"))
		return;
	h->result->settings.builtin_seccomp = true;
	harden_changed(h, "/linux/seccomp", "none", "the built-in default profile");
}

/* TRACE without a tracer and LOG let calls through as ALLOW does; NOTIFY leaves the verdict on all
 * of them to a process we know nothing of. */
static const char *open_action(enum oci_seccomp_action action)
{
	static const struct {
		enum oci_seccomp_action action;
		const char *word;
	} open[] = {
		{ OCI_ACT_ALLOW, "allow" },
		{ OCI_ACT_LOG, "log" },
		{ OCI_ACT_TRACE, "trace" },
		{ OCI_ACT_NOTIFY, "notify" },
	};

	for (size_t i = 0; i < DJ_COUNT(open); i++)
		if (open[i].action == action)
			return open[i].word;
	return NULL;
}

void harden_seccomp_default(struct harden *h)
{
	const struct oci_seccomp *seccomp = &h->spec->linux.seccomp;
	const char *word = seccomp->set ? open_action(seccomp->default_action) : NULL;

	if (word && !overridden(h, word))
		harden_refused(h, "/linux/seccomp/defaultAction",
		               harden_text(h, "lets unlisted system calls through (%s)", word),
		               "an allow-list", word);
}

void harden_seccomp_guard(struct harden *h)
{
	struct policy_settings *settings = &h->result->settings;
	const char *value = override_value(h);

	settings->guard_filter = true;
	if (value)
		override_items(value, h->arena, &settings->allow_calls);
	harden_changed(h, NULL, "the profile alone",
	               value ? harden_text(h, "guard filter, except %s", value) : "guard filter");
}

/* The flag trades the kernel's defence against speculation for speed. */
void harden_seccomp_flags(struct harden *h)
{
	struct oci_seccomp *seccomp = &h->spec->linux.seccomp;

	if (overridden(h, "spec-allow"))
		return;
	h->result->settings.deny_spec_allow = true;
	if (!seccomp->set || !(seccomp->flags & SECCOMP_FILTER_FLAG_SPEC_ALLOW))
		return;
	seccomp->flags &= ~(uint32_t)SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	harden_changed(h, "/linux/seccomp/flags", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "");
}
