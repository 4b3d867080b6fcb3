/* Detached trees that become the container's mounts: made outside with the host's rights, or by the
 * stage itself where there are none (rootless). */
#ifndef LAUNCH_SOURCES_H
#define LAUNCH_SOURCES_H

#include "base/error.h"
#include "plan/plan.h"

#include <stdbool.h>
#include <sys/types.h>

/* True for mounts whose tree the stage receives instead of making it. */
bool source_is_outside(const struct dj_plan *plan, const struct plan_mount *mount);

/* Whether the mount covers the very name of its destination, not what a link there leads to: asked for by
 * dest-nofollow, and meant when a link is mounted. */
bool source_covers_name(const struct plan_mount *mount, mode_t source);

/* Between the policy's look at a name and the clone of what it means, whoever may write in a directory of
 * its path may have put a link there: -1 if it is another file. */
int source_check_judged(int tree, const struct file_identity *judged, const char *pointer, const char *path,
			struct donjon_error *err);

/* A handle on what is `unseen`; -1 where a link leads to it, or is it (but with O_NOFOLLOW in `flags`). */
int source_open_unseen(const char *path, int flags, const char *pointer, struct donjon_error *err);

/* Clones the bind's source, whole if it is recursive. No attribute is set yet. */
int source_clone(const struct dj_plan *plan, const struct plan_mount *mount, struct donjon_error *err);

/* The sysfs that is mounted here, with all that is mounted below it, flags set. */
int source_clone_sysfs(const struct plan_mount *mount, struct donjon_error *err);

/* Flags and propagation, while nobody can see the mount (B08). */
int mount_set_attributes(int tree, const struct plan_mount *mount, struct donjon_error *err);

/* A new superblock with the mount's data options, detached.  `label`: context= or NULL. */
int filesystem_make(const struct dj_plan *plan, const struct plan_mount *mount, struct donjon_error *err);

/* By a member of the joined namespaces: their API file systems (sysfs, proc, mqueue), which
 * a process of another user namespace may not make (decision 5), in plan order. */
enum { SOURCES_OUTSIDE_FS_MAX = 8 };
bool sources_has_outside_fs(const struct dj_plan *plan);
int sources_prepare_joined(const struct dj_plan *plan, int fds[SOURCES_OUTSIDE_FS_MAX],
			   struct donjon_error *err);

/* Host id of a container id under the plan's maps; the id itself without a user namespace, and
 * (uint32_t)-1 where it is not mapped. */
uint32_t plan_host_id(const struct dj_plan *plan, struct plan_list maps, uint32_t id);

/* The same for what the container's root is to own: where 0 is not mapped, its first mapped id. */
uint32_t plan_owner_id(const struct dj_plan *plan, struct plan_list maps, uint32_t id);

#endif
