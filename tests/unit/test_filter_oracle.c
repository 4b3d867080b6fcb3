/*
 * libseccomp as the oracle: the same rules through its compiler and through ours, equal verdicts
 * for all numbers and the argument values where compares go wrong.  Left out, because
 * libseccomp 2.5 is known to be wrong there (test_filter.c holds what is right):
 *  - x32 calls with argument rules (it forgets the arguments);
 *  - calls behind socketcall(2) and ipc(2) with argument rules (it compares the multiplexer's
 *    arguments, or nothing);
 *  - values beyond 32 bits on 32-bit architectures (it cuts them);
 *  - rules that contradict each other (it lets the first one without arguments win);
 *  - several rules for one call other than by EQ on one argument (its merged tree lets conditions
 *    of one rule stand for another's: a3 >= 0x100000001 and a3 <= 0x7fffffff together also match
 *    0x80000000).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "filter_fixture.h"

#include "filter/syscall_table.h"
#include "filter/syscalls.h"

#include <seccomp.h>
#include <sys/mman.h>

/* ---- the same profile through libseccomp, added as runc and crun add it ---- */

static uint32_t scmp_action(enum oci_seccomp_action action, uint32_t data)
{
	switch (action) {
	case OCI_ACT_KILL_THREAD:
		return SCMP_ACT_KILL_THREAD;
	case OCI_ACT_KILL_PROCESS:
		return SCMP_ACT_KILL_PROCESS;
	case OCI_ACT_TRAP:
		return SCMP_ACT_TRAP;
	case OCI_ACT_ERRNO:
		return SCMP_ACT_ERRNO(data);
	case OCI_ACT_TRACE:
		return SCMP_ACT_TRACE(data);
	case OCI_ACT_ALLOW:
		return SCMP_ACT_ALLOW;
	case OCI_ACT_LOG:
		return SCMP_ACT_LOG;
	case OCI_ACT_NOTIFY:
		return SCMP_ACT_NOTIFY;
	case OCI_ACT_COUNT:
		break;
	}
	abort();
}

static uint32_t scmp_token(uint32_t arch)
{
	return arch == OCI_ARCH_X32 ? SCMP_ARCH_X32 : arch;
}

static struct scmp_arg_cmp scmp_compare(const struct oci_seccomp_arg *arg)
{
	static const enum scmp_compare ops[OCI_OP_COUNT] = {
		[OCI_OP_NE] = SCMP_CMP_NE,
		[OCI_OP_LT] = SCMP_CMP_LT,
		[OCI_OP_LE] = SCMP_CMP_LE,
		[OCI_OP_EQ] = SCMP_CMP_EQ,
		[OCI_OP_GE] = SCMP_CMP_GE,
		[OCI_OP_GT] = SCMP_CMP_GT,
		[OCI_OP_MASKED_EQ] = SCMP_CMP_MASKED_EQ,
	};

	return (struct scmp_arg_cmp){ .arg = arg->index,
		                      .op = ops[arg->op],
		                      .datum_a = arg->value,
		                      .datum_b = arg->value_two };
}

static void add_rule(scmp_filter_ctx ctx, const struct oci_seccomp_rule *rule, uint32_t fallback)
{
	uint32_t action =
	        scmp_action(rule->action, rule->errno_ret.set ? rule->errno_ret.v : EPERM);
	struct scmp_arg_cmp args[6];

	if (action == fallback)
		return;
	for (size_t i = 0; i < rule->args.n; i++)
		args[i] = scmp_compare(&rule->args.v[i]);
	for (size_t j = 0; j < rule->names.n; j++) {
		int number = seccomp_syscall_resolve_name(rule->names.v[j]);

		if (number != __NR_SCMP_ERROR)
			assert_int_equal(seccomp_rule_add_array(ctx, action, number,
			                                        (unsigned)rule->args.n, args),
			                 0);
	}
}

static struct filter_program oracle(const struct oci_seccomp *profile, uint32_t native,
                                    struct dj_arena *arena)
{
	uint32_t data = profile->default_errno.set ? profile->default_errno.v : EPERM;
	uint32_t fallback = scmp_action(profile->default_action, data);
	scmp_filter_ctx ctx = seccomp_init(fallback);
	struct filter_program program = { 0 };
	int fd = memfd_create("oracle", MFD_CLOEXEC);
	ssize_t size;

