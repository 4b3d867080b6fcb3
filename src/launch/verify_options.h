/* What a mount was given as data, compared with what the kernel says of it (B40). */
#ifndef LAUNCH_VERIFY_OPTIONS_H
#define LAUNCH_VERIFY_OPTIONS_H

#include "launch/inside.h"

int verify_options(const struct inside *s, const struct plan_mount *mount, const char *path,
		   struct donjon_error *err);

#endif
