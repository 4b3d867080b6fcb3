/* Births and annotates the one error type (include/donjon/error.h). */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "donjon/error.h"

#define DJ_PRINTF(a, b) __attribute__((format(printf, a, b)))

/* Fills an empty error and returns -1.  Asserts that it was empty: a second failure must not hide
 * the first. */
int dj_fail(struct donjon_error *err, enum donjon_code code, const char *fmt, ...) DJ_PRINTF(3, 4);

/* The same for a failed system call: DONJON_E_SYSTEM, and ": <errno text in lower case>" at the end.
 * Lower case because callers match "no such file or directory" (contract E7). */
int dj_fail_os(struct donjon_error *err, int os, const char *fmt, ...) DJ_PRINTF(3, 4);

/* Puts "<text>: " in front of the error: what the caller knows and the callee did not.
 * Returns -1, so that `return dj_note(err, "mount %s", dest);` reads well. */
int dj_note(struct donjon_error *err, const char *fmt, ...) DJ_PRINTF(2, 3);

/* Empties an error whose failure was handled. */
void dj_error_clear(struct donjon_error *err);

/* The errno's text with a lower-case first letter, thread-safe. */
const char *dj_errno_text(int os, char buf[static 64]);

#endif
