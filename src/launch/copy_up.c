#include "launch/copy_up.h"

#include "base/cleanup.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { DEPTH_MAX = 32 };

struct entry { /* struct linux_dirent64 */
	uint64_t ino;
	int64_t next; /* where the directory goes on after this entry */
	uint16_t size;
	uint8_t type;
	char name[];
};

struct level {
	int from, to;
};

/* Labels and capabilities we may not read or set in this namespace stay behind. */
static int skip_xattr(void)
{
	return errno == EPERM || errno == EACCES || errno == EOPNOTSUPP ? 0 : -1;
}

static int copy_xattrs(int from, int to)
{
	static char names[XATTR_LIST_MAX], value[XATTR_SIZE_MAX]; /* the kernel gives no more */
	ssize_t n = flistxattr(from, names, sizeof(names));

	if (n < 0)
		return skip_xattr();
	for (char *name = names; name < names + n; name += strlen(name) + 1) {
		ssize_t size = fgetxattr(from, name, value, sizeof(value));

		if ((size < 0 || fsetxattr(to, name, value, (size_t)size, 0) < 0) && skip_xattr() < 0)
			return -1;
	}
	return 0;
}

static int copy_metadata(int from, int to, const struct stat *st)
{
	/* EINVAL: of somebody who has no id in this user namespace; then it is ours, as it is new. */
	if (fchown(to, st->st_uid, st->st_gid) < 0 && errno != EINVAL)
		return -1;
	if (fchmod(to, st->st_mode & 07777) < 0)
		return -1;
	return copy_xattrs(from, to);
}

/* Where owners are not mapped the program could not read it either. */
static int skip_unreadable(void)
{
	return errno == EACCES ? 0 : -1;
}

static int copy_file(int from_dir, int to_dir, const char *name)
{
	dj_auto_close int from = openat(from_dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	dj_auto_close int to = -1;
	struct stat st;
	ssize_t n;

	if (from < 0)
		return skip_unreadable();
	to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (to < 0 || fstat(from, &st) < 0 || !S_ISREG(st.st_mode))
		return -1;
	do
		n = sendfile(to, from, NULL, 1 << 20);
	while (n > 0);
	return n < 0 ? -1 : copy_metadata(from, to, &st);
}

/* Of what cannot be opened without consequences. */
static int copy_owner(int to_dir, const char *name, const struct stat *st)
{
	int r = fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW);

	return r < 0 && errno != EINVAL ? -1 : 0; /* EINVAL: as above */
}

static int copy_fifo(int to_dir, const char *name, const struct stat *st)
{
	if (mknodat(to_dir, name, S_IFIFO | 0600, 0) < 0 || copy_owner(to_dir, name, st) < 0)
		return -1;
	return fchmodat(to_dir, name, st->st_mode & 07777, 0);
}

static int copy_link(int from_dir, int to_dir, const char *name, const struct stat *st)
{
	char target[4096];
	ssize_t n = readlinkat(from_dir, name, target, sizeof(target) - 1);

	if (n < 0)
		return -1;
	target[n] = '\0';
	return symlinkat(target, to_dir, name) < 0 ? -1 : copy_owner(to_dir, name, st);
}

/* Sockets have nobody behind them, and devices are what linux.devices lists: neither is copied. */
static int copy_entry(const struct level *at, const char *name, const struct stat *st)
{
	if (S_ISREG(st->st_mode))
		return copy_file(at->from, at->to, name);
	if (S_ISLNK(st->st_mode))
		return copy_link(at->from, at->to, name, st);
	return S_ISFIFO(st->st_mode) ? copy_fifo(at->to, name, st) : 0;
}

/* 1: entered, 0: passed over. */
static int enter_directory(const struct level *at, const char *name, struct level *below)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
	struct stat st;

	*below = (struct level){ openat(at->from, name, flags), -1 };
	if (below->from < 0)
		return skip_unreadable();
	if (mkdirat(at->to, name, 0700) < 0)
		return -1;
	below->to = openat(at->to, name, flags);
	if (below->to < 0 || fstat(below->from, &st) < 0)
		return -1;
	return copy_metadata(below->from, below->to, &st) < 0 ? -1 : 1;
}

/* Copies entries of the deepest level until one of them is a directory; 1: descended, 0: at its end. */
static int copy_entries(struct level *levels, size_t *depth)
{
	struct level *at = &levels[*depth - 1];
	_Alignas(struct entry) char buf[4096];
	long n;

	while ((n = syscall(SYS_getdents64, at->from, buf, sizeof(buf))) > 0) {
		for (long pos = 0; pos < n;) {
			const struct entry *e = (const void *)(buf + pos);
			struct stat st;
			int r;

			pos += e->size;
			if (strcmp(e->name, ".") == 0 || strcmp(e->name, "..") == 0)
				continue;
			if (fstatat(at->from, e->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
				return -1;
			if (copy_entry(at, e->name, &st) < 0)
				return -1;
			if (!S_ISDIR(st.st_mode))
				continue;
			if (*depth == DEPTH_MAX) {
				errno = ELOOP;
				return -1;
			}
			r = enter_directory(at, e->name, &levels[*depth]);
			if (r < 0)
				return -1;
			if (r == 0)
				continue;
			/* The rest of this level is read again from here when we are back. */
			if (lseek(at->from, (off_t)e->next, SEEK_SET) < 0)
				return -1;
			(*depth)++;
			return 1;
		}
	}
	return n < 0 ? -1 : 0;
}

int copy_up(int root, const char *path, int tree, bool with_top, struct donjon_error *err)
{
	struct level levels[DEPTH_MAX];
	size_t depth = 0;
	struct stat st;
	int r = 0;

	levels[0].from = path_open_in_root(root, path, O_RDONLY | O_DIRECTORY, 0);
	if (levels[0].from == -ENOENT || levels[0].from == -EACCES)
		return 0;
	if (levels[0].from < 0)
		return dj_fail_os(err, -levels[0].from, "open %s of the image", path);
	levels[0].to = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	depth = 1;
	if (levels[0].to < 0 || fstat(levels[0].from, &st) < 0 ||
	    (with_top && copy_metadata(levels[0].from, levels[0].to, &st) < 0))
		r = -1;
	while (r >= 0 && depth > 0) {
		r = copy_entries(levels, &depth);
		if (r == 0) {
			depth--;
			dj_close(&levels[depth].from);
			dj_close(&levels[depth].to);
		}
	}
	if (r < 0)
		(void)dj_fail_os(err, errno, "copy %s of the image into its tmpfs", path);
	while (depth > 0) {
		depth--;
		dj_close(&levels[depth].from);
		dj_close(&levels[depth].to);
	}
	return r < 0 ? -1 : 0;
}
