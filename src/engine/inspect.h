/* What the policy must know of the host and cannot look at itself, since it is pure. */
#ifndef ENGINE_INSPECT_H
#define ENGINE_INSPECT_H

#include "engine/draft.h"

/* Fills the request from the runtime's choices and the policy file. */
int inspect_policy_request(struct draft *draft, const struct donjon_runtime *runtime,
                           const struct donjon_create_options *options, struct donjon_error *err);

/* Fills its hook_flaws. */
void inspect_hooks(struct draft *draft);

/* Fills its granted_uids and granted_gids. */
void inspect_subids(struct draft *draft);

/* Fills its sources (bind mounts), rootfs_is_overlay, privileged_gids, cpus, hook_flaws,
 * granted ids and selinux_type.  What cannot be seen stays "not looked at": the policy then judges by name. */
void inspect_for_policy(struct draft *draft);

/* What of it concerns a process that joins a container, whose own one is `configured`. */
void inspect_for_joining(struct draft *draft, const struct oci_process *configured);

#endif
