/*
 * The runtime checks of hardening-checks.md part A as far as they can be answered from inside:
 * one line of JSON {check id: "good" | "tolerable" | "bad" | "unknown" | "na"}.
 *
 * Arguments name=inode give the host's namespaces to compare with.
 */
#include "prisoner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum verdict { GOOD, TOLERABLE, BAD, UNKNOWN, NA };

static const char *const verdict_names[] = { "good", "tolerable", "bad", "unknown", "na" };

static int host_argc;
static char **host_argv;

static unsigned long long host_inode(const char *ns)
{
	size_t length = strlen(ns);
	for (int i = 0; i < host_argc; i++)
		if (strncmp(host_argv[i], ns, length) == 0 && host_argv[i][length] == '=')
			return strtoull(host_argv[i] + length + 1, NULL, 10);
	return 0;
}

static enum verdict first_of(bool good, bool tolerable)
{
	return good ? GOOD : tolerable ? TOLERABLE : BAD;
}

static bool refused(const char *attempt_text)
{
	int code = attempt_code(attempt_text);
	return code == EPERM || code == ENOSYS || code == EACCES || code < 0 || code == ENOSPC;
}

/* Identity */

/* Host id of an inside id 0 by the first column that covers it; ~0 when unmapped. */
static unsigned long long mapped_zero(const char *path)
{
	const char *text = slurp(path, NULL);
	unsigned long long inside, outside, count;
	for (const char *line = text; line != NULL && *line != '\0';) {
		if (sscanf(line, "%llu %llu %llu", &inside, &outside, &count) == 3 && inside == 0)
			return outside;
		line = strchr(line, '\n');
		line = line != NULL ? line + 1 : NULL;
	}
	return ~0ull;
}

static enum verdict user_nonroot(void)
{
	bool none = getuid() != 0 && geteuid() != 0;
	return first_of(none, mapped_zero("/proc/self/uid_map") >= 65536);
}

static enum verdict user_uid_range(void)
{
	return first_of(getuid() >= 10000 && getuid() != 65534,
	                getuid() >= 1000 && getuid() != 65534);
}

static enum verdict user_groups(void)
{
	gid_t groups[64];
	int n = getgroups(64, groups);
	bool zero = getgid() == 0;
	for (int i = 0; i < n; i++)
		zero = zero || groups[i] == 0;
	if (zero)
		return mapped_zero("/proc/self/gid_map") >= 65536 ? TOLERABLE : BAD;
	return first_of(n == 0 || (n == 1 && groups[0] == getgid()), true);
}

static enum verdict nnp_set(void)
{
	return first_of(strcmp(status_value("NoNewPrivs"), "1") == 0, false);
}

static enum verdict ns_own(const char *name)
{
	unsigned long long mine = ns_inode(name), host = host_inode(name);
	return mine == 0 || host == 0 ? UNKNOWN : first_of(mine != host, false);
}

static enum verdict userns_private(void)
{
	return ns_own("user");
}

static enum verdict userns_map(void)
{
	if (userns_private() == BAD)
		return BAD;
	unsigned long long zero = mapped_zero("/proc/self/uid_map");
	return first_of(zero != ~0ull && zero >= 65536, zero != 0);
}

static enum verdict userns_nested(void)
{
	return first_of(refused("unshare=user") && refused("clone=10000000") &&
	                        refused("clone3=10000000"),
	                false);
}

/* Capabilities */

static unsigned long long all_sets(void)
{
	return status_hex("CapInh") | status_hex("CapPrm") | status_hex("CapEff") |
	       status_hex("CapBnd") | status_hex("CapAmb");
}

static enum verdict within(unsigned long long set, unsigned long long allowed)
{
	const unsigned long long net_bind_service = 1ull << 10;
	return set == 0 ? GOOD : first_of(false, (set & ~(allowed | net_bind_service)) == 0);
}

static enum verdict caps_privileged(void)
{
	return first_of(__builtin_popcountll(status_hex("CapBnd")) < 21, false);
}

static enum verdict caps_bounding(void)
{
	const unsigned long long engines = 0xa80425fb; /* the 14 names of Docker's default */
	return within(status_hex("CapBnd"), engines);
}

