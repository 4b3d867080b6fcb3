/*
 * Waiting for the stage.  Where it shares a pid namespace, which it does in exec and in pods,
 * whoever is root there may stop it, and one that is stopped would keep the caller for ever.
 */
#include "launch/outside.h"

#include "base/proc.h"
#include "base/sys.h"
#include "launch/wire.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>

enum {
	LOOK_MS = 50, /* many times what a step takes: a launch that nobody disturbs never looks */
	CONTINUE_MAX = 100,
};

int outside_await(int wire, pid_t pid, int pidfd, struct donjon_error *err)
{
	struct pollfd message = { .fd = wire, .events = POLLIN };
	unsigned continued = 0;

	/* Only a stage that is seen stopped counts: a slow machine has all the time it wants.  To
	 * continue one that was not, or is its program by now, changes nothing. */
	while (continued < CONTINUE_MAX) {
		int r = poll(&message, 1, LOOK_MS);

		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return dj_fail_os(err, errno, "wait for the other side of the launch");
		if (r == 0 && proc_is_stopped(pid)) {
			(void)sys_pidfd_send_signal(pidfd, SIGCONT); /* gone: the wire says so */
			continued++;
		}
	}
	(void)sys_pidfd_send_signal(pidfd, SIGKILL); /* `start` has nobody else to end it */
	return dj_fail(err, DONJON_E_SYSTEM,
	               "the container's new process is stopped from inside, again and again");
}

int outside_receive(const struct outside *o, enum wire_kind kind, uint32_t row, int *fds,
                    size_t *n_fds, struct donjon_error *err)
{
	if (outside_await(o->wire, o->pid, o->pidfd, err) < 0)
		return -1;
	return wire_receive(o->wire, kind, row, fds, n_fds, err);
}
