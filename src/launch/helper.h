/* A child that does one thing in namespaces of its own for us. */
#ifndef LAUNCH_HELPER_H
#define LAUNCH_HELPER_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* Runs `work` in it; what it opens and closes, we have open and closed.  It gets a copy of `data`
 * and what it leaves there is copied back.  Of a possibly threaded process: only system calls.  `what` it
 * is for is named by errors about the helper itself. */
int helper_run(const char *what, uint64_t new_namespaces,
               int (*work)(void *data, struct donjon_error *err), void *data, size_t size,
               struct donjon_error *err);

#endif
