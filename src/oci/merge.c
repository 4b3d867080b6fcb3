/* What several updates of `linux.resources` come to, as the JSON object that would set it all at
 * once.  The decoder's tables say what a member means. */
#include "oci/decode.h"

#include "oci/field.h"

#include <string.h>

/* Decision 23: engines send zeros for what they do not mean. */
static bool says_something(const struct oci_field *field, const struct json_value *value)
{
	uint64_t number = 1;

	switch (json_kind(value)) {
	case JSON_KIND_NULL:
		return false;
	case JSON_KIND_BOOL:
		return json_bool(value) || !(field->flags & OCI_FALSE_IS_UNSET);
	case JSON_KIND_STRING:
		return *json_text(value) || !(field->flags & OCI_EMPTY_IS_UNSET);
	case JSON_KIND_ARRAY:
		return json_size(value) > 0;
	default:
		return !json_uint64(value, &number) || number != 0 ||
		       !(field->flags & OCI_ZERO_IS_UNSET);
	}
}

static struct json_value *copy_of(const struct json_value *object, const char *key)
{
	const struct json_value *value = json_get(object, key);

	return value ? json_duplicate(value) : json_new_object();
}

/* Free keys: unified["memory.high"]. */
static struct json_value *merge_map(struct json_value *into, const struct json_value *update)
{
	const struct json_value *value;
	const char *key;
	void *it = NULL;

	while ((it = json_next(update, it, &key, &value)))
		json_set(into, key, json_duplicate(value));
	return into;
}

static struct json_value *merge(struct json_value *into, const struct json_value *update,
                                const struct oci_object *object);

static void merge_field(struct json_value *into, const struct json_value *update,
                        const struct oci_field *field)
{
	const struct json_value *value = json_get(update, field->key);

	if (!value || !says_something(field, value))
		return;
	if (field->read == oci_read_object && json_size(value) > 0)
		json_set(into, field->key, merge(copy_of(into, field->key), value, field->how));
	else if (field->read == oci_read_map)
		json_set(into, field->key, merge_map(copy_of(into, field->key), value));
	else if (field->read != oci_read_object)
		json_set(into, field->key, json_duplicate(value));
}

/* The schema is not deep: resources, a group, its members. */
static struct json_value *merge(struct json_value *into, const struct json_value *update,
                                const struct oci_object *object)
{
	for (size_t i = 0; i < object->n; i++)
		merge_field(into, update, &object->fields[i]);
	return into;
}

void oci_merge_resources(struct json_value *into, const struct json_value *update)
{
	for (size_t i = 0; i < oci_resources_object.n; i++) {
		const struct oci_field *field = &oci_resources_object.fields[i];

		if (strcmp(field->key, "devices") != 0)
			merge_field(into, update, field);
	}
}
