#include "cli/commands.h"

#include <string.h>

#define AT(member) offsetof(struct cli_options, member)
#define ROW_HELP                                                                                   \
	{                                                                                          \
		"help", 'h', CLI_BOOL, NULL, AT(help), "show this help"                            \
	}
#define ROW_END                                                                                    \
	{                                                                                          \
		NULL, 0, CLI_BOOL, NULL, 0, NULL                                                   \
	}

/* clang-format off */
#define ROWS_POLICY \
	{ "policy", 0, CLI_STRING, "LEVEL", AT(level), \
	  "policy level: none or hardened (the default)" }, \
	{ "policy-file", 0, CLI_STRING, "FILE", AT(policy_file), \
	  "policy file instead of /etc/donjon/policy.json" }, \
	{ "override", 0, CLI_LIST, "ID=VALUE:REASON", AT(overrides), \
	  "allow what a check refuses; repeatable" }

#define ROWS_DRY_RUN \
	{ "dry-run", 0, CLI_BOOL, NULL, AT(dry_run), \
	  "print what would be done and change nothing" }, \
	{ "format", 0, CLI_CHOICE, "text|json", AT(format), "how --dry-run prints" }

#define ROWS_DELIVER \
	{ "console-socket", 0, CLI_TEXT, "PATH", AT(console_socket), \
	  "socket that receives the terminal" }, \
	{ "pidfd-socket", 0, CLI_TEXT, "PATH", AT(pidfd_socket), \
	  "socket that receives a pidfd of the process" }, \
	{ "pid-file", 0, CLI_TEXT, "FILE", AT(pid_file), "file to write the process id to" }, \
	{ "preserve-fds", 0, CLI_NUMBER, "N", AT(preserve_fds), \
	  "pass descriptors 3 to 3+N-1 to the process" }

#define ROWS_CREATE \
	{ "bundle", 'b', CLI_TEXT, "DIR", AT(bundle), "bundle (default: the current directory)" }, \
	{ "config", 'f', CLI_STRING, "FILE", AT(config), "configuration instead of the bundle's" }, \
	{ "seccomp", 0, CLI_STRING, "FILE", AT(seccomp), \
	  "seccomp profile instead of the configuration's; Docker's form, too" }, \
	ROWS_DELIVER, \
	{ "no-pivot", 0, CLI_BOOL, NULL, AT(no_pivot), \
	  "move the root instead of pivoting to it (for initramfs; weaker)" }, \
	{ "no-new-keyring", 0, CLI_BOOL, NULL, AT(no_new_keyring), \
	  "keep the caller's session keyring" }, \
	{ "no-subreaper", 0, CLI_BOOL, NULL, AT(no_subreaper), \
	  "do not reap what the container leaves behind" }

const struct cli_option cli_global_options[] = {
	{ "root", 0, CLI_TEXT, "DIR", AT(root), "state directory" },
	{ "log", 0, CLI_TEXT, "FILE", AT(log), "file to append log records to" },
	{ "log-format", 0, CLI_CHOICE, "text|json", AT(log_format), "form of the log records" },
	{ "log-level", 0, CLI_CHOICE, "error|warning|info|debug", AT(log_level), "what to log" },
	{ "debug", 0, CLI_BOOL, NULL, AT(debug), "the same as --log-level debug" },
	{ "cgroup-manager", 0, CLI_CHOICE, "cgroupfs|systemd|disabled", AT(cgroup_manager),
	  "who makes the container's cgroup" },
	{ "systemd-cgroup", 0, CLI_BOOL, NULL, AT(systemd_cgroup),
	  "the same as --cgroup-manager systemd" },
	ROWS_POLICY,
	{ "rootless", 0, CLI_TEXT, "true|false|auto", AT(rootless), "accepted and ignored" },
	{ "criu", 0, CLI_TEXT, "PATH", AT(criu), "accepted and ignored" },
	{ "version", 'v', CLI_BOOL, NULL, AT(version), "show the version" },
	{ "V", 0, CLI_BOOL, NULL, AT(version), "the same as --version" },
	ROW_HELP,
	ROW_END,
};

