#include "supervise/console.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	WRITE_MAX = 4096, /* PIPE_BUF: after POLLOUT a pipe takes as much without blocking */
	DRAIN_WAIT_MS = 50,
};

static void set_raw(struct console *console)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &console->saved) < 0)
		return; /* not a terminal */
	raw = console->saved;
	cfmakeraw(&raw);
	console->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

void console_begin(struct console *console, int master)
{
	int flags = fcntl(master, F_GETFL);

	*console = (struct console){
		.master = master,
		.half = {
			[CONSOLE_IN] = { .from = STDIN_FILENO, .to = master, .open = true },
			[CONSOLE_OUT] = { .from = master, .to = STDOUT_FILENO, .open = true },
		},
	};
	/* Only the master: O_NONBLOCK on the caller's streams would outlive us. */
	if (flags >= 0)
		(void)fcntl(master, F_SETFL, flags | O_NONBLOCK);
	set_raw(console);
	console_resize(console);
}

void console_end(struct console *console)
{
	if (console->raw)
		(void)tcsetattr(STDIN_FILENO, TCSANOW,
		                &console->saved); /* the terminal may be gone */
	console->raw = false;
}

void console_resize(const struct console *console)
{
	static const int streams[] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO };
	struct winsize size;

	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++)
		if (ioctl(streams[i], TIOCGWINSZ, &size) == 0) {
			(void)ioctl(console->master, TIOCSWINSZ, &size);
			return;
		}
}

static bool is_empty(const struct console_half *half)
{
	return half->start == half->end;
}

void console_wants(const struct console *console, struct pollfd wants[static CONSOLE_HALVES])
{
	for (size_t i = 0; i < CONSOLE_HALVES; i++) {
		const struct console_half *half = &console->half[i];

		wants[i] = (struct pollfd){ .fd = -1 };
		if (!is_empty(half))
			wants[i] = (struct pollfd){ .fd = half->to, .events = POLLOUT };
		else if (half->open)
			wants[i] = (struct pollfd){ .fd = half->from, .events = POLLIN };
	}
}

static void fill(struct console_half *half)
{
	ssize_t n = read(half->from, half->data, sizeof(half->data));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	half->start = 0;
	half->end = n > 0 ? (size_t)n : 0;
	/* EIO is how a terminal says that its other side is closed. */
	half->open = n > 0;
	if (half->discard)
		half->end = 0;
}

static void flush(struct console_half *half)
{
	size_t left = half->end - half->start;
	ssize_t n = write(half->to, half->data + half->start, left < WRITE_MAX ? left : WRITE_MAX);

	if (n > 0) {
		half->start += (size_t)n;
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		half->discard = true;
		half->start = half->end;
	}
}

void console_handle(struct console *console, const struct pollfd got[static CONSOLE_HALVES])
{
	for (size_t i = 0; i < CONSOLE_HALVES; i++) {
		struct console_half *half = &console->half[i];

		if (got[i].fd < 0 || got[i].revents == 0)
			continue;
		if (is_empty(half))
			fill(half);
		else
			flush(half);
	}
}

void console_drain(struct console *console)
{
	struct pollfd wants[CONSOLE_HALVES];

	console->half[CONSOLE_IN].open = false;
	console->half[CONSOLE_IN].end = console->half[CONSOLE_IN].start;
	for (;;) {
		console_wants(console, wants);
		/* With every other holder gone the master ends in EIO; a process that outlived the
		 * container's first one could hold it open for ever. */
		if (wants[CONSOLE_OUT].fd < 0 || poll(wants, CONSOLE_HALVES, DRAIN_WAIT_MS) <= 0)
			return;
		console_handle(console, wants);
	}
}
