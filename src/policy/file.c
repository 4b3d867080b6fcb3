/* The policy file: {"level", "overrides", "annotations_may_allow"}, nothing else (decision 38).  A
 * key that is not understood could be a protection somebody relies on: it is an error. */
#include "base/cleanup.h"
#include "policy/harden.h"
#include "wrap/json.h"

#include <string.h>

static int decode_level(const struct json_value *value, struct policy_file *file,
                        struct donjon_error *err)
{
	const char *name = json_text(value);
	int level = name ? policy_level_from_name(name) : -1;

	if (level < 0)
		return dj_fail(err, DONJON_E_CONFIG, "level: not a policy level");
	file->level_set = true;
	file->level = (enum policy_level)level;
	return 0;
}

/* {"id": ..., "value": ..., "reason": ...} */
static int decode_override_object(const struct json_value *object, struct dj_arena *arena,
                                  struct policy_override *out, struct donjon_error *err)
{
	static const char *const keys[] = { "id", "value", "reason" };
	const char *text[DJ_COUNT(keys)];

	for (size_t i = 0; i < DJ_COUNT(keys); i++) {
		const struct json_value *member = json_get(object, keys[i]);

		text[i] = member ? json_text(member) : NULL;
		if (!text[i])
			return dj_fail(err, DONJON_E_CONFIG, "a string \"%s\" is needed", keys[i]);
	}
	if (json_size(object) != DJ_COUNT(keys))
		return dj_fail(err, DONJON_E_CONFIG, "unknown key beside id, value and reason");
	return override_make(text[0], text[1], text[2], POLICY_FROM_FILE, arena, out, err);
}

static int decode_override(const struct json_value *value, struct dj_arena *arena,
                           struct policy_override *out, struct donjon_error *err)
{
	if (json_kind(value) == JSON_KIND_STRING)
		return override_from_text(json_text(value), POLICY_FROM_FILE, arena, out, err);
	if (json_kind(value) == JSON_KIND_OBJECT)
		return decode_override_object(value, arena, out, err);
	return dj_fail(err, DONJON_E_CONFIG, "neither a string nor an object");
}

static int decode_overrides(const struct json_value *value, struct dj_arena *arena,
                            struct policy_file *file, struct donjon_error *err)
{
	if (json_kind(value) != JSON_KIND_ARRAY)
		return dj_fail(err, DONJON_E_CONFIG, "overrides: not an array");
	file->overrides.n = json_size(value);
	file->overrides.v = dj_arena_array(arena, file->overrides.n, sizeof(*file->overrides.v));
	for (size_t i = 0; i < file->overrides.n; i++)
		if (decode_override(json_at(value, i), arena, &file->overrides.v[i], err) < 0)
			return dj_note(err, "overrides[%zu]", i);
	return 0;
}

static int decode_may_allow(const struct json_value *value, struct dj_arena *arena,
                            struct policy_file *file, struct donjon_error *err)
{
	if (json_kind(value) != JSON_KIND_ARRAY)
		return dj_fail(err, DONJON_E_CONFIG, "annotations_may_allow: not an array");
	for (size_t i = 0; i < json_size(value); i++) {
		const char *id = json_text(json_at(value, i));

		if (!id || !policy_check_find(id) || !override_rule_find(id))
			return dj_fail(err, DONJON_E_CONFIG,
			               "annotations_may_allow[%zu]: not the id of a check that can "
			               "be overridden",
			               i);
		strings_add(arena, &file->annotations_may_allow, dj_arena_strdup(arena, id));
	}
	return 0;
}

static int decode_member(const char *key, const struct json_value *value, struct dj_arena *arena,
                         struct policy_file *file, struct donjon_error *err)
{
	if (strcmp(key, "level") == 0)
		return decode_level(value, file, err);
	if (strcmp(key, "overrides") == 0)
		return decode_overrides(value, arena, file, err);
	if (strcmp(key, "annotations_may_allow") == 0)
		return decode_may_allow(value, arena, file, err);
	return dj_fail(err, DONJON_E_CONFIG, "unknown key \"%s\"", key);
}

static int decode_object(const struct json_value *object, struct dj_arena *arena,
                         struct policy_file *file, struct donjon_error *err)
{
	const struct json_value *value;
	const char *key;
	void *it = NULL;

	if (json_kind(object) != JSON_KIND_OBJECT)
		return dj_fail(err, DONJON_E_CONFIG, "not a JSON object");
	while ((it = json_next(object, it, &key, &value)))
		if (decode_member(key, value, arena, file, err) < 0)
			return -1;
	return 0;
}

int policy_file_decode(const char *text, size_t size, struct dj_arena *arena,
                       struct policy_file *out, struct donjon_error *err)
{
	struct policy_file file = { .present = true };
	struct json_value *object = json_parse(text, size, POLICY_FILE_MAX, err);
	int r;

	if (!object)
		return -1;
	r = decode_object(object, arena, &file, err);
	json_free(object);
	if (r == 0)
		*out = file;
	return r;
}
