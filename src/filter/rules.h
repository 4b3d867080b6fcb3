/*
 * A profile's rules, sorted by system call number, and what they mean together.
 *
 * Every rule that matches a call counts, and of those the strictest action decides, in the order
 * in which the kernel itself weighs stacked filters: KILL_PROCESS, KILL_THREAD, TRAP, ERRNO,
 * NOTIFY, TRACE, LOG, ALLOW; of equals the first.  No rule is skipped, also not one whose action
 * is the default's: beside a rule that allows more it means something (B22).  Only where no rule
 * matches, the profile's default decides.  (libseccomp lets the first rule without arguments win
 * over all others, which silently undoes refusals.)
 *
 * Inside a rule all argument conditions must hold; a rule that names one argument twice stands for
 * one rule per condition (P94).
 *
 * Multiplexers (i386, s390, powerpc, MIPS o32): socketcall(2) and ipc(2) hide the real call's
 * arguments from a filter.  Where the profile names the multiplexer, its own word decides, and only
 * unconditional rules that refuse one of the calls behind it are carried over.  Where it does not,
 * a call through the multiplexer gets the strictest verdict the same call could get directly.
 */
#ifndef FILTER_RULES_H
#define FILTER_RULES_H

#include "filter/filter.h"
#include "filter/syscalls.h"

struct rule {
	uint32_t verdict; /* SECCOMP_RET_* with data */
	uint8_t rank;     /* 0 is the strictest */
	const struct oci_seccomp_arg *args;
	size_t n_args;
};

struct rule_set {
	const struct oci_seccomp *profile;
	struct rule *v; /* the profile's own, then what multiplexers add on the ABI at hand */
	size_t *first;  /* v[first[i]] up to v[first[i + 1]] stand for rule i of the profile */
	size_t n_own, n;
	struct syscall_name *names; /* of all rules, one after the other */
	struct rule fallback;       /* the profile's default */
	uint64_t *keys;             /* sorted: by number, then rank, then place in the profile */
	uint64_t *spare;            /* room for as many, which sorting takes turns with */
	size_t n_keys, max_keys;
	const char **unknown; /* names known nowhere */
	size_t n_unknown;
	/* The arguments of what multiplexers add. */
	struct oci_seccomp_arg hidden[SYSCALL_MULTIPLEXED_MAX];
};

/* The profile must outlive the set. */
int rule_set_init(struct rule_set *set, const struct oci_seccomp *profile, struct dj_arena *arena,
                  struct donjon_error *err);

/* Fills keys (and unknown) with the numbers the rules have on ARCH. */
void rule_set_sort(struct rule_set *set, uint32_t arch);

/* A key is a number, a rank and an index in v, packed so that sorting integers suffices. */
enum { RULE_INDEX_BITS = 29 };

static inline uint32_t rule_key_number(uint64_t key)
{
	return (uint32_t)(key >> 32);
}

static inline const struct rule *rule_key_rule(const struct rule_set *set, uint64_t key)
{
	return &set->v[key & ((1u << RULE_INDEX_BITS) - 1)];
}

#endif
