#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"

#include "scratch.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

static int read_name(const struct scratch *s, const char *name, size_t max, char **out,
                     size_t *size, struct donjon_error *err)
{
	dj_auto_close int fd = openat(s->fd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	assert_true(fd >= 0);
	return file_read_regular(fd, max, "config.json", out, size, err);
}

static void reads_up_to_its_limit(void **state)
{
	static const struct {
		size_t size, max;
		const char *error;
	} rows[] = {
		{ 0, 0, NULL },
		{ 0, 10, NULL },
		{ 10, 10, NULL },
		{ 100000, 100000, NULL },
		{ 1, 0, "config.json: larger than 0 bytes" },
		{ 11, 10, "config.json: larger than 10 bytes" },
	};
	const struct scratch *s = *state;

	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		struct donjon_error err = { 0 };
		dj_auto_free char *want = calloc(rows[i].size + 1, 1), *got = NULL;
		size_t size = 0;
		int r;

		memset(want, 'x', rows[i].size);
		scratch_write(s, "file", want);
		r = read_name(s, "file", rows[i].max, &got, &size, &err);
		assert_int_equal(r, rows[i].error ? -1 : 0);
		if (rows[i].error) {
			assert_string_equal(err.text, rows[i].error);
			assert_int_equal(err.code, DONJON_E_CONFIG);
			continue;
		}
		assert_int_equal(size, rows[i].size);
		assert_string_equal(got, want);
	}
}

/* T30: nothing but regular files, and no byte of a sparse giant. */
static void refuses_what_is_not_a_regular_file(void **state)
{
	const struct scratch *s = *state;
	char *out = NULL;
	size_t size;
	dj_auto_close int sparse = -1, zero = -1;

	assert_int_equal(mkfifoat(s->fd, "fifo", 0600), 0);
	sparse = openat(s->fd, "sparse", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(sparse, 4LL << 30), 0);
	zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	{
		struct donjon_error err = { 0 };

		assert_int_equal(read_name(s, "fifo", 100, &out, &size, &err), -1);
		assert_string_equal(err.text, "config.json: not a regular file");
	}
	{
		struct donjon_error err = { 0 };

		assert_int_equal(read_name(s, ".", 100, &out, &size, &err), -1);
		assert_string_equal(err.text, "config.json: not a regular file");
	}
	{
		struct donjon_error err = { 0 };

		assert_int_equal(file_read_regular(zero, 100, "config.json", &out, &size, &err),
		                 -1);
		assert_string_equal(err.text, "config.json: not a regular file");
	}
	{
		struct donjon_error err = { 0 };

		assert_int_equal(
		        file_read_regular(sparse, 16 << 20, "config.json", &out, &size, &err), -1);
		assert_string_equal(err.text, "config.json: larger than 16777216 bytes");
	}
	assert_null(out);
}

/* procfs calls its files regular and empty: the same code path as a file that grows. */
static void reads_files_of_unknown_size(void **state)
{
	dj_auto_close int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	dj_auto_close int again = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	struct donjon_error err = { 0 };
	dj_auto_free char *text = NULL, *none = NULL;
	size_t size = 0;

	(void)state;
	assert_int_equal(file_read_regular(fd, 1 << 20, "status", &text, &size, &err), 0);
	assert_int_equal(size, strlen(text));
	assert_non_null(strstr(text, "CapBnd:"));
	assert_int_equal(file_read_regular(again, 100, "status", &none, &size, &err), -1);
	assert_string_equal(err.text, "status: larger than 100 bytes");
}

static void reads_kernel_files(void **state)
{
	static const struct {
		const char *text;
		ssize_t want;
		const char *got;
	} rows[] = {
		{ "", 0, "" },
		{ "\n", 0, "" },
		{ "max\n", 3, "max" },
		{ "max", 3, "max" },
		{ "a\n\n", 2, "a\n" },
		{ "123456\n", 6, "123456" },
		{ "1234567", 7, "1234567" },
		{ "12345678", -EFBIG, NULL },
	};
	const struct scratch *s = *state;

	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		dj_auto_close int fd = -1;
		char buf[8];

		scratch_write(s, "value", rows[i].text);
		fd = openat(s->fd, "value", O_RDONLY | O_CLOEXEC);
		assert_int_equal(file_read_kernel(fd, buf, sizeof(buf)), rows[i].want);
		if (rows[i].got)
			assert_string_equal(buf, rows[i].got);
	}
	assert_int_equal(file_read_kernel(s->fd, (char[8]){ 0 }, 8), -EISDIR);
}

