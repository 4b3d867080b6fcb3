#include "base/procfs.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

enum { PROC_ROOT_INO = 1, PROC_PATH_MAX = 256 };

static const unsigned private_attr =
        SYS_MOUNT_ATTR_NOSUID | SYS_MOUNT_ATTR_NODEV | SYS_MOUNT_ATTR_NOEXEC;

static int open_private(void)
{
	dj_auto_close int fs = sys_fsopen("proc");
	int r;

	if (fs < 0)
		return fs;
	r = sys_fsconfig(fs, SYS_FSCONFIG_CREATE, NULL, NULL, 0);
	return r < 0 ? r : sys_fsmount(fs, private_attr);
}

int procfs_open_host(struct donjon_error *err)
{
	dj_auto_close int fd = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct statfs fs;
	struct stat st;

	if (fd < 0 || fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0)
		return dj_fail_os(err, errno, "open /proc");
	/* The magic alone would accept a bind mount of some directory of a real procfs. */
	if (fs.f_type != PROC_SUPER_MAGIC || st.st_ino != PROC_ROOT_INO)
		return dj_fail(err, DONJON_E_VERIFY, "/proc is not the root of a procfs");
	return dj_take_fd(&fd);
}

int procfs_open(struct donjon_error *err)
{
	int fd = open_private();

	return fd >= 0 ? fd : procfs_open_host(err);
}

/* Reads the link "self" or "thread-self": the caller's number in the pid namespace of that procfs,
 * which need not be the one getpid(2) tells. */
static ssize_t read_self(int proc_fd, const char *name, size_t name_len, char *buf, size_t size)
{
	char link[16];
	dj_auto_close int fd = -1;
	ssize_t n;

	(void)snprintf(link, sizeof(link), "%.*s", (int)name_len, name);
	fd = path_open_beneath(proc_fd, link, O_PATH | O_NOFOLLOW, 0);
	if (fd < 0)
		return fd;
	n = readlinkat(fd, "", buf, size);
	if (n < 0)
		return -errno;
	return (size_t)n < size ? n : -ENAMETOOLONG;
}

/* The two links of procfs that everybody needs are put in by hand, as none is ever followed. */
static int resolve_self(int proc_fd, char *path, size_t size)
{
	size_t first = strcspn(path, "/"), rest = strlen(path + first);
	char self[64];
	ssize_t len;

	if (strncmp(path, "self/", 5) != 0 && strncmp(path, "thread-self/", 12) != 0)
		return 0;
	len = read_self(proc_fd, path, first, self, sizeof(self));
	if (len < 0)
		return (int)len;
	if ((size_t)len + rest >= size)
		return -ENAMETOOLONG;
	memmove(path + len, path + first, rest + 1);
	memcpy(path, self, (size_t)len);
	return 0;
}

static int open_beneath(int proc_fd, int flags, const char *fmt, va_list ap)
{
	char path[PROC_PATH_MAX];
	int len = vsnprintf(path, sizeof(path), fmt, ap), r;

	if (len < 0 || (size_t)len >= sizeof(path))
		return -ENAMETOOLONG;
	r = resolve_self(proc_fd, path, sizeof(path));
	return r < 0 ? r : path_open_beneath(proc_fd, path, flags, 0);
}

int procfs_openat(int proc_fd, int flags, const char *fmt, ...)
{
	va_list ap;
	int fd;

	va_start(ap, fmt);
	fd = open_beneath(proc_fd, flags, fmt, ap);
	va_end(ap);
	return fd;
}

int procfs_follow(int proc_fd, const char *link, const char *fmt, ...)
{
	dj_auto_close int dir = -1;
	va_list ap;
	int fd;

	va_start(ap, fmt);
	dir = open_beneath(proc_fd, O_PATH | O_DIRECTORY, fmt, ap);
	va_end(ap);
	if (dir < 0)
		return dir;
	fd = openat(dir, link, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int procfs_open_namespace(int proc_fd, const char *path, struct donjon_error *err)
{
	dj_auto_close int handle = open(path, O_PATH | O_CLOEXEC);
	char link[16];
	struct statfs fs;
	int fd;

	if (handle < 0 || fstatfs(handle, &fs) < 0)
		return dj_fail_os(err, errno, "linux.namespaces: open %s", path);
	if (fs.f_type != NSFS_MAGIC)
		return dj_fail(err, DONJON_E_CONFIG, "linux.namespaces: %s is no namespace", path);
	(void)snprintf(link, sizeof(link), "%d", handle);
	fd = procfs_follow(proc_fd, link, "self/fd");
	return fd < 0 ? dj_fail_os(err, -fd, "linux.namespaces: open %s", path) : fd;
}

int procfs_ns_number(int ns_dir, const char *name, uint64_t *out)
{
	char link[64];
	ssize_t n = readlinkat(ns_dir, name, link, sizeof(link) - 1);
	const char *at;

	if (n < 0)
		return -errno;
	link[n] = '\0';
	at = strchr(link, '[');
	*out = at ? strtoull(at + 1, NULL, 10) : 0;
	return *out ? 0 : -EBADMSG;
}

int procfs_write(int proc_fd, const char *path, const char *text, struct donjon_error *err)
{
	dj_auto_close int fd = procfs_openat(proc_fd, O_WRONLY, "%s", path);
	size_t size = strlen(text);
	ssize_t n;

	if (fd < 0)
		return dj_fail_os(err, -fd, "open /proc/%s", path);
	n = write(fd, text, size); /* kernel files take a value in one piece or not at all */
	if (n < 0)
		return dj_fail_os(err, errno, "write /proc/%s", path);
	if ((size_t)n != size)
		return dj_fail(err, DONJON_E_SYSTEM, "write /proc/%s: only %zd of %zu bytes taken",
		               path, n, size);
	return 0;
}

ssize_t procfs_read(int proc_fd, const char *path, char *buf, size_t size, struct donjon_error *err)
{
	dj_auto_close int fd = procfs_openat(proc_fd, O_RDONLY, "%s", path);
	ssize_t n;

	if (fd < 0)
		return dj_fail_os(err, -fd, "open /proc/%s", path);
	n = file_read_kernel(fd, buf, size);
	return n < 0 ? dj_fail_os(err, (int)-n, "read /proc/%s", path) : n;
}
