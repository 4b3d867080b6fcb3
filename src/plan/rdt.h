/* Shares of caches and memory bandwidth as resctrl takes them. */
#ifndef PLAN_RDT_H
#define PLAN_RDT_H

#include "base/arena.h"
#include "oci/spec.h"

/* l3CacheSchema and memBwSchema as one text, so that both come into force or neither; "" for none.
 */
const char *plan_rdt_lines(struct dj_arena *arena, const struct oci_intel_rdt *rdt);

#endif
