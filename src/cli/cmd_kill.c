#include "cli/commands.h"
#include "cli/runtime.h"

int cmd_kill(const struct cli_options *o, int argc, char **argv, struct donjon_error *err)
{
	struct donjon_runtime *runtime = cli_runtime(o, err);
	const char *signal = argc > 1 ? argv[1] : NULL;
	int r = runtime ? donjon_container_kill(runtime, argv[0], signal, o->all, err) : -1;

	donjon_runtime_free(runtime);
	return r;
}
