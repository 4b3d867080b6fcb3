/* The profiles we ship (profiles/default.json, profiles/guard.json): what they refuse and allow, by
 * simulation and once in the kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "filter_fixture.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#else
#error "name this architecture"
#endif

/* Above the newest number anybody knows. */
enum { FUTURE = 480, UNASSIGNED = 1000 };

static struct filter_program builtin(bool guard, uint32_t arch, uint64_t capabilities,
                                     struct dj_arena *arena)
{
	const struct filter_options options = filter_options_for_builtin(arch);
	struct donjon_error err = { 0 };
	struct oci_seccomp profile = { 0 };
	int r = guard ? filter_builtin_guard(arena, &profile, &err)
	              : filter_builtin_default(arena, capabilities, &profile, &err);

	if (r < 0)
		fail_msg("%s", err.text);
	return compile(&profile, &options, arena);
}

/* hardening-checks.md, 3.3: no legitimate use in a container; what decisions and threats add. */
/* clang-format off */
static const char *const tier_a[] = {
	"kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module",
	"create_module", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter",
	"io_uring_register", "keyctl", "add_key", "request_key", "mount", "umount2", "pivot_root",
	"move_mount", "open_tree", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "setns",
	"unshare", "open_by_handle_at", "pidfd_getfd", "swapon", "swapoff", "reboot", "settimeofday",
	"clock_settime", "stime", "acct", "quotactl", "quotactl_fd", "iopl", "ioperm", "uselib",
	"lookup_dcookie", "nfsservctl", "vm86", "vm86old", "sysfs", "ustat", "syslog", "vhangup",
	"sethostname", "setdomainname", "fanotify_init", "lsm_set_self_attr", "clone3",
	"open_tree_attr", "listns", "umount",
};
/* clang-format on */

/* clang-format off */
static const char *const tier_b[] = {
	"ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp",
	"name_to_handle_at", "modify_ldt", "move_pages", "migrate_pages", "mbind", "set_mempolicy",
	"vmsplice", "memfd_secret", "statmount", "listmount",
};
/* clang-format on */

/* What glibc, Go, a JVM, Python, nginx, redis and PostgreSQL call when they do their work. */
/* clang-format off */
static const char *const ordinary[] = {
	"read", "write", "openat", "openat2", "close", "close_range", "mmap", "mprotect", "munmap",
	"mremap", "madvise", "brk", "execve", "execveat", "exit", "exit_group", "wait4", "waitid",
	"kill", "tgkill", "futex", "futex_waitv", "set_tid_address", "set_robust_list", "rseq",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "prctl", "prlimit64",
	"getrandom", "getpid", "gettid", "getuid", "setuid", "setgid", "setgroups", "setresuid",
	"capget", "capset", "sched_getaffinity", "sched_yield", "sched_setscheduler", "membarrier",
	"nanosleep", "clock_gettime", "clock_nanosleep", "timer_create", "timerfd_create",
	"epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "ppoll", "pselect6", "eventfd2",
	"signalfd4", "inotify_init1", "pipe2", "dup3", "fcntl", "accept4", "bind", "connect", "listen",
	"sendmsg", "recvmsg", "sendmmsg", "recvmmsg", "getsockopt", "setsockopt", "shutdown",
	"sendfile", "splice", "copy_file_range", "fsync", "fdatasync", "sync_file_range", "fallocate",
	"ftruncate", "fstat", "newfstatat", "statx", "getdents64", "faccessat2", "fchmodat", "fchmodat2",
	"fchownat", "mkdirat", "mknodat", "unlinkat", "renameat2", "symlinkat", "linkat", "readlinkat",
	"utimensat", "getxattr", "setxattr", "flock", "umask", "chdir", "getcwd", "io_setup",
	"io_submit", "io_getevents", "shmget", "shmat", "semget", "semtimedop", "msgget", "mq_open",
	"mlock", "memfd_create", "pkey_alloc", "seccomp", "landlock_create_ruleset", "pidfd_open",
	"pidfd_send_signal", "setsid", "setpgid", "getrusage", "sysinfo", "uname", "times", "mseal",
	"map_shadow_stack", "cachestat",
};
/* clang-format on */

static bool lets_through(uint32_t verdict)
{
	return (verdict & SECCOMP_RET_ACTION_FULL) >= SECCOMP_RET_USER_NOTIF &&
	       (verdict & SECCOMP_RET_ACTION_FULL) <= SECCOMP_RET_ALLOW;
}

static void check_refused(const struct filter_program *program, uint32_t arch,
                          const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int number = filter_syscall_number(arch, names[i]);

		assert_int_not_equal(number, FILTER_SYSCALL_UNKNOWN);
		if (number < 0)
			continue;
		for (size_t j = 0; j < DJ_COUNT(corner_values); j++) {
			uint64_t v = corner_values[j];

			if (lets_through(verdict(program, arch, (uint32_t)number,
			                         (uint64_t[6]){ v, v, v, v, v, v })))
				fail_msg("%s on %#x is let through", names[i], arch);
		}
	}
}

