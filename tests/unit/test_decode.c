#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "oci.h"

#include <sched.h>
#include <sys/mount.h>
#include <linux/mempolicy.h>
#include <sys/personality.h>
#include <sys/resource.h>

static void decode(const char *text, struct dj_arena *arena, struct oci_spec *spec)
{
	struct donjon_error err = { 0 };

	if (oci_decode(text, strlen(text), arena, spec, &err) < 0)
		fail_msg("%s: %s", text, err.text);
}

/* ---- what is refused ---- */

static const struct refused refused[] = {
	/* top level */
	{ "[]", "must be an object, is a list" },
	{ "{}", "ociVersion: missing" },
	{ "{\"ociVersion\":null,\"root\":{\"path\":\"r\"}}", "ociVersion: missing" },
	{ "{\"ociVersion\":\"1.0.2\"}", "root: missing" },
	{ "{\"ociVersion\":\"1.0.2\",\"root\":{}}", "root.path: missing" },
	{ "{\"ociVersion\":\"1.0.2\",\"root\":[]}", "root: must be an object, is a list" },
	{ "{\"ociVersion\":\"0.9.0\",\"root\":{\"path\":\"r\"}}",
	  "ociVersion: \"0.9.0\" is not supported, 1.x is" },
	{ "{\"ociVersion\":\"2.0.0\"}", "ociVersion: \"2.0.0\" is not supported, 1.x is" },
	{ "{\"ociVersion\":\"1\"}", "ociVersion: \"1\" is not supported, 1.x is" },
	{ "{\"ociVersion\":\"1.\"}", "ociVersion: \"1.\" is not supported, 1.x is" },
	{ "{\"ociVersion\":\"1.0.\"}", "ociVersion: \"1.0.\" is not supported, 1.x is" },
	{ "{\"ociVersion\":\"1.0.0.0\"}", "ociVersion: \"1.0.0.0\" is not supported, 1.x is" },
	{ "{\"ociVersion\":\"1.0.0-\"}", "ociVersion: \"1.0.0-\" is not supported, 1.x is" },
	{ "{\"ociVersion\":\"1.0.0 \"}", "ociVersion: \"1.0.0 \" is not supported, 1.x is" },
	{ "{\"ociVersion\":10}", "ociVersion: must be a string, is a number" },
	{ CONFIG(",\"hostname\":[]"), "hostname: must be a string, is a list" },
	{ CONFIG(",\"mounts\":{}"), "mounts: must be a list, is an object" },
	{ CONFIG(",\"mounts\":[null]"), "mounts[0]: must be an object, is null" },
	{ CONFIG(",\"annotations\":[]"), "annotations: must be an object, is a list" },
	{ CONFIG(",\"annotations\":{\"a\":1}"), "annotations.a: must be a string, is a number" },
	{ CONFIG(",\"annotations\":{\"org.donjon.level\":1}"),
	  "annotations[\"org.donjon.level\"]: must be a string, is a number" },
	{ CONFIG(",\"annotations\":{\"\":\"x\"}"), "annotations[\"\"]: the name is empty" },

	/* names that differ by case only (decision 31) */
	{ CONFIG(",\"Hostname\":\"x\""), "Hostname: unknown property, \"hostname\" is meant" },
	{ PROCESS(",\"noNewprivileges\":true"),
	  "process.noNewprivileges: unknown property, \"noNewPrivileges\" is meant" },
	{ LINUX("\"SECCOMP\":{}"), "linux.SECCOMP: unknown property, \"seccomp\" is meant" },
	{ SECCOMP(",\"syscalls\":[{\"Names\":[\"read\"]}]"),
	  "linux.seccomp.syscalls[0].Names: unknown property, \"names\" is meant" },
	{ RESOURCES("\"devices\":[{\"Allow\":false}]"),
	  "linux.resources.devices[0].Allow: unknown property, \"allow\" is meant" },

	/* mounts */
	{ CONFIG(",\"mounts\":[{\"type\":\"proc\"}]"), "mounts[0].destination: missing" },
	{ MOUNT(",\"options\":\"ro\""), "mounts[1].options: must be a list, is a string" },
	{ MOUNT(",\"options\":[1]"), "mounts[1].options[0]: must be a string, is a number" },
	{ MOUNT(",\"uidMappings\":[{\"containerID\":0,\"hostID\":0}]"),
	  "mounts[1].uidMappings[0].size: missing" },

	/* process */
	{ CONFIG(",\"process\":{}"), "process.user: missing" },
	{ CONFIG(",\"process\":{\"user\":{\"gid\":0},\"cwd\":\"/\"}"),
	  "process.user.uid: missing" },
	{ CONFIG(",\"process\":{\"user\":{\"uid\":0},\"cwd\":\"/\"}"),
	  "process.user.gid: missing" },
	{ CONFIG(",\"process\":{\"user\":{\"uid\":0,\"gid\":0}}"), "process.cwd: missing" },
	{ PROCESS(",\"terminal\":1"), "process.terminal: must be a boolean, is a number" },
	{ PROCESS(",\"env\":[\"A=b\",null]"), "process.env[1]: must be a string, is null" },
	{ PROCESS(",\"rlimits\":[{\"type\":\"RLIMIT_FOO\",\"soft\":1,\"hard\":1}]"),
	  "process.rlimits[0].type: unknown resource limit \"RLIMIT_FOO\"" },
	{ PROCESS(",\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":1}]"),
	  "process.rlimits[0].hard: missing" },
	{ PROCESS(",\"capabilities\":[\"CAP_CHOWN\"]"),
	  "process.capabilities: must be an object, is a list" },
	{ PROCESS(",\"capabilities\":{\"bounding\":\"CAP_CHOWN\"}"),
	  "process.capabilities.bounding: must be a list, is a string" },
	{ PROCESS(",\"capabilities\":{\"ambient\":[\"CAP_CHOWN\",7]}"),
	  "process.capabilities.ambient[1]: must be a string, is a number" },
	{ PROCESS(",\"capabilities\":{\"Bounding\":[]}"),
	  "process.capabilities.Bounding: unknown property, \"bounding\" is meant" },
	{ PROCESS(",\"scheduler\":{\"nice\":1}"), "process.scheduler.policy: missing" },
	{ PROCESS(",\"scheduler\":{\"policy\":\"SCHED_FOO\"}"),
	  "process.scheduler.policy: unknown scheduler policy \"SCHED_FOO\"" },
	{ PROCESS(",\"scheduler\":{\"policy\":\"SCHED_RR\",\"flags\":[\"X\"]}"),
	  "process.scheduler.flags[0]: unknown scheduler flag \"X\"" },
	{ PROCESS(",\"ioPriority\":{\"class\":\"IOPRIO_CLASS_NONE\",\"priority\":0}"),
	  "process.ioPriority.class: unknown I/O priority class \"IOPRIO_CLASS_NONE\"" },
	{ PROCESS(",\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\"}"),
	  "process.ioPriority.priority: missing" },

	/* hooks */
	{ CONFIG(",\"hooks\":{\"prestart\":{}}"), "hooks.prestart: must be a list, is an object" },
	{ CONFIG(",\"hooks\":{\"poststop\":[{}]}"), "hooks.poststop[0].path: missing" },
	{ CONFIG(",\"hooks\":{\"createruntime\":[]}"),
	  "hooks.createruntime: unknown property, \"createRuntime\" is meant" },

	/* linux */
	{ LINUX("\"namespaces\":[{\"type\":\"net\"}]"),
	  "linux.namespaces[0].type: unknown namespace type \"net\"" },
	{ LINUX("\"namespaces\":[{\"path\":\"/x\"}]"), "linux.namespaces[0].type: missing" },
	{ LINUX("\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"uts\"},{\"type\":\"pid\"}]"),
	  "linux.namespaces[2]: a second namespace of type pid" },
	{ LINUX("\"namespaces\":{\"pid\":true}"),
	  "linux.namespaces: must be a list, is an object" },
	{ LINUX("\"timeOffsets\":{\"realtime\":{\"secs\":1}}"),
	  "linux.timeOffsets.realtime: unknown property" },
	{ LINUX("\"devices\":[{\"type\":\"x\",\"path\":\"/dev/x\"}]"),
	  "linux.devices[0].type: unknown device type \"x\"" },
	{ LINUX("\"devices\":[{\"type\":\"c\"}]"), "linux.devices[0].path: missing" },
	{ LINUX("\"sysctl\":{\"net.a\":1}"),
	  "linux.sysctl[\"net.a\"]: must be a string, is a number" },
	{ LINUX("\"netDevices\":{\"eth0\":\"x\"}"),
	  "linux.netDevices.eth0: must be an object, is a string" },
	{ LINUX("\"rootfsPropagation\":\"rmaster\""),
	  "linux.rootfsPropagation: unknown propagation \"rmaster\"" },
	{ LINUX("\"personality\":{}"), "linux.personality.domain: missing" },
	{ LINUX("\"personality\":{\"domain\":\"BSD\"}"),
	  "linux.personality.domain: unknown personality domain \"BSD\"" },
	{ LINUX("\"personality\":{\"domain\":\"LINUX\",\"flags\":[\"X\"]}"),
	  "linux.personality.flags: no personality flag is defined" },
	{ LINUX("\"intelRdt\":true"), "linux.intelRdt: must be an object, is a boolean" },
	{ LINUX("\"memoryPolicy\":[]"), "linux.memoryPolicy: must be an object, is a list" },
	{ LINUX("\"memoryPolicy\":{\"nodes\":\"0\"}"), "linux.memoryPolicy.mode: missing" },
	{ LINUX("\"memoryPolicy\":{\"mode\":\"MPOL_X\"}"),
	  "linux.memoryPolicy.mode: unknown memory policy \"MPOL_X\"" },
	{ LINUX("\"memoryPolicy\":{\"mode\":\"MPOL_LOCAL\",\"flags\":[\"MPOL_F_X\"]}"),
	  "linux.memoryPolicy.flags[0]: unknown memory policy flag \"MPOL_F_X\"" },
	{ LINUX("\"maskedPaths\":\"/proc\""), "linux.maskedPaths: must be a list, is a string" },

	/* resources */
	{ RESOURCES("\"devices\":[{\"allow\":true}]"),
	  "linux.resources.devices[0].access: missing" },
	{ RESOURCES("\"devices\":[{\"allow\":true,\"access\":\"\"}]"),
	  "linux.resources.devices[0].access: must be made of r, w and m" },
	{ RESOURCES("\"devices\":[{\"allow\":true,\"access\":\"rx\"}]"),
	  "linux.resources.devices[0].access: must be made of r, w and m" },
	{ RESOURCES("\"devices\":[{\"type\":\"p\",\"access\":\"r\"}]"),
	  "linux.resources.devices[0].type: unknown device type \"p\"" },
	{ RESOURCES("\"hugepageLimits\":[{\"pageSize\":\"2MB\"}]"),
	  "linux.resources.hugepageLimits[0].limit: missing" },
	{ RESOURCES("\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0}]}"),
	  "linux.resources.blockIO.throttleReadBpsDevice[0].rate: missing" },
	{ RESOURCES("\"network\":{\"priorities\":[{\"name\":\"eth0\",\"priority\":-1}]}"),
	  "linux.resources.network.priorities[0].priority: must be from 0 to 4294967295, is -1" },
	{ RESOURCES("\"unified\":{\"memory.max\":5}"),
	  "linux.resources.unified[\"memory.max\"]: must be a string, is a number" },
	{ RESOURCES("\"cpu\":{\"cpus\":0}"),
	  "linux.resources.cpu.cpus: must be a string, is a number" },

	/* seccomp */
	{ LINUX("\"seccomp\":{}"), "linux.seccomp.defaultAction: missing" },
	{ LINUX("\"seccomp\":{\"defaultAction\":\"SCMP_ACT_FOO\"}"),
	  "linux.seccomp.defaultAction: unknown seccomp action \"SCMP_ACT_FOO\"" },
	{ SECCOMP(",\"architectures\":[\"SCMP_ARCH_Z80\"]"),
	  "linux.seccomp.architectures[0]: unknown seccomp architecture \"SCMP_ARCH_Z80\"" },
	{ SECCOMP(",\"flags\":[\"SECCOMP_FILTER_FLAG_NEW_LISTENER\"]"),
	  "linux.seccomp.flags[0]: unknown seccomp flag \"SECCOMP_FILTER_FLAG_NEW_LISTENER\"" },
	{ SECCOMP(",\"syscalls\":[{\"action\":\"SCMP_ACT_ALLOW\"}]"),
	  "linux.seccomp.syscalls[0].names: missing" },
	{ SECCOMP(",\"syscalls\":[{\"names\":[\"read\"]}]"),
	  "linux.seccomp.syscalls[0].action: missing" },
	{ SECCOMP(",\"syscalls\":[{\"names\":[\"a\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{}]}"
	          "]"),
	  "linux.seccomp.syscalls[0].args[0].index: missing" },
	{ SECCOMP(",\"syscalls\":[{\"names\":[\"a\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":"
	          "[{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_IN\"}]}]"),
	  "linux.seccomp.syscalls[0].args[0].op: unknown seccomp operator \"SCMP_CMP_IN\"" },
};

