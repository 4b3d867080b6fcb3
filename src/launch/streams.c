/* Standard streams that are the host's null device become the container's own: the host's is a node that
 * root of a container with its owner's rights can chmod, and callers may have opened it for reading alone
 * (go-runc's null streams; V8). */
#include "launch/inside.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static bool is_null(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

/* 0: a running container may have put anything else there (B04), or nothing, and can be joined still. */
static int open_null(const struct inside *s, int *out, struct donjon_error *err)
{
	const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	dj_auto_close int handle = path_open_in_root(s->root, "/dev/null", O_PATH | O_NOFOLLOW, 0);
	dj_auto_close int fd = -1;

	if (handle < 0 || !is_null(handle))
		return 0;
	fd = path_open_in_root(s->root, "/dev/null", flags, 0);
	if (fd < 0)
		return dj_fail_os(err, -fd, "open /dev/null for the standard streams");
	if (!is_null(fd))
		return 0;
	if (fcntl(fd, F_SETFL, 0) < 0)
		return dj_fail_os(err, errno, "make /dev/null wait");
	*out = dj_take_fd(&fd);
	return 1;
}

static int make_in(int tree, int *out)
{
	if (mknodat(tree, "null", S_IFCHR | 0666, makedev(1, 3)) < 0 ||
	    fchmodat(tree, "null", 0666, 0) < 0) /* whatever the umask is */
		return -errno;
	*out = openat(tree, "null", O_RDWR | O_NOCTTY | O_CLOEXEC);
	return *out < 0 ? -errno : 1;
}

/* In the place of one that a running container took away, so that it is not left with the host's.  0: none may be
 * made (in a user namespace, whose root does not own the host's either). */
static int make_null(int *out, struct donjon_error *err)
{
	dj_auto_close int fs = sys_fsopen("tmpfs"), tree = -1;
	int r = fs;

	if (r >= 0)
		r = sys_fsconfig(fs, SYS_FSCONFIG_CREATE, NULL, NULL, 0);
	if (r >= 0)
		r = tree = sys_fsmount(fs, SYS_MOUNT_ATTR_NOSUID | SYS_MOUNT_ATTR_NOEXEC);
	if (r >= 0)
		r = make_in(tree, out);
	if (r == -EPERM)
		return 0;
	return r < 0 ? dj_fail_os(err, -r, "make a null device for the standard streams") : r;
}

static int take_null(const struct inside *s, int *out, struct donjon_error *err)
{
	int r = open_null(s, out, err);

	return r == 0 ? make_null(out, err) : r;
}

int own_null(struct inside *s, uint32_t row, struct donjon_error *err)
{
	dj_auto_close int null = -1;
	int r;

	(void)row;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (!is_null(fd))
			continue;
		if (null < 0 && (r = take_null(s, &null, err)) <= 0)
			return r;
		if (dup2(null, fd) < 0)
			return dj_fail_os(err, errno, "put /dev/null on descriptor %d", fd);
	}
	return 0;
}
