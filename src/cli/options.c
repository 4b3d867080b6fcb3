#include "cli/options.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
	ROWS_MAX = 64,
	LONG_BASE = 256, /* what getopt returns for row i is LONG_BASE + i, or its letter */
};

int cli_fail(struct donjon_error *err, enum donjon_code code, const char *fmt, ...)
{
	va_list ap;

	err->code = code;
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return -1;
}

const char *cli_reason(int os)
{
	static char text[64];

	(void)snprintf(text, sizeof(text), "%s", strerror(os));
	if (isupper((unsigned char)text[0]) && islower((unsigned char)text[1]))
		text[0] = (char)tolower((unsigned char)text[0]);
	return text;
}

/* ---- values ---- */

static int set_bool(const struct cli_option *row, const char *value, void *at,
                    struct donjon_error *err)
{
	bool is_false = value && (strcmp(value, "false") == 0 || strcmp(value, "0") == 0);

	if (value && !is_false && strcmp(value, "true") != 0 && strcmp(value, "1") != 0)
		return cli_fail(err, DONJON_E_USAGE,
		                "option --%s: \"%s\" is neither true nor false", row->name, value);
	*(bool *)at = !is_false;
	return 0;
}

static int set_string(const struct cli_option *row, const char *value, void *at,
                      struct donjon_error *err)
{
	if (!*value)
		return cli_fail(err, DONJON_E_USAGE, "option --%s: the value is empty", row->name);
	*(const char **)at = value;
	return 0;
}

static int set_text(const struct cli_option *row, const char *value, void *at,
                    struct donjon_error *err)
{
	(void)row;
	(void)err;
	*(const char **)at = *value ? value : NULL;
	return 0;
}

/* Is it one of the words in "text|json"? */
static bool is_choice(const char *choices, const char *value)
{
	size_t len = strlen(value);

	for (;;) {
		size_t word = strcspn(choices, "|");

		if (word == len && strncmp(choices, value, len) == 0)
			return true;
		if (choices[word] == '\0')
			return false;
		choices += word + 1;
	}
}

static int set_choice(const struct cli_option *row, const char *value, void *at,
                      struct donjon_error *err)
{
	if (!is_choice(row->value, value))
		return cli_fail(err, DONJON_E_USAGE, "option --%s: \"%s\" is not one of %s",
		                row->name, value, row->value);
	*(const char **)at = value;
	return 0;
}

static int add_to_list(const struct cli_option *row, const char *value, void *at,
                       struct donjon_error *err)
{
	struct cli_list *list = at;
	const char **grown = realloc(list->v, (list->n + 1) * sizeof(*grown));

	if (!grown)
		return cli_fail(err, DONJON_E_SYSTEM, "option --%s: out of memory", row->name);
	list->v = grown;
	list->v[list->n++] = value;
	return 0;
}

/* Digits only: strtoll() would take "+1", " 1" and "0x1" (T49). */
static int parse_number(const char *text, const char **end, int64_t *out)
{
	int64_t number = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, *p - '0', &number))
			return -1;
	*end = p;
	*out = number;
	return p == text ? -1 : 0;
}

static int set_number(const struct cli_option *row, const char *value, void *at,
                      struct donjon_error *err)
{
	const char *end;
	int64_t number;

	if (parse_number(value, &end, &number) < 0 || *end)
		return cli_fail(err, DONJON_E_USAGE, "option --%s: \"%s\" is not a number",
		                row->name, value);
	*(int64_t *)at = number;
	return 0;
}

static int set_bytes(const struct cli_option *row, const char *value, void *at,
                     struct donjon_error *err)
{
	static const char suffixes[] = "kmg";
	const char *end, *suffix;
	int64_t number = 0;
	bool good = parse_number(value, &end, &number) == 0;

	if (good && *end) {
		suffix = strchr(suffixes, *end | 0x20);
		good = suffix && !end[1] &&
		       !__builtin_mul_overflow(number, INT64_C(1) << (10 * (suffix - suffixes + 1)),
		                               &number);
	}
	if (!good)
		return cli_fail(err, DONJON_E_USAGE, "option --%s: \"%s\" is not a size (512m, 2g)",
		                row->name, value);
	*(int64_t *)at = number;
	return 0;
}

/* -1 is "no limit". */
static int set_limit(const struct cli_option *row, const char *value, void *at,
                     struct donjon_error *err)
{
	struct cli_number *number = at;

	if (strcmp(value, "-1") == 0)
		number->v = -1;
	else if ((row->kind == CLI_LIMIT ? set_number : set_bytes)(row, value, &number->v, err) < 0)
		return -1;
	number->set = true;
	return 0;
}

/* One of the units of Go's durations, as callers write them; 0: none of them. */
static int64_t unit_ms(const char **p)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60 * 1000 }, { "h", 60 * 60 * 1000 } };

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t len = strlen(units[i].name);

		if (strncmp(*p, units[i].name, len) == 0) {
			*p += len;
			return units[i].ms;
		}
	}
	return 0;
}

static int set_duration(const struct cli_option *row, const char *value, void *at,
                        struct donjon_error *err)
{
	const char *p = value;
	int64_t total = 0, number;
	bool good = *p;

	while (good && *p)
		good = parse_number(p, &p, &number) == 0 &&
		       !__builtin_mul_overflow(number, unit_ms(&p), &number) &&
		       !__builtin_add_overflow(total, number, &total) && p[-1] > '9';
	if (!good || total == 0)
		return cli_fail(err, DONJON_E_USAGE,
		                "option --%s: \"%s\" is not a duration (500ms, 5s, 1m30s)",
		                row->name, value);
	*(int64_t *)at = total;
	return 0;
}

