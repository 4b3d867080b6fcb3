/* Reading a plan: shared by donjon and donjon-stage, so it needs nothing but the block itself. */
#include "plan/plan.h"

#include <assert.h>

const char *plan_text(const struct dj_plan *plan, plan_str s)
{
	assert(s < plan->size);
	return s ? (const char *)plan + s : "";
}

const void *plan_list_data(const struct dj_plan *plan, struct plan_list list, size_t item_size)
{
	assert(list.off <= plan->size && list.n <= (plan->size - list.off) / item_size);
	return (const char *)plan + list.off;
}
