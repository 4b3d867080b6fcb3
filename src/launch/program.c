/* Finds the container's program as the user it will run as, and executes it. */
#include "launch/inside.h"

#include "base/fd.h"
#include "base/sys.h"
#include "launch/hooks.h"
#include "launch/late_limits.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

static const char *env_value(const struct dj_plan *plan, const char *name)
{
	const plan_str *env = plan_items(plan, plan->env, plan_str);
	size_t len = strlen(name);

	for (uint32_t i = 0; i < plan->env.n; i++) {
		const char *entry = plan_text(plan, env[i]);

		if (strncmp(entry, name, len) == 0 && entry[len] == '=')
			return entry + len + 1;
	}
	return NULL;
}

static int build_environment(struct inside *s, struct donjon_error *err)
{
	const struct dj_plan *plan = s->plan;
	const plan_str *env = plan_items(plan, plan->env, plan_str);
	size_t n = plan->env.n;
	char **v = mmap(NULL, (n + 2) * sizeof(char *), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);

	if (v == MAP_FAILED)
		return dj_fail_os(err, errno, "map memory for the environment");
	for (size_t i = 0; i < n; i++)
		v[i] = (char *)(uintptr_t)plan_text(plan, env[i]);
	v[n] = s->home;
	s->envp = v;
	return 0;
}

/* 0, or the errno execve would give for it. */
static int try_program(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno;
	if (!S_ISREG(st.st_mode))
		return EACCES;
	return syscall(SYS_faccessat, AT_FDCWD, path, X_OK) < 0 ? errno : 0;
}

static int program_error(struct donjon_error *err, int os, const char *fmt, const char *name)
{
	(void)dj_fail(err, DONJON_E_EXEC, fmt, name, name);
	err->os = os;
	return -1;
}

/* Texts are runc's, by which callers tell 126 from 127 (contract M9-M11). */
static int lookup_path(struct inside *s, const char *name, struct donjon_error *err)
{
	const char *path = env_value(s->plan, "PATH");
	bool denied = false;

	if (!path)
		path = default_path;
	for (const char *end; *path; path = *end ? end + 1 : end) {
		int len, r;

		end = strchrnul(path, ':');
		len = (int)(end - path);
		r = snprintf(s->program, sizeof(s->program), "%.*s/%s", len ? len : 1, len ? path : ".", name);
		if (r < 0 || (size_t)r >= sizeof(s->program))
			continue;
		r = try_program(s->program);
		if (r == 0)
			return 0;
		denied |= r == EACCES;
	}
	if (denied)
		return program_error(err, EACCES, "exec: \"%s\": permission denied", name);
	return program_error(err, ENOENT, "exec: \"%s\": executable file not found in $PATH", name);
}

int find_program(struct inside *s, uint32_t row, struct donjon_error *err)
{
	const plan_str *args = plan_items(s->plan, s->plan->args, plan_str);
	const char *name = plan_text(s->plan, args[0]);
	int r;

	(void)row;
	s->argv = hook_vector(s->plan, s->plan->args, NULL, err);
	if (!s->argv || build_environment(s, err) < 0)
		return -1;
	if (!*name)
		return program_error(err, ENOENT, "exec: \"%s\": executable file not found in $PATH", name);
	if (!strchr(name, '/'))
		return lookup_path(s, name, err);
	if (strlen(name) >= sizeof(s->program))
		return program_error(err, ENAMETOOLONG, "exec: \"%.64s...\": file name too long", name);
	(void)snprintf(s->program, sizeof(s->program), "%s", name);
	r = try_program(name);
	if (r == ENOENT)
		return program_error(err, r, "exec: \"%s\": stat %s: no such file or directory", name);
	if (r == EACCES)
		return program_error(err, r, "exec: \"%s\": permission denied", name);
	if (r != 0) {
		(void)dj_fail_os(err, r, "exec: \"%s\"", name);
		err->code = DONJON_E_EXEC;
		return -1;
	}
	return 0;
}

/* Dispositions survive an execve when they are "ignore" (T59), and so does the mask. */
int reset_signals(struct donjon_error *err)
{
	enum { KERNEL_SIGSET_SIZE = 8 };
	struct { /* struct sigaction as the kernel has it: libc refuses its own internal signals */
		void *handler;
		unsigned long flags;
		void *restorer;
		unsigned long mask;
	} dfl = { NULL, 0, NULL, 0 };
	unsigned long none = 0;

	for (int sig = 1; sig <= 64; sig++)
		if (syscall(SYS_rt_sigaction, sig, &dfl, NULL, KERNEL_SIGSET_SIZE) < 0 && sig != SIGKILL &&
		    sig != SIGSTOP)
			return dj_fail_os(err, errno, "reset signal %d", sig);
	if (syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, KERNEL_SIGSET_SIZE) < 0)
		return dj_fail_os(err, errno, "reset the signal mask");
	return 0;
}

