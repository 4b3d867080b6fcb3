/* donjon-stage: the process inside.  Reads its plan from the wire, walks the table, becomes the
 * container's program.  Links libc only, allocates nothing, holds no secret. */
#include "launch/inside.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

enum { GATE_BACKLOG = 16 };

static int map_plan(int fd, const struct dj_plan **out, struct donjon_error *err)
{
	const struct dj_plan *plan;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return dj_fail_os(err, errno, "stat the plan");
	if (st.st_size < (off_t)sizeof(*plan))
		return dj_fail(err, DONJON_E_VERIFY, "the plan is too short");
	plan = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (plan == MAP_FAILED)
		return dj_fail_os(err, errno, "map the plan");
	if (plan->magic != PLAN_MAGIC || plan->size != (uint64_t)st.st_size)
		return dj_fail(err, DONJON_E_VERIFY, "this is no plan");
	*out = plan;
	return 0;
}

/* Entering the container's mount namespace made its root ours. */
static int open_joined_root(struct inside *s, struct donjon_error *err)
{
	s->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return s->root < 0 ? dj_fail_os(err, errno, "open the container's root") : 0;
}

int receive_hand_over(struct inside *s, uint32_t row, struct donjon_error *err)
{
	int fds[4] = { -1, -1, -1, -1 };
	size_t n = 4, used = 1;

	if (wire_receive(s->wire, WIRE_TELL, row, fds, &n, err) < 0)
		return -1;
	if (n == 0)
		return dj_fail(err, DONJON_E_VERIFY, "no plan came");
	if (map_plan(fds[0], &s->plan, err) < 0)
		return -1;
	(void)close(fds[0]);
	if (used < n && s->plan->joins)
		s->self = fds[used++];
	else if (used < n && !s->plan->sources_by_stage)
		s->root = fds[used++];
	if (used < n && !s->plan->joins && s->plan->ns[OCI_NS_MOUNT].kind == PLAN_NS_JOIN)
		s->mount_ns = fds[used++];
	if (used < n)
		s->gate = fds[used++];
	/* Listened to a second time, the socket tells who waits there: us, and not who made it. */
	if (s->gate >= 0 && listen(s->gate, GATE_BACKLOG) < 0)
		return dj_fail_os(err, errno, "wait at the start socket");
	if (used != n)
		return dj_fail(err, DONJON_E_VERIFY, "unexpected descriptors came with the plan");
	return s->plan->joins ? open_joined_root(s, err) : 0;
}

static void die(int sig)
{
	_exit(128 + sig);
}

static int set_fatal_signals(void (*handler)(int), struct donjon_error *err)
{
	static const int fatal[] = { SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM };
	const struct sigaction action = { .sa_handler = handler };

	for (size_t i = 0; i < DJ_COUNT(fatal); i++)
		if (sigaction(fatal[i], &action, NULL) < 0)
			return dj_fail_os(err, errno, "handle signal %d", fatal[i]);
	return 0;
}

/* The kernel spares the init of a pid namespace every signal it has no handler for, and `kill` of a
 * created container must work. */
static int die_on_signals(struct donjon_error *err)
{
	return set_fatal_signals(die, err);
}

int restore_signals(struct donjon_error *err)
{
	return set_fatal_signals(SIG_DFL, err);
}

int await_release(struct inside *s, uint32_t row, struct donjon_error *err)
{
	/* Its own session, so that neither a hook nor the program can push input into the caller's
	 * terminal (CVE-2017-5226); EPERM: it already leads one. */
	if (setsid() < 0 && errno != EPERM)
		return dj_fail_os(err, errno, "start a session");
	if (die_on_signals(err) < 0)
		return -1;
	if (s->gate < 0)
		return 0;
	if (wire_receive(s->wire, WIRE_TELL, row, NULL, NULL, err) < 0)
		return -1;
	/* From here on the container outlives whoever made it; told, or its exit would kill us. */
	if (prctl(PR_SET_PDEATHSIG, 0) < 0)
		return dj_fail_os(err, errno, "clear the parent-death signal");
	if (wire_send(s->wire, WIRE_TELL, row, NULL, 0, err) < 0)
		return -1;
	dj_close(&s->wire);
	return 0;
}

static int map_page(int fd, struct exec_page **out, struct donjon_error *err)
{
	struct exec_page *page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (page == MAP_FAILED)
		return dj_fail_os(err, errno, "map the exec report page");
	*out = page;
	return 0;
}

/* With a gate, `start` connects to it; a connection that says anything else is dropped and the next
 * one is awaited, so that a caller that died half-way does not take the container with it. */
static int accept_start(struct inside *s, uint32_t row, int *page_fd, struct donjon_error *err)
{
	const struct timeval patience = { .tv_sec = 5 };

	for (;;) {
		size_t n = 1;

		s->wire = accept4(s->gate, NULL, NULL, SOCK_CLOEXEC);
		if (s->wire < 0 && errno == EINTR)
			continue;
		if (s->wire < 0)
			return dj_fail_os(err, errno, "accept start");
		if (setsockopt(s->wire, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
			return dj_fail_os(err, errno, "limit the wait for start's message");
		if (wire_receive(s->wire, WIRE_TELL, row, page_fd, &n, err) == 0 && n == 1)
			return 0;
		dj_error_clear(err);
		dj_close(&s->wire);
	}
}

int await_start(struct inside *s, uint32_t row, struct donjon_error *err)
{
	dj_auto_close int page_fd = -1;
	size_t n = 1;

	if (s->gate >= 0) {
		if (accept_start(s, row, &page_fd, err) < 0)
			return -1;
		dj_close(&s->gate);
	} else {
		if (wire_receive(s->wire, WIRE_TELL, row, &page_fd, &n, err) < 0)
			return -1;
		if (n != 1)
			return dj_fail(err, DONJON_E_VERIFY, "no exec report page came");
	}
	return map_page(page_fd, &s->page, err);
}

/* What a script gets that names /proc/self/exe as its interpreter: that is us until its execve is done. */
static int refuse_to_run(void)
{
	static const char why[] = "donjon-stage: started by donjon alone (is /proc/self/exe an interpreter?)\n";

	(void)!write(2, why, sizeof(why) - 1);
	return 1;
}

int main(int argc, char **argv)
{
	struct donjon_error err = { 0 };
	struct inside s = {
		.wire = argc == 2 ? atoi(argv[1]) : -1,
		.gate = -1,
		.proc = -1,
		.self = -1,
		.root = -1,
		.mount_ns = -1,
		.empty_dir = -1,
		.null = -1,
	};

	if (s.wire < 3 || fcntl(s.wire, F_SETFD, FD_CLOEXEC) < 0)
		return refuse_to_run();
	/* Rootless the memfd's owner is a user of the container, to whom its mode hides nothing. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return 1;
	/* Signals first: with SIGCHLD ignored no hook's status could be waited for. */
	if (reset_signals(&err) < 0 ||
	    launch_walk_in(&s, launch_mark(STEP_MARK_HAND_OVER), (uint32_t)launch_steps_count, &err) < 0)
		wire_send_failure(s.wire, &err);
	return 1;
}
