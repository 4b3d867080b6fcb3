#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "oci.h"

#define NS(types)             "\"namespaces\":[" types "]"
#define USERNS                NS("{\"type\":\"user\"}")
#define MAP(c, h, s)          "{\"containerID\":" #c ",\"hostID\":" #h ",\"size\":" #s "}"
#define MAPS(uids, gids)      ",\"uidMappings\":[" uids "],\"gidMappings\":[" gids "]"
#define WITH_MAPS(uids, gids) LINUX(USERNS MAPS(uids, gids))
#define IDS(uid, gid, groups, maps)                                                                \
	CONFIG(",\"process\":{\"user\":{\"uid\":" #uid ",\"gid\":" #gid                            \
	       ",\"additionalGids\":[" groups                                                      \
	       "]},\"args\":[\"a\"],\"cwd\":\"/\"},\"linux\":{" USERNS maps "}")
#define TEN_MAPS MAPS(MAP(0, 1000, 10), MAP(0, 1000, 10))
#define RULE(more)                                                                                 \
	SECCOMP(",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\"}," more "]")
#define SYSCTL(ns, key, value) LINUX(NS(ns) ",\"sysctl\":{\"" key "\":\"" value "\"}")
#define NET                    "{\"type\":\"network\"}"
#define IPC                    "{\"type\":\"ipc\"}"
#define HOOK(more)             CONFIG(",\"hooks\":{\"createRuntime\":[{\"path\":\"/a\"},{" more "}]}")

#define MAPS_REFUSED                                                                               \
	"must be at most 340 ranges, none empty, none beyond 4294967295, none overlapping another"
#define ABSOLUTE  "must be an absolute path of at most 4095 bytes"
#define LINE      "must be one line of at most 4095 bytes"
#define NODE_LIST "must be a list like 0-3,7 of numbers below 1024"
#define NODES_NEEDED "needed by this mode, or of no use to it (MPOL_DEFAULT, MPOL_LOCAL)"
#define MEMORY(mode, nodes)                                                                        \
	"\"memoryPolicy\":{\"mode\":\"MPOL_" mode "\",\"nodes\":\"" nodes "\"}"
#define RDT(more) LINUX("\"intelRdt\":{" more "}")
#define GROUP     "must be \"/\" or the name of one directory, of at most 255 bytes"
#define SCHEMA    "must be one line of at most 4095 bytes like L3:0=ff;1=ff"
#define UNMAPPED  "is not mapped in the user namespace"
#define INTERFACE "must be the name of a network interface"
#define HOSTS     "belongs to a namespace that the container shares with the host"
#define REMOUNT                                                                                    \
	"a remount changes the flags of a mount, and settings only of a file system that an earlier "  \
	"entry mounted there"
#define NO_NAME   "is no name of a sysctl"

