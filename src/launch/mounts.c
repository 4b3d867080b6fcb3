/* Places every mount of the plan below the root descriptor, in order. */
#include "launch/inside.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/sys.h"
#include "launch/copy_up.h"
#include "launch/devices.h"
#include "launch/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/* The next tree made outside, in plan order; batches are asked for as they run out. */
static int next_source(struct inside *s, uint32_t row, struct donjon_error *err)
{
	if (s->next_source == s->n_sources) {
		if (s->had_sources && wire_send(s->wire, WIRE_MORE, row, NULL, 0, err) < 0)
			return -1;
		s->n_sources = FD_MESSAGE_MAX;
		s->next_source = 0;
		if (wire_receive(s->wire, WIRE_TELL, row, s->sources, &s->n_sources, err) < 0) {
			s->n_sources = 0;
			return -1;
		}
		s->had_sources = true;
		if (s->n_sources == 0)
			return dj_fail(err, DONJON_E_VERIFY, "launch protocol: an empty batch of mounts");
	}
	return dj_take_fd(&s->sources[s->next_source++]);
}

/* /proc, /sys and /dev must be literal directories: one name, not followed, mounted on that very
 * descriptor (B11; CVE-2019-19921, CVE-2023-27561 checked after resolving). */
static int literal_mount_point(int root, const char *path, struct donjon_error *err)
{
	const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(root, path + 1, flags);

	if (fd < 0 && errno == ENOENT && mkdirat(root, path + 1, 0755) == 0)
		fd = openat(root, path + 1, flags);
	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
		return dj_fail(err, DONJON_E_CONFIG, "%s in the root filesystem must be a real directory",
			       path);
	return fd < 0 ? dj_fail_os(err, errno, "open %s in the root filesystem", path) : fd;
}

static int mount_point(const struct inside *s, const struct plan_mount *mount, mode_t source,
		       struct donjon_error *err)
{
	const char *path = plan_text(s->plan, mount->destination);

	if (mount->literal)
		return literal_mount_point(s->root, path, err);
	if (source_covers_name(mount, source))
		return path_make_mount_point_unfollowed(s->root, path, S_ISDIR(source), err);
	return path_make_mount_point(s->root, path, S_ISDIR(source), err);
}

static int is_procfs(int fd, struct donjon_error *err)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return dj_fail_os(err, errno, "ask for the file system");
	return fs.f_type == PROC_SUPER_MAGIC;
}

/* The plan judged the name of the destination; a link of the image may lead it into /proc all the same
 * (B11, contract 3.1).  Whatever else shows a procfs, as a bind of the host's root does, is none of ours. */
static int check_not_in_proc(const struct inside *s, int point, struct donjon_error *err)
{
	dj_auto_close int top = -1;
	struct stat proc, there;
	int r = is_procfs(point, err);

	if (r <= 0)
		return r;
	top = path_open_in_root(s->root, "/proc", O_PATH, 0);
	if (top < 0)
		return top == -ENOENT ? 0 : dj_fail_os(err, -top, "open /proc");
	if (fstat(top, &proc) < 0 || fstat(point, &there) < 0)
		return dj_fail_os(err, errno, "stat the mount point");
	if (proc.st_dev == there.st_dev)
		return dj_fail(err, DONJON_E_CONFIG, "a link of the image leads it inside /proc");
	return 0;
}

/* What is mounted at /proc is the top of a procfs, also where it is a bind. */
static int check_is_proc(int tree, struct donjon_error *err)
{
	const ino_t top = 1; /* PROC_ROOT_INO */
	int r = is_procfs(tree, err);
	struct stat st;

	if (r < 0)
		return -1;
	if (fstat(tree, &st) < 0)
		return dj_fail_os(err, errno, "stat the tree");
	if (r == 0 || st.st_ino != top)
		return dj_fail(err, DONJON_E_CONFIG, "/proc takes nothing but a proc filesystem");
	return 0;
}

static int check_proc(const struct inside *s, const struct plan_mount *mount, int tree, int point,
		      struct donjon_error *err)
{
	if (mount->proc)
		return check_is_proc(tree, err);
	return mount->over_proc ? 0 : check_not_in_proc(s, point, err);
}

