/* The five levels, and which of those asked for wins (hardening-checks.md §8, decision 38). */
#include "base/cleanup.h"
#include "policy/harden.h"

#include <assert.h>
#include <string.h>

static const char *const names[POLICY_LEVEL_COUNT] = {
	[POLICY_NONE] = "none",
	[POLICY_BASELINE] = "baseline",
	[POLICY_RESTRICTED] = "restricted",
	[POLICY_HARDENED] = "hardened",
	[POLICY_PARANOID] = "paranoid",
};

/* A level counts as available once every cell of its column is in force: half of one would look
 * like protection. */
static const bool available[POLICY_LEVEL_COUNT] = {
	[POLICY_NONE] = true,
	[POLICY_HARDENED] = true,
};

int policy_level_from_name(const char *name)
{
	for (int i = 0; i < POLICY_LEVEL_COUNT; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

const char *policy_level_name(enum policy_level level)
{
	assert((unsigned)level < POLICY_LEVEL_COUNT);
	return names[level];
}

static void raise_to(struct policy_result *result, enum policy_level level,
                     enum policy_source source)
{
	if (level <= result->in_force)
		return;
	result->in_force = level;
	result->level_source = source;
}

static int raise_by_annotations(const struct oci_spec *spec, struct policy_result *result,
                                struct donjon_error *err)
{
	for (size_t i = 0; i < spec->annotations.n; i++) {
		const struct oci_pair *pair = &spec->annotations.v[i];
		int level;

		if (strcmp(pair->key, "org.donjon.level") != 0)
			continue;
		level = policy_level_from_name(pair->value);
		if (level < 0)
			return dj_fail(err, DONJON_E_CONFIG,
			               "annotations[\"org.donjon.level\"]: unknown policy level \"%s\"",
			               pair->value);
		raise_to(result, (enum policy_level)level, POLICY_FROM_ANNOTATION);
	}
	return 0;
}

int levels_resolve(const struct policy_request *request, const struct oci_spec *spec,
                   struct policy_result *result, struct donjon_error *err)
{
	const struct policy_file *file = &request->file;
	bool file_decides = file->present && file->level_set;

	result->asked = POLICY_HARDENED;
	result->level_source = POLICY_FROM_DEFAULT;
	if (request->level >= 0) {
		result->asked = (enum policy_level)request->level;
		result->level_source = POLICY_FROM_COMMAND_LINE;
	} else if (file_decides) {
		result->asked = file->level;
		result->level_source = POLICY_FROM_FILE;
	}
	result->in_force = result->asked;
	if (file_decides)
		raise_to(result, file->level, POLICY_FROM_FILE);
	if (raise_by_annotations(spec, result, err) < 0)
		return -1;
	if (!available[result->in_force])
		return dj_fail(err, DONJON_E_UNSUPPORTED, "policy level %s is not available yet",
		               names[result->in_force]);
	return 0;
}
