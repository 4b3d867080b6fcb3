/* The root filesystem and the bind sources as detached trees, id-mapped where there is a user
 * namespace: the ladder of design.md §3. */
#include "launch/outside.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/procfs.h"
#include "base/sys.h"
#include "launch/devices.h"
#include "launch/overlay.h"
#include "launch/sources.h"
#include "launch/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void outside_note(const struct outside *o, const char *check, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (!o->request->note)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	o->request->note(o->request->data, check, text);
}

int open_rootfs(struct outside *o, uint32_t row, struct donjon_error *err)
{
	const char *path = plan_text(o->plan, o->plan->rootfs);
	struct stat st, host;

	(void)row;
	if (o->plan->sources_by_stage)
		return 0;
	o->root = sys_open_tree(AT_FDCWD, path,
				SYS_OPEN_TREE_CLONE | SYS_AT_RECURSIVE | AT_SYMLINK_NOFOLLOW);
	if (o->root < 0)
		return dj_fail_os(err, -o->root, "root.path: clone the tree at %s", path);
	if (fstat(o->root, &st) < 0 || stat("/", &host) < 0)
		return dj_fail_os(err, errno, "root.path: stat %s", path);
	if (!S_ISDIR(st.st_mode))
		return dj_fail(err, DONJON_E_CONFIG, "root.path: %s must be a directory, not a link to one",
			       path);
	if (source_check_judged(o->root, &o->plan->rootfs_judged, "root.path", path, err) < 0)
		return -1;
	if (st.st_dev == host.st_dev && st.st_ino == host.st_ino)
		return dj_fail(err, DONJON_E_CONFIG, "root.path: %s is the host's own root", path);
	return 0;
}

static int set_idmap(int tree, int userns, bool recursive)
{
	const struct sys_mount_attr attr = { .attr_set = SYS_MOUNT_ATTR_IDMAP,
					     .userns_fd = (uint64_t)userns };

	return sys_mount_setattr(tree, "", AT_EMPTY_PATH | (recursive ? SYS_AT_RECURSIVE : 0), &attr);
}

/* All of a tree, or where one of its submounts cannot be mapped, its top alone: what lies below then
 * shows foreign owners, which grants nothing, and is recorded. */
static int map_tree(const struct outside *o, const char *what, int tree, int userns, bool recursive)
{
	int r = set_idmap(tree, userns, recursive);

	if (r != -EINVAL || !recursive)
		return r;
	r = set_idmap(tree, userns, false);
	if (r == 0)
		outside_note(o, "userns.map", "mounts below %s are not id-mapped", what);
	return r;
}

/* A path lies in the root filesystem unless one of the first mounts covers it. */
static bool lies_in_rootfs(const struct dj_plan *plan, uint32_t first, const char *path)
{
	const struct plan_mount *mounts = plan_items(plan, plan->mounts, struct plan_mount);

	for (uint32_t i = 0; i < first; i++)
		if (path_has_prefix(path, plan_text(plan, mounts[i].destination)))
			return false;
	return true;
}

/* The type of what will be mounted; that of a source that is missing does not matter any more. */
static mode_t source_type(const struct dj_plan *plan, const struct plan_mount *mount)
{
	const int flags = mount->source_nofollow ? AT_SYMLINK_NOFOLLOW : 0;
	struct stat st;

	if (mount->kind != PLAN_MOUNT_BIND ||
	    fstatat(AT_FDCWD, plan_text(plan, mount->source), &st, flags) < 0)
		return S_IFDIR;
	return st.st_mode & S_IFMT;
}

/* A tmpfs takes the mode of the directory it covers, so one that is made for it has the mode a tmpfs has. */
static int make_tmpfs_mount_point(int root, const char *path, struct donjon_error *err)
{
	const char *name;
	dj_auto_close int parent = path_open_parent(root, path, true, &name, err);
	dj_auto_close int made = -1;

	if (parent < 0)
		return -1;
	if (mkdirat(parent, name, 0755) == 0) {
		made = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (made < 0 || fchmod(made, 01777) < 0)
			return dj_fail_os(err, errno, "make mount point %s", path);
	}
	return path_make_mount_point(root, path, true, err);
}

static int make_mount_point(const struct outside *o, const struct plan_mount *mount, const char *path,
			    struct donjon_error *err)
{
	mode_t source = source_type(o->plan, mount);

	if (mount->takes_mode)
		return make_tmpfs_mount_point(o->root, path, err);
	if (source_covers_name(mount, source))
		return path_make_mount_point_unfollowed(o->root, path, S_ISDIR(source), err);
	return path_make_mount_point(o->root, path, S_ISDIR(source), err);
}

/* The stage cannot create anything in a tree whose files are nobody's to it, so what the mounts and
 * the working directory need is made here, by the fd-anchored primitive (decision 9). */