static void refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < DJ_COUNT(refused); i++) {
		struct donjon_error err = { 0 };
		struct dj_arena arena = { 0 };
		struct oci_spec spec;

		if (oci_decode(refused[i].text, strlen(refused[i].text), &arena, &spec, &err) == 0)
			fail_msg("accepted: %s", refused[i].text);
		assert_int_equal(err.code, DONJON_E_CONFIG);
		assert_string_equal(err.text, refused[i].message);
		dj_arena_done(&arena);
	}
}

/* ---- numbers (T33) ---- */

#define USER                                                                                       \
	"{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"process\":{\"cwd\":\"/"             \
	"\",\"user\":{"
#define ARG                                                                                        \
	LINUX_OPEN "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_LOG\",\"syscalls\":[{\"names\":["    \
	           "\"a\"],"                                                                       \
	           "\"action\":\"SCMP_ACT_LOG\",\"args\":[{\"op\":\"SCMP_CMP_EQ\","
#define CONFIG_OPEN    "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},"
#define PROCESS_OPEN   CONFIG_OPEN "\"process\":{\"cwd\":\"/\",\"user\":{\"uid\":0,\"gid\":0},"
#define LINUX_OPEN     CONFIG_OPEN "\"linux\":{"
#define RESOURCES_OPEN LINUX_OPEN "\"resources\":{"
#define MAPS_OPEN      LINUX_OPEN "\"uidMappings\":[{"
#define THROTTLE_OPEN  RESOURCES_OPEN "\"blockIO\":{\"throttleWriteIOPSDevice\":[{"

