/*
 * Things a prisoner must not be able to do.  Each attempt runs in a child of its own, so that a
 * death by the filter is an answer and nothing a success changes survives it.
 */
#include "prisoner.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

/* Newer than some libc's headers; the same on every architecture. */
enum {
	NR_open_tree = 428,
	NR_move_mount = 429,
	NR_fsopen = 430,
	NR_fsconfig = 431,
	NR_fsmount = 432,
	NR_fspick = 433,
	NR_clone3 = 435,
	NR_pidfd_getfd = 438,
	NR_process_madvise = 440,
	NR_mount_setattr = 442,
	NR_quotactl_fd = 443,
	NR_memfd_secret = 447,
	NR_statmount = 457,
	NR_listmount = 458,
	NR_lsm_set_self_attr = 460,
	NR_io_uring_setup = 425,
	NR_io_uring_enter = 426,
	NR_io_uring_register = 427,
	NR_unknown = 1000,
};

static int result(long r)
{
	return r < 0 ? errno : 0;
}

/* Namespaces */

static int do_unshare(const char *arg)
{
	/* clang-format off */
	static const struct {
		const char *name;
		int flag;
	} kinds[] = {
		{ "user", CLONE_NEWUSER }, { "mnt", CLONE_NEWNS },     { "net", CLONE_NEWNET },
		{ "pid", CLONE_NEWPID },   { "ipc", CLONE_NEWIPC },    { "uts", CLONE_NEWUTS },
		{ "cgroup", 0x02000000 },  { "time", 0x00000080 },
	};
	/* clang-format on */
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, arg) == 0)
			return result(unshare(kinds[i].flag));
	return EINVAL;
}

static int do_clone(const char *arg)
{
	unsigned long flags = strtoul(arg, NULL, 16) | SIGCHLD;
#ifdef __s390x__
	long pid = syscall(SYS_clone, 0, flags, 0, 0, 0);
#else
	long pid = syscall(SYS_clone, flags, 0, 0, 0, 0);
#endif
	if (pid == 0)
		_exit(0);
	return result(pid);
}

static int do_clone3(const char *arg)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	} args = { .flags = strtoul(arg, NULL, 16), .exit_signal = SIGCHLD };
	long pid = syscall(NR_clone3, &args, sizeof(args));
	if (pid == 0)
		_exit(0);
	return result(pid);
}

static int do_setns(const char *arg)
{
	char path[128];
	snprintf(path, sizeof(path), "/proc/self/ns/%s", *arg != '\0' ? arg : "uts");
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? errno : result(setns(fd, 0));
}

/* Mounts */

static int do_mount(const char *arg)
{
	return result(mount("tmpfs", *arg != '\0' ? arg : "/tmp", "tmpfs", 0, NULL));
}

static int do_bind(const char *arg)
{
	return result(mount("/proc", *arg != '\0' ? arg : "/tmp", NULL, MS_BIND, NULL));
}

static int do_remount_rw(const char *arg)
{
	return result(mount(NULL, *arg != '\0' ? arg : "/", NULL, MS_REMOUNT | MS_BIND, NULL));
}

static int do_umount(const char *arg)
{
	return result(umount2(*arg != '\0' ? arg : "/proc", MNT_DETACH));
}

static int do_pivot(const char *arg)
{
	(void)arg;
	return result(syscall(SYS_pivot_root, ".", "."));
}

static int do_chroot(const char *arg)
{
	return result(chroot(*arg != '\0' ? arg : "/"));
}

static int do_open_tree(const char *arg)
{
	return result(syscall(NR_open_tree, AT_FDCWD, *arg != '\0' ? arg : "/", 1 | O_CLOEXEC));
}

static int do_fsopen(const char *arg)
{
	return result(syscall(NR_fsopen, *arg != '\0' ? arg : "tmpfs", 1));
}

static int do_mount_setattr(const char *arg)
{
	struct {
		uint64_t set, clear, propagation, userns;
	} attr = { .clear = 1 | 2 | 4 }; /* rdonly, nosuid, nodev */
	return result(syscall(NR_mount_setattr, AT_FDCWD, *arg != '\0' ? arg : "/", 0, &attr,
	                      sizeof(attr)));
}

/* Devices and files */