static int make_mount_points(struct outside *o, struct donjon_error *err)
{
	const struct plan_mount *mounts = plan_items(o->plan, o->plan->mounts, struct plan_mount);
	int point;

	for (uint32_t i = 0; i < o->plan->mounts.n; i++) {
		const char *path = plan_text(o->plan, mounts[i].destination);

		if (mounts[i].kind == PLAN_MOUNT_REMOUNT || !lies_in_rootfs(o->plan, i, path))
			continue;
		point = make_mount_point(o, &mounts[i], path, err);
		if (point < 0)
			return dj_note(err, "%s.destination", plan_text(o->plan, mounts[i].pointer));
		dj_close(&point);
	}
	point = path_make_dir(o->root, plan_text(o->plan, o->plan->cwd), 0755, err);
	if (point < 0)
		return dj_note(err, "process.cwd");
	dj_close(&point);
	return 0;
}

static bool owner_is_mapped(const struct outside *o, int fd)
{
	const struct oci_id_map *map = plan_items(o->plan, o->plan->uid_maps, struct oci_id_map);
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	for (uint32_t i = 0; i < o->plan->uid_maps.n; i++)
		if (st.st_uid >= map[i].host_id && st.st_uid - map[i].host_id < map[i].size)
			return true;
	return false;
}

/* Without owners the launch could only end with a denied access that nobody would understand. */
static int check_reachable(const struct outside *o, const char *what, const char *path,
			   struct donjon_error *err)
{
	dj_auto_close int fd = -1;
	struct stat st;

	if (path[0] != '/' || !lies_in_rootfs(o->plan, o->plan->mounts.n, path))
		return 0;
	fd = path_open_in_root(o->root, path, O_PATH, 0);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_mode & S_IXOTH || owner_is_mapped(o, fd))
		return 0; /* what is not there is named where it is needed */
	return dj_fail(err, DONJON_E_UNSUPPORTED,
		       "%s: %s is for users that are nobody in the private user namespace: use the "
		       "override userns.private=host, or a file system that can be id-mapped",
		       what, path);
}

/* Step (d): what others may not read is out of reach even for root. */
static int keep_owners(struct outside *o, const char *why, struct donjon_error *err)
{
	const plan_str *args = plan_items(o->plan, o->plan->args, plan_str);

	o->ladder = 'd';
	outside_note(o, "userns.map",
		     "the root filesystem keeps the host's owners (%s): files of the host's root appear "
		     "as nobody's and stay readable by mode",
		     why);
	if (check_reachable(o, "process.cwd", plan_text(o->plan, o->plan->cwd), err) < 0)
		return -1;
	if (o->plan->args.n == 0)
		return 0;
	return check_reachable(o, "process.args[0]", plan_text(o->plan, args[0]), err);
}

/* Steps (c) and (d).  Both can only be read: what the mounts need is made first, in the root
 * filesystem as the engine mounted it (decision 9). */
static int use_unmappable(struct outside *o, int why, struct donjon_error *err)
{
	struct donjon_error reason = { 0 };
	int tree = -1;

	if (!o->plan->rootfs_readonly && !o->plan->rootfs_volatile)
		return dj_fail(err, DONJON_E_REFUSED,
			       "fs.rootfs-ro=rw: the root filesystem cannot be id-mapped (errno %d), so "
			       "a private user namespace can only read it: use the override "
			       "userns.private=host, too",
			       why);
	if (make_mount_points(o, err) < 0)
		return -1;
	if (overlay_is_one(o->root))
		tree = overlay_rebuild(o, &reason);
	else
		(void)dj_fail_os(&reason, why, "it cannot be id-mapped");
	if (tree < 0)
		return keep_owners(o, reason.text, err);
	o->ladder = 'c';
	dj_close(&o->root);
	o->root = tree;
	return 0;
}

int map_rootfs(struct outside *o, uint32_t row, struct donjon_error *err)
{
	int r;

	(void)row;
	o->ladder = 'a';
	if (o->plan->sources_by_stage)
		return 0;
	o->userns = procfs_follow(o->proc, "user", "%d/ns", (int)o->pid);
	if (o->userns < 0)
		return dj_fail_os(err, -o->userns, "open the container's user namespace");
	/* The config's own user namespace, perhaps over other ids' files. */
	if (!o->plan->rootfs_idmap)
		return owner_is_mapped(o, o->root) ? 0 : make_mount_points(o, err);
	o->ladder = 'b';
	r = map_tree(o, "the root filesystem", o->root, o->userns, true);
	return r < 0 ? use_unmappable(o, -r, err) : 0;
}

int send_hand_over(struct outside *o, uint32_t row, struct donjon_error *err)
{
	int fds[4];
	size_t n = 0;

	fds[n++] = o->plan_fd;
	if (o->stage_proc >= 0)
		fds[n++] = o->stage_proc;
	if (!o->plan->joins && !o->plan->sources_by_stage)
		fds[n++] = o->root;
	if (o->namespaces[OCI_NS_MOUNT] >= 0)
		fds[n++] = o->namespaces[OCI_NS_MOUNT];
	if (o->request->gate >= 0)
		fds[n++] = o->request->gate;
	return wire_send(o->wire, WIRE_TELL, row, fds, n, err);
}