static const struct {
	const char *before, *after, *path;
	int64_t lo;
	uint64_t hi;
} numbers[] = {
	{ USER "\"gid\":0,\"uid\":", "}}}", "process.user.uid", 0, 4294967294 },
	{ USER "\"uid\":0,\"gid\":", "}}}", "process.user.gid", 0, 4294967294 },
	{ USER "\"uid\":0,\"gid\":0,\"umask\":", "}}}", "process.user.umask", 0, 511 },
	{ USER "\"uid\":0,\"gid\":0,\"additionalGids\":[", "]}}}", "process.user.additionalGids[0]",
	  0, 4294967294 },
	{ PROCESS_OPEN "\"consoleSize\":{\"height\":", "}}}", "process.consoleSize.height", 0,
	  65535 },
	{ PROCESS_OPEN "\"consoleSize\":{\"width\":", "}}}", "process.consoleSize.width", 0,
	  65535 },
	{ PROCESS_OPEN "\"oomScoreAdj\":", "}}", "process.oomScoreAdj", -1000, 1000 },
	{ PROCESS_OPEN "\"rlimits\":[{\"type\":\"RLIMIT_AS\",\"hard\":0,\"soft\":", "}]}}",
	  "process.rlimits[0].soft", 0, UINT64_MAX },
	{ PROCESS_OPEN "\"rlimits\":[{\"type\":\"RLIMIT_AS\",\"soft\":0,\"hard\":", "}]}}",
	  "process.rlimits[0].hard", 0, UINT64_MAX },
	{ PROCESS_OPEN "\"scheduler\":{\"policy\":\"SCHED_RR\",\"nice\":", "}}}",
	  "process.scheduler.nice", -20, 19 },
	{ PROCESS_OPEN "\"scheduler\":{\"policy\":\"SCHED_RR\",\"priority\":", "}}}",
	  "process.scheduler.priority", 0, 99 },
	{ PROCESS_OPEN "\"scheduler\":{\"policy\":\"SCHED_RR\",\"runtime\":", "}}}",
	  "process.scheduler.runtime", 0, UINT64_MAX },
	{ PROCESS_OPEN "\"scheduler\":{\"policy\":\"SCHED_RR\",\"deadline\":", "}}}",
	  "process.scheduler.deadline", 0, UINT64_MAX },
	{ PROCESS_OPEN "\"scheduler\":{\"policy\":\"SCHED_RR\",\"period\":", "}}}",
	  "process.scheduler.period", 0, UINT64_MAX },
	{ PROCESS_OPEN "\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":", "}}}",
	  "process.ioPriority.priority", 0, 7 },
	{ CONFIG_OPEN "\"hooks\":{\"poststop\":[{\"path\":\"/a\",\"timeout\":", "}]}}",
	  "hooks.poststop[0].timeout", 1, 2147483 },
	{ MAPS_OPEN "\"hostID\":0,\"size\":1,\"containerID\":", "}]}}",
	  "linux.uidMappings[0].containerID", 0, 4294967294 },
	{ MAPS_OPEN "\"containerID\":0,\"size\":1,\"hostID\":", "}]}}",
	  "linux.uidMappings[0].hostID", 0, 4294967294 },
	{ MAPS_OPEN "\"containerID\":0,\"hostID\":1,\"size\":", "}]}}", "linux.uidMappings[0].size",
	  1, 4294967295 },
	{ LINUX_OPEN "\"timeOffsets\":{\"monotonic\":{\"secs\":", "}}}}",
	  "linux.timeOffsets.monotonic.secs", INT64_MIN, INT64_MAX },
	{ LINUX_OPEN "\"timeOffsets\":{\"boottime\":{\"nanosecs\":", "}}}}",
	  "linux.timeOffsets.boottime.nanosecs", 0, 999999999 },
	{ LINUX_OPEN "\"devices\":[{\"type\":\"c\",\"path\":\"/a\",\"minor\":0,\"major\":", "}]}}",
	  "linux.devices[0].major", 0, 4095 },
	{ LINUX_OPEN "\"devices\":[{\"type\":\"c\",\"path\":\"/a\",\"major\":0,\"minor\":", "}]}}",
	  "linux.devices[0].minor", 0, 1048575 },
	{ LINUX_OPEN "\"devices\":[{\"type\":\"c\",\"path\":\"/a\",\"fileMode\":", "}]}}",
	  "linux.devices[0].fileMode", 0, 65535 },
	{ LINUX_OPEN "\"devices\":[{\"type\":\"c\",\"path\":\"/a\",\"uid\":", "}]}}",
	  "linux.devices[0].uid", 0, 4294967294 },
	{ LINUX_OPEN "\"devices\":[{\"type\":\"c\",\"path\":\"/a\",\"gid\":", "}]}}",
	  "linux.devices[0].gid", 0, 4294967294 },
	{ RESOURCES_OPEN "\"devices\":[{\"access\":\"r\",\"major\":", "}]}}}",
	  "linux.resources.devices[0].major", -1, 4095 },
	{ RESOURCES_OPEN "\"devices\":[{\"access\":\"r\",\"minor\":", "}]}}}",
	  "linux.resources.devices[0].minor", -1, 1048575 },
	{ RESOURCES_OPEN "\"memory\":{\"limit\":", "}}}}", "linux.resources.memory.limit", -1,
	  INT64_MAX },
	{ RESOURCES_OPEN "\"memory\":{\"reservation\":", "}}}}",
	  "linux.resources.memory.reservation", -1, INT64_MAX },
	{ RESOURCES_OPEN "\"memory\":{\"swap\":", "}}}}", "linux.resources.memory.swap", -1,
	  INT64_MAX },
	{ RESOURCES_OPEN "\"memory\":{\"kernel\":", "}}}}", "linux.resources.memory.kernel", -1,
	  INT64_MAX },
	{ RESOURCES_OPEN "\"memory\":{\"kernelTCP\":", "}}}}", "linux.resources.memory.kernelTCP",
	  -1, INT64_MAX },
	{ RESOURCES_OPEN "\"memory\":{\"swappiness\":", "}}}}", "linux.resources.memory.swappiness",
	  0, 100 },
	{ RESOURCES_OPEN "\"cpu\":{\"shares\":", "}}}}", "linux.resources.cpu.shares", 0,
	  UINT64_MAX },
	{ RESOURCES_OPEN "\"cpu\":{\"period\":", "}}}}", "linux.resources.cpu.period", 0,
	  INT64_MAX },
	{ RESOURCES_OPEN "\"cpu\":{\"burst\":", "}}}}", "linux.resources.cpu.burst", 0, INT64_MAX },
	{ RESOURCES_OPEN "\"cpu\":{\"idle\":", "}}}}", "linux.resources.cpu.idle", 0, 1 },
	{ RESOURCES_OPEN "\"cpu\":{\"realtimeRuntime\":", "}}}}",
	  "linux.resources.cpu.realtimeRuntime", -1, INT64_MAX },
	{ RESOURCES_OPEN "\"cpu\":{\"realtimePeriod\":", "}}}}",
	  "linux.resources.cpu.realtimePeriod", 0, INT64_MAX },
	{ RESOURCES_OPEN "\"pids\":{\"limit\":", "}}}}", "linux.resources.pids.limit", -1,
	  INT64_MAX },
	{ THROTTLE_OPEN "\"minor\":0,\"rate\":0,\"major\":", "}]}}}}",
	  "linux.resources.blockIO.throttleWriteIOPSDevice[0].major", 0, 4095 },
	{ THROTTLE_OPEN "\"major\":0,\"rate\":0,\"minor\":", "}]}}}}",
	  "linux.resources.blockIO.throttleWriteIOPSDevice[0].minor", 0, 1048575 },
	{ THROTTLE_OPEN "\"major\":0,\"minor\":0,\"rate\":", "}]}}}}",
	  "linux.resources.blockIO.throttleWriteIOPSDevice[0].rate", 0, UINT64_MAX },
	{ RESOURCES_OPEN "\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":", "}]}}}",
	  "linux.resources.hugepageLimits[0].limit", 0, UINT64_MAX },
	{ RESOURCES_OPEN "\"network\":{\"classID\":", "}}}}", "linux.resources.network.classID", 0,
	  4294967295 },
	{ RESOURCES_OPEN "\"rdma\":{\"m\":{\"hcaHandles\":", "}}}}}",
	  "linux.resources.rdma.m.hcaHandles", 0, 4294967295 },
	{ RESOURCES_OPEN "\"rdma\":{\"m\":{\"hcaObjects\":", "}}}}}",
	  "linux.resources.rdma.m.hcaObjects", 0, 4294967295 },
	{ LINUX_OPEN "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":",
	  "}}}", "linux.seccomp.defaultErrnoRet", 0, 65535 },
	{ ARG "\"value\":0,\"index\":", "}]}]}}}", "linux.seccomp.syscalls[0].args[0].index", 0,
	  5 },
	{ ARG "\"index\":0,\"value\":", "}]}]}}}", "linux.seccomp.syscalls[0].args[0].value", 0,
	  UINT64_MAX },
	{ ARG "\"index\":0,\"value\":0,\"valueTwo\":", "}]}]}}}",
	  "linux.seccomp.syscalls[0].args[0].valueTwo", 0, UINT64_MAX },
};