static void check_allowed(const struct filter_program *program, uint32_t arch)
{
	for (size_t i = 0; i < DJ_COUNT(ordinary); i++)
		if (named_verdict(program, arch, ordinary[i], 0, 0, 0) != ALLOW)
			fail_msg("%s on %#x is refused", ordinary[i], arch);
}

static const uint32_t archs[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64, AUDIT_ARCH_RISCV64 };

static void test_default_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < DJ_COUNT(archs); i++) {
		dj_auto_arena struct dj_arena arena = { 0 };
		/* Not even with every capability. */
		struct filter_program program = builtin(false, archs[i], UINT64_MAX, &arena);

		check_refused(&program, archs[i], tier_a, DJ_COUNT(tier_a));
		check_refused(&program, archs[i], tier_b, DJ_COUNT(tier_b));
		check_allowed(&program, archs[i]);
	}
}

static void test_guard_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < DJ_COUNT(archs); i++) {
		dj_auto_arena struct dj_arena arena = { 0 };
		struct filter_program program = builtin(true, archs[i], 0, &arena);

		check_refused(&program, archs[i], tier_a, DJ_COUNT(tier_a));
		check_allowed(&program, archs[i]);
		assert_int_equal(verdict(&program, archs[i], UNASSIGNED, (uint64_t[6]){ 0 }),
		                 ALLOW);
	}
}

/* T55: refused = EPERM, unknown = ENOSYS; junk above an int argument decides nothing. */
#define JUNK UINT64_C(0xdeadbeef00000000)

static const struct {
	const char *name;
	uint64_t a0, a1, a2;
	uint32_t fallback, guard; /* verdict of the default profile, of the guard */
} calls[] = {
	{ "socket", AF_UNIX, SOCK_STREAM, 0, ALLOW, ALLOW },
	{ "socket", AF_INET, SOCK_DGRAM, 0, ALLOW, ALLOW },
	{ "socket", AF_INET6, SOCK_STREAM, 0, ALLOW, ALLOW },
	{ "socket", JUNK | AF_INET, SOCK_STREAM, 0, ALLOW, ALLOW },
	{ "socket", AF_NETLINK, SOCK_RAW, 0, ALLOW, ALLOW },
	{ "socket", AF_NETLINK, SOCK_RAW, JUNK, ALLOW, ALLOW },
	{ "socket", AF_NETLINK, SOCK_RAW, 9, REFUSE(EPROTONOSUPPORT), ALLOW },
	{ "socket", AF_NETLINK, SOCK_RAW, 6, REFUSE(EPERM), ALLOW },
	{ "socket", AF_PACKET, SOCK_RAW, 0, REFUSE(EPERM), ALLOW },
	{ "socket", AF_RXRPC, SOCK_DGRAM, 0, REFUSE(EPERM), REFUSE(EPERM) },
	{ "socket", JUNK | AF_RXRPC, SOCK_DGRAM, 0, REFUSE(EPERM), REFUSE(EPERM) },
	{ "socket", AF_ALG, SOCK_SEQPACKET, 0, REFUSE(EPERM), REFUSE(EPERM) },
	{ "socket", JUNK | AF_ALG, SOCK_SEQPACKET, 0, REFUSE(EPERM), REFUSE(EPERM) },
	{ "socket", AF_VSOCK, SOCK_STREAM, 0, REFUSE(EPERM), REFUSE(EPERM) },
	{ "socket", JUNK | AF_VSOCK, SOCK_STREAM, 0, REFUSE(EPERM), REFUSE(EPERM) },
	{ "socket", 0, 0, 0, REFUSE(EPERM), ALLOW },
	{ "socketpair", AF_UNIX, SOCK_STREAM, 0, ALLOW, ALLOW },
	{ "socketpair", 30, SOCK_STREAM, 0, REFUSE(EPERM), ALLOW },
	{ "ioctl", 0, 0x5401, 0, ALLOW, ALLOW },
	{ "ioctl", 0, 0x5412, 0, REFUSE(EPERM), REFUSE(EPERM) },
	{ "ioctl", 0, JUNK | 0x5412, 0, REFUSE(EPERM), REFUSE(EPERM) },
	{ "ioctl", 0, 0x541c, 0, REFUSE(EPERM), REFUSE(EPERM) },
	{ "ioctl", 0, JUNK | 0x541c, 0, REFUSE(EPERM), REFUSE(EPERM) },
	{ "clone", 0x01200011, 0, 0, ALLOW, ALLOW },
	{ "clone", 0x003d0f00, 0, 0, ALLOW, ALLOW },
	{ "clone", 0x10000011, 0, 0, REFUSE(EPERM), REFUSE(EPERM) },
	{ "clone", JUNK | 0x10000011, 0, 0, REFUSE(EPERM), REFUSE(EPERM) },
	{ "clone", 0x00020011, 0, 0, REFUSE(EPERM), ALLOW },
	{ "clone", 0x02000011, 0, 0, REFUSE(EPERM), ALLOW },
	{ "clone", 0x04000011, 0, 0, REFUSE(EPERM), ALLOW },
	{ "clone", 0x08000011, 0, 0, REFUSE(EPERM), ALLOW },
	{ "clone", 0x20000011, 0, 0, REFUSE(EPERM), ALLOW },
	{ "clone", 0x40000011, 0, 0, REFUSE(EPERM), ALLOW },
	{ "clone3", 0, 0, 0, REFUSE(ENOSYS), REFUSE(ENOSYS) },
	{ "unshare", 0, 0, 0, REFUSE(EPERM), REFUSE(EPERM) },
	{ "io_uring_setup", 1, 0, 0, REFUSE(ENOSYS), REFUSE(ENOSYS) },
	{ "statmount", 0, 0, 0, REFUSE(ENOSYS), ALLOW },
	{ "mount", 0, 0, 0, REFUSE(EPERM), REFUSE(EPERM) },
	{ "personality", 0, 0, 0, ALLOW, ALLOW },
	{ "personality", 0xffffffff, 0, 0, ALLOW, ALLOW },
	{ "personality", UINT64_MAX, 0, 0, ALLOW, ALLOW },
	{ "personality", 0x20008, 0, 0, ALLOW, ALLOW },
	{ "personality", 0x0040000, 0, 0, REFUSE(EPERM), ALLOW },
	{ "personality", 0x0400000, 0, 0, REFUSE(EPERM), ALLOW },
	{ "chroot", 0, 0, 0, REFUSE(EPERM), ALLOW },
	{ "ptrace", 0, 0, 0, REFUSE(EPERM), ALLOW },
	{ "setuid", 0, 0, 0, ALLOW, ALLOW },
};

