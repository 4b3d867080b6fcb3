/*
 * Between clone3 and the stage's first instruction: a copy of the calling process, possibly of a
 * threaded one, so only plain system calls are allowed here.  Everything that needs a library
 * happens before the clone or in the stage.
 */
#include "launch/outside.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/procfs.h"
#include "base/sys.h"
#include "launch/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

static int join_all(const int *tasks, size_t n, const char *what, struct donjon_error *err)
{
	for (size_t i = 0; i < n; i++)
		if (tasks[i] >= 0 && write(tasks[i], "0", 1) != 1)
			return dj_fail_os(err, errno, "join %s: write tasks", what);
	return 0;
}

int child_join_cgroups(const struct child_args *args, struct donjon_error *err)
{
	/* A v1 cgroup takes in no real-time process that it has no share for. */
	if (outside_reset_policy(0, err) < 0)
		return -1;
	/* "0" moves the writer itself: the only way into a v1 hierarchy that does not wait for an RCU
	 * grace period of 5-13 ms (startup-performance.md §4).  The files were opened with the host's
	 * credentials (CVE-2026-78408 is why none survives the exec: all are close-on-exec). */
	if (join_all(args->cgroup_tasks, args->n_cgroup_tasks, "cgroup", err) < 0)
		return -1;
	/* resctrl understands the same; the group first, which a monitoring group belongs to. */
	return join_all(args->rdt_tasks, args->n_rdt_tasks, "linux.intelRdt's group", err);
}

static int enter_cgroups(const struct child_args *args, struct donjon_error *err)
{
	/* Who is cloned by a helper was born in them. */
	if (!args->plan->joins && child_join_cgroups(args, err) < 0)
		return -1;
	if (args->new_cgroup_ns && unshare(CLONE_NEWCGROUP) < 0)
		return dj_fail_os(err, errno, "unshare the cgroup namespace%s",
				  errno == ENOSPC ? " (user.max_cgroup_namespaces reached)" : "");
	return 0;
}

/* Entered without another clone, since we are still one thread. */
static int enter_new_time_namespace(const struct child_args *args, struct donjon_error *err)
{
	dj_auto_close int ns = -1;

	if (outside_new_time_namespace(args->plan, args->proc, err) < 0)
		return -1;
	ns = procfs_follow(args->proc, "time_for_children", "self/ns");
	if (ns < 0)
		return dj_fail_os(err, -ns, "open the new time namespace");
	return setns(ns, CLONE_NEWTIME) < 0 ? dj_fail_os(err, errno, "enter the new time namespace") : 0;
}

static int carry_capabilities(struct donjon_error *err)
{
	struct __user_cap_data_struct caps[2];
	int r;

	if ((r = sys_capget(caps)) < 0)
		return dj_fail_os(err, -r, "read capabilities");
	caps[0].inheritable = caps[0].permitted;
	caps[1].inheritable = caps[1].permitted;
	if ((r = sys_capset(caps)) < 0)
		return dj_fail_os(err, -r, "set inheritable capabilities");
	for (unsigned long cap = 0; cap < 64; cap++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0 && errno == EINVAL)
			break;
	return 0;
}

/* An execve as an unmapped id drops every capability of the new user namespace, so a mapped one is
 * taken first: 0, or where 0 is not mapped the first mapped id, with the capabilities carried over
 * as ambient ones (launch-findings.md §1). */
