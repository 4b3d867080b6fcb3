/* create + start (+ wait) of a draft; shared by containers and sandboxes. */
#ifndef ENGINE_RUN_H
#define ENGINE_RUN_H

#include "engine/creation.h"

/* After a creation_begin() that succeeded: decides, makes, starts; in the foreground also waits and
 * removes.  Ends the creation in any case. */
int run_creation(struct creation *creation, const struct donjon_create_options *options,
                 int *exit_code, struct donjon_error *err);

/* Logs a death by the seccomp filter. */
void run_name_death(const struct dj_plan *plan, int sig);

#endif
