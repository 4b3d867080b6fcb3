/* The sandbox's configuration and root directory: made here instead of read from a bundle. */
#ifndef ENGINE_SANDBOX_H
#define ENGINE_SANDBOX_H

#include "donjon/sandbox.h"
#include "engine/draft.h"

/* Fills draft->spec; draft->rootfs is where the root directory is or will be. */
int sandbox_spec(struct draft *draft, const struct donjon_sandbox_options *options,
                 struct donjon_error *err);

/* Fills draft->config with what later commands need of that. */
void sandbox_config(struct draft *draft);

/* Makes draft->rootfs, below the state directory, look like the host's root as far as links go: its
 * directories come as mounts of the spec. */
int sandbox_make_root(int state_dir, struct donjon_error *err);
#define SANDBOX_ROOT_NAME "rootfs"

#endif
