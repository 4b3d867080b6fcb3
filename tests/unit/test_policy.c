/*
 * Policy: each row of the level table with what it does to a fragment of config.json, and the
 * promises that hold for every document: refusals are one short line no caller misreads, the
 * override a refusal names is accepted, hardening twice changes nothing, nothing ever widens.
 */
#include "base/cleanup.h"
#include "oci/decode.h"
#include "policy/policy.h"

#include <dirent.h>
#include <linux/audit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include <cmocka.h>

/* Fragments are written with single quotes. */
#define NAMESPACES                                                                                 \
	"{'type':'pid'},{'type':'network'},{'type':'mount'},{'type':'ipc'},{'type':'uts'},"        \
	"{'type':'cgroup'}"
#define LINUX(extra)            "'namespaces':[" NAMESPACES "]" extra
#define USERNS(extra)           "'namespaces':[" NAMESPACES ",{'type':'user'}]," extra
#define PROCESS_AS(user, extra) "'user':{" user "},'args':['x'],'cwd':'/'" extra
#define PROCESS(extra)          PROCESS_AS("'uid':1000,'gid':1000", extra)
#define ID                      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CAPS(bounding, effective, ambient)                                                         \
	",'capabilities':{'bounding':[" bounding "],'effective':[" effective                       \
	"],'permitted':[" bounding "],'inheritable':[" ambient "],'ambient':[" ambient "]}"

static const char *const default_process = PROCESS("");
static const char *const default_linux = LINUX("");

static const struct host_facts host = {
	.initial_userns = true,
	.cap_last = 40,
	.caps = 0x1ffffffffff,
	.memory_bytes = UINT64_C(8) << 30,
	.arch = AUDIT_ARCH_X86_64,
	.id_range = 0x70000000,
	.cgroup_mode = HOST_CGROUP_V2,
};

struct run {
	struct dj_arena arena;
	struct oci_spec before, spec;
	struct policy_result result;
	struct donjon_error err;
	int r;
};

static char *json_text(struct dj_arena *arena, const char *process, const char *linux_,
                       const char *mounts, const char *top)
{
	char *text = dj_arena_printf(
	        arena,
	        "{'ociVersion':'1.0.2','root':{'path':'rootfs'},'process':{%s},"
	        "'linux':{%s},'mounts':[%s]%s}",
	        process ? process : default_process, linux_ ? linux_ : default_linux,
	        mounts ? mounts : "", top ? top : "");

	for (char *p = text; *p; p++)
		if (*p == '\'')
			*p = '"';
	return text;
}

static void decode(struct run *run, const char *text, struct oci_spec *out)
{
	struct donjon_error err = { 0 };

	if (oci_decode(text, strlen(text), &run->arena, out, &err) < 0)
		fail_msg("%s in %s", err.text, text);
}

static void apply(struct run *run, const char *text, const struct host_facts *facts,
                  const struct policy_request *request)
{
	*run = (struct run){ 0 };
	decode(run, text, &run->before);
	decode(run, text, &run->spec);
	run->r = policy_apply(&run->spec, facts, request, &run->arena, &run->result, &run->err);
}

static void add_override(struct policy_request *request, const char *text, struct dj_arena *arena)
{
	struct policy_override *v = dj_arena_array(arena, request->overrides.n + 1, sizeof(*v));
	struct donjon_error err = { 0 };

	if (request->overrides.n)
		memcpy(v, request->overrides.v, request->overrides.n * sizeof(*v));
	request->overrides.v = v;
	if (policy_override_parse(text, arena, &v[request->overrides.n], &err) < 0)
		fail_msg("%s", err.text);
	request->overrides.n++;
}

/* --- the level table ------------------------------------------------------------------------ */

enum want { NOTHING, CHANGED, REFUSED, NOTED };

struct row {
	const char *check;
	enum want want;
	const char *text;     /* "pointer: before -> after", or a part of what was found or noted */
	const char *override; /* given to the run */
	const char *process, *linux_, *mounts, *top;
};

#define DEFAULT_SETS CAPS("'CAP_CHOWN','CAP_NET_RAW'", "'CAP_CHOWN'", "'CAP_CHOWN'")
#define LOW_PORTS    CAPS("'CAP_NET_BIND_SERVICE'", "'CAP_NET_BIND_SERVICE'", "")
#define BIND(source, destination, options)                                                         \
	"{'destination':'" destination "','type':'bind','source':'" source                         \
	"','options':['rbind','nosuid',"                                                           \
	"'nodev','rnosuid','rnodev'" options "]}"
#define FORTY                                                                                      \
	"'CAP_CHOWN','CAP_DAC_OVERRIDE','CAP_DAC_READ_SEARCH','CAP_FOWNER','CAP_FSETID','CAP_"     \
	"KILL',"                                                                                   \
	"'CAP_SETGID','CAP_SETUID','CAP_SETPCAP','CAP_LINUX_IMMUTABLE','CAP_NET_BIND_SERVICE',"    \
	"'CAP_NET_BROADCAST','CAP_NET_ADMIN','CAP_NET_RAW','CAP_IPC_LOCK','CAP_IPC_OWNER',"        \
	"'CAP_SYS_MODULE','CAP_SYS_RAWIO','CAP_SYS_CHROOT','CAP_SYS_PTRACE','CAP_SYS_PACCT',"      \
	"'CAP_SYS_ADMIN','CAP_SYS_BOOT','CAP_SYS_NICE','CAP_SYS_RESOURCE','CAP_SYS_TIME',"         \
	"'CAP_SYS_TTY_CONFIG','CAP_MKNOD','CAP_LEASE','CAP_AUDIT_WRITE','CAP_AUDIT_CONTROL',"      \
	"'CAP_SETFCAP','CAP_MAC_OVERRIDE','CAP_MAC_ADMIN','CAP_SYSLOG','CAP_WAKE_ALARM',"          \
	"'CAP_BLOCK_SUSPEND','CAP_AUDIT_READ','CAP_PERFMON','CAP_BPF'"

#define FOUR_PATHS    "/lib:/lib:/lib:/lib:"
#define SIXTEEN_PATHS FOUR_PATHS FOUR_PATHS FOUR_PATHS FOUR_PATHS
#define MANY_PATHS    SIXTEEN_PATHS SIXTEEN_PATHS SIXTEEN_PATHS SIXTEEN_PATHS

