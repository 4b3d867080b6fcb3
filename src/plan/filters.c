/* The seccomp filters: the guard, if the policy stacks it, then the profile, in load order. */
#include "plan/part.h"

#include "filter/filter.h"

#include <string.h>

static bool is_listed(const struct oci_strings *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->v[i], name) == 0)
			return true;
	return false;
}

/* An override lets calls through that our own profiles refuse: their names leave the refusing rules,
 * and an allow-list gets a rule for them. */
static void allow_calls(struct dj_arena *arena, struct oci_seccomp *profile, const struct oci_strings *calls)
{
	if (!calls->n)
		return;
	for (size_t i = 0; i < profile->rules.n; i++) {
		struct oci_seccomp_rule *rule = &profile->rules.v[i];
		size_t kept = 0;

		for (size_t j = 0; rule->action != OCI_ACT_ALLOW && j < rule->names.n; j++)
			if (!is_listed(calls, rule->names.v[j]))
				rule->names.v[kept++] = rule->names.v[j];
		if (rule->action != OCI_ACT_ALLOW)
			rule->names.n = kept;
	}
	if (profile->default_action != OCI_ACT_ALLOW) {
		struct oci_seccomp_rule *rules =
			dj_arena_array(arena, profile->rules.n + 1, sizeof(*rules));

		memcpy(rules, profile->rules.v, profile->rules.n * sizeof(*rules));
		rules[profile->rules.n] =
			(struct oci_seccomp_rule){ .names = *calls, .action = OCI_ACT_ALLOW };
		profile->rules.v = rules;
		profile->rules.n++;
	}
}

struct filters {
	struct plan_block *block;
	const struct plan_input *in;
	struct plan_filter v[3];
	size_t n;
	bool denies_keys;
};

static bool is_refused(const struct filter_program *program, uint32_t arch, const char *name)
{
	const struct seccomp_data data = { .nr = filter_syscall_number(arch, name), .arch = arch };
	uint32_t verdict = filter_simulate(program->v, program->n, &data) & SECCOMP_RET_ACTION_FULL;

	return verdict != SECCOMP_RET_ALLOW && verdict != SECCOMP_RET_LOG && verdict != SECCOMP_RET_TRACE &&
	       verdict != SECCOMP_RET_USER_NOTIF;
}

/* what: which of our own profiles; errors of the bundle's name linux.seccomp themselves. */
static int add(struct filters *f, const struct oci_seccomp *profile, const struct filter_options *options,
	       const char *what, struct donjon_error *err)
{
	const uint32_t arch = f->in->host->arch;
	struct filter_program program;
	struct plan_list list;

	if (filter_compile(profile, options, f->block->arena, &program, err) < 0 ||
	    filter_check_exec(&program, arch, err) < 0)
		return what ? dj_note(err, "%s", what) : -1;
	/* A filter with a listener cannot be loaded in all threads at once, and there is but one thread. */
	if (program.notifies)
		program.load_flags = (program.load_flags & ~(uint32_t)SECCOMP_FILTER_FLAG_TSYNC) |
				     SECCOMP_FILTER_FLAG_NEW_LISTENER;
	if (f->in->settings->deny_spec_allow)
		program.load_flags &= ~(uint32_t)SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	list = plan_add_list(f->block, program.v, program.n, sizeof(*program.v));
	f->v[f->n++] = (struct plan_filter){ .program = list, .load_flags = program.load_flags };
	f->denies_keys |= is_refused(&program, arch, "keyctl") && is_refused(&program, arch, "add_key") &&
			  is_refused(&program, arch, "request_key");
	return 0;
}

static int add_guard(struct filters *f, struct donjon_error *err)
{
	const struct filter_options options = filter_options_for_builtin(f->in->host->arch);
	struct oci_seccomp guard = { 0 };

	if (filter_builtin_guard(f->block->arena, &guard, err) < 0)
		return -1;
	allow_calls(f->block->arena, &guard, &f->in->settings->allow_calls);
	return add(f, &guard, &options, "guard filter", err);
}

static int add_default(struct filters *f, struct donjon_error *err)
{
	const struct filter_options options = filter_options_for_builtin(f->in->host->arch);
	struct oci_seccomp profile = { 0 };
	uint64_t caps = f->in->spec->process.capabilities.bounding;

	if (filter_builtin_default(f->block->arena, caps, &profile, err) < 0)
		return -1;
	allow_calls(f->block->arena, &profile, &f->in->settings->allow_calls);
	return add(f, &profile, &options, "default seccomp profile", err);
}

int plan_filters(struct plan_block *block, const struct plan_input *in, struct policy_result *record,
		 struct donjon_error *err)
{
	const struct filter_options bundle = filter_options_for_bundle(in->host->arch);
	struct filters f = { .block = block, .in = in };
	struct plan_list list;

	(void)record;
	if (in->settings->guard_filter && add_guard(&f, err) < 0)
		return -1;
	if (in->settings->builtin_seccomp && add_default(&f, err) < 0)
		return -1;
	if (in->spec->linux.seccomp.set && add(&f, &in->spec->linux.seccomp, &bundle, NULL, err) < 0)
		return -1;
	list = plan_add_list(block, f.v, f.n, sizeof(f.v[0]));
	PLAN(block)->filters = list;
	PLAN(block)->keyring_optional = f.denies_keys;
	PLAN(block)->filter_needs_admin = f.n > 0 && !PLAN(block)->no_new_privs;
	return 0;
}
