/* `linux`: contract rows P39-P59. */
#include "oci/field.h"

#include <string.h>

#define L struct oci_linux

/* ---- namespaces ---- */

struct namespace_entry {
	uint32_t type; /* enum oci_ns */
	char *path;
};

static const struct oci_field namespace_fields[] = {
	OCI_WORD(struct namespace_entry, "type", type, &oci_namespace_words, OCI_REQUIRED),
	OCI_STRING(struct namespace_entry, "path", path, OCI_EMPTY_IS_UNSET),
};
static const struct oci_object namespace_object = OCI_OBJECT_OF(namespace_fields);

static int read_namespace(struct oci_decoder *d, const struct json_value *value,
                          struct oci_namespace *namespaces)
{
	struct namespace_entry entry = { 0 };

	if (oci_read_members(d, value, &namespace_object, &entry) < 0)
		return -1;
	if (namespaces[entry.type].set)
		return oci_decode_fail(d, "a second namespace of type %s",
		                       oci_word_name(&oci_namespace_words, entry.type));
	namespaces[entry.type] = (struct oci_namespace){ true, entry.path };
	return 0;
}

static int read_namespaces(struct oci_decoder *d, const struct json_value *value,
                           const struct oci_field *field, void *to)
{
	struct oci_step step;

	(void)field;
	if (oci_check_list(d, value, OCI_LIST_MAX) < 0)
		return -1;
	for (size_t i = 0; i < json_size(value); i++) {
		oci_enter(d, &step, NULL, i);
		if (read_namespace(d, json_at(value, i), to) < 0)
			return -1;
		oci_leave(d);
	}
	return OCI_STORED;
}

/* Clocks run backwards too: secs has a sign, nanosecs has not (P43). */
#define OFFSET(T, m)                                                                               \
	OCI_NUMBER(T, "secs", m.secs, INT64_MIN, INT64_MAX, 0),                                    \
	        OCI_NUMBER(T, "nanosecs", m.nanosecs, 0, 999999999, 0)

static const struct oci_field monotonic_fields[] = { OFFSET(L, time_offset_monotonic) };
static const struct oci_field boottime_fields[] = { OFFSET(L, time_offset_boottime) };
static const struct oci_object monotonic_object = OCI_OBJECT_OF(monotonic_fields);
static const struct oci_object boottime_object = OCI_OBJECT_OF(boottime_fields);

static const struct oci_field clock_fields[] = {
	OCI_GROUP_SETS(L, "monotonic", time_offset_monotonic.set, &monotonic_object),
	OCI_GROUP_SETS(L, "boottime", time_offset_boottime.set, &boottime_object),
};
static const struct oci_object clocks_object = { clock_fields, DJ_COUNT(clock_fields), true };

/* ---- devices ---- */

static const struct oci_word device_types[] = {
	{ "c", 'c' }, { "u", 'c' }, { "b", 'b' }, { "p", 'p' }
};
static const struct oci_words device_type_words = { "device type", device_types,
	                                            DJ_COUNT(device_types) };

static const struct oci_field device_fields[] = {
	OCI_WORD(struct oci_device, "type", type, &device_type_words, OCI_REQUIRED),
	OCI_STRING(struct oci_device, "path", path, OCI_REQUIRED),
	/* dev_t has 12 and 20 bits; more would be cut off silently. */
	OCI_NUMBER(struct oci_device, "major", major, 0, (1 << 12) - 1, 0),
	OCI_NUMBER(struct oci_device, "minor", minor, 0, (1 << 20) - 1, 0),
	/* Docker sends all of st_mode, type bits included. */
	OCI_NUMBER_OPT(struct oci_device, "fileMode", file_mode, 0, 0177777, 0),
	OCI_NUMBER_OPT(struct oci_device, "uid", uid, 0, OCI_ID_MAX, 0),
	OCI_NUMBER_OPT(struct oci_device, "gid", gid, 0, OCI_ID_MAX, 0),
};
static const struct oci_object device_object = OCI_OBJECT_OF(device_fields);

/* Absent numbers are -1, so that validate can tell them from 0. */
static int read_device(struct oci_decoder *d, const struct json_value *value,
                       const struct oci_field *field, void *to)
{
	struct oci_device *device = to;

	(void)field;
	device->major = device->minor = -1;
	if (oci_read_members(d, value, &device_object, device) < 0)
		return -1;
	device->file_mode.v &= 07777;
	return OCI_STORED;
}

static const struct oci_list device_list = OCI_LIST_READ(struct oci_device, read_device, 0);

/* ---- network devices and sysctls ---- */

static const struct oci_field net_device_fields[] = {
	OCI_STRING(struct oci_pair, "name", value, 0),
};
static const struct oci_object net_device_object = OCI_OBJECT_OF(net_device_fields);

static int read_net_device(struct oci_decoder *d, const struct json_value *value,
                           const struct oci_field *field, void *to)
{
	struct oci_pair *pair = to;

	(void)field;
	pair->value = dj_arena_strdup(d->arena, "");
	return oci_read_members(d, value, &net_device_object, pair);
}

static const struct oci_list net_device_list = OCI_LIST_READ(struct oci_pair, read_net_device, 0);

