#include "cli/commands.h"
#include "cli/create.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>


/* Socket activation, if it is meant for this process (V4). */
static void take_listen_fds(struct donjon_create_options *out)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	char *end;

	if (!pid || !count || strtol(pid, &end, 10) != getpid() || *end)
		return;
	out->listen_fds = (unsigned)strtoul(count, &end, 10);
	if (*end || out->listen_fds > CLI_DESCRIPTORS_MAX)
		out->listen_fds = 0;
	out->listen_names = getenv("LISTEN_FDNAMES");
}

int cli_create_options(const struct cli_options *o, struct donjon_create_options *out,
                       struct donjon_error *err)
{
	if (cli_check_preserved(o, err) < 0)
		return -1;
	*out = (struct donjon_create_options){
		.size = sizeof(*out),
		.bundle = o->bundle,
		.config = o->config,
		.seccomp = o->seccomp,
		.console_socket = o->console_socket,
		.pidfd_socket = o->pidfd_socket,
		.pid_file = o->pid_file,
		.preserve_fds = (unsigned)o->preserve_fds,
		.no_pivot = o->no_pivot,
		.no_new_keyring = o->no_new_keyring,
		.detach = o->detach,
		.keep = o->keep,
		.no_subreaper = o->no_subreaper,
	};
	take_listen_fds(out);
	return 0;
}

bool cli_wants_json(const struct cli_options *o)
{
	return o->format && strcmp(o->format, "json") == 0;
}

int cli_dry_run(struct donjon_runtime *runtime, const char *id, const struct cli_options *o,
                const struct donjon_create_options *options, struct donjon_error *err)
{
	bool refused = false;
	char *text = NULL;

	if (donjon_container_explain(runtime, id, options, cli_wants_json(o), &refused, &text,
	                             err) < 0 ||
	    cli_print(text, err) < 0)
		return -1;
	return refused ? CLI_REFUSED : 0;
}

int cmd_create(const struct cli_options *o, int argc, char **argv, struct donjon_error *err)
{
	struct donjon_create_options options;
	struct donjon_runtime *runtime;
	int r;

	(void)argc;
	if (cli_create_options(o, &options, err) < 0 || !(runtime = cli_runtime(o, err)))
		return -1;
	if (o->dry_run)
		r = cli_dry_run(runtime, argv[0], o, &options, err);
	else
		r = donjon_container_create(runtime, argv[0], &options, err);
	donjon_runtime_free(runtime);
	return r;
}
