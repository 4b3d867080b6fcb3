#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dj_arena_block {
	struct dj_arena_block *next;
	size_t used, size;
	max_align_t data[];
};

enum { BLOCK_SIZE = 16 * 1024 - 64 };

static _Noreturn void out_of_memory(void)
{
	fputs("donjon: out of memory\n", stderr);
	abort();
}

static struct dj_arena_block *add_block(struct dj_arena *arena, size_t size)
{
	size_t want = size > BLOCK_SIZE ? size : BLOCK_SIZE;
	struct dj_arena_block *block = malloc(sizeof(*block) + want);

	if (!block)
		out_of_memory();
	block->used = 0;
	block->size = want;
	block->next = arena->block;
	arena->block = block;
	return block;
}

void *dj_arena_alloc(struct dj_arena *arena, size_t size)
{
	const size_t align = _Alignof(max_align_t);
	struct dj_arena_block *block = arena->block;
	void *p;

	if (size > SIZE_MAX / 2)
		out_of_memory();
	size = (size + align - 1) / align * align;
	if (!block || block->size - block->used < size)
		block = add_block(arena, size);
	p = (char *)block->data + block->used;
	block->used += size;
	/* Here and not with the block: what nobody asks for is never touched, and costs no page. */
	return memset(p, 0, size);
}

void *dj_arena_array(struct dj_arena *arena, size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / 2 / size)
		out_of_memory();
	return dj_arena_alloc(arena, count * size);
}

char *dj_arena_strdup(struct dj_arena *arena, const char *s)
{
	size_t len = strlen(s) + 1;

	return memcpy(dj_arena_alloc(arena, len), s, len);
}

char *dj_arena_printf(struct dj_arena *arena, const char *fmt, ...)
{
	va_list ap, again;
	char *s;
	int len;

	va_start(ap, fmt);
	va_copy(again, ap);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0)
		out_of_memory();
	s = dj_arena_alloc(arena, (size_t)len + 1);
	(void)vsnprintf(s, (size_t)len + 1, fmt, again);
	va_end(again);
	return s;
}

void dj_arena_done(struct dj_arena *arena)
{
	while (arena->block) {
		struct dj_arena_block *next = arena->block->next;

		free(arena->block);
		arena->block = next;
	}
}
