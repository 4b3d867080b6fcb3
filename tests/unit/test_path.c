/* Every table runs twice: with openat2 and with the walker that stands in for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/path.h"

#include "scratch.h"

#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/*
 * SCRATCH/
 *   outside/secret         what no path may reach
 *   root/                  the image, as hostile as it gets
 */
static void link_to(const struct scratch *s, const char *target, const char *name)
{
	assert_int_equal(symlinkat(target, s->fd, name), 0);
}

static void make_dir(const struct scratch *s, const char *name)
{
	assert_int_equal(mkdirat(s->fd, name, 0755), 0);
}

static int setup_tree(void **state)
{
	struct scratch *s;
	char name[64], target[64];

	if (scratch_setup(state) < 0)
		return -1;
	s = *state;
	make_dir(s, "outside");
	scratch_write(s, "outside/secret", "secret");
	make_dir(s, "root");
	make_dir(s, "root/etc");
	make_dir(s, "root/etc/deep");
	scratch_write(s, "root/etc/passwd", "root");
	scratch_write(s, "root/secret", "decoy");
	assert_int_equal(mkfifoat(s->fd, "root/fifo", 0600), 0);
	link_to(s, "/etc", "root/absolute");
	link_to(s, "etc", "root/relative");
	link_to(s, "../../../../etc/passwd", "root/climbing");
	link_to(s, "../outside", "root/escape");
	link_to(s, "/../../outside/secret", "root/escape-absolute");
	link_to(s, "../../outside/secret", "root/etc/escape");
	link_to(s, "nowhere", "root/dangling");
	link_to(s, "/run/made", "root/dangling-dir");
	link_to(s, "loop-b", "root/loop-a");
	link_to(s, "loop-a", "root/loop-b");
	link_to(s, "self/self/self", "root/self");
	link_to(s, "/proc/self/root/etc", "root/magic");
	link_to(s, "secret", "root/file-link");
	link_to(s, "etc/passwd/", "root/slashed-file");
	for (int i = 0; i < 45; i++) { /* chain-0 needs 1 link, chain-44 needs 45 */
		(void)snprintf(name, sizeof(name), "root/chain-%d", i);
		(void)snprintf(target, sizeof(target), i ? "chain-%d" : "etc", i - 1);
		link_to(s, target, name);
	}
	return 0;
}

