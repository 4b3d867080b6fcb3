#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "wrap/json.h"

#include <stdio.h>
#include <string.h>

enum { MAX = 16 << 20 };

static struct json_value *parse(const char *text, size_t size, struct donjon_error *err)
{
	return json_parse(text, size, MAX, err);
}

/* Good documents and how they read when printed again. */
static const struct {
	const char *text, *want;
} good[] = {
	{ "{}", "{}" },
	{ "[]", "[]" },
	{ " \t\r\n{ } \n", "{}" },
	{ "{\"b\":1,\"a\":[true,false,null]}", "{\"b\":1,\"a\":[true,false,null]}" },
	{ "[0,-0,-1,9223372036854775807,-9223372036854775808]",
	  "[0,0,-1,9223372036854775807,-9223372036854775808]" },
	{ "[9223372036854775808]", "[9223372036854775808]" },
	{ "[ 18446744073709551615 , 18446744073709551615]",
	  "[18446744073709551615,18446744073709551615]" },
	{ "{\"hard\":18446744073709551615}", "{\"hard\":18446744073709551615}" },
	{ "[1.5]", "[1.5]" },
	{ "[1e3]", "[1000.0]" },
	{ "[\"18446744073709551615\"]", "[\"18446744073709551615\"]" },
	{ "[\"a\\u0001\"]", "[\"a\\u0001\"]" },
	{ "[\"\\\\u0001\"]", "[\"\\\\u0001\"]" },
	{ "[\"\\\"\\u0001AAAAAAAAAAA\"]", "[\"\\\"\\u0001AAAAAAAAAAA\"]" },
	{ "[\"\\u00e9\\ud83d\\ude00\"]", "[\"\xc3\xa9\xf0\x9f\x98\x80\"]" },
	{ "[\"\\\\\",\"\\\"\",18446744073709551614]", "[\"\\\\\",\"\\\"\",18446744073709551614]" },
	{ "{\"a\":1,\"A\":2}", "{\"a\":1,\"A\":2}" }, /* the decoder's business (decision 31) */
	{ "[\"\x7f\"]", "[\"\x7f\"]" },
};

static void accepts(void **state)
{
	(void)state;
	for (size_t i = 0; i < DJ_COUNT(good); i++) {
		struct donjon_error err = { 0 };
		struct json_value *doc = parse(good[i].text, strlen(good[i].text), &err);
		dj_auto_free char *printed = NULL;

		if (!doc)
			fail_msg("%s: %s", good[i].text, err.text);
		printed = json_print(doc, false);
		assert_string_equal(printed, good[i].want);
		json_free(doc);
	}
}

#define BAD(text, want)                                                                            \
	{                                                                                          \
		text, sizeof(text) - 1, want                                                       \
	}