/* Attaches the tree at the destination. */
static int attach(const struct inside *s, const struct plan_mount *mount, int tree, struct donjon_error *err)
{
	dj_auto_close int point = -1;
	struct stat st = { .st_mode = S_IFDIR };
	int r;

	if (mount->kind == PLAN_MOUNT_BIND && fstat(tree, &st) < 0)
		return dj_fail_os(err, errno, "stat the source");
	point = mount_point(s, mount, st.st_mode, err);
	if (point < 0 || check_proc(s, mount, tree, point, err) < 0)
		return -1;
	r = sys_move_mount(tree, "", point, "", SYS_MOVE_MOUNT_F_EMPTY_PATH | SYS_MOVE_MOUNT_T_EMPTY_PATH);
	return r < 0 ? dj_fail_os(err, -r, "attach") : 0;
}

static bool is_sysfs(const struct inside *s, const struct plan_mount *mount)
{
	return strcmp(plan_text(s->plan, mount->type), "sysfs") == 0;
}

static int make_filesystem(const struct inside *s, const struct plan_mount *mount, struct donjon_error *err)
{
	int tree = filesystem_make(s->plan, mount, err);

	/* Rootless there is no sysfs for the host's network, nor one that would show more than the one
	 * that a container around us was given.  Then it is that one. */
	if (tree < 0 && err->os == EPERM && s->plan->sources_by_stage && is_sysfs(s, mount)) {
		dj_error_clear(err);
		tree = source_clone_sysfs(mount, err);
	}
	return tree;
}

static int label_root(const char *label, int tree, struct donjon_error *err)
{
	dj_auto_close int root = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root < 0 || fsetxattr(root, "security.selinux", label, strlen(label) + 1, 0) < 0)
		return dj_fail_os(err, errno, "linux.mountLabel: put it on the root of the file system");
	return 0;
}

/* As runc does it: a private directory of the image does not become everybody's. */
static int take_mode(const struct inside *s, const struct plan_mount *mount, int tree, struct donjon_error *err)
{
	const char *path = plan_text(s->plan, mount->destination);
	dj_auto_close int below = path_open_in_root(s->root, path, O_PATH | O_DIRECTORY, 0);
	struct stat st;

	if (below < 0)
		return 0; /* it is made then, or attach() says why not */
	if (fstat(below, &st) < 0)
		return dj_fail_os(err, errno, "stat %s of the image", path);
	if (fchmodat(tree, ".", st.st_mode & 07777, 0) < 0 && errno != EROFS)
		return dj_fail_os(err, errno, "set the mode of the tmpfs");
	return 0;
}

static int place_filesystem(const struct inside *s, const struct plan_mount *mount, struct donjon_error *err)
{
	dj_auto_close int tree = make_filesystem(s, mount, err);

	if (tree < 0)
		return -1;
	if (mount->label && label_root(plan_text(s->plan, mount->label), tree, err) < 0)
		return -1;
	if (mount->takes_mode && take_mode(s, mount, tree, err) < 0)
		return -1;
	if (mount->copy_up &&
	    copy_up(s->root, plan_text(s->plan, mount->destination), tree, mount->takes_mode, err) < 0)
		return -1;
	return attach(s, mount, tree, err);
}

/* Rootless: sources are opened by us, in the mount namespace that was copied from the host's. */
static int place_own_source(struct inside *s, const struct plan_mount *mount, struct donjon_error *err)
{
	dj_auto_close int tree = mount->kind == PLAN_MOUNT_DEV ? filesystem_make(s->plan, mount, err)
							       : source_clone(s->plan, mount, err);

	if (tree < 0)
		return -1;
	if (mount->kind == PLAN_MOUNT_BIND && mount_set_attributes(tree, mount, err) < 0)
		return err->os != EPERM ? -1
					: dj_note(err, "%s.options: a flag of the source's mount cannot be "
						       "cleared in a user namespace",
						  plan_text(s->plan, mount->pointer));
	if (attach(s, mount, tree, err) < 0)
		return -1;
	return mount->kind == PLAN_MOUNT_DEV ? dev_bind_nodes(s->plan, tree, err) : 0;
}

static int place_source(struct inside *s, uint32_t row, const struct plan_mount *mount,
			struct donjon_error *err)
{
	dj_auto_close int tree = -1;

	if (!source_is_outside(s->plan, mount))
		return place_own_source(s, mount, err);
	tree = next_source(s, row, err);
	return tree < 0 ? -1 : attach(s, mount, tree, err);
}

