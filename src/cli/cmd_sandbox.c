#include "cli/commands.h"
#include "cli/create.h"

#include <errno.h>
#include <string.h>

/* As chroot(1) and timeout(1) have it (decision 39). */
enum {
	STATUS_DRY_RUN_FAILED = 1,
	STATUS_OURS = 125,
	STATUS_NOT_EXECUTABLE = 126,
	STATUS_NOT_FOUND = 127
};

int sandbox_failure(const struct donjon_error *err)
{
	if (err->code != DONJON_E_EXEC)
		return STATUS_OURS;
	return err->os == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE;
}

static int dry_run(struct donjon_runtime *runtime, const struct cli_options *o,
                   const struct donjon_sandbox_options *options, struct donjon_error *err)
{
	bool refused = false;
	char *text = NULL;

	if (donjon_sandbox_explain(runtime, options, cli_wants_json(o), &refused, &text, err) < 0 ||
	    cli_print(text, err) < 0) {
		donjon_log_error(
		        err); /* here, because a dry run's statuses are the same everywhere */
		return STATUS_DRY_RUN_FAILED;
	}
	return refused ? CLI_REFUSED : 0;
}

/* Who wrote no configuration is not told of one. */
static void name_options(struct donjon_error *err)
{
	static const struct {
		const char *pointer, *option; /* never the longer one */
	} names[] = {
		{ "linux.resources.memory.limit", "--memory" },
		{ "linux.resources.pids.limit", "--pids" },
		{ "root.path", "--root" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t pointer = strlen(names[i].pointer), option = strlen(names[i].option);
		char *at = strstr(err->text, names[i].pointer);

		if (!at)
			continue;
		memcpy(at, names[i].option, option);
		memmove(at + option, at + pointer, strlen(at + pointer) + 1);
	}
}

static int run(struct donjon_runtime *runtime, const struct donjon_sandbox_options *options,
               struct donjon_error *err)
{
	int status = 0;

	return donjon_sandbox_run(runtime, options, &status, err) < 0 ? -1 : status;
}

int cmd_sandbox(const struct cli_options *o, int argc, char **argv, struct donjon_error *err)
{
	const struct donjon_sandbox_options options = {
		.size = sizeof(options),
		.root = o->sandbox_root,
		.binds = o->binds.v,
		.n_binds = o->binds.n,
		.memory_bytes = o->memory_bytes,
		.pids = o->pids,
		.net_host = o->net && strcmp(o->net, "host") == 0,
		.env = o->env.v,
		.n_env = o->env.n,
		.chdir = o->chdir,
		.argv = (const char *const *)argv,
	};
	struct donjon_runtime *runtime = cli_runtime(o, err);
	int r = -1;

	(void)argc;
	if (runtime)
		r = o->dry_run ? dry_run(runtime, o, &options, err) : run(runtime, &options, err);
	if (r < 0)
		name_options(err);
	donjon_runtime_free(runtime);
	return r;
}