static const struct refused refused[] = {
	/* top level */
	{ "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"\"}}",
	  "root.path: must be a path of 1 to 4095 bytes" },
	{ CONFIG(",\"hostname\":\"h\""), "hostname: needs a uts namespace" },
	{ CONFIG(",\"domainname\":\"d\""), "domainname: needs a uts namespace" },
	{ CONFIG(",\"hostname\":\"h\\nx\",\"linux\":{\"namespaces\":[{\"type\":\"uts\"}]}"),
	  "hostname: must be one line of at most 64 bytes" },
	{ CONFIG(",\"hostname\":"
	         "\"0123456789012345678901234567890123456789012345678901234567890123x\","
	         "\"linux\":{\"namespaces\":[{\"type\":\"uts\"}]}"),
	  "hostname: must be one line of at most 64 bytes" },

	/* mounts */
	{ CONFIG(",\"mounts\":[{\"destination\":\"\"}]"),
	  "mounts[0].destination: must be a path of 1 to 4095 bytes" },
	{ MOUNT(",\"gidMappings\":[" MAP(0, 5, 4294967291) "]"),
	  "mounts[1].gidMappings: " MAPS_REFUSED },
	{ MOUNT(",\"uidMappings\":[" MAP(0, 0, 1) "]"),
	  "mounts[1]: uidMappings and gidMappings must come together" },
	{ MOUNT("},{\"destination\":\"/c\",\"options\":[\"ro\",\"nosuid\"]"), "mounts[2].type: missing" },
	{ MOUNT(",\"options\":[\"ro\",\"\"]"), "mounts[1].options: an option is empty" },
	{ MOUNT("},{\"destination\":\"/c\",\"options\":[\"remount\",\"size=1m\"]"), "mounts[2].options: " REMOUNT },
	{ MOUNT("},{\"destination\":\"/b\",\"options\":[\"bind\",\"remount\",\"sync\"]"), "mounts[2].options: " REMOUNT },
	{ MOUNT(",\"options\":[\"bind\",\"idmap\"]"),
	  "mounts[1].options: idmap needs id mappings or a user namespace" },
	{ MOUNT(",\"options\":[\"rbind\",\"ridmap\"]"),
	  "mounts[1].options: idmap needs id mappings or a user namespace" },

	/* process */
	{ CONFIG(",\"process\":{\"user\":{\"uid\":0,\"gid\":0},\"cwd\":\"/\"}"),
	  "process.args: must name a program" },
	{ CONFIG(",\"process\":{\"user\":{\"uid\":0,\"gid\":0},\"args\":[],\"cwd\":\"/\"}"),
	  "process.args: must name a program" },
	{ CONFIG(",\"process\":{\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"a\"],\"cwd\":\"w\"}"),
	  "process.cwd: " ABSOLUTE },
	{ CONFIG(",\"process\":{\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"a\"],\"cwd\":\"\"}"),
	  "process.cwd: " ABSOLUTE },
	{ PROCESS(",\"env\":[\"A=b\",\"AB\"]"), "process.env[1]: must be NAME=VALUE" },
	{ PROCESS(",\"env\":[\"=b\"]"), "process.env[0]: must be NAME=VALUE" },
	{ PROCESS(",\"env\":[\"\"]"), "process.env[0]: must be NAME=VALUE" },
	{ PROCESS(",\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":1},"
	          "{\"type\":\"RLIMIT_AS\",\"soft\":2,\"hard\":1}]"),
	  "process.rlimits[1].soft: must not be greater than the hard limit" },
	{ PROCESS(",\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":1},"
	          "{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":1}]"),
	  "process.rlimits: lists a resource limit twice" },
	{ PROCESS(",\"apparmorProfile\":\"a\\nb\""), "process.apparmorProfile: " LINE },
	{ PROCESS(",\"selinuxLabel\":\"a\\u001bb\""), "process.selinuxLabel: " LINE },
	{ PROCESS(",\"scheduler\":{\"policy\":\"SCHED_ISO\"}"),
	  "process.scheduler.policy: SCHED_ISO is not in Linux" },
	{ PROCESS(",\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"priority\":1}"),
	  "process.scheduler.priority: needs SCHED_FIFO or SCHED_RR" },
	{ PROCESS(",\"scheduler\":{\"policy\":\"SCHED_RR\",\"period\":1}"),
	  "process.scheduler: runtime, deadline and period need SCHED_DEADLINE" },
	{ PROCESS(",\"execCPUAffinity\":{\"initial\":\"0-3;1\"}"),
	  "process.execCPUAffinity.initial: must be a list like 0-3,7 of numbers below 8192" },
	{ PROCESS(",\"execCPUAffinity\":{\"final\":\"a\"}"),
	  "process.execCPUAffinity.final: must be a list like 0-3,7 of numbers below 8192" },

	/* ids (T40) */
	{ IDS(10, 0, "", TEN_MAPS), "process.user.uid: " UNMAPPED },
	{ IDS(0, 10, "", TEN_MAPS), "process.user.gid: " UNMAPPED },
	{ IDS(9, 9, "9,10", TEN_MAPS), "process.user.additionalGids[1]: " UNMAPPED },
	{ IDS(0, 0, "", MAPS(MAP(5, 1000, 10), MAP(0, 1000, 10))), "process.user.uid: " UNMAPPED },
	{ WITH_MAPS(MAP(0, 0, 1), MAP(1, 0, 4294967295)), "linux.gidMappings: " MAPS_REFUSED },
	{ WITH_MAPS(MAP(0, 0, 10) "," MAP(9, 100, 1), MAP(0, 0, 1)),
	  "linux.uidMappings: " MAPS_REFUSED },
	{ WITH_MAPS(MAP(0, 100, 10) "," MAP(20, 109, 1), MAP(0, 0, 1)),
	  "linux.uidMappings: " MAPS_REFUSED },
	{ WITH_MAPS(MAP(20, 9, 1) "," MAP(0, 0, 10), MAP(0, 0, 1)),
	  "linux.uidMappings: " MAPS_REFUSED },
	{ WITH_MAPS("", MAP(0, 0, 1)),
	  "linux.gidMappings: uidMappings and gidMappings must come together" },
	{ WITH_MAPS(MAP(0, 0, 1), ""),
	  "linux.gidMappings: uidMappings and gidMappings must come together" },
	{ WITH_MAPS("", ""), "linux.uidMappings: missing: a new user namespace needs id mappings" },
	{ LINUX("\"uidMappings\":[" MAP(0, 0, 1) "],\"gidMappings\":[" MAP(0, 0, 1) "]"),
	  "linux.uidMappings: needs a user namespace" },

	/* hooks */
	{ HOOK("\"path\":\"b\""), "hooks.createRuntime[1].path: " ABSOLUTE },
	{ HOOK("\"path\":\"\""), "hooks.createRuntime[1].path: " ABSOLUTE },
	{ HOOK("\"path\":\"/b\",\"env\":[\"A=1\",\"B\"]"),
	  "hooks.createRuntime[1].env: must be a list of NAME=VALUE" },
	{ CONFIG(",\"hooks\":{\"poststop\":[{\"path\":\"b\"}]}"),
	  "hooks.poststop[0].path: " ABSOLUTE },

	/* linux */
	{ LINUX(NS("{\"type\":\"uts\",\"path\":\"x\"}")), "linux.namespaces[uts].path: " ABSOLUTE },
	{ LINUX(NS("{\"type\":\"pid\"},{\"type\":\"time\",\"path\":\"proc/1/ns/time\"}")),
	  "linux.namespaces[time].path: " ABSOLUTE },
	{ LINUX("\"timeOffsets\":{\"monotonic\":{\"secs\":1}}"),
	  "linux.timeOffsets: needs a time namespace without path" },
	{ LINUX(NS("{\"type\":\"time\",\"path\":\"/x\"}") ",\"timeOffsets\":{\"boottime\":{"
	                                                  "\"secs\":1}}"),
	  "linux.timeOffsets: needs a time namespace without path" },
	{ LINUX("\"maskedPaths\":[\"/proc/kcore\"]"),
	  "linux.maskedPaths: needs a mount namespace" },
	{ LINUX("\"readonlyPaths\":[\"/proc/sys\"]"),
	  "linux.readonlyPaths: needs a mount namespace" },
	{ LINUX(NS("{\"type\":\"mount\"}") ",\"maskedPaths\":[\"/a\",\"b\"]"),
	  "linux.maskedPaths[1]: " ABSOLUTE },
	{ LINUX(NS("{\"type\":\"mount\"}") ",\"readonlyPaths\":[\"\"]"),
	  "linux.readonlyPaths[0]: " ABSOLUTE },
	{ LINUX("\"netDevices\":{\"eth0\":{}}"), "linux.netDevices: needs a network namespace" },
	{ LINUX(NS(NET) ",\"netDevices\":{\"eth/0\":{}}"),
	  "linux.netDevices[\"eth/0\"]: " INTERFACE },
	{ LINUX(NS(NET) ",\"netDevices\":{\"0123456789abcdef\":{}}"),
	  "linux.netDevices.0123456789abcdef: " INTERFACE },
	{ LINUX(NS(NET) ",\"netDevices\":{\"eth0\":{\"name\":\"..\"}}"),
	  "linux.netDevices.eth0.name: " INTERFACE },
	{ LINUX(MEMORY("BIND", "")), "linux.memoryPolicy.nodes: " NODES_NEEDED },
	{ LINUX(MEMORY("LOCAL", "0")), "linux.memoryPolicy.nodes: " NODES_NEEDED },
	{ LINUX(MEMORY("DEFAULT", "0")), "linux.memoryPolicy.nodes: " NODES_NEEDED },
	{ LINUX(MEMORY("BIND", "0-")), "linux.memoryPolicy.nodes: " NODE_LIST },
	{ LINUX(MEMORY("BIND", "3-1")), "linux.memoryPolicy.nodes: " NODE_LIST },
	{ LINUX(MEMORY("BIND", "1,,2")), "linux.memoryPolicy.nodes: " NODE_LIST },
	{ LINUX(MEMORY("BIND", "1024")), "linux.memoryPolicy.nodes: " NODE_LIST },
	{ LINUX(MEMORY("BIND", "99999999999999999999")), "linux.memoryPolicy.nodes: " NODE_LIST },
	{ LINUX("\"mountLabel\":\"a\\\"b\""),
	  "linux.mountLabel: must not contain quotes or backslashes" },
	{ LINUX("\"mountLabel\":\"a\\nb\""), "linux.mountLabel: " LINE },
	{ LINUX("\"devices\":[{\"type\":\"c\",\"path\":\"dev/x\",\"major\":1,\"minor\":1}]"),
	  "linux.devices[0].path: " ABSOLUTE },
	{ LINUX("\"devices\":[{\"type\":\"c\",\"path\":\"/dev/x\",\"major\":1}]"),
	  "linux.devices[0]: needs major and minor" },
	{ LINUX("\"devices\":[{\"type\":\"p\",\"path\":\"/x\"},{\"type\":\"b\",\"path\":\"/x\","
	        "\"minor\":0}]"),
	  "linux.devices[1]: needs major and minor" },

	/* groups of resctrl (P55, P56) */
	{ RDT("\"closID\":\"a/b\""), "linux.intelRdt.closID: " GROUP },
	{ RDT("\"closID\":\"/a\""), "linux.intelRdt.closID: " GROUP },
	{ RDT("\"closID\":\".\""), "linux.intelRdt.closID: " GROUP },
	{ RDT("\"closID\":\"..\""), "linux.intelRdt.closID: " GROUP },
	{ RDT("\"closID\":\"a\\nb\""), "linux.intelRdt.closID: " GROUP },
	{ RDT("\"l3CacheSchema\":\"L3:0=f\\nMB:0=10\""), "linux.intelRdt.l3CacheSchema: " SCHEMA },
	{ RDT("\"l3CacheSchema\":\"0=f\""), "linux.intelRdt.l3CacheSchema: " SCHEMA },
	{ RDT("\"memBwSchema\":\"MB:0=10\\n\""), "linux.intelRdt.memBwSchema: " SCHEMA },
	{ RDT("\"memBwSchema\":\"L3:0=f\""), "linux.intelRdt.memBwSchema: must start with \"MB:\"" },
	{ RDT("\"schemata\":[\"L3:0=f\",\"MB:0=10\\n\"]"), "linux.intelRdt.schemata[1]: " SCHEMA },
	{ RDT("\"schemata\":[\"\"]"), "linux.intelRdt.schemata[0]: " SCHEMA },

	/* cgroupsPath (T46) */
	{ LINUX("\"cgroupsPath\":\"/a/../b\""), "linux.cgroupsPath: must not contain \"..\"" },
	{ LINUX("\"cgroupsPath\":\"..\""), "linux.cgroupsPath: must not contain \"..\"" },
	{ LINUX("\"cgroupsPath\":\"a.slice:..:c\""), "linux.cgroupsPath: must not contain \"..\"" },
	{ LINUX("\"cgroupsPath\":\"/a\\nb\""), "linux.cgroupsPath: " LINE },

	/* sysctl (T43) */
	{ SYSCTL("", "net.ipv4.ip_forward", "1"), "linux.sysctl[\"net.ipv4.ip_forward\"]: " HOSTS },
	{ SYSCTL(NET, "kernel.msgmax", "1"), "linux.sysctl[\"kernel.msgmax\"]: " HOSTS },
	{ SYSCTL(NET, "fs.mqueue.msg_max", "1"), "linux.sysctl[\"fs.mqueue.msg_max\"]: " HOSTS },
	{ SYSCTL(NET, "user.max_user_namespaces", "1"),
	  "linux.sysctl[\"user.max_user_namespaces\"]: " HOSTS },
	{ SYSCTL(NET, "kernel.domainname", "x"), "linux.sysctl[\"kernel.domainname\"]: " HOSTS },
	{ SYSCTL("{\"type\":\"uts\"}", "kernel.hostname", "x"),
	  "linux.sysctl[\"kernel.hostname\"]: use the property hostname" },
	{ SYSCTL(NET "," IPC, "kernel.core_pattern", "x"),
	  "linux.sysctl[\"kernel.core_pattern\"]: belongs to the host, not to a namespace" },
	{ SYSCTL(NET "," IPC, "vm.swappiness", "1"),
	  "linux.sysctl[\"vm.swappiness\"]: belongs to the host, not to a namespace" },
	{ SYSCTL(NET "," IPC, "kernel.msgmax2", "1"),
	  "linux.sysctl[\"kernel.msgmax2\"]: belongs to the host, not to a namespace" },
	{ SYSCTL(NET, "net", "1"),
	  "linux.sysctl.net: belongs to the host, not to a namespace" },
	{ SYSCTL(NET, "net.", "1"), "linux.sysctl[\"net.\"]: " NO_NAME },
	{ SYSCTL(NET, ".net.x", "1"), "linux.sysctl[\".net.x\"]: " NO_NAME },
	{ SYSCTL(NET, "net..x", "1"), "linux.sysctl[\"net..x\"]: " NO_NAME },
	{ SYSCTL(NET, "net//x", "1"), "linux.sysctl[\"net..x\"]: " NO_NAME },
	{ SYSCTL(NET, "net/../kernel/core_pattern", "1"),
	  "linux.sysctl[\"net.//.kernel.core_pattern\"]: " NO_NAME },
	{ SYSCTL(NET, "net.//.kernel.x", "1"), "linux.sysctl[\"net.//.kernel.x\"]: " NO_NAME },
	{ SYSCTL(NET, "net.a\\nb", "1"), "linux.sysctl[\"net.a\nb\"]: " NO_NAME },
	{ SYSCTL(NET, "net.a", "1\\n2"), "linux.sysctl[\"net.a\"]: " LINE },
	{ LINUX(NS(NET) ",\"sysctl\":{\"net.a\":\"1\",\"net/a\":\"2\"}"),
	  "linux.sysctl[\"net.a\"]: is listed twice, with '.' and with '/'" },

	/* resources (T45) */
	{ RESOURCES(
	          "\"devices\":[{\"access\":\"r\"},{\"type\":\"a\",\"major\":8,\"access\":\"r\"}]"),
	  "linux.resources.devices[1]: type a takes no major and minor" },
	{ RESOURCES("\"memory\":{\"swap\":5}"),
	  "linux.resources.memory.swap: must be at least memory.limit, which it includes" },
	{ RESOURCES("\"memory\":{\"limit\":6,\"swap\":5}"),
	  "linux.resources.memory.swap: must be at least memory.limit, which it includes" },
	{ RESOURCES("\"memory\":{\"limit\":-1,\"swap\":5}"),
	  "linux.resources.memory.swap: must be at least memory.limit, which it includes" },
	{ RESOURCES("\"cpu\":{\"cpus\":\"0\\n1\"}"),
	  "linux.resources.cpu.cpus: must be a list like 0-3,7" },
	{ RESOURCES("\"cpu\":{\"mems\":\"x\"}"),
	  "linux.resources.cpu.mems: must be a list like 0-3,7" },
	{ RESOURCES("\"cpu\":{\"burst\":5}"),
	  "linux.resources.cpu.burst: must not be greater than the quota" },
	{ RESOURCES("\"cpu\":{\"quota\":4,\"burst\":5}"),
	  "linux.resources.cpu.burst: must not be greater than the quota" },
	{ RESOURCES("\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":0}]}"),
	  "linux.resources.blockIO.weightDevice[0]: needs weight or leafWeight" },
	{ RESOURCES("\"network\":{\"priorities\":[{\"name\":\"a b\",\"priority\":1}]}"),
	  "linux.resources.network.priorities[0].name: " INTERFACE },
	{ RESOURCES("\"rdma\":{\"mlx 5\":{\"hcaHandles\":1}}"),
	  "linux.resources.rdma[\"mlx 5\"]: must be the name of a device" },
	{ RESOURCES("\"rdma\":{\"mlx5\":{}}"),
	  "linux.resources.rdma.mlx5: needs hcaHandles or hcaObjects" },
	{ RESOURCES("\"unified\":{\"a/b\":\"1\"}"),
	  "linux.resources.unified[\"a/b\"]: must be the name of a cgroup file" },
	{ RESOURCES("\"unified\":{\"..\":\"1\"}"),
	  "linux.resources.unified[\"..\"]: must be the name of a cgroup file" },
	{ RESOURCES("\"unified\":{\"a\\nb\":\"1\"}"),
	  "linux.resources.unified[\"a\nb\"]: must be the name of a cgroup file" },

	/* seccomp (T42) */
	{ LINUX("\"seccomp\":{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}"),
	  "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be the default" },
	{ LINUX("\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"defaultErrnoRet\":1}"),
	  "linux.seccomp.defaultErrnoRet: the default action returns no errno" },
	{ SECCOMP(",\"defaultErrnoRet\":4096"),
	  "linux.seccomp.defaultErrnoRet: must be from 0 to 4095" },
	{ SECCOMP(",\"listenerPath\":\"@abstract\""), "linux.seccomp.listenerPath: " ABSOLUTE },
	{ SECCOMP(",\"listenerMetadata\":\"x\""),
	  "linux.seccomp.listenerMetadata: needs listenerPath" },
	{ RULE("{\"names\":[\"a\"],\"action\":\"SCMP_ACT_NOTIFY\"}"),
	  "linux.seccomp.listenerPath: missing: SCMP_ACT_NOTIFY needs it" },
	{ RULE("{\"names\":[],\"action\":\"SCMP_ACT_LOG\"}"),
	  "linux.seccomp.syscalls[1].names: must name system calls" },
	{ RULE("{\"names\":[\"a\",\"\"],\"action\":\"SCMP_ACT_LOG\"}"),
	  "linux.seccomp.syscalls[1].names: must name system calls" },
	{ RULE("{\"names\":[\"a\"],\"action\":\"SCMP_ACT_KILL\",\"errnoRet\":0}"),
	  "linux.seccomp.syscalls[1].errnoRet: the action returns no errno" },
	{ RULE("{\"names\":[\"a\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":4096}"),
	  "linux.seccomp.syscalls[1].errnoRet: must be from 0 to 4095" },
};

