/*
 * The table engine of the decoder.  One row per property: its key, the reader that understands its
 * type, the member it fills.  The tables of process.c, linux.c, ... are data; everything that
 * walks JSON is in decode.c.  Inside src/oci only.
 */
#ifndef OCI_FIELD_H
#define OCI_FIELD_H

#include "base/arena.h"
#include "base/cleanup.h"
#include "oci/names.h"
#include "oci/spec.h"
#include "wrap/json.h"

/* One step of the path to the value being read: a property, or (key NULL) an item of a list.  The
 * steps live on the readers' stacks, so a path costs nothing until an error prints it. */
struct oci_step {
	const struct oci_step *up;
	const char *key;
	size_t index;
};

struct oci_decoder {
	struct dj_arena *arena;
	struct donjon_error *err;
	const struct oci_step *at;
	struct oci_strings ignored; /* paths of unknown properties, the first OCI_IGNORED_MAX */
	size_t n_ignored;           /* how many there were */
	struct oci_strings unknown_caps;
};

enum {
	OCI_LIST_MAX = 65536, /* items of any list or map (T38) */
	OCI_IGNORED_MAX = 64,
};

/* 2^32-1 is "no id" to the kernel: chown and setresuid read it as "leave alone" (B34). */
#define OCI_ID_MAX (UINT32_MAX - 1)

/* What a reader says: the value is stored, or it means the same as an absent one (decision 23). */
enum { OCI_STORED = 0, OCI_UNSET = 1 };

struct oci_field;

/* Reads `value` into `to`.  OCI_STORED, OCI_UNSET or -1. */
typedef int oci_reader(struct oci_decoder *d, const struct json_value *value,
                       const struct oci_field *field, void *to);

enum oci_field_flag {
	OCI_REQUIRED = 1 << 0,
	OCI_SETS = 1 << 1, /* `set` is the offset of a bool that says "present" */
	/* values of numbers, strings and bools that mean "unset" */
	OCI_ZERO_IS_UNSET = 1 << 2,
	OCI_EMPTY_IS_UNSET = 1 << 3,
	OCI_FALSE_IS_UNSET = 1 << 4,
};

struct oci_field {
	const char *key;
	oci_reader *read;
	size_t offset, size, set;
	unsigned flags;
	int64_t min;
	uint64_t max;
	const void *how; /* what `read` needs to know: struct oci_words, oci_object, oci_list */
};

struct oci_object {
	const struct oci_field *fields;
	size_t n;    /* at most 64 */
	bool closed; /* an unknown key is an error: keys are values here ("monotonic") */
};

struct oci_list {
	const struct oci_field *item; /* maps: the key goes to the char * at the item's start */
	size_t size;                  /* of an item */
	size_t max;                   /* 0: OCI_LIST_MAX */
};

oci_reader oci_read_ignored; /* known, and not for this platform */
oci_reader oci_read_string;
oci_reader oci_read_bool;
oci_reader oci_read_number; /* of `size` bytes, min to max */
oci_reader oci_read_word;   /* one of `how` (struct oci_words), into `size` bytes */
oci_reader oci_read_flags;  /* a list of words or-ed together, into `size` bytes */
oci_reader oci_read_object; /* `how`: struct oci_object; members are relative to `to` */
oci_reader oci_read_list;   /* `how`: struct oci_list, into an OCI_LIST; NULL-terminated */
oci_reader oci_read_map;    /* the same for an object with free keys, in document order */

int oci_read_members(struct oci_decoder *d, const struct json_value *value,
                     const struct oci_object *object, void *base);
/* Refuses anything but a list of at most `max` items. */
int oci_check_list(struct oci_decoder *d, const struct json_value *value, size_t max);

void oci_enter(struct oci_decoder *d, struct oci_step *step, const char *key, size_t index);
void oci_leave(struct oci_decoder *d);

/* DONJON_E_CONFIG with the path in front. */
int oci_decode_fail(struct oci_decoder *d, const char *fmt, ...) DJ_PRINTF(2, 3);
int oci_wrong_type(struct oci_decoder *d, const char *wanted, const struct json_value *value);

/* Appends to a NULL-terminated list whose room doubles. */
void oci_strings_add(struct dj_arena *arena, struct oci_strings *list, char *s);

/* Rows.  T is the struct, m the member. */
/* clang-format off */
#define OCI_AT(T, m) .offset = offsetof(T, m), .size = sizeof(((T *)0)->m)
#define OCI_AT_OPT(T, m) OCI_AT(T, m.v), .set = offsetof(T, m.set)

