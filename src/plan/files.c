/* Device nodes, masked and read-only paths, sysctls. */
#include "plan/part.h"

#include "base/path.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* B1: what every container gets. */
static const struct {
	const char *path;
	uint32_t major, minor;
} default_devices[] = {
	{ "/dev/null", 1, 3 },	 { "/dev/zero", 1, 5 },	   { "/dev/full", 1, 7 },
	{ "/dev/random", 1, 8 }, { "/dev/urandom", 1, 9 }, { "/dev/tty", 5, 0 },
};

static bool binds_dev(const struct dj_plan *plan)
{
	const struct plan_mount *mounts = plan_items(plan, plan->mounts, struct plan_mount);

	for (uint32_t i = 0; i < plan->mounts.n; i++)
		if (mounts[i].kind == PLAN_MOUNT_BIND &&
		    strcmp(plan_text(plan, mounts[i].destination), "/dev") == 0)
			return true;
	return false;
}

static uint32_t file_type(char type)
{
	return type == 'b' ? S_IFBLK : type == 'p' ? S_IFIFO : S_IFCHR;
}

static bool is_configured(const struct oci_linux *linux, const char *path)
{
	char clean[PATH_MAX];

	for (size_t i = 0; i < linux->devices.n; i++)
		if (path_clean(linux->devices.v[i].path, clean, sizeof(clean)) == 0 && strcmp(clean, path) == 0)
			return true;
	return false;
}

/* A privileged container lists every node of the host's /dev.  These two are ours: ptmx is a link into
 * the container's own devpts, as runc has it, and the terminal is bound over console. */
static bool is_ours(const struct oci_spec *spec, const char *path)
{
	return strcmp(path, "/dev/ptmx") == 0 || (spec->process.terminal && strcmp(path, "/dev/console") == 0);
}

static int plan_devices(struct plan_block *block, const struct plan_input *in, struct donjon_error *err)
{
	const struct oci_linux *linux = &in->spec->linux;
	size_t n = 0, max = linux->devices.n + sizeof(default_devices) / sizeof(default_devices[0]);
	struct plan_device *v = dj_arena_array(block->arena, max, sizeof(*v));
	bool bound = binds_dev(PLAN(block));
	struct plan_list list;

	for (size_t i = 0; !bound && i < sizeof(default_devices) / sizeof(default_devices[0]); i++)
		if (!is_configured(linux, default_devices[i].path))
			v[n++] = (struct plan_device){
				.mode = S_IFCHR | 0666,
				.major = default_devices[i].major,
				.minor = default_devices[i].minor,
				.path = plan_add_text(block, default_devices[i].path),
				.is_default = true,
			};
	for (size_t i = 0; i < linux->devices.n; i++) {
		const struct oci_device *d = &linux->devices.v[i];
		char path[PATH_MAX];

		if (path_clean(d->path, path, sizeof(path)) < 0)
			return dj_fail(err, DONJON_E_CONFIG, "linux.devices[%zu].path: too long", i);
		if (path_has_prefix(path, "/dev") && bound)
			continue; /* the host's own /dev is there (B3) */
		if (is_ours(in->spec, path))
			continue;
		if (in->settings->strict_devices && !path_has_prefix(path, "/dev"))
			return dj_fail(err, DONJON_E_REFUSED,
				       "linux.devices[%zu].path: %s is outside /dev, which the policy refuses", i,
				       path);
		v[n++] = (struct plan_device){
			.mode = file_type(d->type) | (d->file_mode.set ? d->file_mode.v & 07777 : 0666),
			.major = d->type == 'p' ? 0 : (uint32_t)d->major,
			.minor = d->type == 'p' ? 0 : (uint32_t)d->minor,
			.uid = d->uid.v,
			.gid = d->gid.v,
			.path = plan_add_text(block, path),
		};
	}
	list = plan_add_list(block, v, n, sizeof(*v));
	PLAN(block)->devices = list;
	return 0;
}

static int add_paths(struct plan_block *block, const struct oci_strings *paths, const char *what,
		     struct plan_list *out, struct donjon_error *err)
{
	plan_str *v = dj_arena_array(block->arena, paths->n + 1, sizeof(*v));

