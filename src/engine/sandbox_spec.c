/*
 * The sandbox as a configuration: everything a bundle could say, said once and tightly, so that the
 * pipeline behind it is the same as for containers.
 */
#include "engine/sandbox.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
	SANDBOX_ID = 1000, /* whom a privileged caller's program runs as */
	OWN_MOUNTS_MAX = 64,
};

static char *copy(struct draft *draft, const char *text)
{
	return dj_arena_strdup(&draft->arena, text);
}

static struct oci_strings strings(struct draft *draft, const char *const *items, size_t n)
{
	struct oci_strings list = { .n = n };

	list.v = dj_arena_array(&draft->arena, n + 1, sizeof(*list.v));
	for (size_t i = 0; i < n; i++)
		list.v[i] = copy(draft, items[i]);
	return list;
}

/* ---- mounts ---- */

#define OPTIONS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static size_t count(const char *const *items)
{
	size_t n = 0;

	while (items && items[n])
		n++;
	return n;
}

static void add_mount(struct draft *draft, const char *destination, const char *type,
                      const char *source, const char *const *options)
{
	struct oci_spec *spec = &draft->spec;

	spec->mounts.v[spec->mounts.n++] = (struct oci_mount){
		.destination = copy(draft, destination),
		.type = copy(draft, type),
		.source = copy(draft, source),
		.options = strings(draft, options, count(options)),
	};
}

