/* The listener of a filter that asks somebody (SCMP_ACT_NOTIFY): goes to the agent that was named (P90). */
#ifndef ENGINE_LISTENER_H
#define ENGINE_LISTENER_H

#include "launch/launch.h"
#include "store/store.h"

/* Whom to tell what: the record names the agent, or none where the filter asks nobody. */
struct listener {
	const struct store_record *record;
	enum store_status status;
	pid_t pid; /* of the process that loads the filter */
};

/* For launch_start() and launch_start_gate(). */
struct launch_listener listener_for_launch(struct listener *listener);

#endif
