/*
 * The one way to /proc: opened once, proved to be the root of a procfs (magic, inode 1), and then
 * only walked beneath, without links and without crossing mounts (rules B06, B07; CVE-2019-16884,
 * CVE-2025-52881).
 */
#ifndef BASE_PROCFS_H
#define BASE_PROCFS_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A private, detached procfs of the caller's pid namespace; where that is refused (rootless
 * outside its own namespaces) the caller's /proc after verification.  Returns an O_PATH directory
 * descriptor or -1. */
int procfs_open(struct donjon_error *err);

/* Only the second half: the caller's /proc, verified.  Cheaper, and enough to read about other
 * processes of the host.  Returns an O_PATH directory descriptor or -1. */
int procfs_open_host(struct donjon_error *err);

/* Opens proc_fd/<fmt...> beneath, no links, no mounts crossed; a leading "self/" or "thread-self/"
 * means the caller as that procfs numbers it.  -errno on failure. */
int procfs_openat(int proc_fd, int flags, const char *fmt, ...) DJ_PRINTF(3, 4);

/* Opens for reading what a magic link in the directory proc_fd/<fmt...> stands for: a namespace, an open
 * file.  Only the link itself is followed.  -errno on failure. */
int procfs_follow(int proc_fd, const char *link, const char *fmt, ...) DJ_PRINTF(3, 4);

/* A namespace by its path, which is anybody's: opened for reading only once it is known to be one (B04). */
int procfs_open_namespace(int proc_fd, const char *path, struct donjon_error *err);

/* The number in "net:[4026531840]", a namespace's inode's: read from the link NAME in /proc/PID/ns, which
 * costs half of following it.  0 or -errno. */
int procfs_ns_number(int ns_dir, const char *name, uint64_t *out);

/* One full write(2) of the text into the file; a short write is an error. */
int procfs_write(int proc_fd, const char *path, const char *text, struct donjon_error *err);

/* Reads the file into buf (NUL-terminated).  Returns the length or -1; too long is an error. */
ssize_t procfs_read(int proc_fd, const char *path, char *buf, size_t size, struct donjon_error *err);

#endif
