/* `linux.resources`: contract rows P60-P85.  The flags say which values mean "unset" (decision 23):
 * Docker always sends shares 0, weight 0 and disableOOMKiller false. */
#include "oci/field.h"

#include <inttypes.h>
#include <string.h>

/* dev_t has 12 bits for the major and 20 for the minor number; more would be cut off silently. */
enum { MAJOR_MAX = (1 << 12) - 1, MINOR_MAX = (1 << 20) - 1 };

#define R struct oci_resources

/* ---- device rules ---- */

static const struct oci_word rule_types[] = { { "a", 'a' }, { "c", 'c' }, { "b", 'b' } };
static const struct oci_words rule_type_words = { "device type", rule_types, DJ_COUNT(rule_types) };

static int read_access(struct oci_decoder *d, const struct json_value *value,
                       const struct oci_field *field, void *to)
{
	struct oci_device_rule *rule = to;
	const char *s = json_text(value);

	(void)field;
	if (!s)
		return oci_wrong_type(d, "a string", value);
	if (*s == '\0' || s[strspn(s, "rwm")] != '\0')
		return oci_decode_fail(d, "must be made of r, w and m");
	rule->read = strchr(s, 'r') != NULL;
	rule->write = strchr(s, 'w') != NULL;
	rule->mknod = strchr(s, 'm') != NULL;
	return OCI_STORED;
}

static const struct oci_field rule_fields[] = {
	OCI_BOOL(struct oci_device_rule, "allow", allow),
	OCI_WORD(struct oci_device_rule, "type", type, &rule_type_words, OCI_EMPTY_IS_UNSET),
	OCI_NUMBER(struct oci_device_rule, "major", major, -1, MAJOR_MAX, 0),
	OCI_NUMBER(struct oci_device_rule, "minor", minor, -1, MINOR_MAX, 0),
	/* No access says nothing, and must not be read as "all" (Z29). */
	{ .key = "access", .read = read_access, .flags = OCI_REQUIRED },
};
static const struct oci_object rule_object = OCI_OBJECT_OF(rule_fields);

static int read_rule(struct oci_decoder *d, const struct json_value *value,
                     const struct oci_field *field, void *to)
{
	struct oci_device_rule *rule = to;

	(void)field;
	rule->type = 'a';
	rule->major = rule->minor = -1;
	return oci_read_members(d, value, &rule_object, to);
}

static const struct oci_list rule_list = OCI_LIST_READ(struct oci_device_rule, read_rule, 0);

/* ---- memory ---- */

/* Bytes, -1 without limit, 0 unset. */
#define BYTES(key, member) OCI_NUMBER_OPT(R, key, memory.member, -1, INT64_MAX, OCI_ZERO_IS_UNSET)

static const struct oci_field memory_fields[] = {
	BYTES("limit", limit),
	BYTES("reservation", reservation),
	BYTES("swap", swap),
	BYTES("kernel", kernel),
	BYTES("kernelTCP", kernel_tcp),
	OCI_NUMBER_OPT(R, "swappiness", memory.swappiness, 0, 100, 0),
	OCI_BOOL_OPT(R, "disableOOMKiller", memory.disable_oom_killer, OCI_FALSE_IS_UNSET),
	OCI_BOOL_OPT(R, "useHierarchy", memory.use_hierarchy, OCI_FALSE_IS_UNSET),
	OCI_BOOL_OPT(R, "checkBeforeUpdate", memory.check_before_update, OCI_FALSE_IS_UNSET),
};
static const struct oci_object memory_object = OCI_OBJECT_OF(memory_fields);

/* ---- cpu and pids ---- */

#define USECS(key, member) OCI_NUMBER_OPT(R, key, cpu.member, 0, INT64_MAX, OCI_ZERO_IS_UNSET)

static const struct oci_field cpu_fields[] = {
	OCI_NUMBER_OPT(R, "shares", cpu.shares, 0, UINT64_MAX, OCI_ZERO_IS_UNSET),
	/* A negative one is "no quota": what nobody set, except that `update` lifts one with it. */
	OCI_NUMBER_OPT(R, "quota", cpu.quota, INT64_MIN, INT64_MAX, OCI_ZERO_IS_UNSET),
	OCI_NUMBER_OPT(R, "burst", cpu.burst, 0, INT64_MAX, 0),
	USECS("period", period),
	/* -1 is the v1 file's word for "no limit". */
	OCI_NUMBER_OPT(R, "realtimeRuntime", cpu.realtime_runtime, -1, INT64_MAX,
	               OCI_ZERO_IS_UNSET),
	USECS("realtimePeriod", realtime_period),
	OCI_NUMBER_OPT(R, "idle", cpu.idle, 0, 1, 0),
	OCI_STRING(R, "cpus", cpu.cpus, OCI_EMPTY_IS_UNSET),
	OCI_STRING(R, "mems", cpu.mems, OCI_EMPTY_IS_UNSET),
};
static const struct oci_object cpu_object = OCI_OBJECT_OF(cpu_fields);

static const struct oci_field pids_fields[] = {
	OCI_NUMBER_OPT(R, "limit", pids_limit, -1, INT64_MAX, 0),
};
static const struct oci_object pids_object = OCI_OBJECT_OF(pids_fields);

/* ---- block I/O ---- */