/* Those that would have been in the stage's own way (see set_rlimit). */
static int set_late_limits(const struct dj_plan *plan, struct donjon_error *err)
{
	const struct plan_rlimit *limits = plan_items(plan, plan->rlimits, struct plan_rlimit);

	for (uint32_t i = 0; i < plan->rlimits.n; i++) {
		const struct rlimit want = { .rlim_cur = limits[i].soft, .rlim_max = limits[i].hard };

		if (limit_is_late(&limits[i]) && setrlimit(limits[i].type, &want) < 0)
			return dj_fail_os(err, errno, "process.rlimits: set limit %d", limits[i].type);
	}
	return 0;
}

int reset_process(struct inside *s, uint32_t row, struct donjon_error *err)
{
	(void)row;
	/* It survives the execve: a sandbox goes with whoever runs it. */
	if (prctl(PR_SET_PDEATHSIG, s->plan->die_with_parent ? SIGKILL : 0) < 0)
		return dj_fail_os(err, errno, "clear the parent-death signal");
	(void)umask((mode_t)s->plan->umask);
	if (set_late_limits(s->plan, err) < 0)
		return -1;
	/* The others are as main() left them. */
	return restore_signals(err);
}

/* Really closed, not only marked, and before the filter, which may forbid it (B15).  The wire stays:
 * it is close-on-exec, and its end-of-file is the message that the program runs. */
int close_descriptors(struct inside *s, uint32_t row, struct donjon_error *err)
{
	int first = 3 + (int)s->plan->preserve_fds, r;

	(void)row;
	if (s->wire != first && (r = dup3(s->wire, first, O_CLOEXEC)) < 0)
		return dj_fail_os(err, errno, "place the wire");
	s->wire = first;
	if ((r = fd_close_from(first + 1)) < 0)
		return dj_fail_os(err, -r, "close descriptors");
	return 0;
}

/* Waits without any call, since the filter may ask about each of them (decision 53).  An outside that
 * is gone is noticed by the count: some ten seconds, then the end no filter can forbid. */
static void hand_listener_over(struct exec_page *page, int listener)
{
	page->listener = listener + 1;
	for (uint64_t i = 0; !page->listener_taken; i++) {
		if (i == UINT64_C(1) << 34)
			__builtin_trap();
		__asm__ volatile("" ::: "memory");
	}
}

int load_filters(struct inside *s, uint32_t row, struct donjon_error *err)
{
	const struct plan_filter *filters = plan_items(s->plan, s->plan->filters, struct plan_filter);

	(void)row;
	if (prctl(PR_SET_NAME, WIRE_EXECUTING_NAME) < 0)
		return dj_fail_os(err, errno, "take the name of one that executes");
	/* The guard comes first: it allows this call; the bundle's own profile, last, need not. */
	for (uint32_t i = 0; i < s->plan->filters.n; i++) {
		/* The kernel copies the program; the prototype lacks const. */
		const struct sock_fprog program = {
			.len = (unsigned short)filters[i].program.n,
			.filter = (struct sock_filter *)(uintptr_t)plan_items(
				s->plan, filters[i].program, struct sock_filter),
		};
		int r = sys_seccomp(SECCOMP_SET_MODE_FILTER, filters[i].load_flags,
				    (void *)(uintptr_t)&program);

		if (r < 0)
			return dj_fail_os(err, -r, "linux.seccomp: load filter %u of %u", i + 1,
					  s->plan->filters.n);
		if (filters[i].load_flags & SECCOMP_FILTER_FLAG_NEW_LISTENER)
			hand_listener_over(s->page, r);
	}
	return 0;
}

/* From the first filter on nothing may be called but execve: plain stores report, then exit_group,
 * then a trap for profiles that forbid even that (launch-findings.md §6). */
int execute(struct inside *s, uint32_t row, struct donjon_error *err)
{
	(void)row;
	(void)err;
	(void)snprintf(s->page->program, sizeof(s->page->program), "%s", s->program);
	s->page->in_execve = 1;
	(void)execve(s->program, s->argv, s->envp);
	s->page->os = errno;
	(void)syscall(SYS_exit_group, 126);
	__builtin_trap();
}
