/* The API of the launch: sets up what both sides need, walks the table, cleans up. */
#include "launch/launch.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/procfs.h"
#include "base/sys.h"
#include "launch/hooks.h"
#include "launch/outside.h"
#include "launch/stage_image.h"
#include "launch/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	LISTENER_WAIT_MS = 10 * 1000, /* until the stage has loaded its filters */
	END_WAIT_MS = 1000,
	AGENT_WAIT_MS = 10 * 1000,    /* until whoever has the listener lets execve through */
};

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* A memfd nobody can change any more: what it holds is what was checked (B14). */
static int sealed_memfd(const char *name, unsigned flags, mode_t mode, const void *data, size_t size,
			struct donjon_error *err)
{
	dj_auto_close int fd = sys_memfd_create(name, flags | MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	/* Kernels before 6.3 do not know the flag. */
	if (fd == -EINVAL)
		fd = sys_memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return dj_fail_os(err, -fd, "create a memfd for %s%s", name,
				  fd == -EACCES ? " (vm.memfd_noexec=2 forbids executable ones)" : "");
	if ((r = file_write_all(fd, data, size)) < 0)
		return dj_fail_os(err, -r, "fill the memfd of %s", name);
	if (fchmod(fd, mode) < 0)
		return dj_fail_os(err, errno, "set the mode of the memfd of %s", name);
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return dj_fail_os(err, errno, "seal the memfd of %s", name);
	return dj_take_fd(&fd);
}

/* A caller without rights on the host keeps its say over a process in a user namespace of its own, whoever
 * that process is there.  Not so over memory that belongs to the initial one, as that of a program does
 * that nobody in the namespace may read. */
static bool is_own_id_left_out(const struct dj_plan *plan)
{
	const struct oci_id_map *uids = plan_items(plan, plan->uid_maps, struct oci_id_map);
	uint32_t own = geteuid();

	for (uint32_t i = 0; i < plan->uid_maps.n; i++)
		if (own >= uids[i].host_id && own - uids[i].host_id < uids[i].size)
			return false;
	return plan->uid_map_granted || (plan->joins && plan->rootless && own != 0);
}

/* The stage runs from memory: nothing of the host's can be overwritten through its exe link
 * (CVE-2019-5736).  Mode 0511: without the read bit for others the process is not dumpable and its
 * memory belongs to the initial user namespace, so container root cannot open it (B17, tried). */
static int stage_memfd(const struct dj_plan *plan, struct donjon_error *err)
{
	mode_t mode = is_own_id_left_out(plan) ? 0555 : 0511;

	return sealed_memfd("donjon-stage", MFD_EXEC, mode, stage_image_start,
			    (size_t)(stage_image_end - stage_image_start), err);
}

/* The caller's own mount is walked beneath, without links and mounts, and costs nothing; a private
 * one costs 0.2 ms to make, to fill and to end. */
static int open_proc(struct donjon_error *err)
{
	int fd = procfs_open_host(err);

	if (fd >= 0)
		return fd;
	dj_error_clear(err);
	return procfs_open(err);
}

static int outside_init(struct outside *o, const struct launch_request *request, struct donjon_error *err)
{
	int pair[2];

	*o = (struct outside){
		.request = request, .plan = request->plan, .proc = -1, .plan_fd = -1, .stage_proc = -1, .stage = -1,
		.wire = -1, .child_wire = -1, .root = -1, .userns = -1, .pidfd = -1,
		.console = -1, .status = -1,
	};
	for (size_t ns = 0; ns < OCI_NS_COUNT; ns++)
		o->namespaces[ns] = -1;
	for (size_t i = 0; i < SOURCES_OUTSIDE_FS_MAX; i++)
		o->outside_fs[i] = -1;
	o->proc = open_proc(err);
	if (o->proc < 0)
		return -1;
	o->plan_fd = sealed_memfd("donjon-plan", MFD_NOEXEC_SEAL, 0400, o->plan, o->plan->size, err);
	if (o->plan_fd < 0)
		return -1;
	o->stage = stage_memfd(o->plan, err);
	if (o->stage < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return dj_fail_os(err, errno, "make the launch socket");
	o->wire = pair[0];
	o->child_wire = pair[1];
	return 0;
}

static void outside_done(struct outside *o)
{
	for (size_t ns = 0; ns < OCI_NS_COUNT; ns++)
		dj_close(&o->namespaces[ns]);
	dj_close(&o->proc);
	dj_close(&o->stage_proc);
	dj_close(&o->plan_fd);
	dj_close(&o->stage);
	dj_close(&o->child_wire);
	dj_close(&o->root);
	for (size_t i = 0; i < SOURCES_OUTSIDE_FS_MAX; i++)
		dj_close(&o->outside_fs[i]);
	dj_close(&o->userns);
	dj_close(&o->status);
}

/* When we could not send, the stage has said why before it went. */
static void prefer_their_reason(struct outside *o, struct donjon_error *err)
{
	struct donjon_error theirs = { 0 };

	if (o->wire < 0 || (err->os != EPIPE && err->os != ECONNRESET))
		return;
	for (int i = 0; i < 4; i++) {
		if (wire_receive(o->wire, WIRE_FAILED, 0, NULL, NULL, &theirs) < 0 && theirs.step[0]) {
			*err = theirs;
			return;
		}
		dj_error_clear(&theirs);
	}
}

static void describe_death(const struct dj_plan *plan, pid_t pid, int pidfd, struct donjon_error *err)
{
	/* Its descriptors close before its exit is announced. */
	struct pollfd exit_fd = { .fd = pidfd, .events = POLLIN };
	siginfo_t info = { 0 };

	if (err->os != EPIPE && err->os != ECONNRESET)
		return;
	(void)poll(&exit_fd, 1, 1000);
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid &&
	    info.si_code != CLD_EXITED)
		(void)dj_note(err, "the container's %s was killed by signal %d%s",
			      plan->joins ? "new process" : "init", info.si_status,
			      info.si_status == SIGKILL ? " (memory limit too low?)" : "");
	if (!plan->joins && plan->ns[OCI_NS_PID].kind == PLAN_NS_JOIN && err->code == DONJON_E_SYSTEM)
		(void)dj_note(err, "linux.namespaces: in the joined pid namespace %s",
			      plan_text(plan, plan->ns[OCI_NS_PID].path));
}

static void kill_stage(pid_t pid, int *pidfd)
{
	if (pid <= 0)
		return;
	if (*pidfd >= 0)
		(void)sys_pidfd_send_signal(*pidfd, SIGKILL);
	else
		(void)kill(pid, SIGKILL); /* our unreaped child: the number is still its own */
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	dj_close(pidfd);
}

int launch_create(const struct launch_request *request, struct launch *out, struct donjon_error *err)
{
	struct outside o;

	if (outside_init(&o, request, err) < 0 ||
	    launch_walk_out(&o, 0, launch_mark(STEP_MARK_RELEASE), err) < 0) {
		if (o.pid > 0) {
			prefer_their_reason(&o, err);
			describe_death(o.plan, o.pid, o.pidfd, err);
		}
		kill_stage(o.pid, &o.pidfd);
		dj_close(&o.console);
		dj_close(&o.wire);
		outside_done(&o);
		return -1;
	}
	*out = (struct launch){
		.pid = o.pid, .pidfd = o.pidfd, .wire = o.wire, .console = o.console,
		.lent = dj_take_fd(&o.stage_proc), .ladder = o.ladder,
		.status = o.filters ? dj_take_fd(&o.status) : -1, .filters = o.filters,
	};
	outside_done(&o);
	return 0;
}

int launch_release(struct launch *launch, struct donjon_error *err)
{
	uint32_t row = launch_mark(STEP_MARK_RELEASE);
	int r = wire_send(launch->wire, WIRE_TELL, row, NULL, 0, err);

	if (r == 0)
		r = outside_await(launch->wire, launch->pid, launch->pidfd, err);
	if (r == 0)
		r = wire_receive(launch->wire, WIRE_TELL, row, NULL, NULL, err);
	dj_close(&launch->wire);
	return r;
}

static struct exec_page *make_page(int *fd, struct donjon_error *err)
{
	struct exec_page *page;

