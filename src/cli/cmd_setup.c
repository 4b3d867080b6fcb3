/* donjon setup: the drop-in that makes donjon known to an engine. */
#include "cli/commands.h"
#include "cli/runtime.h"
#include "cli/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern const char probe_image_start[], probe_image_end[];

static const struct setup_engine *find(const char *name, struct donjon_error *err)
{
	for (const struct setup_engine *e = setup_engines; e->name; e++)
		if (strcmp(e->name, name) == 0)
			return e;
	(void)cli_fail(err, DONJON_E_USAGE,
	               "setup: no engine \"%s\": podman, containerd, docker, crio or kubernetes", name);
	return NULL;
}

/* The first "N.N" of what it says. */
static struct setup_version version_of(const struct setup_engine *engine)
{
	const char *argv[] = { engine->program, "--version", NULL };
	struct setup_version version = engine->assumed;
	struct donjon_error ignored = { 0 };
	char *output = NULL;
	int major, minor;

	if (!engine->program || setup_run(argv, &output, &ignored) != 0) {
		free(output);
		return version;
	}
	for (const char *at = output; at && *at; at++)
		if (*at >= '0' && *at <= '9' && sscanf(at, "%d.%d", &major, &minor) == 2) {
			version = (struct setup_version){ major, minor, .found = true };
			break;
		}
	free(output);
	return version;
}

/* Where this program is, and the wrapper that is installed beside it. */
static int own_paths(char runtime[PATH_MAX], char plain[PATH_MAX], struct donjon_error *err)
{
	ssize_t n = readlink("/proc/self/exe", runtime, PATH_MAX - sizeof("-none"));

	if (n < 0)
		return cli_fail(err, DONJON_E_SYSTEM, "find out where donjon is: %s", cli_reason(errno));
	runtime[n] = '\0';
	(void)snprintf(plain, PATH_MAX, "%s-none", runtime);
	return 0;
}

static char *text_of(const struct setup_engine *engine, const char *runtime, const char *plain)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	engine->print(out, version_of(engine), runtime, plain);
	return fclose(out) == 0 ? text : NULL;
}

static int target_of(const struct setup_engine *engine, char path[PATH_MAX], struct donjon_error *err)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (!engine->file)
		return cli_fail(err, DONJON_E_UNSUPPORTED,
		                "setup %s: nothing to write on this host; kubectl apply -f - takes what it prints",
		                engine->name);
	if (geteuid() == 0) {
		(void)snprintf(path, PATH_MAX, "%s", engine->file);
		return 0;
	}
	if (!engine->user_file || (!(config && *config) && !(home && *home)))
		return cli_fail(err, DONJON_E_UNSUPPORTED, "setup %s: %s is root's to write", engine->name,
		                engine->file);
	if (config && *config)
		(void)snprintf(path, PATH_MAX, "%s/%s", config, engine->user_file);
	else
		(void)snprintf(path, PATH_MAX, "%s/.config/%s", home, engine->user_file);
	return 0;
}

static int make_parents(const char *path, struct donjon_error *err)
{
	char dir[PATH_MAX];

	(void)snprintf(dir, sizeof(dir), "%s", path);
	for (char *slash = strchr(dir + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(dir, 0755) < 0 && errno != EEXIST)
			return cli_fail(err, DONJON_E_SYSTEM, "make %s: %s", dir, cli_reason(errno));
		*slash = '/';
	}
	return 0;
}

/* Ours by its name; beside it and renamed, so that no engine ever reads half of it. */
static int write_file(const char *path, const char *text, struct donjon_error *err)
{
	char temporary[PATH_MAX + 8];
	bool failed;
	FILE *out;
	int fd;

	if (make_parents(path, err) < 0)
		return -1;
	(void)snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return cli_fail(err, DONJON_E_SYSTEM, "write %s: %s", path, cli_reason(errno));
	out = fdopen(fd, "w");
	failed = !out || fputs(text, out) == EOF || fchmod(fd, 0644) < 0;
	failed = (out ? fclose(out) : close(fd)) != 0 || failed;
	if (!failed && rename(temporary, path) == 0)
		return 0;
	(void)cli_fail(err, DONJON_E_SYSTEM, "write %s: %s", path, cli_reason(errno));
	(void)unlink(temporary);
	return -1;
}

