#include "filter/rules.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>

/* clang-format off */
static const struct {
	uint32_t verdict;
	uint8_t rank;      /* the kernel's precedence between stacked filters */
	uint16_t data_max; /* errnoRet: an errno (the kernel clamps at MAX_ERRNO), a tracer's message */
} actions[OCI_ACT_COUNT] = {
	[OCI_ACT_KILL_PROCESS] = { SECCOMP_RET_KILL_PROCESS, 0, 0 },
	[OCI_ACT_KILL_THREAD]  = { SECCOMP_RET_KILL_THREAD,  1, 0 },
	[OCI_ACT_TRAP]         = { SECCOMP_RET_TRAP,         2, 0 },
	[OCI_ACT_ERRNO]        = { SECCOMP_RET_ERRNO,        3, 4095 },
	[OCI_ACT_NOTIFY]       = { SECCOMP_RET_USER_NOTIF,   4, 0 },
	[OCI_ACT_TRACE]        = { SECCOMP_RET_TRACE,        5, UINT16_MAX },
	[OCI_ACT_LOG]          = { SECCOMP_RET_LOG,          6, 0 },
	[OCI_ACT_ALLOW]        = { SECCOMP_RET_ALLOW,        7, 0 },
};
/* clang-format on */

static int set_verdict(struct rule *rule, enum oci_seccomp_action action, bool has_data,
                       uint32_t data, struct donjon_error *err)
{
	uint32_t max = actions[action].data_max;

	rule->verdict = actions[action].verdict;
	rule->rank = actions[action].rank;
	if (max == 0)
		return 0;
	if (!has_data)
		data = EPERM;
	if (data > max)
		return dj_fail(err, DONJON_E_CONFIG, "errnoRet %u: at most %u", data, max);
	rule->verdict |= data;
	return 0;
}

static bool names_an_argument_twice(const struct oci_seccomp_rule *rule)
{
	uint32_t seen = 0;

	for (size_t i = 0; i < rule->args.n; i++) {
		if (seen & 1u << rule->args.v[i].index)
			return true;
		seen |= 1u << rule->args.v[i].index;
	}
	return false;
}

static int check_args(const struct oci_seccomp_rule *rule, struct donjon_error *err)
{
	for (size_t i = 0; i < rule->args.n; i++)
		if (rule->args.v[i].index > 5)
			return dj_fail(err, DONJON_E_CONFIG,
			               "args[%zu].index %u: a system call has arguments 0 to 5", i,
			               rule->args.v[i].index);
	return 0;
}

static int add_rule(struct rule_set *set, const struct oci_seccomp_rule *from,
                    struct donjon_error *err)
{
	struct rule rule = { .args = from->args.v, .n_args = from->args.n };

	if (set_verdict(&rule, from->action, from->errno_ret.set, from->errno_ret.v, err) < 0 ||
	    check_args(from, err) < 0)
		return -1;
	if (!names_an_argument_twice(from)) {
		set->v[set->n++] = rule;
		return 0;
	}
	rule.n_args = 1;
	for (size_t i = 0; i < from->args.n; i++, rule.args++)
		set->v[set->n++] = rule;
	return 0;
}

/* Far beyond what 4096 instructions can tell apart; below RULE_INDEX_BITS. */
enum { RULES_MAX = 1 << 22 };

static int reserve(struct rule_set *set, struct dj_arena *arena, struct donjon_error *err)
{
	const struct oci_seccomp *profile = set->profile;
	size_t rules = SYSCALL_MULTIPLEXED_MAX, names = 0;

	set->max_keys = SYSCALL_MULTIPLEXED_MAX;
	for (size_t i = 0; i < profile->rules.n; i++) {
		const struct oci_seccomp_rule *rule = &profile->rules.v[i];
		size_t parts = rule->args.n > 0 ? rule->args.n : 1;

		rules += parts;
		names += rule->names.n;
		set->max_keys += parts * rule->names.n;
		if (rules > RULES_MAX || set->max_keys > RULES_MAX)
			return dj_fail(err, DONJON_E_CONFIG,
			               "linux.seccomp.syscalls: more than %d rules", RULES_MAX);
	}
	set->v = dj_arena_array(arena, rules, sizeof(*set->v));
	set->first = dj_arena_array(arena, profile->rules.n + 1, sizeof(*set->first));
	set->keys = dj_arena_array(arena, set->max_keys, sizeof(*set->keys));
	set->spare = dj_arena_array(arena, set->max_keys, sizeof(*set->spare));
	set->names = dj_arena_array(arena, names, sizeof(*set->names));
	set->unknown = dj_arena_array(arena, names, sizeof(*set->unknown));
	return 0;
}

