/* The socket a created container waits at. */
#include "base/fd.h"
#include "store/store.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char gate[] = "gate";

int store_gate_listen(int dir_fd, struct donjon_error *err)
{
	int fd = fd_listen_unix(dir_fd, gate, SOCK_SEQPACKET, 0600);

	return fd < 0 ? dj_fail_os(err, -fd, "make the start socket") : fd;
}

bool store_gate_is_there(int dir_fd)
{
	return faccessat(dir_fd, gate, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void store_gate_remove(int dir_fd)
{
	(void)unlinkat(dir_fd, gate, 0); /* gone is what is wanted */
}