	for (size_t i = 0; i < paths->n; i++) {
		char path[PATH_MAX];

		if (path_clean(paths->v[i], path, sizeof(path)) < 0)
			return dj_fail(err, DONJON_E_CONFIG, "%s[%zu]: too long", what, i);
		if (strcmp(path, "/") == 0)
			return dj_fail(err, DONJON_E_CONFIG, "%s[%zu]: must not be /", what, i);
		v[i] = plan_add_text(block, path);
	}
	*out = plan_add_list(block, v, paths->n, sizeof(*v));
	return 0;
}

/* The namespace a key belongs to; the allow-list itself is validate.c's. */
static enum oci_ns namespace_of(const char *key)
{
	if (strncmp(key, "net.", 4) == 0)
		return OCI_NS_NETWORK;
	if (strncmp(key, "user.", 5) == 0)
		return OCI_NS_USER;
	if (strcmp(key, "kernel.domainname") == 0)
		return OCI_NS_UTS;
	return OCI_NS_IPC;
}

/* '.' separates, '/' stands for a '.' inside a name (oci/linux.c). */
static char *sysctl_file(struct dj_arena *arena, const char *key)
{
	char *file = dj_arena_strdup(arena, key);

	for (char *c = file; *c; c++)
		*c = *c == '.' ? '/' : *c == '/' ? '.' : *c;
	return file;
}

/*
 * "first last" of net.ipv4.ping_group_range, in ids the writer may name (decision 12): clamped to the
 * ids that are mapped, and translated to the host's where it is written outside.
 */
static char *ping_group_range(struct plan_block *block, const struct plan_input *in, const char *value,
			      bool outside, struct policy_result *record)
{
	const struct oci_id_maps *maps = &in->spec->linux.gid_mappings;
	unsigned long long first, last;
	uint32_t end;

	if (!plan_has_userns(in) || !maps->n || sscanf(value, "%llu %llu", &first, &last) != 2 || first > last)
		return dj_arena_strdup(block->arena, value);
	if (first < maps->v[0].container_id)
		first = maps->v[0].container_id;
	end = maps->v[0].container_id + (maps->v[0].size - 1);
	if (last > end) {
		last = end;
		plan_note(block, record, "sysctl.safe", "net.ipv4.ping_group_range: clamped to %llu %llu, the "
			  "mapped groups", first, last);
	}
	if (first > last)
		return dj_arena_strdup(block->arena, "1 0"); /* nobody */
	if (outside)
		return dj_arena_printf(block->arena, "%u %u", plan_map_id(maps, (uint32_t)first),
				       plan_map_id(maps, (uint32_t)last));
	return dj_arena_printf(block->arena, "%llu %llu", first, last);
}

static void plan_sysctls(struct plan_block *block, const struct plan_input *in, struct policy_result *record)
{
	const struct oci_linux *linux = &in->spec->linux;
	struct plan_sysctl *v = dj_arena_array(block->arena, linux->sysctl.n + 1, sizeof(*v));
	struct plan_list list;
	size_t n = 0;

	for (size_t i = 0; i < linux->sysctl.n; i++) {
		const char *key = linux->sysctl.v[i].key, *value = linux->sysctl.v[i].value;
		enum oci_ns ns = namespace_of(key);
		bool outside = ns != OCI_NS_USER && !plan_is_new(in, ns);

		/* The file is refused inside a user namespace; the call is not. */
		if (ns == OCI_NS_UTS) {
			plan_str domain = plan_add_text(block, value);

			PLAN(block)->domainname = domain;
			continue;
		}
		if (strcmp(key, "net.ipv4.ping_group_range") == 0)
			value = ping_group_range(block, in, value, outside, record);
		v[n].file = plan_add_text(block, sysctl_file(block->arena, key));
		v[n].value = plan_add_text(block, value);
		v[n++].outside = outside;
	}
	list = plan_add_list(block, v, n, sizeof(*v));
	PLAN(block)->sysctls = list;
}

int plan_files(struct plan_block *block, const struct plan_input *in, struct policy_result *record,
	       struct donjon_error *err)
{
	struct plan_list masked, readonly;

	if (plan_devices(block, in, err) < 0 ||
	    add_paths(block, &in->spec->linux.masked_paths, "linux.maskedPaths", &masked, err) < 0 ||
	    add_paths(block, &in->spec->linux.readonly_paths, "linux.readonlyPaths", &readonly, err) < 0)
		return -1;
	PLAN(block)->masked = masked;
	PLAN(block)->readonly = readonly;
	plan_sysctls(block, in, record);
	return 0;
}