/* Decision 18: what cannot be id-mapped is mounted as it is only where that shows or grants nothing
 * that matters; otherwise it is refused, never silently left unmapped.  A file that everybody may read is
 * that, too: podman's hosts and resolv.conf are on /run, a tmpfs, and before Linux 6.3 that is one. */
static bool may_stay_unmapped(const struct plan_mount *mount, const struct stat *st)
{
	if ((mount->attr_set | mount->rec_set) & SYS_MOUNT_ATTR_RDONLY || st->st_mode & S_IWOTH)
		return true;
	return S_ISREG(st->st_mode) && st->st_mode & S_IROTH;
}

static int accept_unmapped(struct outside *o, const struct plan_mount *mount, int tree, int why,
			   struct donjon_error *err)
{
	const char *source = plan_text(o->plan, mount->source);
	struct stat st;

	if (fstat(tree, &st) < 0)
		return dj_fail_os(err, errno, "stat %s", source);
	if (mount->idmap_required || !may_stay_unmapped(mount, &st))
		return dj_fail(err, DONJON_E_UNSUPPORTED,
			       "%s: the filesystem of %s cannot be id-mapped (errno %d): mount it "
			       "read-only, or use the override userns.private=host",
			       plan_text(o->plan, mount->pointer), source, why);
	outside_note(o, "userns.map", "%s: %s is not id-mapped", plan_text(o->plan, mount->pointer),
		     source);
	return 0;
}

static int map_source(struct outside *o, const struct plan_mount *mount, int tree,
		      struct donjon_error *err)
{
	dj_auto_close int own = -1;
	int userns = o->userns, r;

	if (!mount->idmap)
		return 0;
	if (mount->uid_maps.n || mount->gid_maps.n) {
		own = outside_idmap_userns(o, plan_items(o->plan, mount->uid_maps, struct oci_id_map),
					   mount->uid_maps.n,
					   plan_items(o->plan, mount->gid_maps, struct oci_id_map),
					   mount->gid_maps.n, err);
		if (own < 0)
			return -1;
		userns = own;
	}
	r = mount->idmap_required ? set_idmap(tree, userns, mount->idmap_recursive)
				  : map_tree(o, plan_text(o->plan, mount->source), tree, userns,
					     mount->idmap_recursive);
	return r == 0 ? 0 : accept_unmapped(o, mount, tree, -r, err);
}

static int open_source(struct outside *o, const struct plan_mount *mount, struct donjon_error *err)
{
	int tree;

	if (mount->kind == PLAN_MOUNT_DEV)
		return dev_make(o->plan, mount, err);
	if (mount->kind == PLAN_MOUNT_FS_OUTSIDE) {
		if (strcmp(plan_text(o->plan, mount->type), "overlay") == 0)
			outside_note(o, "userns.map", "%s: an overlay is not id-mapped",
				     plan_text(o->plan, mount->pointer));
		return dj_take_fd(&o->outside_fs[o->next_outside_fs++]);
	}
	tree = source_clone(o->plan, mount, err);
	if (tree < 0)
		return -1;
	if (map_source(o, mount, tree, err) < 0 || mount_set_attributes(tree, mount, err) < 0) {
		dj_close(&tree);
		return dj_note(err, "mount %s", plan_text(o->plan, mount->destination));
	}
	return tree;
}

/* In batches, so that a thousand binds work under a limit of 1,024 descriptors. */
int serve_sources(struct outside *o, uint32_t row, struct donjon_error *err)
{
	const struct plan_mount *mounts = plan_items(o->plan, o->plan->mounts, struct plan_mount);
	int batch[FD_MESSAGE_MAX];
	size_t n = 0, sent = 0;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < o->plan->mounts.n; i++) {
		if (!source_is_outside(o->plan, &mounts[i]))
			continue;
		if (n == FD_MESSAGE_MAX) {
			if (sent++ > 0)
				r = outside_receive(o, WIRE_MORE, row, NULL, NULL, err);
			if (r == 0)
				r = wire_send(o->wire, WIRE_TELL, row, batch, n, err);
			while (n > 0)
				dj_close(&batch[--n]);
		}
		if (r == 0) {
			batch[n] = open_source(o, &mounts[i], err);
			r = batch[n] < 0 ? -1 : 0;
			n += r == 0;
		}
	}
	if (r == 0 && n > 0) {
		if (sent > 0)
			r = outside_receive(o, WIRE_MORE, row, NULL, NULL, err);
		if (r == 0)
			r = wire_send(o->wire, WIRE_TELL, row, batch, n, err);
	}
	while (n > 0)
		dj_close(&batch[--n]);
	return r;
}
