/* Opens what is joined, enters it around the clone, and makes the stage's process. */
#include "launch/outside.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/procfs.h"
#include "base/sys.h"
#include "launch/helper.h"
#include "launch/sources.h"
#include "launch/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

static const struct {
	const char *name, *own; /* own: below procfs */
	int flag;
} kinds[OCI_NS_COUNT] = {
	[OCI_NS_USER] = { "user", "user", CLONE_NEWUSER },
	[OCI_NS_PID] = { "pid", "pid_for_children", CLONE_NEWPID },
	[OCI_NS_NETWORK] = { "network", "net", CLONE_NEWNET },
	[OCI_NS_MOUNT] = { "mount", "mnt", CLONE_NEWNS },
	[OCI_NS_IPC] = { "ipc", "ipc", CLONE_NEWIPC },
	[OCI_NS_UTS] = { "uts", "uts", CLONE_NEWUTS },
	[OCI_NS_CGROUP] = { "cgroup", "cgroup", CLONE_NEWCGROUP },
	[OCI_NS_TIME] = { "time", "time_for_children", CLONE_NEWTIME },
};

int outside_ns_flag(enum oci_ns ns)
{
	return kinds[ns].flag;
}

static int open_own(const struct outside *o, enum oci_ns ns, struct donjon_error *err)
{
	int fd = procfs_follow(o->proc, kinds[ns].own, "thread-self/ns");

	return fd < 0 ? dj_fail_os(err, -fd, "open the own %s namespace", kinds[ns].name) : fd;
}