/* NULL: accepted.  Anything else: the message behind the path. */
static void try_number(size_t i, const char *digits, const char *want)
{
	char text[2048], message[512];
	struct donjon_error err = { 0 };
	struct dj_arena arena = { 0 };
	struct oci_spec spec;
	int rc;

	(void)snprintf(text, sizeof(text), "%s%s%s", numbers[i].before, digits, numbers[i].after);
	rc = oci_decode(text, strlen(text), &arena, &spec, &err);
	dj_arena_done(&arena);
	if (!want) {
		if (rc < 0)
			fail_msg("%s: %s", text, err.text);
		return;
	}
	if (rc == 0)
		fail_msg("accepted: %s", text);
	(void)snprintf(message, sizeof(message), "%s: %s", numbers[i].path, want);
	assert_string_equal(err.text, message);
}

static void try_out_of_range(size_t i, const char *digits)
{
	char want[128];

	(void)snprintf(want, sizeof(want), "must be from %lld to %llu, is %s",
	               (long long)numbers[i].lo, (unsigned long long)numbers[i].hi, digits);
	try_number(i, digits, want);
}

static void checks_ranges(void **state)
{
	char digits[32];

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(numbers); i++) {
		(void)snprintf(digits, sizeof(digits), "%lld", (long long)numbers[i].lo);
		try_number(i, digits, NULL);
		(void)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)numbers[i].hi);
		try_number(i, digits, NULL);
		if (numbers[i].lo > INT64_MIN) {
			(void)snprintf(digits, sizeof(digits), "%lld",
			               (long long)numbers[i].lo - 1);
			try_out_of_range(i, digits);
		}
		if (numbers[i].hi < UINT64_MAX) {
			(void)snprintf(digits, sizeof(digits), "%llu",
			               (unsigned long long)numbers[i].hi + 1);
			try_out_of_range(i, digits);
			try_out_of_range(i, "18446744073709551615");
		}
	}
}

static void refuses_what_is_no_integer(void **state)
{
	static const struct {
		const char *text, *want;
	} odd[] = {
		{ "1.5", "must be an integer, is a number with a fraction or exponent" },
		{ "1.0", "must be an integer, is a number with a fraction or exponent" },
		{ "1e3", "must be an integer, is a number with a fraction or exponent" },
		{ "\"1\"", "must be an integer, is a string" },
		{ "true", "must be an integer, is a boolean" },
		{ "[]", "must be an integer, is a list" },
	};

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(numbers); i++) {
		for (size_t j = 0; j < DJ_COUNT(odd); j++)
			try_number(i, odd[j].text, odd[j].want);
	}
}

/* Beyond 64 bits the JSON reader itself refuses, with line and column. */
static void refuses_what_is_no_64_bit(void **state)
{
	static const char *const huge[] = { "18446744073709551616", "-9223372036854775809", "1e400",
		                            "99999999999999999999999999999999999999999999" };
	char text[2048];

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(numbers); i++) {
		for (size_t j = 0; j < DJ_COUNT(huge); j++) {
			struct donjon_error err = { 0 };
			struct dj_arena arena = { 0 };
			struct oci_spec spec;

			(void)snprintf(text, sizeof(text), "%s%s%s", numbers[i].before, huge[j],
			               numbers[i].after);
			assert_int_equal(oci_decode(text, strlen(text), &arena, &spec, &err), -1);
			assert_int_equal(err.code, DONJON_E_CONFIG);
			dj_arena_done(&arena);
		}
	}
}

/* ---- what is read ---- */

static void accepts_versions(void **state)
{
	static const char *const versions[] = { "1.0.0",      "1.0.0-rc5-dev",
		                                "1.0.2-dev",  "1.1.0+dev",
		                                "1.2.0-rc.1", "1.3.0",
		                                "1.99.7",     "1.0" };
	char text[128];

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(versions); i++) {
		struct dj_arena arena = { 0 };
		struct oci_spec spec;

		(void)snprintf(text, sizeof(text),
		               "{\"ociVersion\":\"%s\",\"root\":{\"path\":\"r\"}}", versions[i]);
		decode(text, &arena, &spec);
		assert_string_equal(spec.oci_version, versions[i]);
		dj_arena_done(&arena);
	}
}

static void null_is_absent(void **state)
{
	struct dj_arena arena = { 0 };
	struct oci_spec spec;

	(void)state;
	decode(CONFIG(",\"process\":null,\"hostname\":null,\"mounts\":null,\"hooks\":{\"prestart\":"
	              "null},"
	              "\"annotations\":{\"a\":null,\"b\":\"c\"},\"linux\":{\"seccomp\":null,"
	              "\"resources\":{\"memory\":null,\"pids\":{\"limit\":null}},\"maskedPaths\":"
	              "null}"),
	       &arena, &spec);
	assert_false(spec.process.set);
	assert_null(spec.hostname);
	assert_int_equal(spec.mounts.n, 0);
	assert_int_equal(spec.annotations.n, 1);
	assert_string_equal(spec.annotations.v[0].key, "b");
	assert_true(spec.linux.set);
	assert_false(spec.linux.seccomp.set);
	assert_false(spec.linux.resources.pids_limit.set);
	dj_arena_done(&arena);
}

static void reads_process(void **state)
{
	struct dj_arena arena = { 0 };
	const struct oci_process *p;
	struct oci_spec spec;

	(void)state;
	decode(CONFIG(",\"process\":{\"terminal\":true,\"consoleSize\":{\"height\":24,\"width\":80}"
	              ","
	              "\"user\":{\"uid\":4294967294,\"gid\":5,\"umask\":18,\"additionalGids\":[7,9]"
	              ","
	              "\"username\":\"x\"},\"args\":[\"a\",\"\"],\"env\":[\"A=b\"],\"cwd\":\"/w\","
	              "\"commandLine\":\"x\",\"capabilities\":{\"bounding\":[\"CAP_CHOWN\",\"CAP_"
	              "KILL\"],"
	              "\"effective\":[\"CAP_CHOWN\"],\"permitted\":[],\"inheritable\":[\"CAP_FOO\"]"
	              ","
	              "\"ambient\":[\"CAP_FOO\",\"CAP_BAR\"]},\"rlimits\":[{\"type\":\"RLIMIT_"
	              "NOFILE\","
	              "\"soft\":1,\"hard\":18446744073709551615}],\"noNewPrivileges\":true,"
	              "\"oomScoreAdj\":-5,\"apparmorProfile\":\"\",\"selinuxLabel\":\"l\","
	              "\"scheduler\":{\"policy\":\"SCHED_DEADLINE\",\"nice\":-3,\"flags\":["
	              "\"SCHED_FLAG_RESET_ON_FORK\",\"SCHED_FLAG_RECLAIM\"],\"runtime\":1,"
	              "\"deadline\":2,"
	              "\"period\":3},\"ioPriority\":{\"class\":\"IOPRIO_CLASS_IDLE\",\"priority\":"
	              "7},"
	              "\"execCPUAffinity\":{\"initial\":\"0-1\",\"final\":\"\"}}"),
	       &arena, &spec);
	p = &spec.process;
	assert_true(p->set && p->terminal && p->no_new_privileges && p->user.umask.set);
	assert_int_equal(p->console_height, 24);
	assert_int_equal(p->console_width, 80);
	assert_int_equal(p->user.uid, 4294967294u);
	assert_int_equal(p->user.gid, 5);
	assert_int_equal(p->user.umask.v, 022);
	assert_int_equal(p->user.additional_gids.n, 2);
	assert_int_equal(p->user.additional_gids.v[1], 9);
	assert_int_equal(p->args.n, 2);
	assert_string_equal(p->args.v[0], "a");
	assert_null(p->args.v[2]);
	assert_string_equal(p->env.v[0], "A=b");
	assert_string_equal(p->cwd, "/w");
	assert_true(p->capabilities.set);
	assert_int_equal(p->capabilities.bounding, 1 << 0 | 1 << 5);
	assert_int_equal(p->capabilities.effective, 1);
	assert_int_equal(p->capabilities.permitted | p->capabilities.inheritable, 0);
	assert_int_equal(p->capabilities.unknown.n, 2);
	assert_string_equal(p->capabilities.unknown.v[0], "CAP_FOO");
	assert_string_equal(p->capabilities.unknown.v[1], "CAP_BAR");
	assert_null(p->capabilities.unknown.v[2]);
	assert_int_equal(p->rlimits.v[0].type, RLIMIT_NOFILE);
	assert_int_equal(p->rlimits.v[0].soft, 1);
	assert_true(p->rlimits.v[0].hard == UINT64_MAX);
	assert_true(p->oom_score_adj.set);
	assert_int_equal(p->oom_score_adj.v, -5);
	assert_null(p->apparmor_profile);
	assert_string_equal(p->selinux_label, "l");
	assert_true(p->scheduler.set);
	assert_int_equal(p->scheduler.policy, 6);
	assert_int_equal(p->scheduler.nice, -3);
	assert_int_equal(p->scheduler.flags, 3);
	assert_int_equal(p->scheduler.period, 3);
	assert_true(p->io_priority.set);
	assert_int_equal(p->io_priority.class, 3);
	assert_int_equal(p->io_priority.priority, 7);
	assert_string_equal(p->cpu_affinity_initial, "0-1");
	assert_null(p->cpu_affinity_final);
	assert_int_equal(spec.ignored.n, 2); /* decision 32 */
	assert_string_equal(spec.ignored.v[0], "process.capabilities: CAP_FOO");
	assert_string_equal(spec.ignored.v[1], "process.capabilities: CAP_BAR");
	dj_arena_done(&arena);
}