/* T31-T35: what each is refused with. */
static const struct {
	const char *text;
	size_t size;
	const char *want;
} bad[] = {
	BAD("", "line 1"),
	BAD("   ", "line 1"),
	BAD("1", "'[' or '{' expected"),
	BAD("\"a\"", "'[' or '{' expected"),
	BAD("null", "'[' or '{' expected"),
	BAD("{} x", "line 1, column 4: end of file expected"),
	BAD("{}{}", "end of file expected"),
	BAD("{}\n[]", "line 2, column 1: end of file expected"),
	BAD("{}\0", "end of file expected"),
	BAD("{\"a\":1}\0{\"a\":2}", "end of file expected"),
	BAD("\xef\xbb\xbf{}", "line 1"),
	BAD("{} // c", "end of file expected"),
	BAD("/* c */{}", "'[' or '{' expected"),
	BAD("{'a':1}", "line 1, column 2"),
	BAD("{a:1}", "line 1, column 2"),
	BAD("[1,]", "line 1, column 4"),
	BAD("{\"a\":1,}", "line 1, column 8"),
	BAD("[", "line 1"),
	BAD("]", "'[' or '{' expected"),
	BAD("[}", "line 1"),
	BAD("{\"a\"", "line 1"),
	BAD("[NaN]", "line 1"),
	BAD("[Infinity]", "line 1"),
	BAD("[01]", "line 1"),
	BAD("[-]", "line 1"),
	BAD("[+1]", "line 1"),
	BAD("[.5]", "line 1"),
	BAD("[1.]", "line 1"),
	BAD("[0x10]", "line 1"),
	BAD("[1e400]", "real number overflow"),
	BAD("[True]", "line 1"),
	BAD("[\"a\nb\"]", "unexpected newline"),
	BAD("[\"\x01\"]", "control character"),
	BAD("[\"\t\"]", "control character"),
	BAD("[\"a\0b\"]", "line 1"),
	BAD("[\"\\u0000\"]", "NUL"),
	BAD("{\"\\u0000\":1}", "NUL"),
	BAD("[\"\\x\"]", "line 1"),
	BAD("[\"\\", "line 1"),
	BAD("[\"\\u12", "line 1"),
	/* UTF-8: invalid, overlong, surrogate, too large, cut off; UTF-16 */
	BAD("[\"\xff\"]", "unable to decode byte"),
	BAD("[\"\x80\"]", "unable to decode byte"),
	BAD("[\"\xc0\xaf\"]", "unable to decode byte"),
	BAD("[\"\xe0\x80\xaf\"]", "unable to decode byte"),
	BAD("[\"\xed\xa0\x80\"]", "unable to decode byte"),
	BAD("[\"\xf4\x90\x80\x80\"]", "unable to decode byte"),
	BAD("[\"\xc3", "unable to decode byte"),
	BAD("[\"\\ud800\"]", "invalid Unicode"),
	BAD("[\"\\udc00\"]", "invalid Unicode"),
	BAD("[\"\\ud800\\u0041\"]", "invalid Unicode"),
	BAD("\xff\xfe{\0}\0", "line 1"),
	BAD("{\0}\0", "line 1"),
	/* duplicates, after escapes are decoded */
	BAD("{\"a\":1,\"a\":2}", "line 1, column 10: duplicate key \"a\""),
	BAD("{\"a\":1,\n\"\\u0061\":2}", "line 2, column 8: duplicate key \"\\u0061\""),
	BAD("[{\"x\":{\"deep\":1,\"deep\":1}}]", "duplicate key \"deep\""),
	BAD("{\"a key longer than twenty bytes\":1,\"a key longer than twenty bytes\":1}",
	    "duplicate key \"a key longer than twenty bytes\""),
	BAD("{\"q\\\"\\\\\":1,\"q\\\"\\\\\":1}", "duplicate key \"q\\\"\\\\\""),
	BAD("{\"\":1,\"\":1}", "duplicate key \"\""),
	/* integers are exact or refused */
	BAD("[018446744073709551615]", "line 1"),
	BAD("[18446744073709551615 x]", "line 1, column 23"),
	BAD("[18446744073709551615\"x\"]", "line 1, column 24"),
	BAD("[18446744073709551615", "line 1"),
	BAD("{18446744073709551615:1}", "line 1"),
	BAD("{18446744073709551615 :1}", "line 1"),
	BAD("18446744073709551615", "line 1"),
	/* nothing may pretend to be one */
	BAD("[\"\\u0001AAAAAAAAAAA\"]", "string starts with the control character U+0001"),
	BAD("{\"\\u0001AAAAAAAAAAA\":1}", "string starts with the control character U+0001"),
	BAD("[\"\\u0001\"]", "string starts with the control character U+0001"),
};

static void refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < DJ_COUNT(bad); i++) {
		struct donjon_error err = { 0 };
		/* An exact copy, so that the sanitizer sees any byte read behind it. */
		dj_auto_free char *text = malloc(bad[i].size + 1);

		memcpy(text, bad[i].text, bad[i].size);
		text = realloc(text, bad[i].size ? bad[i].size : 1);
		if (parse(text, bad[i].size, &err))
			fail_msg("accepted: %s", bad[i].text);
		assert_int_equal(err.code, DONJON_E_CONFIG);
		if (!strstr(err.text, bad[i].want))
			fail_msg("%s: %s", bad[i].text, err.text);
	}
}

static char *nested(size_t depth, char open, char close)
{
	char *text = malloc(2 * depth);

	memset(text, open, depth);
	memset(text + depth, close, depth);
	return text;
}

