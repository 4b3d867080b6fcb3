/* The container's root: attached, made read-only, entered; the old one provably gone (B01, B10). */
#include "launch/inside.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "base/sys.h"
#include "launch/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

static int set_propagation(int dir, const char *path, uint64_t propagation, struct donjon_error *err)
{
	const struct sys_mount_attr attr = { .propagation = propagation & ~(uint64_t)MS_REC };
	unsigned flags = propagation & MS_REC ? SYS_AT_RECURSIVE : 0;
	int r = sys_mount_setattr(dir, path, flags | (*path ? 0 : AT_EMPTY_PATH), &attr);

	return r < 0 ? dj_fail_os(err, -r, "set the propagation of %s", *path ? path : "the root") : 0;
}

static int clone_rootfs(const struct dj_plan *plan, struct donjon_error *err)
{
	const char *path = plan_text(plan, plan->rootfs);
	int tree = sys_open_tree(AT_FDCWD, path,
				 SYS_OPEN_TREE_CLONE | SYS_AT_RECURSIVE | AT_SYMLINK_NOFOLLOW);

	if (tree < 0)
		return dj_fail_os(err, -tree, "root.path: clone the tree at %s", path);
	if (source_check_judged(tree, &plan->rootfs_judged, "root.path", path, err) < 0)
		dj_close(&tree);
	return tree;
}

/* What was mounted below the root filesystem on the host comes along, and is as read-only as it.  The root
 * itself is so only when all mount points are made. */
static int set_flags(const struct dj_plan *plan, int root, struct donjon_error *err)
{
	const struct sys_mount_attr all = {
		.attr_set = plan->rootfs_attr_set | (plan->rootfs_readonly ? SYS_MOUNT_ATTR_RDONLY : 0),
	};
	const struct sys_mount_attr top = { .attr_clr = SYS_MOUNT_ATTR_RDONLY };
	struct statfs before;
	int r;

	if (fstatfs(root, &before) < 0)
		return dj_fail_os(err, errno, "look at the root filesystem");
	r = sys_mount_setattr(root, "", AT_EMPTY_PATH | SYS_AT_RECURSIVE, &all);
	if (r >= 0 && plan->rootfs_readonly && !((uint64_t)before.f_flags & SYS_MOUNT_ATTR_RDONLY))
		r = sys_mount_setattr(root, "", AT_EMPTY_PATH, &top);
	return r < 0 ? dj_fail_os(err, -r, "set the flags of the root filesystem") : 0;
}

int attach_rootfs(struct inside *s, uint32_t row, struct donjon_error *err)
{
	const struct dj_plan *plan = s->plan;
	int r;

	(void)row;
	if (plan->ns[OCI_NS_MOUNT].kind == PLAN_NS_HOST)
		return dj_fail(err, DONJON_E_UNSUPPORTED, "linux.namespaces: a mount namespace is required");
	/* First of all, nothing mounted here may reach the host (B10). */
	if (set_propagation(AT_FDCWD, "/", MS_REC | (plan->slave_host ? MS_SLAVE : MS_PRIVATE), err) < 0)
		return -1;
	if (plan->sources_by_stage)
		s->root = clone_rootfs(plan, err);
	if (s->root < 0)
		return -1;
	/* The pivot refuses a shared parent or root. */
	if (set_propagation(s->root, "", MS_REC | MS_PRIVATE, err) < 0)
		return -1;
	if (plan->rootfs_attr_set && set_flags(plan, s->root, err) < 0)
		return -1;
	/* Stacked on "/" itself: no target directory is needed, and no path is looked up. */
	r = sys_move_mount(s->root, "", AT_FDCWD, "/", SYS_MOVE_MOUNT_F_EMPTY_PATH);
	if (r < 0)
		return dj_fail_os(err, -r, "attach the root filesystem");
	return 0;
}

int make_working_directory(struct inside *s, uint32_t row, struct donjon_error *err)
{
	(void)row;
	/* Both peers make it when it is missing (P15).  Only made here: what is entered later has to be
	 * found again, below the masks and read-only paths that are still to come. */
	dj_auto_close int made = path_make_dir(s->root, plan_text(s->plan, s->plan->cwd), 0755, err);

	return made < 0 ? dj_note(err, "process.cwd") : 0;
}

int readonly_rootfs(struct inside *s, uint32_t row, struct donjon_error *err)
{
	const struct sys_mount_attr attr = { .attr_set = SYS_MOUNT_ATTR_RDONLY };
	int r = sys_mount_setattr(s->root, "", AT_EMPTY_PATH, &attr);

	(void)row;
	return r < 0 ? dj_fail_os(err, -r, "make the root filesystem read-only") : 0;
}

