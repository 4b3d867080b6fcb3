#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/commands.h"

#include <stdlib.h>
#include <string.h>

enum { ARGS_MAX = 12 };

struct line {
	const char *args[ARGS_MAX]; /* the command's name first */
	const char *error;          /* NULL: parses */
	const char *positional[4];
	/* What the option of this name became, as text; NULL: not looked at. */
	const char *name, *value;
};

static const struct cli_option *row_of(const struct cli_option *rows, const char *name)
{
	for (; rows->name; rows++)
		if (strcmp(rows->name, name) == 0)
			return rows;
	fail_msg("no option --%s", name);
	return NULL;
}

static void to_text(const struct cli_option *row, const struct cli_options *options, char *buf,
                    size_t size)
{
	const void *at = (const char *)options + row->offset;
	const struct cli_number *number = at;
	const struct cli_list *list = at;

	buf[0] = '\0';
	switch (row->kind) {
	case CLI_BOOL:
		(void)snprintf(buf, size, "%s", *(const bool *)at ? "true" : "false");
		return;
	case CLI_STRING:
	case CLI_TEXT:
	case CLI_CHOICE:
		(void)snprintf(buf, size, "%s",
		               *(const char *const *)at ? *(const char *const *)at : "");
		return;
	case CLI_NUMBER:
	case CLI_BYTES:
	case CLI_DURATION:
		(void)snprintf(buf, size, "%lld", (long long)*(const int64_t *)at);
		return;
	case CLI_LIMIT:
	case CLI_BYTE_LIMIT:
		(void)snprintf(buf, size, number->set ? "%lld" : "not set", (long long)number->v);
		return;
	case CLI_LIST:
		for (size_t i = 0; i < list->n; i++) {
			size_t used = strlen(buf);

			(void)snprintf(buf + used, size - used, "%s%s", i ? " " : "", list->v[i]);
		}
	}
}

static void check(const struct line *line, const struct cli_option *rows, bool stop_at_first)
{
	struct cli_options options = { 0 };
	struct donjon_error err = { 0 };
	char *argv[ARGS_MAX + 1] = { NULL }, got[256];
	int argc = 0, n;

	for (; argc < ARGS_MAX && line->args[argc]; argc++)
		argv[argc] = (char *)(uintptr_t)line->args[argc];
	n = cli_parse(rows, argc, argv, stop_at_first, &options, &err);
	if (line->error) {
		if (n != -1)
			fail_msg("no error, but: %s", line->error);
		assert_int_equal(err.code, DONJON_E_USAGE);
		assert_string_equal(err.text, line->error);
		cli_done(&options);
		return;
	}
	if (n < 0)
		fail_msg("%s", err.text);
	for (int i = 0; i < n; i++)
		assert_string_equal(argv[i], line->positional[i]);
	assert_null(line->positional[n]);
	if (line->name) {
		to_text(row_of(rows, line->name), &options, got, sizeof(got));
		assert_string_equal(got, line->value);
	}
	cli_done(&options);
}