/* clang-format off */
static const struct row rows[] = {
	{ "caps.privileged", REFUSED, "nearly", .process = PROCESS(CAPS(FORTY, FORTY, "")) },
	{ "caps.bounding", NOTHING, .process = PROCESS("") },
	{ "caps.bounding", CHANGED, "/process/capabilities/bounding: CAP_CHOWN,CAP_NET_RAW -> ",
	  .process = PROCESS(DEFAULT_SETS) },
	{ "caps.bounding", CHANGED, "/process/capabilities/bounding: CAP_CHOWN,CAP_NET_RAW -> CAP_CHOWN",
	  "caps.bounding=CAP_CHOWN:x", .process = PROCESS(DEFAULT_SETS) },
	{ "caps.bounding", REFUSED, "asks for CAP_NET_ADMIN,CAP_SYS_ADMIN",
	  .process = PROCESS(CAPS("'CAP_SYS_ADMIN','CAP_NET_ADMIN','CAP_CHOWN'", "", "")) },
	{ "caps.bounding", REFUSED, "asks for CAP_SYS_ADMIN", "caps.bounding=CAP_NET_ADMIN:x",
	  .process = PROCESS(CAPS("'CAP_SYS_ADMIN','CAP_NET_ADMIN'", "", "")) },
	{ "caps.effective", CHANGED, "/process/capabilities/effective: CAP_CHOWN -> ",
	  .process = PROCESS(DEFAULT_SETS) },
	{ "caps.effective", CHANGED, "/process/capabilities/permitted: CAP_CHOWN,CAP_NET_RAW -> CAP_CHOWN",
	  "caps.bounding=CAP_CHOWN,CAP_SETUID:x", .process = PROCESS(DEFAULT_SETS) },
	{ "caps.ambient", CHANGED, "/process/capabilities/ambient: CAP_CHOWN -> ",
	  "caps.bounding=CAP_CHOWN:x", .process = PROCESS(DEFAULT_SETS) },
	{ "caps.escape-class", NOTED, "CAP_SYS_ADMIN granted", "caps.bounding=CAP_SYS_ADMIN:x",
	  .process = PROCESS(CAPS("'CAP_SYS_ADMIN'", "", "")) },

	{ "net.listen", CHANGED, "/linux/sysctl/net.ipv4.ip_unprivileged_port_start:  -> 0",
	  .process = PROCESS_AS("'uid':0,'gid':0", LOW_PORTS) },
	{ "net.listen", NOTED, "all of the joined", .process = PROCESS_AS("'uid':0,'gid':0", LOW_PORTS),
	  .linux_ = "'namespaces':[{'type':'network','path':'/run/netns/a'},{'type':'pid'},{'type':'ipc'},{'type':'mount'}]" },
	{ "net.listen", NOTHING, .process = PROCESS(LOW_PORTS) /* lost by execve of another uid */ },
	{ "net.listen", NOTHING, .override = "caps.bounding=CAP_NET_BIND_SERVICE:x",
	  .process = PROCESS_AS("'uid':0,'gid':0", LOW_PORTS) },
	{ "net.listen", NOTHING, .process = PROCESS_AS("'uid':0,'gid':0", LOW_PORTS),
	  .linux_ = LINUX(",'sysctl':{'net.ipv4.ip_unprivileged_port_start':'80'}") },

	{ "ns.pid", REFUSED, "shares the host's PID namespace", .linux_ = "'namespaces':[{'type':'mount'}]" },
	{ "ns.net", REFUSED, "shares the host's network namespace", .linux_ = "'namespaces':[{'type':'mount'}]" },
	{ "ns.ipc", REFUSED, "shares the host's IPC namespace", .linux_ = "'namespaces':[{'type':'mount'}]" },
	{ "ns.mnt", REFUSED, "shares the host's mount namespace", .linux_ = "'namespaces':[{'type':'pid'}]" },
	{ "ns.mnt", REFUSED, "joins another's mount namespace by path",
	  .linux_ = "'namespaces':[{'type':'mount','path':'/run/mntns/a'}]" },
	{ "ns.mnt", REFUSED, "joins the host's mount namespace by path",
	  .linux_ = "'namespaces':[{'type':'mount','path':'/proc/1/ns/mnt'}]" },
	{ "ns.net", REFUSED, "joins the host's network namespace by path",
	  .linux_ = "'namespaces':[{'type':'network','path':'/proc/1/ns/net'}]" },
	{ "ns.net", NOTHING, .linux_ = "'namespaces':[{'type':'network','path':'/run/netns/a'}]" },
	{ "ns.net", NOTHING, .override = "ns.net=host:x", .linux_ = "'namespaces':[{'type':'mount'}]" },
	{ "ns.uts", CHANGED, "/linux/namespaces: the host's UTS namespace -> its own",
	  .linux_ = "'namespaces':[{'type':'mount'}]" },
	{ "ns.uts", NOTHING, .override = "ns.uts=host:x", .linux_ = "'namespaces':[{'type':'mount'}]" },
	{ "ns.cgroup", CHANGED, "/linux/namespaces: the host's cgroup namespace -> its own",
	  .linux_ = "'namespaces':[{'type':'mount'}]" },
	{ "ns.cgroup", NOTHING, .linux_ = LINUX("") },

	{ "userns.private", CHANGED,
	  "/linux/namespaces: the host's user namespace -> its own, on host ids 1879048192-1879113727" },
	{ "userns.private", NOTHING, .override = "userns.private=host:x" },
	{ "userns.private", NOTHING,
	  .linux_ = USERNS("'uidMappings':[{'containerID':0,'hostID':100000,'size':65536}],"
			   "'gidMappings':[{'containerID':0,'hostID':100000,'size':65536}]") },
	{ "userns.map", REFUSED, "maps host ids from 0",
	  .linux_ = USERNS("'uidMappings':[{'containerID':0,'hostID':0,'size':65536}],"
			   "'gidMappings':[{'containerID':0,'hostID':100000,'size':65536}]") },
	{ "userns.map", NOTED, "gidMappings: host ids below 65536",
	  .linux_ = USERNS("'uidMappings':[{'containerID':0,'hostID':100000,'size':65536}],"
			   "'gidMappings':[{'containerID':0,'hostID':1000,'size':65536}]") },
	{ "userns.nested", CHANGED, "-: user.max_user_namespaces of the host -> 0 inside" },
	{ "userns.nested", NOTHING, .override = "userns.nested=allow:browser" },
	{ "userns.nested", NOTHING, .linux_ = "'namespaces':[{'type':'user','path':'/run/u'}]" },

	{ "user.nonroot", NOTHING, .process = PROCESS_AS("'uid':0,'gid':0", "") },
	{ "user.nonroot", NOTHING, .override = "user.nonroot=mapped:x", .process = PROCESS_AS("'uid':0,'gid':0", "") },
	{ "user.nonroot", REFUSED, "stands for root of the host", "userns.private=host:x",
	  .process = PROCESS_AS("'uid':0,'gid':0", "") },
	{ "user.nonroot", REFUSED, "refuses even when mapped", "user.nonroot=always:x",
	  .process = PROCESS_AS("'uid':0,'gid':0", "") },
	{ "user.nonroot", REFUSED, "refuses even when mapped", .process = PROCESS_AS("'uid':0,'gid':0", ""),
	  .top = ",'annotations':{'org.donjon.override.user.nonroot':'always:strict'}" },
	{ "user.groups", NOTHING, .process = PROCESS_AS("'uid':1000,'gid':0,'additionalGids':[0]", "") },
	{ "user.groups", REFUSED, "privileged group 0", "userns.private=host:x",
	  .process = PROCESS_AS("'uid':1000,'gid':0,'additionalGids':[0]", "") },
	{ "user.groups", REFUSED, "privileged group 27", "userns.private=host:x",
	  .process = PROCESS_AS("'uid':1000,'gid':1000,'additionalGids':[1000,27]", "") },

	{ "nnp.set", CHANGED, "/process/noNewPrivileges: false -> true" },
	{ "nnp.set", NOTHING, .process = PROCESS(",'noNewPrivileges':true") },
	{ "nnp.set", NOTHING, .override = "nnp.set=off:sudo" },

	{ "seccomp.on", CHANGED, "/linux/seccomp: none -> the built-in default profile" },
	{ "seccomp.on", NOTHING, .override = "seccomp.on=guard-only:x" },
	{ "seccomp.on", NOTHING, .linux_ = LINUX(",'seccomp':{'defaultAction':'SCMP_ACT_ERRNO'}") },
	{ "seccomp.default-deny", REFUSED, "(allow)", .linux_ = LINUX(",'seccomp':{'defaultAction':'SCMP_ACT_ALLOW'}") },
	{ "seccomp.default-deny", REFUSED, "(log)", .linux_ = LINUX(",'seccomp':{'defaultAction':'SCMP_ACT_LOG'}") },
	{ "seccomp.default-deny", REFUSED, "(trace)", .linux_ = LINUX(",'seccomp':{'defaultAction':'SCMP_ACT_TRACE'}") },
	{ "seccomp.default-deny", NOTHING, .linux_ = LINUX(",'seccomp':{'defaultAction':'SCMP_ACT_KILL_PROCESS'}") },
	{ "seccomp.forbidden-calls", CHANGED, "-: the profile alone -> guard filter" },
	{ "seccomp.forbidden-calls", CHANGED, "-: the profile alone -> guard filter, except ptrace,bpf",
	  "seccomp.forbidden-calls=ptrace,bpf:debugger" },
	{ "seccomp.flags", CHANGED, "/linux/seccomp/flags: SECCOMP_FILTER_FLAG_SPEC_ALLOW -> ",
	  .linux_ = LINUX(",'seccomp':{'defaultAction':'SCMP_ACT_ERRNO','flags':['SECCOMP_FILTER_FLAG_SPEC_ALLOW']}") },
	{ "seccomp.flags", NOTHING, .override = "seccomp.flags=spec-allow:speed",
	  .linux_ = LINUX(",'seccomp':{'defaultAction':'SCMP_ACT_ERRNO','flags':['SECCOMP_FILTER_FLAG_SPEC_ALLOW']}") },

	{ "lsm.confined", NOTED, "unavailable: neither AppArmor nor SELinux" },
	{ "lsm.confined", REFUSED, "is unconfined", .process = PROCESS(",'apparmorProfile':'unconfined'") },
	{ "lsm.confined", REFUSED, "(system_u:system_r:spc_t:s0)",
	  .process = PROCESS(",'selinuxLabel':'system_u:system_r:spc_t:s0'") },
	{ "lsm.confined", REFUSED, "is unconfined",
	  .process = PROCESS(",'selinuxLabel':'unconfined_u:unconfined_r:unconfined_t:s0'") },
	{ "lsm.confined", NOTHING, .override = "lsm.confined=unconfined:x",
	  .process = PROCESS(",'apparmorProfile':'unconfined'") },

	{ "fs.propagation", REFUSED, "is shared", .linux_ = LINUX(",'rootfsPropagation':'rshared'") },
	{ "fs.propagation", NOTHING, .linux_ = LINUX(",'rootfsPropagation':'rslave'") },
	{ "fs.propagation", REFUSED, "propagates mounts at /data", .mounts = BIND("/srv", "/data", ",'rshared'") },
	{ "fs.propagation", NOTHING, .mounts = BIND("/srv", "/data", ",'shared','rprivate'") },
	{ "fs.nosuid-nodev", CHANGED, "-:  -> nosuid,nodev on the rootfs" },
	{ "fs.nosuid-nodev", NOTHING, .override = "fs.nosuid-nodev=/:setuid image" },
	{ "fs.nosuid-nodev", CHANGED, "/mounts/0/options:  -> rnosuid,rnodev",
	  .mounts = "{'destination':'/data','type':'bind','source':'/srv','options':['rbind']}" },
	{ "fs.nosuid-nodev", CHANGED, "/mounts/0/options:  -> nosuid,nodev",
	  .mounts = "{'destination':'/data','type':'none','source':'/srv','options':['bind']}" },
	{ "fs.nosuid-nodev", CHANGED, "/mounts/0/options:  -> nosuid",
	  .mounts = "{'destination':'/dev/pts','type':'devpts','source':'devpts'}" },
	{ "fs.nosuid-nodev", REFUSED, "asks for suid or dev at /data",
	  .mounts = "{'destination':'/data','type':'tmpfs','source':'tmpfs','options':['dev']}" },
	{ "fs.nosuid-nodev", NOTHING, .override = "fs.nosuid-nodev=/,/data:x",
	  .mounts = "{'destination':'/data','type':'tmpfs','source':'tmpfs','options':['dev']}" },
	{ "fs.nosuid-nodev", NOTHING, .override = "fs.nosuid-nodev=/:x",
	  .mounts = "{'destination':'/dev','type':'tmpfs','source':'tmpfs','options':['nosuid','mode=755']}" },
	{ "fs.nosuid-nodev", REFUSED, "asks for suid or dev at /data",
	  .mounts = "{'destination':'//data/','type':'tmpfs','source':'tmpfs','options':['suid']}" },
	{ "fs.proc-visibility", CHANGED, "/mounts/0/options:  -> hidepid=ptraceable",
	  .mounts = "{'destination':'/proc','type':'proc','source':'proc'}" },
	{ "fs.proc-visibility", NOTHING, .mounts = "{'destination':'/proc','type':'proc','source':'proc','options':['hidepid=invisible']}" },
	{ "fs.proc-visibility", NOTHING, .mounts = "{'destination':'/proc','type':'proc','source':'proc'}",
	  .linux_ = "'namespaces':[{'type':'pid','path':'/proc/77/ns/pid'}]" },
	{ "fs.sysfs", CHANGED, "/mounts/0/options:  -> ro",
	  .mounts = "{'destination':'/sys','type':'sysfs','source':'sysfs','options':['rw']}" },
	{ "fs.sysfs", NOTHING, .mounts = "{'destination':'/sys','type':'sysfs','source':'sysfs','options':['rw','ro']}" },
	{ "fs.sysfs", NOTHING, .override = "fs.sysfs=rw:x", .mounts = "{'destination':'/sys','type':'sysfs','source':'sysfs'}" },
	{ "fs.sysfs", REFUSED, "mounts debugfs", .mounts = "{'destination':'/d','type':'debugfs','source':'d'}" },
	{ "fs.cgroupfs", CHANGED, "/mounts/0/options:  -> ro",
	  .mounts = "{'destination':'/sys/fs/cgroup','type':'cgroup','source':'cgroup','options':['nosuid']}" },
	{ "fs.cgroupfs", NOTHING, .override = "fs.cgroupfs=rw:systemd",
	  .mounts = "{'destination':'/sys/fs/cgroup','type':'cgroup','source':'cgroup'}" },
	{ "fs.masked", CHANGED, "/linux/maskedPaths: 0 paths -> 25 paths" },
	{ "fs.masked", CHANGED, "/linux/maskedPaths: 2 paths -> 26 paths",
	  .linux_ = LINUX(",'maskedPaths':['/proc/kcore','/proc/own']") },
	{ "fs.masked", CHANGED, "/linux/maskedPaths: 0 paths -> 24 paths", "fs.masked=/proc/kallsyms:profiler" },
	{ "fs.masked", CHANGED, "/linux/maskedPaths: 0 paths -> 24 paths",
	  .mounts = BIND("/var/lib/lxcfs/proc/slabinfo", "/proc/slabinfo", "") },
	{ "fs.readonly-proc", CHANGED, "/linux/readonlyPaths: 0 paths -> 5 paths" },
	{ "fs.readonly-proc", NOTHING,
	  .linux_ = LINUX(",'readonlyPaths':['/proc/bus','/proc/fs','/proc/irq','/proc/sys','/proc/sysrq-trigger']") },

	{ "dev.nodes", NOTHING, .linux_ = LINUX(",'devices':[{'path':'/dev/null','type':'c','major':1,'minor':3}]") },
	{ "dev.nodes", REFUSED, "asks for /dev/null (c 1:5)",
	  .linux_ = LINUX(",'devices':[{'path':'/dev/null','type':'c','major':1,'minor':5}]") },
	{ "dev.nodes", REFUSED, "asks for /dev/fuse (c 10:229)",
	  .linux_ = LINUX(",'devices':[{'path':'/dev/fuse','type':'c','major':10,'minor':229}]") },
	{ "dev.nodes", REFUSED, "asks for /dev/pipe (a FIFO)",
	  .linux_ = LINUX(",'devices':[{'path':'/dev/pipe','type':'p'}]") },
	{ "dev.nodes", REFUSED, "at /opt/null",
	  .linux_ = LINUX(",'devices':[{'path':'/opt/null','type':'c','major':1,'minor':3}]") },
	{ "dev.cgroup", CHANGED, "/linux/resources/devices: 0 rules -> 1 rules, denied by default, no mknod" },
	{ "dev.cgroup", CHANGED, "/linux/resources/devices: 5 rules -> 2 rules, denied by default, no mknod",
	  .linux_ = LINUX(",'resources':{'devices':[{'allow':false,'access':'rwm'},{'allow':true,'type':'c','access':'m'},"
			  "{'allow':true,'type':'b','access':'m'},{'allow':true,'type':'c','major':1,'minor':3,'access':'rwm'},"
			  "{'allow':true,'type':'c','major':10,'minor':200,'access':'rwm'}]}") },
	{ "dev.cgroup", CHANGED, "/linux/resources/devices: 1 rules -> 2 rules, denied by default, no mknod",
	  .linux_ = LINUX(",'resources':{'devices':[{'allow':true,'type':'c','major':136,'access':'rw'}]}") },
	{ "dev.cgroup", REFUSED, "allows c10:229",
	  .linux_ = LINUX(",'resources':{'devices':[{'allow':true,'type':'c','major':10,'minor':229,'access':'rw'}]}") },
	{ "dev.cgroup", REFUSED, "allows a*:*",
	  .linux_ = LINUX(",'resources':{'devices':[{'allow':true,'access':'rwm'}]}") },
	{ "dev.cgroup", REFUSED, "allows b8:*",
	  .linux_ = LINUX(",'resources':{'devices':[{'allow':true,'type':'b','major':8,'access':'r'}]}") },
	{ "dev.cgroup", NOTHING, .linux_ = LINUX(",'resources':{'devices':[{'allow':false,'access':'rwm'}]}") },

	{ "fs.rootfs-ro", CHANGED, "/root/readonly: false -> true" },
	{ "fs.rootfs-ro", CHANGED, "/root/readonly: written to the image -> written to memory, and lost",
	  "fs.rootfs-ro=volatile:x" },
	{ "fs.rootfs-ro", NOTHING, .override = "fs.rootfs-ro=rw:x" },
	{ "fs.tmp", CHANGED, "/mounts:  -> tmpfs on /tmp, 64 MiB" },
	{ "fs.tmp", CHANGED, "/mounts:  -> tmpfs on /run, 64 MiB" },
	{ "fs.tmp", CHANGED, "/mounts:  -> tmpfs on /var/tmp, 64 MiB",
	  .mounts = "{'destination':'/tmp','type':'tmpfs','source':'tmpfs'},{'destination':'/run/lock','type':'tmpfs','source':'tmpfs'}" },
	{ "fs.tmp", CHANGED, "/mounts/0/options:  -> nosuid,nodev,noexec",
	  .mounts = "{'destination':'/tmp/','type':'tmpfs','source':'tmpfs'}" },
	{ "fs.tmp", REFUSED, "asks for exec at /tmp",
	  .mounts = "{'destination':'/tmp','type':'tmpfs','source':'tmpfs','options':['noexec','exec']}" },

	{ "res.memory", CHANGED, "/linux/resources/memory/limit:  -> 4294967296" },
	{ "res.memory", CHANGED, "/linux/resources/memory/limit:  -> 4294967296",
	  .linux_ = LINUX(",'resources':{'memory':{'limit':0,'disableOOMKiller':false}}") },
	{ "res.memory", CHANGED, "/linux/resources/memory/limit:  -> 2147483648", "res.memory=2g:jvm" },
	{ "res.memory", NOTHING, .override = "res.memory=unlimited:x" },
	{ "res.memory", NOTHING, .linux_ = LINUX(",'resources':{'memory':{'limit':99999999999}}") },
	{ "res.memory", NOTED, "unlimited, as configured", .linux_ = LINUX(",'resources':{'memory':{'limit':-1}}") },
	{ "res.swap", CHANGED, "/linux/resources/memory/swap:  -> 1000, of which swap 0",
	  .linux_ = LINUX(",'resources':{'memory':{'limit':1000}}") },
	{ "res.swap", CHANGED, "/linux/resources/memory/swap:  -> 5368709120, of which swap 1073741824",
	  "res.swap=1g:x" },
	{ "res.swap", NOTHING, .linux_ = LINUX(",'resources':{'memory':{'limit':1000,'swap':2000}}") },
	{ "res.swap", NOTHING, .override = "res.memory=unlimited:x" },
	{ "res.pids", CHANGED, "/linux/resources/pids/limit:  -> 1024" },
	{ "res.pids", CHANGED, "/linux/resources/pids/limit:  -> 50", "res.pids=50:x" },
	{ "res.pids", NOTHING, .linux_ = LINUX(",'resources':{'pids':{'limit':2048}}") },
	{ "res.pids", NOTED, "unlimited, as configured", .linux_ = LINUX(",'resources':{'pids':{'limit':-1}}") },
	{ "res.cpu-io", CHANGED, "/linux/resources/cpu/shares:  -> 512", .linux_ = LINUX(",'resources':{'cpu':{'shares':0}}") },
	{ "res.cpu-io", NOTHING, .linux_ = LINUX(",'resources':{'cpu':{'shares':1024}}") },
	{ "res.cpu-io", NOTHING, .linux_ = LINUX(",'resources':{'cpu':{'quota':50000}}") },
	{ "res.core", CHANGED, "/process/rlimits:  -> RLIMIT_CORE 1:1" },
	{ "res.core", CHANGED, "/process/rlimits: 0:0 -> RLIMIT_CORE 1:1",
	  .process = PROCESS(",'rlimits':[{'type':'RLIMIT_CORE','soft':0,'hard':0}]") },
	{ "res.core", CHANGED, "/process/rlimits: 5:9 -> RLIMIT_CORE 1:1",
	  .process = PROCESS(",'rlimits':[{'type':'RLIMIT_NOFILE','soft':9,'hard':9},{'type':'RLIMIT_CORE','soft':5,'hard':9}]") },
	{ "res.core", NOTHING, .override = "res.core=keep:debugging" },
	{ "res.oom", NOTED, "oom_score_adj -998", .process = PROCESS(",'oomScoreAdj':-998") },
	{ "res.oom", NOTHING, .process = PROCESS(",'oomScoreAdj':0") },

	{ "res.oom", NOTED, "OOM killer is disabled", .linux_ = LINUX(",'resources':{'memory':{'disableOOMKiller':true}}") },

	{ "sysctl.safe", NOTHING,
	  .linux_ = LINUX(",'sysctl':{'net.ipv4.ping_group_range':'0 2147483647','net.ipv4.ip_unprivileged_port_start':'0'}") },
	{ "sysctl.safe", REFUSED, "list of safe sysctls", .linux_ = LINUX(",'sysctl':{'net.ipv4.ip_forward':'1'}") },
	{ "keyring.private", NOTHING },
	{ "proc.fds", NOTHING },
	{ "exec.parity", NOTHING }, /* of a process that joins: test_policy_exec.c */
	{ "hooks.trusted", NOTHING },
	{ "env.loader", REFUSED, "LD_PRELOAD loads code from the writable place /tmp/x.so",
	  .process = PROCESS(",'env':['LD_PRELOAD=/usr/lib/a.so:/tmp/x.so']") },
	{ "env.loader", REFUSED, "NODE_OPTIONS loads code from the writable place /src/hook.js",
	  .process = PROCESS(",'env':['NODE_OPTIONS=--require /src/hook.js']"), .mounts = BIND("/srv", "/src", "") },
	{ "env.loader", NOTHING, .process = PROCESS(",'env':['PYTHONPATH=/app:lib','LD_LIBRARY_PATH=/src/lib']"),
	  .mounts = BIND("/srv", "/src", ",'ro'") },
	{ "env.loader", NOTHING, .process = PROCESS(",'env':['LD_AUDIT=/sys/a','LD_PRELOADED=/tmp/x']"),
	  .mounts = "{'destination':'/sys','type':'sysfs','source':'sysfs'}" },
	{ "env.loader", REFUSED, "writable place /a65", .process = PROCESS(",'env':['LD_LIBRARY_PATH=" MANY_PATHS "/a65']") },
	{ "env.loader", NOTHING, .override = "env.loader=PYTHONPATH:development",
	  .process = PROCESS(",'env':['PYTHONPATH=/tmp']") },

	/* fs.host-paths, by name alone */
	{ "fs.host-paths", NOTHING, .mounts = BIND("/srv/data", "/data", "") },
	{ "fs.host-paths", NOTHING, .mounts = BIND("/home/u/project", "/src", "") },
	{ "fs.host-paths", NOTHING, .mounts = BIND("/usr/libexec/podman/catatonit", "/run/podman-init", ",'ro'") },
	{ "fs.host-paths", NOTHING, .mounts = BIND("/var/lib/containers/storage/overlay-containers/" ID "/userdata/shm", "/dev/shm", "") },
	{ "fs.host-paths", NOTHING, .mounts = BIND("/home/u/.local/share/containers/storage/vfs-containers/" ID "/userdata/hosts", "/etc/hosts", "") },
	{ "fs.host-paths", NOTHING, .mounts = BIND("/srv/docker/containers/" ID "/resolv.conf", "/etc/resolv.conf", "") },
	{ "fs.host-paths", NOTHING, .mounts = BIND("/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/" ID "/hostname", "/etc/hostname", "") },
	{ "fs.host-paths", NOTHING, .mounts = BIND("/var/lib/docker/volumes/db/_data", "/data", "") },
	{ "fs.host-paths", NOTHING,
	  .mounts = BIND("/var/lib/kubelet/pods/0c1f9d2e-8f5b-4c0e-9c9a-0123456789ab/etc-hosts", "/etc/hosts", "") },
	{ "fs.host-paths", NOTHING,
	  .mounts = BIND("/var/lib/kubelet/pods/0123456789abcdef0123456789abcdef/etc-hosts", "/etc/hosts", "") },
	{ "fs.host-paths", REFUSED, "exposes /var/lib/kubelet/pods/0123/etc-hosts",
	  .mounts = BIND("/var/lib/kubelet/pods/0123/etc-hosts", "/etc/hosts", "") },
	{ "fs.host-paths", NOTHING, .mounts = BIND("/root/bundle/extra", "/extra", "") },
	{ "fs.host-paths", NOTHING, .mounts = BIND("/dev/null", "/etc/passwd", ",'ro'") },
	{ "fs.host-paths", REFUSED, "exposes / of the host", .mounts = BIND("/", "/host", ",'ro'") },
	{ "fs.host-paths", REFUSED, "exposes /var of the host", .mounts = BIND("/var/", "/host", "") },
	{ "fs.host-paths", REFUSED, "exposes /etc of the host", .mounts = BIND("/usr/../etc", "/host", ",'ro'") },
	{ "fs.host-paths", REFUSED, "exposes /etc/ssl of the host", .mounts = BIND("/etc/ssl", "/x", ",'ro'") },
	{ "fs.host-paths", REFUSED, "exposes /home/u of the host", .mounts = BIND("/home/u", "/x", "") },
	{ "fs.host-paths", REFUSED, "exposes /home/u/.ssh of the host", .mounts = BIND("/home/u/.ssh", "/x", ",'ro'") },
	{ "fs.host-paths", REFUSED, "exposes /run/user/1000 of the host", .mounts = BIND("/run/user/1000", "/x", "") },
	{ "fs.host-paths", REFUSED, "exposes /var/lib/docker/overlay2 of the host", .mounts = BIND("/var/lib/docker/overlay2", "/x", "") },
	{ "fs.host-paths", REFUSED, "exposes /var/lib/docker/containers/" ID " of the host",
	  .mounts = BIND("/var/lib/docker/containers/" ID, "/x", "") },
	{ "fs.host-paths", REFUSED, "exposes /sys of the host", .mounts = BIND("/sys", "/sys", ",'ro'") },
	{ "fs.host-paths", REFUSED, "is /dev itself", .mounts = BIND("/srv/dev", "/dev", "") },
	{ "fs.host-paths", REFUSED, "exposes /etc of the host",
	  .mounts = "{'destination':'/x','type':'overlay','source':'overlay','options':['lowerdir=/srv:/etc','ro']}" },
	{ "fs.host-paths", REFUSED, "exposes /etc of the host",
	  .mounts = "{'destination':'/x','type':'overlay','source':'overlay','options':['lowerdir=/srv:/\\\\etc','ro']}" },
	{ "fs.host-paths", REFUSED, "exposes /etc of the host",
	  .mounts = "{'destination':'/x','type':'overlay','source':'overlay','options':['lowerdir+=/srv','lowerdir+=/etc','ro']}" },
	{ "userns.private", REFUSED, "an overlay that a private user namespace cannot write",
	  .mounts = "{'destination':'/x','type':'overlay','source':'overlay','options':['lowerdir=/srv','upperdir=/srv/u']}" },
	{ "fs.host-paths", REFUSED, "mounts a filesystem from /dev/sda1",
	  .mounts = "{'destination':'/x','type':'ext4','source':'/dev/sda1'}" },
	{ "fs.host-paths", NOTHING, .override = "fs.host-paths=/etc/ssl:certificates", .mounts = BIND("/etc/ssl/certs", "/x", ",'ro'") },
	{ "fs.host-paths", REFUSED, "exposes /etc/sslx of the host", "fs.host-paths=/etc/ssl,/:x", .mounts = BIND("/etc/sslx", "/x", "") },
	{ "fs.masked", REFUSED, "shows at /data what is masked below /proc", .mounts = "{'destination':'/data','type':'proc'}" },
	{ "fs.masked", REFUSED, "shows at /procs what is masked below /proc", .mounts = "{'destination':'//procs/','type':'proc'}" },
	{ "fs.masked", REFUSED, "shows at /data what is masked below /sys", .mounts = "{'destination':'/data','type':'sysfs'}" },
	{ "fs.masked", CHANGED, .override = "fs.masked=/data:x", .mounts = "{'destination':'/data','type':'proc'}" },
	{ "fs.masked", CHANGED, .mounts = "{'destination':'/proc/','type':'proc'},{'destination':'/sys','type':'sysfs'}" },
	{ "fs.control-sockets", REFUSED, "at /var/run/docker.sock", .mounts = BIND("/var/run/docker.sock", "/s", "") },
	{ "fs.control-sockets", REFUSED, "at /srv/podman.sock", .mounts = BIND("/srv/podman.sock", "/s", "") },
	{ "fs.control-sockets", REFUSED, "at /run/crio", .mounts = BIND("/run/crio", "/s", "") },
	{ "fs.control-sockets", REFUSED, "at /opt/cri-dockerd.sock", .mounts = BIND("/opt/cri-dockerd.sock", "/s", "") },
	{ "fs.control-sockets", REFUSED, "at /run", .override = "fs.host-paths=/run:x", .mounts = BIND("/run", "/s", "") },
	{ "fs.control-sockets", NOTHING, .mounts = BIND("/srv/app.sock", "/s", "") },
};
/* clang-format on */

