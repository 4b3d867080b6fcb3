#include "wrap/json.h"

#include "base/cleanup.h"
#include "base/utf8.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <threads.h>

/*
 * jansson has no integers beyond int64, but configurations do (RLIM_INFINITY).  One pass over the
 * text before the parser replaces each by a string of the same length, so that the parser's lines
 * and columns stay true: U+0001 and the 64 bits in eleven digits of base 64; or, for one that does not
 * fit 64 bits, so that its reader can name the property, eleven of TOO_BIG.  The same pass refuses
 * strings of the document that start with U+0001 (raw ones are no JSON, so it has one spelling),
 * therefore nothing in a document can pretend to be such an integer.
 */
#define TAG         '\1'
#define TAG_ESCAPED "\\u0001"
#define TOO_BIG     '!' /* no digit of base64[] */

enum {
	DEPTH_MAX = 128,   /* jansson's own limit is 2048 frames of its parser */
	/* Twice what any reader takes, and more than that costs seconds and hundreds of MB (T38). */
	MEMBERS_MAX = 131072,
	NAME_SHOWN = 64,
	INT64_DIGITS = 18, /* always fit */
	UINT64_DIGITS = 20,
	PACKED_DIGITS = 11,
	PACKED_SIZE = 1 + (sizeof(TAG_ESCAPED) - 1) + PACKED_DIGITS + 1, /* with its quotes: 19 */
};

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void pack(uint64_t v, char digits[static PACKED_DIGITS])
{
	for (size_t i = PACKED_DIGITS; i-- > 0; v >>= 6)
		digits[i] = base64[v & 63];
}

static uint64_t unpack(const char *digits)
{
	uint64_t v = 0;

	for (size_t i = 0; i < PACKED_DIGITS; i++)
		v = v << 6 | (uint64_t)(strchr(base64, digits[i]) - base64);
	return v;
}

static _Noreturn void out_of_memory(void)
{
	fputs("donjon: out of memory\n", stderr);
	abort();
}

static struct json_value *wrap(json_t *value)
{
	if (!value)
		out_of_memory();
	return (struct json_value *)value;
}

/* Left alone jansson opens /dev/urandom for the seed of its hashes. */
static void seed_hashes(void)
{
	uint32_t seed = 0; /* jansson then finds one by itself */

	(void)!getrandom(&seed, sizeof(seed), GRND_NONBLOCK);
	json_object_seed(seed);
}

static once_flag seeded = ONCE_FLAG_INIT;

/* jansson's readers take a non-const value in places, and change nothing. */
static json_t *raw(const struct json_value *value)
{
	return (json_t *)(uintptr_t)value;
}

/* The pass over the text; `text` becomes a private copy at the first replacement. */
struct scan {
	const char *text;
	size_t size, pos;
	unsigned depth;
	size_t members[DEPTH_MAX + 1]; /* so far, of each list and object that is open */
	size_t name[DEPTH_MAX + 1];    /* where the string before each starts: mostly its name */
	size_t string;                 /* where the last string starts */
	char *copy;
	struct donjon_error *err;
};

static int fail_at(const struct scan *s, size_t pos, const char *what)
{
	size_t line = 1, column = 1;

	for (size_t i = 0; i < pos; i++) {
		column++;
		if (s->text[i] == '\n') {
			line++;
			column = 1;
		}
	}
	return dj_fail(s->err, DONJON_E_CONFIG, "invalid JSON at line %zu, column %zu: %s", line,
	               column, what);
}

/* A quote with an odd number of backslashes before it belongs to the string. */
static bool is_escaped(const char *quote)
{
	const char *p = quote;

	while (p[-1] == '\\') /* the string's opening quote ends it at the latest */
		p--;
	return (quote - p) % 2 == 1;
}

/* Stops behind the closing quote, or at the end: that is for the parser to complain about. */
static int scan_string(struct scan *s)
{
	const size_t start = s->string = s->pos++;
	const size_t tag = sizeof(TAG_ESCAPED) - 1;
	const char *at = s->text + s->pos, *end = s->text + s->size;

	if (s->size - s->pos >= tag && memcmp(at, TAG_ESCAPED, tag) == 0)
		return fail_at(s, start, "string starts with the control character U+0001");
	while ((at = memchr(at, '"', (size_t)(end - at))) && is_escaped(at))
		at++;
	s->pos = at ? (size_t)(at + 1 - s->text) : s->size;
	return 0;
}

