#include "plan/unit.h"

#include "base/cleanup.h"
#include "oci/pointer.h"
#include "plan/part.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POINTER    "linux.cgroupsPath"
#define ANNOTATION "org.systemd.property."
enum { UNIT_MAX = 255, LIST_MAX = 16 };

/* ---- names ---- */

static bool is_unit_name(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= UNIT_MAX &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@") == len;
}

/* Each dash opens a slice below the one before it: a-b.slice is in a.slice.  "-.slice" is the root. */
static int add_slice(const char *slice, char *out, size_t size, struct donjon_error *err)
{
	size_t len = strlen(slice), used = strlen(out);
	const char *suffix = ".slice";

	if (!is_unit_name(slice) || len <= strlen(suffix) || strcmp(slice + len - strlen(suffix), suffix) != 0)
		return dj_fail(err, DONJON_E_CONFIG, POINTER ": \"%s\" is no slice", slice);
	len -= strlen(suffix);
	if (len == 1 && slice[0] == '-')
		return 0;
	if (slice[0] == '-' || slice[len - 1] == '-' || strstr(slice, "--"))
		return dj_fail(err, DONJON_E_CONFIG, POINTER ": \"%s\" is no slice", slice);
	for (size_t end = 0; end < len; end++) {
		end += strcspn(slice + end, "-.");
		if (end < len && slice[end] == '.')
			end = len;
		used += (size_t)snprintf(out + used, size - used, "/%.*s%s", (int)end, slice, suffix);
		if (used >= size)
			return dj_fail(err, DONJON_E_CONFIG, POINTER ": is too long");
	}
	return 0;
}

/* The three parts; absent ones as other runtimes choose them. */
struct scope {
	char slice[UNIT_MAX + 1], unit[2 * UNIT_MAX];
};

static int read_scope(const struct plan_input *in, struct scope *scope, struct donjon_error *err)
{
	const char *asked = in->spec->linux.cgroups_path;
	const char *fallback = host_is_rootless(in->host) ? "user.slice" : "system.slice";
	char text[3 * UNIT_MAX], *slice = text, *prefix, *name;

	if (!asked || !*asked) {
		(void)snprintf(scope->slice, sizeof(scope->slice), "%s", fallback);
		(void)snprintf(scope->unit, sizeof(scope->unit), "donjon-%s.scope", in->id);
		return 0;
	}
	(void)snprintf(text, sizeof(text), "%s", asked);
	prefix = strchr(text, ':');
	name = prefix ? strchr(prefix + 1, ':') : NULL;
	if (strlen(asked) >= sizeof(text) || !name || strchr(name + 1, ':') || !name[1])
		return dj_fail(err, DONJON_E_CONFIG,
			       POINTER ": \"%.255s\" is not slice:prefix:name, as the systemd cgroup manager wants it",
			       asked);
	*prefix++ = *name++ = '\0';
	(void)snprintf(scope->slice, sizeof(scope->slice), "%s", *slice ? slice : fallback);
	(void)snprintf(scope->unit, sizeof(scope->unit), "%s%s%s.scope", prefix, *prefix ? "-" : "", name);
	return 0;
}

/* ---- annotations ---- */

/* What an annotation may set: nothing that has to do with resources or privileges (decision 41). */
static const struct {
	const char *name;
	enum plan_property_type type;
} allowed[] = {
	{ "After", PLAN_PROPERTY_STRINGS },	  { "Before", PLAN_PROPERTY_STRINGS },
	{ "CollectMode", PLAN_PROPERTY_STRING },  { "DefaultDependencies", PLAN_PROPERTY_BOOL },
	{ "Description", PLAN_PROPERTY_STRING },  { "KillSignal", PLAN_PROPERTY_INT },
	{ "TimeoutStopUSec", PLAN_PROPERTY_UINT64 },
};

static bool read_number(const char *text, const char *type, uint64_t max, uint64_t *out)
{
	char *end;

	if (strncmp(text, type, strlen(type)) == 0)
		text += strlen(type) + strspn(text + strlen(type), " ");
	if (!isdigit((unsigned char)*text))
		return false;
	*out = strtoull(text, &end, 10);
	return *end == '\0' && *out <= max;
}

/* One quoted string; *text moves behind it. */
static char *read_string(struct dj_arena *arena, const char **text)
{
	char quote = **text;
	const char *start = *text + 1, *end = quote == '\'' || quote == '"' ? strchr(start, quote) : NULL;

	if (!end || memchr(start, '\\', (size_t)(end - start)))
		return NULL;
	*text = end + 1;
	return dj_arena_printf(arena, "%.*s", (int)(end - start), start);
}

