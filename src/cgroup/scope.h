/* Cgroups that systemd makes: a transient scope for each container (contract G2-G4). */
#ifndef CGROUP_SCOPE_H
#define CGROUP_SCOPE_H

#include "base/error.h"
#include "base/host.h"
#include "plan/plan.h"

#include <stdbool.h>
#include <sys/types.h>

/* Starts the plan's scope.  A scope without processes ends, so *keeper is a process of ours that waits in
 * it until the container is there: scope_release(). */
int scope_start(const struct dj_plan *plan, pid_t *keeper, struct donjon_error *err);
void scope_release(pid_t *keeper);

/* Tells systemd the plan's limits, so that it does not write its own ideas over them. */
int scope_update(const struct dj_plan *plan, struct donjon_error *err);

/* Whether the kernel keeps a user from moving processes there: from a login session, which has no cgroup
 * of the user's in common with the user's manager. */
bool scope_is_apart(const struct host_facts *host, const char *cgroup_path);
/* The user's manager may have the system's do it.  below: as in struct cgroup_choice, or NULL. */
int scope_attach(const char *cgroup_path, const char *below, pid_t pid, struct donjon_error *err);

/* Ends the unit of a cgroup path, if systemd still has it. */
int scope_stop(const char *cgroup_path, bool user, struct donjon_error *err);

#endif
