/*
 * Where a program using donjon sends its messages.  The library itself never prints: it only
 * logs through here, and without donjon_log_open() everything below a failure is dropped.
 * Not thread-safe: call donjon_log_open() before starting threads.
 */
#ifndef DONJON_LOG_H
#define DONJON_LOG_H

#include "donjon/error.h"

#include <stdbool.h>

#pragma GCC visibility push(default)

enum donjon_log_format { DONJON_LOG_TEXT, DONJON_LOG_JSON };
enum donjon_log_level { DONJON_LOG_ERROR, DONJON_LOG_WARNING, DONJON_LOG_INFO, DONJON_LOG_DEBUG };

struct donjon_log_options {
	const char *file;              /* appended to, created 0644; NULL: none (contract F2) */
	enum donjon_log_format format; /* of the file; stderr is always text */
	bool debug;                    /* also write level debug */
};

/* Opens the log file at once, so that whatever fails next can be reported there (Z3). */
int donjon_log_open(const struct donjon_log_options *options, struct donjon_error *err);

/* Writes one error record: one line on stderr ("donjon: <text>") and one record in the file.
 * Control characters and invalid UTF-8 are escaped (B33). */
void donjon_log_error(const struct donjon_error *err);

#pragma GCC visibility pop

#endif
