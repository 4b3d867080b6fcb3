/* The hooks that run on the host: prestart, createRuntime, poststart, poststop (H rows). */
#ifndef ENGINE_HOOKS_H
#define ENGINE_HOOKS_H

#include "base/arena.h"
#include "oci/spec.h"
#include "plan/plan.h"
#include "store/store.h"

const char *hooks_kind_name(enum oci_hook_kind kind);

/* In order, with the state as of now on stdin; the first failure ends it (J7). */
int hooks_run(const struct dj_plan *plan, enum oci_hook_kind kind,
              const struct store_record *record, enum store_status status,
              struct donjon_error *err);

/* All of them, whatever happens: what is gone cannot fail any more (H6, decision 47). */
void hooks_poststop(const struct dj_plan *plan, const struct store_record *record);

/* For containers made by an earlier command: a plan that holds only the hooks of the configuration
 * kept at create (S15). */
int hooks_load(int state_dir, const struct store_record *record, struct dj_arena *arena,
               struct dj_plan **out, struct donjon_error *err);

#endif
