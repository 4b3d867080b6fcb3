#include "engine/deliver.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

int deliver_fd(const char *socket_path, const char *what, int fd, struct donjon_error *err)
{
	dj_auto_close int socket_fd = fd_connect_unix(AT_FDCWD, socket_path, SOCK_STREAM);
	int r;

	if (socket_fd < 0)
		return dj_fail_os(err, -socket_fd, "connect to %s socket %s", what, socket_path);
	/* The payload is a name for the descriptor; peers only want it not to be empty. */
	r = fd_send(socket_fd, what, strlen(what), &fd, 1);
	return r < 0 ? dj_fail_os(err, -r, "send to %s socket %s", what, socket_path) : 0;
}

int deliver_handles(const char *console_socket, int *console, const char *pidfd_socket, int pidfd,
                    struct donjon_error *err)
{
	if (console_socket) {
		if (deliver_fd(console_socket, "console", *console, err) < 0)
			return -1;
		dj_close(console);
	}
	return pidfd_socket ? deliver_fd(pidfd_socket, "pidfd", pidfd, err) : 0;
}

int deliver_check_terminal(bool terminal, const char *console_socket, bool foreground,
                          struct donjon_error *err)
{
	if (terminal && !foreground && !console_socket)
		return dj_fail(err, DONJON_E_USAGE,
		               "cannot allocate tty if the runtime will detach without setting "
		               "console socket");
	if (console_socket && !terminal)
		return dj_fail(err, DONJON_E_USAGE,
		               "cannot use a console socket: process.terminal is not set");
	if (console_socket && foreground)
		return dj_fail(err, DONJON_E_USAGE, "cannot use a console socket without --detach");
	return 0;
}

/* Opens the directory; *name is the last component. */
static int open_parent(const char *path, const char **name, struct donjon_error *err)
{
	char parent[PATH_MAX] = ".";
	const char *slash = strrchr(path, '/');
	int fd;

	*name = slash ? slash + 1 : path;
	if (slash && (size_t)(slash - path) + 1 < sizeof(parent))
		(void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path + 1), path);
	fd = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? dj_fail_os(err, errno, "pid file %s", path) : fd;
}

/* What can be known before anything runs: that there is room, and in it nothing of somebody else's. */
int deliver_check_pid_file(const char *path, struct donjon_error *err)
{
	const char *name;
	dj_auto_close int dir = open_parent(path, &name, err);
	struct stat st;

	if (dir < 0)
		return -1;
	if (faccessat(dir, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return dj_fail_os(err, errno, "pid file %s", path);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT && *name ? 0 : dj_fail_os(err, errno, "pid file %s", path);
	if (!S_ISREG(st.st_mode))
		return dj_fail(err, DONJON_E_USAGE, "pid file %s exists and is not a regular file",
		               path);
	if (st.st_uid != geteuid())
		return dj_fail(err, DONJON_E_USAGE, "pid file %s exists and belongs to uid %u",
		               path, st.st_uid);
	return 0;
}

int deliver_pid_file(const char *path, pid_t pid, struct donjon_error *err)
{
	char text[16];
	const char *name;
	dj_auto_close int dir = open_parent(path, &name, err);
	int len = snprintf(text, sizeof(text), "%d", (int)pid);

	if (dir < 0)
		return -1;
	if (file_replace(dir, name, 0644, text, (size_t)len, err) < 0)
		return dj_note(err, "pid file %s", path);
	return 0;
}

int deliver_check_preserved(unsigned listen_fds, unsigned count, struct donjon_error *err)
{
	for (unsigned i = 0; i < count; i++) {
		int fd = (int)(STDERR_FILENO + 1 + i), flags = fcntl(fd, F_GETFD);

		/* Close-on-exec cannot be the caller's: it would not have survived our own exec. */
		if (flags >= 0 && !(flags & FD_CLOEXEC))
			continue;
		if (i < listen_fds)
			return dj_fail(err, DONJON_E_USAGE, "LISTEN_FDS=%u: descriptor %d is not open",
			               listen_fds, fd);
		return dj_fail(err, DONJON_E_USAGE, "--preserve-fds %u: descriptor %d is not open",
		               count - listen_fds, fd);
	}
	return 0;
}
