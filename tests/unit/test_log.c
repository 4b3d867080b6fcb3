#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "wrap/json.h"

#include "scratch.h"

#include <errno.h>
#include <string.h>

/* What `emit` writes to stderr. */
static const char *stderr_of(void (*emit)(void), char *buf, size_t size)
{
	int saved = dup(STDERR_FILENO), pipe_fds[2];
	ssize_t n;

	assert_int_equal(pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC), 0);
	(void)dup2(pipe_fds[1], STDERR_FILENO);
	emit();
	(void)dup2(saved, STDERR_FILENO);
	n = read(pipe_fds[0], buf, size - 1);
	buf[n > 0 ? n : 0] = '\0';
	(void)close(saved);
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
	return buf;
}

static struct donjon_error the_error;

static void emit_error(void)
{
	donjon_log_error(&the_error);
}

static void emit_messages(void)
{
	log_debug("debug %d", 1);
	log_warning("warning %d", 2);
}

static void open_log(const struct scratch *s, const char *name, enum donjon_log_format format,
                     bool debug)
{
	struct donjon_error err = { 0 };
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", s->path, name ? name : "");
	if (donjon_log_open(&(struct donjon_log_options){ .file = name ? path : NULL,
	                                                  .format = format,
	                                                  .debug = debug },
	                    &err) < 0)
		fail_msg("%s", err.text);
}

static int teardown(void **state)
{
	struct donjon_error err = { 0 };

	(void)donjon_log_open(&(struct donjon_log_options){ 0 }, &err);
	return scratch_teardown(state);
}

/* B33, T78. */
static const struct {
	const char *text, *line;
} lines[] = {
	{ "plain", "plain" },
	{ "", "" },
	{ "100%s %n", "100%s %n" },
	{ "two\nlines\ttab", "two\\nlines\\ttab" },
	{ "\x1b[31mred\r\x07", "\\x1b[31mred\\x0d\\x07" },
	{ "del\x7f", "del\\x7f" },
	{ "caf\xc3\xa9", "caf\xc3\xa9" },
	{ "bad\xff\xc3", "bad\\xff\\xc3" },
	{ "overlong\xc0\xaf", "overlong\\xc0\\xaf" },
	{ "c1\xc2\x9b", "c1\\x9b" },
	{ "bidi\xe2\x80\xae\xe2\x81\xa6", "bidi\\u202e\\u2066" },
	{ "separator\xe2\x80\xa8", "separator\\u2028" },
	{ "quote\"back\\", "quote\"back\\" },
};

static void writes_one_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < DJ_COUNT(lines); i++) {
		char got[256], want[256];

		the_error = (struct donjon_error){ 0 };
		(void)dj_fail(&the_error, DONJON_E_CONFIG, "%s", lines[i].text);
		(void)snprintf(want, sizeof(want), "donjon: %s\n", lines[i].line);
		assert_string_equal(stderr_of(emit_error, got, sizeof(got)), want);
	}
}

static void writes_json_records(void **state)
{
	const struct scratch *s = *state;

	for (size_t i = 0; i < DJ_COUNT(lines); i++) {
		struct donjon_error err = { 0 };
		struct json_value *doc;
		char record[1024], ignored[256];

		open_log(s, "log.json", DONJON_LOG_JSON, false);
		the_error = (struct donjon_error){ 0 };
		(void)dj_fail_os(&the_error, ENOENT, "%s", lines[i].text);
		(void)strcpy(the_error.step, "pivot\"\n");
		(void)stderr_of(emit_error, ignored, sizeof(ignored));
		(void)scratch_read(s, "log.json", record, sizeof(record));
		assert_int_equal(record[strlen(record) - 1], '\n');
		assert_ptr_equal(strchr(record, '\n'), record + strlen(record) - 1);
		doc = json_parse(record, strlen(record), sizeof(record), &err);
		if (!doc)
			fail_msg("%s: %s", record, err.text);
		assert_memory_equal(json_text(json_get(doc, "msg")), lines[i].line,
		                    strlen(lines[i].line));
		assert_string_equal(json_text(json_get(doc, "level")), "error");
		assert_string_equal(json_text(json_get(doc, "code")), "system");
		assert_string_equal(json_text(json_get(doc, "step")), "pivot\"\\n");
		assert_int_equal(json_kind(json_get(doc, "errno")), JSON_KIND_INT);
		json_free(doc);
		(void)unlinkat(s->fd, "log.json", 0);
	}
}

/* 2006-01-02T15:04:05Z, as a strict RFC 3339 parser wants it (O2). */
static void assert_rfc3339(const char *time)
{
	static const char form[] = "0000-00-00T00:00:00Z";

	assert_int_equal(strlen(time), sizeof(form) - 1);
	for (size_t i = 0; form[i]; i++) {
		if (form[i] == '0')
			assert_in_range(time[i], '0', '9');
		else
			assert_int_equal(time[i], form[i]);
	}
}

