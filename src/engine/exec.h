/* A process about to join a running container: what exec.c puts together from its two other files. */
#ifndef ENGINE_EXEC_H
#define ENGINE_EXEC_H

#include "cgroup/cgroup.h"
#include "cgroup/resctrl.h"
#include "donjon/exec.h"
#include "engine/container.h"
#include "engine/draft.h"
#include "launch/launch.h"
#include "plan/build.h"

struct joining {
	struct container container;
	int init;           /* pidfd of the container's first process */
	struct draft draft; /* the container as it was configured at create, with the new process in it */
	struct oci_process configured; /* the container's own process */
	struct plan_container facts;
	struct cgroup cgroup;
	int rdt_tasks[RESCTRL_TASKS]; /* or -1 */
	struct launch launch;
};

/* exec_process.c: out of the configuration kept at create and the caller's wishes; draft.spec and
 * `configured` are complete then. */
int joining_decode(struct joining *j, const struct donjon_exec_options *options, struct donjon_error *err);

/* exec_facts.c: what the kernel says of the container: its namespaces and id maps, written into
 * draft.spec in the place of what was configured, and its cgroups. */
int joining_look(struct joining *j, struct donjon_error *err);
/* Is its first process still in them?  It leaves them some moments before its end is announced. */
bool joining_is_there(const struct joining *j);
bool joining_has_ended(const struct joining *j);
int joining_open_cgroup(struct joining *j, const struct donjon_exec_options *options,
                        struct donjon_error *err);

#endif