/* R1-R4, F rows, as callers send them. */
static void parses_create(void **state)
{
	static const struct line lines[] = {
		{ { "create", "id" }, NULL, { "id" }, "bundle", "" },
		{ { "create", "--bundle", "/b", "id" }, NULL, { "id" }, "bundle", "/b" },
		{ { "create", "--bundle=/b", "id" }, NULL, { "id" }, "bundle", "/b" },
		{ { "create", "-b", "/b", "id" }, NULL, { "id" }, "bundle", "/b" },
		{ { "create", "-b/b", "id" }, NULL, { "id" }, "bundle", "/b" },
		{ { "create", "-bundle", "/b", "id" }, NULL, { "id" }, "bundle", "/b" },
		{ { "create", "-bundle=/b", "id" }, NULL, { "id" }, "bundle", "/b" },
		{ { "create", "id", "--bundle", "/b" }, NULL, { "id" }, "bundle", "/b" },
		{ { "create", "--bundle", "/a", "id", "--bundle", "/b" },
		  NULL,
		  { "id" },
		  "bundle",
		  "/b" },
		{ { "create", "--bundle", "", "id" }, NULL, { "id" }, "bundle", "" },
		{ { "create", "-b/b", "-b=", "id" }, NULL, { "id" }, "bundle", "" },
		{ { "create", "--seccomp=", "id" }, "option --seccomp: the value is empty" },
		{ { "create", "--bundle", "--pid-file", "id" },
		  NULL,
		  { "id" },
		  "bundle",
		  "--pid-file" },
		{ { "create", "--no-pivot", "id" }, NULL, { "id" }, "no-pivot", "true" },
		{ { "create", "--no-pivot=true", "id" }, NULL, { "id" }, "no-pivot", "true" },
		{ { "create", "--no-pivot=false", "id" }, NULL, { "id" }, "no-pivot", "false" },
		{ { "create", "--no-pivot", "--no-pivot=false", "id" },
		  NULL,
		  { "id" },
		  "no-pivot",
		  "false" },
		{ { "create", "-no-subreaper", "id" }, NULL, { "id" }, "no-subreaper", "true" },
		{ { "create", "--preserve-fds", "3", "id" }, NULL, { "id" }, "preserve-fds", "3" },
		{ { "create", "--format", "json", "id" }, NULL, { "id" }, "format", "json" },
		{ { "create", "--override", "a=b:c", "id", "--override=d=e:f" },
		  NULL,
		  { "id" },
		  "override",
		  "a=b:c d=e:f" },
		{ { "create", "--", "-x" }, NULL, { "-x" } },
		{ { "create", "--", "id", "--bundle" }, NULL, { "id", "--bundle" } },
		{ { "create", "a", "b" }, NULL, { "a", "b" } },
		{ { "create" }, NULL, { NULL } },
		{ { "create", "-" }, NULL, { "-" } },
		{ { "create", "--nonsense", "id" }, "unknown option: --nonsense" },
		{ { "create", "-x", "id" }, "unknown option: -x" },
		{ { "create", "--detach", "id" }, "unknown option: --detach" },
		{ { "create", "--bund", "/b", "id" }, "unknown option: --bund" },
		{ { "create", "--no-p", "id" }, "unknown option: --no-p" },
		{ { "create", "--no", "id" }, "unknown option: --no" },
		{ { "create", "id", "--bundle" }, "option requires an argument: --bundle" },
		{ { "create", "id", "-b" }, "option requires an argument: -b" },
		{ { "create", "--no-pivot=maybe" },
		  "option --no-pivot: \"maybe\" is neither true nor false" },
		{ { "create", "--preserve-fds", "x" },
		  "option --preserve-fds: \"x\" is not a number" },
		{ { "create", "--preserve-fds", "" },
		  "option --preserve-fds: \"\" is not a number" },
		{ { "create", "--preserve-fds", "-1" },
		  "option --preserve-fds: \"-1\" is not a number" },
		{ { "create", "--preserve-fds", "+1" },
		  "option --preserve-fds: \"+1\" is not a number" },
		{ { "create", "--preserve-fds", " 1" },
		  "option --preserve-fds: \" 1\" is not a number" },
		{ { "create", "--preserve-fds", "1x" },
		  "option --preserve-fds: \"1x\" is not a number" },
		{ { "create", "--preserve-fds", "9223372036854775808" },
		  "option --preserve-fds: \"9223372036854775808\" is not a number" },
		{ { "create", "--format", "yaml" },
		  "option --format: \"yaml\" is not one of text|json" },
		{ { "create", "--format", "js" },
		  "option --format: \"js\" is not one of text|json" },
		{ { "create", "--format", "" }, "option --format: \"\" is not one of text|json" },
		{ { "create", "--format", "text|json" },
		  "option --format: \"text|json\" is not one of text|json" },
	};
	const struct cli_command *command = cli_command_find("create");

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		check(&lines[i], command->options, command->stop_at_first);
}

