/*
 * Runs one hook to its end (H and J rows, B30): the state JSON on stdin, exactly the configured
 * environment, output collected (at most a little of it) for the error, the process group killed
 * when the time is up.  Used by donjon for host-side hooks and by the stage for the container's.
 */
#include "launch/hooks.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OUTPUT_KEPT = 256 };

int hook_open(const char *path, struct donjon_error *err)
{
	/* Hook paths may be magic links: Docker's is /proc/<dockerd>/exe (decision 22).  Opened once;
	 * this very file is executed. */
	dj_auto_close int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return dj_fail_os(err, errno, "hook %s", path);
	if (fstat(fd, &st) < 0)
		return dj_fail_os(err, errno, "hook %s: stat", path);
	if (!S_ISREG(st.st_mode))
		return dj_fail(err, DONJON_E_CONFIG, "hook %s is not a regular file", path);
	return dj_take_fd(&fd);
}

struct hook_process {
	pid_t pid;
	int pidfd, in, out;
};

/* The bundles of engines are root's alone, and a hook in the container's user namespace is not that root
 * (J9): it does not need to be there, either. */
static bool enter_directory(const char *cwd)
{
	return !*cwd || chdir(cwd) == 0 || (errno == EACCES && chdir("/") == 0);
}

/* Its streams first, or nobody would learn of what fails then. */
static int prepare_hook(const char *cwd, int in, int out, struct donjon_error *err)
{
	const struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;
	int r;

	(void)sigemptyset(&none);
	for (int sig = 1; sig < 32; sig++)
		(void)sigaction(sig, &dfl, NULL);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		return dj_fail_os(err, errno, "place its streams");
	if (setpgid(0, 0) < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return dj_fail_os(err, errno, "set up its process");
	if (!enter_directory(cwd))
		return dj_fail_os(err, errno, "change to directory %s", cwd);
	r = fd_cloexec_from(3);
	return r < 0 ? dj_fail_os(err, -r, "mark descriptors close-on-exec") : 0;
}

/* The child of a possibly threaded process: system calls only.  Why it is no hook is its last output,
 * which judge() passes on. */
static _Noreturn void become_hook(int program, const char *path, char *const argv[], char *const envp[],
				  const char *cwd, int in, int out)
{
	struct donjon_error err = { 0 };

	if (prepare_hook(cwd, in, out, &err) == 0) {
		/* A script's interpreter reopens it by name, which a close-on-exec descriptor cannot give. */
		(void)sys_execveat(program, "", argv, envp, AT_EMPTY_PATH);
		if (errno == ENOENT)
			(void)execve(path, argv, envp);
		(void)dj_fail_os(&err, errno, "execute it");
	}
	(void)!write(2, err.text, strlen(err.text));
	_exit(127);
}

static int spawn(int program, const char *path, char *const argv[], char *const envp[], const char *cwd,
		 struct hook_process *out, struct donjon_error *err)
{
	int in[2] = { -1, -1 }, output[2] = { -1, -1 };
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&out->pidfd,
		.exit_signal = SIGCHLD,
	};
	int r;

	if (pipe2(in, O_CLOEXEC) < 0)
		return dj_fail_os(err, errno, "%s: pipe", path);
	if (pipe2(output, O_CLOEXEC) < 0) {
		r = dj_fail_os(err, errno, "%s: pipe", path);
		goto out;
	}
	r = sys_clone3(&args);
	if (r == 0)
		become_hook(program, path, argv, envp, cwd, in[0], output[1]);
	if (r < 0) {
		r = dj_fail_os(err, -r, "%s: clone", path);
		goto out;
	}
	out->pid = r;
	out->in = dj_take_fd(&in[1]);
	out->out = dj_take_fd(&output[0]);
	r = 0;
out:
	for (size_t i = 0; i < 2; i++) {
		dj_close(&in[i]);
		dj_close(&output[i]);
	}
	return r;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* write(2) whose SIGPIPE is taken back: handlers are the whole process's, and this may be a library. */
static ssize_t write_quietly(int fd, const char *data, size_t size)
{
	const struct timespec now = { 0 };
	sigset_t pipe_only, saved;
	ssize_t n;
	int os;

	(void)sigemptyset(&pipe_only);
	(void)sigaddset(&pipe_only, SIGPIPE);
	(void)sigprocmask(SIG_BLOCK, &pipe_only, &saved);
	n = write(fd, data, size);
	os = errno;
	if (n < 0 && os == EPIPE)
		(void)sigtimedwait(&pipe_only, NULL, &now);
	(void)sigprocmask(SIG_SETMASK, &saved, NULL);
	errno = os;
	return n;
}

/* Feeds stdin, drains output, waits for the exit; false when the time is up. */
static bool attend(struct hook_process *p, const char *input, int64_t deadline, char kept[OUTPUT_KEPT])
{
	size_t left = strlen(input), used = 0;
	int after_exit = 0;

	(void)fcntl(p->in, F_SETFL, O_NONBLOCK);
	for (;;) {
		struct pollfd fds[3] = {
			{ .fd = p->pidfd, .events = POLLIN },
			{ .fd = p->out, .events = POLLIN },
			{ .fd = left ? p->in : -1, .events = POLLOUT },
		};
		int64_t wait = deadline ? deadline - now_ms() : -1;
		char buf[4096];
		ssize_t n;

		if (deadline && wait <= 0)
			return false;
		if (poll(fds, 3, wait > INT_MAX ? INT_MAX : (int)wait) < 0 && errno != EINTR)
			return false;
		if (fds[2].revents) {
			n = write_quietly(p->in, input, left);
			if (n > 0) {
				input += n;
				left -= (size_t)n;
			} else if (errno != EAGAIN && errno != EINTR) {
				left = 0; /* many hooks never read it: EPIPE is fine (J1) */
			}
		}
		if (!left)
			dj_close(&p->in);
		if (fds[1].revents) {
			n = read(p->out, buf, sizeof(buf));
			if (n <= 0)
				dj_close(&p->out);
			else if (used < OUTPUT_KEPT - 1) {
				size_t keep = (size_t)n < OUTPUT_KEPT - 1 - used ? (size_t)n
										: OUTPUT_KEPT - 1 - used;

				memcpy(kept + used, buf, keep);
				used += keep;
			}
		}
		/* Its own exit ends it, even if a daemon it left holds or floods the pipe (T44). */
		if (fds[0].revents && (!(fds[1].revents & POLLIN) || ++after_exit > 16))
			return true;
	}
}

static int judge(const char *path, int status, char kept[OUTPUT_KEPT], struct donjon_error *err)
{
	for (char *c = kept; *c; c++)
		if (*c == '\n')
			*c = c[1] ? ' ' : '\0';
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFSIGNALED(status))
		return dj_fail(err, DONJON_E_SYSTEM, "%s was killed by signal %d%s%s", path,
			       WTERMSIG(status), *kept ? ": " : "", kept);
	return dj_fail(err, DONJON_E_SYSTEM, "%s exited with status %d%s%s", path, WEXITSTATUS(status),
		       *kept ? ": " : "", kept);
}

