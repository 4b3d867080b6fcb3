/* The systemd scope a container's cgroup is (P59, A1): names and properties, as data. */
#ifndef PLAN_UNIT_H
#define PLAN_UNIT_H

#include "plan/build.h"
#include "plan/block.h"

/* cgroupsPath "slice:prefix:name" (absent: donjon's own) to unit, slice and the cgroup's path below the
 * hierarchies' roots. */
int plan_unit(struct plan_block *block, const struct plan_input *in, char *path, size_t size,
	      struct policy_result *record, struct donjon_error *err);

#endif
