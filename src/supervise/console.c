#include "supervise/console.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	WRITE_MAX = 4096, /* PIPE_BUF: after POLLOUT a pipe takes as much without blocking */
	REST_WAIT_MS = 50,
	READER_WAIT_MS = 10 * 1000,
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

/* A terminal that nobody reads blocks whoever writes a byte too many, and O_NONBLOCK on the caller's
 * own stream would outlive us: so one of our own to the same terminal. */
static int open_output(void)
{
	if (!isatty(STDOUT_FILENO))
		return -1;
	return open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

struct console *console_begin(struct console *console, int master)
{
	int flags, output;

	if (master < 0)
		return NULL;
	flags = fcntl(master, F_GETFL);
	output = open_output();
	*console = (struct console){
		.master = master,
		.output = output,
		.half = {
			[CONSOLE_IN] = { .from = STDIN_FILENO, .to = master, .open = true },
			[CONSOLE_OUT] = { .from = master,
			                  .to = output < 0 ? STDOUT_FILENO : output,
			                  .open = true },
		},
	};
	if (flags >= 0)
		(void)fcntl(master, F_SETFL, flags | O_NONBLOCK);
	set_raw(console);
	console_resize(console);
	return console;
}

void console_end(struct console *console)
{
	if (!console)
		return;
	if (console->raw)
		(void)tcsetattr(STDIN_FILENO, TCSANOW,
		                &console->saved); /* the terminal may be gone */
	console->raw = false;
	dj_close(&console->output);
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

void console_finish(struct console *console)
{
	struct console_half *in = &console->half[CONSOLE_IN];

	in->open = false;
	in->end = in->start;
}

bool console_is_done(const struct console *console)
{
	const struct console_half *out = &console->half[CONSOLE_OUT];

	return is_empty(out) && !out->open;
}

/* With every other holder gone the inner terminal ends at once; a process that outlived the first one
 * could hold it for ever.  What is read already is worth more patience with its reader. */
int console_patience(const struct console *console)
{
	return is_empty(&console->half[CONSOLE_OUT]) ? REST_WAIT_MS : READER_WAIT_MS;
}
