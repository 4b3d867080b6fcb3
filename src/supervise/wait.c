/* The one loop: signals, terminal, end of the container's process. */
#include "base/sys.h"
#include "supervise/console.h"
#include "supervise/readiness.h"
#include "supervise/supervise.h"

#include <errno.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct foreground {
	const struct supervise_request *request;
	struct console *console; /* NULL without a terminal */
	bool ended;              /* the process; its terminal may still hold something */
	bool hurry;              /* somebody wants it to be over */
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

/* Asked of the kernel: its end and a signal may have come at once, and the signal is read first. */
static bool has_ended(const struct foreground *f)
{
	struct pollfd end = { .fd = f->request->pidfd, .events = POLLIN };

	return f->ended || poll(&end, 1, 0) > 0;
}

static void forward(struct foreground *f, int sig)
{
	if (has_ended(f))
		f->hurry = true;
	else
		(void)sys_pidfd_send_signal(f->request->pidfd, sig);
}

static void on_signal(struct foreground *f, int sig)
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

static void read_signals(struct foreground *f, int signal_fd)
{
	struct signalfd_siginfo info;

	while (read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		on_signal(f, (int)info.ssi_signo);
}

enum { SIGNALS, PROCESS, READINESS, CONSOLE, EVENT_COUNT = CONSOLE + CONSOLE_HALVES };

static bool is_over(const struct foreground *f)
{
	return f->ended && (!f->console || f->hurry || console_is_done(f->console));
}

static void on_end(struct foreground *f)
{
	f->ended = true;
	if (f->console)
		console_finish(f->console);
}

/* 1, or 0 when the time is over, or -1. */
static int await_events(const struct foreground *f, struct pollfd events[static EVENT_COUNT],
                        struct donjon_error *err)
{
	nfds_t n = f->console ? EVENT_COUNT : CONSOLE;
	int r;

	events[PROCESS].fd = f->ended ? -1 : f->request->pidfd;
	events[READINESS].fd = f->request->readiness ? f->request->readiness->report : -1;
	if (f->console)
		console_wants(f->console, &events[CONSOLE]);
	do
		r = poll(events, n, f->ended ? console_patience(f->console) : -1);
	while (r < 0 && errno == EINTR);
	return r < 0 ? dj_fail_os(err, errno, "wait for the container") : r > 0;
}

static int loop(struct foreground *f, int signal_fd, struct donjon_error *err)
{
	struct pollfd events[EVENT_COUNT] = {
		[SIGNALS] = { .fd = signal_fd, .events = POLLIN },
		[PROCESS] = { .events = POLLIN },
		[READINESS] = { .events = POLLIN },
	};

	while (!is_over(f)) {
		int r = await_events(f, events, err);

		if (r <= 0)
			return r;
		if (events[SIGNALS].revents)
			read_signals(f, signal_fd);
		if (events[READINESS].revents)
			readiness_take(f->request->readiness, 0);
		if (f->console)
			console_handle(f->console, &events[CONSOLE]);
		if (events[PROCESS].revents)
			on_end(f);
	}
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
	struct foreground f = { .request = request, .console = request->console };

	if (loop(&f, signals->fd, err) < 0)
		return -1;
	return take_status(request->pidfd, exit_code, signal, err);
}
