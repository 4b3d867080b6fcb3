/* `linux.intelRdt`: which group of resctrl, and what is written into its `schemata`. */
#include "plan/rdt.h"

#include "plan/part.h"

#include <string.h>

enum { WRITES_MAX = 2 };

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

/* A line for the bandwidth in the cache's place gives way to the one that is called so (P56). */
const char *plan_rdt_lines(struct dj_arena *arena, const struct oci_intel_rdt *rdt)
{
	const char *cache = or_empty(rdt->l3_cache_schema),
	           *bandwidth = or_empty(rdt->mem_bw_schema);

	if (*bandwidth && strncmp(cache, "MB:", 3) == 0)
		cache = "";
	return dj_arena_printf(arena, "%s%s%s%s", cache, *cache ? "\n" : "", bandwidth,
	                       *bandwidth ? "\n" : "");
}

static const char *joined(struct dj_arena *arena, const struct oci_strings *schemata)
{
	const char *text = "";

	for (size_t i = 0; i < schemata->n; i++)
		text = dj_arena_printf(arena, "%s%s\n", text, schemata->v[i]);
	return text;
}

/* Apart and last, because the kernel takes each part of a cache once in a write (P56). */
static struct plan_list add_writes(struct plan_block *block, const struct oci_intel_rdt *rdt)
{
	const char *texts[WRITES_MAX] = {
		plan_rdt_lines(block->arena, rdt),
		joined(block->arena, &rdt->schemata),
	};
	plan_str items[WRITES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < WRITES_MAX; i++)
		if (*texts[i])
			items[n++] = plan_add_text(block, texts[i]);
	return plan_add_list(block, items, n, sizeof(*items));
}

int plan_rdt(struct plan_block *block, const struct plan_input *in, struct policy_result *record,
             struct donjon_error *err)
{
	const struct oci_intel_rdt *rdt = &in->spec->linux.intel_rdt;
	struct plan_list writes;
	plan_str group;

	(void)record;
	(void)err;
	if (!rdt->set)
		return 0;
	writes = add_writes(block, rdt);
	group = plan_add_text(block, rdt->clos_id ? rdt->clos_id : in->id);
	PLAN(block)->rdt_writes = writes;
	PLAN(block)->rdt_group = group;
	PLAN(block)->rdt_named = rdt->clos_id != NULL;
	PLAN(block)->rdt_monitoring = rdt->monitoring;
	return 0;
}