	*fd = sys_memfd_create("donjon-exec", MFD_CLOEXEC);
	if (*fd < 0) {
		(void)dj_fail_os(err, -*fd, "create the exec report page");
		return NULL;
	}
	if (ftruncate(*fd, sizeof(*page)) < 0) {
		(void)dj_fail_os(err, errno, "size the exec report page");
		dj_close(fd);
		return NULL;
	}
	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	if (page == MAP_FAILED) {
		(void)dj_fail_os(err, errno, "map the exec report page");
		dj_close(fd);
		return NULL;
	}
	return page;
}

/* After end-of-file on the wire.  Never by the pidfd: descriptors close before the exit is announced
 * (seen both ways). */
static int judge_exec(const struct exec_page *page, struct donjon_error *err)
{
	if (!page->in_execve)
		return dj_fail(err, DONJON_E_SYSTEM,
			       "the container's process died before its program was executed");
	if (page->os != 0) {
		/* runc's words, which callers match (M12). */
		(void)dj_fail_os(err, page->os, "exec %.*s", (int)sizeof(page->program) - 1, page->program);
		err->code = DONJON_E_EXEC;
		(void)snprintf(err->step, sizeof(err->step), "execute");
		return -1;
	}
	return 0;
}

/* The stage stores the number and cannot say so: any call may be one that the listener is for. */
static int wait_for_listener(int wire, const struct exec_page *page)
{
	struct pollfd end = { .fd = wire, .events = POLLIN };

	for (int waited = 0; !page->listener && waited < LISTENER_WAIT_MS; waited++)
		if (poll(&end, 1, 1) != 0)
			break; /* it failed, or died */
	return page->listener - 1;
}

static int pass_listener(const struct launch *launch, struct exec_page *page,
			 const struct launch_listener *listener, struct donjon_error *err)
{
	int theirs = wait_for_listener(launch->wire, page);
	dj_auto_close int ours = -1;

	if (theirs < 0)
		return 0; /* what went wrong is on the wire */
	ours = sys_pidfd_getfd(launch->pidfd, theirs);
	if (ours < 0)
		return dj_fail_os(err, -ours, "take the listener of the seccomp filter");
	if (listener->give(listener->data, ours, err) < 0)
		return -1;
	page->listener_taken = 1;
	return 0;
}

/* Nothing but a failure or end-of-file can come now. */
static int await_exec(const struct launch *launch, const struct exec_page *page,
		      const struct launch_listener *listener, struct donjon_error *err)
{
	struct pollfd end = { .fd = launch->wire, .events = POLLIN };
	struct donjon_error report = { 0 };

	/* An agent that never answers for the execve must not hold the caller for ever (decision 53). */
	if (listener->give && poll(&end, 1, AGENT_WAIT_MS) == 0)
		return dj_fail(err, DONJON_E_SYSTEM,
			       "linux.seccomp.listenerPath: the agent did not let the program start within %d s",
			       AGENT_WAIT_MS / 1000);
	if (outside_await(launch->wire, launch->pid, launch->pidfd, err) < 0)
		return -1;
	(void)wire_receive(launch->wire, WIRE_FAILED, 0, NULL, NULL, &report);
	if (!report.step[0])
		return judge_exec(page, err);
	*err = report;
	return -1;
}

/* A stage that waits for somebody to take its listener, or for the agent's answer, ends by force alone, and
 * so does a program that is not confined.  Any other is on its way out: who asks after it next is to find
 * it gone. */
static void end_process(int pidfd, bool by_force)
{
	struct pollfd end = { .fd = pidfd, .events = POLLIN };

	if (!by_force || sys_pidfd_send_signal(pidfd, SIGKILL) == 0)
		(void)poll(&end, 1, END_WAIT_MS);
}

static int start_over(const struct launch *launch, const struct launch_listener *listener,
		      struct donjon_error *err)
{
	dj_auto_close int page_fd = -1;
	struct exec_page *page = make_page(&page_fd, err);
	bool executed;
	int r;