static const char *text_or(const char *s, const char *absent)
{
	return s ? s : absent;
}

static size_t count_changes(struct run *run, const char *check, const char *text)
{
	size_t n = 0;

	for (size_t i = 0; i < run->result.changes.n; i++) {
		const struct policy_change *c = &run->result.changes.v[i];

		if (strcmp(c->check, check) == 0 &&
		    (!text || strcmp(text, dj_arena_printf(&run->arena, "%s: %s -> %s",
		                                           text_or(c->pointer, "-"), c->before,
		                                           c->after)) == 0))
			n++;
	}
	return n;
}

static const struct policy_finding *find_refusal(const struct run *run, const char *check,
                                                 const char *text)
{
	for (size_t i = 0; i < run->result.findings.n; i++)
		if (strcmp(run->result.findings.v[i].check, check) == 0 &&
		    (!text || strstr(run->result.findings.v[i].found, text)))
			return &run->result.findings.v[i];
	return NULL;
}

static bool has_note(const struct run *run, const char *check, const char *text)
{
	for (size_t i = 0; i < run->result.notes.n; i++)
		if (strcmp(run->result.notes.v[i].check, check) == 0 &&
		    strstr(run->result.notes.v[i].text, text))
			return true;
	return false;
}

static void print_run(const struct run *run)
{
	for (size_t i = 0; i < run->result.changes.n; i++)
		print_message("  changed %s: %s: %s -> %s\n", run->result.changes.v[i].check,
		              text_or(run->result.changes.v[i].pointer, "-"),
		              run->result.changes.v[i].before, run->result.changes.v[i].after);
	for (size_t i = 0; i < run->result.findings.n; i++)
		print_message("  refused %s: %s\n", run->result.findings.v[i].check,
		              run->result.findings.v[i].found);
	for (size_t i = 0; i < run->result.notes.n; i++)
		print_message("  noted %s: %s\n", run->result.notes.v[i].check,
		              run->result.notes.v[i].text);
}

