/* libapparmor and libselinux, loaded by versioned soname only where that LSM is on (decision 36). */
#ifndef WRAP_LSM_H
#define WRAP_LSM_H

#include "base/error.h"

#include <stdbool.h>

bool apparmor_is_on(void);
/* 0: loaded; DONJON_E_CONFIG naming the profile otherwise. */
int apparmor_check_profile(const char *profile, struct donjon_error *err);

bool selinux_is_on(void);
int selinux_check_label(const char *label, struct donjon_error *err);
/* Of the sockets this thread makes from now on; NULL: its own again. */
int selinux_label_sockets(const char *label, struct donjon_error *err);

#endif
