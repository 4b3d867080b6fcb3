/* What this build supports, and configuration documents to start from.  Pure functions of the
 * build: no privileges, no files. */
#ifndef DONJON_FEATURES_H
#define DONJON_FEATURES_H

#include "donjon/error.h"

#include <stdbool.h>

/* The `features` document (contract X1-X14).  Free with donjon_free(). */
int donjon_features_json(char **json, struct donjon_error *err);

/* A config.json: runc's default document, or with hardened = true one that the `hardened` level
 * changes nothing in (decision 43).  rootless: for an unprivileged caller (F54). */
int donjon_spec_json(bool rootless, bool hardened, char **json, struct donjon_error *err);

const char *donjon_version(void); /* "0.1.0" */
const char *donjon_commit(void);

#endif
