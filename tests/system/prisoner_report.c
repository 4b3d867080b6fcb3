/* What the kernel says about this process and its surroundings: the BASE oracle's evidence. */
#include "prisoner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static const char *type_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFIFO:
		return "fifo";
	case S_IFCHR:
		return "chr";
	case S_IFBLK:
		return "blk";
	case S_IFDIR:
		return "dir";
	case S_IFREG:
		return "reg";
	case S_IFLNK:
		return "link";
	case S_IFSOCK:
		return "sock";
	default:
		return "anon"; /* pidfds, epoll and friends */
	}
}

static void put_device(const char *key, dev_t device)
{
	char text[32];
	snprintf(text, sizeof(text), "%u:%u", major(device), minor(device));
	json_text(key, text);
}

static void put_stat(const struct stat *st)
{
	json_text("type", type_name(st->st_mode));
	json_number("mode", st->st_mode & 07777);
	json_number("uid", st->st_uid);
	json_number("gid", st->st_gid);
	json_number("size", st->st_size);
	put_device("dev", st->st_dev);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		put_device("rdev", st->st_rdev);
}

static void put_file(const char *key, const char *path)
{
	const char *text = slurp(path, NULL);
	json_text(key, text != NULL ? text : NULL);
}

static void report_status(void)
{
	/* clang-format off */
	static const char *const keys[] = {
		"Umask",   "NSpid",  "PPid",   "TracerPid", "Uid",    "Gid",        "Groups",  "Threads",
		"SigPnd",  "ShdPnd", "SigBlk", "SigIgn",    "SigCgt", "CapInh",     "CapPrm",  "CapEff",
		"CapBnd",  "CapAmb", "Seccomp", "NoNewPrivs", "Seccomp_filters",
		"Speculation_Store_Bypass", "SpeculationIndirectBranch", "Cpus_allowed_list",
		"Mems_allowed_list",
	};
	/* clang-format on */
	json_open("status", '{');
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		json_text(keys[i], status_value(keys[i]));
	json_close('}');
}

static void report_fds(void)
{
	json_open("fds", '[');
	for (int fd = 0; fd < 4096; fd++) {
		struct stat st;
		if (fstat(fd, &st) < 0)
			continue;
		char path[64], target[512] = "";
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		ssize_t n = readlink(path, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		struct statfs fs = { 0 };
		(void)fstatfs(fd, &fs);
		json_open(NULL, '{');
		json_number("fd", fd);
		json_text("link", target);
		json_number("flags", fcntl(fd, F_GETFL));
		json_number("cloexec", fcntl(fd, F_GETFD));
		json_number("fs", (long long)fs.f_type);
		json_bool("tty", isatty(fd));
		put_stat(&st);
		json_close('}');
	}
	json_close(']');
}

static void put_mount(const struct mount_line *mount, void *data)
{
	(void)data;
	struct statvfs fs;
	json_open(NULL, '{');
	json_text("root", mount->root);
	json_text("point", mount->point);
	json_text("options", mount->options);
	json_text("tags", mount->tags);
	json_text("type", mount->type);
	json_text("source", mount->source);
	json_text("super", mount->super);
	if (statvfs(mount->point, &fs) == 0)
		json_number("flags", (long long)fs.f_flag);
	json_close('}');
}

static void report_rlimits(void)
{
	/* clang-format off */
	static const struct {
		const char *name;
		int resource;
	} limits[] = {
		{ "RLIMIT_CPU", 0 },     { "RLIMIT_FSIZE", 1 },    { "RLIMIT_DATA", 2 },
		{ "RLIMIT_STACK", 3 },   { "RLIMIT_CORE", 4 },     { "RLIMIT_RSS", 5 },
		{ "RLIMIT_NPROC", 6 },   { "RLIMIT_NOFILE", 7 },   { "RLIMIT_MEMLOCK", 8 },
		{ "RLIMIT_AS", 9 },      { "RLIMIT_LOCKS", 10 },   { "RLIMIT_SIGPENDING", 11 },
		{ "RLIMIT_MSGQUEUE", 12 }, { "RLIMIT_NICE", 13 },  { "RLIMIT_RTPRIO", 14 },
		{ "RLIMIT_RTTIME", 15 },
	};
	/* clang-format on */
	json_open("rlimits", '{');
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct rlimit limit = { 0 };
		getrlimit(limits[i].resource, &limit);
		json_open(limits[i].name, '[');
		/* Infinity as -1: JSON readers round 2^64-1. */
		json_number(NULL, limit.rlim_cur == RLIM_INFINITY ? -1 : (long long)limit.rlim_cur);
		json_number(NULL, limit.rlim_max == RLIM_INFINITY ? -1 : (long long)limit.rlim_max);
		json_close(']');
	}
	json_close('}');
}

