/* What the kernel prints of an overlay, and what is not understood and so left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "launch/overlay_options.h"

#include <stdio.h>
#include <string.h>

struct fixture {
	struct dj_arena arena;
	struct overlay_options options;
	struct donjon_error err;
};

static int set_up(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){ .options.upper = NULL };
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	dj_arena_done(&((struct fixture *)*state)->arena);
	return 0;
}

static const struct overlay_options *read_ok(struct fixture *f, const char *text)
{
	assert_int_equal(overlay_options_read(text, &f->arena, &f->options, &f->err), 0);
	return &f->options;
}

static void refuse(struct fixture *f, const char *text, const char *named)
{
	assert_int_equal(overlay_options_read(text, &f->arena, &f->options, &f->err), -1);
	assert_non_null(strstr(f->err.text, named));
	f->err = (struct donjon_error){ 0 };
}

static void reads_what_podman_mounts(void **state)
{
	const struct overlay_options *o = read_ok(
	        *state, "rw,lowerdir=/s/l/ABC:/s/l/DEF,upperdir=/s/1/diff,workdir=/s/1/work,"
	                "uuid=on,fsync=volatile,nfs_export=off,index=on");

	assert_string_equal(o->upper, "/s/1/diff");
	assert_int_equal(o->n_lower, 2);
	assert_string_equal(o->lower[0], "/s/l/ABC");
	assert_string_equal(o->lower[1], "/s/l/DEF");
	assert_int_equal(o->n_kept, 0);
}

static void reads_an_overlay_without_an_upper_layer(void **state)
{
	const struct overlay_options *o = read_ok(*state, "ro,lowerdir=l/A:l/B");

	assert_null(o->upper);
	assert_string_equal(o->lower[0], "l/A");
}

static void keeps_what_gives_layers_their_meaning(void **state)
{
	static const struct overlay_option kept[] = {
		{ "redirect_dir", "on" }, { "metacopy", "on" },    { "xino", "auto" },
		{ "userxattr", NULL },    { "verity", "require" }, { "default_permissions", NULL },
	};
	const struct overlay_options *o =
	        read_ok(*state, "lowerdir=/a:/b,redirect_dir=on,metacopy=on,xino=auto,userxattr,"
	                        "verity=require,default_permissions");

	assert_int_equal(o->n_kept, sizeof(kept) / sizeof(kept[0]));
	for (size_t i = 0; i < o->n_kept; i++) {
		assert_string_equal(o->kept[i].key, kept[i].key);
		if (kept[i].value)
			assert_string_equal(o->kept[i].value, kept[i].value);
		else
			assert_null(o->kept[i].value);
	}
}

/* Two writers of escapes: overlayfs's user, and the kernel that prints what that user wrote. */
static void undoes_both_kinds_of_escape(void **state)
{
	const struct overlay_options *o =
	        read_ok(*state, "lowerdir=/a\\134\\054b\\040c\\134:d\\134\\134e\\011f:/g,"
	                        "upperdir=/u\\134:\\134\\054\\134\\134x,workdir=/w\\054");

	assert_int_equal(o->n_lower, 2);
	assert_string_equal(o->lower[0], "/a,b c:d\\e\tf");
	assert_string_equal(o->lower[1], "/g");
	assert_string_equal(o->upper, "/u:,\\x");
}

static void takes_layers_of_the_new_api_as_they_are(void **state)
{
	const struct overlay_options *o =
	        read_ok(*state, "lowerdir+=/a:b\\134c,lowerdir+=/d\\054e,upperdir=/u,workdir=/w");

	assert_int_equal(o->n_lower, 2);
	assert_string_equal(o->lower[0], "/a:b\\c");
	assert_string_equal(o->lower[1], "/d,e");
}

static void reads_a_label_with_a_comma(void **state)
{
	const struct overlay_options *o =
	        read_ok(*state, "rw,context=\"system_u:object_r:container_file_t:s0:c1,c2\","
	                        "seclabel,lowerdir=/a:/b");

	assert_int_equal(o->n_kept, 1);
	assert_string_equal(o->kept[0].key, "context");
	assert_string_equal(o->kept[0].value, "system_u:object_r:container_file_t:s0:c1,c2");
	assert_int_equal(o->n_lower, 2);
}

static void leaves_alone_what_it_does_not_know(void **state)
{
	refuse(*state, "lowerdir=/a:/b,datadir+=/c", "datadir+");
	refuse(*state, "lowerdir=/a::/data", "lowerdir");
	refuse(*state, "lowerdir=::/data", "lowerdir");
	refuse(*state, "lowerdir=,upperdir=/u", "lowerdir");
	refuse(*state, "lowerdir,upperdir=/u", "lowerdir");
	refuse(*state, "lowerdir=/a,upperdir=", "upperdir");
	refuse(*state, "upperdir=/u,workdir=/w", "lowerdir");
	refuse(*state, "lowerdir=/a:/b,nooverride_creds", "nooverride_creds");
	refuse(*state, "", "");
}

static void refuses_more_layers_than_the_kernel(void **state)
{
	char text[4 * OVERLAY_LAYERS_MAX + 32] = "lowerdir=";
	size_t used = strlen(text);

	for (int i = 0; i < OVERLAY_LAYERS_MAX; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s/a", i ? ":" : "");
	assert_int_equal(read_ok(*state, text)->n_lower, OVERLAY_LAYERS_MAX);
	(void)snprintf(text + used, sizeof(text) - used, ":/a");
	refuse(*state, text, "lowerdir");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(reads_what_podman_mounts),
		TEST(reads_an_overlay_without_an_upper_layer),
		TEST(keeps_what_gives_layers_their_meaning),
		TEST(undoes_both_kinds_of_escape),
		TEST(takes_layers_of_the_new_api_as_they_are),
		TEST(reads_a_label_with_a_comma),
		TEST(leaves_alone_what_it_does_not_know),
		TEST(refuses_more_layers_than_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
