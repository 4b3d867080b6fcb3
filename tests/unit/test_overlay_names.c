/* What the policy judges and the launch opens is what overlayfs would have read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/overlay_names.h"

#include <errno.h>
#include <string.h>

/* An option, and its names: those which only lend their data with a '+' before them. */
static const struct {
	const char *option, *names[5];
	bool writable;
} readable[] = {
	{ "lowerdir=/a", { "/a" } },
	{ "lowerdir=/a:b/c:/d", { "/a", "b/c", "/d" } },
	{ "lowerdir=/a\\:b:/c\\\\d:/\\e", { "/a:b", "/c\\d", "/e" } },
	{ "lowerdir=/a\\", { "/a\\" } },
	{ "lowerdir=/a::/b::/c", { "/a", "+/b", "+/c" } },
	{ "lowerdir=/a:/b::/c", { "/a", "/b", "+/c" } },
	{ "lowerdir=", { NULL } },
	{ "lowerdir+=/a:b\\:c", { "/a:b\\:c" } },
	{ "datadir+=/a:b", { "+/a:b" } },
	{ "upperdir=/a:b\\,c", { "/a:b,c" }, true },
	{ "workdir=/a", { "/a" }, true },
};

static void names_are_read_as_overlayfs_does(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(readable) / sizeof(readable[0]); i++) {
		struct overlay_names names;
		char path[PATH_MAX];

		assert_true(overlay_names_of(readable[i].option, &names));
		assert_int_equal(names.readonly, !readable[i].writable);
		for (const char *const *name = readable[i].names; *name; name++) {
			bool lends = **name == '+';

			assert_int_equal(overlay_names_next(&names, path), 1);
			assert_string_equal(path, *name + lends);
			assert_int_equal(names.data_only, lends);
		}
		assert_int_equal(overlay_names_next(&names, path), 0);
	}
}

static void other_options_name_nothing(void **state)
{
	static const char *const others[] = { "", "ro", "lowerdir", "lowerdirs=/a", "xino=on", "upperdir+=/a" };
	struct overlay_names names;

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(overlay_names_of(others[i], &names));
}

static void a_name_has_an_end(void **state)
{
	char option[sizeof("lowerdir=") + PATH_MAX] = "lowerdir=";
	struct overlay_names names;
	char path[PATH_MAX];

	(void)state;
	memset(option + strlen("lowerdir="), 'a', PATH_MAX);
	assert_true(overlay_names_of(option, &names));
	assert_int_equal(overlay_names_next(&names, path), -ENAMETOOLONG);
	option[strlen("lowerdir=") + PATH_MAX - 1] = '\0';
	assert_true(overlay_names_of(option, &names));
	assert_int_equal(overlay_names_next(&names, path), 1);
	assert_int_equal(strlen(path), PATH_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_read_as_overlayfs_does),
		cmocka_unit_test(other_options_name_nothing),
		cmocka_unit_test(a_name_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
