/* The one table that names each check (hardening-checks.md part A, in its order). */
#include "base/cleanup.h"
#include "policy/policy.h"

#include <string.h>

/* clang-format off */
static const struct policy_check checks[] = {
	{ "user.nonroot", "no process runs as uid 0 inside the container", POLICY_HIGH, 80 },
	{ "user.uid-range", "uid is too high to collide with a host account", POLICY_LOW, 15 },
	{ "user.groups", "no gid 0, no privileged supplementary group", POLICY_MEDIUM, 20 },
	{ "nnp.set", "no_new_privs on every thread", POLICY_HIGH, 60 },
	{ "userns.private", "own user namespace", POLICY_HIGH, 60 },
	{ "userns.map", "inside ids map to unprivileged host ids of their own", POLICY_CRITICAL, 60 },
	{ "userns.nested", "workload cannot create user namespaces", POLICY_HIGH, 40 },
	{ "caps.privileged", "not a privileged container", POLICY_CRITICAL, 100 },
	{ "caps.bounding", "bounding set empty", POLICY_HIGH, 60 },
	{ "caps.effective", "permitted and effective sets empty", POLICY_HIGH, 50 },
	{ "caps.ambient", "inheritable and ambient sets empty", POLICY_MEDIUM, 20 },
	{ "caps.escape-class", "none of the capabilities that lead to the host", POLICY_CRITICAL, 90 },
	{ "caps.net-raw", "no CAP_NET_RAW", POLICY_MEDIUM, 25 },
	{ "seccomp.on", "a filter is installed on every thread", POLICY_CRITICAL, 80 },
	{ "seccomp.default-deny", "unknown calls are refused", POLICY_HIGH, 50 },
	{ "seccomp.forbidden-calls", "high-risk calls refused", POLICY_HIGH, 60 },
	{ "seccomp.abi", "only the native system-call ABI", POLICY_MEDIUM, 30 },
	{ "seccomp.surface", "size of the allowed set", POLICY_MEDIUM, 40 },
	{ "seccomp.args", "dangerous argument values filtered", POLICY_MEDIUM, 25 },
	{ "seccomp.flags", "filter loaded without weakening flags", POLICY_LOW, 10 },
	{ "lsm.confined", "AppArmor profile or SELinux domain applied", POLICY_HIGH, 50 },
	{ "lsm.enforcing", "the label is enforced, with a category of its own", POLICY_HIGH, 40 },
	{ "landlock.domain", "a Landlock ruleset confines the workload", POLICY_MEDIUM, 25 },
	{ "ns.pid", "own pid namespace", POLICY_HIGH, 60 },
	{ "ns.net", "own network namespace", POLICY_HIGH, 60 },
	{ "ns.ipc", "own IPC namespace", POLICY_HIGH, 40 },
	{ "ns.mnt", "own mount namespace, root pivoted", POLICY_CRITICAL, 80 },
	{ "ns.uts", "own UTS namespace", POLICY_MEDIUM, 20 },
	{ "ns.cgroup", "own cgroup namespace", POLICY_MEDIUM, 25 },
	{ "ns.joined", "namespaces not shared with unrelated containers", POLICY_MEDIUM, 20 },
	{ "fs.rootfs-ro", "root filesystem read-only", POLICY_HIGH, 50 },
	{ "fs.tmp", "scratch space is a limited, flagged tmpfs", POLICY_MEDIUM, 20 },
	{ "fs.wx-mounts", "nothing is both writable and executable", POLICY_MEDIUM, 30 },
	{ "fs.nosuid-nodev", "data mounts carry nosuid and nodev", POLICY_MEDIUM, 30 },
	{ "fs.host-paths", "no sensitive host directory", POLICY_CRITICAL, 80 },
	{ "fs.control-sockets", "no engine or init control socket", POLICY_CRITICAL, 100 },
	{ "fs.propagation", "mounts do not propagate to the host", POLICY_MEDIUM, 30 },
	{ "fs.masked", "sensitive /proc and /sys files masked", POLICY_HIGH, 40 },
	{ "fs.readonly-proc", "kernel knobs read-only", POLICY_HIGH, 40 },
	{ "fs.proc-visibility", "/proc shows only own pids / only pids", POLICY_LOW, 10 },
	{ "fs.sysfs", "/sys read-only or absent", POLICY_MEDIUM, 25 },
	{ "fs.cgroupfs", "cgroup tree not writable", POLICY_HIGH, 40 },
	{ "dev.nodes", "only the default device nodes", POLICY_HIGH, 50 },
	{ "dev.cgroup", "device access default-deny", POLICY_HIGH, 50 },
	{ "fs.shm", "/dev/shm and mqueue flagged and bounded", POLICY_LOW, 10 },
	{ "fs.bind-ro", "injected config and secrets are read-only", POLICY_LOW, 10 },
	{ "res.memory", "memory bounded", POLICY_HIGH, 40 },
	{ "res.swap", "swap bounded", POLICY_LOW, 10 },
	{ "res.pids", "process count bounded", POLICY_HIGH, 40 },
	{ "res.cpu-io", "CPU (and I/O) bounded", POLICY_MEDIUM, 20 },
	{ "res.rlimits", "rlimits set on purpose", POLICY_LOW, 15 },
	{ "res.core", "no core dumps", POLICY_LOW, 10 },
	{ "res.oom", "cannot outrank the host in the OOM choice", POLICY_MEDIUM, 20 },
	{ "res.cgroup-path", "in the expected cgroup", POLICY_MEDIUM, 15 },
	{ "sysctl.safe", "only namespaced, safe sysctls set", POLICY_HIGH, 40 },
	{ "keyring.private", "own session keyring", POLICY_LOW, 10 },
	{ "proc.personality", "ASLR and no exec-implied reads", POLICY_MEDIUM, 20 },
	{ "proc.fds", "no inherited host descriptors or terminals", POLICY_HIGH, 50 },
	{ "proc.cwd-root", "cwd and root inside the container", POLICY_HIGH, 40 },
	{ "proc.exe", "executables come from the image", POLICY_MEDIUM, 20 },
	{ "net.listen", "listening ports are expected and unprivileged", POLICY_MEDIUM, 20 },
	{ "net.exposure", "network reach is limited", POLICY_MEDIUM, 20 },
	{ "env.secrets", "no credentials in the environment", POLICY_HIGH, 30 },
	{ "env.loader", "no loader injection variables", POLICY_MEDIUM, 20 },
	{ "proc.sshd", "no remote-login daemon", POLICY_MEDIUM, 20 },
	{ "logs.stdout", "logs go to stdout/stderr, not to files", POLICY_LOW, 10 },
	{ "exec.parity", "exec'd processes are no stronger than the container", POLICY_HIGH, 40 },
	{ "hooks.trusted", "host-side hooks cannot be tampered with", POLICY_MEDIUM, 20 },
	{ "drift.config-kernel", "the kernel enforces what the config says", POLICY_HIGH, 60 },
	{ "host.posture", "kernel settings around the container", POLICY_INFO, 0 },
};
/* clang-format on */

const struct policy_check *policy_check_find(const char *id)
{
	for (size_t i = 0; i < DJ_COUNT(checks); i++)
		if (strcmp(checks[i].id, id) == 0)
			return &checks[i];
	return NULL;
}

const struct policy_check *policy_check_table(size_t *n)
{
	*n = DJ_COUNT(checks);
	return checks;
}