/*
 * One spelling (T43, CVE-2022-0811).  As sysctl(8) and runc have it, the first separator met in a
 * key says which of the two it uses:
 *   net.ipv4.conf.eth0/1.x   '.' separates, '/' stands for a '.' inside a name;
 *   net/ipv4/conf/eth0.1/x   '/' separates, '.' is itself: '.' and '/' are swapped.
 * Both become the first form, whose file is found by swapping back.  A key without any separator
 * stays as it is, and the allow-list refuses it.
 */
static void normalise_sysctl(char *key)
{
	if (key[strcspn(key, "./")] != '/')
		return;
	for (; *key; key++) {
		if (*key == '/')
			*key = '.';
		else if (*key == '.')
			*key = '/';
	}
}

static int read_sysctl(struct oci_decoder *d, const struct json_value *value,
                       const struct oci_field *field, void *to)
{
	struct oci_pair *pair = to;

	normalise_sysctl(pair->key);
	return oci_read_string(d, value, field, &pair->value);
}

static const struct oci_list sysctl_list = OCI_LIST_READ(struct oci_pair, read_sysctl, 1024);

/* ---- personality ---- */

/* The specification defines no flag, so a flag is an unknown value. */
static int read_no_flags(struct oci_decoder *d, const struct json_value *value,
                         const struct oci_field *field, void *to)
{
	(void)field, (void)to;
	if (oci_check_list(d, value, OCI_LIST_MAX) < 0)
		return -1;
	if (json_size(value) > 0)
		return oci_decode_fail(d, "no personality flag is defined");
	return OCI_STORED;
}

static const struct oci_field personality_fields[] = {
	OCI_WORD(L, "domain", personality.v, &oci_personality_words, OCI_REQUIRED),
	{ .key = "flags", .read = read_no_flags },
};
static const struct oci_object personality_object = OCI_OBJECT_OF(personality_fields);

/* ---- memory policy ---- */

static const struct oci_field memory_policy_fields[] = {
	OCI_WORD(struct oci_memory_policy, "mode", mode, &oci_memory_mode_words, OCI_REQUIRED),
	OCI_STRING(struct oci_memory_policy, "nodes", nodes, OCI_EMPTY_IS_UNSET),
	OCI_FLAGS(struct oci_memory_policy, "flags", flags, &oci_memory_flag_words),
};
static const struct oci_object memory_policy_object = OCI_OBJECT_OF(memory_policy_fields);

/* ---- cache and memory bandwidth ---- */

/* enableCMT and enableMBM of 1.1 and 1.2 say nothing that enableMonitoring does not (P57). */
static const struct oci_field intel_rdt_fields[] = {
	OCI_STRING(struct oci_intel_rdt, "closID", clos_id, OCI_EMPTY_IS_UNSET),
	OCI_STRING(struct oci_intel_rdt, "l3CacheSchema", l3_cache_schema, OCI_EMPTY_IS_UNSET),
	OCI_STRING(struct oci_intel_rdt, "memBwSchema", mem_bw_schema, OCI_EMPTY_IS_UNSET),
	OCI_STRINGS(struct oci_intel_rdt, "schemata", schemata),
	OCI_BOOL(struct oci_intel_rdt, "enableMonitoring", monitoring),
	OCI_IGNORED("enableCMT"),
	OCI_IGNORED("enableMBM"),
};
static const struct oci_object intel_rdt_object = OCI_OBJECT_OF(intel_rdt_fields);

/* ---- linux ---- */

static const struct oci_field linux_fields[] = {
	OCI_CUSTOM(L, "namespaces", namespaces, read_namespaces, 0),
	OCI_LIST_FIELD(L, "uidMappings", uid_mappings, &oci_id_map_list, 0),
	OCI_LIST_FIELD(L, "gidMappings", gid_mappings, &oci_id_map_list, 0),
	OCI_GROUP("timeOffsets", &clocks_object, 0),
	OCI_LIST_FIELD(L, "devices", devices, &device_list, 0),
	OCI_MAP(L, "netDevices", net_devices, &net_device_list),
	OCI_MAP(L, "sysctl", sysctl, &sysctl_list),
	OCI_STRING(L, "cgroupsPath", cgroups_path, OCI_EMPTY_IS_UNSET),
	OCI_PART(L, "resources", resources, &oci_resources_object, 0),
	OCI_OBJECT(L, "seccomp", seccomp, &oci_seccomp_object, 0),
	OCI_WORD(L, "rootfsPropagation", rootfs_propagation, &oci_propagation_words,
	         OCI_EMPTY_IS_UNSET),
	OCI_STRINGS(L, "maskedPaths", masked_paths),
	OCI_STRINGS(L, "readonlyPaths", readonly_paths),
	OCI_STRING(L, "mountLabel", mount_label, OCI_EMPTY_IS_UNSET),
	OCI_GROUP_SETS(L, "personality", personality.set, &personality_object),
	OCI_OBJECT(L, "intelRdt", intel_rdt, &intel_rdt_object, 0),
	OCI_OBJECT(L, "memoryPolicy", memory_policy, &memory_policy_object, 0),
};
const struct oci_object oci_linux_object = OCI_OBJECT_OF(linux_fields);