static int remount(const struct inside *s, const struct plan_mount *mount, struct donjon_error *err)
{
	dj_auto_close int fd = path_open_in_root(s->root, plan_text(s->plan, mount->destination), O_PATH, 0);

	if (fd < 0)
		return dj_fail_os(err, -fd, "open the mount to change");
	if (sys_is_mount_root(fd) == 0)
		return dj_fail(err, DONJON_E_CONFIG, "nothing is mounted there that could be changed");
	return mount_set_attributes(fd, mount, err);
}

/* What a cgroup mount shows where there is no cgroup namespace: the container's own cgroup, bound
 * from the host. */
static int bind_cgroup(const struct inside *s, const struct plan_mount *mount, plan_str host,
		       struct donjon_error *err)
{
	struct plan_mount bind = *mount;
	dj_auto_close int tree = -1;

	bind.source = host;
	bind.recursive = false;
	tree = source_clone(s->plan, &bind, err);
	if (tree < 0 || mount_set_attributes(tree, &bind, err) < 0)
		return -1;
	return dj_take_fd(&tree);
}

static int make_cgroup(const char *type, const struct dj_plan *plan, struct plan_list flags, uint64_t attr,
		       struct donjon_error *err)
{
	const plan_str *names = plan_items(plan, flags, plan_str);
	dj_auto_close int fs = sys_fsopen(type);
	int r = fs < 0 ? fs : sys_fsconfig(fs, SYS_FSCONFIG_STRING, "source", "cgroup", 0);

	for (uint32_t i = 0; r >= 0 && i < flags.n; i++) {
		const char *name = plan_text(plan, names[i]);

		r = strncmp(name, "name=", 5) == 0
			    ? sys_fsconfig(fs, SYS_FSCONFIG_STRING, "name", name + 5, 0)
			    : sys_fsconfig(fs, SYS_FSCONFIG_FLAG, name, NULL, 0);
		if (r >= 0 && strncmp(name, "name=", 5) == 0)
			r = sys_fsconfig(fs, SYS_FSCONFIG_FLAG, "none", NULL, 0);
	}
	if (r >= 0)
		r = sys_fsconfig(fs, SYS_FSCONFIG_CREATE, NULL, NULL, 0);
	if (r >= 0)
		r = sys_fsmount(fs, (unsigned)attr & 0xffU);
	return r < 0 ? dj_fail_os(err, -r, "mount %s", type) : r;
}

static int make_or_bind_cgroup(const struct inside *s, const struct plan_mount *mount, const char *type,
			       struct plan_list flags, plan_str host, struct donjon_error *err)
{
	int tree;

	/* Never more of the tree than the container's own part. */
	if (s->plan->ns[OCI_NS_CGROUP].kind == PLAN_NS_HOST)
		return bind_cgroup(s, mount, host, err);
	tree = make_cgroup(type, s->plan, flags, mount->attr_set, err);
	if (tree < 0 && s->plan->cgroup && (err->os == EPERM || err->os == EBUSY)) {
		dj_error_clear(err); /* P9: bind it instead */
		return bind_cgroup(s, mount, host, err);
	}
	return tree;
}

static int place_cgroup_v1(const struct inside *s, const struct plan_mount *mount, int top,
			   struct donjon_error *err)
{
	const struct plan_cgroup_v1 *v1 = plan_items(s->plan, s->plan->cgroup_v1, struct plan_cgroup_v1);

	for (uint32_t i = 0; i < s->plan->cgroup_v1.n; i++) {
		const char *dir = plan_text(s->plan, v1[i].dir);
		dj_auto_close int tree = make_or_bind_cgroup(s, mount, "cgroup", v1[i].controllers, v1[i].host, err);
		int r;

		if (tree < 0)
			return dj_note(err, "hierarchy %s", dir);
		/* In a tmpfs of our own, which nobody else has seen yet. */
		if (mkdirat(top, dir, 0555) < 0)
			return dj_fail_os(err, errno, "make a directory for hierarchy %s", dir);
		r = sys_move_mount(tree, "", top, dir, SYS_MOVE_MOUNT_F_EMPTY_PATH);
		if (r < 0)
			return dj_fail_os(err, -r, "attach hierarchy %s", dir);
	}
	return 0;
}

/* Without a cgroup of its own there is no part of the host's tree that is the container's: a cgroup
 * namespace would begin at the caller's. */
