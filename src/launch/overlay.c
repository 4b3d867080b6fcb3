/*
 * The engine's overlay cannot be id-mapped, but what it is made of can.  So each layer is cloned
 * and mapped, and all of them, the writable one on top, become the lower layers of a second overlay
 * that nobody can write: its superblock is read-only, whatever rights the container has.
 *
 * The engine's own mount stays, and may be written through; for what changes there from now on the
 * kernel promises nothing (decisions 9, 10, 11).  So nothing is created in the root file system
 * after this.
 */
#include "launch/overlay.h"

#include "base/cleanup.h"
#include "base/mountinfo.h"
#include "base/sys.h"
#include "launch/helper.h"
#include "launch/overlay_options.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { COMPARED_MAX = 1024 }; /* entries of the two roots */

struct layers {
	int fds[OVERLAY_LAYERS_MAX + 1]; /* topmost first */
	size_t n;
};

struct rebuild {
	const struct outside *o;
	struct overlay_options options;
	struct layers layers;
	unsigned attr; /* of the engine's mount: never weaker than what it asked for */
	int tree;
};

bool overlay_is_one(int tree)
{
	struct statfs fs;

	return fstatfs(tree, &fs) == 0 && fs.f_type == OVERLAYFS_SUPER_MAGIC;
}

/* ---- what the engine mounted ---- */

/* o->root is a detached clone, of which the kernel tells nothing. */
static int open_attached(const struct outside *o, struct donjon_error *err)
{
	const char *path = plan_text(o->plan, o->plan->rootfs);
	dj_auto_close int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat now, ours;

	if (fd < 0 || fstat(fd, &now) < 0 || fstat(o->root, &ours) < 0)
		return dj_fail_os(err, errno, "open %s", path);
	if (now.st_dev != ours.st_dev || now.st_ino != ours.st_ino)
		return dj_fail(err, DONJON_E_VERIFY, "%s is no longer what was opened", path);
	return dj_take_fd(&fd);
}

/* Linux 6.11 and 6.12 answer without what SELinux has to say. */
static bool is_complete(const struct dj_plan *plan, const struct mount_facts *facts)
{
	return !plan->selinux || strstr(facts->options, "seclabel") ||
	       strstr(facts->options, "context=");
}

static int read_options(struct rebuild *r, struct dj_arena *arena, struct donjon_error *err)
{
	dj_auto_close int fd = open_attached(r->o, err);
	struct mount_facts facts;

	if (fd < 0)
		return -1;
	if ((mount_facts_ask(fd, arena, &facts) < 0 || !is_complete(r->o->plan, &facts)) &&
	    mount_facts_scan(r->o->proc, fd, arena, &facts, err) < 0)
		return -1;
	if (!facts.is_whole)
		return dj_fail(err, DONJON_E_UNSUPPORTED, "it is a directory of an overlay");
	if (facts.has_submounts)
		return dj_fail(err, DONJON_E_UNSUPPORTED, "something is mounted below it");
	return overlay_options_read(facts.options, arena, &r->options, err);
}

static int read_attributes(struct rebuild *r, struct donjon_error *err)
{
	static const struct {
		unsigned long flag; /* ST_* of statfs(2) */
		unsigned attr;
	} carried[] = {
		{ 0x0002, SYS_MOUNT_ATTR_NOSUID },
		{ 0x0004, SYS_MOUNT_ATTR_NODEV },
		{ 0x0008, SYS_MOUNT_ATTR_NOEXEC },
		{ 0x2000, SYS_MOUNT_ATTR_NOSYMFOLLOW },
	};
	struct statfs fs;

	if (fstatfs(r->o->root, &fs) < 0)
		return dj_fail_os(err, errno, "read its flags");
	for (size_t i = 0; i < DJ_COUNT(carried); i++)
		if ((unsigned long)fs.f_flags & carried[i].flag)
			r->attr |= carried[i].attr;
	return 0;
}

/* ---- its layers ---- */

/*
 * Options fill a page at most, so engines with many layers change into a directory of their store
 * and name them from there.  podman and docker: the parent of the container's directory, which has
 * the root file system and the upper layer in it.  containerd: the directory of the snapshots,
 * where the upper layer (named in full) is one.
 */
static int open_base(const struct rebuild *r, struct donjon_error *err)
{
	const char *upper = r->options.upper;
	char path[PATH_MAX];
	int fd;

	(void)snprintf(path, sizeof(path), "%s",
	               upper && upper[0] == '/' ? upper
	                                        : plan_text(r->o->plan, r->o->plan->rootfs));
	for (int up = 0; up < 2; up++) {
		char *last = strrchr(path, '/');

		if (!last || last == path)
			return dj_fail(err, DONJON_E_UNSUPPORTED, "its layers have relative paths");
		*last = '\0';
	}
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? dj_fail_os(err, errno, "open %s", path) : fd;
}