/* Digits of the token, 0 unless it is a plain integer as JSON spells it. */
static size_t integer_digits(const char *token, size_t size)
{
	size_t sign = size > 0 && token[0] == '-', i = sign;

	while (i < size && isdigit((unsigned char)token[i]))
		i++;
	if (i < size || i == sign || (token[sign] == '0' && i > sign + 1))
		return 0;
	return i - sign;
}

static void replace(struct scan *s, size_t start, size_t size, const char digits[static PACKED_DIGITS])
{
	char *p;

	if (!s->copy) {
		s->copy = malloc(s->size);
		if (!s->copy)
			out_of_memory();
		memcpy(s->copy, s->text, s->size);
	}
	p = s->copy + start;
	memset(p, ' ', size);
	memcpy(p, "\"" TAG_ESCAPED, sizeof(TAG_ESCAPED));
	memcpy(p + sizeof(TAG_ESCAPED), digits, PACKED_DIGITS);
	p[PACKED_SIZE - 1] = '"';
}

/* A name must not become one by being replaced. */
static bool is_name(const struct scan *s)
{
	size_t i = s->pos;

	while (i < s->size && isspace((unsigned char)s->text[i]))
		i++;
	return i < s->size && s->text[i] == ':';
}

static bool is_number_char(char c)
{
	return isdigit((unsigned char)c) || c == '-' || c == '+' || c == '.' || c == 'e' ||
	       c == 'E';
}

enum fit { FITS_INT64, FITS_UINT64, FITS_NOTHING };

static enum fit fit_of(const char *digits, size_t size, uint64_t *v)
{
	char token[UINT64_DIGITS + 2];

	if (size >= sizeof(token))
		return FITS_NOTHING;
	memcpy(token, digits, size);
	token[size] = '\0';
	errno = 0;
	if (token[0] == '-')
		(void)strtoll(token, NULL, 10);
	*v = strtoull(token, NULL, 10);
	if (errno == ERANGE)
		return FITS_NOTHING;
	return token[0] == '-' || *v <= INT64_MAX ? FITS_INT64 : FITS_UINT64;
}

static void scan_number(struct scan *s)
{
	const size_t start = s->pos;
	char digits[PACKED_DIGITS];
	enum fit fit;
	uint64_t v = 0;
	size_t size;

	while (s->pos < s->size && is_number_char(s->text[s->pos]))
		s->pos++;
	size = s->pos - start;
	if (integer_digits(s->text + start, size) <= INT64_DIGITS || is_name(s))
		return;
	fit = fit_of(s->text + start, size, &v);
	if (fit == FITS_INT64)
		return;
	if (fit == FITS_UINT64)
		pack(v, digits);
	else
		memset(digits, TOO_BIG, sizeof(digits));
	replace(s, start, size, digits);
}

static int scan_bracket(struct scan *s)
{
	const char c = s->text[s->pos];

	if (c == '{' || c == '[') {
		if (++s->depth > DEPTH_MAX)
			return fail_at(s, s->pos, "nested too deeply");
		s->members[s->depth] = 0;
		s->name[s->depth] = s->string;
	}
	if ((c == '}' || c == ']') && s->depth > 0)
		s->depth--;
	s->pos++;
	return 0;
}

static int fail_members(const struct scan *s)
{
	const size_t start = s->name[s->depth];
	const char *name = s->text + start + 1;
	char what[128];
	size_t n = 0;

	/* Without a string before it the list is in no object. */
	while (s->text[start] == '"' && start + 1 + n < s->size && n < NAME_SHOWN && name[n] != '"' &&
	       name[n] != '\\')
		n++;
	(void)snprintf(what, sizeof(what), "%.*s%smore than %d items or members", (int)n, name,
	               n > 0 ? ": " : "", MEMBERS_MAX);
	return fail_at(s, start, what);
}

static int scan_comma(struct scan *s)
{
	s->pos++;
	return ++s->members[s->depth] < MEMBERS_MAX ? 0 : fail_members(s);
}

/* Most of an indented document. */
static bool is_between(char c)
{
	return c == ' ' || c == '\n' || c == ':' || c == '\t';
}

