#include "cli/commands.h"

/* checkpoint and restore: a second way in that has been a source of vulnerabilities. */
int cmd_unsupported(const struct cli_options *o, int argc, char **argv, struct donjon_error *err)
{
	(void)o;
	(void)argc;
	return cli_fail(err, DONJON_E_UNSUPPORTED, "%s is not supported", argv[0]);
}