static void report_namespaces(void)
{
	static const char *const names[] = { "user", "pid", "net",    "mnt",
		                             "ipc",  "uts", "cgroup", "time" };
	json_open("ns", '{');
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		json_number(names[i], (long long)ns_inode(names[i]));
	json_close('}');
	put_file("cgroup", "/proc/self/cgroup");
	put_file("uid_map", "/proc/self/uid_map");
	put_file("gid_map", "/proc/self/gid_map");
	put_file("setgroups", "/proc/self/setgroups");
}

static void report_keyring(void)
{
	enum { GET_KEYRING_ID = 0, DESCRIBE = 6, SESSION = -3 };
	char text[256] = "";
	long serial = syscall(SYS_keyctl, GET_KEYRING_ID, SESSION, 0, 0, 0);
	json_open("keyring", '{');
	json_number("serial", serial);
	if (serial < 0)
		json_text("error", errno_name(errno));
	else if (syscall(SYS_keyctl, DESCRIBE, serial, text, sizeof(text), 0) >= 0)
		json_text("description", text);
	json_close('}');
}

static void report_lsm(void)
{
	static const char *const names[] = { "current", "exec", "apparmor/current",
		                             "selinux/current" };
	json_open("lsm", '{');
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[96];
		snprintf(path, sizeof(path), "/proc/thread-self/attr/%s", names[i]);
		put_file(names[i], path);
	}
	json_close('}');
}

static void report_scheduling(void)
{
	struct itimerval timer = { 0 };
	struct { /* struct sched_attr, which libc headers lack */
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attr = { 0 };
	syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0);
	getitimer(ITIMER_REAL, &timer);
	json_open("sched", '{');
	json_number("policy", syscall(SYS_sched_getscheduler, 0));
	json_number("priority", attr.priority); /* musl's sched_getparam() knows nothing */
	errno = 0;
	json_number("nice", getpriority(PRIO_PROCESS, 0));
	json_number("ioprio", syscall(SYS_ioprio_get, 1, 0));
	json_number("flags", (long long)attr.flags);
	json_number("runtime", (long long)attr.runtime);
	json_number("deadline", (long long)attr.deadline);
	json_number("period", (long long)attr.period);
	json_number("timer", timer.it_value.tv_sec);
	put_file("timerslack", "/proc/self/timerslack_ns");
	json_close('}');
}

