/* The one loop: signals, terminal, end of the container's process. */
#include "base/sys.h"
#include "supervise/console.h"
#include "supervise/supervise.h"

#include <errno.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct foreground {
	const struct supervise_request *request;
	struct console *console; /* NULL without a terminal */
};

/* Peeks first: the container's own status is taken by pidfd at the end. */
static void reap_others(const struct foreground *f)
{
	siginfo_t info;

	if (!f->request->reap)
		return;
	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0 ||
		    info.si_pid == f->request->pid)
			return;
		(void)waitpid(info.si_pid, NULL, WNOHANG); /* only to be rid of it */
	}
}

static void forward(const struct foreground *f, int sig)
{
	/* A container that has just ended is noticed by its pidfd. */
	(void)sys_pidfd_send_signal(f->request->pidfd, sig);
}

static void on_signal(const struct foreground *f, int sig)
{
	switch (sig) {
	case SIGCHLD:
		reap_others(f);
		return;
	case SIGPIPE: /* of our own relaying */
		return;
	case SIGWINCH:
		if (f->console)
			console_resize(f->console);
		else
			forward(f, sig);
		return;
	default:
		forward(f, sig);
	}
}

static void read_signals(const struct foreground *f, int signal_fd)
{
	struct signalfd_siginfo info;

	while (read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		on_signal(f, (int)info.ssi_signo);
}

enum { SIGNALS, PROCESS, CONSOLE, EVENT_COUNT = CONSOLE + CONSOLE_HALVES };

static int loop(const struct foreground *f, int signal_fd, struct donjon_error *err)
{
	struct pollfd events[EVENT_COUNT] = {
		[SIGNALS] = { .fd = signal_fd, .events = POLLIN },
		[PROCESS] = { .fd = f->request->pidfd, .events = POLLIN },
	};
	nfds_t n = f->console ? EVENT_COUNT : CONSOLE;

	do {
		if (f->console)
			console_wants(f->console, &events[CONSOLE]);
		if (poll(events, n, -1) < 0) {
			if (errno == EINTR)
				continue;
			return dj_fail_os(err, errno, "wait for the container");
		}
		if (events[SIGNALS].revents)
			read_signals(f, signal_fd);
		if (f->console)
			console_handle(f->console, &events[CONSOLE]);
	} while (!events[PROCESS].revents);
	if (f->console)
		console_drain(f->console);
	return 0;
}

static int take_status(int pidfd, int *exit_code, int *signal, struct donjon_error *err)
{
	siginfo_t info;
	int r;

	do
		r = waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return dj_fail_os(err, errno, "take the container's exit status");
	*signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
	*exit_code = *signal == 0 ? info.si_status : 128 + *signal;
	return 0;
}

int supervise_wait(const struct supervise_request *request, const struct supervise_signals *signals,
                   int *exit_code, int *signal, struct donjon_error *err)
{
	struct console console;
	struct foreground f = { .request = request };
	int r;

	if (request->console >= 0) {
		console_begin(&console, request->console);
		f.console = &console;
	}
	r = loop(&f, signals->fd, err);
	if (f.console)
		console_end(f.console);
	return r < 0 ? -1 : take_status(request->pidfd, exit_code, signal, err);
}