static enum verdict caps_effective(void)
{
	return within(status_hex("CapPrm") | status_hex("CapEff"), 0);
}

static enum verdict caps_ambient(void)
{
	return first_of((status_hex("CapInh") | status_hex("CapAmb")) == 0,
	                status_hex("CapAmb") == 0);
}

static enum verdict caps_escape_class(void)
{
	static const unsigned char first[] = { 21, 16, 19, 17, 2, 39, 38, 22, 33, 32, 40 };
	static const unsigned char second[] = { 12, 25, 34, 24, 23, 27, 31, 18, 30, 15, 9 };
	unsigned long long tier1 = 0, tier2 = 0, held = all_sets();
	for (size_t i = 0; i < sizeof(first); i++)
		tier1 |= 1ull << first[i];
	for (size_t i = 0; i < sizeof(second); i++)
		tier2 |= 1ull << second[i];
	if ((held & (tier1 | tier2)) == 0)
		return GOOD;
	return first_of(false, (held & tier1) == 0 && userns_private() == GOOD);
}

static enum verdict caps_net_raw(void)
{
	return first_of((all_sets() & 1ull << 13) == 0, false);
}

/* Seccomp */

static bool filtered(void)
{
	return strcmp(status_value("Seccomp"), "2") == 0;
}

static enum verdict seccomp_on(void)
{
	return first_of(filtered(), false);
}

static enum verdict seccomp_default_deny(void)
{
	/* sysfs(2) succeeds for anybody on x86-64 and nobody needs it: a list that lets it through
	 * is no allow-list.  Elsewhere lookup_dcookie stands in (EPERM against ENOSYS). */
	if (!filtered())
		return BAD;
#ifdef __x86_64__
	if (!refused("sysfs"))
		return BAD;
#endif
	return first_of(attempt_code("unknown-call") == ENOSYS, refused("unknown-call"));
}

static bool any_reachable(const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!refused(names[i]))
			return true;
	return false;
}

static enum verdict seccomp_forbidden_calls(void)
{
	/* clang-format off */
	static const char *const tier_a[] = {
		"kexec-load", "init-module", "finit-module", "delete-module", "bpf", "perf", "userfaultfd",
		"io-uring", "io-uring-enter", "io-uring-register", "keyctl", "add-key", "request-key",
		"mount", "umount", "pivot", "move-mount", "open-tree", "fsopen", "fsconfig", "fsmount",
		"fspick", "mount-setattr", "setns", "unshare=user", "unshare=mnt", "open-by-handle-at",
		"pidfd-getfd", "swapon", "swapoff", "reboot", "settimeofday", "clock-settime", "acct",
		"quotactl", "quotactl-fd", "iopl", "ioperm", "uselib", "sysfs", "ustat", "syslog", "vhangup",
		"sethostname=x", "setdomainname", "fanotify-init", "lsm-set-self-attr", "clone3=0",
	};
	/* clang-format on */
	/* clang-format off */
	static const char *const tier_b[] = {
		"ptrace", "process-vm-readv", "process-vm-writev", "process-madvise", "kcmp",
		"name-to-handle-at", "modify-ldt", "move-pages", "migrate-pages", "mbind", "set-mempolicy",
		"vmsplice", "memfd-secret", "statmount", "listmount",
	};
	/* clang-format on */
	if (any_reachable(tier_a, sizeof(tier_a) / sizeof(tier_a[0])))
		return BAD;
	return any_reachable(tier_b, sizeof(tier_b) / sizeof(tier_b[0])) ? TOLERABLE : GOOD;
}

static enum verdict seccomp_abi(void)
{
#ifdef __x86_64__
	return first_of(attempt_code("int80=20") != 0 && attempt_code("x32=39") != 0, false);
#else
	return NA;
#endif
}

static enum verdict seccomp_args(void)
{
	/* TIOCSTI on a pipe is ENOTTY unless a filter answers first. */
	static const char *const probes[] = {
		"socket=38:5",  "socket=40:1",        "ioctl=0x5412",
		"ioctl=0x541c", "personality=400000", "clone=10000000"
	};
	size_t denied = 0, n = sizeof(probes) / sizeof(probes[0]);
	for (size_t i = 0; i < n; i++)
		denied += refused(probes[i]) || attempt_code(probes[i]) == EAFNOSUPPORT;
	return first_of(denied == n, denied > 0);
}

