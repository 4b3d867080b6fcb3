#include "engine/destroy.h"

#include "base/cleanup.h"
#include "base/sys.h"
#include "cgroup/cgroup.h"
#include "cgroup/scope.h"
#include "engine/hooks.h"
#include "engine/rdt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

enum { LOOK_MS = 50 }; /* longer than most ends take */

/* Who is in the container may have frozen others there, and goes on doing so until the signal arrives. */
static int await_end(int pidfd, const struct cgroup *cgroup, int timeout_ms)
{
	struct pollfd event = { .fd = pidfd, .events = POLLIN };
	int r = 0, waited = 0;

	while (r == 0 && (timeout_ms < 0 || waited < timeout_ms)) {
		r = poll(&event, 1, LOOK_MS);
		if (r < 0 && errno == EINTR)
			r = 0;
		if (r == 0 && cgroup)
			cgroup_thaw_below(cgroup);
		if (timeout_ms >= 0)
			waited += LOOK_MS;
	}
	return r;
}

int destroy_process(int pidfd, const struct cgroup *cgroup, int timeout_ms, struct donjon_error *err)
{
	int r = sys_pidfd_send_signal(pidfd, SIGKILL);

	if (r < 0 && r != -ESRCH)
		return dj_fail_os(err, -r, "kill the container");
	r = await_end(pidfd, cgroup, timeout_ms);
	if (r < 0)
		return dj_fail_os(err, errno, "wait for the container's end");
	if (r == 0)
		return dj_fail(err, DONJON_E_SYSTEM,
		               "the container did not end within %d s of SIGKILL",
		               timeout_ms / 1000);
	return 0;
}

static bool is_manager(const struct remains *r, const char *name)
{
	return r->record->cgroup_manager && strcmp(r->record->cgroup_manager, name) == 0;
}

static bool is_scope(const struct remains *r)
{
	return is_manager(r, "systemd") || is_manager(r, STORE_SYSTEMD_USER);
}

/* Recorded before it was made: without a process of ours in it, what lives there is not ours to end. */
static bool is_anothers(const struct remains *r)
{
	struct donjon_error ignored = { 0 };
	struct cgroup cgroup = CGROUP_EMPTY;
	dj_auto_free pid_t *pids = NULL;
	size_t n = 0;

	if (r->record->pid != 0 || (r->cgroup && r->cgroup->keeper > 0))
		return false;
	if (cgroup_open(r->host, r->record->cgroup_path, &cgroup, &ignored) == 0)
		(void)cgroup_pids(&cgroup, &pids, &n, &ignored);
	cgroup_close(&cgroup);
	return n > 0;
}

/* Its unit first, or systemd would go on with it; but that kills who is in it. */
static int remove_scope(const struct remains *r, struct donjon_error *err)
{
	const char *path = r->record->cgroup_path;
	bool user = is_manager(r, STORE_SYSTEMD_USER), later = is_anothers(r);

	if (!later && scope_stop(path, user, err) < 0)
		return -1;
	if (cgroup_remove(r->host, path, err) < 0)
		return -1;
	return later ? scope_stop(path, user, err) : 0;
}

static int remove_cgroup(const struct remains *r, struct donjon_error *err)
{
	return is_scope(r) ? remove_scope(r, err) : cgroup_remove(r->host, r->record->cgroup_path, err);
}

/* Whoever shared its pid namespace, or had it joined, may have left processes in the cgroup. */
static int destroy_cgroup(const struct remains *r, struct donjon_error *err)
{
	const char *path = r->record->cgroup_path;
	struct cgroup cgroup = CGROUP_EMPTY;
	int killed;

	if (!r->host || path[0] == '\0')
		return 0;
	if (r->record->pid == 0)
		return remove_cgroup(r, err);
	/* Mostly nobody is left, and the kernel says so by letting it go. */
	if (!is_scope(r) && cgroup_remove_unused(r->host, r->cgroup ? r->cgroup : &cgroup, path))
		return 0;
	if (cgroup_open(r->host, path, &cgroup, err) < 0)
		return -1;
	killed = cgroup_kill_all(&cgroup, SIGKILL, err);
	cgroup_close(&cgroup);
	return killed < 0 ? -1 : remove_cgroup(r, err);
}

int destroy(const struct remains *remains, struct donjon_error *err)
{
	const struct store_record *record = remains->record;
	int r = destroy_cgroup(remains, err);

	if (r == 0 && !remains->other_boot)
		r = rdt_destroy(record, err);
	/* With a group left behind the state stays, so that the removal can be repeated. */
	if (r == 0) {
		store_release_range(remains->store, record->id, record->id_range);
		r = store_remove(remains->store, record->id, remains->dir, err);
	}
	if (remains->hooks)
		hooks_poststop(remains->hooks, record);
	return r;
}
