/* Which namespaces to make and which to join; id maps and time offsets. */
#include "plan/part.h"

#include "oci/pointer.h"

static void set_time_offsets(struct plan_block *block, const struct oci_linux *linux)
{
	struct dj_plan *plan = PLAN(block);

	if (!linux->time_offset_monotonic.set && !linux->time_offset_boottime.set)
		return;
	plan->time_offsets = true;
	plan->monotonic_s = linux->time_offset_monotonic.secs;
	plan->monotonic_ns = linux->time_offset_monotonic.nanosecs;
	plan->boottime_s = linux->time_offset_boottime.secs;
	plan->boottime_ns = linux->time_offset_boottime.nanosecs;
}

/* Without rights one may map oneself and nobody else; for more there are the programs of package uidmap,
 * which look up what the host's root has granted (P41). */
static bool must_be_granted(const struct plan_input *in, const struct oci_id_maps *maps, uint32_t own)
{
	if (in->host->euid == 0 || !plan_is_new(in, OCI_NS_USER))
		return false;
	return maps->n != 1 || maps->v[0].size != 1 || maps->v[0].host_id != own;
}

static struct plan_list add_net_devices(struct plan_block *block, const struct oci_linux *linux)
{
	struct plan_net_device *devices =
		dj_arena_array(block->arena, linux->net_devices.n + 1, sizeof(*devices));

	for (size_t i = 0; i < linux->net_devices.n; i++) {
		const struct oci_pair *device = &linux->net_devices.v[i];

		devices[i].name = plan_add_text(block, device->key);
		devices[i].pointer =
			plan_add_text(block, oci_pointer(block->arena, "linux.netDevices", device->key));
		devices[i].inside = plan_add_text(block, *device->value ? device->value : device->key);
	}
	return plan_add_list(block, devices, linux->net_devices.n, sizeof(*devices));
}

int plan_namespaces(struct plan_block *block, const struct plan_input *in, struct policy_result *record,
		    struct donjon_error *err)
{
	const struct oci_linux *linux = &in->spec->linux;
	struct plan_list uids, gids, devices;

	(void)err;
	for (size_t ns = 0; ns < OCI_NS_COUNT; ns++) {
		const struct oci_namespace *wanted = &linux->namespaces[ns];
		plan_str path = plan_add_text(block, wanted->path);

		PLAN(block)->ns[ns].path = path;
		PLAN(block)->ns[ns].kind = !wanted->set	 ? PLAN_NS_HOST
					   : wanted->path ? PLAN_NS_JOIN
							  : PLAN_NS_NEW;
	}
	uids = plan_add_list(block, linux->uid_mappings.v, linux->uid_mappings.n, sizeof(struct oci_id_map));
	gids = plan_add_list(block, linux->gid_mappings.v, linux->gid_mappings.n, sizeof(struct oci_id_map));
	devices = add_net_devices(block, linux);
	PLAN(block)->net_devices = devices;
	PLAN(block)->uid_maps = uids;
	PLAN(block)->gid_maps = gids;
	PLAN(block)->verify_host_ids = plan_has_userns(in);
	PLAN(block)->uid_map_granted = must_be_granted(in, &linux->uid_mappings, in->host->euid);
	PLAN(block)->gid_map_granted = must_be_granted(in, &linux->gid_mappings, in->host->egid);
	PLAN(block)->deny_setgroups = in->host->euid != 0 && plan_is_new(in, OCI_NS_USER) &&
				      !PLAN(block)->gid_map_granted;
	PLAN(block)->time_ns_inside = host_is_rootless(in->host) && plan_is_new(in, OCI_NS_TIME);
	PLAN(block)->userns_limit = in->settings->inside_userns_limit;
	PLAN(block)->refuse_host_namespaces = record->in_force > POLICY_NONE;
	set_time_offsets(block, linux);
	return 0;
}