static int do_mknod(const char *arg)
{
	/* PATH:c:MAJOR:MINOR; then opened, because nodev and the device cgroup count, too. */
	char path[256], kind = 'c';
	unsigned major_number = 1, minor_number = 3;
	if (sscanf(arg, "%255[^:]:%c:%u:%u", path, &kind, &major_number, &minor_number) < 1)
		snprintf(path, sizeof(path), "/tmp/node");
	mode_t type = kind == 'b' ? S_IFBLK : kind == 'p' ? S_IFIFO : S_IFCHR;
	if (mknod(path, type | 0600, makedev(major_number, minor_number)) < 0)
		return errno;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int error = fd < 0 ? errno : 0;
	unlink(path);
	return error;
}

static int opened(const char *path, int flags)
{
	return result(open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600));
}

static int do_open(const char *arg)
{
	return opened(arg, O_RDONLY);
}

static int do_write(const char *arg)
{
	return opened(arg, O_WRONLY);
}

static int do_open_rw(const char *arg)
{
	return opened(arg, O_RDWR);
}

static int do_create(const char *arg)
{
	int error = opened(arg, O_WRONLY | O_CREAT | O_EXCL);
	if (error == 0)
		unlink(arg);
	return error;
}

static int do_mkdir(const char *arg)
{
	int error = result(mkdir(arg, 0700));
	if (error == 0)
		rmdir(arg);
	return error;
}

/* VALUE:PATH, one write. */
static int do_put(const char *arg)
{
	const char *colon = strchr(arg, ':');
	if (colon == NULL)
		return EINVAL;
	int fd = open(colon + 1, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? errno : result(write(fd, arg, (size_t)(colon - arg)));
}

static int do_chown(const char *arg)
{
	return result(chown(*arg != '\0' ? arg : "/", 1, 1));
}

static int do_chmod(const char *arg)
{
	return result(chmod(*arg != '\0' ? arg : "/", 0777));
}

static int do_unlink(const char *arg)
{
	return result(unlink(arg));
}

static int do_exec(const char *arg)
{
	char copy[256];
	snprintf(copy, sizeof(copy), "%s", arg);
	char *argv[] = { copy, NULL };
	execv(copy, argv);
	return errno;
}

/* Copies itself there and runs the copy: noexec. */
static int do_exec_copy(const char *arg)
{
	static char buffer[1 << 16];
	char path[256];
	snprintf(path, sizeof(path), "%s/.copy", *arg != '\0' ? arg : "/tmp");
	int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	if (in < 0 || out < 0)
		return errno;
	for (ssize_t n; (n = read(in, buffer, sizeof(buffer))) > 0;)
		if (write(out, buffer, (size_t)n) != n)
			return EIO;
	close(out);
	char *argv[] = { path, (char[]){ "exit" }, NULL };
	pid_t child = fork();
	if (child == 0) {
		execv(path, argv);
		_exit(errno);
	}
	int status = 0;
	waitpid(child, &status, 0);
	unlink(path);
	return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

/* A setuid-root program of the image: does the effective uid rise?  EPERM: it did not. */
static int do_suid(const char *arg)
{
	char copy[256];
	snprintf(copy, sizeof(copy), "%s", arg);
	char *argv[] = { copy, (char[]){ "try" }, (char[]){ "euid=0" }, NULL };
	int pipe_fds[2];
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return errno;
	pid_t child = fork();
	if (child == 0) {
		dup2(pipe_fds[1], 1);
		execv(copy, argv);
		_exit(126);
	}
	close(pipe_fds[1]);
	char answer[256] = "";
	ssize_t n = read(pipe_fds[0], answer, sizeof(answer) - 1);
	int status = 0;
	waitpid(child, &status, 0);
	if (n <= 0)
		return WIFEXITED(status) && WEXITSTATUS(status) == 126 ? ENOEXEC : EIO;
	return strstr(answer, "\"ok\"") != NULL ? 0 : EPERM;
}

static int do_euid(const char *arg)
{
	return geteuid() == (uid_t)atoi(arg) ? 0 : EPERM;
}

/* Credentials */

static int do_setuid(const char *arg)
{
	return result(setresuid((uid_t)atoi(arg), (uid_t)atoi(arg), (uid_t)atoi(arg)));
}

static int do_setgid(const char *arg)
{
	return result(setresgid((gid_t)atoi(arg), (gid_t)atoi(arg), (gid_t)atoi(arg)));
}

static int do_setgroups(const char *arg)
{
	gid_t group = (gid_t)atoi(arg);
	return result(setgroups(1, &group));
}

/* Every capability there is, into permitted. */
static int do_capset(const char *arg)
{
	(void)arg;
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = 0x200000, .permitted = 0x200000 }, /* CAP_SYS_ADMIN */
		{ .effective = 0 },
	};
	return result(syscall(SYS_capset, &header, data));
}