int hook_execute(int program, const char *path, char *const argv[], char *const envp[], const char *cwd,
		 uint32_t timeout_s, const char *input, struct donjon_error *err)
{
	struct hook_process p = { .pidfd = -1, .in = -1, .out = -1 };
	char kept[OUTPUT_KEPT] = "";
	bool in_time;
	int status = 0;
	pid_t r;

	if (spawn(program, path, argv, envp, cwd, &p, err) < 0)
		return -1;
	in_time = attend(&p, input, timeout_s ? now_ms() + (int64_t)timeout_s * 1000 : 0, kept);
	/* Whatever it left behind in its group goes with it (B30). */
	(void)kill(-p.pid, SIGKILL);
	(void)sys_pidfd_send_signal(p.pidfd, SIGKILL);
	do
		r = waitpid(p.pid, &status, 0);
	while (r < 0 && errno == EINTR);
	dj_close(&p.pidfd);
	dj_close(&p.in);
	dj_close(&p.out);
	/* With SIGCHLD ignored there is no status, and no status is no success. */
	if (r != p.pid)
		return dj_fail_os(err, errno, "%s: wait for it", path);
	if (!in_time)
		return dj_fail(err, DONJON_E_SYSTEM, "%s did not end within %u s", path, timeout_s);
	return judge(path, status, kept, err);
}

/* argv or envp for execve, in memory of its own: the stage has no heap. */
char **hook_vector(const struct dj_plan *plan, struct plan_list strings, const char *first,
		   struct donjon_error *err)
{
	const plan_str *items = plan_items(plan, strings, plan_str);
	size_t n = strings.n ? strings.n : first ? 1 : 0;
	char **v = mmap(NULL, (n + 1) * sizeof(char *), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);

	if (v == MAP_FAILED) {
		(void)dj_fail_os(err, errno, "map memory for %zu strings", n);
		return NULL;
	}
	/* execve does not write to its strings; its prototype is older than const. */
	for (uint32_t i = 0; i < strings.n; i++)
		v[i] = (char *)(uintptr_t)plan_text(plan, items[i]);
	if (!strings.n && first)
		v[0] = (char *)(uintptr_t)first;
	return v;
}

int hook_run_fd(const struct dj_plan *plan, const struct plan_hook *hook, int program,
		const char *state_json, const char *cwd, struct donjon_error *err)
{
	const char *path = plan_text(plan, hook->path);
	char **argv = hook_vector(plan, hook->args, path, err);
	char **envp = argv ? hook_vector(plan, hook->env, NULL, err) : NULL;
	int r = -1;

	if (envp)
		r = hook_execute(program, path, argv, envp, cwd, hook->timeout_s, state_json, err);
	if (argv)
		(void)munmap(argv, ((hook->args.n ? hook->args.n : 1) + 1) * sizeof(char *));
	if (envp)
		(void)munmap(envp, (hook->env.n + 1) * sizeof(char *));
	return r < 0 ? dj_note(err, "hook") : r;
}