static enum verdict seccomp_flags(void)
{
	const char *text = status_value("Speculation_Store_Bypass");
	if (!filtered() || *text == '\0')
		return filtered() ? UNKNOWN : NA;
	return first_of(strcmp(text, "thread vulnerable") != 0, false);
}

/* LSM */

static enum verdict lsm_confined(void)
{
	const char *label = slurp("/proc/self/attr/current", NULL);
	if (label == NULL || *label == '\0')
		return NA;
	return first_of(strstr(label, "unconfined") == NULL && strstr(label, "spc_t") == NULL &&
	                        strncmp(label, "kernel", 6) != 0,
	                false);
}

static enum verdict lsm_enforcing(void)
{
	if (lsm_confined() != GOOD)
		return lsm_confined();
	const char *label = slurp("/proc/self/attr/current", NULL);
	return first_of(label != NULL && strstr(label, "(complain)") == NULL, true);
}

/* Namespaces */

static enum verdict ns_pid(void)
{
	return ns_own("pid");
}

static enum verdict ns_net(void)
{
	return ns_own("net");
}

static enum verdict ns_ipc(void)
{
	return ns_own("ipc");
}

static enum verdict ns_uts(void)
{
	return ns_own("uts");
}

static enum verdict ns_cgroup(void)
{
	return ns_own("cgroup");
}

static enum verdict ns_mnt(void)
{
	struct mount_line root;
	return ns_own("mnt") == GOOD ? first_of(find_mount("/", &root), true) : ns_own("mnt");
}

/* File systems */

static bool is_read_only(const struct mount_line *m)
{
	return has_option(m->options, "ro") || has_option(m->super, "ro");
}

static enum verdict fs_rootfs_ro(void)
{
	struct mount_line m;
	return find_mount("/", &m) ? first_of(is_read_only(&m), false) : UNKNOWN;
}

static enum verdict fs_tmp(void)
{
	struct mount_line m;
	if (!find_mount("/tmp", &m) || strcmp(m.type, "tmpfs") != 0)
		return BAD;
	return first_of(has_option(m.options, "nosuid") && has_option(m.options, "nodev") &&
	                        has_option(m.options, "noexec") && strstr(m.super, "size=") != NULL,
	                true);
}

struct mount_facts {
	bool wx_volume, wx_scratch;   /* writable and executable */
	bool loose_volume, loose_api; /* lacks nosuid or nodev */
	bool shared, slave;
	bool writable_file_bind;
};

static bool is_api(const struct mount_line *m)
{
	static const char *const types[] = { "tmpfs",  "proc",   "sysfs",  "devpts",
		                             "mqueue", "cgroup", "cgroup2" };
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(m->type, types[i]) == 0)
			return true;
	return false;
}

static bool is_visible(const struct mount_line *m)
{
	struct mount_line last;
	return find_mount(m->point, &last) && strcmp(last.super, m->super) == 0 &&
	       strcmp(last.root, m->root) == 0;
}

static void collect(const struct mount_line *m, void *data)
{
	struct mount_facts *facts = data;
	struct stat st;
	if (!is_visible(m))
		return;
	if (stat(m->point, &st) == 0 && S_ISCHR(st.st_mode))
		return; /* a null device as a mask must not be nodev */
	bool is_root = strcmp(m->point, "/") == 0;
	bool in_dev = strncmp(m->point, "/dev", 4) == 0;
	if (!is_read_only(m) && !has_option(m->options, "noexec")) {
		facts->wx_scratch = facts->wx_scratch || is_root || is_api(m);
		facts->wx_volume = facts->wx_volume || !(is_root || is_api(m));
	}
	if ((!is_root && !has_option(m->options, "nosuid")) ||
	    (!is_root && !in_dev && !has_option(m->options, "nodev"))) {
		facts->loose_api = facts->loose_api || is_api(m);
		facts->loose_volume = facts->loose_volume || !is_api(m);
	}
	facts->shared = facts->shared || strstr(m->tags, "shared:") != NULL;
	facts->slave = facts->slave || strstr(m->tags, "master:") != NULL;
	if (!is_root && stat(m->point, &st) == 0 && S_ISREG(st.st_mode) && !is_read_only(m))
		facts->writable_file_bind = true;
}

