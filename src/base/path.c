#include "base/path.h"

#include "base/cleanup.h"
#include "base/sys.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

enum {
	DEPTH_MAX = 256, /* directories the walker keeps open; no real image comes near */
	LINKS_MAX = 40,  /* the kernel's MAXSYMLINKS */
	RETRY_MS = 50,   /* how long lost races are retried (T19) */
	PROC_ROOT_INO = 1,
	PARENT_MODE = 0755,
	FILE_MODE = 0644,
};

/* What the walker does about a component that is not there. */
enum create { CREATE_NOTHING, CREATE_DIRS, CREATE_FILE /* and the directories before it */ };

struct request {
	int dir_fd;
	const char *path;
	int flags;
	mode_t mode;
	uint64_t resolve;
	enum create create;
};

static const uint64_t resolve_image = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
static const uint64_t resolve_fixed = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;

/*
 * The walker.  Every directory it has entered stays open, so ".." can only lead back to one of
 * them: whatever is renamed meanwhile, nothing above the root is ever opened.  The kernel's own
 * resolver has to detect such renames; here they do not matter.
 */
struct walk {
	const struct request *request;
	int dirs[DEPTH_MAX]; /* dirs[0] is the root, borrowed */
	size_t top;
	unsigned links;
	uint64_t mount_id;
	char rest[PATH_MAX]; /* what is still to be walked */
	/* The current component. */
	char name[NAME_MAX + 1];
	bool is_last, wants_dir;
};

static int current(const struct walk *w)
{
	return w->dirs[w->top];
}

static void pop_to(struct walk *w, size_t depth)
{
	while (w->top > depth)
		(void)close(w->dirs[w->top--]);
}

static void walk_done(struct walk *w)
{
	pop_to(w, 0);
}

static int push(struct walk *w, int *fd)
{
	if (w->top + 1 == DEPTH_MAX)
		return -ENAMETOOLONG;
	w->dirs[++w->top] = dj_take_fd(fd);
	return 0;
}

/* Cuts the next component off: 1, or 0 at the end of the path, or -errno. */
static int next_name(struct walk *w)
{
	char *start = w->rest + strspn(w->rest, "/");
	size_t len = strcspn(start, "/");
	const char *after = start + len;

	if (len == 0)
		return 0;
	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(w->name, start, len);
	w->name[len] = '\0';
	w->wants_dir = *after == '/';
	w->is_last = after[strspn(after, "/")] == '\0';
	memmove(w->rest, after, strlen(after) + 1);
	return 1;
}

static bool is_beneath(const struct walk *w)
{
	return w->request->resolve & RESOLVE_BENEATH;
}

/* RESOLVE_NO_XDEV */
static int check_mount(const struct walk *w, int fd)
{
	uint64_t id;
	int r = sys_mount_id(fd, &id);

	if (r < 0)
		return r;
	return id == w->mount_id ? 0 : -EXDEV;
}

static int go_up(struct walk *w)
{
	if (w->top > 0)
		pop_to(w, w->top - 1);
	else if (is_beneath(w))
		return -EXDEV;
	return 0;
}

/* mkdirat and mknodat never follow a link at the last component and never take what is there for
 * their own (B05): the caller looks at whatever has the name afterwards. */
static int create_missing(const struct walk *w)
{
	const struct request *q = w->request;
	int r;

	if (q->create == CREATE_FILE && w->is_last && !w->wants_dir)
		r = mknodat(current(w), w->name, S_IFREG | FILE_MODE, 0);
	else
		r = mkdirat(current(w), w->name, q->mode);
	return r < 0 && errno != EEXIST ? -errno : 0;
}