static bool as_wanted(struct run *run, const struct row *row)
{
	switch (row->want) {
	case CHANGED:
		return count_changes(run, row->check, row->text) == 1;
	case REFUSED:
		return find_refusal(run, row->check, row->text) != NULL;
	case NOTED:
		return has_note(run, row->check, row->text);
	case NOTHING:
	default:
		return count_changes(run, row->check, NULL) == 0 &&
		       !find_refusal(run, row->check, NULL);
	}
}

/* --- promises that hold for every run ------------------------------------------------------- */

/* What the callers of contract E1-E16 look for. */
static void assert_misread_by_nobody(const char *text)
{
	static const char *const phrases[] = {
		"permission denied",
		"operation not permitted",
		"no such file",
		"not found",
		"is a directory",
		"not a directory",
		"does not exist",
		"no such process",
		"container not running",
		"process already finished",
		"invalid process",
		"executable path is empty",
		"open executable",
		"cannot find the file",
		"flag needs an argument",
		"requires an argument",
		"failed to run runc",
		"`",
		"\n",
	};

	assert_true(strlen(text) <= 2000);
	for (size_t i = 0; i < DJ_COUNT(phrases); i++)
		if (strcasestr(text, phrases[i]))
			fail_msg("\"%s\" in: %s", phrases[i], text);
}

static void assert_superset(const struct oci_strings *more, const struct oci_strings *less)
{
	for (size_t i = 0; i < less->n; i++) {
		bool found = false;

		for (size_t k = 0; k < more->n; k++)
			found |= strcmp(more->v[k], less->v[i]) == 0;
		assert_true(found);
	}
	assert_true(more->n == 0 || more->v[more->n] == NULL);
}

static void assert_mounts_kept(const struct run *run)
{
	size_t added = run->result.settings.mounts_added;

	assert_int_equal(run->spec.mounts.n, run->before.mounts.n + added);
	for (size_t i = 0; i < run->before.mounts.n; i++) {
		const struct oci_mount *b = &run->before.mounts.v[i],
		                       *a = &run->spec.mounts.v[added + i];

		assert_string_equal(a->destination, b->destination);
		assert_superset(&a->options, &b->options);
		/* Options are only appended: none of the config's can win over one of ours. */
		for (size_t k = 0; k < b->options.n; k++)
			assert_string_equal(a->options.v[k], b->options.v[k]);
		for (size_t k = b->options.n; k < a->options.n; k++)
			assert_true(strncmp(a->options.v[k], "no", 2) == 0 ||
			            strncmp(a->options.v[k], "rno", 3) == 0 ||
			            strcmp(a->options.v[k], "ro") == 0 ||
			            strcmp(a->options.v[k], "hidepid=ptraceable") == 0);
	}
}

static void assert_caps_subset(const struct oci_capabilities *a, const struct oci_capabilities *b)
{
	assert_true((a->bounding & ~b->bounding) == 0);
	assert_true((a->effective & ~b->effective) == 0);
	assert_true((a->permitted & ~b->permitted) == 0);
	assert_true((a->inheritable & ~b->inheritable) == 0);
	assert_true((a->ambient & ~b->ambient) == 0);
}

static void assert_limits_kept(const struct run *run)
{
	const struct oci_resources *b = &run->before.linux.resources,
	                           *a = &run->spec.linux.resources;

	if (b->memory.limit.set && b->memory.limit.v != 0)
		assert_true(a->memory.limit.v == b->memory.limit.v);
	if (b->memory.swap.set && b->memory.swap.v != 0)
		assert_true(a->memory.swap.v == b->memory.swap.v);
	if (b->pids_limit.set)
		assert_true(a->pids_limit.v == b->pids_limit.v);
	if (b->cpu.shares.set && b->cpu.shares.v != 0)
		assert_true(a->cpu.shares.v == b->cpu.shares.v);
	for (size_t i = 0; i < run->before.process.rlimits.n; i++) {
		const struct oci_rlimit *rb = &run->before.process.rlimits.v[i];
		const struct oci_rlimit *ra = &run->spec.process.rlimits.v[i];

		assert_int_equal(ra->type, rb->type);
		assert_true(ra->hard <= rb->hard || (ra->type == RLIMIT_CORE && ra->hard == 1));
	}
}

static void assert_devices_trimmed(const struct run *run)
{
	const struct oci_resources *a = &run->spec.linux.resources;

	assert_true(a->devices.n > 0 && !a->devices.v[0].allow && a->devices.v[0].type == 'a');
	for (size_t i = 0; i < a->devices.n; i++)
		assert_false(a->devices.v[i].allow &&
		             (a->devices.v[i].mknod || a->devices.v[i].type == 'a'));
}

static void assert_never_wider(const struct run *run)
{
	const struct oci_spec *b = &run->before, *a = &run->spec;

	assert_caps_subset(&a->process.capabilities, &b->process.capabilities);
	assert_superset(&a->linux.masked_paths, &b->linux.masked_paths);
	assert_superset(&a->linux.readonly_paths, &b->linux.readonly_paths);
	assert_true(a->root.readonly || !b->root.readonly);
	assert_true(a->process.no_new_privileges || !b->process.no_new_privileges);
	assert_true((a->linux.seccomp.flags & ~b->linux.seccomp.flags) == 0);
	for (int i = 0; i < OCI_NS_COUNT; i++)
		assert_true(a->linux.namespaces[i].set || !b->linux.namespaces[i].set);
	assert_int_equal(a->linux.devices.n, b->linux.devices.n);
	assert_mounts_kept(run);
	assert_limits_kept(run);
	assert_devices_trimmed(run);
}

/* A second pass over the result finds nothing left to do to the document. */
static void assert_idempotent(struct run *run, const struct host_facts *facts,
                              const struct policy_request *request)
{
	struct policy_request again = *request;
	struct policy_result second;
	struct donjon_error err = { 0 };
	size_t mounts = run->spec.mounts.n, masked = run->spec.linux.masked_paths.n;

	again.own_mounts += run->result.settings.mounts_added;
	again.sources.n = 0;
	(void)policy_apply(&run->spec, facts, &again, &run->arena, &second, &err);
	for (size_t i = 0; i < second.changes.n; i++) {
		const struct policy_change *c = &second.changes.v[i];

		/* No place in the document, or deliberately left to the plan. */
		if (c->pointer && strcmp(c->check, "seccomp.on") != 0 &&
		    strcmp(c->after, "written to memory, and lost") != 0)
			fail_msg("second pass: %s: %s: %s -> %s", c->check, c->pointer, c->before,
			         c->after);
	}
	assert_int_equal(run->spec.mounts.n, mounts);
	assert_int_equal(run->spec.linux.masked_paths.n, masked);
}

static char *with_reason(struct dj_arena *arena, const char *override)
{
	size_t len = strlen(override) - strlen("REASON");

	return dj_arena_printf(arena, "%.*stest", (int)len, override);
}

static bool has_refusal_at(const struct run *run, const struct policy_finding *like)
{
	for (size_t i = 0; i < run->result.findings.n; i++) {
		const struct policy_finding *f = &run->result.findings.v[i];

		if (strcmp(f->check, like->check) == 0 && strcmp(f->found, like->found) == 0 &&
		    (!f->pointer || strcmp(f->pointer, like->pointer) == 0))
			return true;
	}
	return false;
}

/* The override a refusal names lets the same document through that check. */
static void assert_override_helps(struct run *run, const char *text, const struct host_facts *facts,
                                  const struct policy_request *request)
{
	for (size_t i = 0; i < run->result.findings.n; i++) {
		const struct policy_finding *f = &run->result.findings.v[i];
		struct policy_request with = *request;
		struct run second;

		if (!f->override)
			continue;
		add_override(&with, with_reason(&run->arena, f->override), &run->arena);
		apply(&second, text, facts, &with);
		if (has_refusal_at(&second, f))
			fail_msg("%s does not help against: %s", f->override, f->found);
		assert_true(second.result.overrides.v[second.result.overrides.n - 1].used);
		assert_never_wider(&second);
		dj_arena_done(&second.arena);
	}
}

static void assert_promises(struct run *run, const char *text, const struct host_facts *facts,
                            const struct policy_request *request)
{
	assert_int_equal(run->r, run->result.findings.n ? -1 : 0);
	assert_int_equal(run->err.code, run->result.findings.n ? DONJON_E_REFUSED : DONJON_OK);
	assert_misread_by_nobody(run->err.text);
	assert_never_wider(run);
	assert_override_helps(run, text, facts, request);
	assert_idempotent(run, facts, request);
}

static struct policy_request make_request(void)
{
	static uint32_t privileged[] = { 27 };
	struct policy_request request = {
		.level = -1,
		.bundle = "/root/bundle",
		.rootfs = "/root/bundle/rootfs",
		.cpus = 2,
	};

	request.privileged_gids.v = privileged;
	request.privileged_gids.n = DJ_COUNT(privileged);
	return request;
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		const struct row *row = &rows[i];
		struct policy_request request = make_request();
		struct dj_arena arena = { 0 };
		struct run run;
		char *text = json_text(&arena, row->process, row->linux_, row->mounts, row->top);

