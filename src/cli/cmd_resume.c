#include "cli/commands.h"
#include "cli/runtime.h"

int cmd_resume(const struct cli_options *o, int argc, char **argv, struct donjon_error *err)
{
	struct donjon_runtime *runtime = cli_runtime(o, err);
	int r = runtime ? donjon_container_resume(runtime, argv[0], err) : -1;

	(void)argc;
	donjon_runtime_free(runtime);
	return r;
}