static const struct cli_option no_options[] = { ROW_HELP, ROW_END };

static const struct cli_option create_options[] = {
	ROWS_CREATE, ROWS_POLICY, ROWS_DRY_RUN, ROW_HELP, ROW_END,
};

static const struct cli_option run_options[] = {
	ROWS_CREATE,
	{ "detach", 'd', CLI_BOOL, NULL, AT(detach), "return once the container runs" },
	{ "keep", 0, CLI_BOOL, NULL, AT(keep), "do not delete the container when it ends" },
	ROWS_POLICY, ROWS_DRY_RUN, ROW_HELP, ROW_END,
};

static const struct cli_option exec_options[] = {
	{ "process", 'p', CLI_TEXT, "FILE", AT(process),
	  "file that describes the process, instead of CMD and the options that do" },
	{ "tty", 't', CLI_BOOL, NULL, AT(tty), "give it a terminal" },
	{ "user", 'u', CLI_STRING, "UID[:GID]", AT(user), "ids of the process, as numbers" },
	{ "additional-gids", 'g', CLI_LIST, "GID", AT(additional_gids),
	  "supplementary group beside the container's; repeatable" },
	{ "cwd", 0, CLI_TEXT, "DIR", AT(cwd), "working directory" },
	{ "env", 'e', CLI_LIST, "K=V", AT(env), "environment variable; repeatable" },
	{ "cap", 'c', CLI_LIST, "CAP", AT(caps), "capability beside the container's; repeatable" },
	{ "no-new-privs", 0, CLI_BOOL, NULL, AT(no_new_privs), "set no_new_privs" },
	{ "apparmor", 0, CLI_TEXT, "PROFILE", AT(apparmor), "AppArmor profile (default: the container's)" },
	{ "process-label", 0, CLI_TEXT, "LABEL", AT(process_label),
	  "SELinux label (default: the container's)" },
	{ "detach", 'd', CLI_BOOL, NULL, AT(detach), "return once the program runs" },
	ROWS_DELIVER,
	{ "cgroup", 0, CLI_LIST, "[CONTROLLER:]PATH", AT(cgroups),
	  "cgroup below the container's own; repeatable" },
	{ "ignore-paused", 0, CLI_BOOL, NULL, AT(ignore_paused),
	  "also in a paused container: the process waits until it is resumed" },
	ROW_HELP, ROW_END,
};

static const struct cli_option kill_options[] = {
	{ "all", 'a', CLI_BOOL, NULL, AT(all), "signal every process of the container" },
	ROW_HELP, ROW_END,
};

static const struct cli_option delete_options[] = {
	{ "force", 'f', CLI_BOOL, NULL, AT(force), "kill it first; no error if it is not there" },
	ROW_HELP, ROW_END,
};

static const struct cli_option list_options[] = {
	{ "format", 'f', CLI_CHOICE, "table|json", AT(format), "how to print" },
	{ "quiet", 'q', CLI_BOOL, NULL, AT(quiet), "only ids, one a line" },
	ROW_HELP, ROW_END,
};

static const struct cli_option ps_options[] = {
	{ "format", 'f', CLI_CHOICE, "table|json", AT(format), "how to print" },
	ROW_HELP, ROW_END,
};