static int is_same(int fd, int other, const char *path, struct donjon_error *err)
{
	struct stat theirs, ours;

	if (fstat(fd, &theirs) < 0 || fstat(other, &ours) < 0)
		return dj_fail_os(err, errno, "stat %s", path);
	return theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

/* A pivot moves the root of all who are in it, so neither ours nor init's, at any level (T41).  Init's can be
 * bound nowhere (the kernel allows that of newer ones only), so who may not look at it was not led there. */
static int check_mount_namespace(const struct outside *o, int fd, const char *path, struct donjon_error *err)
{
	dj_auto_close int own = open_own(o, OCI_NS_MOUNT, err), init = -1;
	int r;

	if (own < 0)
		return -1;
	init = procfs_follow(o->proc, "mnt", "1/ns");
	if (init < 0 && init != -EACCES)
		return dj_fail_os(err, -init, "open the mount namespace of process 1");
	r = is_same(fd, own, path, err);
	if (r == 0 && init >= 0)
		r = is_same(fd, init, path, err);
	if (r > 0)
		return dj_fail(err, DONJON_E_REFUSED,
			       "linux.namespaces: %s is the host's mount namespace: pivot_root in it would move "
			       "the root of the host's processes",
			       path);
	return r;
}

/* Of the right kind (P40) and, unless the level is `none` where the engine may ask for anything, not
 * the runtime's own: a path that leads to the host's namespace is the same as sharing it. */
static int check_namespace(const struct outside *o, enum oci_ns ns, int fd, const char *path,
			   struct donjon_error *err)
{
	dj_auto_close int own = -1;
	int r;

	if (ioctl(fd, NS_GET_NSTYPE) != kinds[ns].flag)
		return dj_fail(err, DONJON_E_CONFIG,
			       "linux.namespaces: %s is no %s namespace", path, kinds[ns].name);
	if (ns == OCI_NS_MOUNT)
		return check_mount_namespace(o, fd, path, err);
	if (!o->plan->refuse_host_namespaces)
		return 0;
	own = open_own(o, ns, err);
	if (own < 0)
		return -1;
	r = is_same(fd, own, path, err);
	if (r > 0)
		return dj_fail(err, DONJON_E_REFUSED,
			       "linux.namespaces: %s is the runtime's own %s namespace, which the policy "
			       "refuses to share",
			       path, kinds[ns].name);
	return r;
}

int open_namespaces(struct outside *o, uint32_t row, struct donjon_error *err)
{
	(void)row;
	for (size_t ns = 0; ns < OCI_NS_COUNT; ns++) {
		const char *path = plan_text(o->plan, o->plan->ns[ns].path);

		if (o->plan->ns[ns].kind != PLAN_NS_JOIN)
			continue;
		o->namespaces[ns] = procfs_open_namespace(o->proc, path, err);
		if (o->namespaces[ns] < 0)
			return -1;
		if (check_namespace(o, (enum oci_ns)ns, o->namespaces[ns], path, err) < 0)
			return -1;
	}
	return 0;
}

static uint64_t new_namespaces(const struct dj_plan *plan)
{
	uint64_t flags = 0;

	/* Not in the clone: a cgroup namespace would be rooted at our cgroup instead of the
	 * container's, and a time namespace entered by clone3 has its offsets frozen (decision 29).
	 * A mount namespace is made in any case: in that to be joined nothing is built. */
	for (size_t ns = 0; ns < OCI_NS_COUNT; ns++)
		if (plan->ns[ns].kind == PLAN_NS_NEW && ns != OCI_NS_CGROUP && ns != OCI_NS_TIME)
			flags |= (uint64_t)kinds[ns].flag;
	if (plan->ns[OCI_NS_MOUNT].kind == PLAN_NS_JOIN)
		flags |= (uint64_t)CLONE_NEWNS;
	return flags;
}

/* Entered by this thread around the clone and left again; user namespaces cannot be left, so they
 * are joined by a helper process.  That helper must be a member of our own pid namespace, or the pid
 * it gets from its clone would be a number of another one: then it joins that one, too.  Rootless there is
 * no way back into namespaces of the host: all are the helper's.  A mount namespace is the stage's matter
 * (join_mounts). */
static bool is_entered_by_us(const struct dj_plan *plan, size_t ns)
{
	if (ns == OCI_NS_MOUNT)
		return false;
	if (plan->rootless || (ns == OCI_NS_PID && plan->ns[OCI_NS_USER].kind == PLAN_NS_JOIN))
		return false;
	return ns != OCI_NS_USER;
}

static int enter(const struct outside *o, size_t ns, struct donjon_error *err)
{
	if (o->namespaces[ns] >= 0 && setns(o->namespaces[ns], kinds[ns].flag) < 0)
		return dj_fail_os(err, errno, "join the %s namespace %s", kinds[ns].name,
				  plan_text(o->plan, o->plan->ns[ns].path));
	return 0;
}

static int enter_joined(const struct outside *o, struct donjon_error *err)
{
	for (size_t ns = 0; ns < OCI_NS_COUNT; ns++)
		if (is_entered_by_us(o->plan, ns) && enter(o, ns, err) < 0)
			return -1;
	return 0;
}

static int enter_all_but_user(const struct outside *o, struct donjon_error *err)
{
	for (size_t ns = 0; ns < OCI_NS_COUNT; ns++)
		if (ns != OCI_NS_USER && enter(o, ns, err) < 0)
			return -1;
	return 0;
}

static int leave_joined(const int own[OCI_NS_COUNT], struct donjon_error *err)
{
	int r = 0;

	for (size_t ns = 0; ns < OCI_NS_COUNT; ns++)
		if (own[ns] >= 0 && setns(own[ns], kinds[ns].flag) < 0 && r == 0)
			r = dj_fail_os(err, errno, "return to the own %s namespace", kinds[ns].name);
	return r;
}

int outside_new_time_namespace(const struct dj_plan *plan, int proc, struct donjon_error *err)
{
	char text[128];

	if (unshare(CLONE_NEWTIME) < 0)
		return dj_fail_os(err, errno, "unshare the time namespace%s",
				  errno == ENOSPC ? " (user.max_time_namespaces reached)" : "");
	if (!plan->time_offsets)
		return 0;
	(void)snprintf(text, sizeof(text), "monotonic %lld %u\nboottime %lld %u\n",
		       (long long)plan->monotonic_s, plan->monotonic_ns, (long long)plan->boottime_s,
		       plan->boottime_ns);
	return procfs_write(proc, "self/timens_offsets", text, err) < 0 ? dj_note(err, "linux.timeOffsets") : 0;
}

static int clone_direct(struct outside *o, uint64_t flags, int cgroup_v2, const struct child_args *child,
			struct donjon_error *err)
{
	struct clone_args args = {
		.flags = flags | (uint64_t)CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&o->pidfd,
		.exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD, /* inherited with CLONE_PARENT */
	};
	int pid;

	if (cgroup_v2 >= 0) {
		args.flags |= (uint64_t)CLONE_INTO_CGROUP;
		args.cgroup = (unsigned)cgroup_v2;
	}
	pid = sys_clone3(&args);
	if (pid == 0)
		child_main(child);
	if (pid < 0)
		return dj_fail_os(err, -pid, "clone3 with namespaces 0x%llx%s",
				  (unsigned long long)flags,
				  pid == -ENOSPC   ? " (user.max_*_namespaces reached)"
				  : pid == -EPERM && geteuid() != 0 && !(flags & CLONE_NEWUSER)
					  ? " (linux.namespaces: an unprivileged user needs a user namespace)"
				  : pid == -ENOMEM && o->namespaces[OCI_NS_PID] >= 0
					  ? " (the init of the joined pid namespace is gone: linux.namespaces)"
					  : "");
	o->pid = pid;
	return 0;
}

static int wait_for(pid_t pid)
{
	pid_t r;

	do
		r = waitpid(pid, NULL, 0);
	while (r < 0 && errno == EINTR);
	return r == pid ? 0 : -1;
}

static int spawn_helper(int cgroup_v2)
{
	struct clone_args args = { .exit_signal = SIGCHLD };

	if (cgroup_v2 >= 0) {
		args.flags = (uint64_t)CLONE_INTO_CGROUP;
		args.cgroup = (unsigned)cgroup_v2;
	}
	return sys_clone3(&args);
}

/* ---- a cgroup we cannot enter ---- */

static int make_gate(const struct outside *o, int gate[static 2], struct donjon_error *err)
{
	if (o->request->place && pipe2(gate, O_CLOEXEC) < 0)
		return dj_fail_os(err, errno, "make a pipe");
	return 0;
}

/* In the helper, which must not go on before that, nor when its parent has died. */
static bool is_placed(int gate[static 2])
{
	char byte;
	ssize_t n;

	if (gate[0] < 0)
		return true;
	(void)close(gate[1]);
	do
		n = read(gate[0], &byte, 1);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

static int place(const struct outside *o, pid_t helper, int gate, struct donjon_error *err)
{
	if (o->request->place(o->request->data, helper, err) < 0)
		return -1;
	if (write(gate, "", 1) != 1)
		return dj_fail_os(err, errno, "let the helper go on");
	return 0;
}

/* ---- the helper ---- */

/* What it tells its parent. */
struct helped {
	pid_t pid;
	struct donjon_error err;
};

_Noreturn static void help(struct outside *o, const struct outside_helper *how, const struct child_args *child,
			   int gate[static 2], struct helped *shared)
{
	int cgroup = o->request->place ? -1 : how->stage_cgroup;

	(void)close(o->wire);
	if (is_placed(gate) && how->enter(o, child, &shared->err) == 0 &&
	    clone_direct(o, how->flags | (uint64_t)CLONE_PARENT, cgroup, child, &shared->err) == 0)
		shared->pid = o->pid;
	_exit(0);
}

static int start_helper(struct outside *o, const struct outside_helper *how, const struct child_args *child,
			struct helped *shared, struct donjon_error *err)
{
	int gate[2] = { -1, -1 }, r = 0, helper;

	if (make_gate(o, gate, err) < 0)
		return -1;
	helper = spawn_helper(o->request->place ? -1 : how->own_cgroup);
	if (helper == 0)
		help(o, how, child, gate, shared);
	if (helper < 0)
		(void)dj_fail_os(err, -helper, "clone a helper");
	else if (o->request->place)
		r = place(o, helper, gate[1], err);
	dj_close(&gate[0]);
	dj_close(&gate[1]);
	if (r < 0)
		(void)wait_for(helper); /* it has read that it will not be placed */
	return r < 0 ? -1 : helper;
}

static int run_helper(struct outside *o, const struct outside_helper *how, const struct child_args *child,
		      struct helped *shared, struct donjon_error *err)
{
	int helper = start_helper(o, how, child, shared, err);

	if (helper < 0)
		return -1;
	if (wait_for(helper) < 0)
		return dj_fail_os(err, errno, "wait for the helper");
	if (shared->err.code != DONJON_OK) {
		*err = shared->err;
		return -1;
	}
	if (shared->pid <= 0)
		return dj_fail(err, DONJON_E_SYSTEM, "the helper in the container's namespaces died");
	o->pid = shared->pid; /* our child: it cannot be reused before we reap it */
	o->pidfd = sys_pidfd_open(o->pid, 0);
	return o->pidfd < 0 ? dj_fail_os(err, -o->pidfd, "open a pidfd of the stage") : 0;
}

/*
 * A user namespace cannot be left again, so a helper enters it.  It is not dumpable before that (B17),
 * passes its child on to us (CLONE_PARENT) and exits.
 */
int outside_clone_by_helper(struct outside *o, const struct outside_helper *how,
			    const struct child_args *child, struct donjon_error *err)
{
	struct helped *shared =
		mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int r;

	if (shared == MAP_FAILED)
		return dj_fail_os(err, errno, "map memory shared with the helper");
	r = run_helper(o, how, child, shared, err);
	(void)munmap(shared, sizeof(*shared));
	return r;
}

static int set_joined_hostname(const struct dj_plan *plan, struct donjon_error *err)
{
	const char *host = plan_text(plan, plan->hostname), *domain = plan_text(plan, plan->domainname);

	if (plan->ns[OCI_NS_UTS].kind != PLAN_NS_JOIN)
		return 0;
	if (*host && sethostname(host, strlen(host)) < 0)
		return dj_fail_os(err, errno, "set the host name of the joined UTS namespace");
	if (*domain && setdomainname(domain, strlen(domain)) < 0)
		return dj_fail_os(err, errno, "set the domain name of the joined UTS namespace");
	return 0;
}

/* While the caller is in the joined namespaces, with the right to change them. */
static int change_joined(const struct dj_plan *plan, struct donjon_error *err)
{
	if (set_joined_hostname(plan, err) < 0)
		return -1;
	return sysctls_write_outside(plan, err);
}

static int enter_user(const struct outside *o, struct donjon_error *err)
{
	if (o->namespaces[OCI_NS_USER] >= 0 && prctl(PR_SET_DUMPABLE, 0) < 0)
		return dj_fail_os(err, errno, "become undumpable");
	return enter(o, OCI_NS_USER, err);
}

/* In the helper.  Who is not root gets the right to enter the others from the user namespace; who is
 * loses it there, for those that are not the user namespace's own. */
static int enter_for_good(struct outside *o, const struct child_args *child, struct donjon_error *err)
{
	bool is_root = geteuid() == 0;

	(void)child;
	if (!is_root && enter_user(o, err) < 0)
		return -1;
	if (enter_all_but_user(o, err) < 0 || change_joined(o->plan, err) < 0)
		return -1;
	return is_root ? enter_user(o, err) : 0;
}

static int enter_user_namespace(struct outside *o, const struct child_args *child, struct donjon_error *err)
{
	(void)child;
	return enter(o, OCI_NS_PID, err) < 0 ? -1 : enter_user(o, err);
}

static bool joins_any(const struct outside *o)
{
	for (size_t ns = 0; ns < OCI_NS_COUNT; ns++)
		if (o->namespaces[ns] >= 0)
			return true;
	return false;
}

/* New namespaces must belong to the joined user namespace, so they are made from inside it. */
static int clone_from_inside(struct outside *o, uint64_t flags, int cgroup_v2, const struct child_args *child,
			     struct donjon_error *err)
{
	const struct outside_helper how = {
		.enter = o->plan->rootless ? enter_for_good : enter_user_namespace,
		.flags = flags, .own_cgroup = -1, .stage_cgroup = cgroup_v2,
	};

	return outside_clone_by_helper(o, &how, child, err);
}

struct outside_fs {
	struct outside *o;
	int fds[SOURCES_OUTSIDE_FS_MAX];
};

#define JOINED_FILESYSTEMS "mount what only the joined namespaces show"

static int prepare_joined(void *data, struct donjon_error *err)
{
	struct outside_fs *fs = data;

	return sources_prepare_joined(fs->o->plan, fs->fds, err);
}

/* In a helper: what it joins now, only a child of it is born in. */
static int prepare_by_child(void *data, struct donjon_error *err)
{
	struct outside_fs *fs = data;
	bool all = fs->o->plan->rootless;

	if ((all ? enter_all_but_user(fs->o, err) : enter(fs->o, OCI_NS_PID, err)) < 0)
		return -1;
	return helper_run(JOINED_FILESYSTEMS, 0, prepare_joined, fs, sizeof(*fs), err);
}

/*
 * API file systems of joined namespaces, made by a helper: procfs shows the pid namespace its maker was
 * born in, so a thread that joins one never sees it (and a container would be shown the host's).
 */
static int make_outside_fs(struct outside *o, struct donjon_error *err)
{
	struct outside_fs fs = { .o = o };
	int r;

	if (!sources_has_outside_fs(o->plan))
		return 0;
	memcpy(fs.fds, o->outside_fs, sizeof(fs.fds));
	r = helper_run(JOINED_FILESYSTEMS, 0,
		       is_entered_by_us(o->plan, OCI_NS_PID) ? prepare_joined : prepare_by_child, &fs,
		       sizeof(fs), err);
	memcpy(o->outside_fs, fs.fds, sizeof(fs.fds));
	return r;
}

/* What must happen while this thread is in the joined namespaces. */
static int clone_while_joined(struct outside *o, const struct child_args *child, struct donjon_error *err)
{
	const struct dj_plan *plan = o->plan;
	uint64_t flags = new_namespaces(plan);
	int cgroup = o->request->cgroup_v2;

	if (!plan->rootless && change_joined(plan, err) < 0)
		return -1;
	if (make_outside_fs(o, err) < 0)
		return -1;
	if (plan->ns[OCI_NS_USER].kind == PLAN_NS_JOIN || (plan->rootless && joins_any(o)) || o->request->place)
		return clone_from_inside(o, flags, cgroup, child, err);
	return clone_direct(o, flags, cgroup, child, err);
}

static bool makes_time_namespace(const struct dj_plan *plan)
{
	return plan->ns[OCI_NS_TIME].kind == PLAN_NS_NEW && !plan->time_ns_inside;
}

int clone_stage(struct outside *o, uint32_t row, struct donjon_error *err)
{
	const struct dj_plan *plan = o->plan;
	const struct child_args child = {
		.plan = plan,
		.wire = o->child_wire,
		.stage = o->stage,
		.parent_wire = o->wire,
		.cgroup_tasks = o->request->cgroup_tasks,
		.n_cgroup_tasks = o->request->n_cgroup_tasks,
		.rdt_tasks = o->request->rdt_tasks,
		.n_rdt_tasks = o->request->n_rdt_tasks,
		.wait_for_maps = plan->ns[OCI_NS_USER].kind != PLAN_NS_HOST,
		.new_cgroup_ns = plan->ns[OCI_NS_CGROUP].kind == PLAN_NS_NEW,
		.proc = o->proc,
	};
	int own[OCI_NS_COUNT];
	struct donjon_error back = { 0 };
	int r = 0;

	(void)row;
	for (size_t ns = 0; ns < OCI_NS_COUNT; ns++) {
		bool changes = (o->namespaces[ns] >= 0 && is_entered_by_us(plan, ns)) ||
			       (ns == OCI_NS_TIME && makes_time_namespace(plan));

		own[ns] = r == 0 && changes ? open_own(o, (enum oci_ns)ns, err) : -1;
		if (r == 0 && changes && own[ns] < 0)
			r = -1;
	}
	if (r == 0 && makes_time_namespace(plan))
		r = outside_new_time_namespace(plan, o->proc, err);
	if (r == 0)
		r = enter_joined(o, err);
	if (r == 0)
		r = clone_while_joined(o, &child, err);
	if (leave_joined(own, &back) < 0 && r == 0) {
		*err = back;
		r = -1;
	}
	for (size_t ns = 0; ns < OCI_NS_COUNT; ns++)
		dj_close(&own[ns]);
	dj_close(&o->child_wire);
	return r;
}
