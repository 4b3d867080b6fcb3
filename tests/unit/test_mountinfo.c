/* Both ways to ask about a mount tell the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/mountinfo.h"
#include "base/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

struct fixture {
	struct dj_arena arena;
	struct donjon_error err;
	int proc;
};

static int set_up(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){ .proc = -1 };
	fixture.proc = procfs_open(&fixture.err);
	*state = &fixture;
	return fixture.proc < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	dj_close(&f->proc);
	dj_arena_done(&f->arena);
	return 0;
}

static void scan(struct fixture *f, const char *path, struct mount_facts *out)
{
	dj_auto_close int fd = open(path, O_PATH | O_CLOEXEC);

	assert_true(fd >= 0);
	if (mount_facts_scan(f->proc, fd, &f->arena, out, &f->err) < 0)
		fail_msg("%s: %s", path, f->err.text);
}

static void the_list_is_understood(void **state)
{
	struct mount_facts root, proc, below;

	scan(*state, "/", &root);
	scan(*state, "/proc", &proc);
	scan(*state, "/proc/sys", &below);
	assert_true(root.has_submounts);
	assert_true(strncmp(root.options, "rw", 2) == 0 || strncmp(root.options, "ro", 2) == 0);
	assert_null(strchr(root.options, ' '));
	assert_null(strchr(root.options, '\n'));
	assert_true(proc.is_whole);
	assert_false(below.is_whole);
}

static void the_kernel_tells_the_same(void **state)
{
	static const char *const paths[] = { "/", "/dev", "/dev/pts", "/dev/shm" };
	struct fixture *f = *state;
	size_t compared = 0;

	for (size_t i = 0; i < DJ_COUNT(paths); i++) {
		dj_auto_close int fd = open(paths[i], O_PATH | O_CLOEXEC);
		struct mount_facts asked, listed;
		const char *tail;
		int r = fd < 0 ? -ENOENT : mount_facts_ask(fd, &f->arena, &asked);

		if (r == -ENOSYS || r == -EOPNOTSUPP || r == -ENOENT)
			continue;
		assert_int_equal(r, 0);
		scan(f, paths[i], &listed);
		assert_int_equal(asked.is_whole, listed.is_whole);
		assert_int_equal(asked.has_submounts, listed.has_submounts);
		/* The list begins with rw or ro. */
		tail = strchr(listed.options, ',');
		assert_non_null(tail);
		assert_string_equal(asked.options, tail + 1);
		compared++;
	}
	if (compared == 0)
		skip();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_list_is_understood),
		TEST(the_kernel_tells_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