static void report_process(void)
{
	char cwd[4096] = "";
	struct utsname uts = { 0 };
	int death_signal = 0;
	struct stat root = { 0 };
	/* The raw call: libc turns "(unreachable)" into an error. */
	if (syscall(SYS_getcwd, cwd, sizeof(cwd)) < 0)
		snprintf(cwd, sizeof(cwd), "error %s", errno_name(errno));
	uname(&uts);
	prctl(PR_GET_PDEATHSIG, &death_signal);
	stat("/", &root);
	mode_t mask = umask(0);
	umask(mask);
	json_text("cwd", cwd);
	json_number("umask", mask);
	json_text("hostname", uts.nodename);
	json_text("domainname", uts.domainname);
	json_text("machine", uts.machine);
	json_number("pid", getpid());
	json_number("ppid", getppid());
	json_number("sid", getsid(0));
	json_number("pgid", getpgrp());
	json_number("pdeathsig", death_signal);
	json_number("dumpable", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	json_number("securebits", prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
	json_number("personality", personality(0xffffffff));
	json_number("root_inode", (long long)root.st_ino);
	put_file("oom_score_adj", "/proc/self/oom_score_adj");
	put_file("comm", "/proc/self/comm");
	int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	json_text("tty", tty >= 0 ? "ok" : errno_name(errno));
	if (tty >= 0) {
		struct winsize size = { 0 };
		ioctl(tty, TIOCGWINSZ, &size);
		json_number("rows", size.ws_row);
		json_number("columns", size.ws_col);
		close(tty);
	}
}

static void report_clocks(void)
{
	/* clang-format off */
	static const struct {
		const char *name;
		clockid_t id;
	} clocks[] = { { "monotonic", CLOCK_MONOTONIC }, { "boottime", CLOCK_BOOTTIME } };
	/* clang-format on */
	json_open("clocks", '{');
	for (size_t i = 0; i < 2; i++) {
		struct timespec now = { 0 };
		clock_gettime(clocks[i].id, &now);
		json_number(clocks[i].name, (long long)now.tv_sec);
	}
	json_close('}');
}

static void report_network(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct if_nameindex *list = if_nameindex();
	json_open("interfaces", '{');
	for (struct if_nameindex *i = list; i != NULL && i->if_index != 0; i++) {
		struct ifreq request = { 0 };
		snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", i->if_name);
		bool up = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0 &&
		          (request.ifr_flags & IFF_UP);
		json_bool(i->if_name, up);
	}
	json_close('}');
	if (list != NULL)
		if_freenameindex(list);
	if (fd >= 0)
		close(fd);
}

static void put_directory(const char *key, const char *path)
{
	DIR *dir = opendir(path);
	json_open(key, '{');
	struct dirent *entry;
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		struct stat st;
		char target[512];
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		json_open(entry->d_name, '{');
		put_stat(&st);
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		if (n >= 0) {
			target[n] = '\0';
			json_text("target", target);
		}
		json_close('}');
	}
	json_close('}');
	if (dir != NULL)
		closedir(dir);
}

static void put_strings(const char *key, char **strings)
{
	json_open(key, '[');
	for (; *strings != NULL; strings++)
		json_text(NULL, *strings);
	json_close(']');
}

int cmd_report(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	json_open(NULL, '{');
	report_status();
	report_fds(); /* before anything below opens one */
	json_open("mounts", '[');
	each_mount(put_mount, NULL);
	json_close(']');
	report_rlimits();
	report_namespaces();
	report_keyring();
	report_lsm();
	report_scheduling();
	report_process();
	report_clocks();
	report_network();
	put_directory("dev", "/dev");
	put_directory("devpts", "/dev/pts");
	put_directory("root", "/");
	put_strings("env", environ);
	json_close('}');
	json_line();
	return 0;
}

/* paths: can it be read, written, created in; what is mounted on it */

static void put_open(const char *key, const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	json_text(key, fd >= 0 ? "ok" : errno_name(errno));
	if (fd >= 0)
		close(fd);
}

static void put_contents(const char *path)
{
	char data[257];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		json_text("read", errno_name(errno));
		return;
	}
	ssize_t n = read(fd, data, sizeof(data) - 1);
	json_text("read", n < 0 ? errno_name(errno) : "ok");
	if (n >= 0) {
		data[n] = '\0';
		json_number("bytes", n);
		json_text("data", data);
	}
	close(fd);
}

static void put_entries(const char *path)
{
	DIR *dir = opendir(path);
	if (dir == NULL) {
		json_text("read", errno_name(errno));
		return;
	}
	long long count = 0;
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	json_text("read", "ok");
	json_number("entries", count);
	char probe[4200];
	snprintf(probe, sizeof(probe), "%s/.prisoner", path);
	int fd = open(probe, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	json_text("create", fd >= 0 ? "ok" : errno_name(errno));
	if (fd >= 0) {
		close(fd);
		unlink(probe);
	}
}

static void put_flags(const char *path)
{
	/* clang-format off */
	static const struct {
		unsigned long bit;
		const char *name;
	} flags[] = {
		{ ST_RDONLY, "ro" },        { ST_NOSUID, "nosuid" },   { 4, "nodev" },
		{ 8, "noexec" },            { 16, "sync" },            { 64, "mand" },
		{ 1024, "noatime" },        { 2048, "nodiratime" },    { 4096, "relatime" },
		{ 0x2000, "nosymfollow" },
	};
	/* clang-format on */
	struct statvfs fs;
	if (statvfs(path, &fs) < 0)
		return;
	json_open("flags", '[');
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if ((fs.f_flag & flags[i].bit) != 0)
			json_text(NULL, flags[i].name);
	json_close(']');
}

static void put_path(const char *path)
{
	struct stat st;
	char target[512];
	json_open(path, '{');
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	if (n >= 0) {
		target[n] = '\0';
		json_text("target", target);
	}
	if (stat(path, &st) < 0) {
		json_text("stat", errno_name(errno));
		json_close('}');
		return;
	}
	json_text("stat", "ok");
	put_stat(&st);
	if (S_ISDIR(st.st_mode)) {
		put_entries(path);
	} else {
		put_contents(path);
		put_open("write", path, O_WRONLY);
	}
	put_flags(path);
	struct mount_line mount;
	if (find_mount(path, &mount)) {
		json_open("mount", '{');
		json_text("options", mount.options);
		json_text("type", mount.type);
		json_text("tags", mount.tags);
		json_text("source", mount.source);
		json_text("super", mount.super);
		json_close('}');
	}
	json_close('}');
}

int cmd_paths(int argc, char **argv)
{
	json_open(NULL, '{');
	for (int i = 1; i < argc; i++)
		put_path(argv[i]);
	json_close('}');
	json_line();
	return 0;
}
