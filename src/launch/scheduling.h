/* Scheduler and I/O priority of the container's process.  What they ask for (real time, a lower nice value)
 * takes rights of the host, which a process in a user namespace has not got: they are set from outside,
 * late, because the stage could not fork under SCHED_DEADLINE.  Rootless there are no such rights, and only
 * the process itself may do it. */
#ifndef LAUNCH_SCHEDULING_H
#define LAUNCH_SCHEDULING_H

#include "base/error.h"
#include "plan/plan.h"

#include <stdbool.h>
#include <sys/types.h>

bool scheduling_is_outside(const struct dj_plan *plan);

/* 0: the calling process. */
int scheduling_set(const struct dj_plan *plan, pid_t pid, struct donjon_error *err);

#endif