/* What follows the first positional belongs to somebody else (R3). */
static void stops_at_the_first_positional(void **state)
{
	static const struct line kill[] = {
		{ { "kill", "id", "9" }, NULL, { "id", "9" }, "all", "false" },
		{ { "kill", "-a", "id", "9" }, NULL, { "id", "9" }, "all", "true" },
		{ { "kill", "--all", "id", "KILL" }, NULL, { "id", "KILL" }, "all", "true" },
		{ { "kill", "id", "-9" }, NULL, { "id", "-9" }, "all", "false" },
	};
	static const struct line sandbox[] = {
		{ { "sandbox", "ls", "--root", "/" }, NULL, { "ls", "--root", "/" }, "root", "" },
		{ { "sandbox", "--root", "/r", "--", "ls", "-a" },
		  NULL,
		  { "ls", "-a" },
		  "root",
		  "/r" },
		{ { "sandbox", "--memory", "64m", "ls" }, NULL, { "ls" }, "memory", "67108864" },
		{ { "sandbox", "--memory", "2G", "ls" }, NULL, { "ls" }, "memory", "2147483648" },
		{ { "sandbox", "--memory", "10k", "ls" }, NULL, { "ls" }, "memory", "10240" },
		{ { "sandbox", "--memory", "512", "ls" }, NULL, { "ls" }, "memory", "512" },
		{ { "sandbox", "-e", "A=1", "--env", "B=2", "ls" },
		  NULL,
		  { "ls" },
		  "env",
		  "A=1 B=2" },
		{ { "sandbox", "--memory", "m" },
		  "option --memory: \"m\" is not a size (512m, 2g)" },
		{ { "sandbox", "--memory", "1t" },
		  "option --memory: \"1t\" is not a size (512m, 2g)" },
		{ { "sandbox", "--memory", "1mm" },
		  "option --memory: \"1mm\" is not a size (512m, 2g)" },
		{ { "sandbox", "--memory", "9223372036854775807g" },
		  "option --memory: \"9223372036854775807g\" is not a size (512m, 2g)" },
		{ { "sandbox", "--net", "bridge" },
		  "option --net: \"bridge\" is not one of none|host" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(kill) / sizeof(kill[0]); i++)
		check(&kill[i], cli_command_find("kill")->options, true);
	for (size_t i = 0; i < sizeof(sandbox) / sizeof(sandbox[0]); i++)
		check(&sandbox[i], cli_command_find("sandbox")->options, true);
}

/* F30-F44, and the lines L2, L6, L10, L13 as they are sent. */
static void parses_exec(void **state)
{
	static const struct line lines[] = {
		{ { "exec", "id", "ls", "--user" }, NULL, { "id", "ls", "--user" }, "user", "" },
		{ { "exec", "-u", "1:2", "id", "--", "x" }, NULL, { "id", "--", "x" }, "user", "1:2" },
		{ { "exec", "-e", "A=1", "--env=B=2", "id", "x" }, NULL, { "id", "x" }, "env", "A=1 B=2" },
		{ { "exec", "-g", "1", "-g", "2", "id" }, NULL, { "id" }, "additional-gids", "1 2" },
		{ { "exec", "-c", "CAP_KILL", "id" }, NULL, { "id" }, "cap", "CAP_KILL" },
		{ { "exec", "--cgroup", "a:b", "--cgroup=c", "id" }, NULL, { "id" }, "cgroup", "a:b c" },
		{ { "exec", "--pid-file", "P", "--process", "F", "--detach", "--console-socket", "S", "id" },
		  NULL, { "id" }, "process", "F" },
		{ { "exec", "--process", "F", "--detach", "--pid-file", "P", "id" }, NULL, { "id" }, "detach", "true" },
		{ { "exec", "-d", "--console-socket=S", "--tty", "--pid-file=P", "id", "sh" },
		  NULL, { "id", "sh" }, "tty", "true" },
		{ { "exec", "-t", "--tty=false", "id" }, NULL, { "id" }, "tty", "false" },
		{ { "exec", "-p", "F", "id" }, NULL, { "id" }, "process", "F" },
		{ { "exec", "--ignore-paused", "--no-new-privs", "id" }, NULL, { "id" }, "no-new-privs", "true" },
		{ { "exec", "--preserve-fds", "-1", "id" }, "option --preserve-fds: \"-1\" is not a number" },
		{ { "exec", "--bundle", "x", "id" }, "unknown option: --bundle" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		check(&lines[i], cli_command_find("exec")->options, true);
}

/* F50, F52, F56-F66. */
static void parses_limits_and_durations(void **state)
{
	static const struct line ps[] = {
		{ { "ps", "--format", "json", "id" }, NULL, { "id" }, "format", "json" },
		{ { "ps", "id", "-o", "pid" }, NULL, { "id", "-o", "pid" }, "format", "" },
	};
	static const struct line update[] = {
		{ { "update", "id" }, NULL, { "id" }, "memory", "not set" },
		{ { "update", "--memory", "0", "id" }, NULL, { "id" }, "memory", "0" },
		{ { "update", "--memory", "-1", "id" }, NULL, { "id" }, "memory", "-1" },
		{ { "update", "id", "--memory=32m" }, NULL, { "id" }, "memory", "33554432" },
		{ { "update", "--memory=1k", "--memory=2k", "id" },
		  NULL,
		  { "id" },
		  "memory",
		  "2048" },
		{ { "update", "--cpu-quota=-1", "id" }, NULL, { "id" }, "cpu-quota", "-1" },
		{ { "update", "--pids-limit", "7", "id" }, NULL, { "id" }, "pids-limit", "7" },
		{ { "update", "--resources", "-", "id" }, NULL, { "id" }, "resources", "-" },
		{ { "update", "-r", "f", "id" }, NULL, { "id" }, "resources", "f" },
		{ { "update", "--memory", "-2" },
		  "option --memory: \"-2\" is not a size (512m, 2g)" },
		{ { "update", "--cpu-quota", "1m" },
		  "option --cpu-quota: \"1m\" is not a number" },
		{ { "update", "--cpu-share" }, "option requires an argument: --cpu-share" },
	};
	static const struct line events[] = {
		{ { "events", "id" }, NULL, { "id" }, "interval", "0" },
		{ { "events", "--interval=5s", "id" }, NULL, { "id" }, "interval", "5000" },
		{ { "events", "--interval", "1m30s", "id" }, NULL, { "id" }, "interval", "90000" },
		{ { "events", "--interval", "500ms", "id" }, NULL, { "id" }, "interval", "500" },
		{ { "events", "--interval", "1h", "id" }, NULL, { "id" }, "interval", "3600000" },
		{ { "events", "--stats", "id" }, NULL, { "id" }, "stats", "true" },
		{ { "events", "--interval", "5" },
		  "option --interval: \"5\" is not a duration (500ms, 5s, 1m30s)" },
		{ { "events", "--interval", "s" },
		  "option --interval: \"s\" is not a duration (500ms, 5s, 1m30s)" },
		{ { "events", "--interval", "" },
		  "option --interval: \"\" is not a duration (500ms, 5s, 1m30s)" },
		{ { "events", "--interval", "0s" },
		  "option --interval: \"0s\" is not a duration (500ms, 5s, 1m30s)" },
		{ { "events", "--interval", "1s2" },
		  "option --interval: \"1s2\" is not a duration (500ms, 5s, 1m30s)" },
		{ { "events", "--interval", "-1s" },
		  "option --interval: \"-1s\" is not a duration (500ms, 5s, 1m30s)" },
		{ { "events", "--interval", "9223372036854775807h" },
		  "option --interval: \"9223372036854775807h\" is not a duration (500ms, 5s, 1m30s)" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ps) / sizeof(ps[0]); i++)
		check(&ps[i], cli_command_find("ps")->options, true);
	for (size_t i = 0; i < sizeof(update) / sizeof(update[0]); i++)
		check(&update[i], cli_command_find("update")->options, false);
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		check(&events[i], cli_command_find("events")->options, false);
}

/* What conmon, containerd's shim and others put in front of the command (L rows). */
static void parses_global_options(void **state)
{
	static const struct line lines[] = {
		{ { "donjon", "--root", "/r", "create", "--bundle", "b" },
		  NULL,
		  { "create", "--bundle", "b" },
		  "root",
		  "/r" },
		{ { "donjon", "--root=/r", "--root", "/s", "state", "id" },
		  NULL,
		  { "state", "id" },
		  "root",
		  "/s" },
		{ { "donjon", "--log-format=json", "--log", "/l", "list" },
		  NULL,
		  { "list" },
		  "log",
		  "/l" },
		{ { "donjon", "--systemd-cgroup", "list" },
		  NULL,
		  { "list" },
		  "systemd-cgroup",
		  "true" },
		{ { "donjon", "--systemd-cgroup=false", "list" },
		  NULL,
		  { "list" },
		  "systemd-cgroup",
		  "false" },
		{ { "donjon", "--rootless=true", "list" }, NULL, { "list" }, "rootless", "true" },
		{ { "donjon", "--rootless", "auto", "list" },
		  NULL,
		  { "list" },
		  "rootless",
		  "auto" },
		{ { "donjon", "--cgroup-manager", "disabled", "list" },
		  NULL,
		  { "list" },
		  "cgroup-manager",
		  "disabled" },
		{ { "donjon", "-v" }, NULL, { NULL }, "version", "true" },
		{ { "donjon", "-V" }, NULL, { NULL }, "version", "true" },
		{ { "donjon", "--version" }, NULL, { NULL }, "version", "true" },
		{ { "donjon", "-h" }, NULL, { NULL }, "help", "true" },
		{ { "donjon", "--log-format", "xml", "list" },
		  "option --log-format: \"xml\" is not one of text|json" },
		{ { "donjon", "--cgroup-manager", "x", "list" },
		  "option --cgroup-manager: \"x\" is not one of cgroupfs|systemd|disabled" },
		{ { "donjon", "--bundle", "b" }, "unknown option: --bundle" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		check(&lines[i], cli_global_options, true);
}

static void check_rows(const struct cli_option *rows)
{
	for (const struct cli_option *a = rows; a->name; a++) {
		assert_non_null(a->help);
		assert_int_equal(a->value == NULL, a->kind == CLI_BOOL);
		for (const struct cli_option *b = a + 1; b->name; b++) {
			assert_string_not_equal(a->name, b->name);
			assert_false(a->letter && a->letter == b->letter);
		}
	}
}

static void tables_are_sound(void **state)
{
	(void)state;
	check_rows(cli_global_options);
	for (const struct cli_command *c = cli_commands; c->name; c++) {
		assert_non_null(c->summary);
		assert_non_null(c->args);
		assert_non_null(c->run);
		assert_ptr_equal(cli_command_find(c->name), c);
		check_rows(c->options);
		if (!c->raw)
			(void)row_of(c->options, "help");
	}
	assert_null(cli_command_find("exec "));
	assert_null(cli_command_find(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_create),
		cmocka_unit_test(stops_at_the_first_positional),
		cmocka_unit_test(parses_exec),
		cmocka_unit_test(parses_limits_and_durations),
		cmocka_unit_test(parses_global_options),
		cmocka_unit_test(tables_are_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
