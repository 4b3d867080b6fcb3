/*
 * A hardened throw-away sandbox without a bundle: the same pipeline, a root made of the host's own
 * read-only /usr and what a program needs of /etc.  Works for unprivileged callers, too.
 */
#ifndef DONJON_SANDBOX_H
#define DONJON_SANDBOX_H

#include "donjon/container.h"

#include <stdint.h>

#pragma GCC visibility push(default)

struct donjon_sandbox_options {
	size_t size;
	const char *root;          /* a root filesystem; NULL: the host's /usr and parts of /etc */
	const char *const *binds;  /* "SRC:DST[:rw]" */
	size_t n_binds;
	int64_t memory_bytes;      /* 0: the level's default */
	int64_t pids;
	bool net_host;             /* needs the override ns.net=host:REASON */
	const char *const *env;    /* "K=V", on top of a minimal environment */
	size_t n_env;
	const char *chdir;         /* NULL: "/" */
	const char *const *argv;   /* NULL-terminated */
};

/* Runs it to the end with the caller's standard streams.  *exit_code: the program's status,
 * 128 + signal.  Errors of code DONJON_E_EXEC: the program was not executable (126) or not found
 * (127); every other error: 125. */
int donjon_sandbox_run(struct donjon_runtime *runtime, const struct donjon_sandbox_options *options,
		       int *exit_code, struct donjon_error *err);

/* What it would do, as donjon_container_explain(). */
int donjon_sandbox_explain(struct donjon_runtime *runtime, const struct donjon_sandbox_options *options,
			   bool json, bool *refused, char **text, struct donjon_error *err);

#pragma GCC visibility pop

#endif
