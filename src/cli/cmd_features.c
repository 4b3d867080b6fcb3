#include "cli/commands.h"
#include "cli/runtime.h"

int cmd_features(const struct cli_options *o, int argc, char **argv, struct donjon_error *err)
{
	char *json = NULL;

	(void)o;
	(void)argc;
	(void)argv;
	return donjon_features_json(&json, err) < 0 ? -1 : cli_print(json, err);
}
