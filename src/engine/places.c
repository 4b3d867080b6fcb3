#include "engine/places.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "base/procfs.h"
#include "policy/policy.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { PLACES_MAX = 64 };

static bool look(int fd, const char *path, int flags, struct statx *out)
{
	return statx(fd, path, flags | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
	             STATX_TYPE | STATX_INO | STATX_MNT_ID, out) == 0;
}

static uint64_t root_mount(struct places *places)
{
	struct statx root;

	if (places->root_mount == 0 && look(AT_FDCWD, "/", 0, &root))
		places->root_mount = root.stx_mnt_id;
	return places->root_mount;
}

/* Links are followed: /var/lib/docker may be one. */
static void learn(struct places *places)
{
	const char *name;
	struct statx seen;

	if (places->known)
		return;
	places->known = true;
	places->v = dj_arena_array(places->arena, PLACES_MAX, sizeof(*places->v));
	for (size_t i = 0; places->n < PLACES_MAX && (name = policy_listed_directory(i)); i++)
		if (look(AT_FDCWD, name, 0, &seen) && S_ISDIR(seen.stx_mode))
			places->v[places->n++] = (struct place){
				.name = name,
				.dev_major = seen.stx_dev_major,
				.dev_minor = seen.stx_dev_minor,
				.ino = seen.stx_ino,
				.is_mount = (seen.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0,
			};
}

/* The listed name of a directory: its own if that is listed (/run has that of /var/run, too). */
static const char *find(struct places *places, const struct statx *seen, const char *path)
{
	const char *found = NULL;

	learn(places);
	for (size_t i = 0; i < places->n; i++) {
		const struct place *place = &places->v[i];

		if (place->ino != seen->stx_ino || place->dev_major != seen->stx_dev_major ||
		    place->dev_minor != seen->stx_dev_minor)
			continue;
		if (strcmp(place->name, path) == 0)
			return place->name;
		found = found ? found : place->name;
	}
	return found;
}

/* Each has a file system of its own, and all of them show the host's processes. */
static bool is_other_procfs(int fd, const char *path)
{
	struct statfs fs;

	return !path_has_prefix(path, "/proc") && fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

static char *join(struct places *places, const char *name, const char *rest)
{
	return dj_arena_printf(places->arena, "%s%s", strcmp(name, "/") == 0 && *rest ? "" : name, rest);
}

static int read_mounts(int fd, struct places *places, struct mount_part *out)
{
	struct donjon_error err = { 0 };
	dj_auto_close int proc = procfs_open_host(&err);
	int r = proc < 0 ? -1 : mount_part_scan(proc, fd, places->arena, out, &err);

	dj_error_clear(&err);
	return r;
}

static int part_at(struct places *places, const char *path, int flags, struct mount_part *out)
{
	dj_auto_close int fd = open(path, O_PATH | O_CLOEXEC | flags);

	if (fd < 0)
		return -1;
	return mount_part_ask(fd, places->arena, out) == 0 ? 0 : read_mounts(fd, places, out);
}

/* What is judged: a path, and the mount it is on. */
struct shown {
	const char *real, *top; /* the mount's top is a path, too */
	const struct statx *seen;
	bool device_differs;
	struct mount_part part;
	const char *inside; /* the path within the file system, once asked for */
};

/* Files of btrfs name their subvolume as the device, those of an overlay their layer. */
static bool device_may_differ(const struct shown *shown)
{
	struct statfs fs;

	return statfs(shown->top, &fs) == 0 &&
	       (fs.f_type == BTRFS_SUPER_MAGIC || fs.f_type == OVERLAYFS_SUPER_MAGIC);
}

static bool may_show_the_same(const struct place *place, const struct shown *shown)
{
	if (!place->is_mount || strcmp(place->name, shown->top) == 0)
		return false;
	return shown->device_differs ? place->dev_major == 0 /* as all of them are */
				     : place->dev_major == shown->seen->stx_dev_major &&
				      place->dev_minor == shown->seen->stx_dev_minor;
}

/* What a path has below a directory; NULL: it is not below. */
static const char *rest_below(const char *path, const char *dir)
{
	if (!path_has_prefix(path, dir))
		return NULL;
	return strcmp(dir, "/") != 0 ? path + strlen(dir) : path[1] ? path : "";
}

static int learn_parts(struct places *places, struct place *place, struct shown *shown)
{
	if (!place->part.root && part_at(places, place->name, 0, &place->part) < 0)
		return -1;
	if (shown->inside)
		return 0;
	if (part_at(places, shown->top, O_NOFOLLOW, &shown->part) < 0)
		return -1;
	shown->inside = join(places, shown->part.root, rest_below(shown->real, shown->top));
	return 0;
}

static bool is_same_filesystem(const struct mount_part *a, const struct mount_part *b)
{
	return a->dev_major == b->dev_major && a->dev_minor == b->dev_minor;
}

/* By the part of the file system that is mounted there: a listed directory is mounted from above it, of which
 * the nearest counts, or from below it. */
static char *name_by_part(struct places *places, struct shown *shown)
{
	size_t longest = 0;
	char *name = NULL;

	learn(places);
	shown->device_differs = device_may_differ(shown);
	for (size_t i = 0; i < places->n; i++) {
		struct place *place = &places->v[i];
		const char *rest;

		if (!may_show_the_same(place, shown))
			continue;
		if (learn_parts(places, place, shown) < 0)
			return join(places, "/", ""); /* it may be any */
		if (!is_same_filesystem(&place->part, &shown->part))
			continue;
		rest = rest_below(shown->inside, place->part.root);
		if (!rest && rest_below(place->part.root, shown->inside))
			return join(places, place->name, "");
		if (rest && strlen(place->part.root) > longest) {
			longest = strlen(place->part.root);
			name = join(places, place->name, rest);
		}
	}
	return name;
}

static void learn_links(struct places *places)
{
	char target[PATH_MAX], c;

	if (places->links_known)
		return;
	places->links_known = true;
	for (size_t i = 0; i < places->n; i++)
		if (readlink(places->v[i].name, &c, 1) >= 0 && realpath(places->v[i].name, target))
			places->v[i].target = dj_arena_strdup(places->arena, target);
}

/* What holds that to which a listed link leads shows it, too. */
static char *name_by_link(struct places *places, const char *real)
{
	learn(places);
	learn_links(places);
	for (size_t i = 0; i < places->n; i++)
		if (places->v[i].target && path_has_prefix(places->v[i].target, real))
			return join(places, places->v[i].name, "");
	return NULL;
}

static bool has_listed_name(const char *real)
{
	const char *name;

	for (size_t i = 0; (name = policy_listed_directory(i)); i++)
		if (strcmp(name, "/") != 0 && path_has_prefix(real, name))
			return true;
	return false;
}

static bool is_top(const struct statx *seen)
{
	return (seen->stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

/* Upwards to the top of the mount it is on: above that the names are right, or another mount's.  What is on
 * the root's own mount is looked at only where its name is on no list. */
static char *listed_name(struct places *places, const char *real, struct statx *seen)
{
	struct shown shown = { .real = real, .seen = seen };
	char at[PATH_MAX], *slash, *by_link;
	const char *name;

	name = find(places, seen, real);
	if (seen->stx_mnt_id == root_mount(places) && (name || has_listed_name(real)))
		return name ? join(places, name, "") : NULL;
	(void)snprintf(at, sizeof(at), "%s", real);
	while (!name && strcmp(at, places->bundle) != 0 && !is_top(seen) && at[1]) {
		slash = strrchr(at, '/');
		slash[slash == at] = '\0';
		if (!look(AT_FDCWD, at, AT_SYMLINK_NOFOLLOW, seen))
			return NULL;
		name = at[1] ? find(places, seen, at) : NULL; /* all is below "/" */
	}
	if (name)
		return join(places, name, rest_below(real, at));
	if (path_has_prefix(real, places->bundle))
		return NULL;
	by_link = name_by_link(places, real);
	if (by_link || !is_top(seen)) /* in a chroot */
		return by_link;
	shown.top = at;
	return name_by_part(places, &shown);
}

/* Of a directory that has no name for us: it may be any.  What is none shows but itself. */
static bool assume_worst(struct places *places, int fd, struct place_name *out)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
		return false;
	out->real = out->name = dj_arena_strdup(places->arena, "/");
	return true;
}

bool places_name(struct places *places, int fd, bool links, struct place_name *out)
{
	char link[64], real[PATH_MAX];
	struct statx seen;
	bool on_root;
	ssize_t len;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, real, sizeof(real) - 1);
	if (len <= 0 || real[0] != '/' || !look(fd, "", AT_EMPTY_PATH, &seen))
		return assume_worst(places, fd, out);
	real[len] = '\0';
	*out = (struct place_name){ .real = dj_arena_strdup(places->arena, real) };
	/* What is on the root's own mount has one name, and links. */
	on_root = seen.stx_mnt_id == root_mount(places);
	if (!on_root && is_other_procfs(fd, real))
		out->name = dj_arena_strdup(places->arena, "/proc");
	else if (!on_root || links)
		out->name = listed_name(places, real, &seen);
	if (!out->name)
		out->name = out->real;
	return true;
}

static int scan(struct places *places)
{
	struct donjon_error err = { 0 };
	dj_auto_close int proc = -1;

	if (places->scanned)
		return 0;
	proc = procfs_open_host(&err);
	if (proc < 0 || mount_points_scan(proc, places->arena, &places->mounts, &err) < 0) {
		dj_error_clear(&err);
		return -1;
	}
	places->scanned = true;
	return 0;
}

static const char *shown_at(struct places *places, const char *point)
{
	dj_auto_close int fd = open(point, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct statx seen;

	if (fd < 0 || !look(fd, "", AT_EMPTY_PATH, &seen))
		return NULL; /* covered, or gone again */
	return is_other_procfs(fd, point) ? "/proc" : find(places, &seen, point);
}

const char *places_below(struct places *places, const char *real)
{
	const char *found = scan(places) < 0 ? "/" : NULL;

	for (size_t i = 0; !found && i < places->mounts.n; i++) {
		const char *point = places->mounts.v[i];

		if (strcmp(point, real) != 0 && path_has_prefix(point, real))
			found = shown_at(places, point);
	}
	return found;
}
