/* A draft as text or JSON: what --dry-run prints. */
#ifndef ENGINE_EXPLAIN_H
#define ENGINE_EXPLAIN_H

#include "engine/draft.h"

/* Decides the loaded draft, reserving nothing, and renders it.  A refusal by the policy is not an
 * error: *refused is set, and the text says why. */
int explain_draft(struct draft *draft, const struct donjon_runtime *runtime,
                  const struct donjon_create_options *options, bool json, bool *refused,
                  char **text, struct donjon_error *err);

#endif