		if (row->override)
			add_override(&request, row->override, &arena);
		apply(&run, text, &host, &request);
		if (!as_wanted(&run, row)) {
			print_run(&run);
			fail_msg("row %zu, %s: not as wanted: %s", i, row->check,
			         text_or(row->text, "nothing"));
		}
		assert_promises(&run, text, &host, &request);
		dj_arena_done(&run.arena);
		dj_arena_done(&arena);
	}
}

static void test_every_rule_has_a_row(void **state)
{
	struct policy_rule rule;

	(void)state;
	for (size_t i = 0; policy_rule_at(i, &rule); i++) {
		bool found = false;

		assert_non_null(policy_check_find(rule.check));
		for (size_t k = 0; k < DJ_COUNT(rows); k++)
			found |= strcmp(rows[k].check, rule.check) == 0;
		if (!found)
			fail_msg("%s has no test", rule.check);
	}
}

/* --- what rows cannot say ------------------------------------------------------------------- */

static void test_checks(void **state)
{
	const struct policy_check *table;
	size_t n;

	(void)state;
	table = policy_check_table(&n);
	assert_int_equal(n, 70);
	for (size_t i = 0; i < n; i++) {
		assert_ptr_equal(policy_check_find(table[i].id), &table[i]); /* named once */
		assert_in_range(table[i].weight, 0, 100);
	}
	assert_null(policy_check_find("ns"));
}

static void test_levels(void **state)
{
	static const struct {
		int command_line;
		bool file;
		enum policy_level floor;
		const char *annotation;
		int code;
		enum policy_level in_force;
		enum policy_source source;
	} cases[] = {
		{ -1, false, 0, NULL, 0, POLICY_HARDENED, POLICY_FROM_DEFAULT },
		{ POLICY_NONE, false, 0, NULL, 0, POLICY_NONE, POLICY_FROM_COMMAND_LINE },
		{ -1, true, POLICY_NONE, NULL, 0, POLICY_NONE, POLICY_FROM_FILE },
		{ POLICY_NONE, true, POLICY_HARDENED, NULL, 0, POLICY_HARDENED, POLICY_FROM_FILE },
		{ POLICY_HARDENED, true, POLICY_NONE, NULL, 0, POLICY_HARDENED,
		  POLICY_FROM_COMMAND_LINE },
		{ POLICY_NONE, false, 0, "hardened", 0, POLICY_HARDENED, POLICY_FROM_ANNOTATION },
		{ -1, false, 0, "none", 0, POLICY_HARDENED, POLICY_FROM_DEFAULT },
		{ -1, false, 0, "harden", DONJON_E_CONFIG, 0, 0 },
		{ -1, false, 0, "paranoid", DONJON_E_UNSUPPORTED, 0, 0 },
		{ POLICY_BASELINE, false, 0, NULL, DONJON_E_UNSUPPORTED, 0, 0 },
		{ POLICY_RESTRICTED, false, 0, NULL, DONJON_E_UNSUPPORTED, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(cases); i++) {
		struct policy_request request = make_request();
		struct dj_arena arena = { 0 };
		char top[80] = "";
		struct run run;

		request.level = cases[i].command_line;
		request.file.present = request.file.level_set = cases[i].file;
		request.file.level = cases[i].floor;
		if (cases[i].annotation)
			(void)snprintf(top, sizeof(top), ",'annotations':{'org.donjon.level':'%s'}",
			               cases[i].annotation);
		apply(&run, json_text(&arena, NULL, NULL, NULL, top), &host, &request);
		assert_int_equal(run.err.code, cases[i].code);
		if (!cases[i].code) {
			assert_int_equal(run.result.in_force, cases[i].in_force);
			assert_int_equal(run.result.level_source, cases[i].source);
		}
		dj_arena_done(&run.arena);
		dj_arena_done(&arena);
	}
	assert_int_equal(policy_level_from_name("paranoid"), POLICY_PARANOID);
	assert_int_equal(policy_level_from_name("Hardened"), -1);
	assert_string_equal(policy_level_name(POLICY_BASELINE), "baseline");
}

/* Level none: what a container runtime does that is asked for nothing else. */
static void test_none_changes_nothing(void **state)
{
	struct policy_request request = make_request();
	struct dj_arena arena = { 0 };
	struct policy_settings quiet = { .chown_pipes = true };
	struct run run;

	(void)state;
	request.level = POLICY_NONE;
	request.preserve_fds = request.no_new_keyring = true;
	apply(&run,
	      json_text(&arena, PROCESS_AS("'uid':0,'gid':0", CAPS(FORTY, FORTY, "")),
	                "'namespaces':[{'type':'mount'}]", BIND("/", "/host", ",'rshared'"),
	                ",'annotations':{'org.donjon.override.ns.net':'host:x'}"),
	      &host, &request);
	assert_int_equal(run.r, 0);
	assert_int_equal(run.result.changes.n + run.result.findings.n + run.result.notes.n, 0);
	assert_memory_equal(&run.result.settings, &quiet, sizeof(quiet));
	assert_int_equal(run.spec.process.capabilities.bounding,
	                 run.before.process.capabilities.bounding);
	assert_int_equal(run.spec.mounts.n, 1);
	assert_int_equal(run.spec.linux.masked_paths.n, 0);
	dj_arena_done(&run.arena);
	dj_arena_done(&arena);
}

static void test_settings(void **state)
{
	struct policy_request request = make_request();
	struct dj_arena arena = { 0 };
	const struct policy_settings *s;
	struct run run;

	(void)state;
	apply(&run, json_text(&arena, NULL, NULL, NULL, NULL), &host, &request);
	s = &run.result.settings;
	assert_int_equal(run.r, 0);
	assert_true(s->forced_userns && s->guard_filter && s->builtin_seccomp &&
	            s->inside_userns_limit);
	assert_true(s->chown_pipes && s->deny_spec_allow && s->strict_devices &&
	            s->harden_mount_flags && s->own_cgroups_only);
	assert_true(s->added_memory && s->added_swap && s->added_pids && s->added_cpu_weight);
	assert_true(s->added_devices && !s->force_keyring && !s->builtin_lsm &&
	            !s->rootfs_volatile);
	assert_int_equal(s->mounts_added, 3);
	assert_string_equal(run.spec.mounts.v[0].destination, "/tmp");
	assert_string_equal(run.spec.mounts.v[0].options.v[2], "noexec");
	assert_string_equal(run.spec.mounts.v[0].options.v[4], "size=64m");
	assert_string_equal(run.spec.mounts.v[1].destination, "/run");
	dj_arena_done(&run.arena);
	dj_arena_done(&arena);
}

static void test_settings_by_override(void **state)
{
	struct policy_request request = make_request();
	struct dj_arena arena = { 0 };
	struct run run;

	(void)state;
	add_override(&request, "fs.tmp=exec:x", &arena);
	add_override(&request, "fs.rootfs-ro=volatile:x", &arena);
	add_override(&request, "userns.nested=allow:x", &arena);
	add_override(&request, "seccomp.forbidden-calls=ptrace:x", &arena);
	add_override(&request, "keyring.private=inherit:x", &arena);
	apply(&run, json_text(&arena, NULL, NULL, NULL, NULL), &host, &request);
	assert_int_equal(run.r, 0);
	assert_true(run.result.settings.rootfs_volatile && !run.spec.root.readonly);
	assert_false(run.result.settings.inside_userns_limit);
	assert_int_equal(run.result.settings.allow_calls.n, 4);
	assert_string_equal(run.result.settings.allow_calls.v[3], "ptrace");
	assert_int_equal(run.result.settings.mounts_added,
	                 1); /* writable: /run and /var/tmp need nothing */
	assert_string_equal(run.spec.mounts.v[0].options.v[2], "mode=1777");
	assert_false(run.result.overrides.v[4].used); /* nothing to override: recorded as unused */
	dj_arena_done(&run.arena);
	dj_arena_done(&arena);
}

/* The steps of design.md §3, as far as they can be told before the launch. */
static void test_owners_in_the_rootfs(void **state)
{
	static const char config_map[] =
	        "'uidMappings':[{'containerID':0,'hostID':100000,'size':65536}],"
	        "'gidMappings':[{'containerID':0,'hostID':100000,'size':65536}]";
	struct host_facts rootless = host;
	struct dj_arena arena = { 0 };
	struct {
		const char *linux_, *override;
		const struct host_facts *host;
		bool overlay;
		enum policy_owners want;
	} cases[] = {
		{ NULL, NULL, &host, false, POLICY_OWNERS_MAPPED },
		{ NULL, NULL, &host, true, POLICY_OWNERS_REBUILT },
		{ NULL, "fs.rootfs-ro=volatile:x", &host, true, POLICY_OWNERS_REBUILT },
		{ NULL, "userns.private=host:x", &host, true, POLICY_OWNERS_HOST },
		{ NULL, NULL, &rootless, true, POLICY_OWNERS_CONFIG },
		{ dj_arena_printf(&arena, USERNS("%s"), config_map), NULL, &host, true,
		  POLICY_OWNERS_CONFIG },
	};

	(void)state;
	rootless.euid = rootless.egid = 1000;
	for (size_t i = 0; i < DJ_COUNT(cases); i++) {
		struct policy_request request = make_request();
		struct run run;

		request.rootfs_is_overlay = cases[i].overlay;
		if (cases[i].override)
			add_override(&request, cases[i].override, &arena);
		apply(&run, json_text(&arena, NULL, cases[i].linux_, NULL, NULL), cases[i].host,
		      &request);
		assert_int_equal(run.result.owners, cases[i].want);
		dj_arena_done(&run.arena);
	}
	dj_arena_done(&arena);
}

/* Decision 10: an overlay that is to be written takes the host's user namespace, too. */
static void test_a_writable_overlay(void **state)
{
	static const struct {
		const char *also;
		bool overlay, refused;
	} cases[] = {
		{ NULL, true, true },
		{ "userns.private=host:x", true, false },
		{ NULL, false, false },
	};

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(cases); i++) {
		struct policy_request request = make_request();
		struct dj_arena arena = { 0 };
		const struct policy_finding *found;
		struct run run;

		request.rootfs_is_overlay = cases[i].overlay;
		add_override(&request, "fs.rootfs-ro=rw:x", &arena);
		if (cases[i].also)
			add_override(&request, cases[i].also, &arena);
		apply(&run, json_text(&arena, NULL, NULL, NULL, NULL), &host, &request);
		found = find_refusal(&run, "userns.private", "fs.rootfs-ro=rw");
		assert_int_equal(found != NULL, cases[i].refused);
		if (found)
			assert_string_equal(found->override, "userns.private=host:REASON");
		assert_false(run.spec.root.readonly);
		dj_arena_done(&run.arena);
		dj_arena_done(&arena);
	}
}

static void test_command_line_flags(void **state)
{
	struct policy_request request = make_request();
	struct dj_arena arena = { 0 };
	struct run run;

	(void)state;
	request.preserve_fds = request.no_new_keyring = request.no_pivot = true;
	apply(&run, json_text(&arena, NULL, NULL, NULL, NULL), &host, &request);
	assert_non_null(find_refusal(&run, "proc.fds", "--preserve-fds"));
	assert_null(find_refusal(&run, "proc.fds", "standard stream"));
	assert_true(has_note(&run, "ns.mnt", "--no-pivot"));
	assert_true(run.result.settings.force_keyring);
	assert_promises(&run, json_text(&arena, NULL, NULL, NULL, NULL), &host, &request);
	dj_arena_done(&run.arena);
	dj_arena_done(&arena);
}

static void test_unknown_memory_size(void **state)
{
	struct policy_request request = make_request();
	struct host_facts facts = host;
	struct dj_arena arena = { 0 };
	struct run run;

	(void)state;
	facts.memory_bytes = 0;
	apply(&run, json_text(&arena, NULL, NULL, NULL, NULL), &facts, &request);
	assert_int_equal(run.r, 0);
	assert_true(has_note(&run, "res.memory", "not known"));
	assert_false(run.spec.linux.resources.memory.limit.set || run.result.settings.added_memory);
	dj_arena_done(&run.arena);
	dj_arena_done(&arena);
}

