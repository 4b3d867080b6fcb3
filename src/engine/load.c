/* A bundle's bytes -> a spec that makes sense. */
#include "engine/draft.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "engine/host.h"
#include "engine/inspect.h"
#include "engine/notify.h"
#include "engine/userns.h"
#include "oci/decode.h"
#include "oci/validate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* A FIFO or a terminal must not block or adopt us before it is refused (T30). */
enum { READ_FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY };

char *draft_absolute(struct draft *draft, const char *base, const char *path,
                     struct donjon_error *err)
{
	bool is_absolute = path[0] == '/';
	/* Only where it matters: it may have been removed. */
	dj_auto_free char *cwd = base || is_absolute ? NULL : getcwd(NULL, 0);
	char joined[PATH_MAX], clean[PATH_MAX];
	int n;

	if (!base && !is_absolute && !cwd) {
		(void)dj_fail_os(err, errno, "read the working directory");
		return NULL;
	}
	if (is_absolute)
		n = snprintf(joined, sizeof(joined), "%s", path);
	else
		n = snprintf(joined, sizeof(joined), "%s/%s", base ? base : cwd, path);
	if (n < 0 || (size_t)n >= sizeof(joined) || path_clean(joined, clean, sizeof(clean)) < 0) {
		(void)dj_fail(err, DONJON_E_USAGE, "path %.64s... is too long", path);
		return NULL;
	}
	return dj_arena_strdup(&draft->arena, clean);
}

struct donjon_create_options draft_options(const struct donjon_create_options *options)
{
	struct donjon_create_options o;

	options_copy(&o, sizeof(o), options);
	o.preserve_fds += o.listen_fds;
	return o;
}

