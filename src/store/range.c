/*
 * Host id ranges, one per container (decision 19).  A slot is taken by making the symbolic link
 * .ranges/<slot> whose text is the holder's id: one call that either takes it, holder included, or
 * finds it taken.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

enum {
	SLOT_COUNT = (STORE_RANGE_LAST - STORE_RANGE_FIRST) / STORE_RANGE_SIZE + 1,
	SUBIDS_MAX_BYTES = 4 * 1024 * 1024,
};

static const char ranges_dir[] = ".ranges";

struct slot_name {
	char text[16];
};

static struct slot_name name_of(uint32_t range)
{
	struct slot_name name;

	(void)snprintf(name.text, sizeof(name.text), "%04x", range / STORE_RANGE_SIZE);
	return name;
}

/* FNV-1a: only spreads ids over the slots. */
static uint32_t hash(const char *id)
{
	uint32_t h = 2166136261u;

	for (; *id; id++)
		h = (h ^ (unsigned char)*id) * 16777619u;
	return h;
}

/* "name:first:count": do these ids reach into the range?  A line that cannot be read claims none:
 * shadow-utils ignores it too. */
static bool line_overlaps(const char *line, uint32_t range)
{
	const char *first_text = strchr(line, ':');
	const char *count_text = first_text ? strchr(first_text + 1, ':') : NULL;
	unsigned long long first, count;

	if (!count_text)
		return false;
	first = strtoull(first_text + 1, NULL, 10);
	count = strtoull(count_text + 1, NULL, 10);
	return first < (unsigned long long)range + STORE_RANGE_SIZE && range < first + count;
}

static bool is_delegated(const char *subids, uint32_t range)
{
	while (subids && *subids) {
		if (line_overlaps(subids, range))
			return true;
		subids = strchr(subids, '\n');
		subids = subids ? subids + 1 : NULL;
	}
	return false;
}

/* Ids an administrator gave to a user.  *out stays NULL where there is no such file. */
static int read_subids(const char *path, char **out, struct donjon_error *err)
{
	dj_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	size_t size;

	if (fd < 0)
		return errno == ENOENT ? 0 : dj_fail_os(err, errno, "open %s", path);
	return file_read_regular(fd, SUBIDS_MAX_BYTES, path, out, &size, err);
}

static int open_ranges(const struct store *store, struct donjon_error *err)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(store->root_fd, ranges_dir, flags);

	if (fd < 0 && errno == ENOENT) {
		if (mkdirat(store->root_fd, ranges_dir, 0700) < 0 && errno != EEXIST)
			return dj_fail_os(err, errno, "make %s/%s", store->root, ranges_dir);
		fd = openat(store->root_fd, ranges_dir, flags);
	}
	return fd < 0 ? dj_fail_os(err, errno, "open %s/%s", store->root, ranges_dir) : fd;
}

/* A holder whose directory is gone died before it could give the slot back (T71).  The directory is
 * made before the slot is taken and removed after it is released, so this cannot hit a live one;
 * the lock keeps two of us from reclaiming the same slot twice. */
static bool reclaim(const struct store *store, int ranges_fd, const char *slot)
{
	char holder[NAME_MAX + 1];
	bool reclaimed = false;
	ssize_t len;

	if (flock(ranges_fd, LOCK_EX) < 0)
		return false;
	len = readlinkat(ranges_fd, slot, holder, sizeof(holder) - 1);
	if (len > 0) {
		holder[len] = '\0';
		reclaimed = faccessat(store->root_fd, holder, F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
		            errno == ENOENT && unlinkat(ranges_fd, slot, 0) == 0;
	}
	(void)flock(ranges_fd, LOCK_UN); /* closing would do it, too */
	return reclaimed;
}

/* 1: taken by us, 0: somebody else's, -1: error. */
static int take_slot(const struct store *store, int ranges_fd, const char *id, uint32_t range,
                     struct donjon_error *err)
{
	struct slot_name slot = name_of(range);

	if (symlinkat(id, ranges_fd, slot.text) == 0)
		return 1;
	if (errno == EEXIST && reclaim(store, ranges_fd, slot.text) &&
	    symlinkat(id, ranges_fd, slot.text) == 0)
		return 1;
	return errno == EEXIST ? 0 : dj_fail_os(err, errno, "reserve id range %s", slot.text);
}

int store_reserve_range(struct store *store, const char *id, uint32_t *out,
                        struct donjon_error *err)
{
	dj_auto_free char *subuid = NULL;
	dj_auto_free char *subgid = NULL;
	dj_auto_close int ranges_fd = open_ranges(store, err);

	if (ranges_fd < 0 || read_subids("/etc/subuid", &subuid, err) < 0 ||
	    read_subids("/etc/subgid", &subgid, err) < 0)
		return -1;
	for (uint32_t i = 0, first = hash(id); i < SLOT_COUNT; i++) {
		uint32_t range = STORE_RANGE_FIRST + (first + i) % SLOT_COUNT * STORE_RANGE_SIZE;
		int taken;

		if (is_delegated(subuid, range) || is_delegated(subgid, range))
			continue;
		taken = take_slot(store, ranges_fd, id, range, err);
		if (taken < 0)
			return -1;
		if (taken) {
			*out = range;
			return 0;
		}
	}
	return dj_fail(err, DONJON_E_SYSTEM, "all %d id ranges of %s are in use", SLOT_COUNT,
	               store->root);
}

static void release(int dir_fd, const char *path, const char *id)
{
	char holder[NAME_MAX + 1];
	ssize_t len = readlinkat(dir_fd, path, holder, sizeof(holder));

	if (len == (ssize_t)strlen(id) && memcmp(holder, id, strlen(id)) == 0)
		(void)unlinkat(dir_fd, path, 0); /* whoever meets it later reclaims it */
}

void store_release_range(struct store *store, const char *id, uint32_t range)
{
	char path[sizeof(ranges_dir) + sizeof(struct slot_name)];

	if (range == 0)
		return;
	(void)snprintf(path, sizeof(path), "%s/%s", ranges_dir, name_of(range).text);
	release(store->root_fd, path, id);
}

void store_release_ranges(struct store *store, const char *id)
{
	struct donjon_error ignored = { 0 };
	int fd = open_ranges(store, &ignored);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		dj_close(&fd);
		return;
	}
	while ((entry = readdir(dir)))
		release(dirfd(dir), entry->d_name, id);
	(void)closedir(dir);
}
