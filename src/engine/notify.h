/*
 * Readiness of a container's program for the service manager of whoever runs donjon
 * ($NOTIFY_SOCKET, V3).  The program sees a directory of its container's state, read-only, with a
 * socket of ours in it; src/supervise/readiness.c is what listens there.
 */
#ifndef ENGINE_NOTIFY_H
#define ENGINE_NOTIFY_H

#include "engine/draft.h"
#include "store/store.h"
#include "supervise/readiness.h"

/* Plans the directory, if there is a manager to be told.  *variable is for the program's
 * environment, or NULL. */
int notify_plan(struct draft *draft, const struct donjon_runtime *runtime, char **variable,
                struct donjon_error *err);

/* Before the program runs: *out stays as it is where there is no manager or the container has no
 * such directory. */
int notify_listen(const struct donjon_runtime *runtime, int dir, const struct store_record *record,
                  int pidfd, struct readiness *out, struct donjon_error *err);

/* After it, for a caller that leaves: until the manager knows, or the program has ended.  The
 * container is unlocked meanwhile: it runs, and is everybody's. */
void notify_await(struct readiness *readiness, int dir, pid_t pid, int pidfd);

#endif
