/* Which resource limits the stage sets itself, as its last steps: those so low that they would fail
 * its own work. */
#ifndef LAUNCH_LIMITS_H
#define LAUNCH_LIMITS_H

#include "plan/plan.h"

bool limit_is_late(const struct plan_rlimit *limit);

#endif
