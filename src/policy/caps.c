/* Capabilities: what engines add to every container goes, what a person asked for is refused
 * (hardening-checks.md §3.2, decisions 6, 13, 20). */
#include "wrap/caps.h"
#include "base/cleanup.h"
#include "policy/harden.h"

#include <linux/capability.h>
#include <stdio.h>

#define CAP(name) (UINT64_C(1) << CAP_##name)

/* What Docker and containerd give to a container nobody said anything about. */
static const uint64_t engine_default = CAP(AUDIT_WRITE) | CAP(CHOWN) | CAP(DAC_OVERRIDE) |
                                       CAP(FOWNER) | CAP(FSETID) | CAP(KILL) | CAP(MKNOD) |
                                       CAP(NET_BIND_SERVICE) | CAP(NET_RAW) | CAP(SETFCAP) |
                                       CAP(SETGID) | CAP(SETPCAP) | CAP(SETUID) | CAP(SYS_CHROOT);

/* Each of these leads to the host, or lifts what was mounted over something (checks §3.2). */
static const uint64_t escape_class = CAP(SYS_ADMIN) | CAP(SYS_MODULE) | CAP(SYS_PTRACE) |
                                     CAP(SYS_RAWIO) | CAP(DAC_READ_SEARCH) | CAP(BPF) |
                                     CAP(PERFMON) | CAP(SYS_BOOT) | CAP(MAC_ADMIN) |
                                     CAP(MAC_OVERRIDE) | CAP(CHECKPOINT_RESTORE);

enum { PRIVILEGED_MIN = 38 };

char *caps_list(struct harden *h, uint64_t set)
{
	char text[64 * 28] = "";
	size_t used = 0;

	for (int i = 0; i < 64; i++) {
		const char *name = caps_name(i);

		if (!(set >> i & 1))
			continue;
		if (used)
			text[used++] = ',';
		if (name)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s", name);
		else
			used += (size_t)snprintf(text + used, sizeof(text) - used, "CAP_%d", i);
	}
	return dj_arena_strdup(h->arena, text);
}

static uint64_t overridden_caps(struct harden *h, const char *check, uint64_t asked)
{
	uint64_t kept = 0;

	for (int i = 0; i < 64; i++) {
		const char *name = caps_name(i);

		if ((asked >> i & 1) && name && overridden_of(h, check, name))
			kept |= UINT64_C(1) << i;
	}
	return kept;
}

uint64_t caps_all(const struct oci_capabilities *c)
{
	return c->bounding | c->effective | c->permitted | c->inheritable | c->ambient;
}

void caps_trim(struct harden *h, const char *name, uint64_t *set, uint64_t kept)
{
	uint64_t before = *set;

	*set &= kept;
	if (*set != before)
		harden_changed(h, harden_pointer(h, "/process/capabilities/", name),
		               caps_list(h, before), caps_list(h, *set));
}

void harden_caps_privileged(struct harden *h)
{
	uint64_t bounding = h->spec->process.capabilities.bounding;

	h->privileged = __builtin_popcountll(bounding) >= PRIVILEGED_MIN;
	if (h->privileged)
		harden_refused(h, "/process/capabilities/bounding",
		               "holds (nearly) every capability: this is a privileged container",
		               "run it at policy level none or with another runtime", NULL);
}

/* The right to low ports that went with the capability comes back as a setting of the network
 * namespace, for those who had it and nobody else (decision 13). */
void harden_low_ports(struct harden *h)
{
	static const char key[] = "net.ipv4.ip_unprivileged_port_start";
	const struct oci_process *process = &h->spec->process;
	const uint64_t bit = CAP(NET_BIND_SERVICE);
	uint64_t had = process->capabilities.ambient;

	if (process->user.uid == 0) /* otherwise execve drops what is only effective */
		had |= process->capabilities.effective;
	if (!(had & bit) || overridden_of(h, "caps.bounding", "CAP_NET_BIND_SERVICE") ||
	    namespace_is_host(h->spec, OCI_NS_NETWORK))
		return;
	if (h->spec->linux.namespaces[OCI_NS_NETWORK].path)
		harden_noted(h, "low ports are opened to all of the joined network namespace");
	sysctl_set(h, key, "0");
}

void harden_caps_bounding(struct harden *h)
{
	struct oci_capabilities *c = &h->spec->process.capabilities;
	uint64_t kept = overridden_caps(h, "caps.bounding", caps_all(c));
	uint64_t asked = caps_all(c) & ~engine_default & ~kept;

	/* One that joins is measured by the container (harden_parity). */
	if (asked && !h->privileged && !h->container)
		harden_refused(h, "/process/capabilities",
		               harden_text(h, "asks for %s", caps_list(h, asked)),
		               "no capability beyond those engines add by themselves",
		               caps_list(h, asked));
	caps_trim(h, "bounding", &c->bounding, kept);
}

void harden_caps_effective(struct harden *h)
{
	struct oci_capabilities *c = &h->spec->process.capabilities;
	uint64_t kept = overridden_caps(h, "caps.bounding", caps_all(c));

	caps_trim(h, "effective", &c->effective, kept);
	caps_trim(h, "permitted", &c->permitted, kept);
}

void harden_caps_ambient(struct harden *h)
{
	struct oci_capabilities *c = &h->spec->process.capabilities;
	uint64_t kept = overridden_caps(h, "caps.ambient", c->bounding & c->permitted);

	caps_trim(h, "inheritable", &c->inheritable, kept);
	caps_trim(h, "ambient", &c->ambient, kept);
}

void harden_caps_escape(struct harden *h)
{
	uint64_t left = caps_all(&h->spec->process.capabilities) & escape_class;

	if (left)
		harden_noted(h,
		             harden_text(h,
		                         "%s granted by override: read-only mounts and masks are "
		                         "advisory against it",
		                         caps_list(h, left)));
}