static void find_names(struct rule_set *set)
{
	const struct oci_seccomp *profile = set->profile;
	size_t n = 0;

	for (size_t i = 0; i < profile->rules.n; i++)
		for (size_t j = 0; j < profile->rules.v[i].names.n; j++)
			set->names[n++] = syscall_name_find(profile->rules.v[i].names.v[j]);
}

static int check_default(struct rule_set *set, struct donjon_error *err)
{
	const struct oci_seccomp *profile = set->profile;

	/* The stage could not even execute the workload before somebody answers (P86). */
	if (profile->default_action == OCI_ACT_NOTIFY)
		return dj_fail(
		        err, DONJON_E_CONFIG,
		        "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be the default");
	if (set_verdict(&set->fallback, profile->default_action, profile->default_errno.set,
	                profile->default_errno.v, err) < 0)
		return dj_note(err, "linux.seccomp.defaultErrnoRet");
	return 0;
}

int rule_set_init(struct rule_set *set, const struct oci_seccomp *profile, struct dj_arena *arena,
                  struct donjon_error *err)
{
	*set = (struct rule_set){ .profile = profile };
	if (check_default(set, err) < 0 || reserve(set, arena, err) < 0)
		return -1;
	for (size_t i = 0; i < profile->rules.n; i++) {
		set->first[i] = set->n;
		if (add_rule(set, &profile->rules.v[i], err) < 0)
			return dj_note(err, "linux.seccomp.syscalls[%zu]", i);
	}
	set->first[profile->rules.n] = set->n_own = set->n;
	find_names(set);
	return 0;
}

static void add_key(struct rule_set *set, int number, size_t rule)
{
	uint64_t low = (uint64_t)set->v[rule].rank << RULE_INDEX_BITS | rule;

	set->keys[set->n_keys++] = (uint64_t)(uint32_t)number << 32 | low;
}

/* What the profile says of one call behind a multiplexer; rank NO_RULE: nothing. */
struct hidden_call {
	struct syscall_multiplexed how;
	struct rule strictest, unconditional;
};

enum { NO_RULE = UINT8_MAX };

static void keep_stricter(struct rule *kept, const struct rule *rule)
{
	if (rule->rank < kept->rank)
		*kept = *rule;
}

static void note_hidden(struct hidden_call *call, const struct syscall_multiplexed *how,
                        const struct rule *rule)
{
	call->how = *how;
	keep_stricter(&call->strictest, rule);
	if (rule->n_args == 0)
		keep_stricter(&call->unconditional, rule);
}

static bool has_number(const struct rule_set *set, int number, size_t n_keys)
{
	for (size_t i = 0; i < n_keys; i++)
		if (rule_key_number(set->keys[i]) == (uint32_t)number)
			return true;
	return false;
}

/* The verdict for the call when it comes through the multiplexer (see rules.h). */
static struct rule hidden_verdict(const struct rule_set *set, const struct hidden_call *call,
                                  bool multiplexer_is_named)
{
	struct rule verdict = multiplexer_is_named ? call->unconditional : call->strictest;

	if (multiplexer_is_named && verdict.rank == actions[OCI_ACT_ALLOW].rank)
		verdict.rank = NO_RULE;
	if (!multiplexer_is_named && call->unconditional.rank == NO_RULE)
		keep_stricter(&verdict, &set->fallback);
	return verdict;
}

