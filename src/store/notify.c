/* The directory with the socket at which a container's program reports that it is ready (V3). */
#include "base/cleanup.h"
#include "base/fd.h"
#include "store/store.h"
#include "wrap/lsm.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static const char name[] = STORE_NOTIFY_SOCKET;

static int open_directory(int dir_fd)
{
	return openat(dir_fd, STORE_NOTIFY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int store_notify_make(int dir_fd, const char *label, struct donjon_error *err)
{
	dj_auto_close int dir = -1;

	if (mkdirat(dir_fd, STORE_NOTIFY, 0755) < 0)
		return dj_fail_os(err, errno, "make the directory of the notification socket");
	dir = open_directory(dir_fd);
	if (dir < 0 || fchmod(dir, 0755) < 0) /* whatever the umask is */
		return dj_fail_os(err, errno,
		                  "set the mode of the notification socket's directory");
	if (label && fsetxattr(dir, "security.selinux", label, strlen(label) + 1, 0) < 0)
		return dj_fail_os(err, errno,
		                  "linux.mountLabel: put it on the notification socket's directory");
	return 0;
}

/* SELinux asks a sender for two things: to write the file, which takes its type from the directory,
 * and to send to the socket.  That gets the program's own label: containers may send to themselves,
 * but not to every socket of whoever started them. */
static int bind_labelled(int dir, const char *label, struct donjon_error *err)
{
	dj_auto_close int fd = -1;

	if (label[0] && selinux_label_sockets(label, err) < 0)
		return dj_note(err, "label the notification socket");
	fd = fd_bind_unix(dir, name, SOCK_DGRAM, 0600);
	if (fd < 0)
		(void)dj_fail_os(err, -fd, "make the notification socket");
	if (label[0] && selinux_label_sockets(NULL, err) < 0)
		return -1;
	return dj_take_fd(&fd);
}

int store_notify_bind(int dir_fd, const char *label, struct donjon_error *err)
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
	fd = bind_labelled(dir, label, err);
	if (fd < 0)
		return -1;
	/* Whoever the program runs as; the state directory around it is private. */
	if (fchmodat(dir, name, 0777, 0) < 0)
		return dj_fail_os(err, errno, "set the mode of the notification socket");
	return dj_take_fd(&fd);
}
