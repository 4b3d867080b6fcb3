/* Descriptors: sent, received, moved out of the way, always close-on-exec from birth (B15). */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stddef.h>
#include <sys/types.h>

enum { FD_MESSAGE_MAX = 64 }; /* descriptors in one message */

/* One packet with up to FD_MESSAGE_MAX descriptors.  0 or -errno. EINTR is retried; no SIGPIPE. */
int fd_send(int socket_fd, const void *data, size_t size, const int *fds, size_t n);

/* Receives one packet.  *n is the room in fds on entry, the number received on return.  Returns
 * the packet's size, 0 at end of file, or -errno (-EBADMSG: truncated, or too many descriptors;
 * everything received is then closed). */
ssize_t fd_receive(int socket_fd, void *data, size_t size, int *fds, size_t *n);

/* Marks every descriptor >= first close-on-exec.  0 or -errno. */
int fd_cloexec_from(int first);

/* Closes every descriptor >= first, really.  0 or -errno. */
int fd_close_from(int first);

/* Points *fd to a close-on-exec duplicate at a number >= at_least and closes the old one. */
int fd_move_up(int *fd, int at_least);

/* Connects to a Unix socket path of any length (through /proc/self/fd where it does not fit
 * sun_path, contract K3), or binds there (mode under the caller's umask), or binds and listens.
 * Descriptor or -errno.  Who does not take a connection, or what is sent, is waited for so long. */
enum { FD_PEER_WAIT_S = 30 };
int fd_connect_unix(int dir_fd, const char *path, int type);
int fd_bind_unix(int dir_fd, const char *path, int type, mode_t mode);
int fd_listen_unix(int dir_fd, const char *path, int type, mode_t mode);

#endif