static void test_pointers_are_escaped(void **state)
{
	struct policy_request request = make_request();
	struct dj_arena arena = { 0 };
	struct run run;

	(void)state;
	apply(&run,
	      json_text(&arena, NULL, LINUX(",'sysctl':{'net/ipv4/conf/eth0.1~/forwarding':'1'}"),
	                NULL, NULL),
	      &host, &request);
	assert_string_equal(run.result.findings.v[0].pointer,
	                    "/linux/sysctl/net.ipv4.conf.eth0~11~0.forwarding");
	dj_arena_done(&run.arena);
	dj_arena_done(&arena);
}

static void assert_map(const struct oci_id_maps *maps, size_t n, const struct oci_id_map *want)
{
	assert_int_equal(maps->n, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(maps->v[i].container_id, want[i].container_id);
		assert_int_equal(maps->v[i].host_id, want[i].host_id);
		assert_int_equal(maps->v[i].size, want[i].size);
	}
}

static void test_id_maps(void **state)
{
	enum { BASE = 0x70000000 };
	const struct oci_id_map plain[] = { { 0, BASE, 65536 } };
	const struct oci_id_map one[] = {
		{ 0, BASE, 65534 },
		{ 65534, BASE + 65534, 1 },
		{ 1000680000, BASE + 65535, 1 },
	};
	const struct oci_id_map two[] = {
		{ 0, BASE, 65533 },
		{ 65534, BASE + 65534, 1 },
		{ 1000690000, BASE + 65535, 1 },
		{ 1000680000, BASE + 65533, 1 },
	};
	struct policy_request request = make_request();
	struct dj_arena arena = { 0 };
	struct run run;

	(void)state;
	apply(&run, json_text(&arena, NULL, NULL, NULL, NULL), &host, &request);
	assert_map(&run.spec.linux.uid_mappings, 1, plain);
	assert_map(&run.spec.linux.gid_mappings, 1, plain);
	dj_arena_done(&run.arena);

	apply(&run,
	      json_text(&arena,
	                PROCESS_AS("'uid':1000680000,'gid':0,'additionalGids':[1000690000,"
	                           "1000680000,1000690000,5]",
	                           ""),
	                NULL, NULL, NULL),
	      &host, &request);
	assert_int_equal(run.r, 0);
	assert_map(&run.spec.linux.uid_mappings, 3, one);
	assert_map(&run.spec.linux.gid_mappings, 4, two);
	dj_arena_done(&run.arena);
	dj_arena_done(&arena);
}

static void test_user_namespace_choice(void **state)
{
	struct policy_request request = make_request();
	struct host_facts facts = host;
	struct dj_arena arena = { 0 };
	struct oci_id_map pod[] = { { 0, 0x70010000, 65536 } };
	const struct oci_id_map single[] = { { 0, 1000, 1 } };
	char *text = json_text(&arena, PROCESS_AS("'uid':0,'gid':0", ""), NULL, NULL, NULL);
	struct run run;

	(void)state;
	/* no range left */
	facts.id_range = 0;
	apply(&run, text, &facts, &request);
	assert_non_null(find_refusal(&run, "userns.private", "no range of host ids"));
	assert_misread_by_nobody(run.err.text);
	dj_arena_done(&run.arena);

	/* an unprivileged caller has only itself to map */
	facts.euid = facts.egid = 1000;
	apply(&run, text, &facts, &request);
	assert_int_equal(run.r, 0);
	assert_map(&run.spec.linux.uid_mappings, 1, single);
	assert_true(run.result.settings.forced_userns && run.result.settings.inside_userns_limit);
	dj_arena_done(&run.arena);

	/* rootless podman: already inside one (decision 17) */
	facts = host;
	facts.initial_userns = false;
	facts.root_is_mapped = true;
	apply(&run, text, &facts, &request);
	assert_int_equal(run.r, 0);
	assert_false(run.spec.linux.namespaces[OCI_NS_USER].set);
	assert_false(run.result.settings.inside_userns_limit); /* it is everybody's of that user */
	assert_true(has_note(&run, "userns.private", "rootless"));
	dj_arena_done(&run.arena);

	/* an application container of a pod (decision 5) */
	request.joined_userns.path = "/proc/77/ns/user";
	request.joined_userns.uid_maps.v = request.joined_userns.gid_maps.v = pod;
	request.joined_userns.uid_maps.n = request.joined_userns.gid_maps.n = 1;
	apply(&run, text, &host, &request);
	assert_int_equal(run.r, 0);
	assert_string_equal(run.spec.linux.namespaces[OCI_NS_USER].path, "/proc/77/ns/user");
	assert_map(&run.spec.linux.uid_mappings, 1, pod);
	assert_false(run.result.settings.inside_userns_limit);
	dj_arena_done(&run.arena);

	request.joined_userns.others = "those of /proc/77/ns/ipc and /proc/78/ns/uts";
	apply(&run, text, &host, &request);
	assert_non_null(find_refusal(&run, "userns.private", "/proc/78/ns/uts"));
	dj_arena_done(&run.arena);
	add_override(&request, "userns.private=host:x", &arena);
	apply(&run, text, &host, &request);
	assert_null(find_refusal(&run, "userns.private", ""));
	assert_null(run.spec.linux.namespaces[OCI_NS_USER].path);
	dj_arena_done(&run.arena);
	dj_arena_done(&arena);
}

/* Facts the engine hands in: refused above none, and by no means to be allowed. */
static void test_granted_ids(void **state)
{
	const struct oci_id_map root[] = { { 0, 1000, 1 }, { 1, 100000, 65536 } };
	const struct oci_id_map user[] = { { 0, 100000, 5 }, { 5, 1000, 1 }, { 6, 100005, 65531 } };
	const struct oci_id_map beyond[] = { { 0, 100000, 65536 }, { 70000, 1000, 1 } };
	const struct oci_id_map one[] = { { 0, 1000, 1 } };
	const struct {
		const char *process;
		uint32_t gids;
		const struct oci_id_map *wanted;
		size_t n;
	} cases[] = {
		{ PROCESS_AS("'uid':0,'gid':0", ""), 65536, root, 2 },
		{ PROCESS_AS("'uid':5,'gid':5", ""), 65536, user, 3 },
		{ PROCESS_AS("'uid':70000,'gid':70000", ""), 65536, beyond, 2 },
		{ PROCESS_AS("'uid':0,'gid':0", ""), 0, one, 1 },
	};
	struct policy_request request = make_request();
	struct host_facts facts = host;
	struct dj_arena arena = { 0 };
	struct run run;

	(void)state;
	facts.id_range = 0;
	facts.euid = facts.egid = 1000;
	request.granted_uids = (struct host_id_range){ 100000, 65536 };
	for (size_t i = 0; i < DJ_COUNT(cases); i++) {
		request.granted_gids = (struct host_id_range){ 100000, cases[i].gids };
		apply(&run, json_text(&arena, cases[i].process, NULL, NULL, NULL), &facts, &request);
		assert_int_equal(run.r, 0);
		assert_map(&run.spec.linux.uid_mappings, cases[i].n, cases[i].wanted);
		assert_map(&run.spec.linux.gid_mappings, cases[i].n, cases[i].wanted);
		assert_true(has_note(&run, "userns.map", "below 65536"));
		dj_arena_done(&run.arena);
	}
	dj_arena_done(&arena);
}

/* What `spec --rootless` leaves out and binds, because others can do no better. */
static void test_rootless_document(void **state)
{
	static const char own[] = "'uidMappings':[{'containerID':0,'hostID':1000,'size':1}],"
				  "'gidMappings':[{'containerID':0,'hostID':1000,'size':1}],"
				  "'namespaces':[{'type':'mount'},{'type':'pid'},{'type':'ipc'},"
				  "{'type':'user'}]";
	static const char sys[] = "{'destination':'/sys/','type':'none','source':'/sys',"
				  "'options':['rbind','nosuid','noexec','nodev','ro']}";
	struct policy_request request = make_request();
	struct host_facts facts = host;
	struct dj_arena arena = { 0 };
	char *document = json_text(&arena, PROCESS_AS("'uid':0,'gid':0", ""), own, sys, NULL);
	struct run run;

	(void)state;
	facts.euid = facts.egid = 1000;
	apply(&run, document, &facts, &request);
	assert_int_equal(run.r, 0);
	assert_true(run.spec.linux.namespaces[OCI_NS_NETWORK].set);
	assert_int_equal(count_changes(&run, "ns.net", NULL), 1);
	assert_int_equal(count_changes(&run, "fs.sysfs",
	                               "/mounts/0/source: /sys of the host -> a sysfs of its own"), 1);
	dj_arena_done(&run.arena);

	/* an option is a person's word */
	request.host_network = true;
	apply(&run, document, &facts, &request);
	assert_non_null(find_refusal(&run, "ns.net", "shares the host's network"));
	dj_arena_done(&run.arena);

	/* so is what root writes */
	request.host_network = false;
	apply(&run, document, &host, &request);
	assert_non_null(find_refusal(&run, "ns.net", "shares the host's network"));
	assert_non_null(find_refusal(&run, "fs.host-paths", "exposes /sys"));
	dj_arena_done(&run.arena);
	dj_arena_done(&arena);
}

static void test_hooks(void **state)
{
	struct policy_hook_flaw flaws[] = {
		{ "prestart", 0, (char[]){ "/srv/hook belongs to uid 7" } },
		{ "poststop", 2, (char[]){ "/tmp may be written by others (mode 1777)" } },
	};
	struct policy_request request = make_request();
	struct policy_override unused;
	struct donjon_error err = { 0 };
	struct dj_arena arena = { 0 };
	struct run run;

	(void)state;
	request.hook_flaws.v = flaws;
	request.hook_flaws.n = DJ_COUNT(flaws);
	apply(&run, json_text(&arena, NULL, NULL, NULL, NULL), &host, &request);
	assert_int_equal(run.r, -1);
	assert_non_null(find_refusal(&run, "hooks.trusted", "(hooks.prestart) /srv/hook belongs"));
	assert_string_equal(find_refusal(&run, "hooks.trusted", "1777")->pointer, "/hooks/poststop/2");
	assert_promises(&run, json_text(&arena, NULL, NULL, NULL, NULL), &host, &request);
	dj_arena_done(&run.arena);

	request.level = POLICY_NONE;
	apply(&run, json_text(&arena, NULL, NULL, NULL, NULL), &host, &request);
	assert_int_equal(run.r, 0);
	dj_arena_done(&run.arena);
	assert_int_equal(policy_override_parse("hooks.trusted=x:y", &arena, &unused, &err), -1);
	dj_arena_done(&arena);
}

static void test_lsm_defaults(void **state)
{
	struct policy_request request = make_request();
	struct host_facts facts = host;
	struct dj_arena arena = { 0 };
	struct run run;

	(void)state;
	facts.apparmor = true;
	apply(&run, json_text(&arena, NULL, NULL, NULL, NULL), &facts, &request);
	assert_string_equal(run.spec.process.apparmor_profile, "donjon-default");
	assert_true(run.result.settings.builtin_lsm);
	assert_null(run.spec.process.selinux_label);
	dj_arena_done(&run.arena);

	facts.apparmor = false;
	facts.selinux = true;
	facts.id_range = 0x70000000 + (513U << 16);
	apply(&run, json_text(&arena, NULL, NULL, NULL, NULL), &facts, &request);
	assert_non_null(find_refusal(&run, "lsm.confined", "semodule -i donjon.cil"));
	assert_null(run.spec.process.selinux_label);
	assert_false(run.result.settings.builtin_lsm);
	dj_arena_done(&run.arena);

	request.selinux_type = POLICY_SELINUX_DONJON;
	apply(&run, json_text(&arena, NULL, NULL, NULL, NULL), &facts, &request);
	assert_string_equal(run.spec.process.selinux_label,
	                    "system_u:system_r:donjon_container_t:s0:c1,c569");
	assert_string_equal(run.spec.linux.mount_label,
	                    "system_u:object_r:donjon_file_t:s0:c1,c569");
	assert_true(run.result.settings.builtin_lsm);
	dj_arena_done(&run.arena);

	request.selinux_type = POLICY_SELINUX_CONTAINER;
	apply(&run, json_text(&arena, NULL, NULL, NULL, NULL), &facts, &request);
	assert_string_equal(run.spec.process.selinux_label,
	                    "system_u:system_r:container_t:s0:c1,c569");
	assert_string_equal(run.spec.linux.mount_label,
	                    "system_u:object_r:container_file_t:s0:c1,c569");
	dj_arena_done(&run.arena);

	apply(&run,
	      json_text(&arena, PROCESS(",'selinuxLabel':'a:b:container_t:s0:c1,c2'"), NULL, NULL,
	                NULL),
	      &facts, &request);
	assert_string_equal(run.spec.process.selinux_label, "a:b:container_t:s0:c1,c2");
	assert_null(run.spec.linux.mount_label);
	assert_false(run.result.settings.builtin_lsm);
	dj_arena_done(&run.arena);

	/* no range of its own: the bundle's path tells containers apart; a label of files stays */
	facts.id_range = 0;
	facts.initial_userns = false;
	facts.root_is_mapped = true;
	apply(&run, json_text(&arena, NULL, LINUX(",'mountLabel':'a:b:c:s0'"), NULL, NULL), &facts,
	      &request);
	assert_non_null(strstr(run.spec.process.selinux_label, ":container_t:s0:c"));
	assert_string_equal(run.spec.linux.mount_label, "a:b:c:s0");
	dj_arena_done(&run.arena);
	dj_arena_done(&arena);
}

