/*
 * The floor: what the kernel alone costs for the end state of the hardened bundle.  One clone, one
 * exec, no configuration read, the filter compiled beforehand, every error fatal and unexplained.
 * Not a runtime: it exists to have its time measured.
 *
 * usage: floor ROOTFS FILTER NAME PROGRAM ARGS...
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CGROUPS "/sys/fs/cgroup"
#define ID_MAP  "0 100000 65536"
#define N_OF(a) (sizeof(a) / sizeof(a)[0])

static const char *const hierarchies[] = { "cpu",     "cpuacct", "cpuset", "memory", "devices",
	                                   "freezer", "blkio",   "pids",   "systemd" };

struct setting {
	const char *file, *value;
};
static const struct setting v1_settings[] = {
	{ "memory/%s/memory.limit_in_bytes", "536870912" },
	{ "memory/%s/memory.memsw.limit_in_bytes", "536870912" },
	{ "cpu/%s/cpu.shares", "512" },
	{ "cpu/%s/cpu.cfs_period_us", "100000" },
	{ "cpu/%s/cpu.cfs_quota_us", "200000" },
	{ "pids/%s/pids.max", "1024" },
	{ "devices/%s/devices.deny", "a" },
	{ "devices/%s/devices.allow", "c *:* m" },
	{ "devices/%s/devices.allow", "b *:* m" },
	{ "devices/%s/devices.allow", "c 1:3 rwm" },
	{ "devices/%s/devices.allow", "c 1:5 rwm" },
	{ "devices/%s/devices.allow", "c 1:7 rwm" },
	{ "devices/%s/devices.allow", "c 1:8 rwm" },
	{ "devices/%s/devices.allow", "c 1:9 rwm" },
	{ "devices/%s/devices.allow", "c 5:0 rwm" },
	{ "devices/%s/devices.allow", "c 5:2 rwm" },
	{ "devices/%s/devices.allow", "c 136:* rwm" },
};
static const struct setting v2_settings[] = {
	{ "%s/memory.max", "536870912" },  { "%s/memory.swap.max", "0" }, { "%s/cpu.weight", "20" },
	{ "%s/cpu.max", "200000 100000" }, { "%s/pids.max", "1024" },
};

struct mount_row {
	const char *type, *target, *data;
	unsigned long flags;
};
static const struct mount_row mounts[] = {
	{ "proc", "proc", "", 0 },
	{ "tmpfs", "dev", "mode=755,size=65536k", MS_NOSUID | MS_STRICTATIME },
	{ "devpts", "dev/pts", "newinstance,ptmxmode=0666,mode=0620,gid=5", MS_NOSUID | MS_NOEXEC },
	{ "tmpfs", "dev/shm", "mode=1777,size=65536k", MS_NOSUID | MS_NOEXEC | MS_NODEV },
	{ "mqueue", "dev/mqueue", "", MS_NOSUID | MS_NOEXEC | MS_NODEV },
	{ "sysfs", "sys", "", MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY },
	{ "tmpfs", "tmp", "mode=1777,size=65536k", MS_NOSUID | MS_NOEXEC | MS_NODEV },
};
static const char *const devices[] = { "null", "zero", "full", "tty", "random", "urandom" };
static const char *const links[][2] = {
	{ "/proc/self/fd", "dev/fd" },       { "/proc/self/fd/0", "dev/stdin" },
	{ "/proc/self/fd/1", "dev/stdout" }, { "/proc/self/fd/2", "dev/stderr" },
	{ "pts/ptmx", "dev/ptmx" },
};
static const char *const masks[] = {
	"proc/acpi",
	"proc/asound",
	"proc/interrupts",
	"proc/kcore",
	"proc/keys",
	"proc/latency_stats",
	"proc/sched_debug",
	"proc/scsi",
	"proc/timer_list",
	"proc/timer_stats",
	"sys/devices/system/cpu/cpu0/thermal_throttle",
	"sys/devices/virtual/powercap",
	"sys/firmware",
};
static const char *const read_only[] = { "proc/bus", "proc/fs", "proc/irq", "proc/sys",
	                                 "proc/sysrq-trigger" };

static long must(long result, const char *what)
{
	if (result < 0) {
		perror(what);
		_exit(125);
	}
	return result;
}

static void write_file(const char *path, const char *text, int optional)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 && optional)
		return;
	must(fd, path);
	must(write(fd, text, strlen(text)), path);
	close(fd);
}

static int is_v2(void)
{
	return access(CGROUPS "/cgroup.controllers", F_OK) == 0;
}

static void apply(const struct setting *settings, size_t n, const char *name)
{
	char file[256], path[512];

	for (size_t i = 0; i < n; i++) {
		snprintf(file, sizeof(file), settings[i].file, name);
		snprintf(path, sizeof(path), CGROUPS "/%s", file);
		write_file(path, settings[i].value, 1);
	}
}

static void copy_file(const char *from, const char *to)
{
	char text[256] = "";
	int fd = open(from, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (read(fd, text, sizeof(text) - 1) > 0)
		write_file(to, text, 0);
	close(fd);
}

static void fill_cpuset(const char *name)
{
	char to[256];

	snprintf(to, sizeof(to), CGROUPS "/cpuset/%s/cpuset.cpus", name);
	copy_file(CGROUPS "/cpuset/cpuset.cpus", to);
	snprintf(to, sizeof(to), CGROUPS "/cpuset/%s/cpuset.mems", name);
	copy_file(CGROUPS "/cpuset/cpuset.mems", to);
}

/* v1: makes a group per hierarchy; their `tasks` files in fds, -1 where there is no hierarchy. */
static void make_v1(const char *name, int fds[N_OF(hierarchies)])
{
	char path[256];

	for (size_t i = 0; i < N_OF(hierarchies); i++) {
		snprintf(path, sizeof(path), CGROUPS "/%s/%s", hierarchies[i], name);
		fds[i] = -1;
		if (mkdir(path, 0755) < 0)
			continue;
		strcat(path, "/tasks");
		fds[i] = (int)must(open(path, O_WRONLY | O_CLOEXEC), path);
	}
	fill_cpuset(name);
	apply(v1_settings, N_OF(v1_settings), name);
}

