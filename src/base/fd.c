#include "base/fd.h"

#include "base/cleanup.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

enum { CLOSE_RANGE_CLOEXEC_ = 1U << 2, BACKLOG = 16 };

/* Aligned room for the descriptors of one message. */
union rights {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(FD_MESSAGE_MAX * sizeof(int))];
};

static void put_rights(struct msghdr *msg, union rights *rights, const int *fds, size_t n)
{
	struct cmsghdr *c = &rights->align;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	/* size_t in glibc, socklen_t in musl */
	c->cmsg_len = (__typeof__(c->cmsg_len))CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	msg->msg_control = rights;
	msg->msg_controllen = (__typeof__(msg->msg_controllen))CMSG_SPACE(n * sizeof(int));
}

int fd_send(int socket_fd, const void *data, size_t size, const int *fds, size_t n)
{
	union rights rights = { 0 };
	struct iovec iov = { .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t sent;

	if (n > FD_MESSAGE_MAX)
		return -E2BIG;
	memcpy(&iov.iov_base, &data, sizeof(data)); /* sendmsg(2) does not write through it */
	if (n > 0)
		put_rights(&msg, &rights, fds, n);
	do
		sent = sendmsg(socket_fd, &msg, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return -errno;
	return (size_t)sent == size ? 0 : -EMSGSIZE;
}

static void close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		(void)close(fds[i]);
}

/* Collects the descriptors of one control message; the surplus is counted, but closed. */
static size_t take_rights(const struct cmsghdr *c, int *fds, size_t room)
{
	size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	int got[FD_MESSAGE_MAX];

	memcpy(got, CMSG_DATA(c), n * sizeof(int));
	for (size_t i = 0; i < n; i++) {
		if (i < room)
			fds[i] = got[i];
		else
			(void)close(got[i]);
	}
	return n;
}

ssize_t fd_receive(int socket_fd, void *data, size_t size, int *fds, size_t *n)
{
	union rights rights = { 0 };
	struct iovec iov = { .iov_base = data, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov,
		              .msg_iovlen = 1,
		              .msg_control = &rights,
		              .msg_controllen = sizeof(rights) };
	const struct cmsghdr *c;
	size_t room = *n, got = 0;
	ssize_t len;

	*n = 0;
	do
		len = recvmsg(socket_fd, &msg, MSG_CMSG_CLOEXEC);
	while (len < 0 && errno == EINTR);
	if (len < 0)
		return -errno;
	/* Only rights are expected: nobody here asks for credentials, so there is one message. */
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		got = take_rights(c, fds, room);
	/* Descriptors without data would look like the end of file. */
	if (got > room || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || (len == 0 && got > 0)) {
		close_all(fds, got < room ? got : room);
		return -EBADMSG;
	}
	*n = got;
	return len;
}

int fd_cloexec_from(int first)
{
	return sys_close_range((unsigned)first, UINT_MAX, CLOSE_RANGE_CLOEXEC_);
}

int fd_close_from(int first)
{
	return sys_close_range((unsigned)first, UINT_MAX, 0);
}

int fd_move_up(int *fd, int at_least)
{
	int moved = fcntl(*fd, F_DUPFD_CLOEXEC, at_least);

	if (moved < 0)
		return -errno;
	(void)close(*fd);
	*fd = moved;
	return 0;
}

/* Opens the directory that holds the socket, for an address the kernel cannot take as it is. */
static int open_directory_of(int dir_fd, const char *path, size_t len)
{
	char dir[PATH_MAX];
	int fd;

	if (len >= sizeof(dir))
		return -ENAMETOOLONG;
	memcpy(dir, path, len);
	dir[len] = '\0';
	fd = openat(dir_fd, len > 0 ? dir : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* There is no connectat(2) and sun_path has 108 bytes: what is relative to a descriptor or longer
 * is named through /proc/self/fd.  *anchor must stay open while the address is used. */
static int make_address(int dir_fd, const char *path, struct sockaddr_un *addr, int *anchor)
{
	const char *slash = strrchr(path, '/');
	size_t dir_len = slash ? (size_t)(slash + 1 - path) : 0;
	int len;

	addr->sun_family = AF_UNIX;
	if (path[0] == '\0')
		return -ENOENT; /* an empty name would autobind */
	if ((dir_fd == AT_FDCWD || path[0] == '/') && strlen(path) < sizeof(addr->sun_path)) {
		strcpy(addr->sun_path, path);
		return 0;
	}
	*anchor = open_directory_of(dir_fd, path, dir_len);
	if (*anchor < 0)
		return *anchor;
	len = snprintf(addr->sun_path, sizeof(addr->sun_path), "/proc/self/fd/%d/%s", *anchor,
	               path + dir_len);
	return len < 0 || (size_t)len >= sizeof(addr->sun_path) ? -ENAMETOOLONG : 0;
}

int fd_connect_unix(int dir_fd, const char *path, int type)
{
	/* Of the connection as well: a listener that accepts nobody keeps us no longer. */
	const struct timeval patience = { .tv_sec = FD_PEER_WAIT_S };
	struct sockaddr_un addr = { 0 };
	dj_auto_close int anchor = -1, fd = -1;
	int r = make_address(dir_fd, path, &addr, &anchor);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return dj_take_fd(&fd);
}

int fd_bind_unix(int dir_fd, const char *path, int type, mode_t mode)
{
	struct sockaddr_un addr = { 0 };
	dj_auto_close int anchor = -1, fd = -1;
	int r = make_address(dir_fd, path, &addr, &anchor);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	/* The mode goes onto the socket before it has a name: never looser, not even briefly. */
	if (fd < 0 || fchmod(fd, mode) < 0 ||
	    bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	return dj_take_fd(&fd);
}

int fd_listen_unix(int dir_fd, const char *path, int type, mode_t mode)
{
	dj_auto_close int fd = fd_bind_unix(dir_fd, path, type, mode);

	if (fd < 0)
		return fd;
	return listen(fd, BACKLOG) < 0 ? -errno : dj_take_fd(&fd);
}