/* Kernel surface */

static int do_keyctl(const char *arg)
{
	(void)arg;
	return result(syscall(SYS_keyctl, 0, -3, 0, 0, 0));
}

static int do_add_key(const char *arg)
{
	(void)arg;
	return result(syscall(SYS_add_key, "user", "prisoner", "x", 1, -2));
}

static int do_request_key(const char *arg)
{
	(void)arg;
	return result(syscall(SYS_request_key, "user", "prisoner", NULL, 0));
}

static int do_bpf(const char *arg)
{
	char attr[128] = { 0 };
	(void)arg;
	return result(syscall(SYS_bpf, 0, attr, sizeof(attr)));
}

static int do_perf(const char *arg)
{
	uint32_t attr[32] = { 1, sizeof(attr), 0 }; /* software clock of this process */
	(void)arg;
	return result(syscall(SYS_perf_event_open, attr, 0, -1, -1, 0));
}

static int do_io_uring(const char *arg)
{
	char parameters[120] = { 0 };
	(void)arg;
	return result(syscall(NR_io_uring_setup, 1, parameters));
}

static int do_userfaultfd(const char *arg)
{
	(void)arg;
	return result(syscall(SYS_userfaultfd, O_CLOEXEC | 1));
}

static int do_socket(const char *arg)
{
	/* FAMILY[:TYPE[:PROTOCOL]]; a family beyond 32 bits keeps its low half. */
	char *rest;
	unsigned long family = strtoul(arg, &rest, 0);
	unsigned long type = *rest == ':' ? strtoul(rest + 1, &rest, 0) : SOCK_DGRAM;
	unsigned long protocol = *rest == ':' ? strtoul(rest + 1, &rest, 0) : 0;
	return result(syscall(SYS_socket, family, type, protocol));
}

static int do_ioctl(const char *arg)
{
	char byte = 'x';
	return result(syscall(SYS_ioctl, 0, strtoul(arg, NULL, 0), &byte));
}

static int do_ptrace(const char *arg)
{
	(void)arg;
	pid_t victim = fork();
	if (victim == 0) {
		pause();
		_exit(0);
	}
	int error = result(ptrace(PTRACE_ATTACH, victim, NULL, NULL));
	kill(victim, SIGKILL);
	return error;
}

static int do_personality(const char *arg)
{
	return result(personality(strtoul(arg, NULL, 16)));
}

static int do_sethostname(const char *arg)
{
	return result(sethostname(arg, strlen(arg)));
}

/* Anything else by number, with arguments that can do no harm: NUMBER[:ARG...]. */
static int do_call(const char *arg)
{
	unsigned long v[7] = { 0 };
	for (size_t i = 0; i < 7 && *arg != '\0'; i++) {
		char *rest;
		v[i] = strtoul(arg, &rest, 0);
		arg = *rest == ':' ? rest + 1 : "";
	}
	return result(syscall((long)v[0], v[1], v[2], v[3], v[4], v[5], v[6]));
}

/* A call of the 32-bit ABI: NUMBER[:ARG[:ARG]]. */
static int do_int80(const char *arg)
{
#ifdef __x86_64__
	unsigned v[3] = { 0 };
	sscanf(arg, "%u:%u:%u", &v[0], &v[1], &v[2]);
	long answer;
	__asm__ volatile("int $0x80" : "=a"(answer) : "a"(v[0]), "b"(v[1]), "c"(v[2]) : "memory");
	return answer < 0 && answer > -4096 ? (int)-answer : 0;
#else
	(void)arg;
	return ENOSYS;
#endif
}

static int do_x32(const char *arg)
{
	return result(syscall((long)(strtoul(arg, NULL, 0) | 0x40000000)));
}

static int do_signal(const char *arg)
{
	return result(kill(atoi(arg), 0));
}

/* A name with fixed calls that a filter refuses by number; the arguments are invalid on purpose. */
#define BY_NUMBER(label, ...)                                                                      \
	{                                                                                          \
		label, NULL,                                                                       \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}

