/* The directory with the socket at which a container's program reports that it is ready (V3). */
#include "base/cleanup.h"
#include "base/fd.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

static const char name[] = STORE_NOTIFY_SOCKET;

static int open_directory(int dir_fd)
{
	return openat(dir_fd, STORE_NOTIFY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int store_notify_make(int dir_fd, struct donjon_error *err)
{
	dj_auto_close int dir = -1;

	if (mkdirat(dir_fd, STORE_NOTIFY, 0755) < 0)
		return dj_fail_os(err, errno, "make the directory of the notification socket");
	dir = open_directory(dir_fd);
	if (dir < 0 || fchmod(dir, 0755) < 0) /* whatever the umask is */
		return dj_fail_os(err, errno,
		                  "set the mode of the notification socket's directory");
	return 0;
}

int store_notify_bind(int dir_fd, struct donjon_error *err)
{
	dj_auto_close int dir = open_directory(dir_fd), fd = -1;

	if (dir < 0 && errno == ENOENT)
		return dj_fail(err, DONJON_E_NOT_FOUND,
		               "the container was made without a notification socket");
	if (dir < 0)
		return dj_fail_os(err, errno, "open the directory of the notification socket");
	/* Of a start that was ended before anything ran. */
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return dj_fail_os(err, errno, "remove an old notification socket");
	fd = fd_bind_unix(dir, name, SOCK_DGRAM, 0600);
	if (fd < 0)
		return dj_fail_os(err, -fd, "make the notification socket");
	/* Whoever the program runs as; the state directory around it is private. */
	if (fchmodat(dir, name, 0777, 0) < 0)
		return dj_fail_os(err, errno, "set the mode of the notification socket");
	return dj_take_fd(&fd);
}
