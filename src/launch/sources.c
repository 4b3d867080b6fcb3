#include "launch/sources.h"

#include "base/cleanup.h"
#include "base/overlay_names.h"
#include "base/sys.h"
#include "launch/overlay_layers.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

enum { FSCONFIG_VALUE_MAX = 255 };

bool source_is_outside(const struct dj_plan *plan, const struct plan_mount *mount)
{
	if (mount->kind == PLAN_MOUNT_FS_OUTSIDE)
		return true;
	return !plan->sources_by_stage && (mount->kind == PLAN_MOUNT_BIND || mount->kind == PLAN_MOUNT_DEV);
}

bool source_covers_name(const struct plan_mount *mount, mode_t source)
{
	return mount->dest_nofollow || S_ISLNK(source);
}

uint32_t plan_host_id(const struct dj_plan *plan, struct plan_list maps, uint32_t id)
{
	const struct oci_id_map *map = plan_items(plan, maps, struct oci_id_map);

	if (maps.n == 0)
		return id;
	for (uint32_t i = 0; i < maps.n; i++)
		if (id >= map[i].container_id && id - map[i].container_id < map[i].size)
			return map[i].host_id + (id - map[i].container_id);
	return UINT32_MAX;
}

uint32_t plan_owner_id(const struct dj_plan *plan, struct plan_list maps, uint32_t id)
{
	uint32_t host = plan_host_id(plan, maps, id);

	return host == UINT32_MAX ? plan_items(plan, maps, struct oci_id_map)[0].host_id : host;
}

bool sources_has_outside_fs(const struct dj_plan *plan)
{
	const struct plan_mount *mounts = plan_items(plan, plan->mounts, struct plan_mount);

	for (uint32_t i = 0; i < plan->mounts.n; i++)
		if (mounts[i].kind == PLAN_MOUNT_FS_OUTSIDE)
			return true;
	return false;
}

static int set_attributes(int tree, uint64_t set, uint64_t clear, uint64_t propagation, bool recursive,
			  struct donjon_error *err)
{
	struct sys_mount_attr attr = { .attr_set = set, .attr_clr = clear, .propagation = propagation };
	int r;

	/* The kernel insists that a change of the atime mode clears the whole field. */
	if ((set | clear) & SYS_MOUNT_ATTR__ATIME)
		attr.attr_clr |= SYS_MOUNT_ATTR__ATIME;
	if (!attr.attr_set && !attr.attr_clr && !attr.propagation)
		return 0;
	r = sys_mount_setattr(tree, "", AT_EMPTY_PATH | (recursive ? SYS_AT_RECURSIVE : 0), &attr);
	if (r < 0)
		return dj_fail_os(err, -r, "mount_setattr set 0x%llx clear 0x%llx propagation 0x%llx",
				  (unsigned long long)attr.attr_set, (unsigned long long)attr.attr_clr,
				  (unsigned long long)propagation);
	return 0;
}

/* Mounts below that come along unasked are no weaker than the one that was asked for. */
static int tighten_all(int tree, const struct plan_mount *mount, struct donjon_error *err)
{
	const uint64_t strict = SYS_MOUNT_ATTR_RDONLY | SYS_MOUNT_ATTR_NOSUID | SYS_MOUNT_ATTR_NODEV |
				SYS_MOUNT_ATTR_NOEXEC;

	return set_attributes(tree, mount->attr_set & strict, 0, 0, true, err);
}

int source_check_judged(int tree, const struct file_identity *judged, const char *pointer, const char *path,
			struct donjon_error *err)
{
	if (file_is(tree, judged))
		return 0;
	return dj_fail(err, DONJON_E_VERIFY, "%s: %s is another file than the one the policy has judged", pointer,
		       path);
}

/* The stage of a caller without rights, and whoever asks a file server once more, may be shown what the
 * policy was not. */
int source_open_unseen(const char *path, int flags, const char *pointer, struct donjon_error *err)
{
	const struct open_how how = { .flags = (unsigned)(O_PATH | O_CLOEXEC | flags),
				      .resolve = RESOLVE_NO_SYMLINKS };
	int fd = sys_openat2(AT_FDCWD, path, &how);

	if (fd == -ELOOP)
		return dj_fail(err, DONJON_E_VERIFY,
			       "%s: %s leads over a link, where the policy was not allowed to look", pointer,
			       path);
	return fd < 0 ? dj_fail_os(err, -fd, "%s: open %s", pointer, path) : fd;
}

