/* What a program tells the service manager, and what a hostile one would have it believe. */
#include "prisoner.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int open_socket(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (path == NULL)
		errno = ENODATA;
	if (path == NULL || fd < 0)
		return -1;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	return connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 ? fd : -1;
}

/* 0 or an errno; fd >= 0 goes along. */
static int send_one(int socket, const char *text, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (char *)(uintptr_t)text, .iov_len = strlen(text) };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	if (fd >= 0) {
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? errno : 0;
}

/* As sd_notify_barrier(3): until whoever reads has read this and closed what came with it. */
static const char *pass_barrier(int socket)
{
	int ends[2];
	if (pipe(ends) < 0)
		return errno_name(errno);
	int error = send_one(socket, "BARRIER=1", ends[1]);
	close(ends[1]);
	struct pollfd closed = { .fd = ends[0] };
	const char *result = error != 0                    ? errno_name(error)
	                     : poll(&closed, 1, 5000) == 1 ? "ok"
	                                                   : "timeout";
	close(ends[0]);
	return result;
}

static int listen_somewhere(struct sockaddr_in *addr)
{
	socklen_t size = sizeof(*addr);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	*addr = (struct sockaddr_in){ .sin_family = AF_INET,
		                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (bind(listener, (struct sockaddr *)addr, size) < 0 || listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)addr, &size) < 0)
		return -1;
	return listener;
}

/* A socket that whoever closes it last has to wait for: its peer never reads what is on the way. */
static int cling_to(const struct sockaddr_in *addr)
{
	const struct linger linger = { .l_onoff = 1, .l_linger = 1000 };
	static const char data[65536];
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0)
		return -1;
	while (send(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
	return setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0 ? fd : -1;
}

/* In a child, whose end waits for nobody: if that is the last to close it, no harm is done. */
static const char *pass_clinging(int socket)
{
	struct sockaddr_in addr;
	int status = 0;
	if (listen_somewhere(&addr) < 0)
		return errno_name(errno);
	pid_t child = fork();
	if (child == 0) {
		int fd = cling_to(&addr);
		_exit(fd < 0 ? errno : send_one(socket, "FDSTORE=1", fd));
	}
	waitpid(child, &status, 0);
	return errno_name(WEXITSTATUS(status));
}

/* notify MESSAGE...: "fd:MESSAGE" with a descriptor, "barrier" for one, "linger" with a bad one;
 * prints what became of each. */
int cmd_notify(int argc, char **argv)
{
	int socket = open_socket();
	int error = errno;
	json_open(NULL, '{');
	json_text("socket", socket < 0 ? errno_name(error) : "ok");
	json_open("sent", '[');
	for (int i = 1; socket >= 0 && i < argc; i++) {
		if (strcmp(argv[i], "barrier") == 0)
			json_text(NULL, pass_barrier(socket));
		else if (strcmp(argv[i], "linger") == 0)
			json_text(NULL, pass_clinging(socket));
		else if (strncmp(argv[i], "fd:", 3) == 0)
			json_text(NULL, errno_name(send_one(socket, argv[i] + 3, socket)));
		else
			json_text(NULL, errno_name(send_one(socket, argv[i], -1)));
	}
	json_close(']');
	json_close('}');
	json_line();
	if (socket >= 0)
		close(socket);
	return 0;
}

/* A child that says nothing of interest, and never stops. */
int cmd_flood(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	int socket = open_socket();
	if (socket < 0)
		return 1;
	if (fork() == 0)
		while (send_one(socket, "STATUS=busy", socket) == 0)
			;
	close(socket);
	return 0;
}
