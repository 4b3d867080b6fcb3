/* Waiting for a stage that is slow, that somebody stops, and that is stopped for ever. */
#include "launch/outside.h"

#include "base/cleanup.h"
#include "base/proc.h"
#include "base/sys.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct stage {
	pid_t pid;
	int pidfd, wire;
};

static struct stage start(void (*body)(int wire))
{
	struct stage s;
	int pair[2];

	assert_return_code(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	s.pid = fork();
	if (s.pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)close(pair[0]);
		body(pair[1]);
		_exit(0);
	}
	assert_true(s.pid > 0);
	(void)close(pair[1]);
	s.wire = pair[0];
	s.pidfd = sys_pidfd_open(s.pid, 0);
	assert_true(s.pidfd >= 0);
	return s;
}

/* How it ended. */
static int end(struct stage *s)
{
	int status;

	assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
	dj_close(&s->wire);
	dj_close(&s->pidfd);
	return status;
}

static void say(int wire)
{
	(void)!write(wire, "x", 1);
}

static void take_time(int wire)
{
	const struct timespec while_nobody_looks = { .tv_nsec = 300 * 1000000L };

	(void)nanosleep(&while_nobody_looks, NULL);
	say(wire);
}

static void stop_some_times(int wire)
{
	for (int i = 0; i < 3; i++)
		(void)raise(SIGSTOP);
	say(wire);
}

static void stop_for_ever(int wire)
{
	(void)wire;
	for (;;)
		(void)raise(SIGSTOP);
}

static void die(int wire)
{
	(void)wire;
}

static void expect_heard(void (*body)(int wire))
{
	struct donjon_error err = { 0 };
	struct stage s = start(body);

	assert_return_code(outside_await(s.wire, s.pid, s.pidfd, &err), 0);
	assert_int_equal(end(&s), 0);
}

static void test_what_is_heard(void **state)
{
	(void)state;
	expect_heard(say);
	expect_heard(take_time);
	expect_heard(stop_some_times);
	expect_heard(die); /* the end of the wire */
}

static void test_the_bound(void **state)
{
	struct donjon_error err = { 0 };
	struct stage s = start(stop_for_ever);
	int status;

	(void)state;
	assert_int_equal(outside_await(s.wire, s.pid, s.pidfd, &err), -1);
	assert_int_equal(err.code, DONJON_E_SYSTEM);
	status = end(&s);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void test_who_is_stopped(void **state)
{
	struct stage s = start(stop_for_ever);
	int status;

	(void)state;
	assert_false(proc_is_stopped(getpid()));
	assert_int_equal(waitpid(s.pid, &status, WUNTRACED), s.pid);
	assert_true(proc_is_stopped(s.pid));
	assert_return_code(kill(s.pid, SIGKILL), 0);
	(void)end(&s);
	assert_false(proc_is_stopped(s.pid));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_heard),
		cmocka_unit_test(test_the_bound),
		cmocka_unit_test(test_who_is_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
