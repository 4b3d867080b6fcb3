/* AppArmor profile and SELinux label where the LSM is on and the config names none (decision 49).
 */
#include "policy/harden.h"

#include <string.h>

enum { CATEGORIES = 1024 };

static const struct {
	const char *process, *files;
} selinux_types[] = {
	[POLICY_SELINUX_CONTAINER] = { "container_t", "container_file_t" },
	[POLICY_SELINUX_DONJON] = { "donjon_container_t", "donjon_file_t" },
};

static bool is_empty(const char *s)
{
	return !s || !*s;
}

/* The third field of user:role:type:level. */
static bool has_type(const char *label, const char *type)
{
	const char *field = label;

	for (int i = 0; i < 2; i++) {
		field = strchr(field, ':');
		if (!field)
			return false;
		field++;
	}
	return strcspn(field, ":") == strlen(type) && strncmp(field, type, strlen(type)) == 0;
}

static bool refuse_unconfined(struct harden *h)
{
	const struct oci_process *process = &h->spec->process;
	const char *label = process->selinux_label;

	if (!is_empty(process->apparmor_profile) &&
	    strcmp(process->apparmor_profile, "unconfined") == 0)
		harden_refused(h, "/process/apparmorProfile", "is unconfined", "a profile",
		               "unconfined");
	else if (!is_empty(label) && (has_type(label, "unconfined_t") || has_type(label, "spc_t")))
		harden_refused(h, "/process/selinuxLabel",
		               harden_text(h, "is unconfined (%s)", label), "a container type",
		               "unconfined");
	else
		return false;
	return true;
}

/* Containers of one host keep apart by a pair of categories.  The id range is unique among them;
 * without one the bundle's path has to do. */
static uint32_t category_seed(const struct harden *h)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	if (h->host->id_range)
		return h->host->id_range >> 16;
	for (const char *p = h->request->bundle ? h->request->bundle : ""; *p; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619u;
	return hash;
}

static char *selinux_level(struct harden *h)
{
	uint32_t seed = category_seed(h);

	return harden_text(h, "s0:c%u,c%u", seed % (CATEGORIES / 2),
	                   CATEGORIES / 2 + seed / (CATEGORIES / 2) % (CATEGORIES / 2));
}

static void label_selinux(struct harden *h)
{
	enum policy_selinux_type type = h->request->selinux_type;
	const char *level = selinux_level(h);

	if (type == POLICY_SELINUX_NO_TYPE) {
		harden_refused(h, "/process/selinuxLabel",
		               "is absent, and the host's SELinux policy has neither container_t nor "
		               "donjon_container_t (semodule -i donjon.cil)",
		               "a container type", "unconfined");
		return;
	}
	h->result->settings.builtin_lsm = true;
	h->spec->process.selinux_label =
	        harden_text(h, "system_u:system_r:%s:%s", selinux_types[type].process, level);
	harden_changed(h, "/process/selinuxLabel", "", h->spec->process.selinux_label);
	if (!is_empty(h->spec->linux.mount_label))
		return;
	h->spec->linux.mount_label =
	        harden_text(h, "system_u:object_r:%s:%s", selinux_types[type].files, level);
	harden_changed(h, "/linux/mountLabel", "", h->spec->linux.mount_label);
}

void harden_lsm(struct harden *h)
{
	struct oci_process *process = &h->spec->process;

	if (!process->set || h->privileged || overridden(h, "unconfined") || refuse_unconfined(h))
		return;
	if (!h->host->apparmor && !h->host->selinux)
		harden_noted(h, "unavailable: neither AppArmor nor SELinux is on in this kernel");
	if (h->host->apparmor && is_empty(process->apparmor_profile)) {
		process->apparmor_profile = dj_arena_strdup(h->arena, POLICY_APPARMOR_PROFILE);
		h->result->settings.builtin_lsm = true;
		harden_changed(h, "/process/apparmorProfile", "", POLICY_APPARMOR_PROFILE);
	}
	if (h->host->selinux && is_empty(process->selinux_label))
		label_selinux(h);
}