static int validate(const char *text, struct donjon_error *err)
{
	struct donjon_error decode_err = { 0 };
	struct dj_arena arena = { 0 };
	struct oci_spec spec;
	int rc;

	if (oci_decode(text, strlen(text), &arena, &spec, &decode_err) < 0)
		fail_msg("%s: %s", text, decode_err.text);
	rc = oci_validate(&spec, err);
	dj_arena_done(&arena);
	return rc;
}

static void refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < DJ_COUNT(refused); i++) {
		struct donjon_error err = { 0 };

		if (validate(refused[i].text, &err) == 0)
			fail_msg("accepted: %s", refused[i].text);
		assert_int_equal(err.code, DONJON_E_CONFIG);
		assert_string_equal(err.text, refused[i].message);
	}
}

/* The other side of each border. */
static const char *const accepted[] = {
	CONFIG(""),
	CONFIG(",\"hostname\":\"0123456789012345678901234567890123456789012345678901234567890123\","
	       "\"linux\":{\"namespaces\":[{\"type\":\"uts\"}]}"),
	CONFIG(",\"hostname\":\"h\",\"domainname\":\"d\",\"linux\":{\"namespaces\":[{\"type\":"
	       "\"uts\","
	       "\"path\":\"/proc/1/ns/uts\"}]}"),
	MOUNT(",\"options\":[\"idmap\"],\"uidMappings\":[" MAP(0, 0, 1) "],\"gidMappings\":[" MAP(
	        0, 0, 1) "]"),
	CONFIG(",\"mounts\":[{\"destination\":\"relative\",\"options\":[\"bind\",\"idmap\"]}],\"linux\":"
	       "{" USERNS MAPS(MAP(0, 1, 1), MAP(0, 1, 1)) "}"),
	MOUNT("},{\"destination\":\"/c\",\"options\":[\"rbind\",\"ro\"]"),
	MOUNT("},{\"destination\":\"/c\",\"options\":[\"remount\",\"ro\"]"),
	MOUNT("},{\"destination\":\"/b\",\"options\":[\"remount\",\"ro\",\"hidepid=2\",\"sync\"]"),
	CONFIG(",\"process\":{\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"\"],\"cwd\":\"/\"}"),
	PROCESS(",\"env\":[\"A=\",\"B==\",\"C=\\n\"]"),
	PROCESS(",\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":18446744073709551615,"
	        "\"hard\":18446744073709551615}]"),
	PROCESS(",\"scheduler\":{\"policy\":\"SCHED_FIFO\",\"priority\":99}"),
	PROCESS(",\"scheduler\":{\"policy\":\"SCHED_DEADLINE\",\"runtime\":1,\"deadline\":2}"),
	IDS(9, 9, "0,9", TEN_MAPS),
	IDS(4294967294, 0, "", MAPS(MAP(0, 0, 4294967295), MAP(0, 0, 4294967295))),
	LINUX(NS("{\"type\":\"user\",\"path\":\"/proc/1/ns/user\"}")),
	WITH_MAPS(MAP(0, 0, 10) "," MAP(10, 10, 5), MAP(0, 0, 1)),
	HOOK("\"path\":\"/b\",\"env\":[]"),
	LINUX(NS("{\"type\":\"time\"}") ",\"timeOffsets\":{\"boottime\":{\"secs\":-1}}"),
	LINUX("\"maskedPaths\":[],\"readonlyPaths\":[]"),
	LINUX("\"devices\":[{\"type\":\"p\",\"path\":\"/x\"}]"),
	LINUX(NS(NET) ",\"netDevices\":{\"0123456789abcde\":{\"name\":\"eth%d\"}}"),
	LINUX(MEMORY("BIND", "0-3,7,1023")),
	LINUX(MEMORY("PREFERRED", "")),
	LINUX(MEMORY("LOCAL", "")),
	RDT(""),
	RDT("\"closID\":\"/\",\"enableMonitoring\":true"),
	RDT("\"closID\":\"a..b\",\"l3CacheSchema\":\"L3CODE:0=f\",\"memBwSchema\":\"MB:0=10;1=20\","
	    "\"schemata\":[\"L2:0=f\"]"),
	LINUX("\"mountLabel\":\"system_u:object_r:container_file_t:s0:c1,c2\""),
	LINUX("\"cgroupsPath\":\"/a..b/...\""),
	LINUX("\"cgroupsPath\":\"user.slice:libpod:0123\""),
	SYSCTL(NET, "net.ipv4.ping_group_range", "0\\t0"),
	SYSCTL(NET, "net/ipv4/conf/eth0.1/forwarding", "1"),
	SYSCTL("{\"type\":\"network\",\"path\":\"/n\"}", "net.ipv4.ip_unprivileged_port_start",
	       "0"),
	SYSCTL(IPC, "kernel.shm_rmid_forced", "1"),
	SYSCTL(IPC, "fs.mqueue.queues_max", "1"),
	SYSCTL("{\"type\":\"uts\"}", "kernel.domainname", "x"),
	LINUX(USERNS MAPS(MAP(0, 0, 1),
	                  MAP(0, 0, 1)) ",\"sysctl\":{\"user.max_user_namespaces\":\"0\"}"),
	RESOURCES("\"memory\":{\"limit\":5,\"swap\":5}"),
	RESOURCES("\"memory\":{\"limit\":5,\"swap\":-1}"),
	RESOURCES("\"memory\":{\"swap\":-1}"),
	RESOURCES("\"cpu\":{\"quota\":5,\"burst\":5,\"cpus\":\"0-3,7\"}"),
	RESOURCES("\"unified\":{\"memory.high\":\"1\\n2\"}"),
	RESOURCES("\"devices\":[{\"type\":\"c\",\"major\":-1,\"minor\":-1,\"access\":\"m\"}]"),
	LINUX("\"seccomp\":{\"defaultAction\":\"SCMP_ACT_TRACE\",\"defaultErrnoRet\":65535}"),
	SECCOMP(",\"listenerPath\":\"/"
	        "s\",\"listenerMetadata\":\"x\",\"syscalls\":[{\"names\":[\"write\"],"
	        "\"action\":\"SCMP_ACT_NOTIFY\"}]"),
	RULE("{\"names\":[\"no_such_call\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":4095}"),
};

