/* What must hold for `linux`: namespaces, id mappings, devices, paths. */
#include "oci/number_list.h"
#include "oci/rule.h"

#include <linux/mempolicy.h>
#include <string.h>

static const struct oci_rule namespace_rules[] = {
	OCI_HOLDS(".path", struct oci_namespace, path, oci_is_absolute, OCI_ABSOLUTE_MESSAGE),
};

static bool maps_come_together(const void *member)
{
	const struct oci_linux *container = member;

	return (container->uid_mappings.n > 0) == (container->gid_mappings.n > 0);
}

static bool maps_have_ns(const void *member)
{
	const struct oci_linux *container = member;

	return container->uid_mappings.n == 0 || oci_has_ns(container, OCI_NS_USER);
}

/* Without maps nobody could become anybody in it. */
static bool new_userns_has_maps(const void *member)
{
	const struct oci_linux *container = member;

	return container->uid_mappings.n > 0 || !oci_has_new_ns(container, OCI_NS_USER);
}

static bool time_offsets_have_ns(const void *member)
{
	const struct oci_linux *container = member;

	return (!container->time_offset_monotonic.set && !container->time_offset_boottime.set) ||
	       oci_has_new_ns(container, OCI_NS_TIME);
}

static bool has_mount_ns(const struct oci_spec *spec, const void *member)
{
	const struct oci_strings *paths = member;

	return paths->n == 0 || oci_has_ns(&spec->linux, OCI_NS_MOUNT);
}

static bool net_devices_have_ns(const void *member)
{
	const struct oci_linux *container = member;

	return container->net_devices.n == 0 || oci_has_ns(container, OCI_NS_NETWORK);
}

/* It ends up between the quotes of context="...". */
static bool is_quotable(const void *member)
{
	const char *label = oci_string_at(member);

	return !label || !strpbrk(label, "\"\\");
}

static bool has_no_parent_component(const void *member)
{
	const char *path = oci_string_at(member);

	while (path && *path) {
		/* ':' separates the parts of the systemd form. */
		size_t len = strcspn(path, "/:");

		if (len == 2 && memcmp(path, "..", 2) == 0)
			return false;
		path += len + (path[len] != '\0');
	}
	return true;
}

#define L struct oci_linux

static const struct oci_rule linux_rules[] = {
	OCI_HOLDS("uidMappings", L, uid_mappings, oci_are_maps, OCI_MAPS_MESSAGE),
	OCI_HOLDS("gidMappings", L, gid_mappings, oci_are_maps, OCI_MAPS_MESSAGE),
	OCI_WHOLE("gidMappings", maps_come_together,
	          "uidMappings and gidMappings must come together"),
	OCI_WHOLE("uidMappings", maps_have_ns, "needs a user namespace"),
	OCI_WHOLE("uidMappings", new_userns_has_maps,
	          "missing: a new user namespace needs id mappings"),
	OCI_WHOLE("timeOffsets", time_offsets_have_ns, "needs a time namespace without path"),
	OCI_FITS("maskedPaths", L, masked_paths, has_mount_ns, "needs a mount namespace"),
	OCI_FITS("readonlyPaths", L, readonly_paths, has_mount_ns, "needs a mount namespace"),
	OCI_WHOLE("netDevices", net_devices_have_ns, "needs a network namespace"),
	OCI_HOLDS("mountLabel", L, mount_label, oci_is_line, OCI_LINE_MESSAGE),
	OCI_HOLDS("mountLabel", L, mount_label, is_quotable,
	          "must not contain quotes or backslashes"),
	OCI_HOLDS("cgroupsPath", L, cgroups_path, oci_is_line, OCI_LINE_MESSAGE),
	OCI_HOLDS("cgroupsPath", L, cgroups_path, has_no_parent_component,
	          "must not contain \"..\""),
};

static bool device_has_numbers(const void *member)
{
	const struct oci_device *device = member;

	return device->type == 'p' || (device->major >= 0 && device->minor >= 0);
}

static const struct oci_rule device_rules[] = {
	OCI_HOLDS(".path", struct oci_device, path, oci_is_absolute, OCI_ABSOLUTE_MESSAGE),
	OCI_WHOLE("", device_has_numbers, "needs major and minor"),
};

/* A number may be left to the kernel, once: "eth%d". */
static bool is_interface_to_be(const void *member)
{
	const char *name = oci_string_at(member);
	const char *pattern = strchr(name, '%');

	if (pattern && (pattern[1] != 'd' || strchr(pattern + 1, '%')))
		return false;
	return *name == '\0' || oci_is_interface(member);
}

static const struct oci_rule net_device_rules[] = {
	OCI_HOLDS("", struct oci_pair, key, oci_is_interface, OCI_INTERFACE_MESSAGE),
	OCI_HOLDS(".name", struct oci_pair, value, is_interface_to_be, OCI_INTERFACE_MESSAGE),
};

static const struct oci_rule path_rules[] = {
	OCI_WHOLE("", oci_is_absolute, OCI_ABSOLUTE_MESSAGE),
};

static bool is_node_list(const void *member)
{
	uint64_t mask[OCI_MEMORY_NODES / 64];
	const char *nodes = oci_string_at(member);

	return !nodes || oci_number_list(nodes, mask, DJ_COUNT(mask));
}

/* The kernel would say only "invalid argument" (P54). */
static bool has_nodes_it_needs(const void *member)
{
	const struct oci_memory_policy *policy = member;

	switch (policy->mode) {
	case MPOL_DEFAULT:
	case MPOL_LOCAL:
		return !policy->nodes;
	case MPOL_PREFERRED:
		return true;
	default:
		return !policy->set || policy->nodes;
	}
}

static const struct oci_rule memory_policy_rules[] = {
	OCI_HOLDS("nodes", struct oci_memory_policy, nodes, is_node_list,
	          "must be a list like 0-3,7 of numbers below 1024"),
	OCI_WHOLE("nodes", has_nodes_it_needs,
	          "needed by this mode, or of no use to it (MPOL_DEFAULT, MPOL_LOCAL)"),
};

static const struct oci_place places[] = {
	{ "linux.", OCI_THE(linux), OCI_RULES(linux_rules) },
	{ "linux.namespaces", OCI_PLACE_KINDS, offsetof(struct oci_spec, linux.namespaces),
	  sizeof(struct oci_namespace), OCI_RULES(namespace_rules) },
	{ "linux.memoryPolicy.", OCI_THE(linux.memory_policy), OCI_RULES(memory_policy_rules) },
	{ "linux.maskedPaths", OCI_ITEMS(linux.masked_paths), OCI_RULES(path_rules) },
	{ "linux.readonlyPaths", OCI_ITEMS(linux.readonly_paths), OCI_RULES(path_rules) },
	{ "linux.devices", OCI_ITEMS(linux.devices), OCI_RULES(device_rules) },
	{ "linux.netDevices", OCI_PAIRS(linux.net_devices), OCI_RULES(net_device_rules) },
};
const struct oci_places oci_linux_places = { places, DJ_COUNT(places) };
