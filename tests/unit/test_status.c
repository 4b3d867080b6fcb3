#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/proc.h"
#include "engine/container.h"
#include "engine/state.h"

#include "scratch.h"

#include <string.h>
#include <sys/wait.h>

static char *text(const char *s)
{
	return (char *)(uintptr_t)s;
}

/* A container whose first process is this one. */
static struct store_record live(const struct observer *observer)
{
	return (struct store_record){
		.id = text("box"),
		.bundle = text("/b"),
		.rootfs = text("/b/rootfs"),
		.oci_version = text("1.0.2"),
		.created = text("2026-01-02T03:04:05.000000006Z"),
		.boot_id = text(observer->boot_id),
		.pid = getpid(),
		.start_time = proc_start_time(getpid()),
		.cgroup_path = text(""),
		.cgroup_manager = text("cgroupfs"),
		.selinux_label = text(""),
		.listener_path = text(""),
		.listener_metadata = text(""),
		.rdt_group = text(""),
	};
}

static void tells_the_status(void **state)
{
	static const struct {
		const char *what;
		bool no_pid, creating, gate, other_boot, other_start;
		enum store_status want;
	} rows[] = {
		{ "running", .want = STORE_RUNNING },
		{ "waits at its gate", .gate = true, .want = STORE_CREATED },
		{ "no process yet", .no_pid = true, .creating = true, .want = STORE_CREATING },
		{ "hooks run", .creating = true, .want = STORE_CREATING },
		{ "hooks run, gate made", .creating = true, .gate = true, .want = STORE_CREATING },
		{ "another boot", .other_boot = true, .want = STORE_STOPPED },
		{ "another boot, creating", .no_pid = true, .creating = true, .other_boot = true,
		  .want = STORE_STOPPED },
		{ "pid reused", .other_start = true, .want = STORE_STOPPED },
		{ "pid reused, gate left", .other_start = true, .gate = true,
		  .want = STORE_STOPPED },
		{ "creator and stage died", .creating = true, .other_start = true,
		  .want = STORE_STOPPED },
	};
	const struct scratch *s = *state;
	struct donjon_error err = { 0 };
	struct observer observer = { 0 };

	assert_int_equal(observer_init(&observer, &err), 0);
	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		struct store_record record = live(&observer);

		record.creating = rows[i].creating;
		if (rows[i].no_pid)
			record.pid = 0;
		if (rows[i].other_start)
			record.start_time++;
		if (rows[i].other_boot)
			record.boot_id = text("00000000-0000-0000-0000-000000000000");
		(void)unlinkat(s->fd, "gate", 0);
		if (rows[i].gate)
			scratch_write(s, "gate", "");
		if (record_status(&record, s->fd, &observer, &err) != (int)rows[i].want)
			fail_msg("%s: not %s", rows[i].what, store_status_name(rows[i].want));
	}
}

/* B19: neither a zombie nor nothing at all is alive. */
static void a_dead_process_is_stopped(void **state)
{
	const struct scratch *s = *state;
	struct donjon_error err = { 0 };
	struct observer observer = { 0 };
	struct store_record record;
	siginfo_t info;
	pid_t pid = fork();

	if (pid == 0)
		pause();
	assert_true(pid > 0);
	assert_int_equal(observer_init(&observer, &err), 0);
	record = live(&observer);
	record.pid = pid;
	record.start_time = proc_start_time(pid);
	assert_int_equal(record_status(&record, s->fd, &observer, &err), STORE_RUNNING);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(record_status(&record, s->fd, &observer, &err), STORE_STOPPED);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(record_status(&record, s->fd, &observer, &err), STORE_STOPPED);
}

static void prints_the_state(void **state)
{
	static const struct {
		enum store_status status;
		const char *want;
	} rows[] = {
		{ STORE_CREATING, "\"status\":\"creating\",\"pid\":77," },
		{ STORE_CREATED, "\"status\":\"created\",\"pid\":77," },
		{ STORE_RUNNING, "\"status\":\"running\",\"pid\":77," },
		{ STORE_PAUSED, "\"status\":\"paused\",\"pid\":77," },
		{ STORE_STOPPED, "\"status\":\"stopped\",\"pid\":0," },
	};
	struct observer observer = { .boot_id = "boot" };
	struct store_record record = live(&observer);

	(void)state;
	record.pid = 77;
	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		dj_auto_free char *json = state_text(&record, rows[i].status);

		assert_non_null(strstr(json, rows[i].want));
		assert_non_null(strstr(json, "\"ociVersion\":\"1.0.2\",\"id\":\"box\","));
		assert_non_null(strstr(json, "\"bundle\":\"/b\""));
		assert_non_null(strstr(json, "\"annotations\":{}"));
		assert_null(strchr(json, '\n'));
	}
}

static void names_the_owner(void **state)
{
	char buf[64];

	(void)state;
	assert_string_equal(state_owner(0, buf), "root");
	assert_string_equal(state_owner(4294967294u, buf), "4294967294");
}

int main(void)
{
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		IN_SCRATCH(tells_the_status),
		IN_SCRATCH(a_dead_process_is_stopped),
		cmocka_unit_test(prints_the_state),
		cmocka_unit_test(names_the_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
