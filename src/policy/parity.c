/*
 * exec parity (decision 4): engines send the container's original process with every exec, so what
 * the container lost at create goes here, too, silently; what its configuration never had is
 * refused.
 */
#include "base/cleanup.h"
#include "policy/harden.h"

#include <string.h>

/* What even `none` keeps to: no_new_privs is only ever switched on (F40), and nothing is added to
 * the inheritable set (CVE-2022-29162, decision 52). */
void parity_floor(struct oci_process *process, const struct oci_process *configured)
{
	struct oci_capabilities *caps = &process->capabilities;

	process->no_new_privileges = process->no_new_privileges || configured->no_new_privileges;
	caps->inheritable &= configured->capabilities.inheritable;
	caps->ambient &= caps->inheritable;
}

static void judge_caps(struct harden *h)
{
	uint64_t had = caps_all(&h->container->configured->capabilities);
	uint64_t more = caps_all(&h->container->asked) & ~had;

	if (more && !h->privileged)
		harden_refused(h, "/process/capabilities",
		               harden_text(h, "asks for %s, which the container was never given",
		                           caps_list(h, more)),
		               "the container's own capabilities at most", NULL);
}

static void limit_caps(struct harden *h)
{
	const struct oci_capabilities *own = &h->container->hardened.capabilities;
	struct oci_capabilities *caps = &h->spec->process.capabilities;

	caps_trim(h, "bounding", &caps->bounding, own->bounding);
	caps_trim(h, "effective", &caps->effective, own->bounding);
	caps_trim(h, "permitted", &caps->permitted, own->bounding);
	caps_trim(h, "ambient", &caps->ambient, own->ambient);
}

static bool is_same(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

/* The row of the LSMs has judged it already where it confines nothing. */
static void judge_label(struct harden *h, const char *pointer, const char *label, const char *own)
{
	if (is_same(label, own) || overridden_of(h, "lsm.confined", "unconfined"))
		return;
	harden_refused(h, pointer, harden_text(h, "is %s", label),
	               harden_text(h, "%s, which confines the container", own && *own ? own : "none"),
	               NULL);
}

static void lower(struct harden *h, struct oci_rlimit *limit, const struct oci_rlimit *own)
{
	char *before = harden_text(h, "%llu:%llu", (unsigned long long)limit->soft,
	                           (unsigned long long)limit->hard);

	if (limit->hard <= own->hard)
		return;
	limit->hard = own->hard;
	if (limit->soft > own->hard)
		limit->soft = own->hard;
	harden_changed(h, "/process/rlimits", before,
	               harden_text(h, "%llu:%llu", (unsigned long long)limit->soft,
	                           (unsigned long long)limit->hard));
}

static void limit_rlimits(struct harden *h)
{
	const struct oci_process *own = &h->container->hardened;
	struct oci_process *process = &h->spec->process;

	for (size_t i = 0; i < process->rlimits.n; i++)
		for (size_t j = 0; j < own->rlimits.n; j++)
			if (own->rlimits.v[j].type == process->rlimits.v[i].type)
				lower(h, &process->rlimits.v[i], &own->rlimits.v[j]);
}

void harden_parity(struct harden *h)
{
	const struct oci_process *process = &h->spec->process;
	const struct oci_process *own;

	if (!h->container)
		return;
	own = &h->container->hardened;
	judge_caps(h);
	judge_label(h, "/process/apparmorProfile", process->apparmor_profile, own->apparmor_profile);
	judge_label(h, "/process/selinuxLabel", process->selinux_label, own->selinux_label);
	limit_caps(h);
	limit_rlimits(h);
}
