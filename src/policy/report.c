/* The record as JSON: the `hardening` object of the state file, and of --dry-run.
 */
#include "base/cleanup.h"
#include "policy/harden.h"
#include "wrap/json.h"

#include <stdlib.h>
#include <string.h>

static const char *const source_names[] = {
	[POLICY_FROM_DEFAULT] = "default",
	[POLICY_FROM_ANNOTATION] = "annotation",
	[POLICY_FROM_COMMAND_LINE] = "command line",
	[POLICY_FROM_FILE] = "policy file",
};

int policy_source_from_name(const char *name)
{
	for (size_t i = 0; i < DJ_COUNT(source_names); i++)
		if (strcmp(source_names[i], name) == 0)
			return (int)i;
	return -1;
}

/* Absent rather than null. */
static void set_text(struct json_value *object, const char *key, const char *text)
{
	if (text)
		json_set(object, key, json_new_string(text));
}

static struct json_value *changes_json(const struct policy_result *result)
{
	struct json_value *list = json_new_array();

	for (size_t i = 0; i < result->changes.n; i++) {
		const struct policy_change *c = &result->changes.v[i];
		struct json_value *object = json_new_object();

		set_text(object, "check", c->check);
		set_text(object, "pointer", c->pointer);
		set_text(object, "before", c->before);
		set_text(object, "after", c->after);
		json_push(list, object);
	}
	return list;
}

static struct json_value *findings_json(const struct policy_result *result)
{
	struct json_value *list = json_new_array();

	for (size_t i = 0; i < result->findings.n; i++) {
		const struct policy_finding *f = &result->findings.v[i];
		struct json_value *object = json_new_object();

		set_text(object, "check", f->check);
		set_text(object, "pointer", f->pointer);
		set_text(object, "found", f->found);
		set_text(object, "wanted", f->wanted);
		set_text(object, "override", f->override);
		json_push(list, object);
	}
	return list;
}

static struct json_value *overrides_json(const struct policy_result *result)
{
	struct json_value *list = json_new_array();

	for (size_t i = 0; i < result->overrides.n; i++) {
		const struct policy_override *o = &result->overrides.v[i];
		struct json_value *object = json_new_object();

		set_text(object, "check", o->check);
		set_text(object, "value", o->value);
		set_text(object, "reason", o->reason);
		set_text(object, "source", source_names[o->source]);
		json_set(object, "used", json_new_bool(o->used));
		json_push(list, object);
	}
	return list;
}

static struct json_value *notes_json(const struct policy_result *result)
{
	struct json_value *list = json_new_array();

	for (size_t i = 0; i < result->notes.n; i++) {
		struct json_value *object = json_new_object();

		set_text(object, "check", result->notes.v[i].check);
		set_text(object, "text", result->notes.v[i].text);
		json_push(list, object);
	}
	return list;
}

const char *policy_owners_text(enum policy_owners owners)
{
	static const char *const texts[] = {
		"a: as they are; the map is the config's or the caller's",
		"b: id-mapped",
		"c: an overlay rebuilt from id-mapped layers",
		"d: not mapped; what the host's root owns is nobody's",
	};

	return owners == POLICY_OWNERS_HOST ? NULL : texts[owners - POLICY_OWNERS_CONFIG];
}

char *policy_result_json(const struct policy_result *result, struct dj_arena *arena)
{
	struct json_value *object = json_new_object();
	dj_auto_free char *text = NULL;

	set_text(object, "level", policy_level_name(result->in_force));
	set_text(object, "asked", policy_level_name(result->asked));
	set_text(object, "source", source_names[result->level_source]);
	set_text(object, "rootfsOwners", policy_owners_text(result->owners));
	json_set(object, "changes", changes_json(result));
	json_set(object, "overrides", overrides_json(result));
	json_set(object, "notes", notes_json(result));
	json_set(object, "findings", findings_json(result));
	text = json_print(object, false);
	json_free(object);
	return dj_arena_strdup(arena, text);
}
