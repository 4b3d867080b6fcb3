/* Ladder step (c) of design.md §3: an engine's overlay mounted once more, from id-mapped clones of
 * its layers. */
#ifndef LAUNCH_OVERLAY_H
#define LAUNCH_OVERLAY_H

#include "launch/outside.h"

#include <stdbool.h>

bool overlay_is_one(int tree);

/* A detached, read-only overlay with the files of o->root and the container's owners; nothing of
 * the layers is changed.  -1: it cannot be had, and the text says why. */
int overlay_rebuild(const struct outside *o, struct donjon_error *err);

#endif
