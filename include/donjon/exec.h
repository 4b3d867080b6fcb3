/*
 * A further process in a running container: the whole confinement of the container is applied to it,
 * and it never gets more than the container itself was given.
 */
#ifndef DONJON_EXEC_H
#define DONJON_EXEC_H

#include "donjon/container.h"

#pragma GCC visibility push(default)

struct donjon_exec_options {
	size_t size;
	/* A file with a `process` object.  With one, what describes the process below is not looked at:
	 * argv to process_label, except no_new_privs, which only tightens. */
	const char *process;
	const char *const *argv; /* NULL-terminated */
	bool terminal;
	const char *user;                    /* "UID[:GID]", decimal */
	const char *const *additional_gids;  /* decimal, on top of the container's */
	size_t n_additional_gids;
	const char *cwd;
	const char *const *env;              /* "K=V", on top of the container's */
	size_t n_env;
	const char *const *caps;             /* "CAP_CHOWN", on top of the container's */
	size_t n_caps;
	bool no_new_privs;
	const char *apparmor, *process_label; /* NULL: the container's */

	bool detach;
	const char *console_socket; /* receives the terminal's master; only with detach */
	const char *pidfd_socket;   /* receives a pidfd of the process */
	const char *pid_file;
	unsigned preserve_fds;
	const char *const *cgroups; /* "[CONTROLLER,...:]PATH" below the container's own cgroup */
	size_t n_cgroups;
	bool ignore_paused;
};

/* Starts the process as the container's configuration of create, and these options, say.  With
 * `detach` returns when the program has been executed; else waits, forwards signals, relays the
 * terminal and sets *exit_code to the program's status, or 128 + signal. */
int donjon_container_exec(struct donjon_runtime *runtime, const char *id,
			  const struct donjon_exec_options *options, int *exit_code,
			  struct donjon_error *err);

#pragma GCC visibility pop

#endif
