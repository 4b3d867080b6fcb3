/* What was decided at create, read back from the record of it: an exec is held to that, whatever
 * command line or policy file say by then (contract R13). */
#include "policy/overrides.h"
#include "wrap/json.h"

#include <string.h>

static const char *member(const struct json_value *object, const char *key)
{
	const struct json_value *value = json_get(object, key);

	return value ? json_text(value) : NULL;
}

static int read_level(const struct json_value *root, struct policy_request *out, struct donjon_error *err)
{
	const char *name = member(root, "level");

	out->level = name ? policy_level_from_name(name) : -1;
	return out->level >= 0 ? 0 : dj_fail(err, DONJON_E_CONFIG, "level: not a policy level");
}

static int read_override(const struct json_value *object, struct dj_arena *arena,
                         struct policy_override *out, struct donjon_error *err)
{
	const char *check = member(object, "check"), *value = member(object, "value");
	const char *reason = member(object, "reason"), *name = member(object, "source");
	int source = name ? policy_source_from_name(name) : -1;

	if (!check || !value || !reason || source < 0)
		return dj_fail(err, DONJON_E_CONFIG, "overrides: not as they are recorded");
	return override_make(check, value, reason, (enum policy_source)source, arena, out, err);
}

static int read_overrides(const struct json_value *root, struct dj_arena *arena,
                          struct policy_request *out, struct donjon_error *err)
{
	const struct json_value *list = json_get(root, "overrides");
	size_t n;

	if (!list || json_kind(list) != JSON_KIND_ARRAY)
		return dj_fail(err, DONJON_E_CONFIG, "overrides: not an array");
	n = json_size(list);
	out->overrides.v = dj_arena_array(arena, n + 1, sizeof(*out->overrides.v));
	for (out->overrides.n = 0; out->overrides.n < n; out->overrides.n++)
		if (read_override(json_at(list, out->overrides.n), arena,
		                  &out->overrides.v[out->overrides.n], err) < 0)
			return -1;
	return 0;
}

int policy_decided_decode(const char *text, size_t size, struct dj_arena *arena,
                          struct policy_request *out, struct donjon_error *err)
{
	struct json_value *root = json_parse(text, size, size, err);
	int r;

	if (!root)
		return -1;
	r = read_level(root, out, err);
	if (r == 0)
		r = read_overrides(root, arena, out, err);
	json_free(root);
	return r;
}