static int make_v2(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), CGROUPS "/%s", name);
	must(mkdir(path, 0755), path);
	apply(v2_settings, N_OF(v2_settings), name);
	return (int)must(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), path);
}

static void remove_groups(const char *name)
{
	char path[256];

	if (is_v2()) {
		snprintf(path, sizeof(path), CGROUPS "/%s", name);
		must(rmdir(path), path);
		return;
	}
	for (size_t i = 0; i < N_OF(hierarchies); i++) {
		snprintf(path, sizeof(path), CGROUPS "/%s/%s", hierarchies[i], name);
		if (rmdir(path) < 0 && errno != ENOENT)
			must(-1, path);
	}
}

static void set_read_only(const char *path)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	must(syscall(SYS_mount_setattr, AT_FDCWD, path, 0, &attr, sizeof(attr)), path);
}

static void mount_cgroups(void)
{
	const unsigned long flags = MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY;
	char path[256], data[64];

	if (is_v2()) {
		must(mount("cgroup", "sys/fs/cgroup", "cgroup2", flags, NULL), "cgroup2");
		return;
	}
	must(mount("cgroup", "sys/fs/cgroup", "tmpfs", flags & ~(unsigned long)MS_RDONLY,
	           "mode=755"),
	     "cgroup tmpfs");
	for (size_t i = 0; i < N_OF(hierarchies); i++) {
		snprintf(path, sizeof(path), CGROUPS "/%s", hierarchies[i]);
		if (access(path, F_OK) < 0)
			continue;
		snprintf(data, sizeof(data), "%s%s", i == N_OF(hierarchies) - 1 ? "name=" : "",
		         hierarchies[i]);
		must(mkdir(path + 1, 0755), path);
		must(mount("cgroup", path + 1, "cgroup", flags, data), path);
	}
}

static void bind_devices(void)
{
	char path[64];

	for (size_t i = 0; i < N_OF(devices); i++) {
		snprintf(path, sizeof(path), "/dev/%s", devices[i]);
		close((int)must(open(path + 1, O_CREAT | O_CLOEXEC, 0666), path));
		must(mount(path, path + 1, NULL, MS_BIND, NULL), path);
	}
	for (size_t i = 0; i < N_OF(links); i++)
		must(symlink(links[i][0], links[i][1]), links[i][1]);
}

