/* Copies between the caller's standard streams and the master of a container's terminal. */
#ifndef SUPERVISE_CONSOLE_H
#define SUPERVISE_CONSOLE_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

/* One direction.  It reads only into an empty buffer, so each direction waits for one event. */
struct console_half {
	int from, to;
	bool open;    /* there may be more to read */
	bool discard; /* nobody reads any more: the container must not block on that (T64) */
	size_t start, end;
	char data[8192];
};

enum { CONSOLE_IN, CONSOLE_OUT, CONSOLE_HALVES };

struct console {
	int master;
	int output; /* the caller's terminal once more, or -1 */
	bool raw;
	struct termios saved;
	struct console_half half[CONSOLE_HALVES];
};

/* Puts the caller's terminal, if it is one, into raw mode and gives its size to the other: before the
 * program runs, which looks at it first of all.  Undo with console_end() on every way out.  NULL, which
 * console_end() takes as well, where there is no terminal (master -1). */
struct console *console_begin(struct console *console, int master);
void console_end(struct console *console);

/* Gives the container's terminal the size of the caller's. */
void console_resize(const struct console *console);

/* What to wait for (an entry with fd -1: nothing), and what to do then. */
void console_wants(const struct console *console, struct pollfd wants[static CONSOLE_HALVES]);
void console_handle(struct console *console, const struct pollfd got[static CONSOLE_HALVES]);

/* After the end of the process only what its terminal still holds is relayed: until it is done, or
 * nothing has happened for so many milliseconds. */
void console_finish(struct console *console);
bool console_is_done(const struct console *console);
int console_patience(const struct console *console);

#endif