/* As runc and crun, who join first and build there: the pivot will move the root of whoever is in it, and
 * take the mounts it has.  Here nothing of a launch that fails before is seen there, and what it shares with
 * others is not changed. */
int join_mounts(struct inside *s, uint32_t row, struct donjon_error *err)
{
	dj_auto_close int tree =
		sys_open_tree(s->root, "", SYS_OPEN_TREE_CLONE | SYS_AT_RECURSIVE | AT_EMPTY_PATH);
	int r;

	(void)row;
	if (tree < 0)
		return dj_fail_os(err, -tree, "clone the finished tree");
	if (setns(s->mount_ns, CLONE_NEWNS) < 0)
		return dj_fail_os(err, errno, "linux.namespaces: join the mount namespace");
	dj_close(&s->mount_ns);
	if (set_propagation(AT_FDCWD, "/", MS_REC | MS_PRIVATE, err) < 0)
		return dj_note(err, "linux.namespaces: joined mount namespace");
	r = sys_move_mount(tree, "", AT_FDCWD, "/", SYS_MOVE_MOUNT_F_EMPTY_PATH);
	if (r < 0)
		return dj_fail_os(err, -r, "linux.namespaces: attach the root filesystem in the joined mount namespace");
	dj_close(&s->root);
	s->root = dj_take_fd(&tree);
	return 0;
}

/* For a root on initramfs, which pivot_root refuses (F17): the root filesystem lies on "/" already,
 * and the old root stays mounted below it. */
static int enter_without_pivot(struct donjon_error *err)
{
	if (chroot(".") < 0)
		return dj_fail_os(err, errno, "chroot");
	return 0;
}

static int enter_by_pivot(struct donjon_error *err)
{
	int r = sys_pivot_root(".", ".");

	if (r < 0)
		return dj_fail_os(err, -r, "pivot_root");
	/* The old root is now stacked on the new one; "." is still the new one's inode. */
	if (umount2(".", MNT_DETACH) < 0)
		return dj_fail_os(err, errno, "detach the old root");
	return 0;
}

static bool is_root(const struct stat *ours, const char *path)
{
	struct stat now;

	return stat(path, &now) == 0 && now.st_dev == ours->st_dev && now.st_ino == ours->st_ino;
}

/* Proof: "/" is the very directory we attached, and nothing is left on top of it, where whoever joins
 * this mount namespace would come out; ".." goes there. */
static int check_root(const struct inside *s, struct donjon_error *err)
{
	struct stat ours;

	if (fstat(s->root, &ours) < 0)
		return dj_fail_os(err, errno, "stat /");
	if (!is_root(&ours, "/") || (!s->plan->no_pivot && !is_root(&ours, "/..")))
		return dj_fail(err, DONJON_E_VERIFY, "/ is not the container's root after the pivot");
	return 0;
}

int pivot_root_step(struct inside *s, uint32_t row, struct donjon_error *err)
{
	(void)row;
	if (fchdir(s->root) < 0)
		return dj_fail_os(err, errno, "enter the root filesystem");
	if ((s->plan->no_pivot ? enter_without_pivot(err) : enter_by_pivot(err)) < 0)
		return -1;
	if (chdir("/") < 0)
		return dj_fail_os(err, errno, "enter /");
	if (s->plan->rootfs_propagation && set_propagation(AT_FDCWD, "/", s->plan->rootfs_propagation, err) < 0)
		return dj_note(err, "linux.rootfsPropagation");
	return check_root(s, err);
}

int enter_working_directory(struct inside *s, uint32_t row, struct donjon_error *err)
{
	const char *path = plan_text(s->plan, s->plan->cwd);
	dj_auto_close int fd = path_open_in_root(s->root, path, O_PATH | O_DIRECTORY, 0);
	char where[4096];

	(void)row;
	if (fd < 0)
		return dj_fail_os(err, -fd, "process.cwd: open %s", path);
	if (fchdir(fd) < 0)
		return dj_fail_os(err, errno, "process.cwd: enter %s", path);
	/* Asked of the kernel, not of the string (CVE-2024-21626; crun's first check compared text):
	 * outside of our root it answers "(unreachable)/...". */
	if (syscall(SYS_getcwd, where, sizeof(where)) < 0)
		return dj_fail_os(err, errno, "process.cwd: read back");
	if (where[0] != '/')
		return dj_fail(err, DONJON_E_VERIFY, "process.cwd: %s leads out of the container", path);
	return 0;
}
