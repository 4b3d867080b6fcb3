#include "engine/places.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "base/procfs.h"
#include "policy/policy.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

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

/* Upwards to the top of the mount it is on: above that the names are right, or another mount's. */
static char *listed_name(struct places *places, const char *real, struct statx *seen)
{
	char at[PATH_MAX];
	char *slash;

	(void)snprintf(at, sizeof(at), "%s", real);
	do {
		const char *name = find(places, seen, at);

		if (name)
			return join(places, name, real + strlen(at));
		if (strcmp(at, places->bundle) == 0 || seen->stx_mnt_id == root_mount(places) ||
		    seen->stx_attributes & STATX_ATTR_MOUNT_ROOT)
			return NULL;
		slash = strrchr(at, '/');
		*slash = '\0';
	} while (slash != at && look(AT_FDCWD, at, AT_SYMLINK_NOFOLLOW, seen));
	return NULL;
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
