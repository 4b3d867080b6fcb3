#include "engine/explain.h"

#include "base/log.h"
#include "engine/creation.h"
#include "launch/launch.h"
#include "plan/build.h"
#include "wrap/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JSON_MAX_BYTES = 64 * 1024 * 1024 };

/* ---- text ---- */

/* A document's own words: none of them may look like another line of the report (B33). */
static const char *shown(struct dj_arena *arena, const char *text)
{
	size_t size = text ? strlen(text) * LOG_SHOWN + 1 : 0;
	char *line;

	if (!text || !text[0])
		return "(none)";
	line = dj_arena_alloc(arena, size);
	log_printable(text, line, size);
	return line;
}

static void print_policy(FILE *out, const struct policy_result *policy, struct dj_arena *arena)
{
	static const char *const sources[] = {
		[POLICY_FROM_DEFAULT] = "the default",
		[POLICY_FROM_ANNOTATION] = "an annotation",
		[POLICY_FROM_COMMAND_LINE] = "the command line",
		[POLICY_FROM_FILE] = "the policy file",
	};

	fprintf(out, "level\n  %s, by %s\n", policy_level_name(policy->in_force),
	        sources[policy->level_source]);
	if (policy->findings.n > 0)
		fputs("refused\n", out);
	for (size_t i = 0; i < policy->findings.n; i++) {
		const struct policy_finding *f = &policy->findings.v[i];

		fprintf(out, "  %-22s %s: %s; wanted: %s%s%s\n", f->check, shown(arena, f->pointer),
		        shown(arena, f->found), shown(arena, f->wanted),
		        f->override ? "; to allow: --override " : "",
		        f->override ? shown(arena, f->override) : "");
	}
	if (policy->owners != POLICY_OWNERS_HOST)
		fprintf(out, "owners in the root filesystem\n  %s\n",
		        policy_owners_text(policy->owners));
	if (policy->changes.n > 0)
		fputs("changes\n", out);
	for (size_t i = 0; i < policy->changes.n; i++) {
		const struct policy_change *c = &policy->changes.v[i];

		fprintf(out, "  %-22s %s: %s -> %s\n", c->check, shown(arena, c->pointer),
		        shown(arena, c->before), shown(arena, c->after));
	}
	if (policy->overrides.n > 0)
		fputs("overrides\n", out);
	for (size_t i = 0; i < policy->overrides.n; i++) {
		const struct policy_override *o = &policy->overrides.v[i];

		fprintf(out, "  %-22s %s (%s)%s\n", o->check, shown(arena, o->value), shown(arena, o->reason),
		        o->used ? "" : ", not needed");
	}
	if (policy->notes.n > 0)
		fputs("notes\n", out);
	for (size_t i = 0; i < policy->notes.n; i++)
		fprintf(out, "  %-22s %s\n", policy->notes.v[i].check, shown(arena, policy->notes.v[i].text));
}

static void print_step(void *out, const char *side, const char *name, const char *what)
{
	fprintf(out, "  %-10s %-22s %s\n", side, name, what);
}

static void print_ignored(FILE *out, const struct oci_strings *ignored, struct dj_arena *arena)
{
	if (ignored->n > 0)
		fputs("ignored properties\n", out);
	for (size_t i = 0; i < ignored->n; i++)
		fprintf(out, "  %s\n", shown(arena, ignored->v[i]));
}

static char *to_text(struct draft *draft, struct donjon_error *err)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out) {
		(void)dj_fail_os(err, errno, "write the report of --dry-run");
		return NULL;
	}
	fprintf(out, "container\n  %s, root filesystem %s\n", draft->id, shown(&draft->arena, draft->rootfs));
	print_policy(out, &draft->policy, &draft->arena);
	print_ignored(out, &draft->spec.ignored, &draft->arena);
	if (draft->plan) {
		fputs("launch\n", out);
		launch_describe(draft->plan, print_step, out);
		fprintf(out, "plan\n%s", plan_dump(draft->plan, &draft->arena));
	}
	if (fclose(out) != 0) {
		free(text);
		(void)dj_fail_os(err, errno, "write the report of --dry-run");
		return NULL;
	}
	return text;
}

/* ---- JSON ---- */

static void add_step(void *array, const char *side, const char *name, const char *what)
{
	struct json_value *step = json_new_object();

	json_set(step, "side", json_new_string(side));
	json_set(step, "name", json_new_string(name));
	json_set(step, "what", json_new_string(what));
	json_push(array, step);
}

/* Other rooms render their own part. */
static int set_rendered(struct json_value *object, const char *key, const char *text,
                        struct donjon_error *err)
{
	struct json_value *value = json_parse(text, strlen(text), JSON_MAX_BYTES, err);

	if (!value)
		return dj_note(err, "explain: %s", key);
	json_set(object, key, value);
	return 0;
}

static int set_launch(struct json_value *root, struct draft *draft, struct donjon_error *err)
{
	struct json_value *steps = json_new_array();

	launch_describe(draft->plan, add_step, steps);
	json_set(root, "launch", steps);
	return set_rendered(root, "plan", plan_dump_json(draft->plan, &draft->arena), err);
}

static char *to_json(struct draft *draft, bool refused, struct donjon_error *err)
{
	struct json_value *root = json_new_object(), *ignored = json_new_array();
	char *text = NULL;
	int r;

	for (size_t i = 0; i < draft->spec.ignored.n; i++)
		json_push(ignored, json_new_string(draft->spec.ignored.v[i]));
	json_set(root, "id", json_new_string(draft->id));
	json_set(root, "rootfs", json_new_string(draft->rootfs));
	json_set(root, "refused", json_new_bool(refused));
	json_set(root, "ignored", ignored);
	r = set_rendered(root, "hardening", policy_result_json(&draft->policy, &draft->arena), err);
	if (r == 0 && draft->plan)
		r = set_launch(root, draft, err);
	if (r == 0)
		text = json_print(root, true);
	json_free(root);
	return text;
}

int explain_draft(struct draft *draft, const struct donjon_runtime *runtime,
                  const struct donjon_create_options *options, bool json, bool *refused,
                  char **text, struct donjon_error *err)
{
	/* Nothing is reserved, so the first range stands for whichever would be. */
	if (draft_wants_range(draft))
		draft->host.id_range = STORE_RANGE_FIRST;
	*refused = false;
	if (draft_decide(draft, runtime, options, err) < 0) {
		if (err->code != DONJON_E_REFUSED)
			return -1;
		*refused = true;
		dj_error_clear(err);
	}
	*text = json ? to_json(draft, *refused, err) : to_text(draft, err);
	return *text ? 0 : -1;
}

int donjon_container_explain(struct donjon_runtime *runtime, const char *id,
                             const struct donjon_create_options *options, bool json, bool *refused,
                             char **text, struct donjon_error *err)
{
	const struct donjon_create_options o = draft_options(options);
	struct draft draft = { .id = id, .userns = -1 };
	int r;

	if (store_check_id(id, err) < 0)
		return -1;
	r = draft_load(&draft, runtime, &o, err);
	if (r == 0)
		r = explain_draft(&draft, runtime, &o, json, refused, text, err);
	draft_done(&draft);
	return r;
}
