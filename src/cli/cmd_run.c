#include "cli/commands.h"
#include "cli/create.h"

static int run(struct donjon_runtime *runtime, const char *id,
               const struct donjon_create_options *options, struct donjon_error *err)
{
	int status = 0;

	return donjon_container_run(runtime, id, options, &status, err) < 0 ? -1 : status;
}

int cmd_run(const struct cli_options *o, int argc, char **argv, struct donjon_error *err)
{
	struct donjon_create_options options;
	struct donjon_runtime *runtime;
	int r;

	(void)argc;
	if (cli_create_options(o, &options, err) < 0 || !(runtime = cli_runtime(o, err)))
		return -1;
	r = o->dry_run ? cli_dry_run(runtime, argv[0], o, &options, err)
	               : run(runtime, argv[0], &options, err);
	donjon_runtime_free(runtime);
	return r;
}
