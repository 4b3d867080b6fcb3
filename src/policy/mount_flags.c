/* Flags of the config's mounts: what may be executed, opened or propagated through them. */
#include "base/cleanup.h"
#include "oci/mount_options.h"
#include "policy/harden.h"

#include <string.h>
#include <sys/mount.h>

static bool is_shared(const struct oci_mount *mount)
{
	uint64_t last = 0;

	for (size_t i = 0; i < mount->options.n; i++) {
		const struct oci_mount_option *o = oci_mount_option_find(mount->options.v[i]);

		if (o && o->propagation)
			last = o->propagation;
	}
	return (last & MS_SHARED) != 0;
}

void harden_propagation(struct harden *h)
{
	if ((h->spec->linux.rootfs_propagation & MS_SHARED) && !overridden_path(h, "/"))
		harden_refused(h, "/linux/rootfsPropagation", "is shared", "private or slave", "/");
	for (size_t i = 0; i < h->spec->mounts.n; i++) {
		char *destination;

		if (!is_shared(&h->spec->mounts.v[i]))
			continue;
		destination = mount_destination(h, i);
		if (!overridden_path(h, destination))
			harden_refused(
			        h, mount_pointer(h, i, "options"),
			        harden_text(h, "propagates mounts at %s to the host", destination),
			        "private or slave propagation", destination);
	}
}

static unsigned wanted_flags(const struct harden *h, size_t index)
{
	const struct oci_mount *mount = &h->spec->mounts.v[index];

	/* /dev is always our own, and /tmp has its own check. */
	if (mount_is_at(mount, "/dev") || mount_is_at(mount, "/tmp"))
		return 0;
	if (mount_has_type(mount, "devpts") || mount_is_device(h, index))
		return MOUNT_NOSUID;
	return MOUNT_NOSUID | MOUNT_NODEV;
}

/* Whose flags it would take, and who judged them, cannot be told. */
static void judge_remount(struct harden *h, size_t index, const char *destination)
{
	if (mount_takes_flags(&h->spec->mounts.v[index]) && !overridden_path(h, destination))
		harden_refused(h, mount_pointer(h, index, "options"),
		               harden_text(h, "takes flags from what is at %s, which no earlier entry mounted",
		                           destination),
		               "ro, nosuid, nodev and noexec kept", destination);
}

void harden_nosuid_nodev(struct harden *h)
{
	for (size_t i = 0; i < h->spec->mounts.n; i++) {
		char *destination = mount_destination(h, i);

		if (mount_is_remount(&h->spec->mounts.v[i])) {
			judge_remount(h, i, destination);
			continue;
		}
		if (!overridden_path(h, destination) && mount_add_flags(h, i, wanted_flags(h, i)))
			harden_refused(h, mount_pointer(h, i, "options"),
			               harden_text(h, "asks for suid or dev at %s", destination),
			               "nosuid,nodev", destination);
	}
	if (overridden_path(h, "/"))
		return;
	h->result->settings.harden_mount_flags = true;
	harden_changed(h, NULL, "", "nosuid,nodev on the rootfs");
}

/* Only where the pid namespace is new: a joined one belongs to a pod that may want to look around
 * (decision 24). */
void harden_proc_visibility(struct harden *h)
{
	const struct oci_namespace *pid = &h->spec->linux.namespaces[OCI_NS_PID];

	if (!pid->set || pid->path || overridden(h, "all"))
		return;
	for (size_t i = 0; i < h->spec->mounts.n; i++) {
		struct oci_mount *mount = &h->spec->mounts.v[i];
		bool stated = false;

		for (size_t k = 0; k < mount->options.n; k++)
			stated |= strncmp(mount->options.v[k], "hidepid=", strlen("hidepid=")) == 0;
		if (!mount_has_type(mount, "proc") || stated)
			continue;
		mount_add_option(h, mount, "hidepid=ptraceable");
		harden_changed(h, mount_pointer(h, i, "options"), "", "hidepid=ptraceable");
	}
}

static void make_readonly(struct harden *h, size_t index)
{
	struct oci_mount *mount = &h->spec->mounts.v[index];

	if (mount_is_readonly(mount))
		return;
	mount_add_option(h, mount, "ro");
	harden_changed(h, mount_pointer(h, index, "options"), "", "ro");
}

/* Filesystems that are a door to the kernel rather than a place for files. */
static bool is_kernel_interface(const struct oci_mount *mount)
{
	static const char *const types[] = {
		"debugfs",  "tracefs",  "securityfs", "bpf",
		"efivarfs", "configfs", "pstore",     "binfmt_misc",
	};

	for (size_t i = 0; i < DJ_COUNT(types); i++)
		if (mount_has_type(mount, types[i]))
			return true;
	return false;
}

/* The host's /sys at /sys: how documents for callers without rights on the host get one. */
static bool is_bound_sysfs(struct harden *h, size_t index)
{
	const struct oci_mount *mount = &h->spec->mounts.v[index];

	return host_is_rootless(h->host) && mount_is_bind(mount) && mount_is_at(mount, "/sys") &&
	       strcmp(mount_source_path(h, index), "/sys") == 0;
}

/* A sysfs shows the container's own network only, and nothing that is mounted below the host's.  The
 * launch binds where none can be made. */
static void make_own_sysfs(struct harden *h, size_t index)
{
	static const char *const options[] = { "nosuid", "noexec", "nodev", "ro" };
	struct oci_mount *mount = &h->spec->mounts.v[index];

	mount->type = dj_arena_strdup(h->arena, "sysfs");
	mount->source = dj_arena_strdup(h->arena, "sysfs");
	mount->options = (struct oci_strings){ 0 };
	for (size_t i = 0; i < DJ_COUNT(options); i++)
		mount_add_option(h, mount, options[i]);
	harden_changed(h, mount_pointer(h, index, "source"), "/sys of the host", "a sysfs of its own");
}

void harden_sysfs(struct harden *h)
{
	for (size_t i = 0; i < h->spec->mounts.n; i++) {
		const struct oci_mount *mount = &h->spec->mounts.v[i];

		if (is_bound_sysfs(h, i) && !overridden(h, "rw"))
			make_own_sysfs(h, i);
		if (mount_has_type(mount, "sysfs") && !overridden(h, "rw"))
			make_readonly(h, i);
		if (is_kernel_interface(mount) && !overridden(h, mount->type))
			harden_refused(h, mount_pointer(h, i, "type"),
			               harden_text(h, "mounts %s", mount->type),
			               "no kernel interface beside proc and sysfs", mount->type);
	}
}

void harden_cgroupfs(struct harden *h)
{
	/* Not even to be overridden: what else there is to be seen, or written, is the caller's. */
	h->result->settings.own_cgroups_only = true;
	for (size_t i = 0; i < h->spec->mounts.n; i++) {
		const struct oci_mount *mount = &h->spec->mounts.v[i];

		if ((mount_has_type(mount, "cgroup") || mount_has_type(mount, "cgroup2")) &&
		    !overridden(h, "rw"))
			make_readonly(h, i);
	}
}