static struct mount_facts *mounts(void)
{
	static struct mount_facts facts;
	static bool known;
	if (!known)
		each_mount(collect, &facts);
	known = true;
	return &facts;
}

static enum verdict fs_wx_mounts(void)
{
	return mounts()->wx_volume ? BAD : mounts()->wx_scratch ? TOLERABLE : GOOD;
}

static enum verdict fs_nosuid_nodev(void)
{
	return mounts()->loose_volume ? BAD : mounts()->loose_api ? TOLERABLE : GOOD;
}

static enum verdict fs_propagation(void)
{
	return mounts()->shared ? BAD : mounts()->slave ? TOLERABLE : GOOD;
}

static enum verdict fs_bind_ro(void)
{
	return first_of(!mounts()->writable_file_bind, false);
}

/* Absent, an empty read-only directory, unreadable, or really the null device. */
static bool is_masked(const char *path)
{
	struct stat st;
	struct statfs fs;
	if (stat(path, &st) < 0)
		return true;
	if (S_ISDIR(st.st_mode)) {
		struct mount_line m;
		return find_mount(path, &m) && strcmp(m.type, "tmpfs") == 0 && is_read_only(&m);
	}
	if (S_ISCHR(st.st_mode))
		return st.st_rdev == makedev(1, 3);
	return statfs(path, &fs) == 0 && open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) < 0;
}

static bool all_masked(const char *const *paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_masked(paths[i]))
			return false;
	return true;
}

static enum verdict fs_masked(void)
{
	/* clang-format off */
	static const char *const core[] = {
		"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug",
		"/sys/firmware", "/proc/latency_stats", "/proc/timer_stats", "/proc/asound", "/proc/scsi",
	};
	/* clang-format on */
	/* clang-format off */
	static const char *const newer[] = {
		"/sys/devices/virtual/powercap", "/proc/interrupts",
		"/sys/devices/system/cpu/cpu0/thermal_throttle", "/sys/fs/selinux", "/proc/kallsyms",
		"/proc/modules", "/proc/kmsg", "/proc/config.gz", "/proc/slabinfo", "/proc/vmallocinfo",
		"/proc/pagetypeinfo", "/sys/kernel/debug", "/sys/kernel/tracing", "/sys/kernel/security",
	};
	/* clang-format on */
	if (!all_masked(core, sizeof(core) / sizeof(core[0])))
		return BAD;
	return first_of(all_masked(newer, sizeof(newer) / sizeof(newer[0])), true);
}

static enum verdict fs_readonly_proc(void)
{
	static const char *const paths[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
		                             "/proc/sysrq-trigger" };
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct mount_line m;
		if (access(paths[i], F_OK) == 0 && (!find_mount(paths[i], &m) || !is_read_only(&m)))
			return BAD;
	}
	return GOOD;
}

static enum verdict fs_proc_visibility(void)
{
	struct mount_line m;
	if (!find_mount("/proc", &m))
		return GOOD;
	return first_of(strstr(m.super, "hidepid=") != NULL ||
	                        strstr(m.super, "subset=pid") != NULL,
	                ns_own("pid") == GOOD);
}

static enum verdict fs_sysfs(void)
{
	struct mount_line m;
	return !find_mount("/sys", &m) ? GOOD : first_of(is_read_only(&m), false);
}

static void collect_cgroup(const struct mount_line *m, void *data)
{
	if (strncmp(m->type, "cgroup", 6) == 0 && !is_read_only(m))
		*(enum verdict *)data = BAD;
}

static enum verdict fs_cgroupfs(void)
{
	enum verdict verdict = GOOD;
	each_mount(collect_cgroup, &verdict);
	return verdict;
}

