#include "engine/container.h"

#include "base/cleanup.h"
#include "base/proc.h"

#include <string.h>

enum { LOCK_STEP_MS = 20, LOCK_WAIT_MS = 10 * 1000 };

int observer_init(struct observer *observer, struct donjon_error *err)
{
	observer->has_host = false;
	return proc_boot_id(observer->boot_id, err);
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
		return err->code == DONJON_E_NOT_FOUND ? not_found(id, err) :
							 dj_note(err, "container %s", id);
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
	dj_close(&container->dir);
	store_close(&container->store);
	dj_arena_done(&container->arena);
}

static bool is_this_boot(const struct store_record *record, const struct observer *observer)
{
	return strcmp(record->boot_id, observer->boot_id) == 0;
}

static bool is_frozen(const struct store_record *record, struct observer *observer)
{
	struct donjon_error ignored = { 0 }; /* what cannot be looked at is not frozen */
	const struct host_facts *host;
	struct cgroup cgroup = CGROUP_EMPTY;
	bool frozen;

	if (record->cgroup_path[0] == '\0')
		return false;
	host = observer_host(observer, &ignored);
	if (!host || cgroup_open(host, record->cgroup_path, &cgroup, &ignored) < 0)
		return false;
	frozen = cgroup_is_frozen(&cgroup) == 1;
	cgroup_close(&cgroup);
	return frozen;
}

enum store_status record_status(const struct store_record *record, int dir_fd,
				struct observer *observer)
{
	if (!is_this_boot(record, observer))
		return STORE_STOPPED;
	if (record->pid == 0)
		return STORE_CREATING;
	if (record->start_time == 0 || proc_start_time(record->pid) != record->start_time)
		return STORE_STOPPED;
	if (record->creating)
		return STORE_CREATING;
	if (store_gate_is_there(dir_fd))
		return STORE_CREATED;
	return is_frozen(record, observer) ? STORE_PAUSED : STORE_RUNNING;
}

enum store_status container_status(struct container *container)
{
	return record_status(&container->record, container->dir, &container->observer);
}

int container_pidfd(const struct container *container)
{
	const struct store_record *record = &container->record;

	if (!is_this_boot(record, &container->observer))
		return -1;
	return proc_open_identified(record->pid, record->start_time);
}

int container_cgroup(struct container *container, struct cgroup *out, struct donjon_error *err)
{
	const struct host_facts *host;

	*out = (struct cgroup)CGROUP_EMPTY;
	if (container->record.cgroup_path[0] == '\0')
		return 0;
	host = observer_host(&container->observer, err);
	if (!host)
		return -1;
	return cgroup_open(host, container->record.cgroup_path, out, err);
}
