/* Reads whole files with a limit and writes them atomically. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads a regular file of at most `max` bytes into a new NUL-terminated buffer (*out, free it).
 * Checked with fstat before any byte is read: FIFOs, devices and directories are errors, so this
 * cannot block (B04, T30).  `what` names the file in errors. */
int file_read_regular(int fd, size_t max, const char *what, char **out, size_t *out_size,
		      struct donjon_error *err);

/* Reads a kernel file (procfs, sysfs, cgroup) of at most size-1 bytes; -errno or the length.
 * The text is NUL-terminated and a final newline is removed. */
ssize_t file_read_kernel(int fd, char *buf, size_t size);

/* Writes all of it, retrying EINTR and short writes.  0 or -errno. */
int file_write_all(int fd, const void *data, size_t size);

/* Replaces dir_fd/name: temporary name in the same directory (O_EXCL), then rename.  No fsync
 * (decision 46).  On failure the temporary file is removed and the old content is intact. */
int file_replace(int dir_fd, const char *name, mode_t mode, const void *data, size_t size,
		 struct donjon_error *err);

/* Which file a name meant when it was looked at.  Names change: who may write in a directory of a path
 * can have it mean another file the next moment. */
struct file_identity {
	bool known;  /* or any file will do */
	bool unseen; /* nobody could look, and the name alone was judged: no link may lead elsewhere */
	uint64_t dev, ino;
};
int file_identify(int fd, struct file_identity *out); /* 0 or -errno */
bool file_is(int fd, const struct file_identity *identity);

#endif
