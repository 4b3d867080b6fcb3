/* The record of every decision, and the lists it and the spec are made of. */
#include "policy/harden.h"

#include <string.h>

enum { FIRST_ROOM = 4 };

/* Full when n is a power of two: no capacity has to be kept beside the list. */
void *list_room(struct dj_arena *arena, void *v, size_t n, size_t size)
{
	void *grown;

	if (n != 0 && (n < FIRST_ROOM || (n & (n - 1)) != 0))
		return v;
	grown = dj_arena_array(arena, n ? 2 * n : FIRST_ROOM, size);
	if (n)
		memcpy(grown, v, n * size);
	return grown;
}

void *list_prepend(struct dj_arena *arena, const void *v, size_t n, size_t extra, size_t size)
{
	char *grown = dj_arena_array(arena, n + extra, size);

	if (n)
		memcpy(grown + extra * size, v, n * size);
	return grown;
}

void *list_append(struct dj_arena *arena, const void *v, size_t n, size_t extra, size_t size)
{
	void *grown = dj_arena_array(arena, n + extra, size);

	if (n)
		memcpy(grown, v, n * size);
	return grown;
}

void strings_add(struct dj_arena *arena, struct oci_strings *list, char *item)
{
	list->v = list_append(arena, list->v, list->n, 2, sizeof(*list->v));
	list->v[list->n++] = item;
}

bool strings_has(const struct oci_strings *list, const char *item)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->v[i], item) == 0)
			return true;
	return false;
}

static char *copy(struct harden *h, const char *text)
{
	return text ? dj_arena_strdup(h->arena, text) : NULL;
}

void harden_changed(struct harden *h, const char *pointer, const char *before, const char *after)
{
	struct policy_result *r = h->result;

	r->changes.v = list_room(h->arena, r->changes.v, r->changes.n, sizeof(*r->changes.v));
	r->changes.v[r->changes.n++] = (struct policy_change){
		.check = h->check,
		.pointer = copy(h, pointer),
		.before = copy(h, before),
		.after = copy(h, after),
	};
}

void harden_refused(struct harden *h, const char *pointer, const char *found, const char *wanted,
                    const char *value)
{
	struct policy_result *r = h->result;

	r->findings.v = list_room(h->arena, r->findings.v, r->findings.n, sizeof(*r->findings.v));
	r->findings.v[r->findings.n++] = (struct policy_finding){
		.check = h->check,
		.pointer = copy(h, pointer),
		.found = copy(h, found),
		.wanted = copy(h, wanted),
		.override = value ? harden_text(h, "%s=%s:REASON", h->check, value) : NULL,
	};
}

void harden_noted(struct harden *h, const char *text)
{
	struct policy_result *r = h->result;

	r->notes.v = list_room(h->arena, r->notes.v, r->notes.n, sizeof(*r->notes.v));
	r->notes.v[r->notes.n++] = (struct policy_note){ .check = h->check, .text = copy(h, text) };
}

char *harden_pointer(struct harden *h, const char *parent, const char *key)
{
	size_t used = strlen(parent);
	char *pointer = dj_arena_alloc(h->arena, used + 2 * strlen(key) + 1);

	memcpy(pointer, parent, used);
	for (; *key; key++) {
		if (*key == '~' || *key == '/') {
			pointer[used++] = '~';
			pointer[used++] = *key == '~' ? '0' : '1';
		} else {
			pointer[used++] = *key;
		}
	}
	return pointer;
}