static void reads_top_level(void **state)
{
	struct dj_arena arena = { 0 };
	const struct oci_hook *hook;
	struct oci_spec spec;

	(void)state;
	decode("{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\",\"readonly\":true},"
	       "\"hostname\":\"h\",\"domainname\":\"d\",\"windows\":{\"x\":1},\"vm\":[],"
	       "\"solaris\":0,"
	       "\"zos\":null,\"freebsd\":\"\",\"mounts\":[{\"destination\":\"/"
	       "a\",\"type\":\"bind\","
	       "\"source\":\"/s\",\"options\":[\"ro\",\"x=1\"],\"uidMappings\":[{\"containerID\":1,"
	       "\"hostID\":2,\"size\":3}],\"gidMappings\":[{\"containerID\":4,\"hostID\":5,"
	       "\"size\":6}]},"
	       "{\"destination\":\"/b\",\"type\":\"\",\"source\":\"\"}],\"hooks\":{\"prestart\":[{"
	       "\"path\":\"/p\",\"args\":[\"p\",\"q\"],\"env\":[],\"timeout\":9}],\"poststop\":[{"
	       "\"path\":\"/z\"}]},\"annotations\":{\"z\":\"1\",\"a\":\"2\"}}",
	       &arena, &spec);
	assert_string_equal(spec.root.path, "rootfs");
	assert_true(spec.root.readonly);
	assert_string_equal(spec.hostname, "h");
	assert_string_equal(spec.domainname, "d");
	assert_int_equal(spec.mounts.n, 2);
	assert_string_equal(spec.mounts.v[0].options.v[1], "x=1");
	assert_int_equal(spec.mounts.v[0].uid_mappings.v[0].host_id, 2);
	assert_int_equal(spec.mounts.v[0].gid_mappings.v[0].size, 6);
	assert_null(spec.mounts.v[1].type);
	assert_null(spec.mounts.v[1].source);
	hook = spec.hooks[OCI_HOOK_PRESTART].v;
	assert_int_equal(spec.hooks[OCI_HOOK_PRESTART].n, 1);
	assert_string_equal(hook->path, "/p");
	assert_string_equal(hook->args.v[1], "q");
	assert_true(hook->env_set);
	assert_int_equal(hook->timeout_s, 9);
	assert_false(spec.hooks[OCI_HOOK_POSTSTOP].v->env_set);
	assert_int_equal(spec.annotations.n, 2);
	assert_string_equal(spec.annotations.v[0].key, "z"); /* document order */
	assert_int_equal(spec.ignored.n, 0);
	dj_arena_done(&arena);
}

static void reads_linux(void **state)
{
	struct dj_arena arena = { 0 };
	const struct oci_linux *l;
	struct oci_spec spec;

	(void)state;
	decode(LINUX("\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\",\"path\":\"/n\"},"
	             "{\"type\":\"uts\",\"path\":\"\"}],\"uidMappings\":[{\"containerID\":0,"
	             "\"hostID\":1,"
	             "\"size\":4294967295}],\"timeOffsets\":{\"monotonic\":{\"secs\":-1,"
	             "\"nanosecs\":2}},"
	             "\"devices\":[{\"type\":\"u\",\"path\":\"/d\",\"major\":1,\"minor\":3,"
	             "\"fileMode\":8630,\"uid\":1},{\"type\":\"p\",\"path\":\"/"
	             "p\"}],\"netDevices\":{"
	             "\"eth0\":{\"name\":\"x\"},\"eth1\":{}},\"cgroupsPath\":\"/c\","
	             "\"rootfsPropagation\":\"rslave\",\"maskedPaths\":[\"/"
	             "m\"],\"readonlyPaths\":[],"
	             "\"mountLabel\":\"ml\",\"personality\":{\"domain\":\"LINUX32\",\"flags\":[]},"
	             "\"intelRdt\":{\"closID\":\"x\",\"l3CacheSchema\":\"L3:0=f\","
	             "\"memBwSchema\":\"\",\"schemata\":[\"L2:0=1\",\"MB:0=20\"],"
	             "\"enableMonitoring\":true,\"enableCMT\":1,\"enableMBM\":true},"
	             "\"memoryPolicy\":{\"mode\":\"MPOL_BIND\","
	             "\"nodes\":\"0-3,7\",\"flags\":[\"MPOL_F_STATIC_NODES\"]}"),
	       &arena, &spec);
	l = &spec.linux;
	assert_true(l->namespaces[OCI_NS_PID].set && l->namespaces[OCI_NS_UTS].set);
	assert_false(l->namespaces[OCI_NS_USER].set);
	assert_string_equal(l->namespaces[OCI_NS_NETWORK].path, "/n");
	assert_null(l->namespaces[OCI_NS_UTS].path);
	assert_int_equal(l->uid_mappings.v[0].size, 4294967295u);
	assert_true(l->time_offset_monotonic.set);
	assert_int_equal(l->time_offset_monotonic.secs, -1);
	assert_int_equal(l->time_offset_monotonic.nanosecs, 2);
	assert_false(l->time_offset_boottime.set);
	assert_int_equal(l->devices.v[0].type, 'c');
	assert_int_equal(l->devices.v[0].minor, 3);
	assert_int_equal(l->devices.v[0].file_mode.v, 0666); /* without the type bits */
	assert_true(l->devices.v[0].uid.set);
	assert_false(l->devices.v[0].gid.set);
	assert_int_equal(l->devices.v[1].major, -1);
	assert_string_equal(l->net_devices.v[0].value, "x");
	assert_string_equal(l->net_devices.v[1].key, "eth1");
	assert_string_equal(l->net_devices.v[1].value, "");
	assert_string_equal(l->cgroups_path, "/c");
	assert_int_equal(l->rootfs_propagation, MS_SLAVE | MS_REC);
	assert_string_equal(l->masked_paths.v[0], "/m");
	assert_int_equal(l->readonly_paths.n, 0);
	assert_string_equal(l->mount_label, "ml");
	assert_true(l->personality.set);
	assert_int_equal(l->personality.v, PER_LINUX32);
	assert_true(l->intel_rdt.set && l->intel_rdt.monitoring);
	assert_string_equal(l->intel_rdt.clos_id, "x");
	assert_string_equal(l->intel_rdt.l3_cache_schema, "L3:0=f");
	assert_null(l->intel_rdt.mem_bw_schema);
	assert_int_equal(l->intel_rdt.schemata.n, 2);
	assert_string_equal(l->intel_rdt.schemata.v[1], "MB:0=20");
	assert_true(l->memory_policy.set);
	assert_int_equal(l->memory_policy.mode, MPOL_BIND);
	assert_int_equal(l->memory_policy.flags, MPOL_F_STATIC_NODES);
	assert_string_equal(l->memory_policy.nodes, "0-3,7");
	dj_arena_done(&arena);
}

