/* Freezing a container's processes, and letting them go on (contract T7, T8, M7). */
#include "engine/container.h"

static int not_running(struct donjon_error *err)
{
	return dj_fail(err, DONJON_E_STATUS, "container not running");
}

static int may_pause(enum store_status status, struct donjon_error *err)
{
	return status == STORE_CREATED || status == STORE_RUNNING ? 0 : not_running(err);
}

static int may_resume(enum store_status status, struct donjon_error *err)
{
	return status == STORE_PAUSED ? 0 : dj_fail(err, DONJON_E_STATUS, "container not paused");
}

static int freeze(struct container *c, bool frozen, struct donjon_error *err)
{
	struct donjon_error ignored = { 0 };
	struct cgroup cgroup;
	int r;

	if (c->record.cgroup_path[0] == '\0')
		return dj_fail(err, DONJON_E_UNSUPPORTED,
		               "container %s has no cgroup: it cannot be paused", c->record.id);
	r = container_cgroup(c, &cgroup, err);
	if (r == 0)
		r = cgroup_freeze(&cgroup, frozen, err);
	/* Who is told that it did not go on must not find it running. */
	if (r < 0 && !frozen)
		(void)cgroup_freeze(&cgroup, true, &ignored);
	cgroup_close(&cgroup);
	return r;
}

/* The end of the container is the end of its cgroup, and comes when it likes. */
static int explain(struct container *c, struct donjon_error *err)
{
	struct donjon_error ignored = { 0 };

	if (container_status(c, &ignored) != STORE_STOPPED)
		return -1;
	dj_error_clear(err);
	return not_running(err);
}

static int change(struct donjon_runtime *runtime, const char *id, bool frozen,
                  int (*may)(enum store_status status, struct donjon_error *err),
                  struct donjon_error *err)
{
	struct container c = CONTAINER_EMPTY;
	int r = container_enter(runtime, id, &c, err), status;

	/* Locked: a start whose stage is frozen half-way would hang. */
	if (r == 0)
		r = container_lock(&c, id, err);
	if (r == 0) {
		status = container_status(&c, err);
		r = status < 0 ? -1 : may((enum store_status)status, err);
	}
	if (r == 0 && freeze(&c, frozen, err) < 0)
		r = explain(&c, err);
	container_close(&c);
	return r;
}

int donjon_container_pause(struct donjon_runtime *runtime, const char *id, struct donjon_error *err)
{
	return change(runtime, id, true, may_pause, err);
}

int donjon_container_resume(struct donjon_runtime *runtime, const char *id,
                            struct donjon_error *err)
{
	return change(runtime, id, false, may_resume, err);
}