static void add_hidden_rule(struct rule_set *set, const struct syscall_multiplexed *how,
                            const struct rule *verdict)
{
	struct oci_seccomp_arg *arg = &set->hidden[how->slot];

	*arg = (struct oci_seccomp_arg){ .value = how->mask,
		                         .value_two = how->call,
		                         .op = OCI_OP_MASKED_EQ };
	set->v[set->n] = (struct rule){
		.verdict = verdict->verdict, .rank = verdict->rank, .args = arg, .n_args = 1
	};
	add_key(set, how->number, set->n++);
}

static void add_hidden_rules(struct rule_set *set,
                             const struct hidden_call hidden[SYSCALL_MULTIPLEXED_MAX])
{
	size_t n_keys = set->n_keys;

	for (size_t i = 0; i < SYSCALL_MULTIPLEXED_MAX; i++) {
		const struct hidden_call *call = &hidden[i];
		struct rule verdict;

		if (call->strictest.rank == NO_RULE)
			continue;
		verdict = hidden_verdict(set, call, has_number(set, call->how.number, n_keys));
		if (verdict.rank != NO_RULE)
			add_hidden_rule(set, &call->how, &verdict);
	}
}

/* One name of rule I of the profile, for everything the rule stands for. */
static void add_name(struct rule_set *set, uint32_t arch, size_t i, const struct syscall_name *name,
                     struct hidden_call hidden[SYSCALL_MULTIPLEXED_MAX])
{
	int number = syscall_number(arch, name);
	struct syscall_multiplexed how;
	bool is_hidden = syscall_is_multiplexed(arch, name, &how);

	if (number == FILTER_SYSCALL_UNKNOWN)
		set->unknown[set->n_unknown++] = name->text;
	for (size_t part = set->first[i]; part < set->first[i + 1]; part++) {
		if (number >= 0)
			add_key(set, number, part);
		if (is_hidden)
			note_hidden(&hidden[how.slot], &how, &set->v[part]);
	}
}

static uint8_t byte_of(uint64_t key, unsigned shift)
{
	return (uint8_t)(key >> shift);
}

/* Where the keys with each value of the byte begin; false: all have the same. */
static bool find_places(const uint64_t *keys, size_t n, unsigned shift, size_t places[static 256])
{
	size_t at = 0;

	memset(places, 0, 256 * sizeof(*places));
	for (size_t i = 0; i < n; i++)
		places[byte_of(keys[i], shift)]++;
	if (places[byte_of(keys[0], shift)] == n)
		return false;
	for (size_t value = 0; value < 256; value++) {
		size_t count = places[value];

		places[value] = at;
		at += count;
	}
	return true;
}

/* By each byte, the least significant first.  Every start of a container sorts some 450 keys for
 * each of three architectures; qsort(3) takes four times as long. */
static void sort_keys(struct rule_set *set)
{
	size_t places[256];

	for (unsigned shift = 0; set->n_keys > 1 && shift < 64; shift += 8) {
		uint64_t *keys = set->keys;

		if (!find_places(keys, set->n_keys, shift, places))
			continue;
		for (size_t i = 0; i < set->n_keys; i++)
			set->spare[places[byte_of(keys[i], shift)]++] = keys[i];
		set->keys = set->spare;
		set->spare = keys;
	}
}

void rule_set_sort(struct rule_set *set, uint32_t arch)
{
	struct hidden_call hidden[SYSCALL_MULTIPLEXED_MAX];
	const struct syscall_name *name = set->names;

	set->n = set->n_own;
	set->n_keys = set->n_unknown = 0;
	for (size_t i = 0; i < SYSCALL_MULTIPLEXED_MAX; i++)
		hidden[i] = (struct hidden_call){ .strictest.rank = NO_RULE,
			                          .unconditional.rank = NO_RULE };
	for (size_t i = 0; i < set->profile->rules.n; i++)
		for (size_t j = 0; j < set->profile->rules.v[i].names.n; j++)
			add_name(set, arch, i, name++, hidden);
	add_hidden_rules(set, hidden);
	sort_keys(set);
}