static void limits_depth(void **state)
{
	static const struct {
		size_t depth;
		bool ok;
	} rows[] = { { 128, true }, { 129, false }, { 100000, false }, { 1 << 20, false } };

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		struct donjon_error err = { 0 };
		dj_auto_free char *text = nested(rows[i].depth, '[', ']');
		struct json_value *doc = parse(text, 2 * rows[i].depth, &err);

		assert_int_equal(doc != NULL, rows[i].ok);
		if (!doc)
			assert_string_equal(
			        err.text, "invalid JSON at line 1, column 129: nested too deeply");
		json_free(doc);
	}
}

/* Commas inside strings do not count. */
static void limits_members(void **state)
{
	enum { MEMBERS = 131072 };
	static const struct {
		const char *open, *close, *error;
	} rows[] = {
		{ "{\"a\":\",,,\",\"list\":[0", "]}",
		  "invalid JSON at line 1, column 12: list: more than 131072 items or members" },
		{ "[0", "]", "invalid JSON at line 1, column 1: more than 131072 items or members" },
		{ "{\"\\u0020x\":[0", "]}",
		  "invalid JSON at line 1, column 2: more than 131072 items or members" },
	};

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		for (size_t members = MEMBERS; members <= MEMBERS + 1; members++) {
			size_t open = strlen(rows[i].open), close = strlen(rows[i].close);
			size_t size = open + 2 * (members - 1) + close;
			dj_auto_free char *text = malloc(size); /* not terminated */
			struct donjon_error err = { 0 };
			struct json_value *doc;

			memcpy(text, rows[i].open, open);
			for (size_t at = open; at < size - close; at += 2)
				memcpy(text + at, ",0", 2);
			memcpy(text + size - close, rows[i].close, close);
			doc = parse(text, size, &err);
			assert_int_equal(doc != NULL, members <= MEMBERS);
			if (!doc)
				assert_string_equal(err.text, rows[i].error);
			json_free(doc);
		}
	}
}

static void brackets_in_strings_are_no_depth(void **state)
{
	struct donjon_error err = { 0 };
	dj_auto_free char *text = nested(1000, '[', '[');
	struct json_value *doc;

	(void)state;
	text[0] = '[';
	text[1] = '"';
	memcpy(text + 1998, "\"]", 2);
	doc = parse(text, 2000, &err);
	assert_non_null(doc);
	json_free(doc);
}

static void limits_size(void **state)
{
	struct donjon_error err = { 0 };

	(void)state;
	assert_null(json_parse("[1, 2]", 6, 5, &err));
	assert_string_equal(err.text, "JSON text larger than 5 bytes");
}

static void reads_integers_exactly(void **state)
{
	static const struct {
		const char *text;
		enum json_kind kind;
		bool has_int64, has_uint64;
		int64_t i;
		uint64_t u;
	} rows[] = {
		{ "[0]", JSON_KIND_INT, true, true, 0, 0 },
		{ "[-1]", JSON_KIND_INT, true, false, -1, 0 },
		{ "[4294967296]", JSON_KIND_INT, true, true, 4294967296, 4294967296 },
		{ "[9223372036854775807]", JSON_KIND_INT, true, true, INT64_MAX, INT64_MAX },
		{ "[-9223372036854775808]", JSON_KIND_INT, true, false, INT64_MIN, 0 },
		{ "[9223372036854775808]", JSON_KIND_UINT64, false, true, 0, 9223372036854775808U },
		{ "[18446744073709551615]", JSON_KIND_UINT64, false, true, 0, UINT64_MAX },
		{ "[12345678901234567890]", JSON_KIND_UINT64, false, true, 0,
		  12345678901234567890U },
		{ "[18446744073709551616]", JSON_KIND_TOO_BIG, false, false, 0, 0 },
		{ "[99999999999999999999]", JSON_KIND_TOO_BIG, false, false, 0, 0 },
		{ "[-9223372036854775809]", JSON_KIND_TOO_BIG, false, false, 0, 0 },
		{ "[-18446744073709551615]", JSON_KIND_TOO_BIG, false, false, 0, 0 },
		{ "[100000000000000000000000000000]", JSON_KIND_TOO_BIG, false, false, 0, 0 },
		{ "[1.0]", JSON_KIND_REAL, false, false, 0, 0 },
		{ "[1e3]", JSON_KIND_REAL, false, false, 0, 0 },
		{ "[true]", JSON_KIND_BOOL, false, false, 0, 0 },
		{ "[null]", JSON_KIND_NULL, false, false, 0, 0 },
		{ "[\"1\"]", JSON_KIND_STRING, false, false, 0, 0 },
		{ "[{}]", JSON_KIND_OBJECT, false, false, 0, 0 },
		{ "[[]]", JSON_KIND_ARRAY, false, false, 0, 0 },
	};

	(void)state;
	for (size_t n = 0; n < DJ_COUNT(rows); n++) {
		struct donjon_error err = { 0 };
		struct json_value *doc = parse(rows[n].text, strlen(rows[n].text), &err);
		const struct json_value *v = json_at(doc, 0);
		int64_t i = 0;
		uint64_t u = 0;

		assert_non_null(v);
		assert_int_equal(json_kind(v), rows[n].kind);
		assert_int_equal(json_int64(v, &i), rows[n].has_int64);
		assert_int_equal(json_uint64(v, &u), rows[n].has_uint64);
		assert_true(i == rows[n].i && u == rows[n].u);
		assert_int_equal(json_text(v) != NULL, rows[n].kind == JSON_KIND_STRING);
		json_free(doc);
	}
}