	assert_non_null(ctx);
	assert_true(fd >= 0);
	if (native != seccomp_arch_native()) {
		assert_int_equal(seccomp_arch_add(ctx, native), 0);
		assert_int_equal(seccomp_arch_remove(ctx, SCMP_ARCH_NATIVE), 0);
	}
	for (size_t i = 0; i < profile->architectures.n; i++)
		if (profile->architectures.v[i] != native)
			assert_int_equal(
			        seccomp_arch_add(ctx, scmp_token(profile->architectures.v[i])), 0);
	for (size_t i = 0; i < profile->rules.n; i++)
		add_rule(ctx, &profile->rules.v[i], fallback);
	assert_int_equal(seccomp_export_bpf(ctx, fd), 0);
	seccomp_release(ctx);
	program.v = dj_arena_array(arena, FILTER_MAX, sizeof(*program.v));
	size = pread(fd, program.v, FILTER_MAX * sizeof(*program.v), 0);
	assert_true(size > 0);
	program.n = (size_t)size / sizeof(*program.v);
	(void)close(fd);
	return program;
}

/* ---- comparing ---- */

static bool is_used(const struct oci_seccomp *profile, const char *name)
{
	for (size_t i = 0; i < profile->rules.n; i++)
		for (size_t j = 0; j < profile->rules.v[i].names.n; j++)
			if (strcmp(profile->rules.v[i].names.v[j], name) == 0)
				return true;
	return false;
}

static bool in_rules_with_args(const struct oci_seccomp *profile, const char *name)
{
	for (size_t i = 0; i < profile->rules.n; i++)
		for (size_t j = 0; j < profile->rules.v[i].names.n; j++)
			if (profile->rules.v[i].args.n > 0 &&
			    strcmp(profile->rules.v[i].names.v[j], name) == 0)
				return true;
	return false;
}

static bool is_hidden(uint32_t arch, const char *name)
{
	const struct syscall_name found = syscall_name_find(name);
	struct syscall_multiplexed how;

	return syscall_is_multiplexed(arch, &found, &how);
}

/* libseccomp's known mistakes, and names it does not know. */
static bool is_excepted(const struct oci_seccomp *profile, uint32_t arch, uint32_t number,
                        const char *contradicted)
{
	const char *name = filter_syscall_name(arch, (int)number);

	if (!name)
		return false;
	if (contradicted && strcmp(name, contradicted) == 0)
		return true;
	if (seccomp_syscall_resolve_name(name) == __NR_SCMP_ERROR)
		return is_used(profile, name);
	return in_rules_with_args(profile, name) && (arch == OCI_ARCH_X32 || is_hidden(arch, name));
}

struct programs {
	const struct oci_seccomp *profile;
	struct filter_program ours, theirs;
	const char *contradicted;
	size_t excepted;
};

static void compare_call(const struct programs *p, uint32_t arch, uint32_t number,
                         const uint64_t args[6])
{
	uint32_t ours = verdict(&p->ours, arch, number, args);
	uint32_t theirs = verdict(&p->theirs, arch, number, args);

	if (ours != theirs)
		fail_msg("arch %#x number %#x (%s) args %#llx %#llx %#llx %#llx %#llx %#llx: "
		         "%#x, libseccomp says %#x",
		         arch, number, filter_syscall_name(arch, (int)number),
		         (unsigned long long)args[0], (unsigned long long)args[1],
		         (unsigned long long)args[2], (unsigned long long)args[3],
		         (unsigned long long)args[4], (unsigned long long)args[5], ours, theirs);
}

static void compare_numbers(struct programs *p, uint32_t arch, uint32_t first, uint32_t n)
{
	for (uint32_t number = first; number - first < n; number++) {
		if (is_excepted(p->profile, arch, number, p->contradicted)) {
			p->excepted++;
			continue;
		}
		for (size_t i = 0; i < DJ_COUNT(corner_values); i++) {
			for (size_t index = 0; index < 6; index++) {
				uint64_t args[6] = { i, i % 3, 9, 16, 8, 0 };

				args[index] = corner_values[i];
				if (!(arch & __AUDIT_ARCH_64BIT))
					args[index] &= UINT32_MAX; /* as the kernel fills it in */
				compare_call(p, arch, number, args);
			}
		}
	}
}

