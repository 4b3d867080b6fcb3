/*
 * The levels as one ordered table.  The order is the order of findings and of the record; where
 * one row needs another's result it says so.  Levels are monotone: a row applies from its level up.
 * What a stronger level does differently will be rows of its own or a look at h->level.
 */
#include "policy/harden.h"

#include "base/cleanup.h"

/* clang-format off */
static const struct {
	const char *check;
	enum policy_level from;
	void (*apply)(struct harden *h);
	const char *what; /* at hardened */
	bool of_process;  /* about the process: applied to one that joins the container, too (B39) */
} rules[] = {
	{ "caps.privileged", POLICY_BASELINE, harden_caps_privileged,
	  "refuses a privileged container, as one finding", true },
	{ "ns.pid", POLICY_BASELINE, harden_host_namespace, "refuses the host's PID namespace" },
	{ "ns.net", POLICY_BASELINE, harden_network_namespace,
	  "refuses the host's network namespace; makes an own one for an unprivileged caller" },
	{ "ns.ipc", POLICY_BASELINE, harden_host_namespace, "refuses the host's IPC namespace" },
	{ "ns.mnt", POLICY_BASELINE, harden_mount_namespace, "refuses the host's mount namespace and others joined by path" },
	{ "ns.uts", POLICY_RESTRICTED, harden_own_namespace, "makes an own UTS namespace" },
	{ "ns.cgroup", POLICY_RESTRICTED, harden_own_namespace, "makes an own cgroup namespace" },
	/* before everything that asks who an id is outside */
	{ "userns.private", POLICY_HARDENED, harden_userns,
	  "makes a private user namespace on a range of its own; a pod's is joined" },
	{ "userns.map", POLICY_HARDENED, harden_userns_map, "refuses maps to host ids below 1000" },
	{ "userns.nested", POLICY_HARDENED, harden_userns_nested,
	  "user.max_user_namespaces is 0 inside; the guard filter refuses new ones" },
	{ "user.nonroot", POLICY_RESTRICTED, harden_uid,
	  "refuses uid 0 unless a private user namespace maps it", true },
	{ "user.groups", POLICY_HARDENED, harden_groups,
	  "refuses gid 0 and privileged groups of the host, by their host gids", true },
	{ "net.listen", POLICY_HARDENED, harden_low_ports, /* before the sets are trimmed */
	  "opens low ports in the network namespace where CAP_NET_BIND_SERVICE is taken away" },
	{ "caps.bounding", POLICY_BASELINE, harden_caps_bounding,
	  "refuses capabilities beyond the engines' 14, drops the rest", true },
	{ "caps.effective", POLICY_RESTRICTED, harden_caps_effective,
	  "drops all; `caps.bounding` says what is kept", true },
	{ "caps.ambient", POLICY_BASELINE, harden_caps_ambient, "drops all", true },
	{ "caps.escape-class", POLICY_BASELINE, harden_caps_escape,
	  "records what an override of `caps.bounding` gives away" },
	{ "nnp.set", POLICY_RESTRICTED, harden_no_new_privs, "sets no_new_privs", true },
	{ "seccomp.on", POLICY_BASELINE, harden_seccomp,
	  "loads the built-in profile where there is none", true },
	{ "seccomp.default-deny", POLICY_HARDENED, harden_seccomp_default,
	  "refuses a profile that lets unlisted calls through" },
	{ "seccomp.forbidden-calls", POLICY_HARDENED, harden_seccomp_guard,
	  "stacks the guard filter on any profile", true },
	{ "seccomp.flags", POLICY_HARDENED, harden_seccomp_flags,
	  "removes SECCOMP_FILTER_FLAG_SPEC_ALLOW", true },
	{ "lsm.confined", POLICY_BASELINE, harden_lsm,
	  "applies the built-in profile or label where an LSM is on; refuses unconfined ones", true },
	/* before fs.host-paths, which would take a rootless /sys for the host's */
	{ "fs.sysfs", POLICY_RESTRICTED, harden_sysfs,
	  "makes /sys read-only; refuses debugfs and the like" },
	{ "fs.host-paths", POLICY_BASELINE, harden_host_paths,
	  "refuses sensitive paths of the host" },
	{ "fs.control-sockets", POLICY_BASELINE, harden_control_sockets,
	  "refuses control sockets of engines and init" },
	{ "fs.propagation", POLICY_RESTRICTED, harden_propagation, "refuses shared propagation" },
	{ "fs.nosuid-nodev", POLICY_RESTRICTED, harden_nosuid_nodev,
	  "adds nosuid,nodev to every mount and the rootfs; refuses suid and dev" },
	{ "fs.proc-visibility", POLICY_HARDENED, harden_proc_visibility,
	  "adds hidepid=ptraceable to proc in an own PID namespace" },
	{ "fs.cgroupfs", POLICY_RESTRICTED, harden_cgroupfs, "makes the cgroup tree read-only, and empty where the container has no cgroup" },
	{ "fs.masked", POLICY_BASELINE, harden_masked,
	  "masks the extended list; refuses a second proc or sysfs, where nothing is masked" },
	{ "fs.readonly-proc", POLICY_BASELINE, harden_readonly_proc,
	  "makes the default list read-only" },
	{ "dev.nodes", POLICY_RESTRICTED, harden_device_nodes,
	  "refuses all but the default device nodes" },
	{ "dev.cgroup", POLICY_BASELINE, harden_device_rules,
	  "denies by default and takes mknod away; refuses rules for other devices" },
	/* mounts are added from here on: everything that judges the config's comes before */
	{ "fs.rootfs-ro", POLICY_RESTRICTED, harden_rootfs,
	  "makes the rootfs read-only; tmpfs on /run and /var/tmp then" },
	{ "fs.tmp", POLICY_RESTRICTED, harden_tmp,
	  "nosuid,nodev,noexec tmpfs of 64 MiB on /tmp; refuses the opposite of a configured one" },
	{ "res.memory", POLICY_HARDENED, harden_memory,
	  "half of the host's memory where none is set" },
	{ "res.swap", POLICY_HARDENED, harden_swap, "no swap where none is set" },
	{ "res.pids", POLICY_RESTRICTED, harden_pids, "1024 where none is set" },
	{ "res.cpu-io", POLICY_HARDENED, harden_cpu,
	  "CPU weight below the default where nothing is set" },
	{ "res.core", POLICY_RESTRICTED, harden_core, "RLIMIT_CORE 1", true },
	{ "res.oom", POLICY_HARDENED, harden_oom, "records a negative score" },
	{ "sysctl.safe", POLICY_BASELINE, harden_sysctls, "refuses sysctls off the safe list" },
	{ "keyring.private", POLICY_BASELINE, harden_keyring,
	  "new session keyring, whatever --no-new-keyring says" },
	{ "proc.fds", POLICY_HARDENED, harden_fds, "refuses --preserve-fds, and directories as standard streams", true },
	{ "env.loader", POLICY_HARDENED, harden_loader,
	  "refuses loader variables that point into a writable place" },
	/* after all that is about the process */
	{ "exec.parity", POLICY_BASELINE, harden_parity,
	  "exec: refuses what the config did not ask for, takes away what the container does not have", true },
	{ "hooks.trusted", POLICY_BASELINE, harden_hooks,
	  "refuses hook programs on the host that others than root or the caller may change" },
};
/* clang-format on */

