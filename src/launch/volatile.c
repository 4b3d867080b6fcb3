/* fs.rootfs-ro=volatile: writes go to a bounded tmpfs and are lost; the image stays untouched.
 *
 * Made inside, after the root filesystem is attached: before Linux 6.15 overlayfs takes no layer that
 * is not mounted in its own mount namespace.  Once it has them they are detached again: the pivot takes
 * away one mount, and what lies on top of the old root would stay, with the old root below it. */
#include "launch/inside.h"

#include "base/cleanup.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

static int make_tmpfs(struct donjon_error *err)
{
	dj_auto_close int fs = sys_fsopen("tmpfs");
	dj_auto_close int tree = -1;
	int r = fs;

	if (r >= 0)
		r = sys_fsconfig(fs, SYS_FSCONFIG_STRING, "source", "donjon-volatile", 0);
	if (r >= 0)
		r = sys_fsconfig(fs, SYS_FSCONFIG_STRING, "size", "64m", 0);
	if (r >= 0)
		r = sys_fsconfig(fs, SYS_FSCONFIG_CREATE, NULL, NULL, 0);
	if (r >= 0)
		tree = r = sys_fsmount(fs, SYS_MOUNT_ATTR_NOSUID | SYS_MOUNT_ATTR_NODEV);
	if (r >= 0)
		r = sys_move_mount(tree, "", AT_FDCWD, "/", SYS_MOVE_MOUNT_F_EMPTY_PATH);
	if (r < 0)
		return dj_fail_os(err, -r, "make a tmpfs");
	if (mkdirat(tree, "upper", 0755) < 0 || mkdirat(tree, "work", 0700) < 0)
		return dj_fail_os(err, errno, "make the writable layer");
	return dj_take_fd(&tree);
}

static int configure(int fs, int lower, int tmpfs)
{
	const struct {
		const char *key, *format;
		int fd;
	} layers[] = {
		{ "lowerdir", "/proc/self/fd/%d", lower },
		{ "upperdir", "/proc/self/fd/%d/upper", tmpfs },
		{ "workdir", "/proc/self/fd/%d/work", tmpfs },
	};
	int r = sys_fsconfig(fs, SYS_FSCONFIG_STRING, "source", "donjon-volatile", 0);

	/* Others cannot be written in a user namespace, and without any a directory that comes from the
	 * image cannot be removed.  (A tmpfs has these since Linux 6.6.) */
	if (r >= 0)
		r = sys_fsconfig(fs, SYS_FSCONFIG_FLAG, "userxattr", NULL, 0);
	for (size_t i = 0; r >= 0 && i < DJ_COUNT(layers); i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), layers[i].format, layers[i].fd);
		r = sys_fsconfig(fs, SYS_FSCONFIG_STRING, layers[i].key, path, 0);
	}
	return r < 0 ? r : sys_fsconfig(fs, SYS_FSCONFIG_CREATE, NULL, NULL, 0);
}

/* The tmpfs, then the root filesystem itself. */
static int detach_layers(struct donjon_error *err)
{
	for (int i = 0; i < 2; i++)
		if (umount2("/", MNT_DETACH) < 0)
			return dj_fail_os(err, errno, "detach the layers");
	return 0;
}

int volatile_rootfs(struct inside *s, uint32_t row, struct donjon_error *err)
{
	dj_auto_close int tmpfs = make_tmpfs(err);
	dj_auto_close int fs = -1, tree = -1;
	struct statfs st;
	int r;

	(void)row;
	if (tmpfs < 0)
		return dj_note(err, "fs.rootfs-ro=volatile");
	fs = sys_fsopen("overlay");
	r = fs < 0 ? fs : configure(fs, s->root, tmpfs);
	if (r >= 0)
		tree = r = sys_fsmount(fs, (unsigned)s->plan->rootfs_attr_set);
	if (r >= 0 && detach_layers(err) < 0)
		return dj_note(err, "fs.rootfs-ro=volatile");
	if (r >= 0)
		r = sys_move_mount(tree, "", AT_FDCWD, "/", SYS_MOVE_MOUNT_F_EMPTY_PATH);
	if (r < 0)
		return dj_fail_os(err, -r, "fs.rootfs-ro=volatile: overlay the root filesystem");
	/* overlayfs that cannot use its upper layer mounts read-only and returns success. */
	if (fstatfs(tree, &st) < 0)
		return dj_fail_os(err, errno, "fs.rootfs-ro=volatile: read back");
	if (st.f_flags & MS_RDONLY)
		return dj_fail(err, DONJON_E_VERIFY, "fs.rootfs-ro=volatile: the overlay is read-only");
	dj_close(&s->root);
	s->root = dj_take_fd(&tree);
	return 0;
}
