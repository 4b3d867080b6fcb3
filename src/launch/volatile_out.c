/* fs.rootfs-ro=volatile: writes go to a bounded tmpfs and are lost; the image stays untouched. */
#include "launch/outside.h"

#include "base/cleanup.h"
#include "base/sys.h"
#include "launch/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

enum { LAYER_MIB = 64 };

static int make_tmpfs(struct donjon_error *err)
{
	dj_auto_close int fs = sys_fsopen("tmpfs");
	char size[16];
	int r = fs;

	(void)snprintf(size, sizeof(size), "%dm", LAYER_MIB);
	if (r >= 0)
		r = sys_fsconfig(fs, SYS_FSCONFIG_STRING, "source", "donjon-volatile", 0);
	if (r >= 0)
		r = sys_fsconfig(fs, SYS_FSCONFIG_STRING, "size", size, 0);
	if (r >= 0)
		r = sys_fsconfig(fs, SYS_FSCONFIG_CREATE, NULL, NULL, 0);
	if (r >= 0)
		r = sys_fsmount(fs, SYS_MOUNT_ATTR_NOSUID | SYS_MOUNT_ATTR_NODEV);
	return r < 0 ? dj_fail_os(err, -r, "fs.rootfs-ro=volatile: make a tmpfs") : r;
}

/* The directory that will be the container's "/" looks like the image's. */
static int make_layer(const struct outside *o, int tmpfs, struct donjon_error *err)
{
	uid_t uid = plan_host_id(o->plan, o->plan->uid_maps, 0);
	gid_t gid = plan_host_id(o->plan, o->plan->gid_maps, 0);

	if (mkdirat(tmpfs, "upper", 0755) < 0 || mkdirat(tmpfs, "work", 0700) < 0 ||
	    fchownat(tmpfs, "upper", uid, gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchownat(tmpfs, "work", uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return dj_fail_os(err, errno, "fs.rootfs-ro=volatile: make the writable layer");
	return 0;
}

static int configure(int fs, int lower, int tmpfs)
{
	char text[64];
	int r;

	(void)snprintf(text, sizeof(text), "/proc/self/fd/%d", lower);
	if ((r = sys_fsconfig(fs, SYS_FSCONFIG_STRING, "lowerdir", text, 0)) < 0)
		return r;
	(void)snprintf(text, sizeof(text), "/proc/self/fd/%d/upper", tmpfs);
	if ((r = sys_fsconfig(fs, SYS_FSCONFIG_STRING, "upperdir", text, 0)) < 0)
		return r;
	(void)snprintf(text, sizeof(text), "/proc/self/fd/%d/work", tmpfs);
	if ((r = sys_fsconfig(fs, SYS_FSCONFIG_STRING, "workdir", text, 0)) < 0)
		return r;
	(void)sys_fsconfig(fs, SYS_FSCONFIG_STRING, "source", "donjon-volatile", 0);
	return sys_fsconfig(fs, SYS_FSCONFIG_CREATE, NULL, NULL, 0);
}

int volatile_rootfs(struct outside *o, uint32_t row, struct donjon_error *err)
{
	dj_auto_close int tmpfs = make_tmpfs(err);
	dj_auto_close int fs = -1, tree = -1;
	struct statfs st;
	int r;

	(void)row;
	if (tmpfs < 0 || make_layer(o, tmpfs, err) < 0)
		return -1;
	fs = sys_fsopen("overlay");
	r = fs < 0 ? fs : configure(fs, o->root, tmpfs);
	if (r >= 0)
		tree = r = sys_fsmount(fs, 0);
	if (r < 0)
		return dj_fail_os(err, -r, "fs.rootfs-ro=volatile: overlay the root filesystem");
	/* overlayfs that cannot use its upper layer mounts read-only and returns success. */
	if (fstatfs(tree, &st) < 0)
		return dj_fail_os(err, errno, "fs.rootfs-ro=volatile: read back");
	if (st.f_flags & 1 /* ST_RDONLY */)
		return dj_fail(err, DONJON_E_VERIFY, "fs.rootfs-ro=volatile: the overlay is read-only");
	dj_close(&o->root);
	o->root = dj_take_fd(&tree);
	return 0;
}
