#include "engine/notify.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "plan/build.h"

#include <stdbool.h>
#include <string.h>

/* One that is not there is no reason not to run: a shell may have inherited the variable (T59). */
static int connect_manager(const struct donjon_runtime *runtime)
{
	int manager = runtime->notify_socket ? readiness_connect(runtime->notify_socket) : -1;

	if (runtime->notify_socket && manager < 0)
		log_warning("NOTIFY_SOCKET %s: %s: nobody is told that the container is ready",
		            runtime->notify_socket, strerror(-manager));
	return manager;
}

/* Of a caller without rights on the host the stage opens what is mounted, and the state directory
 * is the caller's alone. */
static bool is_reachable(const struct draft *draft)
{
	const struct oci_linux *config = &draft->spec.linux;
	const struct oci_namespace *userns = &config->namespaces[OCI_NS_USER];
	uint32_t own = draft->host.euid;

	if (!host_is_rootless(&draft->host) || !userns->set || userns->path)
		return true;
	for (size_t i = 0; i < config->uid_mappings.n; i++) {
		const struct oci_id_map *map = &config->uid_mappings.v[i];

		if (own >= map->host_id && own - map->host_id < map->size)
			return true;
	}
	log_warning("NOTIFY_SOCKET: linux.uidMappings leave out uid %u, whose state directory "
	            "holds the "
	            "socket: nobody is told that the container is ready",
	            own);
	return false;
}

int notify_plan(struct draft *draft, const struct donjon_runtime *runtime, char **variable,
                struct donjon_error *err)
{
	dj_auto_close int manager = connect_manager(runtime);
	char *root;

	*variable = NULL;
	if (manager < 0 || !is_reachable(draft))
		return 0;
	root = draft_absolute(draft, NULL, runtime_root(runtime, &draft->arena), err);
	if (!root)
		return -1;
	draft->notify = dj_arena_printf(&draft->arena, "%s/%s/" STORE_NOTIFY, root, draft->id);
	*variable = dj_arena_strdup(&draft->arena,
	                            "NOTIFY_SOCKET=" PLAN_NOTIFY "/" STORE_NOTIFY_SOCKET);
	return 0;
}

int notify_listen(const struct donjon_runtime *runtime, int dir, const struct store_record *record,
                  int pidfd, struct readiness *out, struct donjon_error *err)
{
	dj_auto_close int manager = connect_manager(runtime);
	dj_auto_close int socket =
	        manager < 0 ? -1 : store_notify_bind(dir, record->selinux_label, err);

	if (manager < 0)
		return 0;
	if (socket < 0) {
		if (err->code != DONJON_E_NOT_FOUND)
			return -1;
		log_debug("NOTIFY_SOCKET: %s", err->text);
		dj_error_clear(err);
		return 0;
	}
	if (readiness_open(out, socket, manager, pidfd, err) < 0)
		return -1;
	(void)dj_take_fd(&manager);
	return 0;
}

void notify_await(struct readiness *readiness, int dir, pid_t pid, int pidfd)
{
	if (readiness->report < 0)
		return;
	store_unlock(dir);
	readiness_await(readiness, pid, pidfd);
}