static bool read_strings(struct plan_block *block, const char *text, struct plan_property *property)
{
	plan_str items[LIST_MAX];
	uint32_t n = 0;

	if (*text++ != '[')
		return false;
	while (*(text += strspn(text, " ,")) != ']') {
		char *item = n < LIST_MAX ? read_string(block->arena, &text) : NULL;

		if (!item)
			return false;
		items[n++] = plan_add_text(block, item);
	}
	property->strings = plan_add_list(block, items, n, sizeof(items[0]));
	return text[1] == '\0';
}

/* GVariant's text form, as far as those properties need it. */
static bool read_value(struct plan_block *block, const char *text, struct plan_property *property)
{
	char *string;

	switch ((enum plan_property_type)property->type) {
	case PLAN_PROPERTY_BOOL:
		property->number = strcmp(text, "true") == 0;
		return property->number || strcmp(text, "false") == 0;
	case PLAN_PROPERTY_INT:
		return read_number(text, "int32", INT32_MAX, &property->number);
	case PLAN_PROPERTY_UINT64:
		return read_number(text, "uint64", UINT64_MAX, &property->number);
	case PLAN_PROPERTY_STRING:
		string = read_string(block->arena, &text);
		property->text = string ? plan_add_text(block, string) : 0;
		return string && *text == '\0';
	case PLAN_PROPERTY_STRINGS:
		return read_strings(block, text, property);
	}
	return false;
}

/* As in unit files, ...Sec is seconds and ...USec what goes over the bus. */
static bool is_in_seconds(const char *name, const char *property)
{
	size_t len = strlen(name);

	return len > 3 && strcmp(name + len - 3, "Sec") == 0 && strncmp(name, property, len - 3) == 0 &&
	       strcmp(property + len - 3, "USec") == 0;
}

static int find_property(const char *name, bool *seconds)
{
	for (size_t i = 0; i < DJ_COUNT(allowed); i++) {
		*seconds = is_in_seconds(name, allowed[i].name);
		if (*seconds || strcmp(name, allowed[i].name) == 0)
			return (int)i;
	}
	return -1;
}

static int add_properties(struct plan_block *block, const struct plan_input *in, struct policy_result *record,
			  struct donjon_error *err)
{
	const struct oci_spec *spec = in->spec;
	struct plan_property *properties =
		dj_arena_array(block->arena, spec->annotations.n + 1, sizeof(*properties));
	struct plan_list list;
	size_t n = 0;

	for (size_t i = 0; i < spec->annotations.n; i++) {
		const char *key = spec->annotations.v[i].key, *value = spec->annotations.v[i].value;
		const char *name = key + strlen(ANNOTATION);
		bool seconds;
		int row;

		if (strncmp(key, ANNOTATION, strlen(ANNOTATION)) != 0)
			continue;
		row = find_property(name, &seconds);
		if (row < 0) {
			plan_note(block, record, "res.cgroup-path", "annotation %s is not honoured", key);
			continue;
		}
		properties[n] = (struct plan_property){ .type = (uint8_t)allowed[row].type };
		properties[n].name = plan_add_text(block, allowed[row].name);
		if (!read_value(block, value, &properties[n]))
			return dj_fail(err, DONJON_E_CONFIG, "%s: cannot read \"%.64s\"",
				       oci_pointer(block->arena, "annotations", key), value);
		if (seconds)
			properties[n].number *= UINT64_C(1000000);
		n++;
	}
	list = plan_add_list(block, properties, n, sizeof(*properties));
	PLAN(block)->unit_properties = list;
	return 0;
}

/* ---- all of it ---- */

int plan_unit(struct plan_block *block, const struct plan_input *in, char *path, size_t size,
	      struct policy_result *record, struct donjon_error *err)
{
	struct scope scope;
	char below[1024];
	plan_str unit, slice;
	int n;

	if (read_scope(in, &scope, err) < 0)
		return -1;
	if (!is_unit_name(scope.unit))
		return dj_fail(err, DONJON_E_CONFIG, POINTER ": \"%.255s\" is no name for a scope", scope.unit);
	(void)snprintf(below, sizeof(below), "%s", in->host->systemd_group);
	if (add_slice(scope.slice, below, sizeof(below), err) < 0)
		return -1;
	n = snprintf(path, size, "%s/%s", below, scope.unit);
	if (n < 0 || (size_t)n >= size)
		return dj_fail(err, DONJON_E_CONFIG, POINTER ": is too long");
	unit = plan_add_text(block, scope.unit);
	slice = plan_add_text(block, scope.slice);
	PLAN(block)->cgroup_unit = unit;
	PLAN(block)->cgroup_slice = slice;
	PLAN(block)->cgroup_user_manager = host_is_rootless(in->host);
	return add_properties(block, in, record, err);
}