static int take_mapped_id(const struct dj_plan *plan, struct donjon_error *err)
{
	const struct oci_id_map *uids = plan_items(plan, plan->uid_maps, struct oci_id_map);
	const struct oci_id_map *gids = plan_items(plan, plan->gid_maps, struct oci_id_map);
	uid_t uid = plan->uid_maps.n ? uids[0].container_id : 0;
	gid_t gid = plan->gid_maps.n ? gids[0].container_id : 0;
	int r;

	for (uint32_t i = 0; i < plan->uid_maps.n; i++)
		if (uids[i].container_id == 0)
			uid = 0;
	for (uint32_t i = 0; i < plan->gid_maps.n; i++)
		if (gids[i].container_id == 0)
			gid = 0;
	if (plan->set_groups && (r = sys_setgroups(0, NULL)) < 0)
		return dj_fail_os(err, -r, "drop supplementary groups");
	if ((r = sys_setresgid(gid, gid, gid)) < 0)
		return dj_fail_os(err, -r, "become gid %u of the user namespace", gid);
	if (uid != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return dj_fail_os(err, errno, "keep capabilities over the change of ids");
	if ((r = sys_setresuid(uid, uid, uid)) < 0)
		return dj_fail_os(err, -r, "become uid %u of the user namespace", uid);
	return uid == 0 ? 0 : carry_capabilities(err);
}

/* What own_pipes() does, for a caller without rights on the host: inside, the pipes are those of a mapped
 * id (decision 1). */
static int own_pipes_inside(const struct dj_plan *plan, struct donjon_error *err)
{
	for (int fd = 0; fd <= 2; fd++) {
		struct statfs fs;

		if (fstatfs(fd, &fs) < 0 || fs.f_type != PIPEFS_MAGIC)
			continue;
		if (fchown(fd, plan->uid, (gid_t)-1) < 0 && errno != EPERM)
			return dj_fail_os(err, errno, "give the pipe on descriptor %d to uid %u", fd,
					  plan->uid);
	}
	return 0;
}

static int become_stage(struct child_args *args, struct donjon_error *err)
{
	int keep = 3 + (int)args->plan->preserve_fds;
	char number[16];
	char *const argv[] = { (char[]){ "donjon-stage" }, number, NULL };
	char *const envp[] = { NULL };
	int r;

	/* 0-2 and what the caller asked to preserve keep their numbers; the wire follows them. */
	if ((r = fd_move_up(&args->stage, keep + 2)) < 0 || (r = fd_move_up(&args->wire, keep + 1)) < 0)
		return dj_fail_os(err, -r, "move descriptors");
	if ((r = fd_cloexec_from(keep)) < 0)
		return dj_fail_os(err, -r, "mark descriptors close-on-exec");
	if (dup2(args->wire, keep) < 0)
		return dj_fail_os(err, errno, "place the wire");
	(void)snprintf(number, sizeof(number), "%d", keep);
	r = sys_execveat(args->stage, "", argv, envp, AT_EMPTY_PATH);
	return dj_fail_os(err, -r, "execute the stage");
}

/* Closed standard streams become null: otherwise the next descriptor we open would be one (T52). */
static int fill_standard_streams(struct donjon_error *err)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR | O_NOCTTY) < 0)
			return dj_fail_os(err, errno, "open /dev/null for standard stream %d", fd);
	return 0;
}

static int run(struct child_args *args, struct donjon_error *err)
{
	(void)close(args->parent_wire);
	/* Modes are what the code says, not what the caller's umask leaves of them. */
	(void)umask(0);
	if (fill_standard_streams(err) < 0)
		return -1;
	/* Death of the runtime takes a half-made container with it (R10); a runtime that died before this
	 * line is noticed as end-of-file on the wire. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return dj_fail_os(err, errno, "set the parent-death signal");
	if (enter_cgroups(args, err) < 0)
		return -1;
	if (args->plan->time_ns_inside && enter_new_time_namespace(args, err) < 0)
		return -1;
	if (wire_receive(args->wire, WIRE_TELL, launch_mark(STEP_MARK_CHILD), NULL, NULL, err) < 0)
		return -1;
	if (args->plan->chown_pipes_inside && !args->plan->terminal && own_pipes_inside(args->plan, err) < 0)
		return -1;
	if (args->wait_for_maps && take_mapped_id(args->plan, err) < 0)
		return -1;
	/* The credential change cleared it (B37). */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return dj_fail_os(err, errno, "set the parent-death signal");
	return become_stage(args, err);
}

_Noreturn void child_main(const struct child_args *args)
{
	static struct donjon_error err; /* a private copy: this is another process */
	struct child_args own = *args;

	if (run(&own, &err) < 0) {
		(void)snprintf(err.step, sizeof(err.step), "become-stage");
		wire_send_failure(own.wire, &err);
	}
	_exit(1);
}
