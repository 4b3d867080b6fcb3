/* Signals (contract S1-S6, T3). */
#include "engine/container.h"

#include "base/cleanup.h"
#include "base/proc.h"
#include "base/sys.h"

#include <errno.h>
#include <signal.h>

static int not_running(struct donjon_error *err)
{
	/* Callers take exactly this for "already stopped" (M3, E1, E4). */
	return dj_fail(err, DONJON_E_STATUS, "container not running: no such process");
}

static bool is_open(const struct cgroup *cgroup)
{
	return cgroup->v2 >= 0 || cgroup->n_v1 > 0;
}

/* S4: the whole container dies only through its cgroup where its processes share the host's pid
 * namespace, and --all means everything even if the first process is gone (Z7). */
static int kill_all(struct container *c, int sig, struct donjon_error *err)
{
	struct cgroup cgroup;
	int r = container_cgroup(c, &cgroup, err);

	if (r == 0 && is_open(&cgroup))
		r = cgroup_kill_all(&cgroup, sig, err);
	cgroup_close(&cgroup);
	return r;
}

/* 1: the first process is gone, others are not. */
static int has_orphans(struct container *c, struct donjon_error *err)
{
	pid_t *pids = NULL;
	struct cgroup cgroup;
	size_t n = 0;
	int r = container_cgroup(c, &cgroup, err);

	if (r == 0)
		r = cgroup_pids(&cgroup, &pids, &n, err);
	cgroup_close(&cgroup);
	free(pids);
	return r < 0 ? -1 : n > 0;
}

/* On v1 a frozen process stays frozen whatever it is sent (S5). */
static int thaw(struct container *c, struct donjon_error *err)
{
	struct cgroup cgroup;
	int r = container_cgroup(c, &cgroup, err);

	if (r == 0 && is_open(&cgroup) && cgroup_is_frozen(&cgroup) == 1)
		r = cgroup_freeze(&cgroup, false, err);
	if (r == 0)
		cgroup_thaw_below(&cgroup);
	cgroup_close(&cgroup);
	return r;
}

static int kill_init(const struct container *c, int pidfd, int sig, struct donjon_error *err)
{
	int r = sys_pidfd_send_signal(pidfd, sig);

	if (r == -ESRCH)
		return not_running(err);
	return r < 0 ? dj_fail_os(err, -r, "signal container %s", c->record.id) : 0;
}

static int kill_container(struct container *c, int sig, bool all, struct donjon_error *err)
{
	bool has_cgroup = c->record.cgroup_path[0] != '\0';
	/* Where the host's pid namespace is shared, SIGKILL is for everybody (S3). */
	bool by_cgroup = sig == SIGKILL && has_cgroup && !c->record.private_pid_ns;
	dj_auto_close int pidfd = -1;
	int alive = container_process(c, &pidfd, err);

	if (alive < 0)
		return -1;
	if (c->record.creating && (alive || c->record.pid == 0))
		return dj_fail(err, DONJON_E_STATUS, "container %s is being created", c->record.id);
	if (all && has_cgroup)
		return kill_all(c, sig, err); /* nobody left is success (C6) */
	if (!alive && by_cgroup) {
		alive = has_orphans(c, err);
		if (alive < 0)
			return -1;
	}
	if (!alive)
		return all ? 0 : not_running(err);
	if (by_cgroup)
		return kill_all(c, sig, err);
	if (kill_init(c, pidfd, sig, err) < 0)
		return -1;
	return sig == SIGKILL ? thaw(c, err) : 0;
}

int donjon_container_kill(struct donjon_runtime *runtime, const char *id, const char *signal,
                          bool all, struct donjon_error *err)
{
	struct container c = CONTAINER_EMPTY;
	int sig = signal ? proc_signal_number(signal) : SIGTERM;
	int r;

	if (sig < 0)
		return dj_fail(err, DONJON_E_USAGE, "unknown signal \"%.64s\"", signal);
	r = container_open(runtime, id, &c, err);
	if (r == 0)
		r = kill_container(&c, sig, all, err);
	container_close(&c);
	return r;
}