/* What the engine saw at the source decides beside its name (decision 3). */
static void test_bind_sources(void **state)
{
	static const struct {
		const char *source, *options, *refused; /* the check, or NULL */
		struct policy_bind_source seen;
	} cases[] = {
		{ "/etc/localtime", ",'ro'", NULL, { 'f', true, false, NULL } },
		{ "/etc/localtime", "", "fs.host-paths", { 'f', true, false, NULL } },
		{ "/proc/kallsyms", ",'ro'", "fs.host-paths", { 'f', true, false, NULL } },
		{ "/proc/1/root", ",'ro','src-nofollow'", "fs.host-paths", { 'l', true, false, NULL } },
		{ "/etc/shadow", ",'ro'", "fs.host-paths", { 'f', false, false, NULL } },
		{ "/srv/tls/server.key", ",'ro'", "fs.host-paths", { 'f', true, false, NULL } },
		{ "/home/u/.kube/config", ",'rro'", "fs.host-paths", { 'f', true, false, NULL } },
		{ "/srv/link",
		  "",
		  "fs.host-paths",
		  { 'd', true, false, (char *)(uintptr_t) "/etc" } },
		{ "/srv/secret", ",'ro'", "fs.host-paths", { 'f', false, false, NULL } },
		{ "/run/app/app.sock", "", "fs.host-paths", { 's', true, false, NULL } },
		{ "/run/app", "", NULL, { 'd', true, false, NULL } },
		{ "/srv/app", "", "fs.control-sockets", { 'd', true, true, NULL } },
		{ "/dev/fuse", "", "dev.nodes", { 'c', true, false, NULL } },
		{ "/srv/disk", "", "dev.nodes", { 'b', true, false, NULL } },
		{ "/srv/all", ",'rbind'", "fs.host-paths", { 'd', true, false, NULL, "/etc" } },
		{ "/root/bundle/data", ",'rbind'", "fs.host-paths", { 'd', true, false, NULL, "/" } },
		{ "/var/lib/docker/volumes/v/_data", "", "fs.host-paths", { 'd', true, false, NULL, "/proc" } },
	};

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(cases); i++) {
		struct policy_request request = make_request();
		struct policy_bind_source seen = cases[i].seen;
		struct dj_arena arena = { 0 };
		struct run run;
		char *text = json_text(&arena, NULL, NULL,
		                       dj_arena_printf(&arena, BIND("%s", "/x", "%s"),
		                                       cases[i].source, cases[i].options),
		                       NULL);

		request.sources.v = &seen;
		request.sources.n = 1;
		apply(&run, text, &host, &request);
		if (cases[i].refused ? !find_refusal(&run, cases[i].refused, NULL) : run.r < 0)
			fail_msg("%s: %s", cases[i].source, run.err.text);
		assert_promises(&run, text, &host, &request);
		request.own_mounts = 1; /* the runtime's own choice is judged by nobody */
		dj_arena_done(&run.arena);
		apply(&run, text, &host, &request);
		assert_null(find_refusal(&run, "fs.host-paths", NULL));
		assert_null(find_refusal(&run, "fs.control-sockets", NULL));
		dj_arena_done(&run.arena);
		dj_arena_done(&arena);
	}
}

/* The directory itself, not what lies below it; by the name the engine found, if it found one. */
static void test_rootfs(void **state)
{
	static const struct {
		const char *rootfs, *name, *override;
		bool refused;
	} cases[] = {
		{ "/", NULL, NULL, true },
		{ "/etc", NULL, NULL, true },
		{ "/var/lib", NULL, NULL, true },
		{ "/var/lib/containers", NULL, NULL, true },
		{ "/tmp", NULL, NULL, true },
		{ "/home/u", NULL, NULL, true },
		{ "/srv/x", "/usr", NULL, true },
		{ "/srv/x", "/home/u", NULL, true },
		{ "/etc", NULL, "fs.host-paths=/etc:x", false },
		{ "/srv/x", "/etc", "fs.host-paths=/etc:x", false },
		{ "/etc", NULL, "fs.host-paths=/etc/ssl:x", true },
		{ "/home/u/b/rootfs", NULL, NULL, false },
		{ "/tmp/b", NULL, NULL, false },
		{ "/root/b/rootfs", "/root/b/rootfs", NULL, false },
		{ "/usr/lib/machines/x", NULL, NULL, false },
		{ "/run/containerd/io.containerd.runtime.v2.task/k8s.io/" ID "/rootfs", NULL, NULL, false },
		{ "/var/lib/containers/storage/overlay/" ID "/merged", NULL, NULL, false },
		{ "/var/lib/docker/overlay2/" ID "/merged", NULL, NULL, false },
		{ "/srv", NULL, NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(cases); i++) {
		struct policy_request request = make_request();
		struct dj_arena arena = { 0 };
		struct run run;
		const struct policy_finding *found;

		request.rootfs = cases[i].rootfs;
		request.rootfs_name = cases[i].name;
		if (cases[i].override)
			add_override(&request, cases[i].override, &arena);
		apply(&run, json_text(&arena, NULL, NULL, NULL, NULL), &host, &request);
		found = find_refusal(&run, "fs.host-paths", "exposes");
		if ((found != NULL) != cases[i].refused)
			fail_msg("%s: %s", cases[i].rootfs, run.err.text);
		if (found)
			assert_string_equal(found->pointer, "/root/path");
		dj_arena_done(&run.arena);
		dj_arena_done(&arena);
	}
}

/* --- refusals ------------------------------------------------------------------------------- */

static void test_privileged_is_one_finding(void **state)
{
	struct policy_request request = make_request();
	struct dj_arena arena = { 0 };
	char devices[16 * 1024] = "", *text;
	size_t used = 0;
	struct run run;

	(void)state;
	for (int i = 0; i < 102; i++)
		used += (size_t)snprintf(devices + used, sizeof(devices) - used,
		                         "%s{'path':'/dev/d%d','type':'b','major':8,'minor':%d}",
		                         i ? "," : "", i, i);
	text = json_text(
	        &arena, PROCESS_AS("'uid':0,'gid':0", CAPS(FORTY, FORTY, "")),
	        dj_arena_printf(&arena,
	                        LINUX(",'resources':{'devices':[{'allow':true,'access':'rwm'}]},"
	                              "'devices':[%s]"),
	                        devices),
	        NULL, NULL);
	apply(&run, text, &host, &request);
	assert_int_equal(run.result.findings.n, 1);
	assert_string_equal(
	        run.err.text,
	        "refused by policy level hardened: caps.privileged: /process/capabilities/bounding "
	        "holds (nearly) every capability: this is a privileged container (no override; "
	        "wanted: run it at policy level none or with another runtime)");
	assert_never_wider(&run);
	dj_arena_done(&run.arena);
	dj_arena_done(&arena);
}

static void test_refusals_are_folded(void **state)
{
	struct policy_request request = make_request();
	struct dj_arena arena = { 0 };
	struct run run;

	(void)state;
	apply(&run,
	      json_text(&arena, PROCESS(CAPS("'CAP_SYS_ADMIN','CAP_BPF'", "", "")),
	                "'namespaces':[{'type':'mount'},{'type':'pid'},{'type':'ipc'}],"
	                "'devices':[{'path':'/dev/a','type':'c','major':9,'minor':1},"
	                "{'path':'/dev/b','type':'c','major':9,'minor':2}]",
	                NULL, NULL),
	      &host, &request);
	assert_int_equal(run.err.code, DONJON_E_REFUSED);
	assert_string_equal(run.err.text,
	                    "refused by policy level hardened: "
	                    "ns.net: /linux/namespaces shares the host's network namespace "
	                    "(override ns.net=host:REASON); "
	                    "caps.bounding: /process/capabilities asks for CAP_SYS_ADMIN,CAP_BPF "
	                    "(override caps.bounding=CAP_SYS_ADMIN,CAP_BPF:REASON); "
	                    "dev.nodes: 2, first /linux/devices/0 asks for /dev/a (c 9:1) "
	                    "(override dev.nodes=/dev/a,/dev/b:REASON)");
	dj_arena_done(&run.arena);
	dj_arena_done(&arena);
}

/* Everything at once: still one line, still short, and it says how much is missing. */
static void test_refusal_is_bounded(void **state)
{
	struct policy_request request = make_request();
	struct dj_arena arena = { 0 };
	struct run run;
	char *mounts =
	        dj_arena_strdup(&arena, BIND("/var/run/docker.sock", "/s", ",'rshared','suid'"));
	char *text;

	(void)state;
	for (int i = 0; i < 300; i++)
		mounts = dj_arena_printf(
		        &arena,
		        "%s," BIND("/etc/no such file %d", "/is a directory/%d", ",'dev','shared'"),
		        mounts, i, i);
	add_override(&request, "userns.private=host:x", &arena);
	request.preserve_fds = true;
	text = json_text(&arena,
	                 PROCESS_AS("'uid':0,'gid':0,'additionalGids':[27]",
	                            CAPS("'CAP_SYS_ADMIN','CAP_BPF'", "",
	                                 "") ",'apparmorProfile':'unconfined','env':['LD_PRELOAD=/"
	                                     "tmp/permission denied']"),
	                 "'namespaces':[],'rootfsPropagation':'shared','seccomp':{'defaultAction':'"
	                 "SCMP_ACT_ALLOW'},"
	                 "'sysctl':{'net.does not exist':'1'},"
	                 "'devices':[{'path':'/not found','type':'c','major':9,'minor':1}]",
	                 mounts, NULL);
	apply(&run, text, &host, &request);
	assert_misread_by_nobody(run.err.text);
	assert_true(strlen(run.err.text) > 1000);
	assert_non_null(strstr(run.err.text, "more: see donjon run --dry-run"));
	dj_arena_done(&run.arena);
	dj_arena_done(&arena);
}

/* --- overrides ------------------------------------------------------------------------------ */

static void test_override_texts(void **state)
{
	static const struct {
		const char *text, *value, *reason; /* value NULL: an error holding `reason` */
	} cases[] = {
		{ "caps.bounding=CAP_CHOWN,CAP_SETUID:nginx_master", "CAP_CHOWN,CAP_SETUID",
		  "nginx master" },
		{ "dev.cgroup=c10:229:fuse", "c10:229", "fuse" },
		{ "fs.host-paths=\"/srv/a:b\":x", "/srv/a:b", "x" },
		{ "fs.host-paths=/srv/a:b:x", "/srv/a:b", "x" },
		{ "res.memory=2g:jvm", "2g", "jvm" },
		{ "ns.net=host:", NULL, "a reason is needed" },
		{ "ns.net=host: ", NULL, "a reason is needed" },
		{ "ns.net=host", NULL, "VALUE:REASON" },
		{ "ns.net", NULL, "ID=VALUE:REASON" },
		{ "ns.net=:x", NULL, "empty value" },
		{ "ns.net=no:x", NULL, "not one of: `host`" },
		{ "ns.network=host:x", NULL, "unknown check id" },
		{ "ns.mnt=host:x", NULL, "cannot be overridden" },
		{ "caps.privileged=yes:x", NULL, "cannot be overridden" },
		{ "hooks.trusted=yes:x", NULL, "cannot be overridden" },
		{ "caps.bounding=ALL:x", NULL, "not one of" },
		{ "caps.bounding=CHOWN:x", NULL, "not one of" },
		{ "caps.bounding=CAP_CHOWN,:x", NULL, "empty value" },
		{ "caps.bounding=CAP_CHOWN,,CAP_KILL:x", NULL, "not one of" },
		{ "fs.host-paths=*:x", NULL, "not one of" },
		{ "fs.host-paths=/srv/../etc:x", NULL, "not one of" },
		{ "fs.host-paths=/srv/:x", NULL, "not one of" },
		{ "fs.host-paths=\"/srv:x", NULL, "VALUE:REASON" },
		{ "fs.rootfs-ro=volatile,rw:x", NULL, "not one of" },
		{ "res.memory=2g,3g:x", NULL, "not one of" },
		{ "res.memory=0:x", NULL, "not one of" },
		{ "res.memory=2gb:x", NULL, "not one of" },
		{ "res.pids=4294967296:x", NULL, "not one of" },
		{ "dev.cgroup=a*:*:x", NULL, "not one of" },
		{ "dev.cgroup=c10::x", NULL, "not one of" },
	};

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(cases); i++) {
		struct dj_arena arena = { 0 };
		struct donjon_error err = { 0 };
		struct policy_override out;
		int r = policy_override_parse(cases[i].text, &arena, &out, &err);

		if (cases[i].value) {
			assert_int_equal(r, 0);
			assert_string_equal(out.value, cases[i].value);
			assert_string_equal(out.reason, cases[i].reason);
			assert_int_equal(out.source, POLICY_FROM_COMMAND_LINE);
		} else if (r == 0 || err.code != DONJON_E_USAGE ||
		           !strstr(err.text, cases[i].reason)) {
			fail_msg("%s: %s", cases[i].text, err.text);
		}
		dj_arena_done(&arena);
	}
}