static enum verdict fs_shm(void)
{
	struct mount_line m;
	unsigned long kib = 0;
	if (!find_mount("/dev/shm", &m))
		return GOOD;
	const char *size = strstr(m.super, "size=");
	if (size == NULL || sscanf(size, "size=%luk", &kib) != 1)
		kib = ~0ul;
	return first_of(has_option(m.options, "nosuid") && has_option(m.options, "nodev") &&
	                        has_option(m.options, "noexec") && kib <= 65536,
	                true);
}

/* Devices */

static enum verdict node_verdict(const char *name, const struct stat *st)
{
	/* clang-format off */
	static const struct {
		const char *name;
		unsigned major_number, minor_number;
	} usual[] = { { "null", 1, 3 }, { "zero", 1, 5 },    { "full", 1, 7 }, { "random", 1, 8 },
		      { "urandom", 1, 9 }, { "tty", 5, 0 }, { "ptmx", 5, 2 } };
	/* clang-format on */
	if (S_ISBLK(st->st_mode))
		return BAD;
	if (!S_ISCHR(st->st_mode) || strcmp(name, "console") == 0)
		return GOOD;
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (strcmp(usual[i].name, name) == 0 &&
		    st->st_rdev == makedev(usual[i].major_number, usual[i].minor_number))
			return GOOD;
	return st->st_rdev == makedev(10, 229) || st->st_rdev == makedev(10, 200) ? TOLERABLE : BAD;
}

static enum verdict dev_nodes(void)
{
	enum verdict worst = GOOD;
	DIR *dir = opendir("/dev");
	for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
		struct stat st;
		if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		enum verdict verdict = node_verdict(entry->d_name, &st);
		worst = verdict > worst ? verdict : worst;
	}
	if (dir != NULL)
		closedir(dir);
	return worst;
}

static enum verdict dev_cgroup(void)
{
	const char *rules = slurp("/sys/fs/cgroup/devices/devices.list", NULL);
	return rules == NULL ? UNKNOWN : first_of(strstr(rules, "a *:* rwm") == NULL, false);
}

/* Resources: whatever of the own cgroup is mounted */

/* A limit from the v2 file or the v1 file; -1 unlimited, -2 not readable. */
static long long limit_of(const char *v2, const char *v1)
{
	const char *text = slurp(v2, NULL);
	if (text == NULL)
		text = slurp(v1, NULL);
	if (text == NULL)
		return -2;
	if (strncmp(text, "max", 3) == 0)
		return -1;
	long long value = strtoll(text, NULL, 10);
	return value >= 0x7ffffffffffff000 ? -1 : value;
}

static enum verdict res_memory(void)
{
	struct sysinfo info;
	long long limit = limit_of("/sys/fs/cgroup/memory.max",
	                           "/sys/fs/cgroup/memory/memory.limit_in_bytes");
	if (limit == -2 || sysinfo(&info) < 0)
		return UNKNOWN;
	long long ram = (long long)info.totalram * info.mem_unit;
	return limit < 0 ? BAD : first_of(limit < ram, true);
}

static enum verdict res_swap(void)
{
	long long v2 = limit_of("/sys/fs/cgroup/memory.swap.max", "/nowhere");
	if (v2 != -2)
		return v2 < 0 ? BAD : first_of(v2 == 0, true);
	long long both = limit_of("/nowhere", "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes");
	long long memory = limit_of("/nowhere", "/sys/fs/cgroup/memory/memory.limit_in_bytes");
	if (both == -2 || memory == -2)
		return UNKNOWN;
	return both < 0 ? BAD : first_of(both == memory, true);
}

static enum verdict res_pids(void)
{
	long long limit = limit_of("/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max");
	return limit == -2 ? UNKNOWN : limit < 0 ? BAD : first_of(limit <= 1024, limit <= 32768);
}

