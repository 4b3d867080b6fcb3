#include "engine/container.h"

#include "base/cleanup.h"
#include "base/proc.h"
#include "base/procfs.h"
#include "base/sys.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

enum { LOCK_STEP_MS = 20, LOCK_WAIT_MS = 10 * 1000 };

int observer_init(struct observer *observer, struct donjon_error *err)
{
	observer_done(observer);
	observer->proc = procfs_open_host(err);
	observer->has_proc = observer->proc >= 0;
	return observer->has_proc ? proc_boot_id(observer->proc, observer->boot_id, err) : -1;
}

void observer_done(struct observer *observer)
{
	if (observer->has_proc)
		dj_close(&observer->proc);
	if (observer->has_freezer)
		dj_close(&observer->freezer.root);
	observer->has_proc = observer->has_host = observer->has_freezer = false;
}

const struct host_facts *observer_host(struct observer *observer, struct donjon_error *err)
{
	if (!observer->has_host) {
		observer->host = (struct host_facts){ 0 };
		if (cgroup_probe(&observer->host, err) < 0)
			return NULL;
		observer->has_host = true;
	}
	return &observer->host;
}

static const struct cgroup_freezer *observer_freezer(struct observer *observer,
                                                     struct donjon_error *err)
{
	const struct host_facts *host = observer_host(observer, err);

	if (!host)
		return NULL;
	if (!observer->has_freezer && cgroup_freezer_open(host, &observer->freezer, err) < 0)
		return NULL;
	observer->has_freezer = true;
	return &observer->freezer;
}

static int not_found(const char *id, struct donjon_error *err)
{
	dj_error_clear(err);
	return dj_fail(err, DONJON_E_NOT_FOUND, "container does not exist: %s", id);
}

int container_enter(const struct donjon_runtime *runtime, const char *id, struct container *out,
                    struct donjon_error *err)
{
	if (store_check_id(id, err) < 0)
		return -1;
	if (runtime_open_store(runtime, false, &out->store, err) < 0)
		return err->code == DONJON_E_NOT_FOUND ? not_found(id, err) : -1;
	out->dir = store_enter(&out->store, id, err);
	return out->dir < 0 ? -1 : 0;
}

int container_read(struct container *container, const char *id, struct donjon_error *err)
{
	if (store_read(container->dir, &container->arena, &container->record, err) < 0)
		return err->code == DONJON_E_NOT_FOUND ? not_found(id, err)
		                                       : dj_note(err, "container %s", id);
	/* A copied directory must not make us signal the original's process. */
	if (strcmp(container->record.id, id) != 0)
		return dj_fail(err, DONJON_E_CONFIG, "container %s: %s is another container's", id,
		               STORE_STATE_FILE);
	return observer_init(&container->observer, err);
}

int container_open(const struct donjon_runtime *runtime, const char *id, struct container *out,
                   struct donjon_error *err)
{
	if (container_enter(runtime, id, out, err) < 0)
		return -1;
	return container_read(out, id, err);
}

static bool is_in_hooks(struct container *container, const char *id)
{
	struct donjon_error not_yet = { 0 };

	return container_read(container, id, &not_yet) == 0 && container->record.creating &&
	       container->record.pid != 0;
}

int container_lock(struct container *container, const char *id, struct donjon_error *err)
{
	for (unsigned waited = 0;; waited += LOCK_STEP_MS) {
		if (store_lock(container->dir, LOCK_STEP_MS, err) == 0)
			return container_read(container, id, err);
		if (err->code != DONJON_E_STATUS || waited >= LOCK_WAIT_MS)
			return -1;
		dj_error_clear(err);
		if (is_in_hooks(container, id))
			return 0;
	}
}

void container_close(struct container *container)
{
	observer_done(&container->observer);
	dj_close(&container->dir);
	store_close(&container->store);
	dj_arena_done(&container->arena);
}

static bool is_this_boot(const struct store_record *record, const struct observer *observer)
{
	return strcmp(record->boot_id, observer->boot_id) == 0;
}

