#include "plan/part.h"

#include "oci/mount_options.h"
#include "plan/resources.h"

#include <sys/mount.h>

uint32_t plan_map_id(const struct oci_id_maps *maps, uint32_t id)
{
	for (size_t i = 0; i < maps->n; i++)
		if (id >= maps->v[i].container_id && id - maps->v[i].container_id < maps->v[i].size)
			return maps->v[i].host_id + (id - maps->v[i].container_id);
	return UINT32_MAX;
}

static int plan_names(struct plan_block *block, const struct plan_input *in, struct policy_result *record,
		      struct donjon_error *err)
{
	plan_str id = plan_add_text(block, in->id), bundle = plan_add_text(block, in->bundle);
	plan_str rootfs = plan_add_text(block, in->rootfs);
	plan_str hostname = plan_add_text(block, in->spec->hostname);
	plan_str domainname = plan_add_text(block, in->spec->domainname);
	plan_str version = plan_add_text(block, in->spec->oci_version);

	(void)record;
	(void)err;
	PLAN(block)->id = id;
	PLAN(block)->bundle = bundle;
	PLAN(block)->rootfs = rootfs;
	if (in->judged)
		PLAN(block)->rootfs_judged = in->judged->rootfs_judged;
	PLAN(block)->hostname = hostname;
	PLAN(block)->domainname = domainname;
	PLAN(block)->oci_version = version;
	return 0;
}

static bool is_unbindable(const struct oci_mount *mount)
{
	for (size_t i = 0; i < mount->options.n; i++) {
		const struct oci_mount_option *option = oci_mount_option_find(mount->options.v[i]);

		if (option && option->propagation & MS_UNBINDABLE)
			return true;
	}
	return false;
}

/* The stage builds in a mount namespace of its own, and binds what it has built in that to be joined. */
static int check_joined_mounts(const struct plan_input *in, struct donjon_error *err)
{
	if (plan_has_userns(in) || host_is_rootless(in->host))
		return dj_fail(err, DONJON_E_UNSUPPORTED,
			       "linux.namespaces: a mount namespace can be joined by the host's root only, and "
			       "without a user namespace");
	for (size_t i = 0; i < in->spec->mounts.n; i++)
		if (is_unbindable(&in->spec->mounts.v[i]))
			return dj_fail(err, DONJON_E_UNSUPPORTED,
				       "mounts[%zu].options: nothing can be unbindable in a joined mount namespace",
				       i);
	return 0;
}

/* Objects of the specification that nothing here applies: an error, never silence. */
static int refuse_unsupported(const struct plan_input *in, struct donjon_error *err)
{
	const struct oci_linux *linux = &in->spec->linux;

	if (linux->net_devices.n && (in->host->euid != 0 || !in->host->initial_userns))
		return dj_fail(err, DONJON_E_UNSUPPORTED,
			       "linux.netDevices: only root of the host can give its devices away");
	if (!linux->namespaces[OCI_NS_MOUNT].set)
		return dj_fail(err, DONJON_E_UNSUPPORTED,
			       "linux.namespaces: a mount namespace is required");
	if (linux->namespaces[OCI_NS_MOUNT].path && check_joined_mounts(in, err) < 0)
		return -1;
	if (linux->namespaces[OCI_NS_USER].path && (!linux->uid_mappings.n || !linux->gid_mappings.n))
		return dj_fail(err, DONJON_E_UNSUPPORTED,
			       "linux.namespaces: joining a user namespace needs its uidMappings and "
			       "gidMappings in the config");
	return 0;
}

int plan_build(const struct plan_input *in, struct dj_arena *arena, struct dj_plan **out,
	       struct policy_result *record, struct donjon_error *err)
{
	/* Who a process is and what confines it is planned by the same parts for both (B39). */
	static plan_part *const of_container[] = {
		plan_names,   plan_namespaces, plan_identity, plan_process, plan_filters,
		plan_resources, plan_mounts,     plan_files,    plan_rdt,     plan_hooks,   NULL,
	};
	static plan_part *const of_joining[] = {
		plan_namespaces, plan_identity, plan_process, plan_filters, plan_join, NULL,
	};
	plan_part *const *part = in->container ? of_joining : of_container;
	struct plan_block block;

	if (!in->container && refuse_unsupported(in, err) < 0)
		return -1;
	plan_block_init(&block, arena);
	for (; *part; part++)
		if ((*part)(&block, in, record, err) < 0)
			return -1;
	*out = PLAN(&block);
	return 0;
}
