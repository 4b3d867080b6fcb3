/*
 * A scope's properties as systemd takes them: systemd writes what it knows of a unit into the unit's
 * cgroup again whenever it reloads, so every limit it has a name for is a property, too.
 */
#ifndef CGROUP_PROPERTIES_H
#define CGROUP_PROPERTIES_H

#include "plan/plan.h"
#include "wrap/systemd.h"

enum {
	/* More than there can be: each limit by name and by its file, each property an annotation may set. */
	PROPERTIES_MAX = 64,
	MASKS_MAX = 4,        /* CPUs and memory nodes, each by name and by its file (P75, P85) */
	MASK_BYTES = 8192 / 8 /* as many CPUs as kernels are built for */
};

/* Of a name that occurs twice, the last one counts.  Start with zeros. */
struct properties {
	struct systemd_property v[PROPERTIES_MAX];
	size_t n;
	/* what they point to */
	unsigned char masks[MASKS_MAX][MASK_BYTES];
	size_t n_masks;
	const char *strings[PROPERTIES_MAX];
	size_t n_strings;
};

/* Of a new scope: what it is, the plan's limits, and what annotations ask for. */
void properties_of_scope(struct properties *out, const struct dj_plan *plan, const char *description);
/* The plan's limits alone. */
void properties_of_limits(struct properties *out, const struct dj_plan *plan);

#endif