/* clang-format off */
static const struct attempt {
	const char *name;
	int (*run)(const char *arg);
	long call[7];
} attempts[] = {
	{ "unshare", do_unshare, { 0 } },
	{ "clone", do_clone, { 0 } },
	{ "clone3", do_clone3, { 0 } },
	{ "setns", do_setns, { 0 } },
	{ "mount", do_mount, { 0 } },
	{ "bind", do_bind, { 0 } },
	{ "remount-rw", do_remount_rw, { 0 } },
	{ "umount", do_umount, { 0 } },
	{ "pivot", do_pivot, { 0 } },
	{ "chroot", do_chroot, { 0 } },
	{ "open-tree", do_open_tree, { 0 } },
	{ "fsopen", do_fsopen, { 0 } },
	{ "mount-setattr", do_mount_setattr, { 0 } },
	{ "mknod", do_mknod, { 0 } },
	{ "open", do_open, { 0 } },
	{ "write", do_write, { 0 } },
	{ "open-rw", do_open_rw, { 0 } },
	{ "create", do_create, { 0 } },
	{ "mkdir", do_mkdir, { 0 } },
	{ "put", do_put, { 0 } },
	{ "chown", do_chown, { 0 } },
	{ "chmod", do_chmod, { 0 } },
	{ "unlink", do_unlink, { 0 } },
	{ "exec", do_exec, { 0 } },
	{ "exec-copy", do_exec_copy, { 0 } },
	{ "suid", do_suid, { 0 } },
	{ "euid", do_euid, { 0 } },
	{ "setuid", do_setuid, { 0 } },
	{ "setgid", do_setgid, { 0 } },
	{ "setgroups", do_setgroups, { 0 } },
	{ "capset", do_capset, { 0 } },
	{ "keyctl", do_keyctl, { 0 } },
	{ "add-key", do_add_key, { 0 } },
	{ "request-key", do_request_key, { 0 } },
	{ "bpf", do_bpf, { 0 } },
	{ "perf", do_perf, { 0 } },
	{ "io-uring", do_io_uring, { 0 } },
	{ "userfaultfd", do_userfaultfd, { 0 } },
	{ "socket", do_socket, { 0 } },
	{ "ioctl", do_ioctl, { 0 } },
	{ "ptrace", do_ptrace, { 0 } },
	{ "personality", do_personality, { 0 } },
	{ "sethostname", do_sethostname, { 0 } },
	{ "call", do_call, { 0 } },
	{ "int80", do_int80, { 0 } },
	{ "x32", do_x32, { 0 } },
	{ "signal", do_signal, { 0 } },
	BY_NUMBER("unknown-call", NR_unknown),
	BY_NUMBER("move-mount", NR_move_mount, -1, 0, -1, 0, 0),
	BY_NUMBER("fsconfig", NR_fsconfig, -1, 0, 0, 0, 0),
	BY_NUMBER("fsmount", NR_fsmount, -1, 0, 0),
	BY_NUMBER("fspick", NR_fspick, -1, 0, 0),
	BY_NUMBER("io-uring-enter", NR_io_uring_enter, -1, 0, 0, 0, 0, 0),
	BY_NUMBER("io-uring-register", NR_io_uring_register, -1, 0, 0, 0),
	BY_NUMBER("pidfd-getfd", NR_pidfd_getfd, -1, -1, 0),
	BY_NUMBER("process-madvise", NR_process_madvise, -1, 0, 0, 0, 0),
	BY_NUMBER("quotactl-fd", NR_quotactl_fd, -1, 0, 0, 0),
	BY_NUMBER("memfd-secret", NR_memfd_secret, 0),
	BY_NUMBER("statmount", NR_statmount, 0, 0, 0, 0),
	BY_NUMBER("listmount", NR_listmount, 0, 0, 0, 0),
	BY_NUMBER("lsm-set-self-attr", NR_lsm_set_self_attr, 0, 0, 0, 1),
	BY_NUMBER("init-module", SYS_init_module, 0, 0, 0),
	BY_NUMBER("finit-module", SYS_finit_module, -1, 0, 0),
	BY_NUMBER("delete-module", SYS_delete_module, 0, 0),
	BY_NUMBER("kexec-load", SYS_kexec_load, 0, 0, 0, ~0L),
	BY_NUMBER("reboot", SYS_reboot, 0, 0, 0, 0), /* wrong magic: EINVAL at worst */
	BY_NUMBER("swapon", SYS_swapon, 0, 0),
	BY_NUMBER("swapoff", SYS_swapoff, 0),
	BY_NUMBER("acct", SYS_acct, -1),
	BY_NUMBER("syslog", SYS_syslog, 10, 0, 0), /* SYSLOG_ACTION_SIZE_BUFFER: no effect */
	BY_NUMBER("quotactl", SYS_quotactl, 0, 0, 0, 0),
	BY_NUMBER("settimeofday", SYS_settimeofday, -1, -1),
	BY_NUMBER("clock-settime", SYS_clock_settime, 0, -1),
	BY_NUMBER("vhangup", SYS_vhangup),
	BY_NUMBER("setdomainname", SYS_setdomainname, 0, 1),
	BY_NUMBER("fanotify-init", SYS_fanotify_init, 0, 0),
	BY_NUMBER("open-by-handle-at", SYS_open_by_handle_at, -1, 0, 0),
	BY_NUMBER("name-to-handle-at", SYS_name_to_handle_at, -1, 0, 0, 0, 0),
	BY_NUMBER("process-vm-readv", SYS_process_vm_readv, 1, 0, 0, 0, 0, 0),
	BY_NUMBER("process-vm-writev", SYS_process_vm_writev, 1, 0, 0, 0, 0, 0),
	BY_NUMBER("kcmp", SYS_kcmp, 1, 1, 0, 0, 0),
	BY_NUMBER("vmsplice", SYS_vmsplice, -1, 0, 0, 0),
	BY_NUMBER("mbind", SYS_mbind, 1, 0, 0, 0, 0, 0),
	BY_NUMBER("set-mempolicy", SYS_set_mempolicy, -1, 0, 0),
	BY_NUMBER("migrate-pages", SYS_migrate_pages, -1, 0, 0, 0),
	BY_NUMBER("move-pages", SYS_move_pages, -1, 0, 0, 0, 0, 0),
	BY_NUMBER("lookup-dcookie", SYS_lookup_dcookie, 0, 0, 0),
#ifdef __x86_64__
	BY_NUMBER("iopl", SYS_iopl, 3),
	BY_NUMBER("ioperm", SYS_ioperm, 0x80, 1, 1),
	BY_NUMBER("ustat", SYS_ustat, 0, 0),
	BY_NUMBER("sysfs", SYS_sysfs, 3, 0, 0),
	BY_NUMBER("uselib", SYS_uselib, 0),
	BY_NUMBER("modify-ldt", SYS_modify_ldt, 0, 0, 0),
	BY_NUMBER("kexec-file-load", SYS_kexec_file_load, -1, -1, 0, 0, ~0L),
#endif
};
/* clang-format on */

