#include "cli/commands.h"
#include "cli/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RESOURCES_MAX = 16 * 1024 * 1024 };

static const int64_t *given(const struct cli_number *number)
{
	return number->set ? &number->v : NULL;
}

static void fill(const struct cli_options *o, struct donjon_update_options *out)
{
	*out = (struct donjon_update_options){
		.size = sizeof(*out),
		.memory = given(&o->memory),
		.memory_reservation = given(&o->memory_reservation),
		.memory_swap = given(&o->memory_swap),
		.cpu_shares = given(&o->cpu_shares),
		.cpu_quota = given(&o->cpu_quota),
		.cpu_period = given(&o->cpu_period),
		.cpu_burst = given(&o->cpu_burst),
		.cpu_rt_period = given(&o->cpu_rt_period),
		.cpu_rt_runtime = given(&o->cpu_rt_runtime),
		.cpu_idle = given(&o->cpu_idle),
		.cpuset_cpus = o->cpuset_cpus,
		.cpuset_mems = o->cpuset_mems,
		.blkio_weight = given(&o->blkio_weight),
		.pids_limit = given(&o->pids_limit),
		.l3_cache_schema = o->l3_cache_schema,
		.mem_bw_schema = o->mem_bw_schema,
	};
}

static char *read_stream(FILE *file, const char *name, struct donjon_error *err)
{
	char *text = malloc(RESOURCES_MAX + 1);
	size_t size = text ? fread(text, 1, RESOURCES_MAX + 1, file) : 0;

	if (!text || ferror(file))
		(void)cli_fail(err, DONJON_E_SYSTEM, "read %s: %s", name, cli_reason(errno));
	else if (size > RESOURCES_MAX)
		(void)cli_fail(err, DONJON_E_CONFIG, "%s: larger than %d bytes", name,
		               RESOURCES_MAX);
	else if (memchr(text, '\0', size))
		(void)cli_fail(err, DONJON_E_CONFIG, "%s: holds a zero byte", name);
	if (err->code != DONJON_OK) {
		free(text);
		return NULL;
	}
	text[size] = '\0';
	return text;
}

/* "-" is standard input: containerd and CRI-O write there (F56). */
static char *read_resources(const char *path, struct donjon_error *err)
{
	char *text;
	FILE *file;

	if (strcmp(path, "-") == 0)
		return read_stream(stdin, "standard input", err);
	file = fopen(path, "re");
	if (!file) {
		(void)cli_fail(err, DONJON_E_SYSTEM, "open %s: %s", path, cli_reason(errno));
		return NULL;
	}
	text = read_stream(file, path, err);
	(void)fclose(file); /* read only: nothing can be lost */
	return text;
}

int cmd_update(const struct cli_options *o, int argc, char **argv, struct donjon_error *err)
{
	struct donjon_update_options options;
	struct donjon_runtime *runtime;
	char *text = NULL;
	int r = -1;

	(void)argc;
	fill(o, &options);
	if (o->resources) {
		text = read_resources(o->resources, err);
		if (!text)
			return -1;
		options.resources = text;
	}
	runtime = cli_runtime(o, err);
	if (runtime)
		r = donjon_container_update(runtime, argv[0], &options, err);
	donjon_runtime_free(runtime);
	free(text);
	return r;
}
