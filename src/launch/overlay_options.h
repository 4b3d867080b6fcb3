/* An overlay's options as the kernel prints them, understood well enough to mount the same layers
 * once more without a writable one. */
#ifndef LAUNCH_OVERLAY_OPTIONS_H
#define LAUNCH_OVERLAY_OPTIONS_H

#include "base/arena.h"

enum { OVERLAY_LAYERS_MAX = 500 }; /* the kernel's own limit */

struct overlay_option {
	const char *key, *value; /* value NULL: a flag */
};

struct overlay_options {
	const char *upper;                     /* NULL: it has none */
	const char *lower[OVERLAY_LAYERS_MAX]; /* topmost first */
	size_t n_lower;
	struct overlay_option kept[16]; /* what the layers mean depends on them */
	size_t n_kept;
};

/* Everything below belongs to the arena.  -1: something in it is not understood, and the text says
 * what (decision 10). */
int overlay_options_read(const char *options, struct dj_arena *arena, struct overlay_options *out,
                         struct donjon_error *err);

#endif