static const struct attempt *find(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
		if (strlen(attempts[i].name) == length &&
		    strncmp(attempts[i].name, name, length) == 0)
			return &attempts[i];
	return NULL;
}

static int perform(const struct attempt *a, const char *arg)
{
	if (a->run != NULL)
		return a->run(arg);
	return result(syscall(a->call[0], a->call[1], a->call[2], a->call[3], a->call[4],
	                      a->call[5], a->call[6]));
}

int attempt_code(const char *text)
{
	const char *equals = strchr(text, '=');
	size_t length = equals != NULL ? (size_t)(equals - text) : strlen(text);
	const struct attempt *a = find(text, length);
	if (a == NULL)
		return -1000;
	fflush(stdout);
	pid_t child = fork();
	if (child < 0)
		return errno;
	if (child == 0) {
		alarm(3);
		int error = perform(a, equals != NULL ? equals + 1 : "");
		_exit(error);
	}
	int status = 0;
	if (waitpid(child, &status, 0) < 0)
		return errno;
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

const char *attempt(const char *text)
{
	static char other[32];
	int code = attempt_code(text);
	if (code >= 0)
		return errno_name(code);
	switch (code) {
	case -1000:
		return "no such attempt";
	case -SIGSYS:
		return "SIGSYS";
	case -SIGALRM:
		return "timeout";
	default:
		snprintf(other, sizeof(other), "signal %d", -code);
		return other;
	}
}

int cmd_try(int argc, char **argv)
{
	json_open(NULL, '{');
	for (int i = 1; i < argc; i++)
		json_text(argv[i], attempt(argv[i]));
	json_close('}');
	json_line();
	return 0;
}

int cmd_tries(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
		puts(attempts[i].name);
	return 0;
}
