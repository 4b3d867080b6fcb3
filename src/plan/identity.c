/* Who the process is: ids, groups, capability sets, no_new_privs, labels. */
#include "plan/part.h"

#include <stdio.h>
#include <string.h>

static uint64_t all_caps(const struct host_facts *host)
{
	return host->cap_last >= 63 ? UINT64_MAX : (UINT64_C(1) << (host->cap_last + 1)) - 1;
}

/*
 * What can be granted is granted, the rest is recorded (P23: MUST warn, SHOULD NOT fail): nothing
 * beyond the kernel's last capability, and without a user namespace of its own nothing beyond the
 * runtime's own bounding set.  Each set is then cut to what the kernel demands of it.
 */
static void set_capabilities(struct plan_block *block, const struct plan_input *in, struct policy_result *record)
{
	const struct oci_capabilities *want = &in->spec->process.capabilities;
	uint64_t grantable = all_caps(in->host), missing;
	uint64_t *caps = PLAN(block)->caps;

	if (!want->set)
		return;
	if (!plan_has_userns(in))
		grantable &= in->host->caps;
	missing = (want->bounding | want->permitted | want->effective) & ~grantable;
	if (missing)
		plan_note(block, record, "caps.bounding", "capabilities 0x%llx cannot be granted here",
			  (unsigned long long)missing);
	caps = PLAN(block)->caps;
	caps[PLAN_CAP_BOUNDING] = want->bounding & grantable;
	caps[PLAN_CAP_PERMITTED] = want->permitted & grantable;
	caps[PLAN_CAP_EFFECTIVE] = want->effective & caps[PLAN_CAP_PERMITTED];
	caps[PLAN_CAP_INHERITABLE] = want->inheritable & caps[PLAN_CAP_BOUNDING];
	caps[PLAN_CAP_AMBIENT] = want->ambient & caps[PLAN_CAP_INHERITABLE] & caps[PLAN_CAP_PERMITTED];
}

static int check_mapped(const struct plan_input *in, const struct oci_id_maps *maps, uint32_t id,
			const char *what, struct donjon_error *err)
{
	if (!plan_has_userns(in) || !maps->n || plan_map_id(maps, id) != UINT32_MAX)
		return 0;
	return dj_fail(err, DONJON_E_CONFIG, "%s: %u is not mapped in the user namespace", what, id);
}

/* Denied for good where an unprivileged user wrote the group map: by us just now, or by whoever made the
 * namespace we run in, or that of the container that is joined. */
static bool may_set_groups(struct plan_block *block, const struct plan_input *in)
{
	if (in->container)
		return !in->container->setgroups_denied;
	if (in->host->setgroups_denied || PLAN(block)->deny_setgroups)
		return false;
	return in->host->euid == 0 || PLAN(block)->gid_map_granted;
}

/* podman's --group-add keep-groups (A2).  An annotation may be anybody's, so above level none the groups
 * of the caller do not get in by it (B36). */
static bool keeps_groups(struct plan_block *block, const struct plan_input *in, struct policy_result *record)
{
	const struct oci_spec *spec = in->spec;

	for (size_t i = 0; i < spec->annotations.n; i++) {
		if (strcmp(spec->annotations.v[i].key, "run.oci.keep_original_groups") != 0)
			continue;
		if (record->in_force == POLICY_NONE)
			return true;
		plan_note(block, record, "user.groups", "annotation %s is not honoured",
			  spec->annotations.v[i].key);
	}
	return false;
}

static int set_groups(struct plan_block *block, const struct plan_input *in, struct policy_result *record,
		      struct donjon_error *err)
{
	const struct oci_user *user = &in->spec->process.user;
	struct plan_list list;

	for (size_t i = 0; i < user->additional_gids.n; i++) {
		char what[64];

		(void)snprintf(what, sizeof(what), "process.user.additionalGids[%zu]", i);
		if (check_mapped(in, &in->spec->linux.gid_mappings, user->additional_gids.v[i], what, err) < 0)
			return -1;
	}
	if (keeps_groups(block, in, record))
		return 0;
	if (!may_set_groups(block, in)) {
		/* Who makes the namespace knows that; an engine's caller does not (P21). */
		if (user->additional_gids.n && !in->host->setgroups_denied)
			return dj_fail(err, DONJON_E_CONFIG,
				       "process.user.additionalGids: cannot be set by an unprivileged user");
		if (user->additional_gids.n || in->host->has_groups)
			plan_note(block, record, "user.groups",
				  "the supplementary groups are the caller's: setgroups is denied");
		return 0;
	}
	list = plan_add_list(block, user->additional_gids.v, user->additional_gids.n, sizeof(uint32_t));
	PLAN(block)->groups = list;
	PLAN(block)->set_groups = true;
	return 0;
}

int plan_identity(struct plan_block *block, const struct plan_input *in, struct policy_result *record,
		  struct donjon_error *err)
{
	const struct oci_process *process = &in->spec->process;
	plan_str apparmor = plan_add_text(block, process->apparmor_profile);
	plan_str selinux = plan_add_text(block, process->selinux_label);
	struct dj_plan *plan;

	if (check_mapped(in, &in->spec->linux.uid_mappings, process->user.uid, "process.user.uid", err) < 0 ||
	    check_mapped(in, &in->spec->linux.gid_mappings, process->user.gid, "process.user.gid", err) < 0)
		return -1;
	/* A label that cannot be applied is an error, never silence (P29, P30). */
	if (apparmor && !in->host->apparmor)
		return dj_fail(err, DONJON_E_UNSUPPORTED,
			       "process.apparmorProfile: AppArmor is not enabled in this kernel");
	if (selinux && !in->host->selinux)
		return dj_fail(err, DONJON_E_UNSUPPORTED,
			       "process.selinuxLabel: SELinux is not enabled in this kernel");
	if (set_groups(block, in, record, err) < 0)
		return -1;
	set_capabilities(block, in, record);
	plan = PLAN(block);
	plan->uid = process->user.uid;
	plan->gid = process->user.gid;
	plan->umask = process->user.umask.set ? process->user.umask.v : 0022; /* P20 */
	plan->no_new_privs = process->no_new_privileges;
	plan->apparmor = apparmor;
	plan->selinux = selinux;
	plan->chown_pipes = in->settings->chown_pipes;
	plan->rootless = host_is_rootless(in->host);
	plan->chown_pipes_inside = plan->chown_pipes && plan->rootless && plan_has_userns(in);
	return 0;
}
