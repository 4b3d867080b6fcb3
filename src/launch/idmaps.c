/* Writes id maps, and makes user namespaces that exist only to id-map a mount. */
#include "launch/outside.h"

#include "base/cleanup.h"
#include "base/procfs.h"
#include "base/sys.h"
#include "launch/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	HELPER_TIMEOUT_S = 10, /* it may ask a directory service */
	HELPER_PATH_MAX = 64,
};
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

/* Where package uidmap's programs are; the caller's PATH has no say (V6). */
static const char *const helper_dirs[] = {
	"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin",
};

/* -ENOENT: it is not installed. */
static int find_helper(const char *name, char *path, size_t size)
{
	for (size_t i = 0; i < DJ_COUNT(helper_dirs); i++) {
		int fd;

		(void)snprintf(path, size, "%s/%s", helper_dirs[i], name);
		fd = open(path, O_PATH | O_CLOEXEC);
		if (fd >= 0 || errno != ENOENT)
			return fd >= 0 ? fd : -errno;
	}
	return -ENOENT;
}

bool launch_may_map_granted_ids(void)
{
	char path[HELPER_PATH_MAX];
	dj_auto_close int uids = find_helper("newuidmap", path, sizeof(path));
	dj_auto_close int gids = find_helper("newgidmap", path, sizeof(path));

	return uids >= 0 && gids >= 0;
}

static int open_helper(const char *name, char *path, size_t size, struct donjon_error *err)
{
	int fd = find_helper(name, path, size);

	if (fd == -ENOENT)
		return dj_fail(err, DONJON_E_UNSUPPORTED,
			       "ids other than the caller's own need %s, which is not installed (package "
			       "uidmap)",
			       name);
	return fd < 0 ? dj_fail_os(err, -fd, "open %s", path) : fd;
}

/* newuidmap PID INSIDE OUTSIDE COUNT...; it runs as root and decides by /etc/subuid. */
static int have_map_written(const char *name, pid_t pid, const struct oci_id_map *map, size_t n,
			    struct donjon_error *err)
{
	enum { FIRST = 2, NUMBER_SIZE = 11 };
	char *const envp[] = { NULL };
	char path[HELPER_PATH_MAX], number[NUMBER_SIZE];
	dj_auto_free char **argv = calloc(FIRST + 3 * n + 1, sizeof(*argv));
	dj_auto_free char *text = calloc(3 * n, NUMBER_SIZE);
	dj_auto_close int helper = open_helper(name, path, sizeof(path), err);

	if (helper < 0)
		return -1;
	if (!argv || !text)
		return dj_fail_os(err, ENOMEM, "run %s", name);
	(void)snprintf(number, sizeof(number), "%d", (int)pid);
	argv[0] = path;
	argv[1] = number;
	for (size_t i = 0; i < 3 * n; i++) {
		const struct oci_id_map *line = &map[i / 3];
		const uint32_t values[] = { line->container_id, line->host_id, line->size };

		argv[FIRST + i] = text + i * NUMBER_SIZE;
		(void)snprintf(argv[FIRST + i], NUMBER_SIZE, "%u", values[i % 3]);
	}
	return hook_execute(helper, path, argv, envp, "/", HELPER_TIMEOUT_S, "", err);
}

static int set_map(struct outside *o, const char *file, const char *helper, bool granted,
		   struct plan_list list, struct donjon_error *err)
{
	const struct oci_id_map *map = plan_items(o->plan, list, struct oci_id_map);

	return granted ? have_map_written(helper, o->pid, map, list.n, err)
		       : write_map(o->proc, o->pid, file, map, list.n, err);
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
	if (set_map(o, "uid_map", "newuidmap", plan->uid_map_granted, plan->uid_maps, err) < 0)
		return dj_note(err, "linux.uidMappings");
	if (set_map(o, "gid_map", "newgidmap", plan->gid_map_granted, plan->gid_maps, err) < 0)
		return dj_note(err, "linux.gidMappings");
	return 0;
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
	int fd = -1;

	if (owner < 0)
		return -1;
	if (write_map(o->proc, pid, "uid_map", uids, n_uids, err) == 0 &&
	    write_map(o->proc, pid, "gid_map", gids, n_gids, err) == 0) {
		fd = procfs_follow(o->proc, "user", "%d/ns", (int)pid);
		if (fd < 0)
			(void)dj_fail_os(err, -fd, "open the user namespace of an id-mapped mount");
	}
	(void)sys_pidfd_send_signal(owner, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return fd;
}
