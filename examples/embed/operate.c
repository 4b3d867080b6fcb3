/*
 * Looking after a container that runs: pause, resume, processes, limits, statistics, events.
 *
 *     cc operate.c $(pkg-config --cflags --libs donjon) -o operate
 *     ./operate BUNDLE
 */
#include <donjon/donjon.h>

#include <stdio.h>

static const char id[] = "example-operate";

static int fail(const char *what, const struct donjon_error *err)
{
	fprintf(stderr, "%s: %s (%s)\n", what, err->text, donjon_code_name(err->code));
	return 1;
}

static int show_processes(struct donjon_runtime *runtime, struct donjon_error *err)
{
	pid_t *pids;
	size_t n;

	if (donjon_container_processes(runtime, id, &pids, &n, err) < 0)
		return -1;
	printf("processes:");
	for (size_t i = 0; i < n; i++)
		printf(" %d", (int)pids[i]);
	printf("\n");
	donjon_free(pids);
	return 0;
}

/* Less memory, no swap beside it, few processes; everything else keeps its value. */
static int limit(struct donjon_runtime *runtime, struct donjon_error *err)
{
	const int64_t memory = 64 << 20, processes = 50;
	const struct donjon_update_options options = {
		.size = sizeof(options),
		.memory = &memory,
		.memory_swap = &memory,
		.pids_limit = &processes,
	};

	return donjon_container_update(runtime, id, &options, err);
}

/* Three samples, then it is enough. */
static int on_event(void *data, const char *json)
{
	int *left = data;

	printf("event: %s\n", json);
	return --*left == 0;
}

static int operate(struct donjon_runtime *runtime, struct donjon_error *err)
{
	int left = 3;
	char *json;

	if (donjon_container_pause(runtime, id, err) < 0 || show_processes(runtime, err) < 0 ||
	    limit(runtime, err) < 0 || donjon_container_resume(runtime, id, err) < 0 ||
	    donjon_container_stats(runtime, id, &json, err) < 0)
		return -1;
	printf("stats: %s\n", json);
	donjon_free(json);
	return donjon_container_watch(runtime, id, 100, on_event, &left, err);
}

int main(int argc, char **argv)
{
	const struct donjon_runtime_options runtime_options = {
		.size = sizeof(runtime_options),
		.root = "/run/donjon-examples",
	};
	const struct donjon_create_options options = {
		.size = sizeof(options),
		.bundle = argc > 1 ? argv[1] : NULL,
		.detach = true,
	};
	struct donjon_error err = { 0 }, cleanup = { 0 };
	struct donjon_runtime *runtime;
	int r, unused;

	if (argc != 2) {
		fprintf(stderr, "usage: %s BUNDLE\n", argv[0]);
		return 1;
	}
	if (donjon_runtime_new(&runtime_options, &runtime, &err) < 0)
		return fail("runtime", &err);
	r = donjon_container_run(runtime, id, &options, &unused, &err);
	if (r == 0)
		r = operate(runtime, &err);
	if (donjon_container_delete(runtime, id, true, &cleanup) < 0)
		fail("delete", &cleanup);
	donjon_runtime_free(runtime);
	return r < 0 ? fail("operate", &err) : 0;
}