static void accepts(void **state)
{
	(void)state;
	for (size_t i = 0; i < DJ_COUNT(accepted); i++) {
		struct donjon_error err = { 0 };

		if (validate(accepted[i], &err) < 0)
			fail_msg("%s: %s", accepted[i], err.text);
	}
}

static void checks_page_sizes(void **state)
{
	static const struct {
		const char *size;
		bool valid;
	} cases[] = {
		{ "2MB", true },     { "1GB", true },
		{ "64KB", true },    { "1048576KB", true },
		{ "", false },       { "MB", false },
		{ "0MB", false },    { "02MB", false },
		{ "2mb", false },    { "2M", false },
		{ "2 MB", false },   { "2MB ", false },
		{ "../2MB", false }, { "2MB/x", false },
		{ "-2MB", false },   { "2MB\\n", false },
		{ "2TB", false },    { "2.5MB", false },
		{ "1KBMB", false },  { "99999999999999999999MB", false },
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(cases); i++) {
		struct donjon_error err = { 0 };

		(void)snprintf(text, sizeof(text),
		               "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"linux\":{"
		               "\"resources\":{"
		               "\"hugepageLimits\":[{\"pageSize\":\"%s\",\"limit\":1}]}}}",
		               cases[i].size);
		assert_int_equal(validate(text, &err), cases[i].valid ? 0 : -1);
		if (!cases[i].valid)
			assert_string_equal(err.text, "linux.resources.hugepageLimits[0].pageSize: "
			                              "must be a size like 64KB, 2MB or 1GB");
	}
}

