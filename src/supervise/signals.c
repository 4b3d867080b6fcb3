/* Which signals are held back while a container runs in the foreground. */
#include "base/cleanup.h"
#include "supervise/supervise.h"

#include <errno.h>
#include <sys/signalfd.h>

/* Raised by a fault of our own code: blocking them would turn a crash into a hang. */
static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };

int supervise_signals_block(struct supervise_signals *out, struct donjon_error *err)
{
	sigset_t set;
	int r;

	(void)sigfillset(&set);
	for (size_t i = 0; i < DJ_COUNT(faults); i++)
		(void)sigdelset(&set, faults[i]);
	r = pthread_sigmask(SIG_BLOCK, &set, &out->saved);
	if (r != 0)
		return dj_fail_os(err, r, "block signals");
	out->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (out->fd >= 0)
		return 0;
	r = errno;
	(void)pthread_sigmask(SIG_SETMASK, &out->saved, NULL);
	return dj_fail_os(err, r, "make a signal descriptor");
}

void supervise_signals_restore(struct supervise_signals *signals)
{
	if (signals->fd < 0)
		return;
	dj_close(&signals->fd);
	(void)pthread_sigmask(SIG_SETMASK, &signals->saved, NULL); /* a set the kernel gave us */
}