static int add_layer(struct rebuild *r, const char *path, int *base, struct donjon_error *err)
{
	const struct sys_mount_attr attr = { .attr_set = SYS_MOUNT_ATTR_IDMAP,
		                             .userns_fd = (uint64_t)r->o->userns };
	int fd, os;

	if (path[0] != '/' && *base < 0 && (*base = open_base(r, err)) < 0)
		return -1;
	fd = sys_open_tree(*base, path, SYS_OPEN_TREE_CLONE);
	if (fd < 0)
		return dj_fail_os(err, -fd, "clone its layer %s", path);
	r->layers.fds[r->layers.n++] = fd;
	os = sys_mount_setattr(fd, "", AT_EMPTY_PATH, &attr);
	return os < 0 ? dj_fail_os(err, -os, "id-map its layer %s", path) : 0;
}

static int clone_layers(struct rebuild *r, struct donjon_error *err)
{
	const struct overlay_options *o = &r->options;
	dj_auto_close int base = -1;

	if (o->upper && add_layer(r, o->upper, &base, err) < 0)
		return -1;
	for (size_t i = 0; i < o->n_lower; i++)
		if (add_layer(r, o->lower[i], &base, err) < 0)
			return -1;
	return 0;
}

/* ---- the second overlay ---- */

enum { NAME_ROOM = 3 };

/* Where helpers attach a layer, below their working directory.  As short as can be, see below. */
static void name_layer(size_t index, char name[static NAME_ROOM])
{
	static const char letters[] =
	        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	const size_t n = sizeof(letters) - 1;

	if (index >= n)
		*name++ = letters[index / n - 1];
	*name++ = letters[index % n];
	*name = '\0';
}

/* Linux 6.13. */
static int list_descriptors(int fs, const struct layers *layers)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < layers->n; i++)
		r = sys_fsconfig(fs, SYS_FSCONFIG_FD, "lowerdir+", NULL, layers->fds[i]);
	return r;
}

/* Linux 6.8. */
static int list_one_by_one(int fs, const struct layers *layers)
{
	char name[NAME_ROOM];
	int r = 0;

	for (size_t i = 0; r >= 0 && i < layers->n; i++) {
		name_layer(i, name);
		r = sys_fsconfig(fs, SYS_FSCONFIG_STRING, "lowerdir+", name, 0);
	}
	return r;
}

/* Linux 5.19: the kernel takes 255 bytes, which are 105 layers. */
static int list_all_in_one(int fs, const struct layers *layers)
{
	char list[256], name[NAME_ROOM];
	size_t used = 0;

	for (size_t i = 0; i < layers->n; i++) {
		name_layer(i, name);
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ":" : "",
		                         name);
		if (used >= sizeof(list))
			return -E2BIG;
	}
	return sys_fsconfig(fs, SYS_FSCONFIG_STRING, "lowerdir", list, 0);
}

static int set_option(int fs, const char *key, const char *value)
{
	return sys_fsconfig(fs, value ? SYS_FSCONFIG_STRING : SYS_FSCONFIG_FLAG, key, value, 0);
}

static int set_options(const struct rebuild *r, int fs)
{
	int os = set_option(fs, "source", "overlay");

	for (size_t i = 0; os >= 0 && i < r->options.n_kept; i++)
		os = set_option(fs, r->options.kept[i].key, r->options.kept[i].value);
	/* With an index a layer that is in use elsewhere is EBUSY (launch-findings.md §3). */
	return os < 0 ? os : set_option(fs, "index", "off");
}

static int mount_layers(struct rebuild *r, int (*list)(int fs, const struct layers *layers),
                        struct donjon_error *err)
{
	dj_auto_close int fs = sys_fsopen("overlay");
	int os = fs < 0 ? fs : list(fs, &r->layers);

	if (os >= 0)
		os = set_options(r, fs);
	if (os >= 0)
		os = sys_fsconfig(fs, SYS_FSCONFIG_CREATE, NULL, NULL, 0);
	if (os >= 0)
		os = r->tree = sys_fsmount(fs, r->attr);
	return os < 0 ? dj_fail_os(err, -os, "mount its %zu layers", r->layers.n) : 0;
}

static int make_tmpfs(struct donjon_error *err)
{
	const struct sys_mount_attr private = { .propagation = MS_PRIVATE };
	dj_auto_close int fs = sys_fsopen("tmpfs");
	dj_auto_close int tree = -1;
	int os = fs < 0 ? fs : sys_mount_setattr(AT_FDCWD, "/", SYS_AT_RECURSIVE, &private);

	if (os >= 0)
		os = sys_fsconfig(fs, SYS_FSCONFIG_CREATE, NULL, NULL, 0);
	if (os >= 0)
		os = tree = sys_fsmount(fs, 0);
	if (os >= 0)
		os = sys_move_mount(tree, "", AT_FDCWD, "/", SYS_MOVE_MOUNT_F_EMPTY_PATH);
	return os < 0 ? dj_fail_os(err, -os, "make a tmpfs for its layers") : dj_take_fd(&tree);
}