static bool has_ended(int pidfd)
{
	struct pollfd event = { .fd = pidfd, .events = POLLIN };

	return poll(&event, 1, 0) == 1;
}

int record_process(const struct store_record *record, const struct observer *observer, int *pidfd,
                   struct donjon_error *err)
{
	dj_auto_close int fd = -1;
	uint64_t start_time;

	if (record->pid == 0 || !is_this_boot(record, observer))
		return 0;
	fd = sys_pidfd_open(record->pid, 0);
	/* EINVAL, ENOENT: the number is a thread's by now. */
	if (fd == -ESRCH || fd == -EINVAL || fd == -ENOENT)
		return 0;
	if (fd < 0)
		return dj_fail_os(err, -fd, "look at process %d of container %s", (int)record->pid,
		                  record->id);
	/* Looked at while the pidfd holds it: what is seen is what the pidfd means. */
	start_time = proc_start_time_in(observer->proc, record->pid);
	if (start_time == 0 && !has_ended(fd))
		return dj_fail(err, DONJON_E_SYSTEM, "cannot identify process %d of container %s",
		               (int)record->pid, record->id);
	if (start_time != record->start_time || has_ended(fd))
		return 0;
	*pidfd = dj_take_fd(&fd);
	return 1;
}

static int is_frozen(const struct store_record *record, struct observer *observer,
                     struct donjon_error *err)
{
	const struct cgroup_freezer *freezer;
	int frozen;

	if (record->cgroup_path[0] == '\0')
		return 0;
	freezer = observer_freezer(observer, err);
	if (!freezer)
		return -1;
	frozen = cgroup_freezer_ask(freezer, record->cgroup_path);
	return frozen < 0 ? dj_fail_os(err, -frozen, "look at cgroup /%s of container %s",
	                               record->cgroup_path, record->id)
	                  : frozen;
}

/* One look mostly tells; a pidfd is for those who want to do something with the process. */
static int is_alive(const struct store_record *record, const struct observer *observer,
                    struct donjon_error *err)
{
	dj_auto_close int pidfd = -1;

	if (is_this_boot(record, observer) &&
	    proc_runs_since(observer->proc, record->pid, record->start_time))
		return 1;
	return record_process(record, observer, &pidfd, err);
}

int record_status(const struct store_record *record, int dir_fd, struct observer *observer,
                  struct donjon_error *err)
{
	int yes;

	if (record->pid == 0 && record->creating && is_this_boot(record, observer))
		return STORE_CREATING;
	yes = is_alive(record, observer, err);
	if (yes <= 0)
		return yes < 0 ? -1 : STORE_STOPPED;
	if (record->creating)
		return STORE_CREATING;
	/* A created container may be paused, too (T7): it can then only be resumed or killed. */
	yes = is_frozen(record, observer, err);
	if (yes != 0)
		return yes < 0 ? -1 : STORE_PAUSED;
	yes = store_gate_is_there(dir_fd, err);
	return yes < 0 ? -1 : yes ? STORE_CREATED : STORE_RUNNING;
}

int container_status(struct container *container, struct donjon_error *err)
{
	return record_status(&container->record, container->dir, &container->observer, err);
}

int container_process(const struct container *container, int *pidfd, struct donjon_error *err)
{
	return record_process(&container->record, &container->observer, pidfd, err);
}

bool container_is_of_this_boot(const struct container *container)
{
	return is_this_boot(&container->record, &container->observer);
}

int container_cgroup(struct container *container, struct cgroup *out, struct donjon_error *err)
{
	const struct host_facts *host;

	*out = (struct cgroup)CGROUP_EMPTY;
	if (container->record.cgroup_path[0] == '\0' ||
	    !container_is_of_this_boot(container))
		return 0;
	host = observer_host(&container->observer, err);
	if (!host)
		return -1;
	return cgroup_open(host, container->record.cgroup_path, out, err);
}