/* The kernel takes 340 lines and no more. */
static void counts_id_maps(void **state)
{
	struct oci_id_map map[341];
	struct oci_spec spec = { .root.path = (char[]){ "r" },
		                 .linux = { .set = true, .namespaces[OCI_NS_USER].set = true } };
	struct donjon_error err = { 0 };

	(void)state;
	for (uint32_t i = 0; i < DJ_COUNT(map); i++)
		map[i] = (struct oci_id_map){ i, 1000 + i, 1 };
	spec.linux.uid_mappings = spec.linux.gid_mappings = (struct oci_id_maps){ map, 340 };
	assert_int_equal(oci_validate(&spec, &err), 0);
	spec.linux.uid_mappings.n = 341;
	assert_int_equal(oci_validate(&spec, &err), -1);
	assert_string_equal(err.text, "linux.uidMappings: " MAPS_REFUSED);
}

/* 4095 bytes are a path, 4096 are not (T39). */
static void bounds_paths(void **state)
{
	static const struct {
		const char *before, *after, *message;
	} cases[] = {
		{ "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"", "\"}}",
		  "root.path: must be a path of 1 to 4095 bytes" },
		{ "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"mounts\":[{"
		  "\"type\":\"proc\",\"destination\":\"",
		  "\"}]}", "mounts[0].destination: must be a path of 1 to 4095 bytes" },
		{ "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"mounts\":[{"
		  "\"type\":\"proc\",\"destination\":\"/\","
		  "\"source\":\"",
		  "\"}]}", "mounts[0].source: must be a path of 1 to 4095 bytes" },
		{ "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"process\":{\"user\":{"
		  "\"uid\":0,"
		  "\"gid\":0},\"args\":[\"a\"],\"cwd\":\"",
		  "\"}}", "process.cwd: " ABSOLUTE },
		{ "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"linux\":{\"cgroupsPath\":"
		  "\"",
		  "\"}}", "linux.cgroupsPath: " LINE },
	};
	static char path[4097], text[8192];

	(void)state;
	memset(path, '/', sizeof(path) - 1);
	for (size_t i = 0; i < DJ_COUNT(cases); i++) {
		struct donjon_error err = { 0 };

		(void)snprintf(text, sizeof(text), "%s%s%s", cases[i].before, path + 1,
		               cases[i].after);
		assert_int_equal(validate(text, &err), 0);
		(void)snprintf(text, sizeof(text), "%s%s%s", cases[i].before, path, cases[i].after);
		assert_int_equal(validate(text, &err), -1);
		assert_string_equal(err.text, cases[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses),           cmocka_unit_test(accepts),
		cmocka_unit_test(checks_page_sizes), cmocka_unit_test(counts_id_maps),
		cmocka_unit_test(bounds_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