static int open_handle(const struct walk *w)
{
	int fd = openat(current(w), w->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* A handle on the component itself, be it a link, and what it is.  0 or -errno. */
static int look(const struct walk *w, int *fd, struct stat *st)
{
	*fd = open_handle(w);
	if (*fd == -ENOENT && w->request->create != CREATE_NOTHING) {
		int r = create_missing(w);

		if (r < 0)
			return r;
		*fd = open_handle(w);
		if (*fd == -ENOENT)
			return -EAGAIN; /* somebody removes what we make */
	}
	if (*fd < 0)
		return *fd;
	if (fstat(*fd, st) < 0)
		return -errno;
	return is_beneath(w) ? check_mount(w, *fd) : 0;
}

/* RESOLVE_NO_MAGICLINKS: links of procfs that name an object rather than a path.  All of them are
 * below a process; those directly in the root ("self", "mounts") are ordinary text. */
static bool is_magic_link(const struct walk *w, int link_fd)
{
	struct statfs fs;
	struct stat parent;

	if (fstatfs(link_fd, &fs) < 0 || fstat(current(w), &parent) < 0)
		return true;
	return fs.f_type == PROC_SUPER_MAGIC && parent.st_ino != PROC_ROOT_INO;
}

static int follow(struct walk *w, int link_fd)
{
	char target[PATH_MAX];
	size_t rest = strlen(w->rest) + 1;
	ssize_t n;

	if (is_beneath(w) || ++w->links > LINKS_MAX || is_magic_link(w, link_fd))
		return -ELOOP;
	n = readlinkat(link_fd, "", target, sizeof(target));
	if (n <= 0)
		return n < 0 ? -errno : -ENOENT;
	if ((size_t)n + rest > sizeof(w->rest))
		return -ENAMETOOLONG;
	memmove(w->rest + n, w->rest, rest);
	memcpy(w->rest, target, (size_t)n);
	if (target[0] == '/')
		pop_to(w, 0);
	return 0;
}

/* open(2) does not follow a link at the end with these flags. */
static bool keeps_link(int flags)
{
	return (flags & O_NOFOLLOW) || (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
}

/* The real open of the last component, which was seen not to be a link or must not be followed. */
static int open_named(const struct walk *w)
{
	const struct request *q = w->request;
	int flags = q->flags | O_NOFOLLOW | O_CLOEXEC | (w->wants_dir ? O_DIRECTORY : 0);
	dj_auto_close int fd = -1;
	int r;

	if (w->wants_dir && (flags & O_CREAT))
		return -EISDIR;
	fd = openat(current(w), w->name, flags, q->mode);
	if (fd < 0) /* a link where none was: a race lost */
		return errno == ELOOP && !keeps_link(q->flags) ? -EAGAIN : -errno;
	r = is_beneath(w) ? check_mount(w, fd) : 0;
	return r < 0 ? r : dj_take_fd(&fd);
}

static int open_found(const struct walk *w, int *handle, const struct stat *st)
{
	int flags = w->request->flags;

	if (!(flags & O_PATH))
		return open_named(w);
	if ((w->wants_dir || (flags & O_DIRECTORY)) && !S_ISDIR(st->st_mode))
		return -ENOTDIR;
	return dj_take_fd(handle);
}

/* A path that ends in "/", "." or "..": the directory the walk is in. */
static int open_current(const struct walk *w)
{
	int fd = openat(current(w), ".", w->request->flags | O_NOFOLLOW | O_CLOEXEC,
	                w->request->mode);

	return fd < 0 ? -errno : fd;
}

/* One component further.  *out_fd is set when the walk has arrived. */
static int step(struct walk *w, int *out_fd)
{
	int flags = w->request->flags;
	dj_auto_close int fd = -1;
	struct stat st;
	int r;

	if (strcmp(w->name, ".") == 0)
		return 0;
	if (strcmp(w->name, "..") == 0)
		return go_up(w);
	r = look(w, &fd, &st);
	if (r == -ENOENT && w->is_last && (flags & O_CREAT))
		return *out_fd = open_named(w);
	if (r < 0)
		return r;
	if (S_ISLNK(st.st_mode) && !(w->is_last && !w->wants_dir && keeps_link(flags)))
		return follow(w, fd);
	if (w->is_last)
		return *out_fd = open_found(w, &fd, &st);
	return S_ISDIR(st.st_mode) ? push(w, &fd) : -ENOTDIR;
}

static int walk_start(struct walk *w, const struct request *q)
{
	size_t len = strlen(q->path);

	w->request = q;
	w->dirs[0] = q->dir_fd;
	if (len == 0)
		return -ENOENT;
	if (len >= sizeof(w->rest))
		return -ENAMETOOLONG;
	memcpy(w->rest, q->path, len + 1);
	if (!is_beneath(w))
		return 0;
	return q->path[0] == '/' ? -EXDEV : sys_mount_id(q->dir_fd, &w->mount_id);
}

static int walk(const struct request *q)
{
	__attribute__((cleanup(walk_done))) struct walk w = { 0 };
	int fd = -1, r = walk_start(&w, q);

	while (r >= 0 && fd < 0) {
		r = next_name(&w);
		if (r == 0)
			return open_current(&w);
		if (r > 0)
			r = step(&w, &fd);
	}
	return r < 0 ? r : fd;
}

/* What this process found out about its kernel; see path_uses_fallback(). */
static atomic_bool fallback;

bool path_uses_fallback(void)
{
	if (!fallback) {
		const struct open_how how = { .flags = O_PATH | O_CLOEXEC };
		dj_auto_close int fd = sys_openat2(AT_FDCWD, "/", &how);

		fallback = fd == -ENOSYS || fd == -EPERM;
	}
	return fallback;
}

void path_force_fallback(bool on)
{
	fallback = on;
}

static int open_native(const struct request *q)
{
	const struct open_how how = {
		.flags = (unsigned)(q->flags | O_CLOEXEC),
		.mode = q->flags & O_CREAT ? q->mode & 07777 : 0,
		.resolve = q->resolve,
	};

	return sys_openat2(q->dir_fd, q->path, &how);
}

/* Nobody but the walker can create directories on the way.  ENOSYS and EPERM come from a filter if
 * an openat2 that cannot fail gets them, too (a real lack of permission is EACCES); else they are
 * about this file. */
static int attempt(const struct request *q)
{
	if (q->create == CREATE_NOTHING && !fallback) {
		int r = open_native(q);

		if ((r != -ENOSYS && r != -EPERM) || !path_uses_fallback())
			return r;
	}
	return walk(q);
}

static int64_t now_ms(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* EAGAIN: the tree changed under the kernel's resolver, or under ours. */
static int resolve(const struct request *q)
{
	int64_t deadline = 0;

	for (;;) {
		int r = attempt(q);

		if (r != -EAGAIN)
			return r;
		if (deadline == 0)
			deadline = now_ms() + RETRY_MS;
		else if (now_ms() >= deadline)
			return r;
	}
}

int path_open_in_root(int root_fd, const char *path, int flags, mode_t mode)
{
	return resolve(&(struct request){ .dir_fd = root_fd,
	                                  .path = path,
	                                  .flags = flags,
	                                  .mode = mode,
	                                  .resolve = resolve_image });
}

int path_open_beneath(int dir_fd, const char *path, int flags, mode_t mode)
{
	return resolve(&(struct request){ .dir_fd = dir_fd,
	                                  .path = path,
	                                  .flags = flags,
	                                  .mode = mode,
	                                  .resolve = resolve_fixed });
}

/* Most of what is wanted exists: one call then. */
static int ensure(int root_fd, const char *path, int flags, mode_t mode, enum create create)
{
	struct request q = { .dir_fd = root_fd,
		             .path = path,
		             .flags = flags,
		             .mode = mode,
		             .resolve = resolve_image };
	int fd = resolve(&q);

	if (fd != -ENOENT)
		return fd;
	q.create = create;
	return resolve(&q);
}

int path_make_dir(int root_fd, const char *path, mode_t mode, struct donjon_error *err)
{
	int fd = ensure(root_fd, path, O_PATH | O_DIRECTORY, mode, CREATE_DIRS);

	return fd < 0 ? dj_fail_os(err, -fd, "make directory %s", path) : fd;
}

int path_make_mount_point(int root_fd, const char *path, bool want_dir, struct donjon_error *err)
{
	dj_auto_close int fd = -1;
	struct stat st;

	if (want_dir)
		fd = ensure(root_fd, path, O_PATH | O_DIRECTORY, PARENT_MODE, CREATE_DIRS);
	else
		fd = ensure(root_fd, path, O_PATH, PARENT_MODE, CREATE_FILE);
	if (fd < 0)
		return dj_fail_os(err, -fd, "make mount point %s", path);
	if (want_dir)
		return dj_take_fd(&fd);
	if (fstat(fd, &st) < 0)
		return dj_fail_os(err, errno, "make mount point %s", path);
	if (S_ISDIR(st.st_mode))
		return dj_fail_os(err, EISDIR, "make mount point %s", path);
	return dj_take_fd(&fd);
}

int path_open_parent(int root_fd, const char *path, bool make, const char **out_name,
                     struct donjon_error *err)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	size_t len = (size_t)(name - path);
	char parent[PATH_MAX] = "/";
	int fd;

	if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return dj_fail(err, DONJON_E_CONFIG, "path %s does not end in a name", path);
	if (len >= sizeof(parent))
		return dj_fail_os(err, ENAMETOOLONG, "open the directory of %s", path);
	if (len > 0) {
		memcpy(parent, path, len);
		parent[len] = '\0';
	}
	if (make)
		fd = ensure(root_fd, parent, O_PATH | O_DIRECTORY, PARENT_MODE, CREATE_DIRS);
	else
		fd = path_open_in_root(root_fd, parent, O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return dj_fail_os(err, -fd, "open the directory of %s", path);
	*out_name = name;
	return fd;
}

int path_make_mount_point_unfollowed(int root_fd, const char *path, bool want_dir,
                                     struct donjon_error *err)
{
	const int flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
	const char *name;
	dj_auto_close int parent = path_open_parent(root_fd, path, true, &name, err);
	int fd;

	if (parent < 0)
		return -1;
	fd = openat(parent, name, flags);
	if (fd < 0 && errno == ENOENT &&
	    (want_dir ? mkdirat(parent, name, PARENT_MODE)
	              : mknodat(parent, name, S_IFREG | 0644, 0)) == 0)
		fd = openat(parent, name, flags);
	return fd < 0 ? dj_fail_os(err, errno, "make mount point %s without following it", path)
	              : fd;
}

int path_clean(const char *path, char *buf, size_t size)
{
	size_t used = 0;

	for (size_t len; *(path += strspn(path, "/")) != '\0'; path += len) {
		len = strcspn(path, "/");
		if (len == 1 && path[0] == '.')
			continue;
		if (len == 2 && path[0] == '.' && path[1] == '.') {
			while (used > 0 && buf[--used] != '/')
				;
			continue;
		}
		if (used + 1 + len >= size)
			return -ENAMETOOLONG;
		buf[used++] = '/';
		memcpy(buf + used, path, len);
		used += len;
	}
	if (used == 0) {
		if (size < 2)
			return -ENAMETOOLONG;
		buf[used++] = '/';
	}
	buf[used] = '\0';
	return 0;
}

bool path_has_prefix(const char *path, const char *prefix)
{
	size_t len = strlen(prefix);

	if (len > 0 && prefix[len - 1] == '/')
		len--; /* only "/" itself, when clean */
	return strncmp(path, prefix, len) == 0 && (path[len] == '/' || path[len] == '\0');
}