static void test_arguments(void **state)
{
	(void)state;
	for (size_t a = 0; a < DJ_COUNT(archs); a++) {
		dj_auto_arena struct dj_arena arena = { 0 };
		struct filter_program fallback = builtin(false, archs[a], 0, &arena);
		struct filter_program guard = builtin(true, archs[a], 0, &arena);

		for (size_t i = 0; i < DJ_COUNT(calls); i++) {
			uint32_t number = number_of(archs[a], calls[i].name);
			const uint64_t args[6] = { calls[i].a0, calls[i].a1, calls[i].a2 };

			if (verdict(&fallback, archs[a], number, args) != calls[i].fallback ||
			    verdict(&guard, archs[a], number, args) != calls[i].guard)
				fail_msg("row %zu: %s", i, calls[i].name);
		}
	}
}

static void test_capabilities_open_chroot_only(void **state)
{
	dj_auto_arena struct dj_arena arena = { 0 };
	struct filter_program without = builtin(false, NATIVE, 0, &arena);
	struct filter_program with = builtin(false, NATIVE, UINT64_C(1) << CAP_SYS_CHROOT, &arena);

	(void)state;
	for (uint32_t number = 0; number < FUTURE; number++) {
		const uint64_t args[6] = { 0 };

		if (number == number_of(NATIVE, "chroot"))
			assert_int_equal(verdict(&with, NATIVE, number, args), ALLOW);
		else
			assert_int_equal(verdict(&with, NATIVE, number, args),
			                 verdict(&without, NATIVE, number, args));
	}
}

/* Every number that means nothing is ENOSYS, every other one is decided by name. */
static void test_every_number(void **state)
{
	(void)state;
	for (size_t a = 0; a < DJ_COUNT(archs); a++) {
		dj_auto_arena struct dj_arena arena = { 0 };
		struct filter_program program = builtin(false, archs[a], 0, &arena);
		size_t reachable = 0;

		for (uint32_t number = 0; number < 2 * UNASSIGNED; number++) {
			uint32_t v = verdict(&program, archs[a], number, (uint64_t[6]){ 1, 1, 1 });

			if (!filter_syscall_name(archs[a], (int)number))
				assert_int_equal(v, REFUSE(ENOSYS));
			else
				assert_true(v == ALLOW || v == REFUSE(EPERM) ||
				            v == REFUSE(ENOSYS));
			reachable += v == ALLOW;
		}
		print_message("# %#x: %zu calls, %zu instructions\n", archs[a], reachable,
		              program.n);
		assert_in_range(reachable, 200, 315); /* hardening-checks.md, seccomp.surface */
	}
}

