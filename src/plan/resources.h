/* linux.resources -> the cgroup file writes of this host's layout, as data (P59-P85). */
#ifndef PLAN_RESOURCES_H
#define PLAN_RESOURCES_H

#include "plan/block.h"
#include "plan/build.h"

/* Fills cgroup_path, cgroup_writes, device_rules and friends of the plan under construction. */
int plan_resources(struct plan_block *block, const struct plan_input *in,
		   struct policy_result *record, struct donjon_error *err);

/* The same for `update`: only what is present in `resources`, no defaults.
 *
 * Writes that share a pointer are one setting in several files: at least one of the files must
 * exist, even where each of them alone may be missing. */
int plan_resource_writes(struct plan_block *block, const struct oci_resources *resources,
			 const struct host_facts *host, const struct policy_settings *settings,
			 struct plan_list *out, struct donjon_error *err);

/* Index of the mounted v1 hierarchy that carries the controller, or -1. */
int plan_v1_hierarchy(const struct host_facts *host, const char *controller);

/* True if the blank- or comma-separated list names the controller. */
bool plan_controller_listed(const char *list, const char *controller);

#endif