/* Of the name, or of what was opened by it before. */
static int clone_tree(int opened, const char *source, unsigned flags)
{
	return opened < 0 ? sys_open_tree(AT_FDCWD, source, flags)
			  : sys_open_tree(opened, "", flags | AT_EMPTY_PATH);
}

int source_clone(const struct dj_plan *plan, const struct plan_mount *mount, struct donjon_error *err)
{
	const char *source = plan_text(plan, mount->source);
	unsigned flags = SYS_OPEN_TREE_CLONE | (mount->recursive ? SYS_AT_RECURSIVE : 0);
	dj_auto_close int tree = -1, opened = -1;
	bool whole = false;

	if (mount->source_nofollow)
		flags |= AT_SYMLINK_NOFOLLOW;
	if (mount->source_judged.unseen) {
		opened = source_open_unseen(source, mount->source_nofollow ? O_NOFOLLOW : 0,
					    plan_text(plan, mount->pointer), err);
		if (opened < 0)
			return -1;
	}
	tree = clone_tree(opened, source, flags);
	/* Locked submounts of a user namespace cannot be left behind (launch-findings.md §2). */
	if (tree == -EINVAL && plan->sources_by_stage && !mount->recursive) {
		tree = clone_tree(opened, source, flags | SYS_AT_RECURSIVE);
		whole = true;
	}
	if (tree < 0)
		return dj_fail_os(err, -tree, "%s.source: clone the mount at %s",
				  plan_text(plan, mount->pointer), source);
	if (source_check_judged(tree, &mount->source_judged, plan_text(plan, mount->pointer), source, err) < 0)
		return -1;
	if (whole && tighten_all(tree, mount, err) < 0)
		return -1;
	return dj_take_fd(&tree);
}

int source_clone_sysfs(const struct plan_mount *mount, struct donjon_error *err)
{
	dj_auto_close int tree = sys_open_tree(AT_FDCWD, "/sys", SYS_OPEN_TREE_CLONE | SYS_AT_RECURSIVE |
									 AT_SYMLINK_NOFOLLOW);
	struct statfs fs;

	if (tree < 0)
		return dj_fail_os(err, -tree, "clone the host's /sys");
	if (fstatfs(tree, &fs) < 0)
		return dj_fail_os(err, errno, "stat the host's /sys");
	if (fs.f_type != SYSFS_MAGIC)
		return dj_fail(err, DONJON_E_VERIFY, "the host's /sys is no sysfs");
	return tighten_all(tree, mount, err) < 0 ? -1 : dj_take_fd(&tree);
}

int mount_set_attributes(int tree, const struct plan_mount *mount, struct donjon_error *err)
{
	const uint64_t rec = 0x4000; /* MS_REC */

	if (set_attributes(tree, mount->rec_set, mount->rec_clr, 0, true, err) < 0 ||
	    set_attributes(tree, mount->attr_set, mount->attr_clr, 0, false, err) < 0)
		return -1;
	return set_attributes(tree, 0, 0, mount->propagation & ~rec, (mount->propagation & rec) != 0, err);
}

/* An overlay's list that is too long for one call, layer by layer; that is since Linux 6.8, and without
 * the list's escapes. */
static int list_layers(int fs, struct overlay_names *names)
{
	char path[PATH_MAX];
	int r;

	while ((r = overlay_names_next(names, path)) > 0) {
		r = sys_fsconfig(fs, SYS_FSCONFIG_STRING, names->data_only ? "datadir+" : "lowerdir+", path, 0);
		if (r < 0)
			break;
	}
	return r;
}

/* "KEY" or "KEY=VALUE". */
static int set_data(int fs, const char *option)
{
	const char *equals = strchr(option, '=');
	struct overlay_names names;
	char key[64];

	if (!equals)
		return sys_fsconfig(fs, SYS_FSCONFIG_FLAG, option, NULL, 0);
	if ((size_t)(equals - option) >= sizeof(key))
		return -EINVAL;
	memcpy(key, option, (size_t)(equals - option));
	key[equals - option] = '\0';
	if (strcmp(key, "lowerdir") == 0 && strlen(equals + 1) > FSCONFIG_VALUE_MAX &&
	    overlay_names_of(option, &names))
		return list_layers(fs, &names);
	return sys_fsconfig(fs, SYS_FSCONFIG_STRING, key, equals + 1, 0);
}