static int (*const setters[])(const struct cli_option *row, const char *value, void *at,
                              struct donjon_error *err) = {
	[CLI_BOOL] = set_bool,    [CLI_STRING] = set_string, [CLI_TEXT] = set_text,
	[CLI_CHOICE] = set_choice, [CLI_LIST] = add_to_list, [CLI_NUMBER] = set_number, [CLI_BYTES] = set_bytes,
	[CLI_LIMIT] = set_limit,  [CLI_BYTE_LIMIT] = set_limit, [CLI_DURATION] = set_duration,
};

/* ---- parsing: getopt_long_only() for its conventions (R1, R2), minus its abbreviations ---- */

struct tables {
	struct option longs[ROWS_MAX + 1];
	char letters[2 * ROWS_MAX + 3];
};

static void make_tables(const struct cli_option *rows, struct tables *out)
{
	size_t letters = 0;

	memset(out, 0, sizeof(*out));
	/* '+': stop at the first positional; ':': a missing argument is no unknown option. */
	out->letters[letters++] = '+';
	out->letters[letters++] = ':';
	for (size_t i = 0; rows[i].name; i++) {
		assert(i < ROWS_MAX);
		out->longs[i] = (struct option){
			.name = rows[i].name,
			.has_arg = rows[i].kind == CLI_BOOL ? optional_argument : required_argument,
			.val = LONG_BASE + (int)i,
		};
		if (!rows[i].letter)
			continue;
		out->letters[letters++] = rows[i].letter;
		if (rows[i].kind != CLI_BOOL)
			out->letters[letters++] = ':';
	}
}

static const struct cli_option *by_letter(const struct cli_option *rows, int letter)
{
	for (; rows->name; rows++)
		if (rows->letter == letter)
			return rows;
	return NULL;
}

/* What stands on the command line must be the whole name. */
static bool is_spelled_out(const char *token, const char *name)
{
	size_t len = strlen(name);

	token += strspn(token, "-");
	return strncmp(token, name, len) == 0 && (token[len] == '\0' || token[len] == '=');
}

static int take_option(const struct cli_option *rows, int found, const char *token,
                       struct cli_options *out, struct donjon_error *err)
{
	const struct cli_option *row = NULL;

	if (found == ':')
		return cli_fail(err, DONJON_E_USAGE, "option requires an argument: %s", token);
	if (found >= LONG_BASE && is_spelled_out(token, rows[found - LONG_BASE].name))
		row = &rows[found - LONG_BASE];
	else if (found < LONG_BASE && found != '?')
		row = by_letter(rows, found);
	if (!row)
		return cli_fail(err, DONJON_E_USAGE, "unknown option: %s", token);
	return setters[row->kind](row, optarg, (char *)out + row->offset, err);
}

/* "-u=1000", which Go's flags know and getopt does not (R1). */
static const struct cli_option *by_letter_and_value(const struct cli_option *rows, const char *token)
{
	return token[0] == '-' && isalpha((unsigned char)token[1]) && token[2] == '='
	               ? by_letter(rows, token[1])
	               : NULL;
}

/* 1: took the option at argv[at]; 0: there is none. */
static int take_next(const struct cli_option *rows, const struct tables *tables, int argc, char **argv, int at,
                     struct cli_options *out, struct donjon_error *err)
{
	const struct cli_option *row = by_letter_and_value(rows, argv[at]);
	int found;

	if (row) {
		optind = at + 1;
		return setters[row->kind](row, argv[at] + 3, (char *)out + row->offset, err) < 0 ? -1 : 1;
	}
	found = getopt_long_only(argc, argv, tables->letters, tables->longs, NULL);
	if (found == -1)
		return 0;
	return take_option(rows, found, argv[at], out, err) < 0 ? -1 : 1;
}

int cli_parse(const struct cli_option *rows, int argc, char **argv, bool stop_at_first,
              struct cli_options *out, struct donjon_error *err)
{
	struct tables tables;
	int n = 0;

	make_tables(rows, &tables);
	opterr = 0;
	optind = 0; /* glibc: start anew */
	for (int at = 1; at < argc; at = optind) {
		int r = take_next(rows, &tables, argc, argv, at, out, err);

		if (r < 0)
			return -1;
		if (r > 0)
			continue;
		if (strcmp(argv[at], "--") == 0)
			stop_at_first = true;
		while (optind < argc) {
			argv[n++] = argv[optind++];
			if (!stop_at_first)
				break;
		}
	}
	return n;
}

void cli_done(struct cli_options *options)
{
	free(options->overrides.v);
	free(options->binds.v);
	free(options->env.v);
	free(options->additional_gids.v);
	free(options->caps.v);
	free(options->cgroups.v);
}

/* ---- help ---- */

/* Help stands beside the option, or below one that reaches into its column. */
void cli_print_options(FILE *out, const struct cli_option *rows)
{
	enum { COLUMN = 35 };

	for (; rows->name; rows++) {
		char left[64];

		(void)snprintf(left, sizeof(left), "%s%c%s%s%s%s%s", rows->letter ? "-" : " ",
		               rows->letter ? rows->letter : ' ', rows->letter ? ", " : "  ",
		               rows->name[1] ? "--" : "-", rows->name, rows->value ? " " : "",
		               rows->value ? rows->value : "");
		if (strlen(left) < COLUMN)
			fprintf(out, "  %-*s%s\n", COLUMN, left, rows->help);
		else
			fprintf(out, "  %s\n  %*s%s\n", left, COLUMN, "", rows->help);
	}
}