static int open_bundle(const char *bundle, struct donjon_error *err)
{
	/* A link here could be turned while we look (T47). */
	int fd = open(bundle, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? dj_fail_os(err, errno, "open bundle %s", bundle) : fd;
}

static int open_config(const struct draft *draft, const char *config, struct donjon_error *err)
{
	dj_auto_close int bundle = -1;
	int fd;

	if (config) {
		fd = open(config, READ_FLAGS);
		return fd < 0 ? dj_fail_os(err, errno, "open %s", config) : fd;
	}
	bundle = open_bundle(draft->bundle, err);
	if (bundle < 0)
		return -1;
	fd = openat(bundle, "config.json", READ_FLAGS);
	return fd < 0 ? dj_fail_os(err, errno, "open %s/config.json", draft->bundle) : fd;
}

static int read_config(struct draft *draft, const char *config, struct donjon_error *err)
{
	dj_auto_close int fd = open_config(draft, config, err);

	if (fd < 0)
		return -1;
	return file_read_regular(fd, OCI_CONFIG_MAX, config ? config : "config.json",
	                         &draft->config, &draft->config_size, err);
}

int draft_decode_seccomp(struct draft *draft, struct donjon_error *err)
{
	struct oci_seccomp *seccomp = &draft->spec.linux.seccomp;

	*seccomp = (struct oci_seccomp){ 0 };
	draft->spec.linux.set = true;
	return oci_decode_seccomp(draft->seccomp, draft->seccomp_size,
	                          draft->spec.process.capabilities.bounding, &draft->arena, seccomp, err);
}

/* --seccomp FILE replaces what the bundle says. */
static int replace_seccomp(struct draft *draft, const char *path, struct donjon_error *err)
{
	dj_auto_close int fd = open(path, READ_FLAGS);

	if (fd < 0)
		return dj_fail_os(err, errno, "open seccomp profile %s", path);
	if (file_read_regular(fd, OCI_CONFIG_MAX, path, &draft->seccomp, &draft->seccomp_size, err) < 0)
		return -1;
	return draft_decode_seccomp(draft, err) < 0 ? dj_note(err, "seccomp profile %s", path) : 0;
}

static bool is_host_root(const struct stat *st)
{
	struct stat root;

	return stat("/", &root) == 0 && root.st_dev == st->st_dev && root.st_ino == st->st_ino;
}

int draft_check_rootfs(const struct draft *draft, struct donjon_error *err)
{
	struct stat st;

	if (lstat(draft->rootfs, &st) < 0)
		return dj_fail_os(err, errno, "root.path: rootfs %s", draft->rootfs);
	if (!S_ISDIR(st.st_mode))
		return dj_fail(err, DONJON_E_CONFIG,
		               "root.path: rootfs %s must be a real directory%s", draft->rootfs,
		               S_ISLNK(st.st_mode) ? ", not a link" : "");
	if (is_host_root(&st))
		return dj_fail(err, DONJON_E_CONFIG, "root.path: rootfs %s is the host's own root",
		               draft->rootfs);
	return 0;
}

/* The specification lets both be absent; nothing could be started then (T2). */
static int check_present(const struct oci_spec *spec, struct donjon_error *err)
{
	if (!spec->process.set)
		return dj_fail(err, DONJON_E_CONFIG, "process: missing");
	if (!spec->linux.set)
		return dj_fail(err, DONJON_E_CONFIG, "linux: missing");
	return 0;
}

static bool is_own_namespace(const char *path, const char *name)
{
	struct stat there, ours;
	char own[64];

	(void)snprintf(own, sizeof(own), "/proc/self/ns/%s", name);
	return stat(path, &there) == 0 && stat(own, &ours) == 0 && there.st_dev == ours.st_dev &&
	       there.st_ino == ours.st_ino;
}

/* To join the runtime's own namespace is to have none: said so here, so that no rule can be passed
 * by spelling it as a path. */
static void drop_own_namespaces(struct oci_spec *spec)
{
	static const char *const names[OCI_NS_COUNT] = {
		[OCI_NS_USER] = "user",     [OCI_NS_PID] = "pid",   [OCI_NS_NETWORK] = "net",
		[OCI_NS_MOUNT] = "mnt",     [OCI_NS_IPC] = "ipc",   [OCI_NS_UTS] = "uts",
		[OCI_NS_CGROUP] = "cgroup", [OCI_NS_TIME] = "time",
	};

	for (size_t i = 0; i < OCI_NS_COUNT; i++) {
		struct oci_namespace *ns = &spec->linux.namespaces[i];

		if (ns->set && ns->path && is_own_namespace(ns->path, names[i]))
			*ns = (struct oci_namespace){ 0 };
	}
}

static void add_environment(struct draft *draft, char *variable)
{
	struct oci_strings *env = &draft->spec.process.env;
	char **grown = dj_arena_array(&draft->arena, env->n + 1, sizeof(*grown));

	if (env->n > 0)
		memcpy(grown, env->v, env->n * sizeof(*grown));
	grown[env->n++] = variable;
	env->v = grown;
}

/* What the program must know of its sockets (V4); it is process 1 of its namespace. */
static void tell_listen_fds(struct draft *draft, const struct donjon_create_options *options)
{
	if (options->listen_fds == 0)
		return;
	add_environment(draft, dj_arena_printf(&draft->arena, "LISTEN_FDS=%u", options->listen_fds));
	add_environment(draft, dj_arena_strdup(&draft->arena, "LISTEN_PID=1"));
	if (options->listen_names)
		add_environment(draft, dj_arena_printf(&draft->arena, "LISTEN_FDNAMES=%s",
		                                       options->listen_names));
}

/* The last one of a name counts, so the bundle's is replaced. */
static int tell_notify(struct draft *draft, const struct donjon_runtime *runtime,
                       struct donjon_error *err)
{
	char *variable;

	if (notify_plan(draft, runtime, &variable, err) < 0)
		return -1;
	if (variable)
		add_environment(draft, variable);
	return 0;
}

/* Bytes to a spec that makes sense. */
static int decode(struct draft *draft, const struct donjon_create_options *options,
                  struct donjon_error *err)
{
	const char *name = options->config ? options->config : "config.json";

	if (oci_decode(draft->config, draft->config_size, &draft->arena, &draft->spec, err) < 0 ||
	    check_present(&draft->spec, err) < 0)
		return dj_note(err, "%s", name);
	if (options->seccomp && replace_seccomp(draft, options->seccomp, err) < 0)
		return -1;
	drop_own_namespaces(&draft->spec);
	tell_listen_fds(draft, options);
	return oci_validate(&draft->spec, err) < 0 ? dj_note(err, "%s", name) : 0;
}

int draft_load(struct draft *draft, const struct donjon_runtime *runtime,
               const struct donjon_create_options *options, struct donjon_error *err)
{
	const char *bundle = options->bundle ? options->bundle : ".";

	if (!bundle[0])
		return dj_fail(err, DONJON_E_USAGE, "the path of the bundle is empty");
	draft->bundle = draft_absolute(draft, NULL, bundle, err);
	if (!draft->bundle || read_config(draft, options->config, err) < 0 ||
	    decode(draft, options, err) < 0)
		return -1;
	draft->rootfs = draft_absolute(draft, draft->bundle, draft->spec.root.path, err);
	if (!draft->rootfs || draft_check_rootfs(draft, err) < 0)
		return -1;
	if (host_probe(&draft->host, err) < 0 || tell_notify(draft, runtime, err) < 0)
		return -1;
	if (inspect_policy_request(draft, runtime, options, err) < 0)
		return -1;
	return userns_inspect(draft, err);
}

void draft_done(struct draft *draft)
{
	dj_close(&draft->userns);
	free(draft->config);
	free(draft->seccomp);
	dj_arena_done(&draft->arena);
}