const struct policy_rule *policy_rule_at(size_t index, struct policy_rule *out)
{
	const struct override_rule *override;

	if (index >= DJ_COUNT(rules))
		return NULL;
	override = override_rule_find(rules[index].check);
	*out = (struct policy_rule){
		.check = rules[index].check,
		.from = rules[index].from,
		.what = rules[index].what,
		.values = override ? override->values : NULL,
	};
	return out;
}

static void apply_rules(struct harden *h, bool of_process_only)
{
	for (size_t i = 0; i < DJ_COUNT(rules); i++) {
		if (h->level < rules[i].from || (of_process_only && !rules[i].of_process))
			continue;
		h->check = rules[i].check;
		rules[i].apply(h);
	}
}

int policy_apply(struct oci_spec *spec, const struct host_facts *host,
                 const struct policy_request *request, struct dj_arena *arena,
                 struct policy_result *result, struct donjon_error *err)
{
	struct harden h = {
		.spec = spec,
		.host = host,
		.request = request,
		.arena = arena,
		.result = result,
	};

	*result = (struct policy_result){ 0 };
	if (levels_resolve(request, spec, result, err) < 0)
		return -1;
	h.level = result->in_force;
	if (overrides_collect(&h, err) < 0)
		return -1;
	result->settings.chown_pipes = true; /* at every level: who logs to /dev/stdout must run */
	apply_rules(&h, false);
	result->owners = userns_owners(&h);
	return result->findings.n ? refusal_fail(result, err) : 0;
}

/* The container's own process as it was hardened at create, when all of this was accepted. */
static struct oci_process harden_own_process(const struct harden *joining, const struct oci_process *own)
{
	struct oci_spec spec = *joining->spec;
	struct policy_result unread = { 0 };
	struct harden h = *joining;

	spec.process = *own;
	h.spec = &spec;
	h.result = &unread;
	h.container = NULL;
	unread.overrides = joining->result->overrides;
	apply_rules(&h, true);
	return spec.process;
}

int policy_apply_joining(struct oci_spec *spec, const struct oci_process *configured,
                         const struct host_facts *host, const struct policy_request *request,
                         struct dj_arena *arena, struct policy_result *result,
                         struct donjon_error *err)
{
	struct harden_container container = { .configured = configured };
	struct harden h = {
		.spec = spec,
		.host = host,
		.request = request,
		.arena = arena,
		.result = result,
		.level = (enum policy_level)request->level,
	};

	*result = (struct policy_result){ .asked = h.level, .in_force = h.level };
	result->overrides.v = request->overrides.v;
	result->overrides.n = request->overrides.n;
	result->settings.chown_pipes = true;
	container.asked = spec->process.capabilities;
	parity_floor(&spec->process, configured);
	container.hardened = harden_own_process(&h, configured);
	h.container = &container;
	apply_rules(&h, true);
	return result->findings.n ? refusal_fail(result, err) : 0;
}
