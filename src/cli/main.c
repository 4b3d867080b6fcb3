/* The program: picks the row, reports what went wrong. */
#include "cli/commands.h"
#include "donjon/donjon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STATUS_FAILURE = 1 };

/* What a caller may hand down and must not reach what we do (B24, T59). */
static void reset_inherited(void)
{
	sigset_t none;

	/* A closed standard stream would be taken by the next file we open (T52). */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			_exit(STATUS_FAILURE);
	(void)umask(0022);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGCHLD, SIG_DFL); /* ignored, it would take exit statuses from us */
	/* A reader that goes away, or the caller's RLIMIT_FSIZE, must not leave a container half-made. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
}

static bool wants_debug(const struct cli_options *o)
{
	return o->debug || (o->log_level && strcmp(o->log_level, "debug") == 0);
}

static int open_log(const struct cli_options *o, struct donjon_error *err)
{
	bool json = o->log_format && strcmp(o->log_format, "json") == 0;
	const struct donjon_log_options options = {
		.file = o->log,
		.format = json ? DONJON_LOG_JSON : DONJON_LOG_TEXT,
		.debug = wants_debug(o),
	};

	return donjon_log_open(&options, err);
}

static int print_version(void)
{
	/* Only the first line may hold the word "version" (O7, Z16). */
	printf("donjon version %s\ncommit: %s\nspec: 1.3.0\n", donjon_version(), donjon_commit());
	return fflush(stdout) == 0 ? 0 : STATUS_FAILURE;
}

static int fail(const struct cli_command *command, const struct donjon_error *err)
{
	donjon_log_error(err);
	return command && command->failure ? command->failure(err) : STATUS_FAILURE;
}

static int check_count(const struct cli_command *command, int n, struct donjon_error *err)
{
	if (n >= command->min && (command->max < 0 || n <= command->max))
		return 0;
	return cli_fail(err, DONJON_E_USAGE, "%s: want %s", command->name,
	                command->args[0] ? command->args : "no argument");
}

static int run_command(const struct cli_command *command, int argc, char **argv,
                       struct cli_options *options)
{
	struct donjon_error err = { 0 };
	int n = argc, status;

	if (!command->raw) {
		n = cli_parse(command->options, argc, argv, command->stop_at_first, options, &err);
		if (n < 0)
			return fail(command, &err);
		if (options->help) {
			cli_print_command(stdout, command);
			return fflush(stdout) == 0 ? 0 : STATUS_FAILURE;
		}
		if (check_count(command, n, &err) < 0)
			return fail(command, &err);
		argv[n] = NULL;
	}
	status = command->run(options, n, argv, &err);
	return status < 0 ? fail(command, &err) : status;
}

static int run(int argc, char **argv, struct cli_options *options)
{
	struct donjon_error err = { 0 }, log_err = { 0 };
	const struct cli_command *command;
	int n = cli_parse(cli_global_options, argc, argv, true, options, &err);

	/* Before anything is reported: callers look for the reason in this file (F2, Z3). */
	if (open_log(options, &log_err) < 0)
		return fail(NULL, &log_err);
	if (n < 0)
		return fail(NULL, &err);
	if (options->version)
		return print_version();
	if (options->help) {
		cli_print_usage(stdout);
		return fflush(stdout) == 0 ? 0 : STATUS_FAILURE;
	}
	if (n == 0) {
		(void)cli_fail(&err, DONJON_E_USAGE, "no command given: see donjon --help");
		return fail(NULL, &err);
	}
	command = cli_command_find(argv[0]);
	if (!command) {
		(void)cli_fail(&err, DONJON_E_USAGE, "unknown command: %s", argv[0]);
		return fail(NULL, &err);
	}
	return run_command(command, n, argv, options);
}

int main(int argc, char **argv)
{
	struct cli_options options = { 0 };
	int status;

	reset_inherited();
	status = run(argc, argv, &options);
	cli_done(&options);
	return status;
}