	if (!page)
		return -1;
	r = wire_send(launch->wire, WIRE_TELL, launch_mark(STEP_MARK_START), &page_fd, 1, err);
	if (r == 0 && listener->give)
		r = pass_listener(launch, page, listener, err);
	if (r == 0)
		r = await_exec(launch, page, listener, err);
	executed = r == 0;
	if (executed)
		r = verify_program(launch, err);
	if (r < 0)
		end_process(launch->pidfd, executed || listener->give);
	(void)munmap(page, sizeof(*page));
	return r;
}

int launch_start(struct launch *launch, const struct launch_listener *listener, struct donjon_error *err)
{
	int r = start_over(launch, listener, err);

	dj_close(&launch->wire);
	dj_close(&launch->lent);
	dj_close(&launch->status);
	if (r < 0)
		kill_stage(launch->pid, &launch->pidfd);
	return r;
}

/* Opened while it waits, so that what is read later is this process or nobody, and also where hidepid
 * hides what it has become. */
static int open_status(pid_t pid, struct donjon_error *err)
{
	dj_auto_close int proc = open_proc(err);
	int fd = proc < 0 ? -1 : procfs_openat(proc, O_RDONLY, "%d/status", (int)pid);

	return proc < 0 || fd >= 0 ? fd : dj_fail_os(err, -fd, "open /proc/%d/status", (int)pid);
}

int launch_start_gate(int state_dir_fd, pid_t pid, int pidfd, uint32_t filters,
		      const struct launch_listener *listener, struct donjon_error *err)
{
	dj_auto_close int wire = fd_connect_unix(state_dir_fd, "gate", SOCK_SEQPACKET);
	dj_auto_close int status = -1;

	if (wire < 0)
		return dj_fail_os(err, -wire, "reach the waiting container");
	if (filters && (status = open_status(pid, err)) < 0)
		return -1;
	return start_over(&(struct launch){ .pid = pid, .pidfd = pidfd, .wire = wire, .status = status,
					    .filters = filters },
			  listener, err);
}

void launch_abort(struct launch *launch)
{
	if (launch->pidfd >= 0)
		kill_stage(launch->pid, &launch->pidfd);
}

void launch_done(struct launch *launch)
{
	dj_close(&launch->wire);
	dj_close(&launch->console);
	dj_close(&launch->lent);
	dj_close(&launch->status);
	dj_close(&launch->pidfd);
}

int hook_run(const struct dj_plan *plan, const struct plan_hook *hook, const char *state_json,
	     const char *cwd, struct donjon_error *err)
{
	dj_auto_close int program = hook_open(plan_text(plan, hook->path), err);

	if (program < 0)
		return -1;
	return hook_run_fd(plan, hook, program, state_json, cwd, err);
}

int hooks_runtime(struct outside *o, uint32_t row, struct donjon_error *err)
{
	(void)row;
	if (!o->request->namespaces_ready)
		return 0;
	return o->request->namespaces_ready(o->request->data, o->pid, err);
}

/* Programs of createContainer hooks are host paths: opened here, executed inside (H3). */
int send_hooks(struct outside *o, uint32_t row, struct donjon_error *err)
{
	const struct plan_hook *hooks = plan_items(o->plan, o->plan->hooks, struct plan_hook);
	int fds[FD_MESSAGE_MAX], r = 0;
	size_t n = 0;

	for (uint32_t i = 0; r == 0 && i < o->plan->hooks.n; i++) {
		if (hooks[i].kind != OCI_HOOK_CREATE_CONTAINER)
			continue;
		if (n == FD_MESSAGE_MAX) {
			r = dj_fail(err, DONJON_E_CONFIG, "hooks.createContainer: more than %d hooks",
				    FD_MESSAGE_MAX);
			break;
		}
		fds[n] = hook_open(plan_text(o->plan, hooks[i].path), err);
		r = fds[n] < 0 ? -1 : 0;
		n += r == 0;
	}
	if (r < 0)
		(void)dj_note(err, "hooks.createContainer");
	else
		r = wire_send(o->wire, WIRE_TELL, row, fds, n, err);
	while (n > 0)
		dj_close(&fds[--n]);
	return r;
}

/* It is passed on to the engine, so it is looked at once more where nobody can have had a hand in it. */
int receive_terminal(struct outside *o, uint32_t row, struct donjon_error *err)
{
	size_t n = 1;
	struct stat st;
	struct statfs fs;

	if (outside_receive(o, WIRE_TELL, row, &o->console, &n, err) < 0)
		return -1;
	if (n != 1)
		return dj_fail(err, DONJON_E_VERIFY, "launch protocol: no terminal came");
	if (fstat(o->console, &st) < 0 || fstatfs(o->console, &fs) < 0)
		return dj_fail_os(err, errno, "process.terminal: look at what came");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2) || fs.f_type != DEVPTS_SUPER_MAGIC)
		return dj_fail(err, DONJON_E_VERIFY, "process.terminal: what came is no terminal");
	return 0;
}

void launch_describe(const struct dj_plan *plan,
		     void (*row)(void *data, const char *side, const char *name, const char *what), void *data)
{
	static const char *const sides[] = {
		[STEP_OUT] = "outside",	   [STEP_CHILD] = "child",     [STEP_IN] = "inside",
		[STEP_TELL_IN] = "-> inside", [STEP_TELL_OUT] = "-> outside", [STEP_BOTH] = "both",
	};

	for (size_t i = 0; i < launch_steps_count; i++)
		if (!launch_steps[i].wanted || launch_steps[i].wanted(plan))
			row(data, sides[launch_steps[i].side], launch_steps[i].name, launch_steps[i].what);
}
