/* The user namespace that a container joins: the config's, or its pod's (decision 5). */
#ifndef ENGINE_USERNS_H
#define ENGINE_USERNS_H

#include "engine/draft.h"

/* Fills in the maps of a user namespace that the config joins without naming them, and finds the
 * owner of the other namespaces it joins, for the policy.  That one stays open in draft->userns. */
int userns_inspect(struct draft *draft, struct donjon_error *err);

/* The maps of a process's user namespace, in ids of ours.  proc: a verified procfs. */
int userns_read_maps(int proc, pid_t pid, struct dj_arena *arena, struct oci_id_maps *uids,
                     struct oci_id_maps *gids, struct donjon_error *err);

#endif