static const struct cli_option update_options[] = {
	{ "resources", 'r', CLI_TEXT, "FILE", AT(resources),
	  "linux.resources as JSON, - for standard input; other options are ignored then" },
	{ "memory", 0, CLI_BYTE_LIMIT, "N", AT(memory), "memory limit; k, m, g; -1: none" },
	{ "memory-reservation", 0, CLI_BYTE_LIMIT, "N", AT(memory_reservation),
	  "memory that is taken back last" },
	{ "memory-swap", 0, CLI_BYTE_LIMIT, "N", AT(memory_swap),
	  "limit of memory and swap together; -1: none" },
	{ "kernel-memory", 0, CLI_BYTE_LIMIT, "N", AT(kernel_memory), "accepted and ignored" },
	{ "kernel-memory-tcp", 0, CLI_BYTE_LIMIT, "N", AT(kernel_memory_tcp),
	  "accepted and ignored" },
	{ "cpu-share", 0, CLI_LIMIT, "N", AT(cpu_shares), "CPU weight; 1024 is the default" },
	{ "cpu-quota", 0, CLI_LIMIT, "USECS", AT(cpu_quota), "CPU time in a period; -1: no limit" },
	{ "cpu-period", 0, CLI_LIMIT, "USECS", AT(cpu_period), "length of that period" },
	{ "cpu-burst", 0, CLI_LIMIT, "USECS", AT(cpu_burst),
	  "CPU time saved for later, at most the quota" },
	{ "cpu-rt-period", 0, CLI_LIMIT, "USECS", AT(cpu_rt_period),
	  "period of realtime CPU time; cgroup v1" },
	{ "cpu-rt-runtime", 0, CLI_LIMIT, "USECS", AT(cpu_rt_runtime),
	  "realtime CPU time in that period; cgroup v1" },
	{ "cpuset-cpus", 0, CLI_TEXT, "LIST", AT(cpuset_cpus), "CPUs to run on, such as 0-3,7" },
	{ "cpuset-mems", 0, CLI_TEXT, "LIST", AT(cpuset_mems), "memory nodes to use" },
	{ "cpu-idle", 0, CLI_LIMIT, "0|1", AT(cpu_idle), "1: run only when nobody else does" },
	{ "blkio-weight", 0, CLI_LIMIT, "N", AT(blkio_weight), "block I/O weight, 10 to 1000" },
	{ "pids-limit", 0, CLI_LIMIT, "N", AT(pids_limit),
	  "limit of processes and threads; -1: none" },
	{ "l3-cache-schema", 0, CLI_TEXT, "SCHEMA", AT(l3_cache_schema),
	  "for containers with an RDT group" },
	{ "mem-bw-schema", 0, CLI_TEXT, "SCHEMA", AT(mem_bw_schema),
	  "for containers with an RDT group" },
	ROW_HELP, ROW_END,
};

static const struct cli_option events_options[] = {
	{ "stats", 0, CLI_BOOL, NULL, AT(stats), "one sample, then exit" },
	{ "interval", 0, CLI_DURATION, "DURATION", AT(interval_ms),
	  "time between samples (default: 5s)" },
	ROW_HELP, ROW_END,
};

static const struct cli_option spec_options[] = {
	{ "bundle", 'b', CLI_TEXT, "DIR", AT(bundle), "where to write config.json" },
	{ "rootless", 0, CLI_BOOL, NULL, AT(for_rootless), "for an unprivileged user" },
	{ "policy", 0, CLI_STRING, "LEVEL", AT(level),
	  "hardened: a document that asks for what that level demands" },
	ROW_HELP, ROW_END,
};

static const struct cli_option sandbox_options[] = {
	{ "root", 0, CLI_STRING, "DIR", AT(sandbox_root),
	  "root filesystem (default: the host's /usr and parts of /etc, read-only)" },
	{ "bind", 0, CLI_LIST, "SRC:DST[:rw]", AT(binds),
	  "show SRC at DST, read-only unless :rw; repeatable" },
	{ "memory", 0, CLI_BYTES, "N", AT(memory_bytes), "memory limit in bytes; k, m, g" },
	{ "pids", 0, CLI_NUMBER, "N", AT(pids), "limit of processes and threads" },
	{ "net", 0, CLI_CHOICE, "none|host", AT(net), "network (default: none)" },
	{ "env", 'e', CLI_LIST, "K=V", AT(env), "environment variable; repeatable" },
	{ "chdir", 0, CLI_STRING, "DIR", AT(chdir), "working directory inside (default: /)" },
	ROWS_POLICY, ROWS_DRY_RUN, ROW_HELP, ROW_END,
};

