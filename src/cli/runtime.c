#include "cli/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *cgroup_manager(const struct cli_options *o)
{
	if (o->cgroup_manager)
		return o->cgroup_manager;
	return o->systemd_cgroup ? "systemd" : NULL;
}

struct donjon_runtime *cli_runtime(const struct cli_options *o, struct donjon_error *err)
{
	const struct donjon_runtime_options options = {
		.size = sizeof(options),
		.root = o->root,
		.cgroup_manager = cgroup_manager(o),
		.level = o->level,
		.policy_file = o->policy_file,
		.overrides = o->overrides.v,
		.n_overrides = o->overrides.n,
		.notify_socket = getenv("NOTIFY_SOCKET"),
	};
	struct donjon_runtime *runtime = NULL;

	return donjon_runtime_new(&options, &runtime, err) < 0 ? NULL : runtime;
}

int cli_check_preserved(const struct cli_options *o, struct donjon_error *err)
{
	if (o->preserve_fds > CLI_DESCRIPTORS_MAX)
		return cli_fail(err, DONJON_E_USAGE, "option --preserve-fds: too many");
	return 0;
}

int cli_print(char *text, struct donjon_error *err)
{
	size_t len = strlen(text);
	int r = fputs(text, stdout);

	if (r >= 0 && (len == 0 || text[len - 1] != '\n'))
		r = putchar('\n');
	donjon_free(text);
	if (r < 0 || fflush(stdout) != 0)
		return cli_fail(err, DONJON_E_SYSTEM, "write to standard output: %s",
		                cli_reason(errno));
	return 0;
}
