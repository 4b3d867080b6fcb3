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
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

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

static void compare_parts(struct fixture *f, int fd)
{
	struct mount_part asked, listed;

	assert_int_equal(mount_part_ask(fd, &f->arena, &asked), 0);
	assert_int_equal(mount_part_scan(f->proc, fd, &f->arena, &listed, &f->err), 0);
	assert_string_equal(asked.root, listed.root);
	assert_int_equal(asked.dev_major, listed.dev_major);
	assert_int_equal(asked.dev_minor, listed.dev_minor);
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
		compare_parts(f, fd);
		compared++;
	}
	if (compared == 0)
		skip();
}

static bool has_point(const struct mount_points *points, const char *path)
{
	for (size_t i = 0; i < points->n; i++)
		if (strcmp(points->v[i], path) == 0)
			return true;
	return false;
}

/* The first are escaped in the list. */
static void name_point(char *path, size_t size, const char *top, size_t index)
{
	static const char *const odd[] = { "a b", "tab\there", "back\\040slash", "line\nend" };

	if (index < DJ_COUNT(odd))
		(void)snprintf(path, size, "%s/%s", top, odd[index]);
	else
		(void)snprintf(path, size, "%s/%zu", top, index);
}

/* More than the list has room for at first. */
static void tells_where_mounts_are(void **state)
{
	char top[] = "/tmp/mountinfo-XXXXXX", path[64];
	struct fixture *f = *state;
	struct mount_points points;

	assert_non_null(mkdtemp(top));
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("top", top, "tmpfs", 0, NULL) < 0) {
		(void)rmdir(top);
		skip();
	}
	for (size_t i = 0; i < 200; i++) {
		name_point(path, sizeof(path), top, i);
		assert_int_equal(mkdir(path, 0700), 0);
		assert_int_equal(mount(path, path, NULL, MS_BIND, NULL), 0);
	}
	assert_int_equal(mount_points_scan(f->proc, &f->arena, &points, &f->err), 0);
	for (size_t i = 0; i < 200; i++) {
		name_point(path, sizeof(path), top, i);
		if (!has_point(&points, path))
			fail_msg("%s is not listed", path);
	}
	assert_true(has_point(&points, "/") && points.n > 200);
	assert_int_equal(umount2(top, MNT_DETACH), 0);
	assert_int_equal(rmdir(top), 0);
}

/* A part of one, bound somewhere else, is none. */
static void finds_a_whole_file_system_by_its_type(void **state)
{
	char top[] = "/tmp/mountinfo-XXXXXX", part[64], odd[64], *point;
	struct fixture *f = *state;

	assert_non_null(mkdtemp(top));
	(void)snprintf(part, sizeof(part), "%s/part", top);
	(void)snprintf(odd, sizeof(odd), "%s/a b", top);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("top", top, "tmpfs", 0, NULL) < 0) {
		(void)rmdir(top);
		skip();
	}
	assert_true(mkdir(part, 0700) == 0 && mkdir(odd, 0700) == 0);
	assert_int_equal(mount("none", odd, "ramfs", 0, NULL), 0);
	assert_int_equal(mount_point_of_type(f->proc, "ramfs", &f->arena, &point, &f->err), 0);
	assert_string_equal(point, odd);
	(void)snprintf(odd, sizeof(odd), "%s/a b/below", top);
	assert_int_equal(mkdir(odd, 0700), 0);
	assert_int_equal(mount(odd, part, NULL, MS_BIND, NULL), 0);
	odd[strlen(odd) - strlen("/below")] = '\0';
	assert_int_equal(umount2(odd, MNT_DETACH), 0);
	assert_int_equal(mount_point_of_type(f->proc, "ramfs", &f->arena, &point, &f->err), 0);
	assert_null(point);
	assert_int_equal(umount2(top, MNT_DETACH), 0);
	assert_int_equal(rmdir(top), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_list_is_understood),
		TEST(the_kernel_tells_the_same),
		TEST(tells_where_mounts_are),
		TEST(finds_a_whole_file_system_by_its_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