static const struct cli_option setup_options[] = {
	{ "write", 0, CLI_BOOL, NULL, AT(write), "write the drop-in and print where it is" },
	{ "check", 0, CLI_BOOL, NULL, AT(check),
	  "run a container through the engine and show what is in force" },
	ROW_HELP, ROW_END,
};

const struct cli_command cli_commands[] = {
	{ "create", "make a container that waits for start", "ID", 1, 1, false, false,
	  create_options, cmd_create, NULL },
	{ "start", "let a created container run", "ID", 1, 1, false, false,
	  no_options, cmd_start, NULL },
	{ "run", "create and start a container", "ID", 1, 1, false, false,
	  run_options, cmd_run, NULL },
	{ "exec", "run a further process in a container", "ID [CMD [ARG...]]", 1, -1, false, true,
	  exec_options, cmd_exec, exec_failure },
	{ "state", "show a container's state as JSON", "ID", 1, 1, false, false,
	  no_options, cmd_state, NULL },
	{ "kill", "signal a container (default: SIGTERM)", "ID [SIGNAL]", 1, 2, false, true,
	  kill_options, cmd_kill, NULL },
	{ "delete", "remove a container", "ID", 1, 1, false, false,
	  delete_options, cmd_delete, NULL },
	{ "list", "list containers", "", 0, 0, false, false,
	  list_options, cmd_list, NULL },
	{ "ps", "list a container's processes", "ID [PS-ARGUMENT...]", 1, -1, false, true,
	  ps_options, cmd_ps, NULL },
	{ "pause", "freeze a container's processes", "ID", 1, 1, false, false,
	  no_options, cmd_pause, NULL },
	{ "resume", "let a paused container go on", "ID", 1, 1, false, false,
	  no_options, cmd_resume, NULL },
	{ "update", "change a container's limits", "ID", 1, 1, false, false,
	  update_options, cmd_update, NULL },
	{ "events", "show what a container uses, again and again", "ID", 1, 1, false, false,
	  events_options, cmd_events, NULL },
	{ "spec", "write a config.json to start from", "", 0, 0, false, false,
	  spec_options, cmd_spec, NULL },
	{ "features", "show what this build supports as JSON", "", 0, 0, false, false,
	  no_options, cmd_features, NULL },
	{ "sandbox", "run a command in a hardened sandbox without a bundle", "[--] CMD [ARG...]", 1, -1,
	  false, true, sandbox_options, cmd_sandbox, sandbox_failure },
	{ "setup", "show how to make donjon known to an engine",
	  "podman|containerd|docker|crio|kubernetes", 1, 1, false, false,
	  setup_options, cmd_setup, NULL },
	{ "completion", "print the completion script of a shell", "bash|zsh|fish", 1, 1, false, false,
	  no_options, cmd_completion, NULL },
	/* R5: callers probe them with --help and take the status for the answer. */
	{ "checkpoint", "not supported", "", 0, -1, true, false, no_options, cmd_unsupported, NULL },
	{ "restore", "not supported", "", 0, -1, true, false, no_options, cmd_unsupported, NULL },
	{ NULL, NULL, NULL, 0, 0, false, false, NULL, NULL, NULL },
};
/* clang-format on */

const struct cli_command *cli_command_find(const char *name)
{
	for (const struct cli_command *c = cli_commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

void cli_print_usage(FILE *out)
{
	fputs("usage: donjon [OPTION...] COMMAND [OPTION...] [ARGUMENT...]\n\n"
	      "An OCI container runtime that hardens what it is handed.\n\ncommands:\n",
	      out);
	for (const struct cli_command *c = cli_commands; c->name; c++)
		fprintf(out, "  %-12s %s\n", c->name, c->summary);
	fputs("\noptions:\n", out);
	cli_print_options(out, cli_global_options);
	fputs("\ndonjon COMMAND --help shows the options of a command.\n", out);
}

void cli_print_command(FILE *out, const struct cli_command *command)
{
	fprintf(out, "usage: donjon %s [OPTION...]%s%s\n\n%s\n\noptions:\n", command->name,
	        command->args[0] ? " " : "", command->args, command->summary);
	cli_print_options(out, command->options);
}