static void add_filesystems(struct draft *draft)
{
	static const struct {
		const char *destination, *type, *options[6]; /* NULL at the end */
	} filesystems[] = {
		{ "/proc", "proc", { "nosuid", "nodev", "noexec" } },
		{ "/dev", "tmpfs", { "nosuid", "noexec", "mode=755", "size=64k" } },
		{ "/dev/pts",
		  "devpts",
		  { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620" } },
		{ "/dev/shm", "tmpfs", { "nosuid", "nodev", "noexec", "mode=1777", "size=64m" } },
		{ "/tmp", "tmpfs", { "nosuid", "nodev", "noexec", "mode=1777", "size=64m" } },
	};

	for (size_t i = 0; i < DJ_COUNT(filesystems); i++)
		add_mount(draft, filesystems[i].destination, filesystems[i].type,
		          filesystems[i].type, filesystems[i].options);
}

static bool is_directory(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The host's programs.  On a merged-usr host /bin and friends are links, which sandbox_make_root()
 * copies. */
static void add_host_programs(struct draft *draft)
{
	static const char *const directories[] = {
		"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
	};

	for (size_t i = 0; i < DJ_COUNT(directories); i++)
		if (is_directory(directories[i]))
			add_mount(draft, directories[i], "bind", directories[i],
			          OPTIONS("rbind", "rro", "rnosuid", "rnodev"));
}

/* What a program needs of /etc to find its libraries, names and certificates; nothing secret. */
static void add_host_settings(struct draft *draft)
{
	static const char *const pieces[] = {
		"/etc/alternatives",    "/etc/group",         "/etc/host.conf",
		"/etc/hosts",           "/etc/ld.so.cache",   "/etc/ld.so.conf",
		"/etc/ld.so.conf.d",    "/etc/localtime",     "/etc/mime.types",
		"/etc/nsswitch.conf",   "/etc/os-release",    "/etc/passwd",
		"/etc/pki/ca-trust",    "/etc/pki/tls/certs", "/etc/protocols",
		"/etc/resolv.conf",     "/etc/services",      "/etc/ssl/certs",
		"/etc/ssl/openssl.cnf",
	};
	struct stat st;

	for (size_t i = 0; i < DJ_COUNT(pieces); i++)
		if (stat(pieces[i], &st) == 0)
			add_mount(draft, pieces[i], "bind", pieces[i],
			          OPTIONS("rbind", "rro", "rnosuid", "rnodev", "rnoexec"));
}

/* "SRC:DST[:rw]" */
static int add_bind(struct draft *draft, const char *text, struct donjon_error *err)
{
	char *source = copy(draft, text), *destination, *mode, *absolute;
	bool writable;

	destination = strchr(source, ':');
	if (destination)
		*destination++ = '\0';
	mode = destination ? strchr(destination, ':') : NULL;
	if (mode)
		*mode++ = '\0';
	writable = mode && strcmp(mode, "rw") == 0;
	if (!source[0] || !destination || destination[0] != '/' ||
	    (mode && !writable && strcmp(mode, "ro") != 0))
		return dj_fail(err, DONJON_E_USAGE, "bind \"%s\": want SRC:DST[:rw], DST absolute",
		               text);
	absolute = draft_absolute(draft, NULL, source, err);
	if (!absolute)
		return -1;
	add_mount(draft, destination, "bind", absolute,
	          writable ? OPTIONS("rbind", "rw", "rnosuid", "rnodev")
	                   : OPTIONS("rbind", "rro", "rnosuid", "rnodev"));
	return 0;
}

static int add_mounts(struct draft *draft, const struct donjon_sandbox_options *o,
                      struct donjon_error *err)
{
	draft->spec.mounts.v = dj_arena_array(&draft->arena, OWN_MOUNTS_MAX + o->n_binds,
	                                      sizeof(*draft->spec.mounts.v));
	if (!o->root) {
		add_host_programs(draft);
		add_host_settings(draft);
	}
	add_filesystems(draft);
	draft->request.own_mounts = draft->spec.mounts.n;
	for (size_t i = 0; i < o->n_binds; i++)
		if (add_bind(draft, o->binds[i], err) < 0)
			return -1;
	return 0;
}

/* ---- process ---- */

static int fill_environment(struct draft *draft, const struct donjon_sandbox_options *o,
                            struct donjon_error *err)
{
	static const char *const minimal[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/tmp",
		"LANG=C.UTF-8",
	};
	struct oci_strings *env = &draft->spec.process.env;

	env->v = dj_arena_array(&draft->arena, DJ_COUNT(minimal) + o->n_env + 1, sizeof(*env->v));
	for (size_t i = 0; i < DJ_COUNT(minimal); i++)
		env->v[env->n++] = copy(draft, minimal[i]);
	for (size_t i = 0; i < o->n_env; i++) {
		if (!strchr(o->env[i], '=') || o->env[i][0] == '=')
			return dj_fail(err, DONJON_E_USAGE, "environment \"%s\": want K=V",
			               o->env[i]);
		env->v[env->n++] = copy(draft, o->env[i]);
	}
	return 0;
}

static int fill_process(struct draft *draft, const struct donjon_sandbox_options *o, uint32_t id,
                        struct donjon_error *err)
{
	struct oci_process *process = &draft->spec.process;

	if (!o->argv || !o->argv[0])
		return dj_fail(err, DONJON_E_USAGE, "sandbox: no command given");
	if (o->chdir && o->chdir[0] != '/')
		return dj_fail(err, DONJON_E_USAGE, "sandbox: directory \"%s\" is not absolute",
		               o->chdir);
	process->set = true;
	process->args = strings(draft, o->argv, count(o->argv));
	process->cwd = copy(draft, o->chdir ? o->chdir : "/");
	process->user.uid = id;
	process->user.gid = id;
	process->no_new_privileges = true;
	process->capabilities.set = true; /* and empty */
	return fill_environment(draft, o, err);
}

/* ---- namespaces, ids, limits ---- */

static struct oci_id_maps single_id(struct draft *draft, uint32_t inside, uint32_t outside)
{
	struct oci_id_map *map = dj_arena_new(&draft->arena, struct oci_id_map);

	*map = (struct oci_id_map){ .container_id = inside, .host_id = outside, .size = 1 };
	return (struct oci_id_maps){ .v = map, .n = 1 };
}

/* Who is not root of the host can map one id: its own.  For root the policy makes the user
 * namespace, with a range of its own and id-mapped mounts. */
static bool maps_only_itself(const struct draft *draft)
{
	return draft->host.euid != 0 || !draft->host.initial_userns;
}

static void fill_namespaces(struct draft *draft, const struct donjon_sandbox_options *o,
                            uint32_t id)
{
	static const enum oci_ns always[] = {
		OCI_NS_PID, OCI_NS_MOUNT, OCI_NS_IPC, OCI_NS_UTS, OCI_NS_CGROUP,
	};
	struct oci_linux *linux_ = &draft->spec.linux;

	linux_->set = true;
	for (size_t i = 0; i < DJ_COUNT(always); i++)
		linux_->namespaces[always[i]].set = true;
	linux_->namespaces[OCI_NS_NETWORK].set = !o->net_host;
	draft->request.host_network = o->net_host;
	if (!maps_only_itself(draft))
		return;
	linux_->namespaces[OCI_NS_USER].set = true;
	linux_->uid_mappings = single_id(draft, id, draft->host.euid);
	linux_->gid_mappings = single_id(draft, id, draft->host.egid);
}

static int fill_limits(struct draft *draft, const struct donjon_sandbox_options *o,
                       struct donjon_error *err)
{
	struct oci_resources *resources = &draft->spec.linux.resources;

	if (o->memory_bytes < 0 || o->pids < 0)
		return dj_fail(err, DONJON_E_USAGE, "sandbox: a limit must be positive");
	if (o->memory_bytes > 0) {
		resources->memory.limit.set = true;
		resources->memory.limit.v = o->memory_bytes;
	}
	if (o->pids > 0) {
		resources->pids_limit.set = true;
		resources->pids_limit.v = o->pids;
	}
	return 0;
}

int sandbox_spec(struct draft *draft, const struct donjon_sandbox_options *o,
                 struct donjon_error *err)
{
	uint32_t id = draft->host.euid != 0 ? draft->host.euid : SANDBOX_ID;

	draft->spec.oci_version = copy(draft, "1.3.0");
	draft->spec.root.path = draft->rootfs;
	draft->spec.root.readonly = true;
	draft->spec.hostname = copy(draft, "sandbox");
	if (fill_process(draft, o, id, err) < 0 || add_mounts(draft, o, err) < 0)
		return -1;
	fill_namespaces(draft, o, id);
	return fill_limits(draft, o, err);
}