/* Written by us before: then there is nothing to do, and nobody to refuse it. */
static bool is_written(const char *path, const char *text)
{
	FILE *in = fopen(path, "re");
	int c = EOF;

	if (!in)
		return false;
	while ((c = fgetc(in)) != EOF && c == (unsigned char)*text)
		text++;
	(void)fclose(in);
	return c == EOF && *text == '\0';
}

static int write_drop_in(const struct setup_engine *engine, const char *text, struct donjon_error *err)
{
	char path[PATH_MAX];

	if (target_of(engine, path, err) < 0)
		return -1;
	if (!is_written(path, text) &&
	    ((engine->may_write && engine->may_write(version_of(engine), err) < 0) ||
	     write_file(path, text, err) < 0))
		return -1;
	(void)printf("%s\n", path);
	return 0;
}

static int unpack_probe(const char *path, struct donjon_error *err)
{
	size_t size = (size_t)(probe_image_end - probe_image_start);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	bool failed = fd < 0 || write(fd, probe_image_start, size) != (ssize_t)size || fchmod(fd, 0755) < 0;

	if (fd >= 0 && close(fd) < 0)
		failed = true;
	return failed ? cli_fail(err, DONJON_E_SYSTEM, "write %s: %s", path, cli_reason(errno)) : 0;
}

/* Mount points engines make in a root filesystem they are given. */
static void clear_root(const char *root)
{
	char command[PATH_MAX];
	const char *argv[] = { "rm", "-rf", "--one-file-system", command, NULL };
	struct donjon_error ignored = { 0 };

	(void)snprintf(command, sizeof(command), "%s", root);
	(void)setup_run(argv, NULL, &ignored);
}

static int check(const struct setup_engine *engine, const char *runtime, struct donjon_error *err)
{
	const char *base = getenv("TMPDIR");
	char root[PATH_MAX], probe[PATH_MAX + 8];
	int r;

	if (!engine->check)
		return cli_fail(err, DONJON_E_UNSUPPORTED, "setup %s: no check from here; run a pod that asks for it",
		                engine->name);
	(void)snprintf(root, sizeof(root), "%s/donjon-check-XXXXXX", base && *base ? base : "/var/tmp");
	if (!mkdtemp(root))
		return cli_fail(err, DONJON_E_SYSTEM, "make %s: %s", root, cli_reason(errno));
	(void)snprintf(probe, sizeof(probe), "%s/probe", root);
	r = chmod(root, 0755) < 0 ? cli_fail(err, DONJON_E_SYSTEM, "chmod %s: %s", root, cli_reason(errno))
	                          : unpack_probe(probe, err);
	if (r == 0)
		r = engine->check(runtime, probe, err);
	clear_root(root);
	if (r > 0)
		return cli_fail(err, DONJON_E_SYSTEM, "setup %s: the container ended with status %d",
		                engine->name, r);
	return r;
}

int cmd_setup(const struct cli_options *o, int argc, char **argv, struct donjon_error *err)
{
	const struct setup_engine *engine = find(argv[0], err);
	char runtime[PATH_MAX], plain[PATH_MAX], *text;
	int r;

	(void)argc;
	if (!engine || own_paths(runtime, plain, err) < 0)
		return -1;
	if (o->check && !o->write)
		return check(engine, runtime, err);
	text = text_of(engine, runtime, plain);
	if (!text)
		return cli_fail(err, DONJON_E_SYSTEM, "setup: out of memory");
	if (!o->write)
		return cli_print(text, err);
	r = write_drop_in(engine, text, err);
	free(text);
	return r == 0 && o->check ? check(engine, runtime, err) : r;
}
