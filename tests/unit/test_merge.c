/* Several updates of linux.resources as one object. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "oci/decode.h"
#include "oci/validate.h"
#include "wrap/json.h"

#include <stdlib.h>
#include <string.h>

static struct json_value *parse(const char *text)
{
	struct donjon_error err = { 0 };
	struct json_value *value = json_parse(text, strlen(text), SIZE_MAX, &err);

	if (!value)
		fail_msg("%s: %s", text, err.text);
	return value;
}

static const struct row {
	const char *before, *update, *after;
} rows[] = {
	{ "{}", "{}", "{}" },
	{ "{}", "{\"pids\":{\"limit\":5}}", "{\"pids\":{\"limit\":5}}" },
	{ "{\"pids\":{\"limit\":5}}", "{}", "{\"pids\":{\"limit\":5}}" },
	{ "{\"pids\":{\"limit\":5}}", "{\"pids\":{\"limit\":0}}", "{\"pids\":{\"limit\":0}}" },
	{ "{\"memory\":{\"limit\":5,\"swap\":9}}", "{\"memory\":{\"limit\":7}}",
	  "{\"memory\":{\"limit\":7,\"swap\":9}}" },
	{ "{\"memory\":{\"limit\":5}}", "{\"memory\":{\"limit\":-1},\"cpu\":{\"quota\":-1}}",
	  "{\"memory\":{\"limit\":-1},\"cpu\":{\"quota\":-1}}" },
	/* what engines send for "nothing said" (decision 23) */
	{ "{\"cpu\":{\"shares\":5,\"cpus\":\"0\"}}",
	  "{\"cpu\":{\"shares\":0,\"quota\":0,\"cpus\":\"\",\"mems\":null},\"memory\":{\"limit\":0,"
	  "\"disableOOMKiller\":false},\"blockIO\":{\"weight\":0},\"hugepageLimits\":[]}",
	  "{\"cpu\":{\"shares\":5,\"cpus\":\"0\"},\"memory\":{},\"blockIO\":{}}" },
	/* where 0 is a value */
	{ "{}", "{\"cpu\":{\"idle\":0,\"burst\":0},\"memory\":{\"swappiness\":0}}",
	  "{\"memory\":{\"swappiness\":0},\"cpu\":{\"burst\":0,\"idle\":0}}" },
	/* more than int64 holds */
	{ "{}", "{\"cpu\":{\"shares\":18446744073709551615}}",
	  "{\"cpu\":{\"shares\":18446744073709551615}}" },
	/* lists are replaced, free keys add up */
	{ "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":1}]}",
	  "{\"hugepageLimits\":[{\"pageSize\":\"1GB\",\"limit\":0}]}",
	  "{\"hugepageLimits\":[{\"pageSize\":\"1GB\",\"limit\":0}]}" },
	{ "{\"unified\":{\"a\":\"1\",\"b\":\"2\"}}", "{\"unified\":{\"b\":\"3\",\"c\":\"4\"}}",
	  "{\"unified\":{\"a\":\"1\",\"b\":\"3\",\"c\":\"4\"}}" },
	/* no update's business */
	{ "{}", "{\"devices\":[{\"allow\":true,\"access\":\"rwm\"}],\"novelty\":{\"x\":1}}", "{}" },
};

static void adds_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct json_value *into = parse(rows[i].before), *update = parse(rows[i].update);
		char *got;

		oci_merge_resources(into, update);
		got = json_print(into, false);
		if (strcmp(got, rows[i].after) != 0)
			fail_msg("%s and %s: %s", rows[i].before, rows[i].update, got);
		free(got);
		json_free(update);
		json_free(into);
	}
}

/* Objects that would set nothing leave none behind. */
static void empty_groups_are_harmless(void **state)
{
	struct json_value *into = parse("{}"), *update = parse("{\"memory\":{},\"unified\":{}}");
	struct dj_arena arena = { 0 };
	struct donjon_error err = { 0 };
	struct oci_resources r;
	char *text;

	(void)state;
	oci_merge_resources(into, update);
	text = json_print(into, false);
	assert_int_equal(oci_decode_resources(text, strlen(text), &arena, &r, &err), 0);
	assert_int_equal(oci_validate_resources(&r, &err), 0);
	free(text);
	json_free(update);
	json_free(into);
	dj_arena_done(&arena);
}

static void resources_are_checked_alone(void **state)
{
	const struct oci_resources burst = {
		.cpu = { .quota = { true, 5 }, .burst = { true, 6 } },
	};
	const struct oci_resources lifted = {
		.cpu = { .quota = { true, -1 }, .burst = { true, 0 } },
	};
	struct donjon_error err = { 0 };

	(void)state;
	assert_int_equal(oci_validate_resources(&lifted, &err), 0);
	assert_int_equal(oci_validate_resources(&burst, &err), -1);
	assert_string_equal(err.text,
	                    "linux.resources.cpu.burst: must not be greater than the quota");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_up),
		cmocka_unit_test(empty_groups_are_harmless),
		cmocka_unit_test(resources_are_checked_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