static void writes_all(void **state)
{
	int pipe_fds[2];

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(file_write_all(pipe_fds[1], "abc", 3), 0);
	assert_int_equal(file_write_all(pipe_fds[1], "", 0), 0);
	(void)close(pipe_fds[0]);
	assert_int_equal(file_write_all(pipe_fds[1], "abc", 3), -EPIPE);
	(void)close(pipe_fds[1]);
	assert_int_equal(file_write_all(-1, "abc", 3), -EBADF);
}

static int count_entries(const struct scratch *s)
{
	DIR *dir = opendir(s->path);
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n - 2; /* "." and ".." */
}

static void replaces_atomically(void **state)
{
	const struct scratch *s = *state;
	struct donjon_error err = { 0 };
	mode_t umask_before = umask(077);
	struct stat st;
	char buf[16];

	assert_int_equal(file_replace(s->fd, "state.json", 0644, "one", 3, &err), 0);
	assert_string_equal(scratch_read(s, "state.json", buf, sizeof(buf)), "one");
	assert_int_equal(fstatat(s->fd, "state.json", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(file_replace(s->fd, "state.json", 0600, "second", 6, &err), 0);
	assert_string_equal(scratch_read(s, "state.json", buf, sizeof(buf)), "second");
	assert_int_equal(count_entries(s), 1);
	(void)umask(umask_before);
}

/* T47: a link of that name is replaced, not followed. */
static void replaces_links_themselves(void **state)
{
	const struct scratch *s = *state;
	struct donjon_error err = { 0 };
	char buf[16], temporary[64];

	scratch_write(s, "canary", "canary");
	assert_int_equal(symlinkat("canary", s->fd, "pid"), 0);
	/* A crashed process of our pid, or an enemy, left links where the temporary file goes. */
	(void)snprintf(temporary, sizeof(temporary), ".pid.%d-0", (int)getpid());
	assert_int_equal(symlinkat("canary", s->fd, temporary), 0);
	assert_int_equal(file_replace(s->fd, "pid", 0644, "42", 2, &err), 0);
	assert_string_equal(scratch_read(s, "pid", buf, sizeof(buf)), "42");
	assert_string_equal(scratch_read(s, "canary", buf, sizeof(buf)), "canary");
}

static void accepts_paths(void **state)
{
	const struct scratch *s = *state;
	struct donjon_error err = { 0 };
	char path[128], buf[16];

	(void)snprintf(path, sizeof(path), "%s/sub/pid", s->path);
	assert_int_equal(mkdirat(s->fd, "sub", 0700), 0);
	assert_int_equal(file_replace(AT_FDCWD, path, 0644, "42", 2, &err), 0);
	assert_string_equal(scratch_read(s, "sub/pid", buf, sizeof(buf)), "42");
}

static void a_failed_replace_leaves_nothing(void **state)
{
	const struct scratch *s = *state;
	char long_name[300];

	assert_int_equal(mkdirat(s->fd, "dir", 0700), 0);
	{
		struct donjon_error err = { 0 };

		assert_int_equal(file_replace(s->fd, "dir", 0644, "x", 1, &err), -1);
		assert_string_equal(err.text, "dir: write: is a directory");
	}
	{
		struct donjon_error err = { 0 };

		assert_int_equal(file_replace(s->fd, "none/x", 0644, "x", 1, &err), -1);
		assert_string_equal(err.text, "none/x: create: no such file or directory");
	}
	{
		struct donjon_error err = { 0 };

		memset(long_name, 'x', sizeof(long_name) - 1);
		long_name[sizeof(long_name) - 1] = '\0';
		assert_int_equal(file_replace(s->fd, long_name, 0644, "x", 1, &err), -1);
		assert_int_equal(err.os, ENAMETOOLONG);
	}
	assert_int_equal(count_entries(s), 1);
}

#define SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH(reads_up_to_its_limit),
		SCRATCH(refuses_what_is_not_a_regular_file),
		cmocka_unit_test(reads_files_of_unknown_size),
		SCRATCH(reads_kernel_files),
		cmocka_unit_test(writes_all),
		SCRATCH(replaces_atomically),
		SCRATCH(replaces_links_themselves),
		SCRATCH(accepts_paths),
		SCRATCH(a_failed_replace_leaves_nothing),
	};

	return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
