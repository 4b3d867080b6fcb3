#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void allocations_are_zeroed_aligned_and_apart(void **state)
{
	struct dj_arena arena = { 0 };
	char *last = NULL;

	(void)state;
	for (size_t size = 1; size < 40000; size += size / 3 + 1) {
		char *p = dj_arena_alloc(&arena, size);

		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, size);
		assert_true(!last || (unsigned char)*last == 0xff);
		last = p;
	}
	dj_arena_done(&arena);
	assert_null(arena.block);
	dj_arena_done(&arena);
}

static void copies_and_formats(void **state)
{
	dj_auto_arena struct dj_arena arena = { 0 };
	char big[50000];
	int *numbers = dj_arena_array(&arena, 3, sizeof(int));

	(void)state;
	numbers[2] = 1;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_string_equal(dj_arena_strdup(&arena, ""), "");
	assert_string_equal(dj_arena_strdup(&arena, big), big);
	assert_string_equal(dj_arena_printf(&arena, "%d-%s", 7, big + 49990), "7-xxxxxxxxx");
	assert_int_equal(strlen(dj_arena_printf(&arena, "%s%s", big, big)), 2 * strlen(big));
	assert_non_null(dj_arena_alloc(&arena, 0));
	assert_non_null(dj_arena_array(&arena, 0, 8));
}

static int status_of(size_t count, size_t size)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		struct dj_arena arena = { 0 };

		(void)close(STDERR_FILENO);
		(void)signal(SIGABRT, SIG_DFL);
		(void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
		(void)dj_arena_array(&arena, count, size);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void sizes_that_overflow_end_the_process(void **state)
{
	(void)state;
	assert_true(WIFSIGNALED(status_of(SIZE_MAX / 2, 4)));
	assert_true(WIFSIGNALED(status_of(SIZE_MAX, 1)));
	assert_true(WIFSIGNALED(status_of(1, SIZE_MAX)));
	assert_int_equal(status_of(1, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allocations_are_zeroed_aligned_and_apart),
		cmocka_unit_test(copies_and_formats),
		cmocka_unit_test(sizes_that_overflow_end_the_process),
	};

	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