static int open_tree_root(const struct scratch *s)
{
	int fd = openat(s->fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static const struct {
	const char *path;
	int flags;
	int want;         /* 0 or -errno */
	const char *same; /* what it must be, relative to SCRATCH */
} in_root[] = {
	{ "/", O_PATH, 0, "root" },
	{ "", O_PATH, -ENOENT },
	{ ".", O_PATH, 0, "root" },
	{ "..", O_PATH, 0, "root" },
	{ "/../../..", O_PATH | O_DIRECTORY, 0, "root" },
	{ "etc", O_PATH, 0, "root/etc" },
	{ "/etc/", O_PATH, 0, "root/etc" },
	{ "//etc///./deep//", O_PATH, 0, "root/etc/deep" },
	{ "etc/deep/..", O_PATH, 0, "root/etc" },
	{ "etc/deep/../../../../etc/passwd", O_RDONLY, 0, "root/etc/passwd" },
	{ "etc/passwd/", O_PATH, -ENOTDIR },
	{ "etc/passwd/.", O_PATH, -ENOTDIR },
	{ "etc/passwd/..", O_PATH, -ENOTDIR },
	{ "etc/passwd/x", O_PATH, -ENOTDIR },
	{ "etc/passwd", O_PATH | O_DIRECTORY, -ENOTDIR },
	{ "etc/passwd", O_RDONLY | O_DIRECTORY, -ENOTDIR },
	{ "missing", O_PATH, -ENOENT },
	{ "missing/..", O_PATH, -ENOENT },
	{ "absolute/passwd", O_RDONLY, 0, "root/etc/passwd" },
	{ "relative/passwd", O_RDONLY, 0, "root/etc/passwd" },
	{ "relative", O_PATH, 0, "root/etc" },
	{ "relative", O_PATH | O_NOFOLLOW, 0, "root/relative" },
	{ "relative/", O_PATH | O_NOFOLLOW, 0, "root/etc" },
	{ "relative", O_RDONLY | O_NOFOLLOW, -ELOOP },
	{ "relative/.", O_PATH | O_NOFOLLOW, 0, "root/etc" },
	{ "file-link", O_RDONLY, 0, "root/secret" },
	{ "file-link/", O_PATH, -ENOTDIR },
	{ "slashed-file", O_PATH, -ENOTDIR },
	{ "climbing", O_RDONLY, 0, "root/etc/passwd" },
	{ "escape", O_PATH, -ENOENT },
	{ "escape/secret", O_RDONLY, -ENOENT },
	{ "escape-absolute", O_RDONLY, -ENOENT },
	{ "etc/escape", O_RDONLY, -ENOENT },
	{ "dangling", O_PATH, -ENOENT },
	{ "dangling", O_PATH | O_NOFOLLOW, 0, "root/dangling" },
	{ "loop-a", O_PATH, -ELOOP },
	{ "loop-a/x", O_PATH, -ELOOP },
	{ "self", O_PATH, -ELOOP },
	{ "magic", O_PATH, -ENOENT }, /* the image has no /proc */
	{ "chain-39/passwd", O_RDONLY, 0, "root/etc/passwd" },
	{ "chain-40/passwd", O_RDONLY, -ELOOP },
	{ "chain-44", O_PATH, -ELOOP },
	{ "chain-44", O_PATH | O_NOFOLLOW, 0, "root/chain-44" },
	{ "fifo", O_PATH, 0, "root/fifo" },
	{ "fifo", O_RDONLY | O_NONBLOCK, 0, "root/fifo" },
	{ "fifo/", O_PATH, -ENOTDIR },
	{ "etc/passwd", O_WRONLY | O_CREAT | O_EXCL, -EEXIST },
	{ "dangling", O_WRONLY | O_CREAT | O_EXCL, -EEXIST },
	{ "etc/passwd", O_WRONLY | O_CREAT, 0, "root/etc/passwd" },
	{ "etc/new/", O_WRONLY | O_CREAT, -EISDIR },
	{ "etc", O_WRONLY, -EISDIR },
	{ "etc/deep/.", O_WRONLY | O_CREAT, -EISDIR },
};

static void assert_same_file(const struct scratch *s, int fd, const char *name)
{
	struct stat got, want;

	assert_int_equal(fstat(fd, &got), 0);
	assert_int_equal(fstatat(s->fd, name, &want, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(got.st_ino, want.st_ino);
	assert_int_equal(got.st_dev, want.st_dev);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void opens_in_root(void **state)
{
	const struct scratch *s = *state;
	dj_auto_close int root = open_tree_root(s);

	for (size_t i = 0; i < DJ_COUNT(in_root); i++) {
		dj_auto_close int fd =
		        path_open_in_root(root, in_root[i].path, in_root[i].flags, 0600);

		if ((fd < 0 ? fd : 0) != in_root[i].want)
			fail_msg("%s, flags %o: %d", in_root[i].path, (unsigned)in_root[i].flags,
			         fd);
		if (fd >= 0)
			assert_same_file(s, fd, in_root[i].same);
	}
}

static void creates_through_a_dangling_link(void **state)
{
	const struct scratch *s = *state;
	dj_auto_close int root = open_tree_root(s);
	dj_auto_close int fd = path_open_in_root(root, "dangling", O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_same_file(s, fd, "root/nowhere");
}

static void refuses_what_is_too_long(void **state)
{
	dj_auto_close int root = open_tree_root(*state);
	char path[PATH_MAX + 64];

	memset(path, 'x', sizeof(path));
	path[NAME_MAX + 1] = '\0';
	assert_int_equal(path_open_in_root(root, path, O_PATH, 0), -ENAMETOOLONG);
	memset(path, '/', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(path_open_in_root(root, path, O_PATH, 0), -ENAMETOOLONG);
}

static void opens_deep_trees(void **state)
{
	dj_auto_close int root = open_tree_root(*state);
	char down[2 * 200 + 1], up[3 * 200 + sizeof("etc")];
	struct donjon_error err = { 0 };
	int fd;

	for (size_t i = 0; i < 200; i++) {
		memcpy(down + 2 * i, "d/", 3);
		memcpy(up + 3 * i, "../", 4);
	}
	strcat(up, "etc");
	fd = path_make_dir(root, down, 0755, &err);
	assert_true(fd >= 0);
	(void)close(fd);
	fd = path_open_in_root(root, down, O_PATH, 0);
	assert_true(fd >= 0);
	(void)close(fd);
	fd = path_open_in_root(root, up, O_PATH, 0);
	assert_same_file(*state, fd, "root/etc");
	(void)close(fd);
}

static const struct {
	const char *path;
	int want;
} beneath[] = {
	{ "etc/passwd", 0 },     { "etc/deep/../passwd", 0 },      { ".", 0 },
	{ "", -ENOENT },         { "/etc/passwd", -EXDEV },        { "..", -EXDEV },
	{ "etc/../..", -EXDEV }, { "etc/../../root/etc", -EXDEV }, { "relative/passwd", -ELOOP },
	{ "relative", -ELOOP },  { "file-link", -ELOOP },          { "dangling", -ELOOP },
	{ "missing", -ENOENT },  { "etc/passwd/x", -ENOTDIR },
};

static void opens_beneath(void **state)
{
	dj_auto_close int root = open_tree_root(*state);

	for (size_t i = 0; i < DJ_COUNT(beneath); i++) {
		dj_auto_close int fd = path_open_beneath(root, beneath[i].path, O_RDONLY, 0);

		if ((fd < 0 ? fd : 0) != beneath[i].want)
			fail_msg("%s: %d", beneath[i].path, fd);
	}
}

static void beneath_creates(void **state)
{
	const struct scratch *s = *state;
	dj_auto_close int fd =
	        path_open_beneath(s->fd, "root/etc/new", O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	assert_same_file(s, fd, "root/etc/new");
	assert_int_equal(path_open_beneath(s->fd, "root/dangling", O_WRONLY | O_CREAT, 0600),
	                 -ELOOP);
}

static void beneath_stays_on_its_mount(void **state)
{
	dj_auto_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_int_equal(path_open_beneath(root, "proc/version", O_RDONLY, 0), -EXDEV);
}

/* Links of procfs that are no text. */
static void refuses_magic_links(void **state)
{
	static const char *const magic[] = { "proc/self/root", "proc/self/cwd/x", "proc/self/exe",
		                             "proc/self/fd/0", "proc/thread-self/ns/net" };
	dj_auto_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	dj_auto_close int plain = path_open_in_root(root, "proc/self/status", O_RDONLY, 0);

	(void)state;
	assert_true(plain >= 0);
	for (size_t i = 0; i < DJ_COUNT(magic); i++)
		assert_int_equal(path_open_in_root(root, magic[i], O_RDONLY, 0), -ELOOP);
}

static const struct {
	const char *path;
	bool dir;
	int want; /* errno, 0: made or found */
	const char *same;
} mount_points[] = {
	{ "etc", true, 0, "root/etc" },
	{ "a/b/c", true, 0, "root/a/b/c" },
	{ "/x/../y/z/", true, 0, "root/y/z" },
	{ "absolute/made", true, 0, "root/etc/made" },
	{ "dangling-dir/sub", true, 0, "root/run/made/sub" },
	{ "escape/sub", true, 0, "root/outside/sub" },
	{ "etc/escape", true, ENOTDIR },
	{ "etc/passwd", true, ENOTDIR },
	{ "etc/passwd/sub", true, ENOTDIR },
	{ "fifo", true, ENOTDIR },
	{ "loop-a", true, ELOOP },
	{ "loop-a/sub", true, ELOOP },
	{ "", true, ENOENT },
	{ "etc/passwd", false, 0, "root/etc/passwd" },
	{ "etc/new-file", false, 0, "root/etc/new-file" },
	{ "p/q/file", false, 0, "root/p/q/file" },
	{ "fifo", false, 0, "root/fifo" },
	{ "file-link", false, 0, "root/secret" },
	{ "dangling", false, 0, "root/nowhere" },
	{ "escape-absolute", false, EISDIR },
	{ "etc", false, EISDIR },
	{ "loop-b", false, ELOOP },
};

/* "escape-absolute" and "etc/escape" name root/outside/secret: made a directory for the one test,
 * so that what exists there is of the other kind. */
static void makes_mount_points(void **state)
{
	const struct scratch *s = *state;
	dj_auto_close int root = open_tree_root(s);
	char buf[16];

	make_dir(s, "root/outside");
	for (size_t i = 0; i < DJ_COUNT(mount_points); i++) {
		struct donjon_error err = { 0 };
		dj_auto_close int fd = -1;

		if (strcmp(mount_points[i].path, "etc/escape") == 0)
			scratch_write(s, "root/outside/secret", "");
		if (strcmp(mount_points[i].path, "escape-absolute") == 0) {
			assert_int_equal(unlinkat(s->fd, "root/outside/secret", 0), 0);
			make_dir(s, "root/outside/secret");
		}
		fd = path_make_mount_point(root, mount_points[i].path, mount_points[i].dir, &err);
		if (err.os != mount_points[i].want)
			fail_msg("%s: %s", mount_points[i].path, err.text);
		if (fd >= 0)
			assert_same_file(s, fd, mount_points[i].same);
	}
	assert_string_equal(scratch_read(s, "outside/secret", buf, sizeof(buf)), "secret");
	assert_int_equal(faccessat(s->fd, "outside/sub", F_OK, 0), -1);
}

/* The name itself: a link is what is found, whatever it leads to, and nothing is made there. */
static void makes_mount_points_without_following(void **state)
{
	static const struct {
		const char *path;
		bool dir;
		mode_t type;
	} cases[] = {
		{ "dangling", false, S_IFLNK }, { "escape-absolute", true, S_IFLNK },
		{ "loop-b", false, S_IFLNK },   { "etc", false, S_IFDIR },
		{ "new/deep/file", false, S_IFREG }, { "new/deep/dir", true, S_IFDIR },
	};
	const struct scratch *s = *state;
	dj_auto_close int root = open_tree_root(s);
	struct donjon_error err = { 0 };
	struct stat st;

	for (size_t i = 0; i < DJ_COUNT(cases); i++) {
		dj_auto_close int fd = path_make_mount_point_unfollowed(root, cases[i].path,
		                                                        cases[i].dir, &err);

		if (fd < 0)
			fail_msg("%s: %s", cases[i].path, err.text);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_mode & S_IFMT, cases[i].type);
	}
	assert_int_equal(faccessat(s->fd, "root/nowhere", F_OK, 0), -1);
	assert_int_equal(path_make_mount_point_unfollowed(root, "/", true, &err), -1);
	assert_int_equal(err.code, DONJON_E_CONFIG);
}

static void makes_directories_with_their_mode(void **state)
{
	const struct scratch *s = *state;
	dj_auto_close int root = open_tree_root(s);
	struct donjon_error err = { 0 };
	mode_t umask_before = umask(022);
	dj_auto_close int fd = path_make_dir(root, "private/sub", 0700, &err);
	struct stat st;

	(void)umask(umask_before);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(fstatat(s->fd, "root/private", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(path_make_dir(root, "etc/passwd/x", 0700, &err), -1);
	assert_string_equal(err.text, "make directory etc/passwd/x: not a directory");
}

static const struct {
	const char *path;
	bool make;
	const char *name; /* NULL: refused */
	const char *same;
} parents[] = {
	{ "etc/passwd", false, "passwd", "root/etc" },
	{ "/etc/missing", false, "missing", "root/etc" },
	{ "file", false, "file", "root" },
	{ "/file", false, "file", "root" },
	{ "absolute/x", false, "x", "root/etc" },
	{ "escape/x", false, NULL },
	{ "no/where", false, NULL },
	{ "no/where", true, "where", "root/no" },
	{ "etc/", true, NULL },
	{ "etc/.", true, NULL },
	{ "etc/..", true, NULL },
	{ "/", true, NULL },
	{ "", true, NULL },
};

static void opens_parents(void **state)
{
	dj_auto_close int root = open_tree_root(*state);

	for (size_t i = 0; i < DJ_COUNT(parents); i++) {
		struct donjon_error err = { 0 };
		const char *name = NULL;
		dj_auto_close int fd =
		        path_open_parent(root, parents[i].path, parents[i].make, &name, &err);

		if ((fd >= 0) != (parents[i].name != NULL))
			fail_msg("%s: %s", parents[i].path, err.text);
		if (fd < 0)
			continue;
		assert_string_equal(name, parents[i].name);
		assert_same_file(*state, fd, parents[i].same);
	}
}

static void leaks_nothing(void **state)
{
	dj_auto_close int root = open_tree_root(*state);
	int before = dup(root), after;

	(void)close(before);
	for (size_t i = 0; i < DJ_COUNT(in_root); i++) {
		int fd = path_open_in_root(root, in_root[i].path, in_root[i].flags & ~O_CREAT, 0);

		if (fd >= 0)
			(void)close(fd);
	}
	after = dup(root);
	(void)close(after);
	assert_int_equal(before, after);
}

/* T16: a directory of the image is exchanged with a link to the outside while it is walked. */
struct storm {
	int fd;
	atomic_bool stop;
};

static void *exchange(void *arg)
{
	struct storm *storm = arg;

	while (!storm->stop)
		(void)syscall(SYS_renameat2, storm->fd, "root/swap", storm->fd, "root/escape", 2);
	return NULL;
}

static void survives_a_rename_storm(void **state)
{
	const struct scratch *s = *state;
	dj_auto_close int root = open_tree_root(s);
	struct storm storm = { .fd = s->fd };
	struct stat outside, st;
	pthread_t thread;

	make_dir(s, "root/swap");
	make_dir(s, "root/swap/sub");
	assert_int_equal(fstatat(s->fd, "outside", &outside, 0), 0);
	assert_int_equal(pthread_create(&thread, NULL, exchange, &storm), 0);
	for (int i = 0; i < 3000; i++) {
		struct donjon_error err = { 0 };
		dj_auto_close int fd = path_open_in_root(root, "swap/sub/../secret", O_RDONLY, 0);
		dj_auto_close int up = path_open_in_root(root, "swap/sub/../..", O_PATH, 0);
		dj_auto_close int made = path_make_dir(root, "swap/made", 0755, &err);

		assert_true(fd < 0);
		if (up >= 0) {
			assert_int_equal(fstat(up, &st), 0);
			assert_int_not_equal(st.st_ino, outside.st_ino);
		}
	}
	storm.stop = true;
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(faccessat(s->fd, "outside/made", F_OK, 0), -1);
	assert_int_equal(fstatat(s->fd, "outside", &st, 0), 0);
	assert_int_equal(st.st_nlink, 2);
}

/* A filter in the way, as systemd's RestrictSUIDSGID= or a container puts it there (B03). */
static bool refuse_openat2(uint32_t errno_value)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | errno_value),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = DJ_COUNT(code), .filter = code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static bool works_filtered(int root, uint32_t errno_value)
{
	if (!refuse_openat2(errno_value))
		return false;
	return path_open_in_root(root, "climbing", O_RDONLY, 0) >= 0 &&
	       path_open_in_root(root, "escape/secret", O_RDONLY, 0) == -ENOENT &&
	       path_open_beneath(root, "etc/passwd", O_RDONLY, 0) >= 0 && path_uses_fallback();
}

/* EPERM about the file itself is passed on, and openat2 stays in use. */
static bool tells_eperm_apart(int root)
{
	if (setresuid(65534, 65534, 65534) < 0)
		return false;
	return path_open_in_root(root, "etc/passwd", O_RDONLY | O_NOATIME, 0) == -EPERM &&
	       !path_uses_fallback();
}

static void takes_the_walker_when_filtered(void **state)
{
	const struct scratch *s = *state;
	dj_auto_close int root = open_tree_root(s);

	assert_int_equal(fchmod(s->fd, 0755), 0);
	for (int i = 0; i < (geteuid() == 0 ? 3 : 2); i++) {
		int status = 0;
		pid_t pid = fork();

		if (pid == 0)
			_exit((i == 0   ? works_filtered(root, ENOSYS)
			       : i == 1 ? works_filtered(root, EPERM)
			                : tells_eperm_apart(root))
			              ? 0
			              : 1);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

static const struct {
	const char *path, *want;
} cleaned[] = {
	{ "", "/" },
	{ "/", "/" },
	{ "//", "/" },
	{ ".", "/" },
	{ "..", "/" },
	{ "/..", "/" },
	{ "a", "/a" },
	{ "/a/b/", "/a/b" },
	{ "/a//./b", "/a/b" },
	{ "/a/../b", "/b" },
	{ "/a/b/../../..", "/" },
	{ "/a/...", "/a/..." },
	{ "/.a/..b", "/.a/..b" },
};

static void cleans(void **state)
{
	char buf[16];

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(cleaned); i++) {
		assert_int_equal(path_clean(cleaned[i].path, buf, sizeof(buf)), 0);
		assert_string_equal(buf, cleaned[i].want);
	}
	assert_int_equal(path_clean("/a/b", buf, 5), 0);
	assert_int_equal(path_clean("/a/b", buf, 4), -ENAMETOOLONG);
	assert_int_equal(path_clean("/", buf, 1), -ENAMETOOLONG);
}

static void knows_prefixes(void **state)
{
	(void)state;
	assert_true(path_has_prefix("/a/b", "/a"));
	assert_true(path_has_prefix("/a", "/a"));
	assert_true(path_has_prefix("/a", "/"));
	assert_true(path_has_prefix("/", "/"));
	assert_false(path_has_prefix("/ab", "/a"));
	assert_false(path_has_prefix("/", "/a"));
}

static int with_openat2(void **state)
{
	path_force_fallback(false);
	assert_false(path_uses_fallback());
	return setup_tree(state);
}

static int with_walker(void **state)
{
	path_force_fallback(true);
	assert_true(path_uses_fallback());
	return setup_tree(state);
}

#define BOTH(test)                                                                                 \
	{ #test " (openat2)", test, with_openat2, scratch_teardown, NULL },                        \
	{                                                                                          \
#test " (walker)", test, with_walker, scratch_teardown, NULL                       \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(opens_in_root),
		BOTH(creates_through_a_dangling_link),
		BOTH(refuses_what_is_too_long),
		BOTH(opens_deep_trees),
		BOTH(opens_beneath),
		BOTH(beneath_creates),
		BOTH(beneath_stays_on_its_mount),
		BOTH(refuses_magic_links),
		BOTH(makes_mount_points),
		BOTH(makes_mount_points_without_following),
		BOTH(makes_directories_with_their_mode),
		BOTH(opens_parents),
		BOTH(leaks_nothing),
		BOTH(survives_a_rename_storm),
		cmocka_unit_test_setup_teardown(takes_the_walker_when_filtered, with_openat2,
		                                scratch_teardown),
		cmocka_unit_test(cleans),
		cmocka_unit_test(knows_prefixes),
	};

	return cmocka_run_group_tests_name("path", tests, NULL, NULL);
}