static void mask(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return;
	if (S_ISDIR(st.st_mode))
		must(mount("tmpfs", path, "tmpfs", MS_RDONLY, "size=0k"), path);
	else
		must(mount("/dev/null", path, NULL, MS_BIND, NULL), path);
}

static void lock(const char *path)
{
	if (access(path, F_OK) < 0)
		return;
	must(mount(path, path, NULL, MS_BIND | MS_REC, NULL), path);
	set_read_only(path);
}

static void make_root(const char *rootfs)
{
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
	must(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL), rootfs);
	must(chdir(rootfs), rootfs);
	for (size_t i = 0; i < N_OF(mounts); i++) {
		if (strncmp(mounts[i].target, "dev/", 4) == 0)
			must(mkdir(mounts[i].target, 0755), mounts[i].target);
		must(mount(mounts[i].type, mounts[i].target, mounts[i].type, mounts[i].flags,
		           mounts[i].data),
		     mounts[i].target);
	}
	mount_cgroups();
	bind_devices();
	for (size_t i = 0; i < N_OF(masks); i++)
		mask(masks[i]);
	for (size_t i = 0; i < N_OF(read_only); i++)
		lock(read_only[i]);
	set_read_only(rootfs);
	must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	must(umount2(".", MNT_DETACH), "old root");
	must(chdir("/"), "/");
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = (int)must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");

	must(ioctl(fd, SIOCSIFFLAGS, &request), "loopback");
	close(fd);
}

static void drop_everything(const struct sock_fprog *filter)
{
	struct rlimit files = { 1024, 1024 };
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0 } };

	must(setrlimit(RLIMIT_NOFILE, &files), "rlimit");
	for (int cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
	must(syscall(SYS_capset, &header, none), "capset");
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	must(syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC), "close_range");
	must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, filter), "seccomp");
}

/* A start signal: the parent has written the maps. */
static void wait_for_maps(int fd)
{
	char byte;

	must(read(fd, &byte, 1), "maps");
	must(syscall(SYS_setgroups, 0, NULL), "setgroups");
	must(syscall(SYS_setresgid, 0, 0, 0), "setresgid");
	must(syscall(SYS_setresuid, 0, 0, 0), "setresuid");
}

static void join_v1(const int fds[N_OF(hierarchies)])
{
	for (size_t i = 0; i < N_OF(hierarchies); i++)
		if (fds[i] >= 0)
			must(write(fds[i], "0", 1), hierarchies[i]);
}

static void read_filter(const char *path, struct sock_fprog *out)
{
	static struct sock_filter code[BPF_MAXINSNS];
	int fd = (int)must(open(path, O_RDONLY | O_CLOEXEC), path);
	long bytes = must(read(fd, code, sizeof(code)), path);

	close(fd);
	out->filter = code;
	out->len = (unsigned short)((size_t)bytes / sizeof(code[0]));
}

static void write_maps(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	write_file(path, ID_MAP, 0);
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	write_file(path, ID_MAP, 0);
}

int main(int argc, char **argv)
{
	static char *const env[] = { "PATH=/bin", "TERM=xterm", NULL };
	struct clone_args args = { .flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS |
		                            CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
		                   .exit_signal = SIGCHLD };
	struct sock_fprog filter;
	int groups[N_OF(hierarchies)], go[2], status;
	const int v2 = is_v2();

	if (argc < 5)
		return 125;
	read_filter(argv[2], &filter);
	must(pipe2(go, O_CLOEXEC), "pipe");
	if (v2) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)make_v2(argv[3]);
	} else {
		make_v1(argv[3], groups);
	}

	pid_t pid = (pid_t)must(syscall(SYS_clone3, &args, sizeof(args)), "clone3");
	if (pid == 0) {
		wait_for_maps(go[0]);
		if (!v2)
			join_v1(groups);
		must(unshare(CLONE_NEWCGROUP), "cgroup namespace");
		must(setsid(), "setsid");
		must(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL), "keyring");
		must(sethostname("runc", 4), "hostname");
		loopback_up();
		make_root(argv[1]);
		drop_everything(&filter);
		execve(argv[4], argv + 4, env);
		_exit(127);
	}
	write_maps(pid);
	must(write(go[1], "", 1), "maps");
	must(waitpid(pid, &status, 0), "wait");
	remove_groups(argv[3]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
