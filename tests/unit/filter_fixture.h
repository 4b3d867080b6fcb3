/* What the filter tests share: profiles from tests/corpus, hand-made ones, and verdicts. */
#ifndef TESTS_FILTER_FIXTURE_H
#define TESTS_FILTER_FIXTURE_H

#include "base/cleanup.h"
#include "filter/filter.h"
#include "filter/syscalls.h"
#include "oci/decode.h"

#include <errno.h>
#include <linux/audit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Files are named from the source directory. */
#define CORPUS "tests/corpus/seccomp/"

#define ALLOW     SECCOMP_RET_ALLOW
#define REFUSE(e) (SECCOMP_RET_ERRNO | (uint32_t)(e))
#define X32(n)    (0x40000000u | (uint32_t)(n))

static inline void load_profile(const char *file, uint64_t capabilities, struct dj_arena *arena,
                                struct oci_seccomp *out)
{
	struct donjon_error err = { 0 };
	const char *root = getenv("DONJON_SOURCE_ROOT");
	char path[512], text[32768];
	FILE *f;
	size_t n;

	(void)snprintf(path, sizeof(path), "%s/%s", root ? root : ".", file);
	f = fopen(path, "re");
	assert_non_null(f);
	n = fread(text, 1, sizeof(text), f);
	(void)fclose(f);
	*out = (struct oci_seccomp){ 0 };
	if (oci_decode_seccomp(text, n, capabilities, arena, out, &err) < 0)
		fail_msg("%s: %s", path, err.text);
}

static inline struct filter_program compile(const struct oci_seccomp *profile,
                                            const struct filter_options *options,
                                            struct dj_arena *arena)
{
	struct filter_program program = { 0 };
	struct donjon_error err = { 0 };

	if (filter_compile(profile, options, arena, &program, &err) < 0)
		fail_msg("%s", err.text);
	assert_in_range(program.n, 1, FILTER_MAX);
	return program;
}

/* As the kernel fills it in: on big-endian architectures the words of an argument change places. */
static inline struct seccomp_data call_of(uint32_t arch, uint32_t number, const uint64_t args[6])
{
	struct seccomp_data data = { .nr = (int)number,
		                     .arch = arch == OCI_ARCH_X32 ? AUDIT_ARCH_X86_64 : arch,
		                     .instruction_pointer = 0x7f0000001000 };

	for (size_t i = 0; i < 6; i++)
		data.args[i] =
		        syscall_arch_is_big_endian(arch) ? args[i] << 32 | args[i] >> 32 : args[i];
	return data;
}

static inline uint32_t verdict(const struct filter_program *program, uint32_t arch, uint32_t number,
                               const uint64_t args[6])
{
	const struct seccomp_data data = call_of(arch, number, args);

	return filter_simulate(program->v, program->n, &data);
}

static inline uint32_t number_of(uint32_t arch, const char *name)
{
	int number = filter_syscall_number(arch, name);

	if (number < 0)
		fail_msg("no %s on %#x", name, arch);
	return (uint32_t)number;
}

static inline uint32_t named_verdict(const struct filter_program *program, uint32_t arch,
                                     const char *name, uint64_t a0, uint64_t a1, uint64_t a2)
{
	return verdict(program, arch, number_of(arch, name), (uint64_t[6]){ a0, a1, a2 });
}

/* Rules by hand. */
enum { MADE_RULES = 16, MADE_ARGS = 6 };

struct made_rule {
	const char *names[8];
	enum oci_seccomp_action action;
	int errno_ret; /* 0: absent */
	struct oci_seccomp_arg args[MADE_ARGS];
	size_t n_args;
};

static inline void make_profile(struct dj_arena *arena, enum oci_seccomp_action fallback,
                                const struct made_rule *rules, size_t n, struct oci_seccomp *out)
{
	*out = (struct oci_seccomp){ .set = true, .default_action = fallback };
	out->rules.v = dj_arena_array(arena, n, sizeof(*out->rules.v));
	out->rules.n = n;
	for (size_t i = 0; i < n; i++) {
		struct oci_seccomp_rule *rule = &out->rules.v[i];

		rule->names.v =
		        dj_arena_array(arena, DJ_COUNT(rules[i].names), sizeof(*rule->names.v));
		while (rules[i].names[rule->names.n]) {
			rule->names.v[rule->names.n] =
			        dj_arena_strdup(arena, rules[i].names[rule->names.n]);
			rule->names.n++;
		}
		rule->action = rules[i].action;
		rule->errno_ret.set = rules[i].errno_ret != 0;
		rule->errno_ret.v = (uint32_t)rules[i].errno_ret;
		rule->args.v = dj_arena_array(arena, MADE_ARGS, sizeof(*rule->args.v));
		memcpy(rule->args.v, rules[i].args, sizeof(rules[i].args));
		rule->args.n = rules[i].n_args;
	}
}

static inline void list_archs(struct oci_seccomp *profile, struct dj_arena *arena,
                              const uint32_t *archs, size_t n)
{
	profile->architectures.v = dj_arena_array(arena, n, sizeof(*archs));
	profile->architectures.n = n;
	memcpy(profile->architectures.v, archs, n * sizeof(*archs));
}

/* Argument values where compares go wrong. */
static const uint64_t corner_values[] = {
	0,
	1,
	0x7fffffff,
	0x80000000,
	0xffffffff,
	UINT64_C(1) << 32,
	(UINT64_C(1) << 32) + 1,
	UINT64_C(0x7fffffffffffffff),
	UINT64_C(1) << 63,
	UINT64_C(0xffffffff80000000),
	UINT64_MAX - 1,
	UINT64_MAX,
};

/* Deterministic: a failing seed is printed and can be given again. */
static inline uint32_t next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 33);
}

#endif
