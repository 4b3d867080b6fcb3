/* Our own AppArmor profile, where a container is to have it (decision 49). */
#ifndef ENGINE_LSM_H
#define ENGINE_LSM_H

#include "engine/draft.h"

/* Loads the profile if the policy chose it and the kernel does not have it; a failure names the
 * command that would. */
int lsm_prepare(const struct draft *draft, struct donjon_error *err);

#endif