static int attach_layer(int fd, int at, const char *name)
{
	if (mkdirat(at, name, 0700) < 0)
		return -errno;
	return sys_move_mount(fd, "", at, name, SYS_MOVE_MOUNT_F_EMPTY_PATH);
}

/* Before Linux 6.15 overlayfs takes no layer that is not mounted in its own mount namespace, so
 * this helper has one for them.  What it has mounted needs it no longer. */
static int mount_attached(void *data, struct donjon_error *err)
{
	struct rebuild *r = data;
	dj_auto_close int tmpfs = make_tmpfs(err);
	int os = 0;

	if (tmpfs < 0)
		return -1;
	for (size_t i = 0; os >= 0 && i < r->layers.n; i++) {
		char name[NAME_ROOM];

		name_layer(i, name);
		os = attach_layer(r->layers.fds[i], tmpfs, name);
	}
	if (os >= 0 && fchdir(tmpfs) < 0)
		os = -errno;
	if (os < 0)
		return dj_fail_os(err, -os, "attach its layers");
	if (mount_layers(r, list_one_by_one, err) == 0)
		return 0;
	dj_error_clear(err);
	return mount_layers(r, list_all_in_one, err);
}

static int mount_tree(struct rebuild *r, struct donjon_error *err)
{
	if (mount_layers(r, list_descriptors, err) == 0)
		return 0;
	dj_error_clear(err);
	return helper_run("mount the overlay of the root filesystem", CLONE_NEWNS, mount_attached, r, sizeof(*r), err);
}

/* ---- the same files? ---- */

static bool is_same_file(const struct outside *o, const struct stat *theirs,
                         const struct stat *ours)
{
	uint32_t uid = plan_host_id(o->plan, o->plan->uid_maps, theirs->st_uid);
	uint32_t gid = plan_host_id(o->plan, o->plan->gid_maps, theirs->st_gid);

	return theirs->st_mode == ours->st_mode && theirs->st_rdev == ours->st_rdev &&
	       theirs->st_size == ours->st_size && theirs->st_ctim.tv_sec == ours->st_ctim.tv_sec &&
	       theirs->st_ctim.tv_nsec == ours->st_ctim.tv_nsec &&
	       (uid == UINT32_MAX || uid == ours->st_uid) &&
	       (gid == UINT32_MAX || gid == ours->st_gid);
}

/* Looking leaves no trace. */
static DIR *open_dir(int tree)
{
	int fd = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_NOATIME | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir)
		dj_cleanup_close(&fd);
	return dir;
}

/* The number of entries of a root; those of `theirs` are looked up in ours. */
static int count_entries(const struct outside *o, int tree, int ours, size_t *out,
                         struct donjon_error *err)
{
	DIR *dir = open_dir(tree);
	const struct dirent *entry;
	bool same = true;

	if (!dir)
		return dj_fail_os(err, errno, "read its root");
	for (*out = 0; same && *out < COMPARED_MAX && (entry = readdir(dir)); ++*out) {
		struct stat a, b;

		same = ours < 0 || (fstatat(tree, entry->d_name, &a, AT_SYMLINK_NOFOLLOW) == 0 &&
		                    fstatat(ours, entry->d_name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
		                    (strcmp(entry->d_name, "..") == 0 || is_same_file(o, &a, &b)));
	}
	(void)closedir(dir); /* read only: nothing can be lost */
	return same ? 0 : dj_fail(err, DONJON_E_VERIFY, "its layers are not where they were");
}

/* Names say little: the engine may live in another mount namespace, relative names were completed
 * here, options may mean something else to another kernel.  The two roots must show the same files:
 * the time of an inode's last change is as good as a fingerprint. */
static int check_tree(const struct rebuild *r, struct donjon_error *err)
{
	size_t theirs, ours;
	struct statfs fs;

	if (fstatfs(r->tree, &fs) < 0)
		return dj_fail_os(err, errno, "read back its flags");
	if (!(fs.f_flags & MS_RDONLY))
		return dj_fail(err, DONJON_E_VERIFY, "it could be written");
	if (count_entries(r->o, r->o->root, r->tree, &theirs, err) < 0 ||
	    count_entries(r->o, r->tree, -1, &ours, err) < 0)
		return -1;
	return theirs == ours ? 0
	                      : dj_fail(err, DONJON_E_VERIFY, "its layers are not where they were");
}

int overlay_rebuild(const struct outside *o, struct donjon_error *err)
{
	dj_auto_arena struct dj_arena arena = { 0 };
	struct rebuild r = { .o = o, .tree = -1 };

	if (read_options(&r, &arena, err) == 0 && read_attributes(&r, err) == 0 &&
	    clone_layers(&r, err) == 0 && mount_tree(&r, err) == 0 && check_tree(&r, err) < 0)
		dj_close(&r.tree);
	while (r.layers.n > 0)
		dj_close(&r.layers.fds[--r.layers.n]);
	return r.tree;
}
