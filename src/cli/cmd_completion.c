/* donjon completion SHELL: what the build installs. */
#include "cli/commands.h"
#include "cli/completion.h"

#include <errno.h>
#include <string.h>

int cmd_completion(const struct cli_options *o, int argc, char **argv, struct donjon_error *err)
{
	static const struct {
		const char *name;
		void (*print)(FILE *out);
	} shells[] = { { "bash", completion_bash }, { "zsh", completion_zsh }, { "fish", completion_fish } };

	(void)o;
	(void)argc;
	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (strcmp(argv[0], shells[i].name) != 0)
			continue;
		shells[i].print(stdout);
		return fflush(stdout) == 0 ? 0
		                           : cli_fail(err, DONJON_E_SYSTEM, "write to standard output: %s",
		                                      cli_reason(errno));
	}
	return cli_fail(err, DONJON_E_USAGE, "completion: no shell \"%s\": bash, zsh or fish", argv[0]);
}
