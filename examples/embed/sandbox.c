/*
 * Runs a command in a sandbox made of the host's own programs; works for ordinary users.  With
 * --explain it only says what would be done.
 *
 *     cc sandbox.c $(pkg-config --cflags --libs donjon) -o sandbox
 *     ./sandbox [--explain] CMD [ARG...]
 */
#include <donjon/donjon.h>

#include <stdio.h>
#include <string.h>

static int fail(const struct donjon_error *err)
{
	fprintf(stderr, "sandbox: %s (%s)\n", err->text, donjon_code_name(err->code));
	return 125;
}

static int explain(struct donjon_runtime *runtime, const struct donjon_sandbox_options *options)
{
	struct donjon_error err = { 0 };
	bool refused;
	char *text;

	if (donjon_sandbox_explain(runtime, options, true, &refused, &text, &err) < 0)
		return fail(&err);
	puts(text);
	donjon_free(text);
	return refused ? 3 : 0;
}

static int run(struct donjon_runtime *runtime, const struct donjon_sandbox_options *options)
{
	struct donjon_error err = { 0 };
	int status;

	if (donjon_sandbox_run(runtime, options, &status, &err) < 0)
		return fail(&err);
	return status;
}

int main(int argc, char **argv)
{
	bool only_explain = argc > 1 && strcmp(argv[1], "--explain") == 0;
	const char *const env[] = { "GREETING=hello" };
	const struct donjon_sandbox_options options = {
		.size = sizeof(options),
		.env = env,
		.n_env = 1,
		.argv = (const char *const *)argv + 1 + only_explain,
	};
	struct donjon_error err = { 0 };
	struct donjon_runtime *runtime;
	int status;

	if (donjon_runtime_new(NULL, &runtime, &err) < 0)
		return fail(&err);
	status = only_explain ? explain(runtime, &options) : run(runtime, &options);
	donjon_runtime_free(runtime);
	return status;
}
