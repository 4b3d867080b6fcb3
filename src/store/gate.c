/* The socket a created container waits at. */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/sys.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char gate[] = "gate";

int store_gate_listen(int dir_fd, struct donjon_error *err)
{
	int fd = fd_listen_unix(dir_fd, gate, SOCK_SEQPACKET, 0600);

	return fd < 0 ? dj_fail_os(err, -fd, "make the start socket") : fd;
}

int store_gate_is_there(int dir_fd, struct donjon_error *err)
{
	if (faccessat(dir_fd, gate, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT ? 0 : dj_fail_os(err, errno, "look for the start socket");
}

/* Before the stage took it over, the socket named whoever made it: perhaps a program with many
 * containers. */
static bool is_stage(pid_t pid)
{
	static const char stage[] = "/memfd:donjon-stage";
	char path[32], exe[sizeof(stage)];

	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	return readlink(path, exe, sizeof(exe)) >= (ssize_t)sizeof(stage) - 1 &&
	       memcmp(exe, stage, sizeof(stage) - 1) == 0;
}

int store_gate_waiter(int dir_fd)
{
	dj_auto_close int wire = fd_connect_unix(dir_fd, gate, SOCK_SEQPACKET);
	dj_auto_close int pidfd = -1, again = -1;
	struct ucred waiter = { 0 };
	socklen_t size = sizeof(waiter);

	if (wire < 0 || getsockopt(wire, SOL_SOCKET, SO_PEERCRED, &waiter, &size) < 0 ||
	    waiter.pid <= 0)
		return -1;
	pidfd = sys_pidfd_open(waiter.pid, 0);
	/* Still there once the pidfd holds its number: so the number is not somebody else's. */
	again = fd_connect_unix(dir_fd, gate, SOCK_SEQPACKET);
	return again >= 0 && is_stage(waiter.pid) ? dj_take_fd(&pidfd) : -1;
}

void store_gate_remove(int dir_fd)
{
	(void)unlinkat(dir_fd, gate, 0); /* gone is what is wanted */
}