static enum verdict res_cpu_io(void)
{
	const char *quota = slurp("/sys/fs/cgroup/cpu.max", NULL);
	if (quota != NULL && strncmp(quota, "max", 3) != 0)
		return GOOD;
	long long v1 = limit_of("/nowhere", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
	long long weight = limit_of("/sys/fs/cgroup/cpu.weight", "/sys/fs/cgroup/cpu/cpu.shares");
	if (weight == -2)
		return UNKNOWN;
	return first_of(v1 > 0, weight != 100 && weight != 1024);
}

static enum verdict res_rlimits(void)
{
	struct rlimit files, processes;
	getrlimit(RLIMIT_NOFILE, &files);
	getrlimit(RLIMIT_NPROC, &processes);
	int unlimited = (files.rlim_max == RLIM_INFINITY) + (processes.rlim_max == RLIM_INFINITY);
	return first_of(unlimited == 0, unlimited == 1);
}

static enum verdict res_core(void)
{
	struct rlimit core;
	getrlimit(RLIMIT_CORE, &core);
	return first_of(core.rlim_max <= 1, core.rlim_cur == 0);
}

static enum verdict res_oom(void)
{
	const char *text = slurp("/proc/self/oom_score_adj", NULL);
	long score = text != NULL ? strtol(text, NULL, 10) : 0;
	return text == NULL ? UNKNOWN : first_of(score >= 0, score > -500);
}

static enum verdict res_cgroup_path(void)
{
	/* In an own cgroup namespace every line ends in '/'; a host's root line looks the same, so
	 * without the namespace only a longer path counts. */
	const char *text = slurp("/proc/self/cgroup", NULL);
	if (text == NULL)
		return UNKNOWN;
	if (ns_own("cgroup") == GOOD)
		return first_of(strstr(text, ":/..") == NULL, false);
	return first_of(false, strstr(text, ":/\n") == NULL || strstr(text, ":/d") != NULL);
}

/* Kernel interface and hygiene */

static enum verdict keyring_private(void)
{
	char text[256] = "";
	long serial = syscall(SYS_keyctl, 0, -3, 0, 0, 0);
	if (serial < 0)
		return errno == EPERM || errno == ENOSYS ? GOOD : BAD;
	if (syscall(SYS_keyctl, 6, serial, text, sizeof(text), 0) < 0)
		return UNKNOWN;
	/* "_uid_ses.N" is the user's default ring, shared by everything of that uid. */
	return first_of(strstr(text, "_uid_ses") == NULL, false);
}

static enum verdict proc_personality(void)
{
	int flags = personality(0xffffffff);
	return flags < 0 ? GOOD : first_of((flags & 0x0740000) == 0, false);
}

static enum verdict proc_fds(void)
{
	for (int fd = 0; fd < 1024; fd++) {
		struct stat st;
		if (fstat(fd, &st) < 0)
			continue;
		if (fd > 2)
			return BAD;
		if (S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode))
			return BAD;
	}
	return GOOD;
}

static enum verdict proc_cwd_root(void)
{
	char cwd[4096];
	return first_of(syscall(SYS_getcwd, cwd, sizeof(cwd)) > 0 && cwd[0] == '/', false);
}

static enum verdict proc_exe(void)
{
	char exe[512];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	exe[n > 0 ? n : 0] = '\0';
	if (n <= 0 || strstr(exe, "(deleted)") != NULL || strncmp(exe, "/memfd:", 7) == 0)
		return BAD;
	struct mount_line m;
	return first_of(find_mount("/", &m) && is_read_only(&m), access(exe, W_OK) < 0);
}

static enum verdict net_listen(void)
{
	const char *text = slurp("/proc/self/net/tcp", NULL);
	return text == NULL ? UNKNOWN : first_of(strstr(text, " 0A ") == NULL, true);
}

static enum verdict net_exposure(void)
{
	const char *routes = slurp("/proc/self/net/route", NULL);
	if (ns_own("net") == BAD)
		return BAD;
	return routes == NULL ? UNKNOWN : first_of(strstr(routes, "\t00000000\t") == NULL, true);
}

static enum verdict env_of(const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (getenv(names[i]) != NULL)
			return BAD;
	return GOOD;
}

static enum verdict env_secrets(void)
{
	static const char *const names[] = { "PASSWORD", "SECRET", "TOKEN", "API_KEY",
		                             "PRIVATE_KEY" };
	return env_of(names, sizeof(names) / sizeof(names[0]));
}

