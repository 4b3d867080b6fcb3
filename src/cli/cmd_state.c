#include "cli/commands.h"
#include "cli/runtime.h"

int cmd_state(const struct cli_options *o, int argc, char **argv, struct donjon_error *err)
{
	struct donjon_runtime *runtime = cli_runtime(o, err);
	char *json = NULL;
	int r = runtime ? donjon_container_state(runtime, argv[0], &json, err) : -1;

	(void)argc;
	if (r == 0)
		r = cli_print(json, err);
	donjon_runtime_free(runtime);
	return r;
}