static int scan(struct scan *s)
{
	int r = 0;

	while (r == 0 && s->pos < s->size) {
		const char c = s->text[s->pos];

		if (is_between(c))
			s->pos++;
		else if (c == ',')
			r = scan_comma(s);
		else if (c == '"')
			r = scan_string(s);
		else if (c == '-' || isdigit((unsigned char)c))
			scan_number(s);
		else
			r = scan_bracket(s);
	}
	return r;
}

/* The string token that ends at `end`: jansson leaves long names out of its text. */
static int fail_duplicate(const char *text, size_t end, const json_error_t *error,
                          struct donjon_error *err)
{
	size_t start = end - 1;

	do
		start--;
	while (start > 0 && (text[start] != '"' || text[start - 1] == '\\'));
	return dj_fail(err, DONJON_E_CONFIG,
	               "invalid JSON at line %d, column %d: duplicate key %.*s", error->line,
	               error->column, (int)(end - start), text + start);
}

static int fail_parse(const char *text, size_t size, const json_error_t *error,
                      struct donjon_error *err)
{
	size_t end = error->position > 0 ? (size_t)error->position : 0;

	if (json_error_code(error) == json_error_duplicate_key && end > 1 && end <= size)
		return fail_duplicate(text, end, error, err);
	return dj_fail(err, DONJON_E_CONFIG, "invalid JSON at line %d, column %d: %s", error->line,
	               error->column, error->text);
}

struct json_value *json_parse(const char *text, size_t size, size_t max_size,
                              struct donjon_error *err)
{
	struct scan s = { .text = text, .size = size, .err = err };
	dj_auto_free char *copy = NULL;
	json_error_t error;
	json_t *value;
	int r;

	if (size > max_size) {
		(void)dj_fail(err, DONJON_E_CONFIG, "JSON text larger than %zu bytes", max_size);
		return NULL;
	}
	r = scan(&s);
	copy = s.copy;
	if (r < 0)
		return NULL;
	call_once(&seeded, seed_hashes);
	value = json_loadb(copy ? copy : text, size, JSON_REJECT_DUPLICATES, &error);
	if (!value)
		(void)fail_parse(text, size, &error, err);
	return (struct json_value *)value;
}

void json_free(struct json_value *value)
{
	json_decref(raw(value));
}

static bool is_tagged(const json_t *value)
{
	return json_is_string(value) && json_string_value(value)[0] == TAG;
}

/* Of a tagged one. */
static bool is_too_big(const json_t *value)
{
	return json_string_value(value)[1] == TOO_BIG;
}

enum json_kind json_kind(const struct json_value *value)
{
	const json_t *v = raw(value);

	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return JSON_KIND_OBJECT;
	case JSON_ARRAY:
		return JSON_KIND_ARRAY;
	case JSON_STRING:
		if (!is_tagged(v))
			return JSON_KIND_STRING;
		return is_too_big(v) ? JSON_KIND_TOO_BIG : JSON_KIND_UINT64;
	case JSON_INTEGER:
		return JSON_KIND_INT;
	case JSON_REAL:
		return JSON_KIND_REAL;
	case JSON_TRUE:
	case JSON_FALSE:
		return JSON_KIND_BOOL;
	case JSON_NULL:
	default:
		return JSON_KIND_NULL;
	}
}

const char *json_text(const struct json_value *value)
{
	return is_tagged(raw(value)) ? NULL : json_string_value(raw(value));
}

bool json_bool(const struct json_value *value)
{
	return json_is_true(raw(value));
}

bool json_int64(const struct json_value *value, int64_t *out)
{
	if (!json_is_integer(raw(value)))
		return false;
	*out = json_integer_value(raw(value));
	return true;
}

bool json_uint64(const struct json_value *value, uint64_t *out)
{
	int64_t small;

	if (is_tagged(raw(value)) && !is_too_big(raw(value))) {
		*out = unpack(json_string_value(raw(value)) + 1);
		return true;
	}
	if (!json_int64(value, &small) || small < 0)
		return false;
	*out = (uint64_t)small;
	return true;
}

size_t json_size(const struct json_value *value)
{
	return json_is_object(raw(value)) ? json_object_size(raw(value))
	                                  : json_array_size(raw(value));
}

