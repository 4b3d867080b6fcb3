/*
 * The one error type of the library, the programs and the wire between them.
 *
 * Fixed size, owned by the caller, usually on its stack; nothing to free.  Start with
 * `struct donjon_error err = { 0 };`.  A function that fails fills it and returns -1 (or NULL);
 * a function that succeeds leaves it alone.  An error is filled once: callers may only add
 * what they know in front of its text.
 */
#ifndef DONJON_ERROR_H
#define DONJON_ERROR_H

#pragma GCC visibility push(default)

#define DONJON_ERROR_TEXT_MAX 2048

/* What kind of failure it is; callers branch on this, never on the text. */
enum donjon_code {
	DONJON_OK = 0,
	DONJON_E_USAGE,       /* the caller asked for something that makes no sense */
	DONJON_E_CONFIG,      /* config.json or a profile is invalid; the text names the JSON path */
	DONJON_E_NOT_FOUND,   /* no such container */
	DONJON_E_EXISTS,      /* the id is taken */
	DONJON_E_STATUS,      /* the container's status does not allow the operation */
	DONJON_E_REFUSED,     /* the policy refuses what the configuration asks for */
	DONJON_E_UNSUPPORTED, /* this kernel or this build cannot do it */
	DONJON_E_SYSTEM,      /* a system call failed; `os` says how */
	DONJON_E_EXEC,        /* the workload's program could not be executed; `os` says how */
	DONJON_E_VERIFY,      /* the kernel's state differs from the plan (fail closed) */
	DONJON_E_CODE_COUNT,
};

struct donjon_error {
	enum donjon_code code;
	int os;                           /* errno of the cause, or 0 */
	char step[32];                    /* launch step that failed, or "" */
	char text[DONJON_ERROR_TEXT_MAX]; /* one line: operation, object, reason, remedy */
};

/* Stable lower-case word for a code ("refused"), as printed in the JSON log record. */
const char *donjon_code_name(enum donjon_code code);

#pragma GCC visibility pop

#endif
