#include "cli/commands.h"
#include "cli/runtime.h"

/* Of every failure before the program ran: no program says it as often as 1 (C4, decision 39). */
enum { STATUS_NOT_RUN = 255 };

int exec_failure(const struct donjon_error *err)
{
	(void)err;
	return STATUS_NOT_RUN;
}

static struct donjon_exec_options exec_options(const struct cli_options *o, char **argv)
{
	return (struct donjon_exec_options){
		.size = sizeof(struct donjon_exec_options),
		.process = o->process,
		.argv = (const char *const *)argv,
		.terminal = o->tty,
		.user = o->user,
		.additional_gids = o->additional_gids.v,
		.n_additional_gids = o->additional_gids.n,
		.cwd = o->cwd,
		.env = o->env.v,
		.n_env = o->env.n,
		.caps = o->caps.v,
		.n_caps = o->caps.n,
		.no_new_privs = o->no_new_privs,
		.apparmor = o->apparmor,
		.process_label = o->process_label,
		.detach = o->detach,
		.console_socket = o->console_socket,
		.pidfd_socket = o->pidfd_socket,
		.pid_file = o->pid_file,
		.preserve_fds = (unsigned)o->preserve_fds,
		.cgroups = o->cgroups.v,
		.n_cgroups = o->cgroups.n,
		.ignore_paused = o->ignore_paused,
	};
}

int cmd_exec(const struct cli_options *o, int argc, char **argv, struct donjon_error *err)
{
	const struct donjon_exec_options options = exec_options(o, argv + 1);
	struct donjon_runtime *runtime;
	int status = 0, r;

	(void)argc;
	if (cli_check_preserved(o, err) < 0 || !(runtime = cli_runtime(o, err)))
		return -1;
	r = donjon_container_exec(runtime, argv[0], &options, &status, err);
	donjon_runtime_free(runtime);
	return r < 0 ? -1 : status;
}
