/* The profiles of profiles/, from their rows to what a decoded profile looks like. */
#include "filter/builtin.h"

#include "filter/filter.h"

#include <string.h>

static void copy_names(const char *names, struct dj_arena *arena, struct oci_strings *out)
{
	const char *end = names;
	char *name;

	for (; *end; end += strlen(end) + 1)
		out->n++;
	out->v = dj_arena_array(arena, out->n + 1, sizeof(*out->v));
	name = dj_arena_alloc(arena, (size_t)(end - names));
	memcpy(name, names, (size_t)(end - names));
	for (size_t i = 0; i < out->n; i++, name += strlen(name) + 1)
		out->v[i] = name;
}

static void copy_rule(const struct builtin_rule *from, struct dj_arena *arena,
                      struct oci_seccomp_rule *to)
{
	copy_names(from->names, arena, &to->names);
	to->action = from->action;
	to->errno_ret.set = from->errno_ret >= 0;
	to->errno_ret.v = to->errno_ret.set ? (uint32_t)from->errno_ret : 0;
	to->args.v = dj_arena_array(arena, BUILTIN_MAX_ARGS, sizeof(*to->args.v));
	to->args.n = from->n_args;
	memcpy(to->args.v, from->args, sizeof(from->args));
}

static bool applies(const struct builtin_rule *rule, uint64_t capabilities)
{
	return (rule->needs & ~capabilities) == 0 && (rule->excluded_by & capabilities) == 0;
}

static void copy_profile(const struct builtin_profile *from, uint64_t capabilities,
                         struct dj_arena *arena, struct oci_seccomp *to)
{
	*to = (struct oci_seccomp){ .set = true, .default_action = from->default_action };
	to->default_errno.set = from->default_errno >= 0;
	to->default_errno.v = to->default_errno.set ? (uint32_t)from->default_errno : 0;
	to->rules.v = dj_arena_array(arena, from->n_rules, sizeof(*to->rules.v));
	for (size_t i = 0; i < from->n_rules; i++)
		if (applies(&from->rules[i], capabilities))
			copy_rule(&from->rules[i], arena, &to->rules.v[to->rules.n++]);
}

/* Both succeed always: what could be wrong with a profile is wrong at build time. */
int filter_builtin_default(struct dj_arena *arena, uint64_t capabilities, struct oci_seccomp *out,
                           struct donjon_error *err)
{
	(void)err;
	copy_profile(&builtin_default, capabilities, arena, out);
	return 0;
}

int filter_builtin_guard(struct dj_arena *arena, struct oci_seccomp *out, struct donjon_error *err)
{
	(void)err;
	copy_profile(&builtin_guard, 0, arena, out);
	return 0;
}
