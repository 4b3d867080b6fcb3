#include "oci/remounts.h"

#include "base/path.h"
#include "base/sys.h"
#include "oci/mount_options.h"

#include <limits.h>
#include <string.h>

/* What mount(2) takes away where a remount does not repeat it; access times stay as they are. */
static const uint64_t replaced = SYS_MOUNT_ATTR_RDONLY | SYS_MOUNT_ATTR_NOSUID | SYS_MOUNT_ATTR_NODEV |
				 SYS_MOUNT_ATTR_NOEXEC | SYS_MOUNT_ATTR_NOSYMFOLLOW;

static uint32_t flags_of(const char *option)
{
	const struct oci_mount_option *o = oci_mount_option_find(option);

	return o ? o->flags : 0;
}

static bool has_flag(const struct oci_mount *mount, uint32_t flag)
{
	for (size_t i = 0; i < mount->options.n; i++)
		if (flags_of(mount->options.v[i]) & flag)
			return true;
	return false;
}

/* Asked of every entry of every configuration, so without the table. */
static bool is_remount(const struct oci_mount *mount)
{
	for (size_t i = 0; i < mount->options.n; i++)
		if (strcmp(mount->options.v[i], "remount") == 0)
			return true;
	return false;
}

static bool is_bind(const struct oci_mount *mount)
{
	return has_flag(mount, OCI_MOUNT_BIND) ||
	       (mount->type && (strcmp(mount->type, "bind") == 0 || strcmp(mount->type, "rbind") == 0));
}

static bool is_for_filesystem(const char *option)
{
	const struct oci_mount_option *o = oci_mount_option_find(option);

	return !o || o->super;
}

static bool has_data(const struct oci_mount *mount)
{
	for (size_t i = 0; i < mount->options.n; i++)
		if (is_for_filesystem(mount->options.v[i]))
			return true;
	return false;
}

/* Where each entry mounts something, as a clean path; NULL for those that change what others mounted. */
static char **places_of(const struct oci_spec *spec, struct dj_arena *arena)
{
	char **places = dj_arena_array(arena, spec->mounts.n, sizeof(*places));
	char path[PATH_MAX];

	for (size_t i = 0; i < spec->mounts.n; i++) {
		const struct oci_mount *mount = &spec->mounts.v[i];

		if (!is_remount(mount) &&
		    path_clean(mount->destination, path, sizeof(path)) == 0)
			places[i] = dj_arena_strdup(arena, path);
	}
	return places;
}

/* The mount that is on top there by then, if it is one of the list by this very name; what others carry, or
 * what a link leads to, is known when it is mounted. */
static struct oci_mount *find_target(const struct oci_spec *spec, char *const *places, size_t index)
{
	char path[PATH_MAX];

	if (path_clean(spec->mounts.v[index].destination, path, sizeof(path)) < 0)
		return NULL;
	while (index-- > 0)
		if (places[index] && path_has_prefix(path, places[index]))
			return strcmp(path, places[index]) == 0 ? &spec->mounts.v[index] : NULL;
	return NULL;
}

/* A file system's own settings may be those of one that is the container's: never those of what a bind
 * shows. */
static bool may_fold(const struct oci_mount *remount, const struct oci_mount *target)
{
	if (!target || has_flag(remount, OCI_MOUNT_IDMAP) || remount->uid_mappings.n || remount->gid_mappings.n)
		return false;
	return !has_data(remount) || (!is_bind(remount) && !is_bind(target));
}

static bool is_replaced(const char *option)
{
	const struct oci_mount_option *o = oci_mount_option_find(option);

	return o && ((o->set | o->clear) & replaced) && !(o->rec_set | o->rec_clear);
}

static void fold(const struct oci_mount *remount, struct oci_mount *target, struct dj_arena *arena)
{
	const struct oci_strings *old = &target->options, *new = &remount->options;
	struct oci_strings all = { .v = dj_arena_array(arena, old->n + new->n, sizeof(char *)) };

	for (size_t i = 0; i < old->n; i++)
		if (!is_replaced(old->v[i]))
			all.v[all.n++] = old->v[i];
	for (size_t i = 0; i < new->n; i++)
		if (!flags_of(new->v[i]))
			all.v[all.n++] = new->v[i];
	target->options = all;
}

/* Of the source it names nothing is shown, whatever kind of mount it says it is. */
static void strip(struct oci_mount *remount, bool folded, struct dj_arena *arena)
{
	struct oci_strings left = { .v = dj_arena_array(arena, remount->options.n, sizeof(char *)) };

	for (size_t i = 0; i < remount->options.n; i++) {
		uint32_t flags = flags_of(remount->options.v[i]);

		if (flags & OCI_MOUNT_REMOUNT || (!folded && !(flags & OCI_MOUNT_BIND)))
			left.v[left.n++] = remount->options.v[i];
	}
	remount->options = left;
	remount->type = NULL;
	remount->source = NULL;
}

void oci_fold_remounts(struct oci_spec *spec, struct dj_arena *arena)
{
	char **places = NULL;

	for (size_t i = 0; i < spec->mounts.n; i++) {
		struct oci_mount *mount = &spec->mounts.v[i], *target;
		bool folded;

		if (!is_remount(mount))
			continue;
		if (!places)
			places = places_of(spec, arena);
		target = find_target(spec, places, i);
		folded = may_fold(mount, target);
		if (folded)
			fold(mount, target, arena);
		strip(mount, folded, arena);
	}
}
