/* Questions about a mount of the config, and the one way to change its options. */
#include "base/cleanup.h"
#include "base/path.h"
#include "base/sys.h"
#include "oci/mount_options.h"
#include "policy/harden.h"

#include <limits.h>
#include <string.h>

static const struct {
	enum mount_flag flag;
	uint64_t attr;
	const char *name, *recursive, *opposite;
} flags[] = {
	{ MOUNT_NOSUID, SYS_MOUNT_ATTR_NOSUID, "nosuid", "rnosuid", "suid" },
	{ MOUNT_NODEV, SYS_MOUNT_ATTR_NODEV, "nodev", "rnodev", "dev" },
	{ MOUNT_NOEXEC, SYS_MOUNT_ATTR_NOEXEC, "noexec", "rnoexec", "exec" },
};

enum state { LEFT_OPEN, STATED, CONTRADICTED };

/* The last option wins, as when the mount is made. */
static enum state flag_state(const struct oci_mount *mount, uint64_t attr, bool recursive)
{
	enum state state = LEFT_OPEN;

	for (size_t i = 0; i < mount->options.n; i++) {
		const struct oci_mount_option *o = oci_mount_option_find(mount->options.v[i]);

		if (!o)
			continue;
		if ((o->rec_set | (recursive ? 0 : o->set)) & attr)
			state = STATED;
		else if ((o->rec_clear | (recursive ? 0 : o->clear)) & attr)
			state = CONTRADICTED;
	}
	return state;
}

static uint32_t option_flags(const struct oci_mount *mount)
{
	uint32_t all = 0;

	for (size_t i = 0; i < mount->options.n; i++) {
		const struct oci_mount_option *o = oci_mount_option_find(mount->options.v[i]);

		all |= o ? o->flags : 0;
	}
	return all;
}

bool mount_has_type(const struct oci_mount *mount, const char *type)
{
	return mount->type && strcmp(mount->type, type) == 0;
}

bool mount_is_bind(const struct oci_mount *mount)
{
	return mount_has_type(mount, "bind") || mount_has_type(mount, "rbind") ||
	       (option_flags(mount) & (OCI_MOUNT_BIND | OCI_MOUNT_RBIND)) != 0;
}

static bool looks_clean(const char *path)
{
	return path[0] == '/' && !strstr(path, "//") && !strstr(path, "/.") &&
	       path[strlen(path) - 1] != '/';
}

bool mount_is_at(const struct oci_mount *mount, const char *clean_path)
{
	char clean[PATH_MAX];

	if (looks_clean(mount->destination))
		return strcmp(mount->destination, clean_path) == 0;
	return path_clean(mount->destination, clean, sizeof(clean)) == 0 &&
	       strcmp(clean, clean_path) == 0;
}

bool mount_is_readonly(const struct oci_mount *mount)
{
	return flag_state(mount, SYS_MOUNT_ATTR_RDONLY, false) == STATED;
}

const struct policy_bind_source *mount_source(const struct harden *h, size_t index)
{
	static const struct policy_bind_source unknown;
	size_t first = h->result->settings.mounts_added;

	if (index < first || index - first >= h->request->sources.n)
		return &unknown;
	return &h->request->sources.v[index - first];
}

bool mount_is_device(const struct harden *h, size_t index)
{
	const struct oci_mount *mount = &h->spec->mounts.v[index];
	char kind = mount_source(h, index)->kind;

	if (!mount_is_bind(mount) || !mount->source)
		return false;
	return kind == 'c' || kind == 'b' || (kind == 0 && device_path_is_default(mount->source));
}

char *mount_source_path(struct harden *h, size_t index)
{
	const struct oci_mount *mount = &h->spec->mounts.v[index];
	const struct policy_bind_source *seen = mount_source(h, index);
	char clean[PATH_MAX];
	const char *path;

	if (seen->resolved)
		return dj_arena_strdup(h->arena, seen->resolved);
	path = mount->source ? mount->source : "";
	if (*path != '/')
		path = harden_text(h, "%s/%s", h->request->bundle ? h->request->bundle : "", path);
	/* Too long for the kernel as well: no such mount can be made. */
	return dj_arena_strdup(h->arena, path_clean(path, clean, sizeof(clean)) == 0 ? clean : "/");
}

char *mount_destination(struct harden *h, size_t index)
{
	const char *destination = h->spec->mounts.v[index].destination;
	char clean[PATH_MAX];

	return dj_arena_strdup(
	        h->arena, path_clean(destination, clean, sizeof(clean)) == 0 ? clean : destination);
}

char *mount_pointer(struct harden *h, size_t index, const char *member)
{
	return harden_text(h, "/mounts/%zu/%s", index - h->result->settings.mounts_added, member);
}

void mount_add_option(struct harden *h, struct oci_mount *mount, const char *option)
{
	strings_add(h->arena, &mount->options, dj_arena_strdup(h->arena, option));
}

bool mount_is_remount(const struct oci_mount *mount)
{
	return (option_flags(mount) & OCI_MOUNT_REMOUNT) != 0;
}

bool mount_takes_flags(const struct oci_mount *mount)
{
	const uint64_t all = SYS_MOUNT_ATTR_RDONLY | SYS_MOUNT_ATTR_NOSUID | SYS_MOUNT_ATTR_NODEV |
			     SYS_MOUNT_ATTR_NOEXEC;

	for (uint64_t attr = 1; attr & all; attr <<= 1)
		if (flag_state(mount, attr, false) == CONTRADICTED)
			return true;
	return false;
}

const char *mount_flag_opposite(enum mount_flag flag)
{
	for (size_t i = 0; i < DJ_COUNT(flags); i++)
		if (flags[i].flag == flag)
			return flags[i].opposite;
	return "";
}

unsigned mount_add_flags(struct harden *h, size_t index, unsigned want)
{
	struct oci_mount *mount = &h->spec->mounts.v[index];
	bool recursive = (option_flags(mount) & OCI_MOUNT_RBIND) != 0;
	unsigned contradicted = 0;
	char *added = NULL;

	for (size_t i = 0; i < DJ_COUNT(flags); i++) {
		const char *option = recursive ? flags[i].recursive : flags[i].name;

		if (!(want & flags[i].flag))
			continue;
		if (flag_state(mount, flags[i].attr, false) == CONTRADICTED) {
			contradicted |= flags[i].flag;
		} else if (flag_state(mount, flags[i].attr, recursive) != STATED) {
			mount_add_option(h, mount, option);
			added = added ? harden_text(h, "%s,%s", added, option)
			              : harden_text(h, "%s", option);
		}
	}
	if (added)
		harden_changed(h, mount_pointer(h, index, "options"), "", added);
	return contradicted;
}
