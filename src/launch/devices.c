#include "launch/devices.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "base/sys.h"
#include "launch/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static const struct {
	const char *name, *target;
} links[] = {
	{ "fd", "/proc/self/fd" },
	{ "stdin", "/proc/self/fd/0" },
	{ "stdout", "/proc/self/fd/1" },
	{ "stderr", "/proc/self/fd/2" },
	{ "core", "/proc/kcore" },
	{ "ptmx", "pts/ptmx" },
};

static int make_links(int dev, struct donjon_error *err)
{
	for (size_t i = 0; i < DJ_COUNT(links); i++)
		if (symlinkat(links[i].target, dev, links[i].name) < 0)
			return dj_fail_os(err, errno, "link /dev/%s", links[i].name);
	return 0;
}

static int make_node(const struct dj_plan *plan, const struct plan_device *device, int parent,
		     const char *name, struct donjon_error *err)
{
	uid_t uid = plan_owner_id(plan, plan->uid_maps, device->uid);
	gid_t gid = plan_owner_id(plan, plan->gid_maps, device->gid);
	dev_t dev = S_ISFIFO(device->mode) ? 0 : makedev(device->major, device->minor);
	struct stat st;

	if (mknodat(parent, name, device->mode, dev) < 0) {
		if (errno != EEXIST)
			return dj_fail_os(err, errno, "mknod %s", plan_text(plan, device->path));
		/* P44: an existing file that differs must be an error; one that is the same stays. */
		if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    (st.st_mode & S_IFMT) != (device->mode & S_IFMT) || st.st_rdev != dev)
			return dj_fail(err, DONJON_E_CONFIG,
				       "linux.devices: %s exists and is something else",
				       plan_text(plan, device->path));
		return 0;
	}
	/* The stage has umask 0.  Outside, the caller's applied, and the directory is a detached tmpfs
	 * nobody else can change; in the stage nothing that follows links is done (B05). */
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return dj_fail_os(err, errno, "stat %s", plan_text(plan, device->path));
	if (S_ISLNK(st.st_mode))
		return dj_fail(err, DONJON_E_VERIFY, "linux.devices: %s was replaced by a link",
			       plan_text(plan, device->path));
	if (st.st_mode != device->mode && fchmodat(parent, name, device->mode & 07777, 0) < 0)
		return dj_fail_os(err, errno, "chmod %s", plan_text(plan, device->path));
	if ((uid != 0 || gid != 0) && fchownat(parent, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return dj_fail_os(err, errno, "chown %s", plan_text(plan, device->path));
	return 0;
}

static int bind_node(const struct dj_plan *plan, const struct plan_device *device, int root,
		     const char *path, struct donjon_error *err)
{
	const char *host = plan_text(plan, device->path);
	dj_auto_close int target = -1;
	dj_auto_close int tree = sys_open_tree(AT_FDCWD, host, SYS_OPEN_TREE_CLONE);
	struct stat st;
	int r;

	if (tree < 0)
		return dj_fail_os(err, -tree, "linux.devices: clone the host's %s", host);
	if (fstat(tree, &st) < 0)
		return dj_fail_os(err, errno, "stat %s", host);
	if ((st.st_mode & S_IFMT) != (device->mode & S_IFMT) ||
	    st.st_rdev != makedev(device->major, device->minor))
		return dj_fail(err, DONJON_E_CONFIG, "linux.devices: the host's %s is another device", host);
	target = path_make_mount_point(root, path, false, err);
	if (target < 0)
		return -1;
	r = sys_move_mount(tree, "", target, "", SYS_MOVE_MOUNT_F_EMPTY_PATH | SYS_MOVE_MOUNT_T_EMPTY_PATH);
	if (r < 0)
		return dj_fail_os(err, -r, "bind the host's %s", host);
	return 0;
}

int device_make(const struct dj_plan *plan, const struct plan_device *device, int root, const char *path,
		bool bind, struct donjon_error *err)
{
	dj_auto_close int parent = -1;
	const char *name;

	if (bind && !S_ISFIFO(device->mode))
		return bind_node(plan, device, root, path, err);
	if (!strchr(path, '/'))
		return make_node(plan, device, root, path, err);
	parent = path_open_parent(root, path, true, &name, err);
	if (parent < 0)
		return -1;
	return make_node(plan, device, parent, name, err);
}

/* The part of the path below /dev, or NULL. */
static const char *below_dev(const struct dj_plan *plan, const struct plan_device *device)
{
	const char *path = plan_text(plan, device->path);

	return strncmp(path, "/dev/", 5) == 0 ? path + 5 : NULL;
}

static int fill(const struct dj_plan *plan, int dev, bool bind, struct donjon_error *err)
{
	const struct plan_device *devices = plan_items(plan, plan->devices, struct plan_device);

	for (uint32_t i = 0; i < plan->devices.n; i++) {
		const char *path = below_dev(plan, &devices[i]);

		if (path && device_make(plan, &devices[i], dev, path, bind, err) < 0)
			return -1;
	}
	/* The terminal is bound over it later, when /dev may be read-only already. */
	if (plan->terminal) {
		dj_auto_close int console = openat(dev, "console", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

		if (console < 0)
			return dj_fail_os(err, errno, "make /dev/console");
	}
	return make_links(dev, err);
}

int dev_make(const struct dj_plan *plan, const struct plan_mount *mount, struct donjon_error *err)
{
	int tree = filesystem_make(plan, mount, err);

	if (tree >= 0 && fill(plan, tree, false, err) < 0)
		dj_close(&tree);
	return tree;
}

int dev_bind_nodes(const struct dj_plan *plan, int dev, struct donjon_error *err)
{
	return fill(plan, dev, true, err);
}