static void test_annotations_may_not_loosen(void **state)
{
	static char *may[] = { (char *)(uintptr_t) "ns.net", NULL };
	struct policy_request request = make_request();
	struct dj_arena arena = { 0 };
	struct run run;
	char *text = json_text(&arena, NULL,
	                       "'namespaces':[{'type':'pid'},{'type':'ipc'},{'type':'mount'}]",
	                       NULL, ",'annotations':{'org.donjon.override.ns.net':'host:pod'}");

	(void)state;
	apply(&run, text, &host, &request);
	assert_int_equal(run.err.code, DONJON_E_REFUSED);
	assert_non_null(find_refusal(&run, "ns.net", "annotations may not loosen"));
	assert_non_null(find_refusal(&run, "ns.net", "shares the host's"));
	assert_string_equal(run.result.findings.v[0].pointer,
	                    "/annotations/org.donjon.override.ns.net");
	dj_arena_done(&run.arena);

	request.file.present = true;
	request.file.annotations_may_allow = (struct oci_strings){ .v = may, .n = 1 };
	apply(&run, text, &host, &request);
	assert_int_equal(run.r, 0);
	assert_int_equal(run.result.overrides.v[0].source, POLICY_FROM_ANNOTATION);
	assert_true(run.result.overrides.v[0].used);
	dj_arena_done(&run.arena);

	apply(&run,
	      json_text(&arena, NULL, NULL, NULL,
	                ",'annotations':{'org.donjon.override.ns.nett':'host:x'}"),
	      &host, &request);
	assert_int_equal(run.err.code, DONJON_E_USAGE);
	dj_arena_done(&run.arena);
	dj_arena_done(&arena);
}

/* --- the policy file and the record --------------------------------------------------------- */

static void test_policy_file(void **state)
{
	static const struct {
		const char *text, *error; /* error NULL: accepted */
	} cases[] = {
		{ "{}", NULL },
		{ "{'level':'hardened','overrides':['ns.net=host:the_ci runner',"
		  "{'id':'caps.bounding','value':'CAP_CHOWN','reason':'nginx'}],"
		  "'annotations_may_allow':['caps.bounding']}",
		  NULL },
		{ "{'level':'hard'}", "level: not a policy level" },
		{ "{'level':3}", "level: not a policy level" },
		{ "{'Level':'none'}", "unknown key \"Level\"" },
		{ "{'overrides':{}}", "overrides: not an array" },
		{ "{'overrides':['ns.mnt=host:x']}", "overrides[0]: override ns.mnt" },
		{ "{'overrides':[{'id':'ns.net','value':'host'}]}",
		  "overrides[0]: a string \"reason\"" },
		{ "{'overrides':[{'id':'ns.net','value':'host','reason':'x','until':'2030-01-01'}]"
		  "}",
		  "overrides[0]: unknown key" },
		{ "{'overrides':[7]}", "overrides[0]: neither" },
		{ "{'annotations_may_allow':['ns.mnt']}", "annotations_may_allow[0]" },
		{ "{'annotations_may_allow':'ns.net'}", "annotations_may_allow: not an array" },
		{ "[]", "not a JSON object" },
		{ "{'level':'none','level':'hardened'}", "level" },
		{ "{", "" },
	};

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(cases); i++) {
		struct dj_arena arena = { 0 };
		struct donjon_error err = { 0 };
		struct policy_file file = { 0 };
		char *text = dj_arena_strdup(&arena, cases[i].text);
		int r;

		for (char *p = text; *p; p++)
			*p = *p == '\'' ? '"' : *p;
		r = policy_file_decode(text, strlen(text), &arena, &file, &err);
		if (cases[i].error ? (r == 0 || !strstr(err.text, cases[i].error)) : r < 0)
			fail_msg("%s: %s", text, err.text);
		assert_int_equal(file.present, r == 0);
		if (i == 1) {
			assert_true(file.level_set && file.level == POLICY_HARDENED);
			assert_int_equal(file.overrides.n, 2);
			assert_string_equal(file.overrides.v[0].reason, "the_ci runner");
			assert_int_equal(file.overrides.v[1].source, POLICY_FROM_FILE);
			assert_int_equal(file.annotations_may_allow.n, 1);
		}
		dj_arena_done(&arena);
	}
}

static void test_file_overrides_apply(void **state)
{
	struct policy_request request = make_request();
	struct dj_arena arena = { 0 };
	struct donjon_error err = { 0 };
	static const char text[] = "{\"overrides\":[\"res.memory=1g:default\"]}";
	struct run run;

	(void)state;
	assert_int_equal(policy_file_decode(text, strlen(text), &arena, &request.file, &err), 0);
	add_override(&request, "res.memory=2g:mine", &arena); /* the file is the stronger one */
	apply(&run, json_text(&arena, NULL, NULL, NULL, NULL), &host, &request);
	assert_true(run.spec.linux.resources.memory.limit.v == INT64_C(1) << 30);
	assert_int_equal(run.result.in_force,
	                 POLICY_HARDENED); /* a file without a level sets none */
	dj_arena_done(&run.arena);
	dj_arena_done(&arena);
}

static void test_record_as_json(void **state)
{
	struct policy_request request = make_request();
	struct dj_arena arena = { 0 };
	struct run run;
	char *json;

	(void)state;
	add_override(&request, "nnp.set=off:sudo", &arena);
	apply(&run, json_text(&arena, NULL, NULL, BIND("/etc", "/x", ""), NULL), &host, &request);
	json = policy_result_json(&run.result, &run.arena);
	assert_non_null(strstr(
	        json, "{\"level\":\"hardened\",\"asked\":\"hardened\",\"source\":\"default\","));
	assert_non_null(strstr(json, "{\"check\":\"nnp.set\",\"value\":\"off\",\"reason\":\"sudo\","
	                             "\"source\":\"command line\",\"used\":true}"));
	assert_non_null(strstr(
	        json,
	        "\"findings\":[{\"check\":\"fs.host-paths\",\"pointer\":\"/mounts/0/source\","));
	assert_non_null(strstr(json, "\"override\":\"fs.host-paths=/etc:REASON\""));
	assert_non_null(
	        strstr(json, "{\"check\":\"res.pids\",\"pointer\":\"/linux/resources/pids/limit\","
	                     "\"before\":\"\",\"after\":\"1024\"}"));
	dj_arena_done(&run.arena);
	dj_arena_done(&arena);
}

/* --- documents of real engines, and the page that describes it all --------------------------- */

static char *read_source_file(struct dj_arena *arena, const char *name)
{
	const char *root = getenv("DONJON_SOURCE_ROOT");
	char *path = dj_arena_printf(arena, "%s/%s", root ? root : ".", name);
	FILE *f = fopen(path, "re");
	char *text;
	size_t n;

	if (!f)
		return NULL;
	text = dj_arena_alloc(arena, 1024 * 1024);
	n = fread(text, 1, 1024 * 1024 - 1, f);
	(void)fclose(f);
	text[n] = '\0';
	return text;
}

static void harden_document(const char *name, const char *text)
{
	struct policy_request request = make_request();
	struct donjon_error err = { 0 };
	struct dj_arena arena = { 0 };
	struct oci_spec spec;
	struct run run;

	/* The corpus has broken documents as well. */
	if (oci_decode(text, strlen(text), &arena, &spec, &err) == 0) {
		apply(&run, text, &host, &request);
		print_message("# %s: %zu changes, %zu findings\n", name, run.result.changes.n,
		              run.result.findings.n);
		assert_promises(&run, text, &host, &request);
		dj_arena_done(&run.arena);
	}
	dj_arena_done(&arena);
}

static void test_corpus(void **state)
{
	const char *root = getenv("DONJON_SOURCE_ROOT");
	struct dj_arena arena = { 0 };
	char *dir = dj_arena_printf(&arena, "%s/tests/corpus/config", root ? root : ".");
	DIR *d = opendir(dir);
	struct dirent *entry;

	(void)state;
	while (d && (entry = readdir(d))) {
		char *text;

		if (!strstr(entry->d_name, ".json"))
			continue;
		text = read_source_file(
		        &arena, dj_arena_printf(&arena, "tests/corpus/config/%s", entry->d_name));
		assert_non_null(text);
		harden_document(entry->d_name, text);
	}
	if (d)
		(void)closedir(d);
	dj_arena_done(&arena);
}

static void test_page_names_every_rule(void **state)
{
	struct dj_arena arena = { 0 };
	struct policy_rule rule;
	char *page = read_source_file(&arena, "docs/policy.md");

	(void)state;
	assert_non_null(page);
	for (size_t i = 0; policy_rule_at(i, &rule); i++) {
		char *line = dj_arena_printf(&arena, "\n| `%s` | %s | %s |\n", rule.check,
		                             rule.what, rule.values ? rule.values : "never");

		if (!strstr(page, line))
			fail_msg("docs/policy.md lacks this line:%s", line);
	}
	dj_arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checks),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_none_changes_nothing),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_every_rule_has_a_row),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_settings_by_override),
		cmocka_unit_test(test_owners_in_the_rootfs),
		cmocka_unit_test(test_a_writable_overlay),
		cmocka_unit_test(test_command_line_flags),
		cmocka_unit_test(test_unknown_memory_size),
		cmocka_unit_test(test_pointers_are_escaped),
		cmocka_unit_test(test_id_maps),
		cmocka_unit_test(test_user_namespace_choice),
		cmocka_unit_test(test_granted_ids),
		cmocka_unit_test(test_rootless_document),
		cmocka_unit_test(test_hooks),
		cmocka_unit_test(test_lsm_defaults),
		cmocka_unit_test(test_bind_sources),
		cmocka_unit_test(test_rootfs),
		cmocka_unit_test(test_privileged_is_one_finding),
		cmocka_unit_test(test_refusals_are_folded),
		cmocka_unit_test(test_refusal_is_bounded),
		cmocka_unit_test(test_override_texts),
		cmocka_unit_test(test_annotations_may_not_loosen),
		cmocka_unit_test(test_policy_file),
		cmocka_unit_test(test_file_overrides_apply),
		cmocka_unit_test(test_record_as_json),
		cmocka_unit_test(test_corpus),
		cmocka_unit_test(test_page_names_every_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
