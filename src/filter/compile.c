/*
 * Profile -> program.  For each architecture the numbers are sorted into runs of equal outcome and
 * a balanced tree of comparisons finds the run: about eight steps for a default profile, where a
 * list takes hundreds (startup-performance.md, "Seccomp").
 */
#include "filter/graph.h"
#include "filter/rules.h"

#include <errno.h>
#include <linux/audit.h>
#include <stddef.h>
#include <stdlib.h>

struct run {
	uint32_t first; /* number; the run ends where the next begins */
	uint32_t node;
};

struct compiler {
	const struct filter_options *options;
	struct graph graph;
	struct rule_set rules;
	struct run *runs;
	size_t n_runs;
};

static uint32_t test_word(struct compiler *c, uint32_t word, uint32_t mask, uint16_t jump,
                          uint32_t k, uint32_t yes, uint32_t no)
{
	const struct graph_test test = { .word = word, .mask = mask, .jump = jump, .k = k };

	return graph_test(&c->graph, test, yes, no);
}

/* Halves of an argument, as the filter on this architecture sees them. */
struct argument {
	uint32_t low, high; /* offsets in struct seccomp_data */
	bool is_narrow;     /* the upper half is no part of it, and counts as zero */
};

static struct argument argument_of(uint32_t arch, uint32_t index)
{
	uint32_t at = (uint32_t)offsetof(struct seccomp_data, args) + index * 8;
	bool big = syscall_arch_is_big_endian(arch);

	return (struct argument){ .low = big ? at + 4 : at,
		                  .high = big ? at : at + 4,
		                  .is_narrow = syscall_arch_is_narrow(arch) };
}

/* (argument & mask) == (value & mask) */
static uint32_t compile_equal(struct compiler *c, const struct argument *arg, uint64_t mask,
                              uint64_t value, uint32_t yes, uint32_t no)
{
	uint32_t low_mask = (uint32_t)mask, high_mask = (uint32_t)(mask >> 32);
	uint32_t high = (uint32_t)(value >> 32) & high_mask;
	uint32_t then =
	        test_word(c, arg->low, low_mask, BPF_JEQ, (uint32_t)value & low_mask, yes, no);

	if (arg->is_narrow)
		return high == 0 ? then : no;
	return high_mask == 0 ? then : test_word(c, arg->high, high_mask, BPF_JEQ, high, then, no);
}

/* argument > value or >= value: the upper half decides unless it is equal. */
static uint32_t compile_above(struct compiler *c, const struct argument *arg, uint16_t jump,
                              uint64_t value, uint32_t yes, uint32_t no)
{
	uint32_t high = (uint32_t)(value >> 32);
	uint32_t then = test_word(c, arg->low, UINT32_MAX, jump, (uint32_t)value, yes, no);

	if (arg->is_narrow)
		return high == 0 ? then : no;
	then = test_word(c, GRAPH_LOADED, UINT32_MAX, BPF_JEQ, high, then, no);
	return test_word(c, arg->high, UINT32_MAX, BPF_JGT, high, yes, then);
}

static uint32_t compile_arg(struct compiler *c, uint32_t arch, const struct oci_seccomp_arg *arg,
                            uint32_t yes, uint32_t no)
{
	const struct argument at = argument_of(arch, arg->index);

	switch (arg->op) {
	case OCI_OP_NE:
		return compile_equal(c, &at, UINT64_MAX, arg->value, no, yes);
	case OCI_OP_LT:
		return compile_above(c, &at, BPF_JGE, arg->value, no, yes);
	case OCI_OP_LE:
		return compile_above(c, &at, BPF_JGT, arg->value, no, yes);
	case OCI_OP_EQ:
		return compile_equal(c, &at, UINT64_MAX, arg->value, yes, no);
	case OCI_OP_GE:
		return compile_above(c, &at, BPF_JGE, arg->value, yes, no);
	case OCI_OP_GT:
		return compile_above(c, &at, BPF_JGT, arg->value, yes, no);
	case OCI_OP_MASKED_EQ:
		return compile_equal(c, &at, arg->value, arg->value_two, yes, no);
	case OCI_OP_COUNT:
		break;
	}
	abort();
}

static uint32_t compile_rule(struct compiler *c, uint32_t arch, const struct rule *rule,
                             uint32_t otherwise)
{
	uint32_t node = graph_return(&c->graph, rule->verdict);

	for (size_t i = rule->n_args; i > 0; i--)
		node = compile_arg(c, arch, &rule->args[i - 1], node, otherwise);
	return node;
}