static void test_engines_profiles(void **state)
{
	static const struct {
		const char *file;
		const char *contradicted; /* allowed and refused by the same profile */
		size_t excepted;
	} rows[] = {
		{ CORPUS "docker-default.json", NULL, 0 },
		{ CORPUS "podman-default.json", "setns", 0 },
		{ CORPUS "seed-5.json", NULL, 0 },
		{ CORPUS "seed-15.json", NULL, 0 },
		{ CORPUS "seed-47.json", NULL, 0 },
	};
	struct filter_options options = filter_options_for_bundle(AUDIT_ARCH_X86_64);

	(void)state;
	options.enosys_above_table = false; /* not libseccomp's business */
	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		dj_auto_arena struct dj_arena arena = { 0 };
		struct oci_seccomp profile;
		struct programs p = { .profile = &profile, .contradicted = rows[i].contradicted };

		load_profile(rows[i].file, 0, &arena, &profile);
		p.ours = compile(&profile, &options, &arena);
		p.theirs = oracle(&profile, AUDIT_ARCH_X86_64, &arena);
		compare_numbers(&p, AUDIT_ARCH_X86_64, 0, 601);
		compare_numbers(&p, AUDIT_ARCH_X86_64, 0x3ffffff0, 16);
		compare_numbers(&p, AUDIT_ARCH_X86_64, 0xfffffff0, 16);
		compare_numbers(&p, AUDIT_ARCH_I386, 0, 601);
		compare_numbers(&p, OCI_ARCH_X32, X32(0), 601);
		compare_numbers(&p, AUDIT_ARCH_AARCH64, 0, 10);
		print_message("# %s: %zu instructions, libseccomp %zu, %zu calls left out\n",
		              rows[i].file, p.ours.n, p.theirs.n, p.excepted);
	}
}

/* ---- random profiles ---- */

static uint64_t random_value(uint64_t *seed, uint32_t arch)
{
	uint64_t value = corner_values[next_random(seed) % DJ_COUNT(corner_values)];

	return arch & __AUDIT_ARCH_64BIT ? value : (uint32_t)value;
}

/* Conditions on N neighbouring arguments, one each. */
static void random_args(uint64_t *seed, struct dj_arena *arena, uint32_t arch, uint32_t first,
                        size_t n, struct oci_seccomp_rule *rule)
{
	rule->args.v = dj_arena_array(arena, 3, sizeof(*rule->args.v));
	rule->args.n = n;
	for (size_t i = 0; i < n; i++)
		rule->args.v[i] = (struct oci_seccomp_arg){
			.index = (first + (uint32_t)i) % 6,
			.value = random_value(seed, arch),
			.value_two = random_value(seed, arch),
			.op = (enum oci_seccomp_op)(next_random(seed) % OCI_OP_COUNT),
		};
}

/* For one call and with one action: a rule with up to three conditions, or up to three rules that
 * name a value each. */
static void random_rules(uint64_t *seed, uint32_t arch, const char *name, struct dj_arena *arena,
                         struct oci_seccomp *out)
{
	enum oci_seccomp_action action =
	        (enum oci_seccomp_action)(next_random(seed) % OCI_ACT_COUNT);
	uint32_t data = 2 + next_random(seed) % 100; /* 1 would equal the default */
	uint32_t index = next_random(seed) % 6;
	size_t n = 1 + next_random(seed) % 3;

	for (size_t i = 0; i < n; i++) {
		struct oci_seccomp_rule *rule = &out->rules.v[out->rules.n++];

		rule->names.v = dj_arena_array(arena, 2, sizeof(*rule->names.v));
		rule->names.v[rule->names.n++] = dj_arena_strdup(arena, name);
		rule->action = action;
		rule->errno_ret.set = true;
		rule->errno_ret.v = data;
		random_args(seed, arena, arch, index, n > 1 ? 1 : next_random(seed) % 4, rule);
		if (n > 1)
			rule->args.v[0].op = OCI_OP_EQ;
	}
}

static void random_profile(uint64_t *seed, uint32_t arch, struct dj_arena *arena,
                           struct oci_seccomp *out)
{
	size_t n = 1 + next_random(seed) % 40;