static enum verdict env_loader(void)
{
	static const char *const names[] = { "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT",
		                             "PYTHONPATH" };
	return env_of(names, sizeof(names) / sizeof(names[0]));
}

static enum verdict logs_stdout(void)
{
	struct stat out, err;
	if (fstat(1, &out) < 0 || fstat(2, &err) < 0)
		return BAD;
	bool streams = (S_ISFIFO(out.st_mode) || S_ISSOCK(out.st_mode) || isatty(1)) &&
	               (S_ISFIFO(err.st_mode) || S_ISSOCK(err.st_mode) || isatty(2));
	return first_of(streams, S_ISCHR(out.st_mode) || S_ISREG(out.st_mode));
}

/* clang-format off */
static const struct check {
	const char *id;
	enum verdict (*judge)(void);
} checks[] = {
	{ "user.nonroot", user_nonroot },
	{ "user.uid-range", user_uid_range },
	{ "user.groups", user_groups },
	{ "nnp.set", nnp_set },
	{ "userns.private", userns_private },
	{ "userns.map", userns_map },
	{ "userns.nested", userns_nested },
	{ "caps.privileged", caps_privileged },
	{ "caps.bounding", caps_bounding },
	{ "caps.effective", caps_effective },
	{ "caps.ambient", caps_ambient },
	{ "caps.escape-class", caps_escape_class },
	{ "caps.net-raw", caps_net_raw },
	{ "seccomp.on", seccomp_on },
	{ "seccomp.default-deny", seccomp_default_deny },
	{ "seccomp.forbidden-calls", seccomp_forbidden_calls },
	{ "seccomp.abi", seccomp_abi },
	{ "seccomp.args", seccomp_args },
	{ "seccomp.flags", seccomp_flags },
	{ "lsm.confined", lsm_confined },
	{ "lsm.enforcing", lsm_enforcing },
	{ "ns.pid", ns_pid },
	{ "ns.net", ns_net },
	{ "ns.ipc", ns_ipc },
	{ "ns.mnt", ns_mnt },
	{ "ns.uts", ns_uts },
	{ "ns.cgroup", ns_cgroup },
	{ "fs.rootfs-ro", fs_rootfs_ro },
	{ "fs.tmp", fs_tmp },
	{ "fs.wx-mounts", fs_wx_mounts },
	{ "fs.nosuid-nodev", fs_nosuid_nodev },
	{ "fs.propagation", fs_propagation },
	{ "fs.masked", fs_masked },
	{ "fs.readonly-proc", fs_readonly_proc },
	{ "fs.proc-visibility", fs_proc_visibility },
	{ "fs.sysfs", fs_sysfs },
	{ "fs.cgroupfs", fs_cgroupfs },
	{ "dev.nodes", dev_nodes },
	{ "dev.cgroup", dev_cgroup },
	{ "fs.shm", fs_shm },
	{ "fs.bind-ro", fs_bind_ro },
	{ "res.memory", res_memory },
	{ "res.swap", res_swap },
	{ "res.pids", res_pids },
	{ "res.cpu-io", res_cpu_io },
	{ "res.rlimits", res_rlimits },
	{ "res.core", res_core },
	{ "res.oom", res_oom },
	{ "res.cgroup-path", res_cgroup_path },
	{ "keyring.private", keyring_private },
	{ "proc.personality", proc_personality },
	{ "proc.fds", proc_fds },
	{ "proc.cwd-root", proc_cwd_root },
	{ "proc.exe", proc_exe },
	{ "net.listen", net_listen },
	{ "net.exposure", net_exposure },
	{ "env.secrets", env_secrets },
	{ "env.loader", env_loader },
	{ "logs.stdout", logs_stdout },
};
/* clang-format on */

int cmd_checks(int argc, char **argv)
{
	enum verdict verdicts[sizeof(checks) / sizeof(checks[0])];
	host_argc = argc - 1;
	host_argv = argv + 1;
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		verdicts[i] = checks[i].judge();
	json_open(NULL, '{');
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		json_text(checks[i].id, verdict_names[verdicts[i]]);
	json_close('}');
	json_line();
	return 0;
}