static void appends_one_record_per_error(void **state)
{
	const struct scratch *s = *state;
	struct donjon_error err = { 0 };
	char text[1024], ignored[256];
	struct json_value *doc;
	struct stat st;
	mode_t umask_before = umask(022);

	open_log(s, "log", DONJON_LOG_JSON, false);
	(void)umask(umask_before);
	assert_int_equal(fstatat(s->fd, "log", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(st.st_size, 0); /* nothing but failures is recorded (O4) */
	the_error = (struct donjon_error){ 0 };
	(void)dj_fail(&the_error, DONJON_E_REFUSED, "no");
	assert_string_equal(stderr_of(emit_messages, ignored, sizeof(ignored)), "");
	assert_string_equal(stderr_of(emit_error, ignored, sizeof(ignored)), "donjon: no\n");
	(void)scratch_read(s, "log", text, sizeof(text));
	doc = json_parse(text, strlen(text), sizeof(text), &err);
	assert_int_equal(json_size(doc), 4); /* msg, level, time, code */
	assert_rfc3339(json_text(json_get(doc, "time")));
	json_free(doc);

	open_log(s, "log", DONJON_LOG_JSON, false);
	(void)stderr_of(emit_error, ignored, sizeof(ignored));
	(void)scratch_read(s, "log", text, sizeof(text));
	assert_non_null(strstr(text, "}\n{"));
}

static void debug_adds_lines(void **state)
{
	const struct scratch *s = *state;
	char text[1024], err[256];

	open_log(s, NULL, DONJON_LOG_TEXT, true);
	assert_string_equal(stderr_of(emit_messages, err, sizeof(err)),
	                    "donjon: debug: debug 1\ndonjon: warning: warning 2\n");
	open_log(s, "log", DONJON_LOG_JSON, true);
	assert_string_equal(stderr_of(emit_messages, err, sizeof(err)), "");
	(void)scratch_read(s, "log", text, sizeof(text));
	assert_non_null(strstr(text, "\"msg\":\"debug 1\",\"level\":\"debug\""));
	assert_non_null(strstr(text, "\"msg\":\"warning 2\",\"level\":\"warning\""));
}

static void writes_text(void **state)
{
	const struct scratch *s = *state;
	char text[1024], ignored[256];

	open_log(s, "log", DONJON_LOG_TEXT, false);
	the_error = (struct donjon_error){ 0 };
	(void)dj_fail(&the_error, DONJON_E_CONFIG, "a\nb");
	(void)stderr_of(emit_error, ignored, sizeof(ignored));
	(void)scratch_read(s, "log", text, sizeof(text));
	assert_string_equal(text + strlen("2006-01-02T15:04:05Z"), " error: a\\nb\n");
}

/* What conmon reads at once (O1) bounds the line, whatever the text is made of. */
static void bounds_the_line(void **state)
{
	char err[16384];

	(void)state;
	the_error = (struct donjon_error){ .code = DONJON_E_CONFIG };
	memset(the_error.text, 0xff, sizeof(the_error.text) - 1);
	(void)stderr_of(emit_error, err, sizeof(err));
	assert_in_range(strlen(err), 4000, 8191);
	assert_int_equal(err[strlen(err) - 1], '\n');
	assert_string_equal(err + strlen(err) - 5, "\\xff\n"); /* cut between characters */
}

/* T47 */
static void refuses_what_is_no_log_file(void **state)
{
	static const struct {
		const char *name;
		int os;
	} rows[] = {
		{ "link", ELOOP },  { "dangling", ELOOP }, { "fifo", ENXIO },
		{ "fifo-read", 0 }, { "dir", EISDIR },     { "none/log", ENOENT },
	};
	const struct scratch *s = *state;
	dj_auto_close int reader = -1;
	char buf[16];

	scratch_write(s, "canary", "canary");
	assert_int_equal(symlinkat("canary", s->fd, "link"), 0);
	assert_int_equal(symlinkat("made", s->fd, "dangling"), 0);
	assert_int_equal(mkfifoat(s->fd, "fifo", 0600), 0);
	assert_int_equal(mkfifoat(s->fd, "fifo-read", 0600), 0);
	assert_int_equal(mkdirat(s->fd, "dir", 0700), 0);
	reader = openat(s->fd, "fifo-read", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		struct donjon_error err = { 0 };
		char path[128];

		(void)snprintf(path, sizeof(path), "%s/%s", s->path, rows[i].name);
		assert_int_equal(
		        donjon_log_open(&(struct donjon_log_options){ .file = path }, &err), -1);
		assert_int_equal(err.os, rows[i].os);
	}
	assert_string_equal(scratch_read(s, "canary", buf, sizeof(buf)), "canary");
	assert_int_equal(faccessat(s->fd, "made", F_OK, 0), -1);
}

static void keeps_what_is_in_the_file(void **state)
{
	const struct scratch *s = *state;
	char buf[16];

	scratch_write(s, "log", "before\n");
	open_log(s, "log", DONJON_LOG_JSON, false);
	assert_string_equal(scratch_read(s, "log", buf, sizeof(buf)), "before\n");
}

#define SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_one_line),
		cmocka_unit_test(bounds_the_line),
		SCRATCH(writes_json_records),
		SCRATCH(appends_one_record_per_error),
		SCRATCH(debug_adds_lines),
		SCRATCH(writes_text),
		SCRATCH(refuses_what_is_no_log_file),
		SCRATCH(keeps_what_is_in_the_file),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
