/* The inside's half of the read-back (B40): what only this process can see of its own file system,
 * asked of the kernel and compared with the plan before "created" is reported. */
#include "launch/inside.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "base/sys.h"
#include "launch/verify_options.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

/* ST_RDONLY, ST_NOSUID, ST_NODEV, ST_NOEXEC have the values of the mount attributes. */
static const uint64_t checked = SYS_MOUNT_ATTR_RDONLY | SYS_MOUNT_ATTR_NOSUID | SYS_MOUNT_ATTR_NODEV |
				SYS_MOUNT_ATTR_NOEXEC;

/* Flags and type of the mount the path leads to, or -1 with errno.  By path: "/" is the container's root
 * by now, proved by pivot_root_step(), and nothing is opened. */
static int mount_flags(const char *path, uint64_t *flags, long *type)
{
	struct statfs fs;

	if (statfs(path, &fs) < 0)
		return -1;
	*flags = (uint64_t)fs.f_flags & checked;
	*type = (long)fs.f_type;
	return 0;
}

/* Of a link that is itself mounted there (copy-symlink): what it leads to is another mount, or nothing.
 * 0 if there is none. */
static int mounted_link_flags(const char *path, uint64_t *flags)
{
	dj_auto_close int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct statfs fs;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (!S_ISLNK(st.st_mode) || sys_is_mount_root(fd) <= 0)
		return 0;
	if (fstatfs(fd, &fs) < 0)
		return -1;
	*flags = (uint64_t)fs.f_flags & checked;
	return 1;
}

static int flags_of(const struct plan_mount *mount, const char *path, uint64_t *flags)
{
	int r = mount->source_nofollow ? mounted_link_flags(path, flags) : 0;
	long type;

	return r == 0 ? mount_flags(path, flags, &type) : r;
}

/* Hidden by a mask at or above it: what is there cannot be, and need not be, looked at. */
static bool is_masked(const struct dj_plan *plan, const char *path, bool or_is_one)
{
	const plan_str *masked = plan_items(plan, plan->masked, plan_str);

	for (uint32_t i = 0; i < plan->masked.n; i++) {
		const char *mask = plan_text(plan, masked[i]);

		if (path_has_prefix(path, mask) && (or_is_one || strcmp(path, mask) != 0))
			return true;
	}
	return false;
}

/* What `mount` put at the path is covered by a later one (a change of attributes covers nothing), or by a
 * mask. */
static bool is_covered(const struct dj_plan *plan, const struct plan_mount *mount, const char *path)
{
	const struct plan_mount *end = plan_items(plan, plan->mounts, struct plan_mount) + plan->mounts.n;

	while (++mount < end)
		if (mount->kind != PLAN_MOUNT_REMOUNT &&
		    path_has_prefix(path, plan_text(plan, mount->destination)))
			return true;
	return is_masked(plan, path, true);
}

/* "self" names this process in the pid namespace the file system shows: another one, or none at all, in
 * that of somebody else. */
static int verify_proc(const char *path, struct donjon_error *err)
{
	dj_auto_close int proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char self[16], own[16];
	ssize_t n = proc < 0 ? -1 : readlinkat(proc, "self", self, sizeof(self) - 1);

	if (n < 0 && errno != ENOENT)
		return dj_fail_os(err, errno, "read back %s/self", path);
	self[n < 0 ? 0 : n] = '\0';
	(void)snprintf(own, sizeof(own), "%d", getpid());
	if (strcmp(self, own) != 0)
		return dj_fail(err, DONJON_E_VERIFY, "%s shows another pid namespace than the container's", path);
	return 0;
}

static bool is_proc(const struct dj_plan *plan, const struct plan_mount *mount)
{
	return (mount->kind == PLAN_MOUNT_FS || mount->kind == PLAN_MOUNT_FS_OUTSIDE) &&
	       strcmp(plan_text(plan, mount->type), "proc") == 0;
}