static void test_foreign_abis_do_not_exist(void **state)
{
	(void)state;
	for (int guard = 0; guard < 2; guard++) {
		dj_auto_arena struct dj_arena arena = { 0 };
		struct filter_program program = builtin(guard, AUDIT_ARCH_X86_64, 0, &arena);

		for (uint32_t number = 0; number < 600; number++) {
			const uint64_t args[6] = { 0 };

			assert_int_equal(verdict(&program, AUDIT_ARCH_I386, number, args),
			                 REFUSE(ENOSYS));
			assert_int_equal(verdict(&program, OCI_ARCH_X32, X32(number), args),
			                 REFUSE(ENOSYS));
			assert_int_equal(verdict(&program, AUDIT_ARCH_AARCH64, number, args),
			                 REFUSE(ENOSYS));
		}
	}
}

/* The rows made at build time say what the JSON files say. */
static void check_embedded(const char *file, bool guard, uint64_t capabilities)
{
	dj_auto_arena struct dj_arena arena = { 0 };
	const struct filter_options options = filter_options_for_builtin(NATIVE);
	struct filter_program embedded = builtin(guard, NATIVE, capabilities, &arena);
	struct filter_program decoded;
	struct oci_seccomp profile;

	load_profile(file, capabilities, &arena, &profile);
	decoded = compile(&profile, &options, &arena);
	assert_int_equal(embedded.n, decoded.n);
	assert_memory_equal(embedded.v, decoded.v, decoded.n * sizeof(*decoded.v));
}

static void test_embedded_is_shipped(void **state)
{
	(void)state;
	check_embedded("profiles/default.json", false, 0);
	check_embedded("profiles/default.json", false, UINT64_MAX);
	check_embedded("profiles/guard.json", true, 0);
}

/* ---- in the kernel ---- */

static int install(const struct filter_program *program)
{
	const struct sock_fprog prog = { .len = (unsigned short)program->n, .filter = program->v };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, program->load_flags, &prog);
}

/* Exit statuses name the first thing that was not as it should be. */
static int try_calls(const struct filter_program *guard, const struct filter_program *fallback)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return 1;
	if (install(guard) < 0)
		return 2;
	if (install(fallback) < 0)
		return 3;
	if (syscall(SYS_getppid) <= 0)
		return 4;
	if (syscall(SYS_unshare, 0) != -1 || errno != EPERM)
		return 5;
	if (syscall(SYS_clone3, NULL, 0) != -1 || errno != ENOSYS)
		return 6;
	if (socket(AF_ALG, SOCK_SEQPACKET, 0) != -1 || errno != EPERM)
		return 7;
	if (socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0)
		return 8;
	if (syscall(UNASSIGNED) != -1 || errno != ENOSYS)
		return 9;
	return 0;
}

static void test_the_kernel_takes_them(void **state)
{
	dj_auto_arena struct dj_arena arena = { 0 };
	struct filter_program guard = builtin(true, NATIVE, 0, &arena);
	struct filter_program fallback = builtin(false, NATIVE, 0, &arena);
	int status = 0;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(try_calls(&guard, &fallback));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* ---- what it costs: printed, not judged ---- */

static double now_us(void)
{
	struct timespec t;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &t), 0);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

enum cost_of { COST_GUARD, COST_DEFAULT, COST_DOCKER, COST_PODMAN };

static void print_cost(enum cost_of what, const char *name)
{
	dj_auto_arena struct dj_arena arena = { 0 };
	struct filter_options options = filter_options_for_builtin(NATIVE);
	struct oci_seccomp profile = { 0 };
	struct donjon_error err = { 0 };
	struct filter_program program;
	double start = now_us(), decoded;

	if (what == COST_GUARD)
		assert_int_equal(filter_builtin_guard(&arena, &profile, &err), 0);
	else if (what == COST_DEFAULT)
		assert_int_equal(filter_builtin_default(&arena, 0, &profile, &err), 0);
	else
		load_profile(name, 0, &arena, &profile);
	decoded = now_us();
	options.names_must_resolve = false;
	program = compile(&profile, &options, &arena);
	print_message("# %s: decoded in %.0f us, compiled in %.0f us, %zu instructions\n", name,
	              decoded - start, now_us() - decoded, program.n);
}

static void test_cost(void **state)
{
	(void)state;
	for (int warm = 0; warm < 2; warm++) {
		print_cost(COST_GUARD, "guard.json");
		print_cost(COST_DEFAULT, "default.json");
		print_cost(COST_DOCKER, CORPUS "docker-default.json");
		print_cost(COST_PODMAN, CORPUS "podman-default.json");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_names),
		cmocka_unit_test(test_guard_names),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_capabilities_open_chroot_only),
		cmocka_unit_test(test_every_number),
		cmocka_unit_test(test_foreign_abis_do_not_exist),
		cmocka_unit_test(test_embedded_is_shipped),
		cmocka_unit_test(test_the_kernel_takes_them),
		cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
