#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/proc.h"
#include "base/procfs.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void knows_signals(void **state)
{
	const struct {
		const char *text;
		int want;
	} rows[] = {
		{ "9", 9 },
		{ "1", 1 },
		{ "64", 64 },
		{ "09", 9 },
		{ "KILL", SIGKILL },
		{ "SIGKILL", SIGKILL },
		{ "kill", SIGKILL },
		{ "sigKill", SIGKILL },
		{ "term", SIGTERM },
		{ "CHLD", SIGCHLD },
		{ "CLD", SIGCHLD },
		{ "IOT", SIGABRT },
		{ "POLL", SIGIO },
		{ "SYS", SIGSYS },
		{ "WINCH", SIGWINCH },
		{ "RTMIN", SIGRTMIN },
		{ "SIGRTMIN", SIGRTMIN },
		{ "sigrtmin+3", SIGRTMIN + 3 },
		{ "RTMIN+0", SIGRTMIN },
		{ "RTMAX", SIGRTMAX },
		{ "SIGRTMAX-14", SIGRTMAX - 14 },
		{ "RTMIN+30", SIGRTMIN + 30 },
		{ "", -1 },
		{ "0", 0 },
		{ "00", 0 },
		{ "65", -1 },
		{ "-9", -1 },
		{ "+9", -1 },
		{ " 9", -1 },
		{ "9 ", -1 },
		{ "9x", -1 },
		{ "0x9", -1 },
		{ "4294967305", -1 },
		{ "99999999999999999999", -1 },
		{ "SIG", -1 },
		{ "SIG9", -1 },
		{ "SIGSIGKILL", -1 },
		{ "KILLED", -1 },
		{ "KIL", -1 },
		{ "NOPE", -1 },
		{ "RTMIN+", -1 },
		{ "RTMIN-1", -1 },
		{ "RTMIN+31", -1 },
		{ "RTMIN+64", -1 },
		{ "RTMIN+x", -1 },
		{ "RTMINx", -1 },
		{ "RTMAX+1", -1 },
		{ "RTMAX-31", -1 },
		{ "RTM", -1 },
		{ "KILL\n", -1 },
	};

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(rows); i++)
		if (proc_signal_number(rows[i].text) != rows[i].want)
			fail_msg("%s: %d", rows[i].text, proc_signal_number(rows[i].text));
}

/* Every name of the kernel's own list, as libc knows it. */
static void knows_every_standard_signal(void **state)
{
	(void)state;
	for (int i = 1; i < 32; i++) {
		const char *name = sigabbrev_np(i);

		if (name)
			assert_int_equal(proc_signal_number(name), i);
	}
}

static pid_t spawn(const char *name)
{
	int ready[2];
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_NAME, name);
		if (write(ready[1], "x", 1) == 1)
			(void)pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &(char){ 0 }, 1), 1);
	(void)close(ready[0]);
	(void)close(ready[1]);
	return pid;
}

static void identifies_processes(void **state)
{
	/* Names that would confuse a careless reader of /proc/PID/stat. */
	static const char *const names[] = { "plain", ") Z 1 (", "a b) R 0 0", "()", "\n) S" };
	struct donjon_error err = { 0 };
	dj_auto_close int proc = procfs_open_host(&err);

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(names); i++) {
		pid_t pid = spawn(names[i]);
		uint64_t start = proc_start_time(pid);
		siginfo_t info;

		assert_true(start > 0);
		assert_true(start >= proc_start_time(getpid()));
		assert_true(proc_runs_since(proc, pid, start));
		assert_false(proc_runs_since(proc, pid, start + 1));
		(void)kill(pid, SIGKILL);
		(void)waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
		assert_true(proc_start_time(pid) == start); /* a zombie still has one */
		assert_false(proc_runs_since(proc, pid, start));
		(void)waitpid(pid, NULL, 0);
		assert_int_equal(proc_start_time(pid), 0);
		assert_false(proc_runs_since(proc, pid, start));
	}
}

static void refuses_pids_that_are_none(void **state)
{
	(void)state;
	assert_int_equal(proc_start_time(0), 0);
	assert_int_equal(proc_start_time(-1), 0);
}

static void reads_the_boot_id(void **state)
{
	struct donjon_error err = { 0 };
	dj_auto_close int proc = procfs_open_host(&err);
	char id[37], again[37];

	(void)state;
	assert_int_equal(proc_boot_id(proc, id, &err), 0);
	assert_int_equal(strlen(id), 36);
	for (size_t i = 0; i < 36; i++)
		assert_true(isxdigit((unsigned char)id[i]) || id[i] == '-');
	assert_int_equal(proc_boot_id(proc, again, &err), 0);
	assert_string_equal(id, again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_signals),
		cmocka_unit_test(knows_every_standard_signal),
		cmocka_unit_test(identifies_processes),
		cmocka_unit_test(refuses_pids_that_are_none),
		cmocka_unit_test(reads_the_boot_id),
	};

	return cmocka_run_group_tests_name("proc", tests, NULL, NULL);
}