static int compare_flags(const char *path, uint64_t want, uint64_t have, struct donjon_error *err)
{
	if (want & ~have)
		return dj_fail(err, DONJON_E_VERIFY,
			       "mount %s: flags 0x%llx were promised, the kernel has 0x%llx", path,
			       (unsigned long long)want, (unsigned long long)have);
	return 0;
}

static int verify_flags(const struct plan_mount *mount, const char *path, uint64_t want,
			struct donjon_error *err)
{
	uint64_t have;

	if (flags_of(mount, path, &have) < 0)
		return dj_fail_os(err, errno, "read back mount %s", path);
	return compare_flags(path, want, have, err);
}

/* Each is a mount of its own below the one that is listed; one that a bind or a mask took the place of is
 * that one's matter. */
static int verify_hierarchies(const struct inside *s, const struct plan_mount *mount, uint64_t want,
			      struct donjon_error *err)
{
	const struct plan_cgroup_v1 *v1 = plan_items(s->plan, s->plan->cgroup_v1, struct plan_cgroup_v1);
	char path[PATH_MAX];
	struct statfs fs;

	for (uint32_t i = 0; i < s->plan->cgroup_v1.n; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", plan_text(s->plan, mount->destination),
			       plan_text(s->plan, v1[i].dir));
		if (is_covered(s->plan, mount, path)) /* podman binds the host's name=systemd there */
			continue;
		if (statfs(path, &fs) < 0) {
			if (errno != ENOENT) /* there is nothing to show (has_nothing_to_show) */
				return dj_fail_os(err, errno, "read back mount %s", path);
			continue;
		}
		if (fs.f_type != CGROUP_SUPER_MAGIC)
			continue;
		if (compare_flags(path, want, (uint64_t)fs.f_flags, err) < 0)
			return -1;
	}
	return 0;
}

/* In the order of mount_set_attributes(). */
static uint64_t flags_after(uint64_t flags, const struct plan_mount *mount)
{
	flags = (flags & ~mount->rec_clr) | mount->rec_set;
	return (flags & ~mount->attr_clr) | mount->attr_set;
}

/* What later changes of the same mount left of it. */
static uint64_t promised_flags(const struct dj_plan *plan, const struct plan_mount *mount)
{
	const struct plan_mount *end = plan_items(plan, plan->mounts, struct plan_mount) + plan->mounts.n;
	const char *path = plan_text(plan, mount->destination);
	uint64_t flags = flags_after(0, mount);

	while (++mount < end)
		if (mount->kind == PLAN_MOUNT_REMOUNT && strcmp(plan_text(plan, mount->destination), path) == 0)
			flags = flags_after(flags, mount);
	return flags & checked;
}

static int verify_mount(const struct inside *s, const struct plan_mount *mount, struct donjon_error *err)
{
	const char *path = plan_text(s->plan, mount->destination);
	uint64_t want = promised_flags(s->plan, mount);

	if (is_proc(s->plan, mount) && verify_proc(path, err) < 0)
		return -1;
	if (want && verify_flags(mount, path, want, err) < 0)
		return -1;
	if (want && mount->kind == PLAN_MOUNT_CGROUP && !s->plan->cgroup_v2 &&
	    verify_hierarchies(s, mount, want, err) < 0)
		return -1;
	return verify_options(s, mount, path, err);
}

/* The mount that shows what is at the path, or would be; 0: none. */
static uint64_t mount_at(const char *path)
{
	char at[PATH_MAX], *slash;
	uint64_t id = 0;

	(void)snprintf(at, sizeof(at), "%s", path);
	for (;;) {
		dj_auto_close int fd = open(at, O_PATH | O_CLOEXEC);

		if (fd >= 0)
			return sys_mount_id(fd, &id) == 0 ? id : 0;
		slash = strrchr(at, '/');
		if (errno != ENOENT || !slash || slash == at)
			return 0;
		*slash = '\0';
	}
}

