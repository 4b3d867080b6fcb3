#include "cli/commands.h"
#include "cli/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int write_document(const char *dir, const char *json, struct donjon_error *err)
{
	int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), fd;
	FILE *file;
	int r;

	if (dir_fd < 0)
		return cli_fail(err, DONJON_E_SYSTEM, "open bundle %s: %s", dir, cli_reason(errno));
	fd = openat(dir_fd, "config.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	r = errno;
	(void)close(dir_fd);
	if (fd < 0)
		return cli_fail(err, DONJON_E_EXISTS, "write %s/config.json: %s%s", dir,
		                cli_reason(r), r == EEXIST ? ": remove it first" : "");
	file = fdopen(fd, "w");
	if (!file) {
		r = errno;
		(void)close(fd);
		return cli_fail(err, DONJON_E_SYSTEM, "write %s/config.json: %s", dir, cli_reason(r));
	}
	r = fprintf(file, "%s\n", json) < 0;
	if (fclose(file) != 0 || r)
		return cli_fail(err, DONJON_E_SYSTEM, "write %s/config.json: %s", dir,
		                cli_reason(errno));
	return 0;
}

/* Without a level the document is what other runtimes write (decision 43). */
static int wants_hardened(const char *level, bool *out, struct donjon_error *err)
{
	*out = level && strcmp(level, "hardened") == 0;
	if (!level || *out || strcmp(level, "none") == 0)
		return 0;
	return cli_fail(err, DONJON_E_USAGE, "spec: no document for level \"%s\": none or hardened",
	                level);
}

int cmd_spec(const struct cli_options *o, int argc, char **argv, struct donjon_error *err)
{
	char *json = NULL;
	bool hardened;
	int r;

	(void)argc;
	(void)argv;
	if (wants_hardened(o->level, &hardened, err) < 0 ||
	    donjon_spec_json(o->for_rootless, hardened, &json, err) < 0)
		return -1;
	r = write_document(o->bundle ? o->bundle : ".", json, err);
	donjon_free(json);
	return r;
}
