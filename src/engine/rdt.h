/* A container's group of resctrl, from its making to its removal (P55-P57, F66). */
#ifndef ENGINE_RDT_H
#define ENGINE_RDT_H

#include "cgroup/resctrl.h"
#include "engine/creation.h"
#include "engine/exec.h"
#include "store/store.h"

/* Makes what the plan wants and opens the way in, which c->rdt_tasks is then. */
int rdt_create(struct creation *c, struct donjon_error *err);
/* The container is made: a group that has a name of its own outlives it (P57). */
void rdt_settle(const struct dj_plan *plan, struct store_record *record);
/* What is recorded of it as the container's own. */
int rdt_destroy(const struct store_record *record, struct donjon_error *err);
/* The way in, for a further process. */
int rdt_join(struct joining *j, struct donjon_error *err);

/* `lines`: new schemata of a container that has a group.  `before` (RESCTRL_SCHEMATA_MAX bytes):
 * those it had, to be given back by rdt_restore() if what comes next fails. */
int rdt_update(const struct store_record *record, const char *lines, char *before,
               struct donjon_error *err);
void rdt_restore(const struct store_record *record, const char *before);

/* An empty object for a container without a group. */
struct json_value *rdt_stats(const struct store_record *record);

#endif
