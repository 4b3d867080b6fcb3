#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void opens_and_reads(void **state)
{
	struct donjon_error err = { 0 };
	dj_auto_close int proc = procfs_open(&err);
	dj_auto_close int host = procfs_open_host(&err);
	const int roots[] = { proc, host };
	char buf[64], want[64];

	(void)state;
	(void)snprintf(want, sizeof(want), "%d (test_procfs) ", (int)getpid());
	for (size_t i = 0; i < DJ_COUNT(roots); i++) {
		char stat[1024];

		assert_true(roots[i] >= 0);
		assert_true(procfs_read(roots[i], "self/stat", stat, sizeof(stat), &err) > 0);
		assert_memory_equal(stat, want, strlen(want));
		assert_true(procfs_read(roots[i], "thread-self/comm", buf, sizeof(buf), &err) > 0);
		assert_string_equal(buf, "test_procfs");
		assert_true(procfs_read(roots[i], "sys/kernel/ostype", buf, sizeof(buf), &err) > 0);
		assert_string_equal(buf, "Linux");
	}
}

static void refuses_links_and_escapes(void **state)
{
	static const struct {
		const char *path;
		int want;
	} rows[] = {
		{ "mounts", -ELOOP },     { "self", -ELOOP },           { "self/root/etc", -ELOOP },
		{ "self/exe", -ELOOP },   { "self/fd/0", -ELOOP },      { "..", -EXDEV },
		{ "/self/stat", -EXDEV }, { "self/../../etc", -EXDEV }, { "self/nothing", -ENOENT },
		{ "selfish/x", -ENOENT },
	};
	struct donjon_error err = { 0 };
	dj_auto_close int proc = procfs_open(&err);

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		dj_auto_close int fd = procfs_openat(proc, O_RDONLY, "%s", rows[i].path);

		if (fd != rows[i].want)
			fail_msg("%s: %d", rows[i].path, fd);
	}
	assert_int_equal(procfs_openat(proc, O_RDONLY, "%0300d", 1), -ENAMETOOLONG);
}

/* One link is followed, and only at the end. */
static void follows_one_link(void **state)
{
	struct donjon_error err = { 0 };
	dj_auto_close int proc = procfs_open_host(&err);
	dj_auto_close int handle = open("/etc/passwd", O_PATH | O_CLOEXEC);
	dj_auto_close int fd = -1, ns = -1;
	struct stat want, got;
	char link[16];

	(void)state;
	assert_int_equal(fstat(handle, &want), 0);
	(void)snprintf(link, sizeof(link), "%d", handle);
	fd = procfs_follow(proc, link, "self/fd");
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &got), 0);
	assert_int_equal(got.st_ino, want.st_ino);
	assert_int_equal(read(fd, link, 1), 1); /* opened for reading */
	ns = procfs_follow(proc, "mnt", "%d/ns", (int)getpid());
	assert_true(ns >= 0);
	assert_int_equal(procfs_follow(proc, "passwd", "self/root/etc"), -ELOOP);
	assert_int_equal(procfs_follow(proc, "none", "self/ns"), -ENOENT);
	assert_int_equal(procfs_follow(proc, "x", "%0300d", 1), -ENAMETOOLONG);
}

static void writes(void **state)
{
	struct donjon_error err = { 0 };
	dj_auto_close int proc = procfs_open(&err);
	char buf[64];

	(void)state;
	assert_int_equal(procfs_write(proc, "self/comm", "renamed", &err), 0);
	assert_true(procfs_read(proc, "self/comm", buf, sizeof(buf), &err) > 0);
	assert_string_equal(buf, "renamed");
	assert_int_equal(procfs_write(proc, "self/oom_score_adj", "5000", &err), -1);
	assert_string_equal(err.text, "write /proc/self/oom_score_adj: invalid argument");
	dj_error_clear(&err);
	assert_int_equal(procfs_write(proc, "self/none", "x", &err), -1);
	assert_string_equal(err.text, "open /proc/self/none: no such file or directory");
	dj_error_clear(&err);
	assert_int_equal(procfs_read(proc, "self/status", buf, sizeof(buf), &err), -1);
	assert_string_equal(err.text, "read /proc/self/status: file too large");
}

/* Runs the check in a mount namespace of its own whose /proc was tampered with (T28). */
static void in_namespace(bool (*check)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (unshare(CLONE_NEWNS) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
			_exit(77);
		_exit(check() ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

static bool host_is_refused(const char *why)
{
	struct donjon_error err = { 0 };

	return procfs_open_host(&err) == -1 && strcmp(err.text, why) == 0;
}

static bool tmpfs_is_refused(void)
{
	return mount("tmpfs", "/proc", "tmpfs", 0, NULL) == 0 &&
	       host_is_refused("/proc is not the root of a procfs");
}

static bool part_of_a_procfs_is_refused(void)
{
	return mount("/proc/sys", "/proc", NULL, MS_BIND, NULL) == 0 &&
	       host_is_refused("/proc is not the root of a procfs");
}

/* Something mounted over a process file is not crossed into, be it a real procfs file. */
static bool mounted_over_is_refused(void)
{
	struct donjon_error err = { 0 };
	dj_auto_close int host = procfs_open_host(&err);
	dj_auto_close int own = procfs_open(&err);
	dj_auto_close int good = -1, bad = -1;

	if (host < 0 || own < 0 ||
	    mount("/proc/self/sched", "/proc/self/comm", NULL, MS_BIND, NULL) < 0)
		return false;
	bad = procfs_openat(host, O_RDWR, "self/comm");
	good = procfs_openat(own, O_RDWR, "self/comm"); /* the private one never saw the mount */
	return bad == -EXDEV && good >= 0;
}

/* The number of "self" is that of the procfs asked, not of getpid(2). */
static bool self_is_numbered_by_the_procfs(void)
{
	struct donjon_error err = { 0 };
	dj_auto_close int host = procfs_open_host(&err);
	int status = 1;
	pid_t pid;

	if (host < 0 || unshare(CLONE_NEWPID) < 0)
		return false;
	pid = fork();
	if (pid == 0) {
		char outer[1024], inner[1024];
		dj_auto_close int own = procfs_open(&err);
		bool ok = own >= 0 &&
		          procfs_read(host, "self/stat", outer, sizeof(outer), &err) > 0 &&
		          procfs_read(own, "self/stat", inner, sizeof(inner), &err) > 0;

		_exit(ok && atoi(outer) != 1 && atoi(inner) == 1 ? 0 : 1);
	}
	return waitpid(pid, &status, 0) == pid && status == 0;
}

static void survives_a_tampered_proc(void **state)
{
	(void)state;
	in_namespace(tmpfs_is_refused);
	in_namespace(part_of_a_procfs_is_refused);
	in_namespace(mounted_over_is_refused);
	in_namespace(self_is_numbered_by_the_procfs);
}

static int with_openat2(void **state)
{
	(void)state;
	path_force_fallback(false);
	return 0;
}

static int with_walker(void **state)
{
	(void)state;
	path_force_fallback(true);
	return 0;
}

#define BOTH(test)                                                                                 \
	{ #test " (openat2)", test, with_openat2, NULL, NULL },                                    \
	{                                                                                          \
#test " (walker)", test, with_walker, NULL, NULL                                   \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(opens_and_reads),
		BOTH(refuses_links_and_escapes),
		BOTH(follows_one_link),
		BOTH(writes),
		BOTH(survives_a_tampered_proc),
	};

	return cmocka_run_group_tests_name("procfs", tests, NULL, NULL);
}
