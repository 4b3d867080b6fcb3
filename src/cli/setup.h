/* How donjon is made known to the engines: one row each, what to print, where it goes. */
#ifndef CLI_SETUP_H
#define CLI_SETUP_H

#include "donjon/error.h"

#include <stdbool.h>
#include <stdio.h>

struct setup_version {
	int major, minor;
	bool found; /* the engine said so */
};

struct setup_engine {
	const char *name;
	const char *program;   /* asked for its version; NULL: nothing on this host */
	const char *file;      /* where the text goes, for root; NULL: nowhere on this host */
	const char *user_file; /* the same below the user's configuration directory, or NULL */
	struct setup_version assumed; /* where no program says its own: the form of that and all newer */
	/* The drop-in.  `runtime`: absolute path of donjon; `plain`: of donjon-none. */
	void (*print)(FILE *out, struct setup_version version, const char *runtime, const char *plain);
	/* Why the drop-in must not be written on this host, or -1 with nothing to say: then it may. */
	int (*may_write)(struct setup_version version, struct donjon_error *err);
	/* A container through the engine that runs `probe`, which shows what is in force; the exit status
	 * of the engine, or -1. */
	int (*check)(const char *runtime, const char *probe, struct donjon_error *err);
};

extern const struct setup_engine setup_engines[]; /* ended by a row without a name */

/* Runs a program found in PATH and returns its exit status (128+n for a signal), or -1.  *output,
 * unless NULL, gets what it wrote to standard output and is to be freed; else that is ours. */
int setup_run(const char *const *argv, char **output, struct donjon_error *err);

int setup_check_podman(const char *runtime, const char *probe, struct donjon_error *err);
int setup_check_containerd(const char *runtime, const char *probe, struct donjon_error *err);
int setup_check_docker(const char *runtime, const char *probe, struct donjon_error *err);

#endif
