/*
 * Runs a bundle to its end and returns its status; with --explain only says what would be done.
 *
 *     cc run.c $(pkg-config --cflags --libs donjon) -o run
 *     ./run [--explain] BUNDLE
 */
#include <donjon/donjon.h>

#include <stdio.h>
#include <string.h>

static int fail(const struct donjon_error *err)
{
	fprintf(stderr, "run: %s (%s)\n", err->text, donjon_code_name(err->code));
	return 1;
}

static int explain(struct donjon_runtime *runtime, const struct donjon_create_options *options)
{
	struct donjon_error err = { 0 };
	bool refused;
	char *text;

	if (donjon_container_explain(runtime, "example-run", options, false, &refused, &text,
	                             &err) < 0)
		return fail(&err);
	fputs(text, stdout);
	donjon_free(text);
	return refused ? 3 : 0;
}

static int run(struct donjon_runtime *runtime, const struct donjon_create_options *options)
{
	struct donjon_error err = { 0 };
	int status;

	if (donjon_container_run(runtime, "example-run", options, &status, &err) < 0)
		return fail(&err);
	return status;
}

int main(int argc, char **argv)
{
	const struct donjon_runtime_options runtime_options = {
		.size = sizeof(runtime_options),
		.root = "/run/donjon-examples",
		.level = "hardened",
	};
	bool only_explain = argc == 3 && strcmp(argv[1], "--explain") == 0;
	const struct donjon_create_options options = {
		.size = sizeof(options),
		.bundle = argc > 1 ? argv[argc - 1] : NULL,
	};
	struct donjon_error err = { 0 };
	struct donjon_runtime *runtime;
	int status;

	if (argc != 2 && !only_explain) {
		fprintf(stderr, "usage: %s [--explain] BUNDLE\n", argv[0]);
		return 1;
	}
	if (donjon_runtime_new(&runtime_options, &runtime, &err) < 0)
		return fail(&err);
	status = only_explain ? explain(runtime, &options) : run(runtime, &options);
	donjon_runtime_free(runtime);
	return status;
}
