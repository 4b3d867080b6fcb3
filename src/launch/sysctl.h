/* Namespaced sysctls: own namespaces from inside, joined ones from outside. */
#ifndef LAUNCH_SYSCTL_H
#define LAUNCH_SYSCTL_H

#include "base/error.h"
#include "plan/plan.h"

/* The calling thread is in the joined namespaces; /proc/sys shows what the opener is in. */
int sysctls_write_outside(const struct dj_plan *plan, struct donjon_error *err);
int sysctls_write(const struct dj_plan *plan, int proc, bool outside, struct donjon_error *err);

#endif
