/*
 * The foreground of `run`: forwards signals, relays the terminal and reaps until the container's
 * first process ends.
 */
#ifndef SUPERVISE_SUPERVISE_H
#define SUPERVISE_SUPERVISE_H

#include "base/error.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct console;   /* supervise/console.h */
struct readiness; /* supervise/readiness.h */

/* Signals of this thread, held back so that none is lost or ends us between start and end. */
struct supervise_signals {
	int fd; /* signalfd */
	sigset_t saved;
};
int supervise_signals_block(struct supervise_signals *out, struct donjon_error *err);
void supervise_signals_restore(struct supervise_signals *signals);

struct supervise_request {
	pid_t pid; /* a child of ours */
	int pidfd;
	struct console *console; /* begun, or NULL without a terminal */
	struct readiness *readiness; /* or NULL */
	bool reap;   /* we are the subreaper of what the container leaves behind */
};

/* Returns when the process has ended and is reaped.  *exit_code: its status, or 128 + signal (C3);
 * *signal: what ended it, 0 if it ended itself. */
int supervise_wait(const struct supervise_request *request, const struct supervise_signals *signals,
                   int *exit_code, int *signal, struct donjon_error *err);

#endif
