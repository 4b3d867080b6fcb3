/* Writes id maps, and makes user namespaces that exist only to id-map a mount. */
#include "launch/outside.h"

#include "base/cleanup.h"
#include "base/procfs.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAP_TEXT_MAX = 4095 }; /* the kernel takes less than a page, and 340 lines */

static int write_map(int proc, pid_t pid, const char *file, const struct oci_id_map *map, size_t n,
		     struct donjon_error *err)
{
	char text[MAP_TEXT_MAX + 1] = "", path[64];
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%u %u %u\n",
					 map[i].container_id, map[i].host_id, map[i].size);
		if (used >= sizeof(text))
			return dj_fail(err, DONJON_E_CONFIG,
				       "%s: longer than the %d bytes the kernel takes", file, MAP_TEXT_MAX);
	}
	(void)snprintf(path, sizeof(path), "%d/%s", (int)pid, file);
	return procfs_write(proc, path, text, err);
}

int write_id_maps(struct outside *o, uint32_t row, struct donjon_error *err)
{
	const struct dj_plan *plan = o->plan;
	char path[64];

	(void)row;
	/* Before gid_map, or an unprivileged writer is refused (B23; CVE-2014-8989). */
	if (plan->deny_setgroups) {
		(void)snprintf(path, sizeof(path), "%d/setgroups", (int)o->pid);
		if (procfs_write(o->proc, path, "deny", err) < 0)
			return -1;
	}
	if (write_map(o->proc, o->pid, "uid_map", plan_items(plan, plan->uid_maps, struct oci_id_map),
		      plan->uid_maps.n, err) < 0)
		return -1;
	return write_map(o->proc, o->pid, "gid_map", plan_items(plan, plan->gid_maps, struct oci_id_map),
			 plan->gid_maps.n, err);
}

/* A process that does nothing but own a user namespace while its maps are written. */
static int clone_owner(pid_t *pid, struct donjon_error *err)
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_NEWUSER | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	int r = sys_clone3(&args);

	if (r == 0) {
		/* Holds nothing of ours and goes when we go. */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || sys_close_range(0, ~0U, 0) < 0)
			_exit(1);
		for (;;)
			(void)pause();
	}
	if (r < 0)
		return dj_fail_os(err, -r, "clone a user namespace for an id-mapped mount");
	*pid = r;
	return pidfd;
}

int outside_idmap_userns(struct outside *o, const struct oci_id_map *uids, size_t n_uids,
			 const struct oci_id_map *gids, size_t n_gids, struct donjon_error *err)
{
	pid_t pid = 0;
	dj_auto_close int owner = clone_owner(&pid, err);
	char path[64];
	int fd = -1;

	if (owner < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "%d/ns/user", (int)pid);
	if (write_map(o->proc, pid, "uid_map", uids, n_uids, err) == 0 &&
	    write_map(o->proc, pid, "gid_map", gids, n_gids, err) == 0) {
		fd = openat(o->proc, path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			(void)dj_fail_os(err, errno, "open the user namespace of an id-mapped mount");
	}
	(void)sys_pidfd_send_signal(owner, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return fd;
}
