#include "cli/commands.h"
#include "cli/runtime.h"

#include <errno.h>
#include <string.h>

enum { DEFAULT_INTERVAL_MS = 5000 };

/* A reader gets each line at once; one that is gone ends us. */
static int print_event(void *data, const char *json)
{
	if (printf("%s\n", json) >= 0 && fflush(stdout) == 0)
		return 0;
	return cli_fail(data, DONJON_E_SYSTEM, "write to standard output: %s", cli_reason(errno));
}

static int watch(struct donjon_runtime *runtime, const char *id, int64_t interval_ms,
                 struct donjon_error *err)
{
	struct donjon_error write_err = { 0 };
	unsigned interval = interval_ms > INT32_MAX ? INT32_MAX : (unsigned)interval_ms;

	if (donjon_container_watch(runtime, id, interval, print_event, &write_err, err) < 0)
		return -1;
	if (write_err.code == DONJON_OK)
		return 0;
	*err = write_err;
	return -1;
}

static int stats(struct donjon_runtime *runtime, const char *id, struct donjon_error *err)
{
	char *json = NULL;

	return donjon_container_stats(runtime, id, &json, err) < 0 ? -1 : cli_print(json, err);
}

int cmd_events(const struct cli_options *o, int argc, char **argv, struct donjon_error *err)
{
	int64_t interval_ms = o->interval_ms ? o->interval_ms : DEFAULT_INTERVAL_MS;
	struct donjon_runtime *runtime = cli_runtime(o, err);
	int r = -1;

	(void)argc;
	if (runtime)
		r = o->stats ? stats(runtime, argv[0], err)
		             : watch(runtime, argv[0], interval_ms, err);
	donjon_runtime_free(runtime);
	return r;
}
