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
	const struct cli_list *list = at;

	buf[0] = '\0';
	switch (row->kind) {
	case CLI_BOOL:
		(void)snprintf(buf, size, "%s", *(const bool *)at ? "true" : "false");
		return;
	case CLI_STRING:
	case CLI_CHOICE:
		(void)snprintf(buf, size, "%s",
		               *(const char *const *)at ? *(const char *const *)at : "");
		return;
	case CLI_NUMBER:
	case CLI_BYTES:
		(void)snprintf(buf, size, "%lld", (long long)*(const int64_t *)at);
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
		cmocka_unit_test(parses_global_options),
		cmocka_unit_test(tables_are_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
