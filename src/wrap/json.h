/*
 * JSON through jansson: strict (one document, no duplicate key, size and depth limits, B31), exact
 * 64-bit integers (decision 25), and errors that carry the path of the value.  No jansson type is
 * visible: a struct json_value is opaque and belongs to its document.
 */
#ifndef WRAP_JSON_H
#define WRAP_JSON_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_value;

enum json_kind {
	JSON_KIND_NULL,
	JSON_KIND_BOOL,
	JSON_KIND_INT,
	JSON_KIND_UINT64,
	JSON_KIND_TOO_BIG, /* an integer that does not fit 64 bits, signed or not */
	JSON_KIND_REAL,
	JSON_KIND_STRING,
	JSON_KIND_ARRAY,
	JSON_KIND_OBJECT,
};

/* Parses the whole text.  Integers beyond int64 come out as JSON_KIND_UINT64 where they fit 64 bits
 * unsigned.  Free with json_free(). */
struct json_value *json_parse(const char *text, size_t size, size_t max_size, struct donjon_error *err);
void json_free(struct json_value *value);

enum json_kind json_kind(const struct json_value *value);
const char *json_text(const struct json_value *value); /* NULL unless a string */
bool json_bool(const struct json_value *value);
/* False unless the value is an integer of that range. */
bool json_int64(const struct json_value *value, int64_t *out);
bool json_uint64(const struct json_value *value, uint64_t *out);

size_t json_size(const struct json_value *value); /* members of an array or object */
const struct json_value *json_at(const struct json_value *array, size_t index);
const struct json_value *json_get(const struct json_value *object, const char *key);

/* Walks an object in document order: void *it = NULL; while ((it = json_next(obj, it, &key, &v))) */
void *json_next(const struct json_value *object, void *it, const char **key,
		const struct json_value **value);

/* Building and printing (state, features, dry-run). The add functions own what they are given. */
struct json_value *json_new_object(void);
struct json_value *json_new_array(void);
struct json_value *json_new_string(const char *s); /* invalid UTF-8 is replaced by '?' (B33) */
struct json_value *json_new_int(int64_t v);
struct json_value *json_new_uint(uint64_t v);
struct json_value *json_new_bool(bool v);
struct json_value *json_duplicate(const struct json_value *value); /* all of it */
void json_set(struct json_value *object, const char *key, struct json_value *value_consume);
void json_push(struct json_value *array, struct json_value *value_consume);
/* malloc'ed text; pretty: two-space indentation. */
char *json_print(const struct json_value *value, bool pretty);

#endif
