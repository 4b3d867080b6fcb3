/*
 * Resolves paths relative to a directory descriptor and cannot leave it (rules B01-B05).
 *
 * Everything below a container's root, a state directory or a cgroup goes through here.  Image
 * paths may contain symbolic links, which are resolved as if the root descriptor were "/"
 * (openat2 RESOLVE_IN_ROOT).  Where openat2 is refused (ENOSYS, or EPERM under a filter) a
 * component-by-component O_PATH walker of equal strength takes over; path_uses_fallback() says so.
 */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

/* Opens `path` inside `root_fd`, links resolved inside it, magic links refused.  flags as open(2);
 * O_CLOEXEC is added.  Returns the descriptor or -errno: callers decide whether absence is an error. */
int path_open_in_root(int root_fd, const char *path, int flags, mode_t mode);

/* The same for paths whose every component has a fixed, known name (proc, cgroup, state): no
 * symbolic link, no crossing of mounts, nothing above `dir_fd`.  Returns the descriptor or -errno. */
int path_open_beneath(int dir_fd, const char *path, int flags, mode_t mode);

/* Makes sure the directory exists inside the root, creating missing parents (mode under the caller's
 * umask, owner the caller's fsuid); returns an O_PATH descriptor or -1.  Existing symbolic links are followed inside
 * the root; an existing non-directory is an error. */
int path_make_dir(int root_fd, const char *path, mode_t mode, struct donjon_error *err);

/* Makes sure something a mount can cover exists at `path` inside the root: a directory, or an
 * empty regular file when `want_dir` is false (an existing non-directory of any type is accepted).
 * Never opens an unknown inode with a data mode (B04).  Returns an O_PATH descriptor or -1. */
int path_make_mount_point(int root_fd, const char *path, bool want_dir, struct donjon_error *err);

/* The same for the name itself: a link that has it is returned, not followed. */
int path_make_mount_point_unfollowed(int root_fd, const char *path, bool want_dir,
				     struct donjon_error *err);

/* Opens the parent directory of `path` inside the root (O_PATH), creating it when `make` is set,
 * and sets *out_name to the last component (points into `path`).  -1 if it has none. */
int path_open_parent(int root_fd, const char *path, bool make, const char **out_name,
		     struct donjon_error *err);

/* Copies `path` into buf as an absolute path without ".", empty or ".." components (lexically, as
 * for an absolute path: "/.." is "/").  Returns 0 or -ENAMETOOLONG. */
int path_clean(const char *path, char *buf, size_t size);

/* True if `path` (clean) is `prefix` (clean) or lies below it. */
bool path_has_prefix(const char *path, const char *prefix);

/* Whether openat2 is refused to this process; tried if it was not yet known. */
bool path_uses_fallback(void);

/* For tests: take the walker although openat2 works (and back). */
void path_force_fallback(bool on);

#endif