/* Where no rule of a named call matches. */
static uint32_t unmatched_verdict(const struct compiler *c)
{
	uint32_t fallback = c->rules.fallback.verdict;
	bool is_errno = (fallback & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO;

	return is_errno && c->options->eperm_unmatched ? SECCOMP_RET_ERRNO | EPERM : fallback;
}

/* The N rules of one number, strictest first: the first that matches decides, and behind an
 * unconditional one nothing does. */
static uint32_t compile_number(struct compiler *c, uint32_t arch, const uint64_t *keys, size_t n)
{
	uint32_t node = graph_return(&c->graph, unmatched_verdict(c));
	size_t used = 0;

	while (used < n && rule_key_rule(&c->rules, keys[used++])->n_args > 0)
		continue;
	while (used > 0)
		node = compile_rule(c, arch, rule_key_rule(&c->rules, keys[--used]), node);
	return node;
}

/* From FIRST on the outcome is NODE. */
static void add_run(struct compiler *c, uint32_t first, uint32_t node)
{
	if (c->n_runs > 0 && c->runs[c->n_runs - 1].first == first)
		c->n_runs--;
	if (c->n_runs == 0 || c->runs[c->n_runs - 1].node != node)
		c->runs[c->n_runs++] = (struct run){ .first = first, .node = node };
}

/* A profile that refuses what it does not name refuses calls newer than itself with ENOSYS:
 * programs fall back to an older call then, and only then (P95). */
static uint32_t above_verdict(const struct compiler *c)
{
	uint32_t fallback = c->rules.fallback.verdict;

	switch (fallback & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_KILL_PROCESS:
	case SECCOMP_RET_KILL_THREAD:
	case SECCOMP_RET_TRAP:
	case SECCOMP_RET_ERRNO:
		return c->options->enosys_above_table ? SECCOMP_RET_ERRNO | ENOSYS : fallback;
	default:
		return fallback;
	}
}

static void find_runs(struct compiler *c, uint32_t arch)
{
	const struct rule_set *rules = &c->rules;
	uint32_t fallback = graph_return(&c->graph, rules->fallback.verdict);
	size_t end;

	c->n_runs = 0;
	add_run(c, 0, fallback);
	for (size_t i = 0; i < rules->n_keys; i = end) {
		uint32_t number = rule_key_number(rules->keys[i]);

		for (end = i + 1; end < rules->n_keys; end++)
			if (rule_key_number(rules->keys[end]) != number)
				break;
		add_run(c, number, compile_number(c, arch, &rules->keys[i], end - i));
		add_run(c, number + 1, fallback);
	}
	if (rules->n_keys > 0)
		add_run(c, rule_key_number(rules->keys[rules->n_keys - 1]) + 1,
		        graph_return(&c->graph, above_verdict(c)));
}

/* Joins neighbours pairwise until one node is left.  WORD: how the topmost gets the number. */
static uint32_t join_runs(struct compiler *c, uint32_t word)
{
	while (c->n_runs > 1) {
		size_t joined = 0;

		for (size_t i = 0; i < c->n_runs; i += 2) {
			struct run run = c->runs[i];

			if (i + 1 < c->n_runs)
				run.node = test_word(c, c->n_runs == 2 ? word : GRAPH_LOADED,
				                     UINT32_MAX, BPF_JGE, c->runs[i + 1].first,
				                     c->runs[i + 1].node, run.node);
			c->runs[joined++] = run;
		}
		c->n_runs = joined;
	}
	return c->runs[0].node;
}

/* The tree of one architecture. */
static uint32_t compile_arch(struct compiler *c, uint32_t arch, uint32_t word)
{
	rule_set_sort(&c->rules, arch);
	find_runs(c, arch);
	return join_runs(c, word);
}

static bool lists(const struct oci_seccomp *profile, uint32_t arch)
{
	for (size_t i = 0; i < profile->architectures.n; i++)
		if (profile->architectures.v[i] == arch)
			return true;
	return false;
}

/* The native architecture is always in (P88). */
static bool is_wanted(const struct compiler *c, uint32_t arch)
{
	return arch == c->options->native_arch || lists(c->rules.profile, arch);
}

/*
 * x86-64 and x32 share an audit architecture and differ in one bit of the number.  The number -1,
 * which has the bit too, is neither: a tracer writes it to have the call skipped, and a kill
 * would end a container for being debugged (seccomp(2), Linux 4.8).
 */
static uint32_t compile_x86_64(struct compiler *c)
{
	const uint32_t number = offsetof(struct seccomp_data, nr);
	uint32_t bad = graph_return(&c->graph, c->options->bad_arch_action);
	uint32_t above = graph_return(&c->graph, above_verdict(c));
	uint32_t x32 = bad, native = bad;

	if (is_wanted(c, OCI_ARCH_X32))
		x32 = compile_arch(c, OCI_ARCH_X32, GRAPH_LOADED);
	if (is_wanted(c, AUDIT_ARCH_X86_64)) {
		native = compile_arch(c, AUDIT_ARCH_X86_64, GRAPH_LOADED);
		x32 = test_word(c, GRAPH_LOADED, UINT32_MAX, BPF_JEQ, UINT32_MAX, above, x32);
	}
	return test_word(c, number, UINT32_MAX, BPF_JGE, SYSCALL_X32_BIT, x32, native);
}

/* The audit architectures of the program, the native one first.  Unknown to the tables means
 * without numbers for the rules: such calls get the bad-architecture action. */
static size_t list_archs(const struct compiler *c, uint32_t *archs)
{
	const struct oci_seccomp *profile = c->rules.profile;
	size_t n = 0;

	archs[n++] = c->options->native_arch;
	for (size_t i = 0; i < profile->architectures.n; i++) {
		uint32_t arch = profile->architectures.v[i];
		bool is_new = true;

		if (arch == OCI_ARCH_X32)
			arch = AUDIT_ARCH_X86_64;
		for (size_t j = 0; j < n; j++)
			is_new = is_new && archs[j] != arch;
		if (is_new && syscall_arch_known(arch))
			archs[n++] = arch;
	}
	return n;
}

static uint32_t compile_all(struct compiler *c, struct dj_arena *scratch)
{
	const uint32_t word = offsetof(struct seccomp_data, arch);
	const uint32_t number = offsetof(struct seccomp_data, nr);
	uint32_t *archs =
	        dj_arena_array(scratch, c->rules.profile->architectures.n + 1, sizeof(*archs));
	uint32_t node = graph_return(&c->graph, c->options->bad_arch_action);

	for (size_t i = list_archs(c, archs); i > 0; i--) {
		uint32_t arch = archs[i - 1];
		uint32_t tree = arch == AUDIT_ARCH_X86_64 ? compile_x86_64(c)
		                                          : compile_arch(c, arch, number);

		node = test_word(c, i == 1 ? word : GRAPH_LOADED, UINT32_MAX, BPF_JEQ, arch, tree,
		                 node);
	}
	return node;
}

/* TSYNC means nothing to a stage of one thread.  SPEC_ALLOW only where the profile lists it
 * (decision 44).  WAIT_KILLABLE_RECV without a listener is EINVAL. */
static uint32_t load_flags(const struct oci_seccomp *profile, bool notifies)
{
	uint32_t flags = profile->flags_set ? profile->flags : 0;

	flags &= SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW |
	         SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	return notifies ? flags : flags & ~(uint32_t)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
}

static int check_names(const struct compiler *c, struct donjon_error *err)
{
	if (!c->options->names_must_resolve || c->rules.n_unknown == 0)
		return 0;
	return dj_fail(err, DONJON_E_CONFIG, "linux.seccomp: %s: no such system call is known",
	               c->rules.unknown[0]);
}

static void copy_unknown(const struct rule_set *rules, struct dj_arena *arena,
                         struct oci_strings *out)
{
	if (rules->n_unknown == 0)
		return;
	out->v = dj_arena_array(arena, rules->n_unknown + 1, sizeof(*out->v));
	out->n = rules->n_unknown;
	for (size_t i = 0; i < out->n; i++)
		out->v[i] = dj_arena_strdup(arena, rules->unknown[i]);
}

int filter_compile(const struct oci_seccomp *profile, const struct filter_options *options,
                   struct dj_arena *arena, struct filter_program *out, struct donjon_error *err)
{
	dj_auto_arena struct dj_arena scratch = { 0 };
	struct filter_program program = { 0 };
	struct compiler c = { .options = options, .graph.arena = &scratch };
	uint32_t root;

	if (!syscall_arch_known(options->native_arch))
		return dj_fail(err, DONJON_E_UNSUPPORTED,
		               "linux.seccomp: the system calls of architecture %#x are not known",
		               options->native_arch);
	if (rule_set_init(&c.rules, profile, &scratch, err) < 0)
		return -1;
	c.runs = dj_arena_array(&scratch, 2 * c.rules.max_keys + 2, sizeof(*c.runs));
	root = compile_all(&c, &scratch);
	if (check_names(&c, err) < 0 || graph_write(&c.graph, root, arena, &program, err) < 0)
		return -1;
	program.load_flags = load_flags(profile, program.notifies);
	copy_unknown(&c.rules, arena, &program.unknown);
	*out = program;
	return 0;
}

struct filter_options filter_options_for_bundle(uint32_t native_arch)
{
	return (struct filter_options){
		.native_arch = native_arch,
		.bad_arch_action = SECCOMP_RET_KILL_THREAD,
		.enosys_above_table = true,
	};
}

struct filter_options filter_options_for_builtin(uint32_t native_arch)
{
	return (struct filter_options){
		.native_arch = native_arch,
		.bad_arch_action = SECCOMP_RET_ERRNO | ENOSYS,
		.eperm_unmatched = true,
		.names_must_resolve = true,
	};
}
