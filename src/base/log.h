/* Where messages of the running program go: stderr as text, and the --log file as text or JSON
 * (contract O1-O5).  The only mutable global of the project lives behind this header. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/error.h"
#include "donjon/log.h"

#include <stddef.h>

/* Both are written only with --debug, to the log file, or to stderr where there is none: a line
 * more than the error loses the error for podman, and stderr is the container's log (O4, O5). */
void log_debug(const char *fmt, ...) DJ_PRINTF(1, 2);
void log_warning(const char *fmt, ...) DJ_PRINTF(1, 2);

/* Copies the text as one printable line of valid UTF-8; what cannot be shown is spelled out, with up to
 * LOG_SHOWN bytes for one.  Cut off where `size` ends. */
enum { LOG_SHOWN = 6 };
void log_printable(const char *text, char *out, size_t size);

#endif
