/*
 * The life of a container, call by call: create, state, start, list, kill, delete.
 *
 *     cc lifecycle.c $(pkg-config --cflags --libs donjon) -o lifecycle
 *     ./lifecycle BUNDLE
 */
#include <donjon/donjon.h>

#include <stdio.h>
#include <time.h>

static const char id[] = "example-lifecycle";

static int fail(const char *what, const struct donjon_error *err)
{
	fprintf(stderr, "%s: %s (%s)\n", what, err->text, donjon_code_name(err->code));
	return 1;
}

/* There is no call that waits: an engine watches the process itself. */
static int wait_until_stopped(struct donjon_runtime *runtime, struct donjon_error *err)
{
	const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };

	for (;;) {
		struct donjon_container_info *list;
		bool runs = false;
		size_t n;

		if (donjon_container_list(runtime, &list, &n, err) < 0)
			return -1;
		for (size_t i = 0; i < n; i++)
			runs = runs || list[i].pid != 0;
		donjon_list_free(list);
		if (!runs)
			return 0;
		nanosleep(&pause, NULL);
	}
}

static int live(struct donjon_runtime *runtime, const char *bundle, struct donjon_error *err)
{
	const struct donjon_create_options options = {
		.size = sizeof(options),
		.bundle = bundle,
	};
	char *json;

	if (donjon_container_create(runtime, id, &options, err) < 0 ||
	    donjon_container_state(runtime, id, &json, err) < 0)
		return -1;
	printf("created: %s\n", json);
	donjon_free(json);
	if (donjon_container_start(runtime, id, err) < 0 ||
	    donjon_container_list_json(runtime, &json, err) < 0)
		return -1;
	printf("all containers: %s\n", json);
	donjon_free(json);
	/* A container that has ended already is not an error here. */
	if (donjon_container_kill(runtime, id, "KILL", true, err) < 0)
		return -1;
	return wait_until_stopped(runtime, err);
}

int main(int argc, char **argv)
{
	const struct donjon_runtime_options options = {
		.size = sizeof(options),
		.root = "/run/donjon-examples",
	};
	struct donjon_error err = { 0 }, cleanup = { 0 };
	struct donjon_runtime *runtime;
	int r;

	if (argc != 2) {
		fprintf(stderr, "usage: %s BUNDLE\n", argv[0]);
		return 1;
	}
	if (donjon_runtime_new(&options, &runtime, &err) < 0)
		return fail("runtime", &err);
	r = live(runtime, argv[1], &err);
	if (donjon_container_delete(runtime, id, true, &cleanup) < 0)
		fail("delete", &cleanup);
	donjon_runtime_free(runtime);
	return r < 0 ? fail("lifecycle", &err) : 0;
}
