/* The root directory of all state: made private, accepted only if it is. */
#include "base/cleanup.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static char *absolute_path(const char *path)
{
	dj_auto_free char *cwd = NULL;
	char *out;

	if (path[0] == '/')
		return strdup(path);
	cwd = getcwd(NULL, 0);
	if (!cwd || asprintf(&out, "%s/%s", cwd, path) < 0)
		return NULL;
	return out;
}

/* mkdir -p, every new part 0700: no caller makes the directory for us (Z10). */
static int make_path(const char *path, struct donjon_error *err)
{
	char part[PATH_MAX];
	const char *end = path;

	if (strlen(path) >= sizeof(part))
		return dj_fail_os(err, ENAMETOOLONG, "make state directory %s", path);
	while (*end) {
		end += strspn(end, "/");
		end += strcspn(end, "/");
		(void)snprintf(part, sizeof(part), "%.*s", (int)(end - path), path);
		if (mkdir(part, 0700) < 0 && errno != EEXIST)
			return dj_fail_os(err, errno, "make state directory %s", part);
	}
	return 0;
}

static int open_root(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool is_filesystem_root(const struct stat *st)
{
	struct stat root;

	return stat("/", &root) == 0 && root.st_dev == st->st_dev && root.st_ino == st->st_ino;
}

/* Who can write here can pose as any container: T65. */
static int check_root(int fd, const char *path, struct donjon_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return dj_fail_os(err, errno, "look at state directory %s", path);
	if (is_filesystem_root(&st))
		return dj_fail(err, DONJON_E_USAGE, "the state directory must not be /");
	if (st.st_uid != geteuid())
		return dj_fail(err, DONJON_E_USAGE,
		               "state directory %s belongs to uid %u, not to uid %u", path,
		               st.st_uid, geteuid());
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return dj_fail(err, DONJON_E_USAGE,
		               "state directory %s may be written by others (mode %04o)", path,
		               st.st_mode & 07777);
	return 0;
}

int store_open(const char *path, bool create, struct store *out, struct donjon_error *err)
{
	dj_auto_free char *root = absolute_path(path);
	dj_auto_close int fd = -1;

	if (!root)
		return dj_fail_os(err, errno, "state directory %s", path);
	fd = open_root(root);
	if (fd < 0 && errno == ENOENT && create) {
		if (make_path(root, err) < 0)
			return -1;
		fd = open_root(root);
	}
	if (fd < 0 && errno == ENOENT)
		return dj_fail(err, DONJON_E_NOT_FOUND, "state directory %s does not exist", root);
	if (fd < 0)
		return dj_fail_os(err, errno, "open state directory %s", root);
	if (check_root(fd, root, err) < 0)
		return -1;
	out->root_fd = dj_take_fd(&fd);
	out->root = dj_take(root);
	return 0;
}

void store_close(struct store *store)
{
	dj_close(&store->root_fd);
	free(store->root);
	store->root = NULL;
}
