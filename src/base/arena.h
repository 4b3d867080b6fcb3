/*
 * A bump allocator: everything a decoded configuration owns lives and dies together, so no struct
 * of src/oci or src/policy needs a destructor.  Memory is zeroed.  Running out of memory ends the
 * process (nothing has been created while configurations are read).  Not thread-safe per arena.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/error.h"

#include <stddef.h>

struct dj_arena_block;

struct dj_arena {
	struct dj_arena_block *block;
};

void *dj_arena_alloc(struct dj_arena *arena, size_t size);
/* count * size, checked for overflow. */
void *dj_arena_array(struct dj_arena *arena, size_t count, size_t size);
char *dj_arena_strdup(struct dj_arena *arena, const char *s);
char *dj_arena_printf(struct dj_arena *arena, const char *fmt, ...) DJ_PRINTF(2, 3);
void dj_arena_done(struct dj_arena *arena);

#define dj_arena_new(arena, type) ((type *)dj_arena_alloc((arena), sizeof(type)))
#define dj_auto_arena __attribute__((cleanup(dj_arena_done)))

#endif
