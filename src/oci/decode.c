#include "oci/decode.h"

#include "oci/field.h"
#include "oci/pointer.h"
#include "oci/remounts.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- where we are, and what went wrong ---- */

enum { PATH_MAX_STEPS = 16, PATH_SHOWN = 512 };

void oci_enter(struct oci_decoder *d, struct oci_step *step, const char *key, size_t index)
{
	*step = (struct oci_step){ d->at, key, index };
	d->at = step;
}

void oci_leave(struct oci_decoder *d)
{
	d->at = d->at->up;
}

static size_t print_step(char *buf, size_t room, const struct oci_step *step)
{
	int n = step->key ? oci_print_key(buf, room, step->key) : snprintf(buf, room, "[%zu]", step->index);

	return n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

/* "linux.seccomp.syscalls[3].names" */
static const char *print_path(const struct oci_decoder *d, char buf[static PATH_SHOWN])
{
	const struct oci_step *steps[PATH_MAX_STEPS];
	size_t n = 0, used = 0;

	for (const struct oci_step *step = d->at; step; step = step->up) {
		assert(n < PATH_MAX_STEPS); /* the schema is less deep */
		steps[n++] = step;
	}
	buf[0] = '\0';
	while (n-- > 0)
		used += print_step(buf + used, PATH_SHOWN - used, steps[n]);
	return buf[0] == '.' ? buf + 1 : buf;
}

int oci_decode_fail(struct oci_decoder *d, const char *fmt, ...)
{
	char path[PATH_SHOWN], reason[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	if (!d->at)
		return dj_fail(d->err, DONJON_E_CONFIG, "%s", reason);
	return dj_fail(d->err, DONJON_E_CONFIG, "%s: %s", print_path(d, path), reason);
}

static const char *kind_name(const struct json_value *value)
{
	static const char *const names[] = {
		[JSON_KIND_NULL] = "null",
		[JSON_KIND_BOOL] = "a boolean",
		[JSON_KIND_INT] = "a number",
		[JSON_KIND_UINT64] = "a number",
		[JSON_KIND_TOO_BIG] = "a number that does not fit 64 bits",
		[JSON_KIND_REAL] = "a number with a fraction or exponent",
		[JSON_KIND_STRING] = "a string",
		[JSON_KIND_ARRAY] = "a list",
		[JSON_KIND_OBJECT] = "an object",
	};

	return names[json_kind(value)];
}

int oci_wrong_type(struct oci_decoder *d, const char *wanted, const struct json_value *value)
{
	return oci_decode_fail(d, "must be %s, is %s", wanted, kind_name(value));
}

void oci_strings_add(struct dj_arena *arena, struct oci_strings *list, char *s)
{
	/* Room is always the next power of two above n, so only n = 0, 1, 3, 7, ... needs more. */
	if ((list->n & (list->n + 1)) == 0) {
		char **more = dj_arena_array(arena, 2 * (list->n + 1), sizeof(*more));

		if (list->n > 0)
			memcpy(more, list->v, list->n * sizeof(*more));
		list->v = more;
	}
	list->v[list->n++] = s;
	list->v[list->n] = NULL;
}

/* ---- single values ---- */

int oci_read_ignored(struct oci_decoder *d, const struct json_value *value,
                     const struct oci_field *field, void *to)
{
	(void)d, (void)value, (void)field, (void)to;
	return OCI_UNSET;
}

int oci_read_string(struct oci_decoder *d, const struct json_value *value,
                    const struct oci_field *field, void *to)
{
	const char *s = json_text(value);

	if (!s)
		return oci_wrong_type(d, "a string", value);
	if (*s == '\0' && (field->flags & OCI_EMPTY_IS_UNSET))
		return OCI_UNSET;
	*(char **)to = dj_arena_strdup(d->arena, s);
	return OCI_STORED;
}

int oci_read_bool(struct oci_decoder *d, const struct json_value *value,
                  const struct oci_field *field, void *to)
{
	if (json_kind(value) != JSON_KIND_BOOL)
		return oci_wrong_type(d, "a boolean", value);
	if (!json_bool(value) && (field->flags & OCI_FALSE_IS_UNSET))
		return OCI_UNSET;
	*(bool *)to = json_bool(value);
	return OCI_STORED;
}

/* The value was checked against the member's range: nothing is cut off here. */
static void store(void *to, size_t size, uint64_t value)
{
	switch (size) {
	case sizeof(uint8_t):
		*(uint8_t *)to = (uint8_t)value;
		return;
	case sizeof(uint16_t):
		*(uint16_t *)to = (uint16_t)value;
		return;
	case sizeof(uint32_t):
		*(uint32_t *)to = (uint32_t)value;
		return;
	case sizeof(uint64_t):
		*(uint64_t *)to = value;
		return;
	default:
		assert(!"a field of odd size");
	}
}

/* Sign and magnitude of any integer of 64 bits, signed or not. */
struct integer {
	bool negative;
	uint64_t bits; /* two's complement when negative */
};

static bool get_integer(const struct json_value *value, struct integer *out)
{
	int64_t s;
	uint64_t u;

	if (json_uint64(value, &u)) {
		*out = (struct integer){ false, u };
		return true;
	}
	if (json_int64(value, &s)) {
		*out = (struct integer){ s < 0, (uint64_t)s };
		return true;
	}
	return false;
}

static bool in_range(const struct integer *v, const struct oci_field *field)
{
	if (v->negative)
		return (int64_t)v->bits >= field->min;
	if (field->min > 0 && v->bits < (uint64_t)field->min)
		return false;
	return v->bits <= field->max;
}

static int out_of_range(struct oci_decoder *d, const struct integer *v,
                        const struct oci_field *field)
{
	char got[24];

	if (v->negative)
		(void)snprintf(got, sizeof(got), "%" PRId64, (int64_t)v->bits);
	else
		(void)snprintf(got, sizeof(got), "%" PRIu64, v->bits);
	return oci_decode_fail(d, "must be from %" PRId64 " to %" PRIu64 ", is %s", field->min,
	                       field->max, got);
}

int oci_read_number(struct oci_decoder *d, const struct json_value *value,
                    const struct oci_field *field, void *to)
{
	struct integer v;

	if (!get_integer(value, &v))
		return oci_wrong_type(d, "an integer", value);
	if (v.bits == 0 && (field->flags & OCI_ZERO_IS_UNSET))
		return OCI_UNSET;
	if (!in_range(&v, field))
		return out_of_range(d, &v, field);
	store(to, field->size, v.bits);
	return OCI_STORED;
}

static int get_word(struct oci_decoder *d, const struct json_value *value,
                    const struct oci_words *words, uint64_t *out)
{
	const char *s = json_text(value);

	if (!s)
		return oci_wrong_type(d, "a string", value);
	if (!oci_word_value(words, s, out))
		return oci_decode_fail(d, "unknown %s \"%.*s\"", words->what, OCI_KEY_SHOWN, s);
	return 0;
}

int oci_read_word(struct oci_decoder *d, const struct json_value *value,
                  const struct oci_field *field, void *to)
{
	const char *s = json_text(value);
	uint64_t word;

	if (s && *s == '\0' && (field->flags & OCI_EMPTY_IS_UNSET))
		return OCI_UNSET;
	if (get_word(d, value, field->how, &word) < 0)
		return -1;
	store(to, field->size, word);
	return OCI_STORED;
}

int oci_check_list(struct oci_decoder *d, const struct json_value *value, size_t max)
{
	if (json_kind(value) != JSON_KIND_ARRAY)
		return oci_wrong_type(d, "a list", value);
	if (json_size(value) > max)
		return oci_decode_fail(d, "has %zu items, at most %zu are supported",
		                       json_size(value), max);
	return 0;
}

int oci_read_flags(struct oci_decoder *d, const struct json_value *value,
                   const struct oci_field *field, void *to)
{
	uint64_t flags = 0, flag;
	struct oci_step step;

	if (oci_check_list(d, value, OCI_LIST_MAX) < 0)
		return -1;
	for (size_t i = 0; i < json_size(value); i++) {
		oci_enter(d, &step, NULL, i);
		if (get_word(d, json_at(value, i), field->how, &flag) < 0)
			return -1;
		oci_leave(d);
		flags |= flag;
	}
	store(to, field->size, flags);
	return OCI_STORED;
}

/* ---- objects ---- */

static const struct oci_field *find_field(const struct oci_object *object, const char *key)
{
	for (size_t i = 0; i < object->n; i++) {
		if (strcmp(object->fields[i].key, key) == 0)
			return &object->fields[i];
	}
	return NULL;
}

/* Decision 31: newer engines send properties we do not know, and the specification wants them
 * ignored; but "noNewprivileges" is a mistake that must not pass for an unknown property. */
static int meet_unknown(struct oci_decoder *d, const struct oci_object *object, const char *key)
{
	char path[PATH_SHOWN];

	if (object->closed)
		return oci_decode_fail(d, "unknown property");
	for (size_t i = 0; i < object->n; i++) {
		if (strcasecmp(object->fields[i].key, key) == 0)
			return oci_decode_fail(d, "unknown property, \"%s\" is meant",
			                       object->fields[i].key);
	}
	if (d->n_ignored++ < OCI_IGNORED_MAX)
		oci_strings_add(d->arena, &d->ignored,
		                dj_arena_strdup(d->arena, print_path(d, path)));
	return OCI_UNSET;
}

static int read_field(struct oci_decoder *d, const struct json_value *value,
                      const struct oci_field *field, void *base)
{
	char *at = base;
	int rc;

	/* A null means absent (contract 3): Go's encoders print empty pointers and lists so. */
	if (json_kind(value) == JSON_KIND_NULL)
		return OCI_UNSET;
	rc = field->read(d, value, field, at + field->offset);
	if (rc == OCI_STORED && (field->flags & OCI_SETS))
		*(bool *)(at + field->set) = true;
	return rc;
}

static int check_required(struct oci_decoder *d, const struct oci_object *object, uint64_t seen)
{
	struct oci_step step;

	for (size_t i = 0; i < object->n; i++) {
		if (!(object->fields[i].flags & OCI_REQUIRED) || (seen & (UINT64_C(1) << i)))
			continue;
		oci_enter(d, &step, object->fields[i].key, 0);
		return oci_decode_fail(d, "missing");
	}
	return OCI_STORED;
}

int oci_read_members(struct oci_decoder *d, const struct json_value *value,
                     const struct oci_object *object, void *base)
{
	const struct json_value *member;
	struct oci_step step;
	const char *key;
	void *it = NULL;
	uint64_t seen = 0;

	assert(object->n <= 64);
	if (json_kind(value) != JSON_KIND_OBJECT)
		return oci_wrong_type(d, "an object", value);
	while ((it = json_next(value, it, &key, &member))) {
		const struct oci_field *field = find_field(object, key);
		int rc;

		oci_enter(d, &step, key, 0);
		rc = field ? read_field(d, member, field, base) : meet_unknown(d, object, key);
		if (rc < 0)
			return -1;
		oci_leave(d);
		if (rc == OCI_STORED)
			seen |= UINT64_C(1) << (field - object->fields);
	}
	return check_required(d, object, seen);
}

int oci_read_object(struct oci_decoder *d, const struct json_value *value,
                    const struct oci_field *field, void *to)
{
	return oci_read_members(d, value, field->how, to);
}

/* ---- lists and maps ---- */

/* Every OCI_LIST has this shape. */
struct any_list {
	void *v;
	size_t n;
};

/* One more zeroed item than there are: lists of strings end in NULL. */
static void *new_items(struct oci_decoder *d, const struct oci_list *list, size_t n)
{
	return dj_arena_array(d->arena, n + 1, list->size);
}

static int read_item(struct oci_decoder *d, const struct json_value *value,
                     const struct oci_field *item, char *to)
{
	if (item->read(d, value, item, to + item->offset) < 0)
		return -1;
	oci_leave(d);
	return 0;
}

int oci_read_list(struct oci_decoder *d, const struct json_value *value,
                  const struct oci_field *field, void *to)
{
	const struct oci_list *list = field->how;
	struct any_list made = { 0 };
	struct oci_step step;

	if (oci_check_list(d, value, list->max ? list->max : OCI_LIST_MAX) < 0)
		return -1;
	made.v = new_items(d, list, json_size(value));
	for (; made.n < json_size(value); made.n++) {
		char *item = (char *)made.v + made.n * list->size;

		oci_enter(d, &step, NULL, made.n);
		if (read_item(d, json_at(value, made.n), list->item, item) < 0)
			return -1;
	}
	memcpy(to, &made, sizeof(made));
	return OCI_STORED;
}

static int check_map(struct oci_decoder *d, const struct json_value *value, size_t max)
{
	if (json_kind(value) != JSON_KIND_OBJECT)
		return oci_wrong_type(d, "an object", value);
	if (json_size(value) > max)
		return oci_decode_fail(d, "has %zu members, at most %zu are supported",
		                       json_size(value), max);
	return 0;
}

int oci_read_map(struct oci_decoder *d, const struct json_value *value,
                 const struct oci_field *field, void *to)
{
	const struct oci_list *list = field->how;
	const struct json_value *member;
	struct any_list made = { 0 };
	struct oci_step step;
	void *it = NULL;
	const char *key;

	if (check_map(d, value, list->max ? list->max : OCI_LIST_MAX) < 0)
		return -1;
	made.v = new_items(d, list, json_size(value));
	while ((it = json_next(value, it, &key, &member))) {
		char *item = (char *)made.v + made.n * list->size;

		if (json_kind(member) == JSON_KIND_NULL)
			continue;
		oci_enter(d, &step, key, 0);
		if (*key == '\0')
			return oci_decode_fail(d, "the name is empty");
		*(char **)(void *)item = dj_arena_strdup(d->arena, key);
		if (read_item(d, member, list->item, item) < 0)
			return -1;
		made.n++;
	}
	memcpy(to, &made, sizeof(made));
	return OCI_STORED;
}

static const struct oci_field string_item = { .read = oci_read_string };
const struct oci_list oci_string_list = { &string_item, sizeof(char *), 0 };

static const struct oci_field pair_item = { .read = oci_read_string,
	                                    .offset = offsetof(struct oci_pair, value) };
const struct oci_list oci_pair_list = { &pair_item, sizeof(struct oci_pair), 0 };

static const struct oci_field id_map_fields[] = {
	OCI_NUMBER(struct oci_id_map, "containerID", container_id, 0, OCI_ID_MAX, OCI_REQUIRED),
	OCI_NUMBER(struct oci_id_map, "hostID", host_id, 0, OCI_ID_MAX, OCI_REQUIRED),
	OCI_NUMBER(struct oci_id_map, "size", size, 1, UINT32_MAX, OCI_REQUIRED),
};
static const struct oci_object id_map_object = OCI_OBJECT_OF(id_map_fields);
const struct oci_list oci_id_map_list = OCI_LIST_OF(struct oci_id_map, id_map_object);

/* ---- whole documents ---- */

struct document {
	const char *path[2]; /* where the document has its place in config.json */
	const struct oci_object *object;
	uint64_t capabilities;
	bool is_profile;
};

static int read_document(struct oci_decoder *d, const struct json_value *value,
                         const struct document *document, void *to)
{
	struct oci_step steps[DJ_COUNT(document->path)];

	for (size_t i = 0; i < DJ_COUNT(document->path) && document->path[i]; i++)
		oci_enter(d, &steps[i], document->path[i], 0);
	if (document->is_profile)
		return oci_read_profile(d, value, document->capabilities, to);
	return oci_read_members(d, value, document->object, to);
}

static int decode_document(const char *text, size_t size, const struct document *document,
                           struct oci_decoder *d, void *to)
{
	struct json_value *root = json_parse(text, size, OCI_CONFIG_MAX, d->err);
	int rc;

	if (!root)
		return -1;
	rc = read_document(d, root, document, to);
	d->at = NULL;
	json_free(root);
	return rc < 0 ? -1 : 0;
}

static void tell_ignored(struct oci_decoder *d)
{
	for (size_t i = 0; i < d->unknown_caps.n; i++)
		if (d->n_ignored++ < OCI_IGNORED_MAX)
			oci_strings_add(d->arena, &d->ignored,
			                dj_arena_printf(d->arena, "process.capabilities: %.64s",
			                                d->unknown_caps.v[i]));
	if (d->n_ignored > OCI_IGNORED_MAX)
		oci_strings_add(
		        d->arena, &d->ignored,
		        dj_arena_printf(d->arena, "and %zu more", d->n_ignored - OCI_IGNORED_MAX));
}

int oci_decode(const char *text, size_t size, struct dj_arena *arena, struct oci_spec *spec,
               struct donjon_error *err)
{
	struct oci_decoder d = { .arena = arena, .err = err };
	struct oci_spec out = { 0 };

	if (decode_document(text, size, &(struct document){ .object = &oci_config_object }, &d,
	                    &out) < 0)
		return -1;
	tell_ignored(&d);
	out.ignored = d.ignored;
	out.process.capabilities.unknown = d.unknown_caps;
	oci_fold_remounts(&out, arena);
	*spec = out;
	return 0;
}

int oci_decode_process(const char *text, size_t size, struct dj_arena *arena,
                       struct oci_process *process, struct donjon_error *err)
{
	struct oci_decoder d = { .arena = arena, .err = err };
	struct oci_process out = { .set = true };

	if (decode_document(text, size,
	                    &(struct document){ { "process" }, .object = &oci_process_object }, &d,
	                    &out) < 0)
		return -1;
	out.capabilities.unknown = d.unknown_caps;
	*process = out;
	return 0;
}

int oci_decode_resources(const char *text, size_t size, struct dj_arena *arena,
                         struct oci_resources *resources, struct donjon_error *err)
{
	struct oci_decoder d = { .arena = arena, .err = err };
	struct oci_resources out = { 0 };

	if (decode_document(
	            text, size,
	            &(struct document){ { "linux", "resources" }, .object = &oci_resources_object },
	            &d, &out) < 0)
		return -1;
	*resources = out;
	return 0;
}

int oci_decode_seccomp(const char *text, size_t size, uint64_t capabilities, struct dj_arena *arena,
                       struct oci_seccomp *seccomp, struct donjon_error *err)
{
	struct oci_decoder d = { .arena = arena, .err = err };
	struct oci_seccomp out = { .set = true };

	if (decode_document(text, size,
	                    &(struct document){ .capabilities = capabilities, .is_profile = true },
	                    &d, &out) < 0)
		return -1;
	*seccomp = out;
	return 0;
}
