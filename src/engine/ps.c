/* Which processes are in a container (contract N6, T11). */
#include "engine/container.h"

static int list(struct container *c, pid_t **pids, size_t *n, struct donjon_error *err)
{
	int status = container_status(c, err), r;
	struct cgroup cgroup;

	*pids = NULL;
	*n = 0;
	if (status < 0)
		return -1;
	if (c->record.cgroup_path[0] == '\0')
		return status == STORE_STOPPED
		               ? 0
		               : dj_fail(err, DONJON_E_UNSUPPORTED,
		                         "container %s has no cgroup: its processes are not known",
		                         c->record.id);
	r = container_cgroup(c, &cgroup, err);
	if (r == 0)
		r = cgroup_pids(&cgroup, pids, n, err);
	cgroup_close(&cgroup);
	return r;
}

int donjon_container_processes(struct donjon_runtime *runtime, const char *id, pid_t **pids,
                               size_t *n, struct donjon_error *err)
{
	struct container c = CONTAINER_EMPTY;
	int r = container_open(runtime, id, &c, err);

	if (r == 0)
		r = list(&c, pids, n, err);
	container_close(&c);
	return r;
}
