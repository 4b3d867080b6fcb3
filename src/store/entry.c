/* One container's directory: taken, entered, locked, removed. */
#include "base/cleanup.h"
#include "base/path.h"
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

enum {
	CREATE_LOCK_MS = 1000,
	LOCK_RETRY_MS = 5,
	/* Deeper than any tree we make; a bound for what a writable sandbox root may hold. */
	DEPTH_MAX = 128,
};

int store_check_id(const char *id, struct donjon_error *err)
{
	size_t len = strlen(id);

	/* First character: no option ("-x"), nothing hidden or special (".", ".ranges"). */
	if (len > 0 && len <= NAME_MAX && strspn(id, ALNUM "_") > 0 &&
	    strspn(id, ALNUM "_+.-") == len)
		return 0;
	return dj_fail(err, DONJON_E_USAGE, "invalid container ID format: \"%.300s\"", id);
}

static int open_entry(const struct store *store, const char *id)
{
	return openat(store->root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int store_enter(struct store *store, const char *id, struct donjon_error *err)
{
	int fd;

	if (store_check_id(id, err) < 0)
		return -1;
	fd = open_entry(store, id);
	if (fd >= 0)
		return fd;
	if (errno == ENOENT)
		return dj_fail(err, DONJON_E_NOT_FOUND, "container does not exist: %s", id);
	return dj_fail_os(err, errno, "open state of container %s", id);
}

int store_is_entry(const struct store *store, const char *id, int dir_fd, struct donjon_error *err)
{
	struct stat named, held;

	if (fstatat(store->root_fd, id, &named, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT
		               ? 0
		               : dj_fail_os(err, errno, "look at state of container %s", id);
	if (fstat(dir_fd, &held) < 0)
		return dj_fail_os(err, errno, "look at state of container %s", id);
	return named.st_dev == held.st_dev && named.st_ino == held.st_ino;
}

static int already_exists(struct donjon_error *err)
{
	return dj_fail(err, DONJON_E_EXISTS, "container with given ID already exists");
}

/* `delete --force` may have found the directory before we had the lock, and then another `create`
 * may have made the one that we opened. */
static int check_ours(const struct store *store, const char *id, int fd, struct donjon_error *err)
{
	struct stat st;
	int is_entry = store_is_entry(store, id, fd, err);

	if (is_entry < 0)
		return -1;
	if (is_entry == 0)
		return dj_fail(err, DONJON_E_STATUS,
		               "container %s was deleted while it was being created", id);
	if (fstatat(fd, STORE_STATE_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return already_exists(err);
	return errno == ENOENT ? 0 : dj_fail_os(err, errno, "look at state of container %s", id);
}

int store_reserve(struct store *store, const char *id, struct donjon_error *err)
{
	dj_auto_close int fd = -1;

	if (store_check_id(id, err) < 0)
		return -1;
	if (mkdirat(store->root_fd, id, 0700) < 0) {
		if (errno == EEXIST)
			return already_exists(err);
		return dj_fail_os(err, errno, "make state directory %s/%s", store->root, id);
	}
	fd = open_entry(store, id);
	if (fd < 0) {
		int os = errno;

		(void)unlinkat(store->root_fd, id, AT_REMOVEDIR); /* the failure to report is os */
		return dj_fail_os(err, os, "open state of container %s", id);
	}
	if (store_lock(fd, CREATE_LOCK_MS, err) < 0 || check_ours(store, id, fd, err) < 0)
		return -1;
	return dj_take_fd(&fd);
}

int store_lock(int dir_fd, unsigned timeout_ms, struct donjon_error *err)
{
	const struct timespec pause = { .tv_nsec = LOCK_RETRY_MS * 1000000L };

	for (unsigned waited = 0;; waited += LOCK_RETRY_MS) {
		if (flock(dir_fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return dj_fail_os(err, errno, "lock the container");
		if (waited >= timeout_ms)
			return dj_fail(err, DONJON_E_STATUS,
			               "another operation on this container is in progress");
		(void)nanosleep(&pause, NULL); /* woken early is fine: it only polls */
	}
}

void store_unlock(int dir_fd)
{
	(void)flock(dir_fd, LOCK_UN); /* cannot fail for an open descriptor */
}

static int empty_directory(int dir_fd, const char *except, unsigned depth);

static int remove_child(int dir_fd, const char *name, unsigned depth)
{
	dj_auto_close int sub = -1;
	int r;

	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return -errno;
	if (depth == 0)
		return -ELOOP;
	/* Never across a mount: what is mounted here belongs to somebody. */
	sub = path_open_beneath(dir_fd, name, O_RDONLY | O_DIRECTORY, 0);
	if (sub < 0)
		return sub;
	r = empty_directory(sub, "", depth - 1);
	if (r < 0)
		return r;
	return unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

static int empty_directory(int dir_fd, const char *except, unsigned depth)
{
	int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;
	int r = 0;

	if (!dir) {
		r = -errno;
		dj_cleanup_close(&copy);
		return r;
	}
	while (r == 0 && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    strcmp(entry->d_name, except) != 0)
			r = remove_child(dir_fd, entry->d_name, depth);
	(void)closedir(dir); /* read only: nothing can be lost */
	return r;
}

int store_remove(struct store *store, const char *id, int dir_fd, struct donjon_error *err)
{
	int r = store_is_entry(store, id, dir_fd, err);

	/* Somebody else's removal came first, and the name may be a new container's by now. */
	if (r <= 0)
		return r;
	/* Empty: it has just been taken, perhaps without a descriptor left to look into it. */
	if (unlinkat(store->root_fd, id, AT_REMOVEDIR) == 0)
		return 0;
	/* The state last: until then a removal that was interrupted can be repeated. */
	r = empty_directory(dir_fd, STORE_STATE_FILE, DEPTH_MAX);
	if (r == 0)
		r = remove_child(dir_fd, STORE_STATE_FILE, DEPTH_MAX); /* damaged, it may be anything */
	if (r == 0 && unlinkat(store->root_fd, id, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = -errno;
	return r < 0 ? dj_fail_os(err, -r, "remove state of container %s", id) : 0;
}
