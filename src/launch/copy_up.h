/* tmpcopyup (OPT5): what the image has at the destination is copied into the new tmpfs. */
#ifndef LAUNCH_COPY_UP_H
#define LAUNCH_COPY_UP_H

#include "base/error.h"
#include "plan/plan.h"

/* Copies the directory at `path` inside root into the (writable, not yet attached) tree: files,
 * directories and links with owners, modes and extended attributes; nothing special, and nothing that
 * this user namespace may not read.  The tree's top is changed as well only if `with_top`. */
int copy_up(int root, const char *path, int tree, bool with_top, struct donjon_error *err);

#endif
