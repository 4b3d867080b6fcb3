/* Removing containers (contract S7-S11, T4, T5). */
#include "engine/container.h"
#include "engine/destroy.h"
#include "engine/hooks.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <signal.h>

enum { KILL_WAIT_MS = 10 * 1000 };

static bool may_delete(enum store_status status)
{
	/* Created ones are killed: the specification wants stopped, callers need this (S8). */
	return status == STORE_STOPPED || status == STORE_CREATED;
}

/* SIGKILL for what shares the host's pid namespace goes through the cgroup (S4); for the rest the
 * first process takes all others with it. */
static int end_processes(struct container *c, struct donjon_error *err)
{
	dj_auto_close int pidfd = -1;
	struct cgroup cgroup;
	int r = container_process(c, &pidfd, err);

	if (r <= 0)
		return r;
	r = container_cgroup(c, &cgroup, err);
	if (r == 0 && (cgroup.v2 >= 0 || cgroup.n_v1 > 0)) {
		if (!c->record.private_pid_ns)
			r = cgroup_kill_all(&cgroup, SIGKILL, err);
		else if (cgroup_is_frozen(&cgroup) == 1)
			r = cgroup_freeze(&cgroup, false, err);
	}
	if (r == 0)
		r = destroy_process(pidfd, &cgroup, KILL_WAIT_MS, err);
	cgroup_close(&cgroup);
	return r;
}

/* A created container whose record is lost, or lies, still waits at its gate. */
static int end_waiter(const struct container *c, struct donjon_error *err)
{
	dj_auto_close int pidfd = store_gate_waiter(c->dir);

	return pidfd < 0 ? 0 : destroy_process(pidfd, NULL, KILL_WAIT_MS, err);
}

static int remove_it(struct container *c, struct donjon_error *err)
{
	struct remains remains = { .store = &c->store, .dir = c->dir, .record = &c->record };
	struct donjon_error no_hooks = { 0 };
	struct dj_plan *plan = NULL;
	int ours = store_is_entry(&c->store, c->record.id, c->dir, err);

	/* Its maker may have been quicker, where we went on without the lock: then the name, and
	 * the cgroup of that name, may be a new container's. */
	if (ours <= 0)
		return ours;
	remains.other_boot = !container_is_of_this_boot(c);
	if (c->record.cgroup_path[0] != '\0' && !remains.other_boot) {
		remains.host = observer_host(&c->observer, err);
		if (!remains.host)
			return -1;
	}
	if (c->record.poststop_hooks &&
	    hooks_load(c->dir, &c->record, &c->arena, &plan, &no_hooks) < 0)
		log_warning("poststop hooks are lost: %s", no_hooks.text);
	remains.hooks = plan;
	return destroy(&remains, err);
}

static int delete_read(struct container *c, bool force, struct donjon_error *err)
{
	/* By force its status does not matter. */
	int status = force ? STORE_STOPPED : container_status(c, err);

	if (status < 0)
		return -1;
	if (!may_delete((enum store_status)status))
		return dj_fail(err, DONJON_E_STATUS,
		               "cannot delete container %s that is not stopped: %s", c->record.id,
		               store_status_name((enum store_status)status));
	if (end_processes(c, err) < 0 || (force && end_waiter(c, err) < 0))
		return -1;
	return remove_it(c, err);
}

/* Without a state file that can be read nothing is known of it but its name (S10, T66). */
static int delete_unreadable(struct container *c, const char *id, struct donjon_error *err)
{
	int ours;

	/* A record that was never written, or that is gone, names nobody; one that cannot be read may have:
	 * nobody is signalled on its word, and nobody is forgotten silently. */
	if (err->code != DONJON_E_NOT_FOUND) {
		(void)dj_note(err, "container %s is removed, but what may still run of it goes on: its "
		                   "record cannot be read", id);
		donjon_log_error(err);
	}
	dj_error_clear(err);
	/* Mostly somebody else's removal came first, and the name may be a new container's by now. */
	ours = store_is_entry(&c->store, id, c->dir, err);
	if (ours <= 0)
		return ours;
	if (end_waiter(c, err) < 0)
		return -1;
	store_release_ranges(&c->store, id);
	return store_remove(&c->store, id, c->dir, err);
}

/* A start that hangs is what --force is for.  Who is still creating has no process yet that could be
 * ended, and would go on without a record. */
static int delete_unlocked(struct container *c, const char *id, struct donjon_error *err)
{
	struct donjon_error unread = { 0 };

	if (container_read(c, id, &unread) < 0 || (c->record.creating && c->record.pid == 0))
		return -1;
	dj_error_clear(err);
	return delete_read(c, true, err);
}

static int delete_entered(struct container *c, const char *id, bool force, struct donjon_error *err)
{
	int r = container_lock(c, id, err);

	if (r < 0 && force && err->code == DONJON_E_STATUS)
		return delete_unlocked(c, id, err);
	if (r == 0)
		return delete_read(c, force, err);
	return force ? delete_unreadable(c, id, err) : -1;
}

int donjon_container_delete(struct donjon_runtime *runtime, const char *id, bool force,
                            struct donjon_error *err)
{
	struct container c = CONTAINER_EMPTY;
	int r = container_enter(runtime, id, &c, err);

	if (r == 0) {
		r = delete_entered(&c, id, force, err);
	} else if (force && err->code == DONJON_E_NOT_FOUND) {
		dj_error_clear(err); /* C5 */
		r = 0;
	}
	container_close(&c);
	return r;
}