const struct json_value *json_at(const struct json_value *array, size_t index)
{
	return (const struct json_value *)json_array_get(raw(array), index);
}

const struct json_value *json_get(const struct json_value *object, const char *key)
{
	return (const struct json_value *)json_object_get(raw(object), key);
}

void *json_next(const struct json_value *object, void *it, const char **key,
                const struct json_value **value)
{
	it = it ? json_object_iter_next(raw(object), it) : json_object_iter(raw(object));
	if (it) {
		*key = json_object_iter_key(it);
		*value = (const struct json_value *)json_object_iter_value(it);
	}
	return it;
}

struct json_value *json_new_object(void)
{
	call_once(&seeded, seed_hashes);
	return wrap(json_object());
}

struct json_value *json_new_array(void)
{
	return wrap(json_array());
}

/* What jansson would refuse, and a leading tag, become question marks. */
static char *printable(const char *s)
{
	char *copy = strdup(s);
	size_t left = strlen(s);

	if (!copy)
		out_of_memory();
	if (copy[0] == TAG)
		copy[0] = '?';
	for (char *p = copy; left > 0;) {
		uint32_t c;
		size_t len = utf8_decode(p, left, &c);

		if (len == 0) {
			*p = '?';
			len = 1;
		}
		p += len;
		left -= len;
	}
	return copy;
}

struct json_value *json_new_string(const char *s)
{
	dj_auto_free char *text = printable(s);

	return wrap(json_string_nocheck(text));
}

struct json_value *json_new_int(int64_t v)
{
	return wrap(json_integer(v));
}

struct json_value *json_new_uint(uint64_t v)
{
	char text[1 + PACKED_DIGITS + 1] = { TAG };

	if (v <= INT64_MAX)
		return json_new_int((int64_t)v);
	pack(v, text + 1);
	return wrap(json_string_nocheck(text));
}

struct json_value *json_new_bool(bool v)
{
	return wrap(json_boolean(v));
}

struct json_value *json_duplicate(const struct json_value *value)
{
	return wrap(json_deep_copy(raw(value)));
}

void json_set(struct json_value *object, const char *key, struct json_value *value_consume)
{
	dj_auto_free char *name = printable(key);

	if (json_object_set_new_nocheck(raw(object), name, raw(value_consume)) < 0)
		out_of_memory();
}

void json_push(struct json_value *array, struct json_value *value_consume)
{
	if (json_array_append_new(raw(array), raw(value_consume)) < 0)
		out_of_memory();
}

/* The next packed integer of a printed document.  A quote that opens a string never follows a
 * backslash; one inside a string always does. */
static const char *find_packed(const char *text)
{
	const char *p = text;

	while ((p = strstr(p, "\"" TAG_ESCAPED)) && p > text && p[-1] == '\\')
		p++;
	return p;
}

static size_t count_packed(const char *text)
{
	size_t n = 0;

	for (; (text = find_packed(text)); text += PACKED_SIZE)
		n++;
	return n;
}

static size_t print_packed(char *out, const char *digits)
{
	/* What it was is not known any more, and nobody could have stored it. */
	if (*digits == TOO_BIG)
		return (size_t)sprintf(out, "null");
	return (size_t)sprintf(out, "%llu", (unsigned long long)unpack(digits));
}

/* Numbers instead of the strings that stand for them. */
static char *unpack_all(const char *text, size_t n)
{
	size_t room = strlen(text) + n * (UINT64_DIGITS - PACKED_SIZE) + 1, used = 0;
	char *out = malloc(room);

	if (!out)
		out_of_memory();
	for (const char *p; (p = find_packed(text)); text = p + PACKED_SIZE) {
		size_t before = (size_t)(p - text);

		memcpy(out + used, text, before);
		used += before;
		used += print_packed(out + used, p + sizeof(TAG_ESCAPED));
	}
	(void)strcpy(out + used, text);
	return out;
}

char *json_print(const struct json_value *value, bool pretty)
{
	dj_auto_free char *text = json_dumps(raw(value), pretty ? JSON_INDENT(2) : JSON_COMPACT);
	size_t n;

	if (!text)
		out_of_memory();
	n = count_packed(text);
	return n > 0 ? unpack_all(text, n) : dj_take(text);
}
