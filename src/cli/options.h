/*
 * Command lines by rows: a row names an option and the place its value goes to; parsing, checking,
 * --help and the manual's test read the same rows (contract R1-R4).
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "donjon/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum cli_kind {
	CLI_BOOL,   /* --flag, --flag=true, --flag=false */
	CLI_STRING, /* const char *, not empty */
	CLI_TEXT,   /* const char *; runc's flags: an empty value is none given */
	CLI_CHOICE, /* const char *, one of the words in `value` ("text|json") */
	CLI_LIST,   /* struct cli_list: repetition appends */
	CLI_NUMBER, /* int64_t, not negative */
	CLI_BYTES,  /* int64_t, with an optional suffix k, m or g */
	/* struct cli_number, which knows whether it was given; -1 is a value */
	CLI_LIMIT,      /* like CLI_NUMBER */
	CLI_BYTE_LIMIT, /* like CLI_BYTES */
	CLI_DURATION,   /* int64_t in milliseconds: 500ms, 5s, 1m30s */
};

struct cli_option {
	const char *name; /* NULL ends a table */
	char letter;      /* or 0 */
	enum cli_kind kind;
	const char *value; /* what to call it in help */
	size_t offset;     /* in struct cli_options */
	const char *help;
};

struct cli_number {
	bool set;
	int64_t v;
};

struct cli_list {
	const char **v;
	size_t n;
};

/* The values of all options, global and of every command. */
struct cli_options {
	bool help;

	/* global */
	const char *root, *log, *log_format, *log_level, *cgroup_manager, *rootless, *criu;
	bool debug, systemd_cgroup, version;

	/* global and of every command that hardens */
	const char *level, *policy_file;
	struct cli_list overrides;

	/* create, run */
	const char *bundle, *config, *seccomp, *console_socket, *pidfd_socket, *pid_file, *format;
	int64_t preserve_fds;
	bool no_pivot, no_new_keyring, no_subreaper, detach, keep, dry_run;

	bool all, force, quiet; /* kill, delete, list */
	bool for_rootless;      /* spec */
	bool write, check;      /* setup */

	/* exec */
	const char *process, *user, *cwd, *apparmor, *process_label;
	struct cli_list additional_gids, caps, cgroups;
	bool tty, no_new_privs, ignore_paused;

	/* update */
	const char *resources, *cpuset_cpus, *cpuset_mems, *l3_cache_schema, *mem_bw_schema;
	struct cli_number memory, memory_reservation, memory_swap, kernel_memory, kernel_memory_tcp;
	struct cli_number cpu_shares, cpu_quota, cpu_period, cpu_burst, cpu_rt_period,
	        cpu_rt_runtime, cpu_idle, blkio_weight, pids_limit;

	/* events */
	bool stats;
	int64_t interval_ms;

	/* sandbox */
	const char *sandbox_root, *net, *chdir;
	struct cli_list binds, env;
	int64_t memory_bytes, pids;
};

/* Parses argv[1]...: options into *out, positional arguments to the front of argv (their number is
 * returned).  stop_at_first: everything from the first positional on is positional (R3). */
int cli_parse(const struct cli_option *rows, int argc, char **argv, bool stop_at_first,
              struct cli_options *out, struct donjon_error *err);

void cli_done(struct cli_options *options);

/* The rows as help text. */
void cli_print_options(FILE *out, const struct cli_option *rows);

/* The command line's own failures; returns -1. */
int cli_fail(struct donjon_error *err, enum donjon_code code, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));
/* What an errno means, as the library's errors say it: lower case.  Valid until the next call. */
const char *cli_reason(int os);

#endif
