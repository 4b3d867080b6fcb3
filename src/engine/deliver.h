/* What a caller of create or run is handed: terminal, pidfd, pid file (contract K rows). */
#ifndef ENGINE_DELIVER_H
#define ENGINE_DELIVER_H

#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

/* One message with one descriptor; nobody is waited for (K1, K2, K6). */
int deliver_fd(const char *socket_path, const char *what, int fd, struct donjon_error *err);

/* The master of the terminal, which is then closed, and a pidfd, to the sockets that are asked for (not
 * NULL).  Before the pid file: its absence is how conmon tells a failure (K4). */
int deliver_handles(const char *console_socket, int *console, const char *pidfd_socket, int pidfd,
                    struct donjon_error *err);

/* Can the terminal be handed to somebody (M8, F15)?  foreground: we relay it ourselves. */
int deliver_check_terminal(bool terminal, const char *console_socket, bool foreground,
                           struct donjon_error *err);

/* Refuses, before anything is made, a pid file that could not be replaced without harm (T47). */
int deliver_check_pid_file(const char *path, struct donjon_error *err);
/* Decimal, no newline, by rename (K7). */
int deliver_pid_file(const char *path, pid_t pid, struct donjon_error *err);

/* Every descriptor must be there (F19): those of LISTEN_FDS, then those of --preserve-fds; `count` is all. */
int deliver_check_preserved(unsigned listen_fds, unsigned count, struct donjon_error *err);

#endif
