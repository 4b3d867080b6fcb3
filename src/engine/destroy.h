/* Takes a container apart, in the reverse order of its making. */
#ifndef ENGINE_DESTROY_H
#define ENGINE_DESTROY_H

#include "base/host.h"
#include "cgroup/cgroup.h"
#include "plan/plan.h"
#include "store/store.h"

/* What there is of it.  The record says which cgroup and which id range are the container's. */
struct remains {
	struct store *store;
	int dir; /* its state directory */
	const struct store_record *record;
	const struct host_facts *host; /* NULL: no cgroup to remove */
	bool other_boot;               /* nothing of the kernel's is its own any more */
	const struct cgroup *cgroup;   /* still open since it was made, or NULL */
	const struct dj_plan *hooks;   /* poststop hooks to run at the end, or NULL */
};

int destroy(const struct remains *remains, struct donjon_error *err);

/* SIGKILL by pidfd, and waits for the end: as long as it takes if timeout_ms < 0.  Meanwhile what is frozen
 * in the cgroup (NULL: it has none) is thawed. */
int destroy_process(int pidfd, const struct cgroup *cgroup, int timeout_ms, struct donjon_error *err);

#endif
