/* Grows the flat block a plan lives in.  Offsets stay valid while it grows; pointers do not. */
#ifndef PLAN_BLOCK_H
#define PLAN_BLOCK_H

#include "base/arena.h"
#include "plan/plan.h"

struct plan_block {
	struct dj_arena *arena;
	char *data;
	uint32_t used, size;
};

void plan_block_init(struct plan_block *block, struct dj_arena *arena);
static inline struct dj_plan *plan_block_plan(struct plan_block *block)
{
	return (struct dj_plan *)(void *)block->data;
}
plan_str plan_add_text(struct plan_block *block, const char *text); /* NULL -> 0 */
/* Copies n items of item_size, aligned to 8. */
struct plan_list plan_add_list(struct plan_block *block, const void *items, size_t n, size_t item_size);
struct plan_list plan_add_strings(struct plan_block *block, const struct oci_strings *strings);

#endif
