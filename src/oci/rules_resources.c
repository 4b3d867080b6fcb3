/* What must hold for `linux.resources`. */
#include "oci/rule.h"

#include <limits.h>
#include <string.h>

/* Memory and swap together (P63); -1 is "no limit". */
static bool swap_contains_memory(const void *member)
{
	const struct oci_resources *r = member;

	if (!r->memory.swap.set || r->memory.swap.v < 0)
		return true;
	return r->memory.limit.set && r->memory.limit.v > 0 &&
	       r->memory.limit.v <= r->memory.swap.v;
}

static bool burst_is_below_quota(const void *member)
{
	const struct oci_resources *r = member;

	return !r->cpu.burst.set || r->cpu.burst.v == 0 ||
	       (r->cpu.quota.set && r->cpu.quota.v > 0 &&
	        r->cpu.burst.v <= (uint64_t)r->cpu.quota.v);
}

#define R struct oci_resources

static const struct oci_rule resource_rules[] = {
	OCI_HOLDS("cpu.cpus", R, cpu.cpus, oci_is_cpu_list, OCI_CPUS_MESSAGE),
	OCI_HOLDS("cpu.mems", R, cpu.mems, oci_is_cpu_list, OCI_CPUS_MESSAGE),
	OCI_WHOLE("cpu.burst", burst_is_below_quota, "must not be greater than the quota"),
	OCI_WHOLE("memory.swap", swap_contains_memory,
	          "must be at least memory.limit, which it includes"),
};

/* cgroup v1 reads "a 8:0 r" as "everything". */
static bool all_devices_has_no_numbers(const void *member)
{
	const struct oci_device_rule *rule = member;

	return rule->type != 'a' || (rule->major == -1 && rule->minor == -1);
}

static const struct oci_rule device_rule_rules[] = {
	OCI_WHOLE("", all_devices_has_no_numbers, "type a takes no major and minor"),
};

static bool has_weight(const void *member)
{
	const struct oci_weight_device *device = member;

	return device->weight.set || device->leaf_weight.set;
}

static const struct oci_rule weight_device_rules[] = {
	OCI_WHOLE("", has_weight, "needs weight or leafWeight"),
};

/* It becomes part of a file name (T45): ^[1-9][0-9]*(KB|MB|GB)$ */
static bool is_page_size(const void *member)
{
	const char *size = oci_string_at(member);
	size_t digits = strspn(size, "0123456789");
	const char *unit = size + digits;

	return digits > 0 && digits < 20 && size[0] != '0' &&
	       (strcmp(unit, "KB") == 0 || strcmp(unit, "MB") == 0 || strcmp(unit, "GB") == 0);
}

static const struct oci_rule hugepage_rules[] = {
	OCI_HOLDS(".pageSize", struct oci_hugepage_limit, page_size, is_page_size,
	          "must be a size like 64KB, 2MB or 1GB"),
};

static const struct oci_rule priority_rules[] = {
	OCI_HOLDS(".name", struct oci_pair, key, oci_is_interface, OCI_INTERFACE_MESSAGE),
};

static bool is_rdma_device(const void *member)
{
	const char *name = oci_string_at(member);

	return name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                         "0123456789_.:-")] == '\0';
}

static bool has_rdma_limit(const void *member)
{
	const struct oci_rdma *rdma = member;

	return rdma->hca_handles.set || rdma->hca_objects.set;
}

static const struct oci_rule rdma_rules[] = {
	OCI_HOLDS("", struct oci_rdma, device, is_rdma_device, "must be the name of a device"),
	OCI_WHOLE("", has_rdma_limit, "needs hcaHandles or hcaObjects"),
};

/* A file inside the container's own cgroup, and nothing else (T45). */
static bool is_file_name(const void *member)
{
	const char *name = oci_string_at(member);

	return strlen(name) <= NAME_MAX && !strchr(name, '/') && !oci_has_control_char(name) &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static const struct oci_rule unified_rules[] = {
	OCI_HOLDS("", struct oci_pair, key, is_file_name, "must be the name of a cgroup file"),
};

static const struct oci_place places[] = {
	{ "linux.resources.", OCI_THE(linux.resources), OCI_RULES(resource_rules) },
	{ "linux.resources.devices", OCI_ITEMS(linux.resources.devices),
	  OCI_RULES(device_rule_rules) },
	{ "linux.resources.blockIO.weightDevice", OCI_ITEMS(linux.resources.block_io.weight_device),
	  OCI_RULES(weight_device_rules) },
	{ "linux.resources.hugepageLimits", OCI_ITEMS(linux.resources.hugepage_limits),
	  OCI_RULES(hugepage_rules) },
	{ "linux.resources.network.priorities", OCI_ITEMS(linux.resources.network.priorities),
	  OCI_RULES(priority_rules) },
	{ "linux.resources.rdma", OCI_PAIRS(linux.resources.rdma), OCI_RULES(rdma_rules) },
	{ "linux.resources.unified", OCI_PAIRS(linux.resources.unified), OCI_RULES(unified_rules) },
};
const struct oci_places oci_resources_places = { places, DJ_COUNT(places) };
