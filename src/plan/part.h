/* The parts plan_build() puts together; each fills its own members of the plan under construction. */
#ifndef PLAN_PART_H
#define PLAN_PART_H

#include "plan/block.h"
#include "plan/build.h"

typedef int plan_part(struct plan_block *block, const struct plan_input *in, struct policy_result *record,
		      struct donjon_error *err);

plan_part plan_namespaces; /* which to make, which to join, id maps, time offsets */
plan_part plan_identity;   /* uid, gid, groups, capabilities, no_new_privs, labels */
plan_part plan_process;    /* args, env, cwd, limits, scheduling, terminal */
plan_part plan_filters;    /* guard and profile, compiled and simulated */
plan_part plan_mounts;     /* root filesystem and mounts with numeric flags */
plan_part plan_files;      /* device nodes, masked and read-only paths, sysctls */
plan_part plan_rdt;        /* the group of resctrl and its schemata */
plan_part plan_hooks;      /* hooks, and the state they are told */
plan_part plan_join;       /* what only a process that joins a container has */

/* The plan while it grows: a pointer that is good until the next plan_add_*. */
#define PLAN(block) (plan_block_plan(block))

/* Whether the stage's user namespace is not the runtime's own. */
static inline bool plan_has_userns(const struct plan_input *in)
{
	return in->spec->linux.namespaces[OCI_NS_USER].set;
}
static inline bool plan_is_new(const struct plan_input *in, enum oci_ns ns)
{
	return in->spec->linux.namespaces[ns].set && !in->spec->linux.namespaces[ns].path;
}
/* Where the process is in each hierarchy, and what a cgroup mount shows. */
void plan_cgroup_view(struct plan_block *block, const struct plan_input *in);

/* Id of the host for an id of the container; UINT32_MAX: not mapped. */
uint32_t plan_map_id(const struct oci_id_maps *maps, uint32_t id);

/* Records something weaker than it could be. */
void plan_note(struct plan_block *block, struct policy_result *record, const char *check, const char *fmt,
	       ...) DJ_PRINTF(4, 5);

#endif