#define DEVICE_NUMBERS(T)                                                                          \
	OCI_NUMBER(T, "major", major, 0, MAJOR_MAX, OCI_REQUIRED),                                 \
	        OCI_NUMBER(T, "minor", minor, 0, MINOR_MAX, OCI_REQUIRED)
#define WEIGHT(T, key, member) OCI_NUMBER_OPT(T, key, member, 10, 1000, OCI_ZERO_IS_UNSET)

static const struct oci_field weight_device_fields[] = {
	DEVICE_NUMBERS(struct oci_weight_device),
	WEIGHT(struct oci_weight_device, "weight", weight),
	WEIGHT(struct oci_weight_device, "leafWeight", leaf_weight),
};
static const struct oci_object weight_device_object = OCI_OBJECT_OF(weight_device_fields);
static const struct oci_list weight_device_list =
        OCI_LIST_OF(struct oci_weight_device, weight_device_object);

static const struct oci_field throttle_fields[] = {
	DEVICE_NUMBERS(struct oci_throttle),
	OCI_NUMBER(struct oci_throttle, "rate", rate, 0, UINT64_MAX, OCI_REQUIRED),
};
static const struct oci_object throttle_object = OCI_OBJECT_OF(throttle_fields);
static const struct oci_list throttle_list = OCI_LIST_OF(struct oci_throttle, throttle_object);

#define THROTTLE(key, member) OCI_LIST_FIELD(R, key, block_io.member, &throttle_list, 0)

static const struct oci_field block_io_fields[] = {
	WEIGHT(R, "weight", block_io.weight),
	WEIGHT(R, "leafWeight", block_io.leaf_weight),
	OCI_LIST_FIELD(R, "weightDevice", block_io.weight_device, &weight_device_list, 0),
	THROTTLE("throttleReadBpsDevice", read_bps),
	THROTTLE("throttleWriteBpsDevice", write_bps),
	THROTTLE("throttleReadIOPSDevice", read_iops),
	THROTTLE("throttleWriteIOPSDevice", write_iops),
};
static const struct oci_object block_io_object = OCI_OBJECT_OF(block_io_fields);

/* ---- huge pages, network, rdma ---- */

/* A limit of 0 is a real one: Kubernetes sends it for every page size (P81). */
static const struct oci_field hugepage_fields[] = {
	OCI_STRING(struct oci_hugepage_limit, "pageSize", page_size, OCI_REQUIRED),
	OCI_NUMBER(struct oci_hugepage_limit, "limit", limit, 0, UINT64_MAX, OCI_REQUIRED),
};
static const struct oci_object hugepage_object = OCI_OBJECT_OF(hugepage_fields);
static const struct oci_list hugepage_list =
        OCI_LIST_OF(struct oci_hugepage_limit, hugepage_object);

static int read_decimal(struct oci_decoder *d, const struct json_value *value,
                        const struct oci_field *field, void *to)
{
	static const struct oci_field number = { .size = sizeof(uint32_t), .max = UINT32_MAX };
	uint32_t n = 0;

	(void)field;
	if (oci_read_number(d, value, &number, &n) < 0)
		return -1;
	*(char **)to = dj_arena_printf(d->arena, "%" PRIu32, n);
	return OCI_STORED;
}

static const struct oci_field priority_fields[] = {
	OCI_STRING(struct oci_pair, "name", key, OCI_REQUIRED),
	OCI_CUSTOM(struct oci_pair, "priority", value, read_decimal, OCI_REQUIRED),
};
static const struct oci_object priority_object = OCI_OBJECT_OF(priority_fields);
static const struct oci_list priority_list = OCI_LIST_OF(struct oci_pair, priority_object);

static const struct oci_field network_fields[] = {
	OCI_NUMBER_OPT(R, "classID", network.class_id, 0, UINT32_MAX, OCI_ZERO_IS_UNSET),
	OCI_LIST_FIELD(R, "priorities", network.priorities, &priority_list, 0),
};
static const struct oci_object network_object = OCI_OBJECT_OF(network_fields);

static const struct oci_field rdma_fields[] = {
	OCI_NUMBER_OPT(struct oci_rdma, "hcaHandles", hca_handles, 0, UINT32_MAX, 0),
	OCI_NUMBER_OPT(struct oci_rdma, "hcaObjects", hca_objects, 0, UINT32_MAX, 0),
};
static const struct oci_object rdma_object = OCI_OBJECT_OF(rdma_fields);
static const struct oci_list rdma_list = OCI_LIST_OF(struct oci_rdma, rdma_object);

/* ---- all of them ---- */

static const struct oci_field resources_fields[] = {
	OCI_LIST_SETS(R, "devices", devices, devices_set, &rule_list),
	OCI_GROUP("memory", &memory_object, 0),
	OCI_GROUP("cpu", &cpu_object, 0),
	OCI_GROUP("pids", &pids_object, 0),
	OCI_GROUP("blockIO", &block_io_object, 0),
	OCI_LIST_FIELD(R, "hugepageLimits", hugepage_limits, &hugepage_list, 0),
	OCI_GROUP("network", &network_object, 0),
	OCI_MAP(R, "rdma", rdma, &rdma_list),
	OCI_MAP(R, "unified", unified, &oci_pair_list),
};
const struct oci_object oci_resources_object = OCI_OBJECT_OF(resources_fields);