	make_profile(arena, OCI_ACT_ERRNO, NULL, 0, out);
	out->default_action = next_random(seed) % 2 ? OCI_ACT_ERRNO : OCI_ACT_ALLOW;
	out->rules.v = dj_arena_array(arena, n + 3, sizeof(*out->rules.v));
	while (out->rules.n < n) {
		const char *name = filter_syscall_name(arch, (int)(next_random(seed) % 450));

		if (name && !is_used(out, name) && !is_hidden(arch, name))
			random_rules(seed, arch, name, arena, out);
	}
}

static void test_random_profiles(void **state)
{
	static const uint32_t archs[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64,
		                          AUDIT_ARCH_ARM, AUDIT_ARCH_RISCV64 };
	uint64_t seed = 20261122;

	(void)state;
	for (int round = 0; round < 60; round++) {
		dj_auto_arena struct dj_arena arena = { 0 };
		uint32_t arch = archs[(size_t)round % DJ_COUNT(archs)];
		struct filter_options options = filter_options_for_bundle(arch);
		struct oci_seccomp profile;
		struct programs p = { .profile = &profile };

		print_message("# round %d seed %llu\n", round, (unsigned long long)seed);
		options.enosys_above_table = false;
		random_profile(&seed, arch, &arena, &profile);
		p.ours = compile(&profile, &options, &arena);
		p.theirs = oracle(&profile, arch, &arena);
		compare_numbers(&p, arch, 0, 601);
	}
}

/* ---- tables ---- */

static void test_supplement_agrees(void **state)
{
	static const uint32_t archs[] = {
		AUDIT_ARCH_X86_64, AUDIT_ARCH_I386,     OCI_ARCH_X32,           AUDIT_ARCH_AARCH64,
		AUDIT_ARCH_ARM,    AUDIT_ARCH_RISCV64,  AUDIT_ARCH_PPC64LE,     AUDIT_ARCH_S390X,
		AUDIT_ARCH_MIPSEL, AUDIT_ARCH_MIPSEL64, AUDIT_ARCH_MIPSEL64N32,
	};
	size_t known = 0;

	(void)state;
	for (size_t i = 1; i < DJ_COUNT(new_calls); i++)
		assert_true(strcmp(new_calls[i - 1].name, new_calls[i].name) < 0);
	for (size_t i = 0; i < DJ_COUNT(new_calls); i++) {
		/* Also where libseccomp has learnt the name: ours is consulted first. */
		assert_string_equal(syscall_name_find(new_calls[i].name).added->name, new_calls[i].name);
		for (size_t a = 0; a < DJ_COUNT(archs); a++) {
			int theirs = seccomp_syscall_resolve_name_arch(scmp_token(archs[a]),
			                                               new_calls[i].name);
			int ours = filter_syscall_number(archs[a], new_calls[i].name);

			assert_int_not_equal(ours, FILTER_SYSCALL_UNKNOWN);
			if (theirs == __NR_SCMP_ERROR)
				continue;
			known++;
			assert_int_equal(ours, theirs < 0 ? FILTER_SYSCALL_ABSENT : theirs);
		}
	}
	print_message("# libseccomp knows %zu of our numbers\n", known);
}

static void test_multiplexed_agree(void **state)
{
	(void)state;
	for (size_t i = 1; i < DJ_COUNT(multiplexed); i++)
		assert_true(strcmp(multiplexed[i - 1].name, multiplexed[i].name) < 0);
	for (size_t i = 0; i < DJ_COUNT(multiplexed); i++) {
		assert_string_equal(syscall_name_find(multiplexed[i].name).shared->name, multiplexed[i].name);
		for (size_t a = 0; a < DJ_COUNT(multiplexed_abis); a++) {
			uint32_t arch = multiplexed_abis[a].arch;
			int number = multiplexed[i].direct[multiplexed_abis[a].abi];
			dj_auto_free char *name = NULL;

			/* Its invented number holds the multiplexer's argument. */
			assert_int_equal(
			        -seccomp_syscall_resolve_name_arch(arch, multiplexed[i].name) % 100,
			        multiplexed[i].call);
			if (number == 0)
				continue;
			name = seccomp_syscall_resolve_num_arch(arch, number);
			if (name)
				assert_string_equal(name, multiplexed[i].name);
			else /* 64-bit s390 and powerpc only */
				assert_string_equal(multiplexed[i].name, "semtimedop");
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_engines_profiles),
		cmocka_unit_test(test_random_profiles),
		cmocka_unit_test(test_supplement_agrees),
		cmocka_unit_test(test_multiplexed_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
