#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void fails_with_a_code(void **state)
{
	struct donjon_error err = { 0 };

	(void)state;
	assert_int_equal(dj_fail(&err, DONJON_E_CONFIG, "%s is %d", "x", 1), -1);
	assert_int_equal(err.code, DONJON_E_CONFIG);
	assert_int_equal(err.os, 0);
	assert_string_equal(err.text, "x is 1");
}

static void appends_the_reason(void **state)
{
	static const struct {
		int os;
		const char *want;
	} rows[] = {
		{ ENOENT, "open x: no such file or directory" }, /* contract E7 */
		{ EACCES, "open x: permission denied" },
		{ EPERM, "open x: operation not permitted" },
		{ EIO, "open x: input/output error" },
		{ ENOTDIR, "open x: not a directory" },
		{ EXDEV, "open x: invalid cross-device link" },
		{ 99999, "open x: unknown error 99999" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct donjon_error err = { 0 };

		assert_int_equal(dj_fail_os(&err, rows[i].os, "open %s", "x"), -1);
		assert_int_equal(err.code, DONJON_E_SYSTEM);
		assert_int_equal(err.os, rows[i].os);
		assert_string_equal(err.text, rows[i].want);
	}
}

static void notes_go_in_front(void **state)
{
	struct donjon_error err = { 0 };

	(void)state;
	(void)dj_fail(&err, DONJON_E_VERIFY, "inner");
	assert_int_equal(dj_note(&err, "%s", "middle"), -1);
	assert_int_equal(dj_note(&err, "outer"), -1);
	assert_string_equal(err.text, "outer: middle: inner");
	assert_int_equal(err.code, DONJON_E_VERIFY);
}

static void never_overflows(void **state)
{
	char big[2 * DONJON_ERROR_TEXT_MAX];
	struct donjon_error err = { 0 };

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	(void)dj_fail_os(&err, ENOENT, "%s", big);
	assert_int_equal(strlen(err.text), DONJON_ERROR_TEXT_MAX - 1);
	for (int i = 0; i < 5; i++)
		(void)dj_note(&err, "%s", big);
	assert_int_equal(strlen(err.text), DONJON_ERROR_TEXT_MAX - 1);
	assert_non_null(strstr(err.text, "xx: xx"));
}

static void a_second_failure_is_a_bug(void **state)
{
	int status = 0;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct donjon_error err = { 0 };

		(void)close(STDERR_FILENO);
		(void)signal(SIGABRT, SIG_DFL);
		(void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
		(void)dj_fail(&err, DONJON_E_CONFIG, "first");
		(void)dj_fail(&err, DONJON_E_CONFIG, "second");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void clears(void **state)
{
	struct donjon_error err = { 0 };

	(void)state;
	(void)dj_fail(&err, DONJON_E_CONFIG, "first");
	dj_error_clear(&err);
	assert_int_equal(err.code, DONJON_OK);
	assert_int_equal(dj_fail(&err, DONJON_E_CONFIG, "second"), -1);
}

static void every_code_has_a_name(void **state)
{
	(void)state;
	for (int code = 0; code < DONJON_E_CODE_COUNT; code++)
		assert_non_null(donjon_code_name((enum donjon_code)code));
	assert_string_equal(donjon_code_name(DONJON_E_REFUSED), "refused");
	assert_string_equal(donjon_code_name(DONJON_E_CODE_COUNT), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fails_with_a_code),         cmocka_unit_test(appends_the_reason),
		cmocka_unit_test(notes_go_in_front),         cmocka_unit_test(never_overflows),
		cmocka_unit_test(a_second_failure_is_a_bug), cmocka_unit_test(clears),
		cmocka_unit_test(every_code_has_a_name),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