static int configure(int fs, const struct dj_plan *plan, const struct plan_mount *mount,
		     struct overlay_layers *layers, struct donjon_error *err)
{
	char text[OVERLAY_OPTION_SIZE];
	const plan_str *data = plan_items(plan, mount->data, plan_str);
	const plan_str *super = plan_items(plan, mount->super, plan_str);
	const char *source = plan_text(plan, mount->source);
	int r;

	/* Without it mountinfo shows "none". */
	if (*source && (r = sys_fsconfig(fs, SYS_FSCONFIG_STRING, "source", source, 0)) < 0)
		return dj_fail_os(err, -r, "fsconfig source=%s", source);
	for (uint32_t i = 0; i < mount->super.n; i++)
		if ((r = sys_fsconfig(fs, SYS_FSCONFIG_FLAG, plan_text(plan, super[i]), NULL, 0)) < 0)
			return dj_fail_os(err, -r, "fsconfig %s", plan_text(plan, super[i]));
	for (uint32_t i = 0; i < mount->data.n; i++) {
		const char *listed = plan_text(plan, data[i]);
		const char *option = overlay_layers_open(plan, mount, listed, layers, text, err);

		if (!option)
			return -1;
		if ((r = set_data(fs, option)) < 0)
			return dj_fail_os(err, -r, "%s.options: %.64s%s", plan_text(plan, mount->pointer), listed,
					  strlen(option) > FSCONFIG_VALUE_MAX
						  ? "... (longer than the 255 bytes the kernel takes)"
						  : "");
	}
	return 0;
}

/* File systems of the old interface parse their options here, and do not say which one they refuse. */
static int fail_create(const struct dj_plan *plan, const struct plan_mount *mount, int error,
		       struct donjon_error *err)
{
	const plan_str *data = plan_items(plan, mount->data, plan_str);
	char options[256] = "";
	size_t used = 0;

	for (uint32_t i = 0; i < mount->data.n && used < sizeof(options); i++)
		used += (size_t)snprintf(options + used, sizeof(options) - used, "%s%s", i ? "," : " with ",
					 plan_text(plan, data[i]));
	return dj_fail_os(err, error, "%s: create %s%s", plan_text(plan, mount->pointer),
			  plan_text(plan, mount->type), options);
}

static int make(const struct dj_plan *plan, const struct plan_mount *mount, struct overlay_layers *layers,
		struct donjon_error *err)
{
	const char *type = plan_text(plan, mount->type);
	dj_auto_close int fs = sys_fsopen(type);
	int tree, r;

	if (fs < 0)
		return dj_fail_os(err, -fs, "%s.type: fsopen %s", plan_text(plan, mount->pointer), type);
	if (configure(fs, plan, mount, layers, err) < 0)
		return -1;
	if ((r = sys_fsconfig(fs, SYS_FSCONFIG_CREATE, NULL, NULL, 0)) < 0)
		return fail_create(plan, mount, -r, err);
	/* Set at birth: there is no moment with weaker flags (B08). */
	tree = sys_fsmount(fs, (unsigned)mount->attr_set);
	if (tree < 0)
		return dj_fail_os(err, -tree, "%s: fsmount %s", plan_text(plan, mount->pointer), type);
	if ((mount->rec_set || mount->propagation) && mount_set_attributes(tree, mount, err) < 0) {
		dj_close(&tree);
		return -1;
	}
	return tree;
}

int filesystem_make(const struct dj_plan *plan, const struct plan_mount *mount, struct donjon_error *err)
{
	struct overlay_layers layers = { .n = 0 };
	int tree = make(plan, mount, &layers, err);

	overlay_layers_close(&layers);
	return tree;
}

int sources_prepare_joined(const struct dj_plan *plan, int fds[SOURCES_OUTSIDE_FS_MAX],
			   struct donjon_error *err)
{
	const struct plan_mount *mounts = plan_items(plan, plan->mounts, struct plan_mount);
	size_t n = 0;

	for (uint32_t i = 0; i < plan->mounts.n; i++) {
		if (mounts[i].kind != PLAN_MOUNT_FS_OUTSIDE)
			continue;
		if (n == SOURCES_OUTSIDE_FS_MAX)
			return dj_fail(err, DONJON_E_CONFIG,
				       "mounts: more than %d filesystems that only the outside may make",
				       SOURCES_OUTSIDE_FS_MAX);
		fds[n] = filesystem_make(plan, &mounts[i], err);
		if (fds[n++] < 0)
			return -1;
	}
	return 0;
}
