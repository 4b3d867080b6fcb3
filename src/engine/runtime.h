/* What the global options of a command line are to the engine. */
#ifndef ENGINE_RUNTIME_H
#define ENGINE_RUNTIME_H

#include "base/arena.h"
#include "donjon/container.h"
#include "store/store.h"

struct donjon_runtime {
	struct dj_arena arena;
	char *root; /* NULL: the default, found when it is needed */
	char *cgroup_manager;
	int level; /* enum policy_level, or -1 */
	char *policy_file;
	const char **overrides;
	size_t n_overrides;
	char *notify_socket; /* of a service manager, or NULL */
};

/* The state directory.  Without `create` a missing one is DONJON_E_NOT_FOUND. */
int runtime_open_store(const struct donjon_runtime *runtime, bool create, struct store *out,
                       struct donjon_error *err);

/* The path it has or would have. */
char *runtime_root(const struct donjon_runtime *runtime, struct dj_arena *arena);

/* Takes over what a caller built against an older header knows of a struct of ours: its first
 * member is its size, members it lacks stay zero. */
void options_copy(void *to, size_t to_size, const void *from);

#endif