static bool has_nothing_to_show(const struct dj_plan *plan)
{
	return !plan->cgroup && (plan->own_cgroups_only || plan->ns[OCI_NS_CGROUP].kind == PLAN_NS_HOST);
}

/* What it gets instead cannot be written either (CVE-2023-25809). */
static int make_empty_cgroup(uint64_t attr, struct donjon_error *err)
{
	dj_auto_close int fs = sys_fsopen("tmpfs");
	int r = fs;

	if (r >= 0)
		r = sys_fsconfig(fs, SYS_FSCONFIG_STRING, "source", "cgroup", 0);
	if (r >= 0)
		r = sys_fsconfig(fs, SYS_FSCONFIG_STRING, "mode", "555", 0);
	if (r >= 0)
		r = sys_fsconfig(fs, SYS_FSCONFIG_CREATE, NULL, NULL, 0);
	if (r >= 0)
		r = sys_fsmount(fs, (unsigned)attr | SYS_MOUNT_ATTR_RDONLY);
	return r < 0 ? dj_fail_os(err, -r, "make an empty directory") : r;
}

static int place_cgroup(const struct inside *s, const struct plan_mount *mount, struct donjon_error *err)
{
	const struct sys_mount_attr readonly = { .attr_set = SYS_MOUNT_ATTR_RDONLY };
	struct plan_mount top = *mount;
	dj_auto_close int tree = -1;
	int r;

	if (has_nothing_to_show(s->plan)) {
		tree = make_empty_cgroup(mount->attr_set, err);
		return tree < 0 ? -1 : attach(s, mount, tree, err);
	}
	if (s->plan->cgroup_v2) {
		tree = make_or_bind_cgroup(s, mount, "cgroup2", (struct plan_list){ 0 },
					   s->plan->cgroup_v2_host, err);
		return tree < 0 ? -1 : attach(s, mount, tree, err);
	}
	/* A tmpfs with one directory for each hierarchy, read-only once they are all in place. */
	top.attr_set &= ~(uint64_t)SYS_MOUNT_ATTR_RDONLY;
	tree = filesystem_make(s->plan, &top, err);
	if (tree < 0 || attach(s, mount, tree, err) < 0 || place_cgroup_v1(s, mount, tree, err) < 0)
		return -1;
	if (!(mount->attr_set & SYS_MOUNT_ATTR_RDONLY))
		return 0;
	r = sys_mount_setattr(tree, "", AT_EMPTY_PATH, &readonly);
	return r < 0 ? dj_fail_os(err, -r, "make the cgroup directory read-only") : 0;
}

static int place(struct inside *s, uint32_t row, const struct plan_mount *mount, struct donjon_error *err)
{
	switch ((enum plan_mount_kind)mount->kind) {
	case PLAN_MOUNT_BIND:
	case PLAN_MOUNT_DEV:
	case PLAN_MOUNT_FS_OUTSIDE:
		return place_source(s, row, mount, err);
	case PLAN_MOUNT_FS:
		return place_filesystem(s, mount, err);
	case PLAN_MOUNT_REMOUNT:
		return remount(s, mount, err);
	case PLAN_MOUNT_CGROUP:
		return place_cgroup(s, mount, err);
	}
	return dj_fail(err, DONJON_E_VERIFY, "unknown kind of mount %d", mount->kind);
}

int mount_all(struct inside *s, uint32_t row, struct donjon_error *err)
{
	const struct plan_mount *mounts = plan_items(s->plan, s->plan->mounts, struct plan_mount);

	for (uint32_t i = 0; i < s->plan->mounts.n; i++)
		if (place(s, row, &mounts[i], err) < 0)
			return dj_note(err, "%s: mount %s", plan_text(s->plan, mounts[i].pointer),
				       plan_text(s->plan, mounts[i].destination));
	return 0;
}

/* P44: nodes outside /dev, in the root filesystem itself. */
int make_devices(struct inside *s, uint32_t row, struct donjon_error *err)
{
	const struct plan_device *devices = plan_items(s->plan, s->plan->devices, struct plan_device);
	bool bind = s->plan->ns[OCI_NS_USER].kind != PLAN_NS_HOST;

	(void)row;
	for (uint32_t i = 0; i < s->plan->devices.n; i++) {
		const char *path = plan_text(s->plan, devices[i].path);

		if (strncmp(path, "/dev/", 5) != 0 &&
		    device_make(s->plan, &devices[i], s->root, path, bind, err) < 0)
			return -1;
	}
	return 0;
}