static void reads_resources(void **state)
{
	struct dj_arena arena = { 0 };
	const struct oci_resources *r;
	struct oci_spec spec;

	(void)state;
	decode(RESOURCES("\"devices\":[{\"allow\":false,\"access\":\"rwm\"},{\"allow\":true,"
	                 "\"type\":\"c\",\"major\":1,\"access\":\"r\"},{\"type\":\"\",\"access\":"
	                 "\"m\"}],"
	                 "\"memory\":{\"limit\":-1,\"swap\":8,\"swappiness\":0,"
	                 "\"disableOOMKiller\":true},"
	                 "\"cpu\":{\"shares\":2,\"quota\":5,\"cpus\":\"0\",\"idle\":0},"
	                 "\"pids\":{\"limit\":0},\"blockIO\":{\"weight\":10,\"weightDevice\":[{"
	                 "\"major\":8,"
	                 "\"minor\":0,\"weight\":1000}],\"throttleReadBpsDevice\":[{\"major\":8,"
	                 "\"minor\":1,\"rate\":18446744073709551615}]},\"hugepageLimits\":[{"
	                 "\"pageSize\":\"2MB\",\"limit\":0}],\"network\":{\"classID\":7,"
	                 "\"priorities\":[{"
	                 "\"name\":\"lo\",\"priority\":4294967295}]},\"rdma\":{\"mlx\":{"
	                 "\"hcaHandles\":0}},"
	                 "\"unified\":{\"memory.high\":\"1\"}"),
	       &arena, &spec);
	r = &spec.linux.resources;
	assert_true(r->devices_set);
	assert_int_equal(r->devices.n, 3);
	assert_int_equal(r->devices.v[0].type, 'a');
	assert_int_equal(r->devices.v[0].major, -1);
	assert_true(r->devices.v[0].read && r->devices.v[0].write && r->devices.v[0].mknod);
	assert_true(r->devices.v[1].allow && r->devices.v[1].read && !r->devices.v[1].write);
	assert_int_equal(r->devices.v[1].major, 1);
	assert_int_equal(r->devices.v[1].minor, -1);
	assert_int_equal(r->devices.v[2].type, 'a');
	assert_true(r->memory.limit.set && r->memory.swap.set && r->memory.swappiness.set);
	assert_int_equal(r->memory.limit.v, -1);
	assert_false(r->memory.reservation.set);
	assert_true(r->memory.disable_oom_killer.v);
	assert_int_equal(r->cpu.shares.v, 2);
	assert_int_equal(r->cpu.quota.v, 5);
	assert_string_equal(r->cpu.cpus, "0");
	assert_null(r->cpu.mems);
	assert_true(r->cpu.idle.set && r->pids_limit.set);
	assert_int_equal(r->pids_limit.v, 0);
	assert_int_equal(r->block_io.weight.v, 10);
	assert_int_equal(r->block_io.weight_device.v[0].weight.v, 1000);
	assert_false(r->block_io.weight_device.v[0].leaf_weight.set);
	assert_true(r->block_io.read_bps.v[0].rate == UINT64_MAX);
	assert_string_equal(r->hugepage_limits.v[0].page_size, "2MB");
	assert_int_equal(r->network.class_id.v, 7);
	assert_string_equal(r->network.priorities.v[0].value, "4294967295");
	assert_string_equal(r->rdma.v[0].device, "mlx");
	assert_true(r->rdma.v[0].hca_handles.set);
	assert_false(r->rdma.v[0].hca_objects.set);
	assert_string_equal(r->unified.v[0].value, "1");
	dj_arena_done(&arena);
}

/* Decision 23: what Docker sends for "nothing said". */
static void zero_and_false_are_unset(void **state)
{
	struct dj_arena arena = { 0 };
	const struct oci_resources *r;
	struct oci_spec spec;

	(void)state;
	decode(RESOURCES("\"memory\":{\"limit\":0,\"reservation\":0,\"swap\":0,\"kernel\":0,"
	                 "\"kernelTCP\":0,"
	                 "\"disableOOMKiller\":false,\"useHierarchy\":false,\"checkBeforeUpdate\":"
	                 "false},"
	                 "\"cpu\":{\"shares\":0,\"quota\":0,\"period\":0,"
	                 "\"realtimeRuntime\":0,"
	                 "\"realtimePeriod\":0,\"cpus\":\"\",\"mems\":\"\"},\"blockIO\":{"
	                 "\"weight\":0,"
	                 "\"leafWeight\":0,\"weightDevice\":[{\"major\":1,\"minor\":1,\"weight\":0}"
	                 "]},"
	                 "\"network\":{\"classID\":0}"),
	       &arena, &spec);
	r = &spec.linux.resources;
	assert_false(r->devices_set || r->memory.limit.set || r->memory.reservation.set ||
	             r->memory.swap.set || r->memory.kernel.set || r->memory.kernel_tcp.set ||
	             r->memory.disable_oom_killer.set || r->memory.use_hierarchy.set ||
	             r->memory.check_before_update.set);
	assert_false(r->cpu.shares.set || r->cpu.quota.set || r->cpu.period.set ||
	             r->cpu.burst.set || r->cpu.realtime_runtime.set || r->cpu.realtime_period.set);
	assert_null(r->cpu.cpus);
	assert_null(r->cpu.mems);
	assert_false(r->block_io.weight.set || r->block_io.leaf_weight.set ||
	             r->block_io.weight_device.v[0].weight.set || r->network.class_id.set);
	dj_arena_done(&arena);
}

/* ---- sysctl spellings (T43) ---- */

static void normalises_sysctls(void **state)
{
	static const struct {
		const char *key, *want;
	} cases[] = {
		{ "net.ipv4.ip_forward", "net.ipv4.ip_forward" },
		{ "net/ipv4/ip_forward", "net.ipv4.ip_forward" },
		{ "net.ipv4.conf.eth0/1.x", "net.ipv4.conf.eth0/1.x" },
		{ "net/ipv4/conf/eth0.1/x", "net.ipv4.conf.eth0/1.x" },
		{ "net/../kernel", "net.//.kernel" },
		{ "plain", "plain" },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(cases); i++) {
		struct dj_arena arena = { 0 };
		struct oci_spec spec;

		(void)snprintf(text, sizeof(text),
		               "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"linux\":{"
		               "\"sysctl\":{"
		               "\"%s\":\"1\"}}}",
		               cases[i].key);
		decode(text, &arena, &spec);
		assert_string_equal(spec.linux.sysctl.v[0].key, cases[i].want);
		assert_string_equal(spec.linux.sysctl.v[0].value, "1");
		dj_arena_done(&arena);
	}
}

/* ---- unknown properties (decision 31) ---- */

