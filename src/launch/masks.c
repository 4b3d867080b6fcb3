/* Masked and read-only paths (B13): resolved once to a handle, covered by something of the
 * runtime's own making, never by what the image has at /dev/null (CVE-2025-31133). */
#include "launch/inside.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static const unsigned by_fd = SYS_MOVE_MOUNT_F_EMPTY_PATH | SYS_MOVE_MOUNT_T_EMPTY_PATH;

enum { ABSENT = -2 };

/* The paths are absolute and resolved inside the root; one that does not exist needs nothing. */
static int open_target(const struct inside *s, const char *path, struct donjon_error *err)
{
	int fd = path_open_in_root(s->root, path, O_PATH, 0);

	if (fd == -ENOENT || fd == -ENOTDIR)
		return ABSENT;
	return fd < 0 ? dj_fail_os(err, -fd, "open %s", path) : fd;
}

static int make_readonly(const struct inside *s, const char *path, struct donjon_error *err)
{
	const struct sys_mount_attr attr = { .attr_set = SYS_MOUNT_ATTR_RDONLY };
	dj_auto_close int target = open_target(s, path, err);
	dj_auto_close int tree = -1;
	int r;

	if (target < 0)
		return target == ABSENT ? 0 : -1;
	/* A clone keeps nosuid, nodev and noexec of the mount it is taken from (crun issue 950). */
	tree = sys_open_tree(target, "", AT_EMPTY_PATH | SYS_OPEN_TREE_CLONE | SYS_AT_RECURSIVE);
	if (tree < 0)
		return dj_fail_os(err, -tree, "clone %s", path);
	if ((r = sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr)) < 0)
		return dj_fail_os(err, -r, "make %s read-only", path);
	if ((r = sys_move_mount(tree, "", target, "", by_fd)) < 0)
		return dj_fail_os(err, -r, "cover %s", path);
	return 0;
}

int readonly_paths(struct inside *s, uint32_t row, struct donjon_error *err)
{
	const plan_str *paths = plan_items(s->plan, s->plan->readonly, plan_str);

	(void)row;
	for (uint32_t i = 0; i < s->plan->readonly.n; i++)
		if (make_readonly(s, plan_text(s->plan, paths[i]), err) < 0)
			return dj_note(err, "linux.readonlyPaths[%u]", i);
	return 0;
}

/* The host's null device, while the old root is still there, and only if it is the real one. */
static int clone_null(struct donjon_error *err)
{
	const struct sys_mount_attr attr = { .attr_set = SYS_MOUNT_ATTR_RDONLY | SYS_MOUNT_ATTR_NOSUID |
							 SYS_MOUNT_ATTR_NOEXEC };
	dj_auto_close int tree = sys_open_tree(AT_FDCWD, "/dev/null", SYS_OPEN_TREE_CLONE | AT_SYMLINK_NOFOLLOW);
	struct stat st;
	int r;

	if (tree < 0)
		return dj_fail_os(err, -tree, "clone the host's /dev/null");
	if (fstat(tree, &st) < 0)
		return dj_fail_os(err, errno, "stat the host's /dev/null");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return dj_fail(err, DONJON_E_VERIFY, "the host's /dev/null is not the null device");
	if ((r = sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr)) < 0)
		return dj_fail_os(err, -r, "make the mask read-only");
	return dj_take_fd(&tree);
}

/* An empty directory that cannot be written: one superblock for all masks of a container. */
static int make_empty_dir(struct donjon_error *err)
{
	dj_auto_close int fs = sys_fsopen("tmpfs");
	int r = fs;

	if (r >= 0)
		r = sys_fsconfig(fs, SYS_FSCONFIG_STRING, "source", "tmpfs", 0);
	if (r >= 0)
		r = sys_fsconfig(fs, SYS_FSCONFIG_STRING, "mode", "0", 0);
	if (r >= 0)
		r = sys_fsconfig(fs, SYS_FSCONFIG_STRING, "nr_inodes", "1", 0);
	if (r >= 0)
		r = sys_fsconfig(fs, SYS_FSCONFIG_CREATE, NULL, NULL, 0);
	if (r >= 0)
		r = sys_fsmount(fs, SYS_MOUNT_ATTR_RDONLY | SYS_MOUNT_ATTR_NOSUID | SYS_MOUNT_ATTR_NODEV |
					    SYS_MOUNT_ATTR_NOEXEC);
	return r < 0 ? dj_fail_os(err, -r, "make an empty directory") : r;
}

/* The first target gets the mount itself, the others clones of it: a mount that was never attached
 * cannot be cloned before Linux 6.15. */
static int cover(int target, const char *path, int *first, int (*make)(struct donjon_error *err),
		 struct donjon_error *err)
{
	dj_auto_close int clone = -1;
	int r;

	if (*first >= 0) {
		clone = sys_open_tree(*first, "", AT_EMPTY_PATH | SYS_OPEN_TREE_CLONE);
		if (clone < 0)
			return dj_fail_os(err, -clone, "clone a mask");
	} else {
		*first = make(err);
		if (*first < 0)
			return -1;
	}
	r = sys_move_mount(clone < 0 ? *first : clone, "", target, "", by_fd);
	return r < 0 ? dj_fail_os(err, -r, "cover %s", path) : 0;
}

static int mask(struct inside *s, const char *path, struct donjon_error *err)
{
	dj_auto_close int target = open_target(s, path, err);
	struct stat st;

	if (target < 0)
		return target == ABSENT ? 0 : -1;
	if (fstat(target, &st) < 0)
		return dj_fail_os(err, errno, "stat %s", path);
	return S_ISDIR(st.st_mode) ? cover(target, path, &s->empty_dir, make_empty_dir, err)
				   : cover(target, path, &s->null, clone_null, err);
}

int mask_paths(struct inside *s, uint32_t row, struct donjon_error *err)
{
	const plan_str *paths = plan_items(s->plan, s->plan->masked, plan_str);

	(void)row;
	for (uint32_t i = 0; i < s->plan->masked.n; i++)
		if (mask(s, plan_text(s->plan, paths[i]), err) < 0)
			return dj_note(err, "linux.maskedPaths[%u]", i);
	return 0;
}
