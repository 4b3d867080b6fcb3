/*
 * Containers by name: what the OCI command line does, as functions.
 *
 * A runtime object holds the choices that are global on the command line.  It is not thread-safe;
 * several threads may each have their own.  Option structs start with their size: set it with
 * `.size = sizeof(struct ...)`, leave the rest zero for the defaults.  Strings returned through
 * `char **` are freed with donjon_free().
 */
#ifndef DONJON_CONTAINER_H
#define DONJON_CONTAINER_H

#include "donjon/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#pragma GCC visibility push(default)

struct donjon_runtime;

struct donjon_runtime_options {
	size_t size;
	const char *root;           /* state directory; NULL: /run/donjon, or $XDG_RUNTIME_DIR/donjon */
	const char *cgroup_manager; /* "cgroupfs" (default), "systemd", "disabled" */
	const char *level;          /* policy level; NULL: policy file, else "hardened" */
	const char *policy_file;    /* NULL: /etc/donjon/policy.json if it is there */
	const char *const *overrides; /* "ID=VALUE:REASON" */
	size_t n_overrides;
	/* Of a service manager, as $NOTIFY_SOCKET names it, or NULL.  Containers are created with a socket
	 * at which their program may report that it is ready.  start and run tell the manager; start, and
	 * a run that detaches, return only then. */
	const char *notify_socket;
};

/* options NULL: the defaults. */
int donjon_runtime_new(const struct donjon_runtime_options *options, struct donjon_runtime **out,
		       struct donjon_error *err);
void donjon_runtime_free(struct donjon_runtime *runtime); /* NULL is fine */

struct donjon_create_options {
	size_t size;
	const char *bundle;         /* NULL: current directory */
	const char *config;         /* NULL: <bundle>/config.json */
	const char *seccomp;        /* a profile file that replaces linux.seccomp; Docker's form too */
	const char *console_socket; /* receives the terminal's master */
	const char *pidfd_socket;   /* receives a pidfd of the container's process */
	const char *pid_file;
	unsigned preserve_fds;
	bool no_pivot, no_new_keyring;
	bool detach, keep, no_subreaper; /* run only */
	unsigned listen_fds;            /* sockets of socket activation: the first of the descriptors from 3
					 * on, in front of those of preserve_fds; LISTEN_FDS tells them */
	const char *listen_names;       /* LISTEN_FDNAMES, or NULL */
};

int donjon_container_create(struct donjon_runtime *runtime, const char *id,
			    const struct donjon_create_options *options, struct donjon_error *err);
int donjon_container_start(struct donjon_runtime *runtime, const char *id, struct donjon_error *err);

/* create + start; without `detach` waits, forwards signals, relays the terminal, deletes (unless
 * `keep`) and sets *exit_code to the program's status, or 128 + signal. */
int donjon_container_run(struct donjon_runtime *runtime, const char *id,
			 const struct donjon_create_options *options, int *exit_code,
			 struct donjon_error *err);

/* What create would do: hardening changes and launch steps, text or JSON.  Needs no privilege and
 * changes nothing.  *refused is set when the policy would refuse (the text then lists why). */
int donjon_container_explain(struct donjon_runtime *runtime, const char *id,
			     const struct donjon_create_options *options, bool json, bool *refused,
			     char **text, struct donjon_error *err);

/* signal: number or name, NULL is SIGTERM. */
int donjon_container_kill(struct donjon_runtime *runtime, const char *id, const char *signal, bool all,
			  struct donjon_error *err);
int donjon_container_delete(struct donjon_runtime *runtime, const char *id, bool force,
			    struct donjon_error *err);

/* Freezes all processes of a created or running container, and lets them go on.  Return when it is
 * so.  The container must have a cgroup (DONJON_E_UNSUPPORTED). */
int donjon_container_pause(struct donjon_runtime *runtime, const char *id, struct donjon_error *err);
int donjon_container_resume(struct donjon_runtime *runtime, const char *id, struct donjon_error *err);

/* Process ids of all that is in the container, ascending.  Free *pids with donjon_free(); it is NULL
 * where *n is 0. */
int donjon_container_processes(struct donjon_runtime *runtime, const char *id, pid_t **pids, size_t *n,
			       struct donjon_error *err);

/* The state document of the OCI specification plus a `hardening` object, and `updated`: the limits that
 * donjon_container_update() has set. */
int donjon_container_state(struct donjon_runtime *runtime, const char *id, char **json,
			   struct donjon_error *err);

struct donjon_container_info {
	const char *id, *status, *bundle, *rootfs, *created, *owner;
	pid_t pid; /* 0 when stopped */
};
/* Containers that cannot be read are skipped; why, a log with debug messages says.  Free with donjon_list_free(). */
int donjon_container_list(struct donjon_runtime *runtime, struct donjon_container_info **out, size_t *n,
			  struct donjon_error *err);
void donjon_list_free(struct donjon_container_info *list);
/* The same as a JSON array of state documents. */
int donjon_container_list_json(struct donjon_runtime *runtime, char **json, struct donjon_error *err);

void donjon_free(void *p);

#pragma GCC visibility pop

#endif