static void lists_unknown_properties(void **state)
{
	struct dj_arena arena = { 0 };
	struct oci_spec spec;

	(void)state;
	decode(CONFIG(",\"new\":1,\"linux\":{\"a "
	              "b\":{},\"seccomp\":{\"defaultAction\":\"SCMP_ACT_LOG\","
	              "\"syscalls\":[{\"names\":[\"a\"],\"action\":\"SCMP_ACT_LOG\",\"note\":null}]"
	              "}}"),
	       &arena, &spec);
	assert_int_equal(spec.ignored.n, 3);
	assert_string_equal(spec.ignored.v[0], "new");
	assert_string_equal(spec.ignored.v[1], "linux[\"a b\"]");
	assert_string_equal(spec.ignored.v[2], "linux.seccomp.syscalls[0].note");
	assert_null(spec.ignored.v[3]);
	dj_arena_done(&arena);
}

/* A text of n copies of `item`, separated by commas, between `before` and `after`. */
static char *repeat(const char *before, const char *item, size_t n, const char *after)
{
	const size_t room = strlen(before) + n * (strlen(item) + 12) + strlen(after) + 1;
	char *text = malloc(room), *p = text;

	assert_non_null(text);
	p += snprintf(p, room, "%s", before);
	for (size_t i = 0; i < n; i++) {
		*p = ',';
		p += i > 0;
		p += snprintf(p, room - (size_t)(p - text), item, (unsigned)i);
	}
	(void)snprintf(p, room - (size_t)(p - text), "%s", after);
	return text;
}

static void bounds_the_list_of_unknown_properties(void **state)
{
	dj_auto_free char *text = repeat(CONFIG_OPEN, "\"x%u\":0", 1000, "}");
	struct dj_arena arena = { 0 };
	struct oci_spec spec;

	(void)state;
	decode(text, &arena, &spec);
	assert_int_equal(spec.ignored.n, 65);
	assert_string_equal(spec.ignored.v[64], "and 936 more");
	dj_arena_done(&arena);
}

/* ---- counts (T38) ---- */

static void bounds_lists(void **state)
{
	static const struct {
		const char *before, *item, *after, *message;
	} cases[] = {
		{ PROCESS_OPEN "\"args\":[", "\"a\"", "]}}",
		  "process.args: has 65537 items, at most 65536 are supported" },
		{ CONFIG_OPEN "\"mounts\":[", "{\"destination\":\"/\"}", "]}",
		  "mounts: has 65537 items, at most 65536 are supported" },
		{ CONFIG_OPEN "\"annotations\":{", "\"%u\":\"\"", "}}",
		  "annotations: has 65537 members, at most 65536 are supported" },
		{ LINUX_OPEN "\"sysctl\":{", "\"net.%u\":\"\"", "}}}",
		  "linux.sysctl: has 65537 members, at most 1024 are supported" },
		{ CONFIG_OPEN "\"hooks\":{\"poststop\":[", "{\"path\":\"/\"}", "]}}",
		  "hooks.poststop: has 65537 items, at most 65536 are supported" },
		{ PROCESS_OPEN "\"capabilities\":{\"ambient\":[", "\"CAP_%u\"", "]}}}",
		  "process.capabilities.ambient: has 65537 items, at most 512 are supported" },
	};

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(cases); i++) {
		dj_auto_free char *text =
		        repeat(cases[i].before, cases[i].item, 65537, cases[i].after);
		struct donjon_error err = { 0 };
		struct dj_arena arena = { 0 };
		struct oci_spec spec;

		assert_int_equal(oci_decode(text, strlen(text), &arena, &spec, &err), -1);
		assert_string_equal(err.text, cases[i].message);
		dj_arena_done(&arena);
	}
}

static void reads_full_lists(void **state)
{
	dj_auto_free char *text = repeat(PROCESS_OPEN "\"args\":[", "\"%u\"", 65536, "]}}");
	struct dj_arena arena = { 0 };
	struct oci_spec spec;

	(void)state;
	decode(text, &arena, &spec);
	assert_int_equal(spec.process.args.n, 65536);
	assert_string_equal(spec.process.args.v[65535], "65535");
	assert_null(spec.process.args.v[65536]);
	dj_arena_done(&arena);
}

/* An error names no more of a long key than is useful. */
static void shortens_long_names(void **state)
{
	static char text[100000];
	struct donjon_error err = { 0 };
	struct dj_arena arena = { 0 };
	struct oci_spec spec;
	size_t n;

	(void)state;
	n = (size_t)snprintf(text, sizeof(text), "%s", LINUX_OPEN "\"sysctl\":{\"");
	memset(text + n, 'k', 90000);
	(void)snprintf(text + n + 90000, 64, "\":1}}}");
	assert_int_equal(oci_decode(text, strlen(text), &arena, &spec, &err), -1);
	assert_true(strlen(err.text) < 256);
	assert_non_null(strstr(err.text, "linux.sysctl.kkkk"));
	dj_arena_done(&arena);
}

/* ---- broken JSON, and parts of a configuration ---- */

static void names_line_and_column(void **state)
{
	static const char text[] = "{\"ociVersion\":\"1.0.0\",\n  \"root\":{\"path\":\"r\"},}";
	struct donjon_error err = { 0 };
	struct dj_arena arena = { 0 };
	struct oci_spec spec;

	(void)state;
	assert_int_equal(oci_decode(text, strlen(text), &arena, &spec, &err), -1);
	assert_int_equal(err.code, DONJON_E_CONFIG);
	assert_non_null(strstr(err.text, "line 2"));
	dj_arena_done(&arena);
}

static void reads_a_process_alone(void **state)
{
	static const char good[] = "{\"user\":{\"uid\":1,\"gid\":2},\"args\":[\"a\"],\"cwd\":\"/\","
	                           "\"capabilities\":{\"bounding\":[\"CAP_FOO\"]}}";
	static const char bad[] = "{\"user\":{\"uid\":1},\"cwd\":\"/\"}";
	struct donjon_error err = { 0 };
	struct dj_arena arena = { 0 };
	struct oci_process process;

	(void)state;
	assert_int_equal(oci_decode_process(good, strlen(good), &arena, &process, &err), 0);
	assert_true(process.set);
	assert_int_equal(process.user.gid, 2);
	assert_int_equal(process.capabilities.unknown.n, 1);
	assert_int_equal(oci_decode_process(bad, strlen(bad), &arena, &process, &err), -1);
	assert_string_equal(err.text, "process.user.gid: missing");
	dj_arena_done(&arena);
}

static void reads_resources_alone(void **state)
{
	static const char good[] = "{\"pids\":{\"limit\":5}}", bad[] = "{\"pids\":{\"limit\":-2}}";
	struct donjon_error err = { 0 };
	struct dj_arena arena = { 0 };
	struct oci_resources resources;

	(void)state;
	assert_int_equal(oci_decode_resources(good, strlen(good), &arena, &resources, &err), 0);
	assert_int_equal(resources.pids_limit.v, 5);
	assert_int_equal(oci_decode_resources(bad, strlen(bad), &arena, &resources, &err), -1);
	assert_string_equal(err.text, "linux.resources.pids.limit: must be from -1 to "
	                              "9223372036854775807, is -2");
	dj_arena_done(&arena);
}

/* ---- what engines send ---- */

static void check_fixture(const char *path)
{
	static char text[1 << 20];
	size_t n = read_whole(path, text, sizeof(text));
	struct donjon_error err = { 0 };
	struct dj_arena arena = { 0 };
	struct oci_spec spec;

	if (oci_decode(text, n, &arena, &spec, &err) < 0 || oci_validate(&spec, &err) < 0)
		fail_msg("%s: %s", path, err.text);
	if (spec.ignored.n > 0)
		fail_msg("%s: ignored %s", path, spec.ignored.v[0]);
	assert_true(spec.process.set && spec.process.args.n > 0 && spec.mounts.n > 0);
	dj_arena_done(&arena);
}

static void reads_what_engines_send(void **state)
{
	char dir[4000], path[8192];
	const struct dirent *entry;
	size_t n = 0;
	DIR *d;

	(void)state;
	corpus_path(dir, sizeof(dir), "config");
	d = opendir(dir);
	assert_non_null(d);
	while ((entry = readdir(d))) {
		if (!strstr(entry->d_name, ".json"))
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		check_fixture(path);
		n++;
	}
	(void)closedir(d);
	assert_true(n >= 30);
}

