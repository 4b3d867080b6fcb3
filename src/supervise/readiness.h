/*
 * sd_notify(3) for a container (V3).  Its program reports READY=1 to a socket of ours, and the
 * service manager is told in our own words.  Nothing else gets from inside to a manager that
 * believes us: not a byte of the container's, no descriptor, no process id of its choice.
 *
 * The socket is read by a process that does nothing else.  Whoever takes a message also takes the
 * descriptors that were sent along, and to be the last to close one may take as long as its sender
 * likes (SO_LINGER): whoever forwards signals must not.
 */
#ifndef SUPERVISE_READINESS_H
#define SUPERVISE_READINESS_H

#include "base/error.h"

#include <sys/types.h>

struct readiness {
	int report;  /* a byte once the program has reported, or only end-of-file; -1: neither */
	int reader;  /* pidfd */
	int manager; /* connected to the service manager's socket */
};
#define READINESS_NONE                                                                             \
	{                                                                                          \
		.report = -1, .reader = -1, .manager = -1                                          \
	}

/* Connects to what $NOTIFY_SOCKET names: a path, or "@" and an abstract name.  Descriptor or
 * -errno. */
int readiness_connect(const char *address);

/* Has the socket read from now on, until the report or the end of the container's process.  The
 * caller must close its own descriptor of the socket before anything can be sent.  Takes `manager`.
 */
int readiness_open(struct readiness *out, int socket, int manager, int process,
                   struct donjon_error *err);

/* For a caller that stays, and remains the service's main process: waits as long for the reader,
 * and tells the manager if the report came.  After the process's end it may be on its way so long.
 */
#define READINESS_LAST_MS 1000
void readiness_take(struct readiness *readiness, int wait_ms);

/* For a caller that leaves: until the report has come or the process has ended, which is to be the
 * service's main one from then on.  Returns when the manager knows. */
void readiness_await(struct readiness *readiness, pid_t pid, int process);

void readiness_close(struct readiness *readiness);

#endif
