/* What this build supports, and configuration documents to start from.  No privileges and no files
 * are needed; the kernel is asked only for what differs between kernels (seccomp flags, openat2) and
 * for the caller's ids and the host's CPUs. */
#ifndef DONJON_FEATURES_H
#define DONJON_FEATURES_H

#include "donjon/error.h"

#include <stdbool.h>

#pragma GCC visibility push(default)

/* The `features` document (contract X1-X14).  Free with donjon_free(). */
int donjon_features_json(char **json, struct donjon_error *err);

/* A config.json: runc's default document, or with hardened = true one in which the `hardened` level
 * has nothing to change but the user namespace: its range of host ids is picked for each container
 * (decision 43).  rootless: for an unprivileged caller (F54), who may not be able to limit resources:
 * there the level adds the limits that can be had. */
int donjon_spec_json(bool rootless, bool hardened, char **json, struct donjon_error *err);

const char *donjon_version(void); /* "0.1.0" */
const char *donjon_commit(void);

#pragma GCC visibility pop

#endif
