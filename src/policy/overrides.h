/* "ID=VALUE:REASON": which checks can be overridden, with what values, and by whom. */
#ifndef POLICY_OVERRIDES_H
#define POLICY_OVERRIDES_H

#include "policy/policy.h"

/* As policy_result_json() spells it; -1: none of its words. */
int policy_source_from_name(const char *name);

struct override_rule {
	const char *check;
	const char *words;                 /* accepted words, comma-separated */
	bool (*is_item)(const char *item); /* accepted beside the words; NULL: words only */
	bool is_list;                      /* several, with commas between them */
	const char *values;                /* the same as prose */
};

const struct override_rule *override_rule_find(const char *check);

/* Checks id, value and reason and fills *out; everything is copied. */
int override_make(const char *id, const char *value, const char *reason, enum policy_source source,
                  struct dj_arena *arena, struct policy_override *out, struct donjon_error *err);
/* The same from "ID=VALUE:REASON". */
int override_from_text(const char *text, enum policy_source source, struct dj_arena *arena,
                       struct policy_override *out, struct donjon_error *err);

/* Appends the items of "a,b,c". */
void override_items(const char *value, struct dj_arena *arena, struct oci_strings *out);

/* "512m" -> bytes.  False unless it is a positive number with k, m, g or nothing behind it. */
bool override_size(const char *text, int64_t *out);
bool override_number(const char *text, uint32_t *out);

#endif
