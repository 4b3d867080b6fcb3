/*
 * What a container uses and what happens to it, as JSON objects of one line with the members runc
 * prints (contract N8):
 *
 *     {"type":"stats","id":"web","data":{"cpu":{...},"memory":{...},"pids":{...},...}}
 *     {"type":"oom","id":"web"}
 */
#ifndef DONJON_EVENTS_H
#define DONJON_EVENTS_H

#include "donjon/container.h"

#pragma GCC visibility push(default)

/* One "stats" object.  The container must not have stopped (DONJON_E_STATUS) and must have a cgroup
 * (DONJON_E_UNSUPPORTED).  Free with donjon_free(). */
int donjon_container_stats(struct donjon_runtime *runtime, const char *id, char **json,
			   struct donjon_error *err);

/* Calls `event` with a "stats" object every interval_ms (more than 0) and with an "oom" object each
 * time the container runs out of memory, from the calling thread.  `json` is the callback's until it
 * returns; an answer other than 0 ends the watch.  Returns 0 then, and when the container has
 * stopped. */
int donjon_container_watch(struct donjon_runtime *runtime, const char *id, unsigned interval_ms,
			   int (*event)(void *data, const char *json), void *data,
			   struct donjon_error *err);

#pragma GCC visibility pop

#endif