static void walks_in_document_order(void **state)
{
	static const char text[] = "{\"z\":1,\"a\":\"x\",\"m\":[1,2,3]}";
	struct donjon_error err = { 0 };
	struct json_value *doc = parse(text, sizeof(text) - 1, &err);
	const struct json_value *value;
	char keys[8] = "";
	const char *key;
	void *it = NULL;

	(void)state;
	while ((it = json_next(doc, it, &key, &value)))
		strcat(keys, key);
	assert_string_equal(keys, "zam");
	assert_int_equal(json_size(doc), 3);
	assert_int_equal(json_size(json_get(doc, "m")), 3);
	assert_string_equal(json_text(json_get(doc, "a")), "x");
	assert_null(json_get(doc, "A"));
	assert_null(json_get(json_get(doc, "m"), "a"));
	assert_null(json_at(json_get(doc, "m"), 3));
	assert_null(json_at(doc, 0));
	assert_int_equal(json_size(json_get(doc, "z")), 0);
	json_free(doc);
}

static void builds_and_prints(void **state)
{
	struct json_value *doc = json_new_object(), *list = json_new_array();
	dj_auto_free char *compact = NULL, *pretty = NULL;

	(void)state;
	json_push(list, json_new_int(-1));
	json_push(list, json_new_uint(7));
	json_push(list, json_new_uint(UINT64_MAX));
	json_push(list, json_new_uint(1ULL << 63));
	json_push(list, json_new_string("a\xff\x01\"\\\n"));
	json_push(list, json_new_string("\x01"
	                                "AAAAAAAAAAA"));
	json_set(doc, "list", list);
	json_set(doc, "k\xc3", json_new_bool(true));
	compact = json_print(doc, false);
	assert_string_equal(compact, "{\"list\":[-1,7,18446744073709551615,9223372036854775808,"
	                             "\"a?\\u0001\\\"\\\\\\n\",\"?AAAAAAAAAAA\"],\"k?\":true}");
	pretty = json_print(doc, true);
	assert_non_null(
	        strstr(pretty, "{\n  \"list\": [\n    -1,\n    7,\n    18446744073709551615,\n"));
	json_free(doc);
}

static void ignores_null_values(void **state)
{
	(void)state;
	json_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts),
		cmocka_unit_test(refuses),
		cmocka_unit_test(limits_depth),
		cmocka_unit_test(limits_members),
		cmocka_unit_test(brackets_in_strings_are_no_depth),
		cmocka_unit_test(limits_size),
		cmocka_unit_test(reads_integers_exactly),
		cmocka_unit_test(walks_in_document_order),
		cmocka_unit_test(builds_and_prints),
		cmocka_unit_test(ignores_null_values),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
