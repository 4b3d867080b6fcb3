/* The layers of an overlay, opened before it is made: a name may mean another directory the moment after it
 * was judged, a descriptor may not. */
#ifndef LAUNCH_OVERLAY_LAYERS_H
#define LAUNCH_OVERLAY_LAYERS_H

#include "base/error.h"
#include "plan/plan.h"

enum {
	OVERLAY_HELD_MAX = 502,          /* what the kernel takes, a writable one and its work directory */
	OVERLAY_OPTION_SIZE = 16 * 1024, /* so many times "::/proc/self/fd/" and any number */
};

/* To be held until the file system is made: before Linux 6.5 it looks names up no earlier. */
struct overlay_layers {
	int fds[OVERLAY_HELD_MAX];
	size_t n;
};

/* Opens what the option names and compares it with what was judged: the option with the names of the
 * descriptors, in `text`; as it is if it names no layer or nobody has judged them; NULL on error. */
const char *overlay_layers_open(const struct dj_plan *plan, const struct plan_mount *mount, const char *option,
				struct overlay_layers *layers, char text[OVERLAY_OPTION_SIZE],
				struct donjon_error *err);
void overlay_layers_close(struct overlay_layers *layers);

#endif
