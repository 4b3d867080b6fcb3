/*
 * Runs a command in a container that is there already and returns its status.
 *
 *     cc exec.c $(pkg-config --cflags --libs donjon) -o exec
 *     ./exec ROOT [-t] ID CMD [ARG...]        (donjon's own ROOT is /run/donjon)
 */
#include <donjon/donjon.h>

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	bool terminal = argc > 2 && strcmp(argv[2], "-t") == 0;
	char **rest = argv + 2 + terminal;
	const struct donjon_runtime_options runtime_options = {
		.size = sizeof(runtime_options),
		.root = argc > 1 ? argv[1] : NULL,
	};
	struct donjon_exec_options options = {
		.size = sizeof(options),
		.terminal = terminal,
	};
	struct donjon_error err = { 0 };
	struct donjon_runtime *runtime;
	int status = 0, r;

	if (argc - terminal < 4) {
		fprintf(stderr, "usage: %s ROOT [-t] ID CMD [ARG...]\n", argv[0]);
		return 1;
	}
	options.argv = (const char *const *)(rest + 1);
	if (donjon_runtime_new(&runtime_options, &runtime, &err) < 0) {
		fprintf(stderr, "exec: %s\n", err.text);
		return 1;
	}
	r = donjon_container_exec(runtime, rest[0], &options, &status, &err);
	donjon_runtime_free(runtime);
	if (r < 0) {
		fprintf(stderr, "exec: %s (%s)\n", err.text, donjon_code_name(err.code));
		return 1;
	}
	return status;
}
