/* What create and run share. */
#ifndef CLI_CREATE_H
#define CLI_CREATE_H

#include "cli/runtime.h"

int cli_create_options(const struct cli_options *o, struct donjon_create_options *out,
                       struct donjon_error *err);

/* --dry-run: exit status, or -1. */
int cli_dry_run(struct donjon_runtime *runtime, const char *id, const struct cli_options *o,
                const struct donjon_create_options *options, struct donjon_error *err);
bool cli_wants_json(const struct cli_options *o);

#endif
