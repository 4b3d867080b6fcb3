/* The commands of donjon: one row each. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/options.h"

struct cli_command {
	const char *name, *summary;
	const char *args;   /* positional arguments, as help shows them */
	int min, max;       /* how many; max -1: any number */
	bool raw;           /* its arguments are not ours to parse */
	bool stop_at_first; /* R3 */
	const struct cli_option *options;
	/* Exit status, or -1 with *err filled. */
	int (*run)(const struct cli_options *options, int argc, char **argv,
	           struct donjon_error *err);
	int (*failure)(const struct donjon_error *err); /* exit status of a failure; NULL: 1 */
};

extern const struct cli_option cli_global_options[];
extern const struct cli_command cli_commands[]; /* ended by a row without a name */

const struct cli_command *cli_command_find(const char *name);
void cli_print_usage(FILE *out);
void cli_print_command(FILE *out, const struct cli_command *command);

/* cmd_<verb>.c */
int cmd_create(const struct cli_options *o, int argc, char **argv, struct donjon_error *err);
int cmd_run(const struct cli_options *o, int argc, char **argv, struct donjon_error *err);
int cmd_exec(const struct cli_options *o, int argc, char **argv, struct donjon_error *err);
int exec_failure(const struct donjon_error *err);
int cmd_start(const struct cli_options *o, int argc, char **argv, struct donjon_error *err);
int cmd_state(const struct cli_options *o, int argc, char **argv, struct donjon_error *err);
int cmd_kill(const struct cli_options *o, int argc, char **argv, struct donjon_error *err);
int cmd_delete(const struct cli_options *o, int argc, char **argv, struct donjon_error *err);
int cmd_list(const struct cli_options *o, int argc, char **argv, struct donjon_error *err);
int cmd_ps(const struct cli_options *o, int argc, char **argv, struct donjon_error *err);
int cmd_pause(const struct cli_options *o, int argc, char **argv, struct donjon_error *err);
int cmd_resume(const struct cli_options *o, int argc, char **argv, struct donjon_error *err);
int cmd_update(const struct cli_options *o, int argc, char **argv, struct donjon_error *err);
int cmd_events(const struct cli_options *o, int argc, char **argv, struct donjon_error *err);
int cmd_spec(const struct cli_options *o, int argc, char **argv, struct donjon_error *err);
int cmd_features(const struct cli_options *o, int argc, char **argv, struct donjon_error *err);
int cmd_completion(const struct cli_options *o, int argc, char **argv, struct donjon_error *err);
int cmd_setup(const struct cli_options *o, int argc, char **argv, struct donjon_error *err);
int cmd_sandbox(const struct cli_options *o, int argc, char **argv, struct donjon_error *err);
int cmd_unsupported(const struct cli_options *o, int argc, char **argv, struct donjon_error *err);
int sandbox_failure(const struct donjon_error *err);

#endif
