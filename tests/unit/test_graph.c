/* Equal nodes are one node, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "filter/graph.h"

enum { MANY = 3 * GRAPH_BUCKETS };

static void test_equal_nodes_are_shared(void **state)
{
	dj_auto_arena struct dj_arena arena = { 0 };
	struct graph g = { .arena = &arena };
	const struct graph_test test = { 16, UINT32_MAX, BPF_JEQ, 5 };
	uint32_t a = graph_return(&g, 1), b = graph_return(&g, 2);
	uint32_t node = graph_test(&g, test, a, b);

	(void)state;
	assert_int_equal(graph_return(&g, 1), a);
	assert_int_equal(graph_test(&g, test, a, b), node);
	assert_int_not_equal(graph_test(&g, test, b, a), node);
	/* A test that decides nothing is left out. */
	assert_int_equal(graph_test(&g, test, a, a), a);
}

/* More nodes than buckets, which differ in one member only. */
static void test_different_nodes_stay_apart(void **state)
{
	(void)state;
	for (int member = 0; member < 5; member++) {
		dj_auto_arena struct dj_arena arena = { 0 };
		struct graph g = { .arena = &arena };
		uint32_t verdicts[MANY];

		for (uint32_t i = 0; i < MANY; i++)
			verdicts[i] = graph_return(&g, i);
		for (uint32_t i = 1; i < MANY; i++) {
			struct graph_test test = { 16, UINT32_MAX, BPF_JEQ, 5 };
			uint32_t yes = verdicts[0], no = verdicts[1];

			if (member == 0)
				test.word = i;
			if (member == 1)
				test.mask = i;
			if (member == 2)
				test.k = i;
			if (member == 3)
				yes = verdicts[1 + i % (MANY - 1)], no = verdicts[0];
			if (member == 4)
				no = verdicts[i];
			(void)graph_test(&g, test, yes, no);
		}
		assert_int_equal(g.n, 2 * MANY - 1);
		assert_false(g.full);
	}
}

static void test_too_many_nodes(void **state)
{
	dj_auto_arena struct dj_arena arena = { 0 };
	struct graph g = { .arena = &arena };
	struct filter_program program = { 0 };
	struct donjon_error err = { 0 };

	(void)state;
	for (uint32_t i = 0; i <= GRAPH_MAX_NODES; i++)
		(void)graph_return(&g, i);
	assert_true(g.full);
	assert_int_equal(graph_write(&g, 0, &arena, &program, &err), -1);
	assert_int_equal(err.code, DONJON_E_CONFIG);
}

static void test_one_verdict(void **state)
{
	dj_auto_arena struct dj_arena arena = { 0 };
	struct graph g = { .arena = &arena };
	struct filter_program program = { 0 };
	struct donjon_error err = { 0 };
	uint32_t root = graph_return(&g, SECCOMP_RET_ALLOW);

	(void)state;
	assert_int_equal(graph_write(&g, root, &arena, &program, &err), 0);
	assert_int_equal(program.n, 1);
	assert_int_equal(program.v[0].code, BPF_RET | BPF_K);
	assert_int_equal(program.v[0].k, SECCOMP_RET_ALLOW);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_nodes_are_shared),
		cmocka_unit_test(test_different_nodes_stay_apart),
		cmocka_unit_test(test_too_many_nodes),
		cmocka_unit_test(test_one_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