#define OCI_IGNORED(k) { .key = k, .read = oci_read_ignored }
#define OCI_STRING(T, k, m, f) { .key = k, .read = oci_read_string, OCI_AT(T, m), .flags = f }
#define OCI_BOOL(T, k, m) { .key = k, .read = oci_read_bool, OCI_AT(T, m) }
#define OCI_BOOL_OPT(T, k, m, f)                                                                   \
	{ .key = k, .read = oci_read_bool, OCI_AT_OPT(T, m), .flags = (f) | OCI_SETS }
#define OCI_NUMBER(T, k, m, lo, hi, f)                                                             \
	{ .key = k, .read = oci_read_number, OCI_AT(T, m), .flags = f, .min = lo, .max = hi }
#define OCI_NUMBER_OPT(T, k, m, lo, hi, f)                                                         \
	{ .key = k, .read = oci_read_number, OCI_AT_OPT(T, m), .flags = (f) | OCI_SETS,            \
	  .min = lo, .max = hi }
#define OCI_WORD(T, k, m, w, f)                                                                    \
	{ .key = k, .read = oci_read_word, OCI_AT(T, m), .flags = f, .how = w }
#define OCI_CUSTOM(T, k, m, r, f) { .key = k, .read = r, OCI_AT(T, m), .flags = f }
/* For lists that may be present and empty: s is the bool that says so. */
#define OCI_LIST_SETS(T, k, m, s, l)                                                               \
	{ .key = k, .read = oci_read_list, OCI_AT(T, m), .set = offsetof(T, s),                    \
	  .flags = OCI_SETS, .how = l }
#define OCI_LIST_FIELD(T, k, m, l, f)                                                              \
	{ .key = k, .read = oci_read_list, OCI_AT(T, m), .flags = f, .how = l }
#define OCI_STRINGS(T, k, m) OCI_LIST_FIELD(T, k, m, &oci_string_list, 0)
#define OCI_MAP(T, k, m, l) { .key = k, .read = oci_read_map, OCI_AT(T, m), .how = l }
#define OCI_FLAGS(T, k, m, w) { .key = k, .read = oci_read_flags, OCI_AT(T, m), .how = w }
#define OCI_FLAGS_SETS(T, k, m, s, w)                                                              \
	{ .key = k, .read = oci_read_flags, OCI_AT(T, m), .set = offsetof(T, s),                   \
	  .flags = OCI_SETS, .how = w }
/* An object that is a struct of its own, with and without a `set`; and two whose members belong to
 * the struct around it. */
#define OCI_OBJECT(T, k, m, o, f)                                                                  \
	{ .key = k, .read = oci_read_object, OCI_AT(T, m), .set = offsetof(T, m.set),              \
	  .flags = (f) | OCI_SETS, .how = o }
#define OCI_PART(T, k, m, o, f)                                                                    \
	{ .key = k, .read = oci_read_object, OCI_AT(T, m), .flags = f, .how = o }
#define OCI_GROUP(k, o, f) { .key = k, .read = oci_read_object, .flags = f, .how = o }
#define OCI_GROUP_SETS(T, k, s, o)                                                                 \
	{ .key = k, .read = oci_read_object, .set = offsetof(T, s), .flags = OCI_SETS, .how = o }

#define OCI_OBJECT_OF(table) { table, DJ_COUNT(table), false }
/* Lists of objects, and of whatever a reader of their own makes. */
#define OCI_LIST_OF(T, o)                                                                          \
	{ &(const struct oci_field){ .read = oci_read_object, .how = &(o) }, sizeof(T), 0 }
#define OCI_LIST_READ(T, r, n) { &(const struct oci_field){ .read = r }, sizeof(T), n }
/* clang-format on */

extern const struct oci_list oci_string_list;
extern const struct oci_list oci_pair_list; /* map of strings to struct oci_pair */
extern const struct oci_list oci_id_map_list;

/* The schema's objects. */
extern const struct oci_object oci_config_object, oci_process_object, oci_hooks_object,
        oci_linux_object, oci_resources_object, oci_seccomp_object;
extern const struct oci_list oci_mount_list;
extern const struct oci_list oci_seccomp_arg_list, oci_seccomp_arch_list;

/* Docker's and podman's profile form; `capabilities` decides includes and excludes. */
int oci_read_profile(struct oci_decoder *d, const struct json_value *value, uint64_t capabilities,
                     struct oci_seccomp *seccomp);

#endif
