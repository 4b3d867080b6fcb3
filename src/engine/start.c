/* Letting a created container run (T2). */
#include "engine/container.h"
#include "engine/destroy.h"
#include "engine/hooks.h"
#include "engine/listener.h"
#include "engine/notify.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "launch/launch.h"

enum { KILL_WAIT_MS = 10 * 1000 };

static int check_status(enum store_status status, struct donjon_error *err)
{
	switch (status) {
	case STORE_CREATED:
		return 0;
	case STORE_STOPPED:
		return dj_fail(err, DONJON_E_STATUS, "cannot start a container that has stopped");
	case STORE_CREATING:
		return dj_fail(err, DONJON_E_STATUS,
		               "cannot start a container that is being created");
	case STORE_PAUSED:
		return dj_fail(err, DONJON_E_STATUS, "cannot start a paused container");
	default:
		return dj_fail(err, DONJON_E_STATUS, "cannot start an already running container");
	}
}

/* A start hook that failed takes the container with it (H4, H5, decision 47). */
static void destroy_failed(struct container *c, int pidfd, const struct dj_plan *hooks)
{
	struct donjon_error why = { 0 };
	struct cgroup cgroup = CGROUP_EMPTY;
	struct remains remains = {
		.store = &c->store,
		.dir = c->dir,
		.record = &c->record,
		.hooks = hooks,
	};

	remains.host = observer_host(&c->observer, &why);
	if (!remains.host || container_cgroup(c, &cgroup, &why) < 0 ||
	    destroy_process(pidfd, &cgroup, KILL_WAIT_MS, &why) < 0 || destroy(&remains, &why) < 0)
		log_warning("after a failed start: %s", why.text);
	cgroup_close(&cgroup);
}

static int run_poststart(struct container *c, int pidfd, struct donjon_error *err)
{
	struct dj_plan *plan = NULL;

	if (!c->record.poststart_hooks)
		return 0;
	if (hooks_load(c->dir, &c->record, &c->arena, &plan, err) == 0 &&
	    hooks_run(plan, OCI_HOOK_POSTSTART, &c->record, STORE_RUNNING, err) == 0)
		return 0;
	destroy_failed(c, pidfd, plan);
	return -1;
}

static int start(const struct donjon_runtime *runtime, struct container *c, int *pidfd,
                 struct readiness *readiness, struct donjon_error *err)
{
	struct listener listener = {
		.record = &c->record,
		.status = STORE_CREATED,
		.pid = c->record.pid,
	};
	struct launch_listener give = listener_for_launch(&listener);
	int status = container_status(c, err), r;

	if (status < 0 || check_status((enum store_status)status, err) < 0)
		return -1;
	r = container_process(c, pidfd, err);
	if (r <= 0)
		return r < 0 ? -1 : check_status(STORE_STOPPED, err);
	if (notify_listen(runtime, c->dir, &c->record, *pidfd, readiness, err) < 0)
		return -1;
	r = launch_start_gate(c->dir, c->record.pid, *pidfd, c->record.seccomp_filters, &give, err);
	/* Started or dead: in both cases nobody waits there any more. */
	store_gate_remove(c->dir);
	return r < 0 ? -1 : run_poststart(c, *pidfd, err);
}

int donjon_container_start(struct donjon_runtime *runtime, const char *id, struct donjon_error *err)
{
	struct container c = CONTAINER_EMPTY;
	struct readiness readiness = READINESS_NONE;
	dj_auto_close int pidfd = -1;
	int r = container_enter(runtime, id, &c, err);

	if (r == 0)
		r = container_lock(&c, id, err);
	if (r == 0)
		r = start(runtime, &c, &pidfd, &readiness, err);
	if (r == 0)
		notify_await(&readiness, c.dir, c.record.pid, pidfd);
	readiness_close(&readiness);
	container_close(&c);
	return r;
}