/* ---- every value of real configurations replaced by every kind of value (T36) ---- */

static size_t string_end(const char *text, size_t at)
{
	for (at++; text[at] != '"'; at++)
		at += text[at] == '\\';
	return at + 1;
}

/* One past the value that starts at `at`; the text is valid JSON. */
static size_t value_end(const char *text, size_t at)
{
	size_t depth = 0;

	do {
		if (text[at] == '"') {
			at = string_end(text, at);
			continue;
		}
		depth += strchr("[{", text[at]) != NULL;
		depth -= strchr("]}", text[at]) != NULL;
		at += depth > 0 || strchr("]}", text[at]) ? 1 : strcspn(text + at, ",]} \t\r\n");
	} while (depth > 0);
	return at;
}

/* The next value, not a name, at or after `at`; 0: none. */
static size_t next_value(const char *text, size_t at)
{
	for (; text[at]; at++) {
		size_t end;

		if (strchr(" \t\r\n,:]}", text[at]))
			continue;
		if (text[at] != '"')
			return at;
		end = string_end(text, at);
		if (text[end + strspn(text + end, " \t\r\n")] != ':')
			return at;
		at = end;
	}
	return 0;
}

static void try_mutant(const char *text, size_t at, const char *with)
{
	static char mutant[1 << 16];
	struct donjon_error err = { 0 };
	struct dj_arena arena = { 0 };
	struct oci_spec spec;

	(void)snprintf(mutant, sizeof(mutant), "%.*s%s%s", (int)at, text, with,
	               text + value_end(text, at));
	if (oci_decode(mutant, strlen(mutant), &arena, &spec, &err) == 0)
		(void)oci_validate(&spec, &err);
	if (err.code != DONJON_OK) {
		/* Valid JSON, so the message starts with a path. */
		assert_int_equal(err.code, DONJON_E_CONFIG);
		if (!strstr(err.text, ": ") || strstr(err.text, "JSON") == err.text)
			fail_msg("%s", err.text);
	}
	dj_arena_done(&arena);
}

static size_t mutate(const char *name)
{
	static const char *const values[] = {
		"null", "true", "-1", "4294967296", "\"\"", "[]", "{}"
	};
	static char text[1 << 15];
	char path[4096];
	size_t n = 0;

	corpus_path(path, sizeof(path), name);
	text[read_whole(path, text, sizeof(text) - 1)] = '\0';
	assert_true(text[0] == '{');
	for (size_t at = next_value(text, 1); at; at = next_value(text, at)) {
		for (size_t i = 0; i < DJ_COUNT(values); i++)
			try_mutant(text, at, values[i]);
		n += DJ_COUNT(values);
		/* Into objects and lists, past anything else. */
		at = strchr("[{", text[at]) ? at + 1 : value_end(text, at);
	}
	return n;
}

static void survives_every_replacement(void **state)
{
	static const char *const names[] = {
		"config/runc-spec.json",         "config/containerd-run.json",
		"config/containerd-limits.json", "config/podman-seccomp-unconfined.json",
		"config/docker-limits.json",
	};
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(names); i++)
		n += mutate(names[i]);
	assert_true(n > 10000);
}

/* OPT1: what becomes of each entry's options.  Only "remount" is left of what went to an earlier one. */
static void folds_remounts(void **state)
{
#define ENTRY(at, type, options)                                                                   \
	"{\"destination\":\"" at "\",\"type\":\"" type "\",\"source\":\"/s\",\"options\":[" options "]}"
#define TMPFS ENTRY("/a", "tmpfs", "\"ro\",\"rnosuid\",\"size=2m\",\"noatime\"")
#define BIND  ENTRY("/a", "none", "\"rbind\",\"noexec\"")
	static const struct {
		const char *mounts, *want;
	} cases[] = {
		{ TMPFS "," ENTRY("/a", "tmpfs", "\"remount\",\"exec\",\"size=1m\""),
		  "rnosuid,size=2m,noatime,exec,size=1m;remount" },
		{ TMPFS "," ENTRY("/x/..//a/", "bind", "\"remount\",\"nodev\""),
		  "rnosuid,size=2m,noatime,nodev;remount" },
		{ TMPFS "," ENTRY("/a", "tmpfs", "\"remount\"") "," ENTRY("/a", "", "\"nodev\",\"remount\""),
		  "rnosuid,size=2m,noatime,nodev;remount;remount" },
		{ TMPFS "," BIND "," ENTRY("/a", "", "\"bind\",\"remount\",\"rw\""),
		  "ro,rnosuid,size=2m,noatime;rbind,rw;remount" },
		{ TMPFS "," ENTRY("/a/b", "tmpfs", "") "," ENTRY("/a", "", "\"remount\""),
		  "rnosuid,size=2m,noatime;;remount" },
		/* what is for file systems does not go through a bind */
		{ TMPFS "," ENTRY("/a", "bind", "\"remount\",\"size=1m\""),
		  "ro,rnosuid,size=2m,noatime;remount,size=1m" },
		{ BIND "," ENTRY("/a", "ext4", "\"remount\",\"sync\""), "rbind,noexec;remount,sync" },
		{ BIND "," ENTRY("/a", "ext4", "\"remount\",\"ro\""), "rbind,ro;remount" },
		/* no earlier entry's, or not any more */
		{ ENTRY("/a", "tmpfs", "\"remount\",\"ro\"") "," TMPFS,
		  "remount,ro;ro,rnosuid,size=2m,noatime" },
		{ TMPFS "," ENTRY("/a/b", "bind", "\"rbind\",\"remount\",\"ro\""),
		  "ro,rnosuid,size=2m,noatime;remount,ro" },
		{ ENTRY("/a/b", "tmpfs", "\"ro\"") "," BIND "," ENTRY("/a/b", "", "\"remount\",\"rw\""),
		  "ro;rbind,noexec;remount,rw" },
	};

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(cases); i++) {
		struct dj_arena arena = { 0 };
		char text[1024], got[256] = "";
		struct oci_spec spec;

		(void)snprintf(text, sizeof(text), CONFIG(",\"mounts\":[%s]"), cases[i].mounts);
		decode(text, &arena, &spec);
		for (size_t m = 0; m < spec.mounts.n; m++) {
			const struct oci_mount *mount = &spec.mounts.v[m];
			size_t used = strlen(got);

			if (m > 0)
				got[used++] = ';';
			for (size_t k = 0; k < mount->options.n; k++)
				used += (size_t)snprintf(got + used, sizeof(got) - used, "%s%s", k ? "," : "",
				                         mount->options.v[k]);
			if (mount->options.n > 0 && strcmp(mount->options.v[0], "remount") == 0)
				assert_true(!mount->type && !mount->source);
		}
		assert_string_equal(got, cases[i].want);
		dj_arena_done(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses),
		cmocka_unit_test(checks_ranges),
		cmocka_unit_test(refuses_what_is_no_integer),
		cmocka_unit_test(refuses_what_is_no_64_bit),
		cmocka_unit_test(accepts_versions),
		cmocka_unit_test(null_is_absent),
		cmocka_unit_test(reads_process),
		cmocka_unit_test(reads_top_level),
		cmocka_unit_test(folds_remounts),
		cmocka_unit_test(reads_linux),
		cmocka_unit_test(reads_resources),
		cmocka_unit_test(zero_and_false_are_unset),
		cmocka_unit_test(normalises_sysctls),
		cmocka_unit_test(lists_unknown_properties),
		cmocka_unit_test(bounds_the_list_of_unknown_properties),
		cmocka_unit_test(bounds_lists),
		cmocka_unit_test(reads_full_lists),
		cmocka_unit_test(shortens_long_names),
		cmocka_unit_test(names_line_and_column),
		cmocka_unit_test(reads_a_process_alone),
		cmocka_unit_test(reads_resources_alone),
		cmocka_unit_test(reads_what_engines_send),
		cmocka_unit_test(survives_every_replacement),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
