#include "plan/block.h"

#include <assert.h>
#include <string.h>

enum { FIRST_SIZE = 16 * 1024 };

void plan_block_init(struct plan_block *block, struct dj_arena *arena)
{
	*block = (struct plan_block){ .arena = arena, .size = FIRST_SIZE };
	block->data = dj_arena_alloc(arena, FIRST_SIZE);
	block->used = (uint32_t)sizeof(struct dj_plan);
	plan_block_plan(block)->magic = PLAN_MAGIC;
	plan_block_plan(block)->size = block->used;
}

/* Doubling: the arena keeps the old copies, which costs at most as much again as the result. */
static uint32_t reserve(struct plan_block *block, size_t size)
{
	uint32_t start = (block->used + 7U) & ~7U;
	uint32_t want = block->size;

	assert(size < UINT32_MAX / 4 && start < UINT32_MAX / 4);
	while (want - start < size || want < start)
		want *= 2;
	if (want != block->size) {
		char *data = dj_arena_alloc(block->arena, want);

		memcpy(data, block->data, block->used);
		block->data = data;
		block->size = want;
	}
	block->used = start + (uint32_t)size;
	plan_block_plan(block)->size = block->used;
	return start;
}

plan_str plan_add_text(struct plan_block *block, const char *text)
{
	size_t size;
	uint32_t off;

	if (!text)
		return 0;
	size = strlen(text) + 1;
	off = reserve(block, size);
	memcpy(block->data + off, text, size);
	return off;
}

struct plan_list plan_add_list(struct plan_block *block, const void *items, size_t n, size_t item_size)
{
	struct plan_list list = { .n = (uint32_t)n };

	assert(n < UINT32_MAX / 4 / item_size);
	if (n == 0)
		return (struct plan_list){ 0 };
	list.off = reserve(block, n * item_size);
	memcpy(block->data + list.off, items, n * item_size);
	return list;
}

struct plan_list plan_add_strings(struct plan_block *block, const struct oci_strings *strings)
{
	plan_str *offsets = dj_arena_array(block->arena, strings->n + 1, sizeof(*offsets));

	for (size_t i = 0; i < strings->n; i++)
		offsets[i] = plan_add_text(block, strings->v[i]);
	return plan_add_list(block, offsets, strings->n, sizeof(*offsets));
}