/* The mount whose top that is; a link may be one itself.  0: it is none, so nothing was mounted there. */
static uint64_t mounted_at(const char *path)
{
	static const int ways[] = { O_NOFOLLOW, 0 };

	for (size_t i = 0; i < DJ_COUNT(ways); i++) {
		dj_auto_close int fd = open(path, O_PATH | O_CLOEXEC | ways[i]);
		uint64_t id;

		if (fd >= 0 && sys_is_mount_root(fd) == 1 && sys_mount_id(fd, &id) == 0)
			return id;
	}
	return 0;
}

/* By a mount whose name in the list is another: in most images /var/run is a link to /run.  Asked only where
 * something else than promised was found. */
static bool is_covered_by_link(const struct dj_plan *plan, const struct plan_mount *mount)
{
	const struct plan_mount *end = plan_items(plan, plan->mounts, struct plan_mount) + plan->mounts.n;
	uint64_t id = mount_at(plan_text(plan, mount->destination));

	while (id != 0 && ++mount < end)
		if (mount->kind != PLAN_MOUNT_REMOUNT && mounted_at(plan_text(plan, mount->destination)) == id)
			return true;
	return false;
}

static int verify_mounts(const struct inside *s, struct donjon_error *err)
{
	const struct plan_mount *mounts = plan_items(s->plan, s->plan->mounts, struct plan_mount);

	for (uint32_t i = 0; i < s->plan->mounts.n; i++) {
		if (is_covered(s->plan, &mounts[i], plan_text(s->plan, mounts[i].destination)) ||
		    verify_mount(s, &mounts[i], err) == 0)
			continue;
		if (!is_covered_by_link(s->plan, &mounts[i]))
			return -1;
		dj_error_clear(err);
	}
	return 0;
}

static int verify_rootfs(const struct dj_plan *plan, struct donjon_error *err)
{
	uint64_t want = plan->rootfs_attr_set & checked, have;
	long type;

	if (plan->rootfs_readonly)
		want |= SYS_MOUNT_ATTR_RDONLY;
	if (mount_flags("/", &have, &type) < 0)
		return dj_fail_os(err, errno, "read back the root filesystem");
	if (want & ~have)
		return dj_fail(err, DONJON_E_VERIFY, "/: flags 0x%llx were promised, the kernel has 0x%llx",
			       (unsigned long long)want, (unsigned long long)have);
	return 0;
}

static int verify_readonly(const struct inside *s, const char *path, struct donjon_error *err)
{
	uint64_t have;
	long type;

	if (is_masked(s->plan, path, true))
		return 0;
	if (mount_flags(path, &have, &type) < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : dj_fail_os(err, errno, "read back %s", path);
	if (!(have & SYS_MOUNT_ATTR_RDONLY))
		return dj_fail(err, DONJON_E_VERIFY, "%s is not read-only", path);
	return 0;
}

/* The device number, not the name: a fake null device is how CVE-2025-31133 worked. */
static int verify_mask(const struct inside *s, const char *path, struct donjon_error *err)
{
	uint64_t have;
	struct stat st;
	long type;

	if (is_masked(s->plan, path, false))
		return 0;
	if (mount_flags(path, &have, &type) < 0 || stat(path, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : dj_fail_os(err, errno, "read back %s", path);
	if (S_ISDIR(st.st_mode) ? type == TMPFS_MAGIC && (have & SYS_MOUNT_ATTR_RDONLY)
				: S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
		return 0;
	return dj_fail(err, DONJON_E_VERIFY, "%s is not masked", path);
}

int verify_inside(struct inside *s, uint32_t row, struct donjon_error *err)
{
	const plan_str *readonly = plan_items(s->plan, s->plan->readonly, plan_str);
	const plan_str *masked = plan_items(s->plan, s->plan->masked, plan_str);

	(void)row;
	if (verify_mounts(s, err) < 0)
		return -1;
	if (verify_rootfs(s->plan, err) < 0)
		return -1;
	for (uint32_t i = 0; i < s->plan->readonly.n; i++)
		if (verify_readonly(s, plan_text(s->plan, readonly[i]), err) < 0)
			return -1;
	for (uint32_t i = 0; i < s->plan->masked.n; i++)
		if (verify_mask(s, plan_text(s->plan, masked[i]), err) < 0)
			return -1;
	return 0;
}
