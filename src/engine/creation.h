/*
 * Making a container: what exists of it so far, and its removal in reverse where a step fails, so
 * that a failure leaves nothing behind (B32, oracle CLEAN).
 */
#ifndef ENGINE_CREATION_H
#define ENGINE_CREATION_H

#include "cgroup/cgroup.h"
#include "cgroup/resctrl.h"
#include "engine/draft.h"
#include "launch/launch.h"
#include "store/store.h"

struct creation {
	const struct donjon_runtime *runtime;
	struct draft *draft;
	struct store store;
	int dir; /* taken state directory, or -1 */
	struct cgroup cgroup;
	int rdt_tasks[RESCTRL_TASKS]; /* or -1 */
	struct launch launch;
	struct store_record record;
	bool poststop_due; /* other hooks ran, or it was created: poststop hooks see its end */
	size_t notes_saved;
};

/* Everything about the request that can be refused before anything exists.  `foreground`: we relay
 * the terminal ourselves. */
int creation_check(const struct draft *draft, const struct donjon_create_options *options,
                   bool foreground, struct donjon_error *err);

/* Takes the id and, where the policy will need one, an id range.  Whether it succeeds or not, one
 * of the two ends below must follow. */
int creation_begin(struct creation *creation, const struct donjon_runtime *runtime,
                   struct draft *draft, struct donjon_error *err);

/* Up to a container that waits: behind a gate for `start`, or for this process to start it. */
int creation_make(struct creation *creation, const struct donjon_create_options *options, bool gate,
                  struct donjon_error *err);

/* The container stays: only our handles go. */
void creation_done(struct creation *creation);

/* Ends and removes all of it.  After a failure (its error untouched) or at the end of `run`. */
void creation_undo(struct creation *creation);

#endif
