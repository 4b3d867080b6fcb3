/*
 * Which cgroup hierarchies this host has and where they are mounted.  This is paid by every start,
 * so the places everybody uses are tried first; /proc/self/mounts, whose cost grows with the host's
 * mounts, is read only where a hierarchy is not found there.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "cgroup/cgroup.h"
#include "plan/resources.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#define USUAL_PLACE "/sys/fs/cgroup"

enum { SELF_MAX = 32 * 1024 };

/* Only absence is "not mounted"; anything else is kept in *os, or a hierarchy overlooked once would
 * leave a cgroup behind without a word (T63). */
static bool is_mounted(const char *path, unsigned long magic, int *os)
{
	struct statfs fs;

	if (statfs(path, &fs) == 0)
		return (unsigned long)fs.f_type == magic;
	if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
		*os = errno;
	return false;
}

/* Copies what fits whole; a path that is too long is as good as unknown. */
static void copy(char *out, size_t size, const char *text)
{
	if (snprintf(out, size, "%s", text) >= (int)size)
		out[0] = '\0';
}

/* "4:memory:/path" or "0::/path" */
static void read_line(struct host_facts *host, char *line)
{
	char *controllers = strchr(line, ':');
	char *path = controllers ? strchr(controllers + 1, ':') : NULL;
	struct host_cgroup_v1 *v1;

	if (!path)
		return;
	*path++ = '\0';
	controllers++;
	if (!*controllers) {
		copy(host->v2_self, sizeof(host->v2_self), path);
		return;
	}
	if (host->n_v1 == HOST_CGROUP_V1_MAX || strlen(controllers) >= sizeof(v1->controllers))
		return;
	v1 = &host->v1[host->n_v1++];
	copy(v1->controllers, sizeof(v1->controllers), controllers);
	copy(v1->self, sizeof(v1->self), path);
}

/* 1, or 0 where the kernel has no cgroups. */
static int read_self(struct host_facts *host, struct donjon_error *err)
{
	dj_auto_close int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	dj_auto_free char *text = malloc(SELF_MAX); /* mostly not touched: on the stack it would be cleared */
	char *rest = text, *line;
	struct statfs fs;
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? 0 : dj_fail_os(err, errno, "open /proc/self/cgroup");
	if (fstatfs(fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
		return dj_fail(err, DONJON_E_VERIFY,
			       "/proc/self/cgroup is not of a proc filesystem");
	n = text ? file_read_kernel(fd, text, SELF_MAX) : -ENOMEM;
	if (n < 0)
		return dj_fail_os(err, (int)-n, "read /proc/self/cgroup");
	while ((line = strsep(&rest, "\n")))
		read_line(host, line);
	return 1;
}

static void look_in_usual_places(struct host_facts *host, int *os)
{
	static const char *const v2_places[] = { USUAL_PLACE, USUAL_PLACE "/unified" };

	for (size_t i = 0; i < DJ_COUNT(v2_places) && !host->v2_mount_point[0]; i++) {
		if (is_mounted(v2_places[i], CGROUP2_SUPER_MAGIC, os))
			copy(host->v2_mount_point, sizeof(host->v2_mount_point), v2_places[i]);
	}
	for (size_t i = 0; i < host->n_v1; i++) {
		struct host_cgroup_v1 *v1 = &host->v1[i];
		const char *named = strchr(v1->controllers, '=');

		(void)snprintf(v1->mount_point, sizeof(v1->mount_point), USUAL_PLACE "/%s",
			       named ? named + 1 : v1->controllers);
		if (!is_mounted(v1->mount_point, CGROUP_SUPER_MAGIC, os))
			v1->mount_point[0] = '\0';
	}
}

static bool has_all_found(const struct host_facts *host)
{
	for (size_t i = 0; i < host->n_v1; i++) {
		if (!host->v1[i].mount_point[0])
			return false;
	}
	return host->n_v1 > 0 || host->v2_mount_point[0];
}

/* A v1 mount lists its controllers among its options, in the kernel's order. */
static bool carries(const char *mount_options, const char *controllers)
{
	char one[sizeof(((struct host_cgroup_v1 *)0)->controllers)];

	while (*controllers) {
		size_t len = strcspn(controllers, ",");

		(void)snprintf(one, sizeof(one), "%.*s", (int)len, controllers);
		if (!plan_controller_listed(mount_options, one))
			return false;
		controllers += len + (controllers[len] == ',');
	}
	return true;
}

static void read_mount(struct host_facts *host, char *line, int *os)
{
	const char *place, *type, *options;

	(void)strsep(&line, " ");
	place = strsep(&line, " ");
	type = strsep(&line, " ");
	options = strsep(&line, " ");
	/* Blanks and the like are written as octal escapes; nobody mounts cgroups there.  A mount
	 * may be hidden by a later one. */
	if (!options || strchr(place, '\\') || strncmp(type, "cgroup", 6) != 0 ||
	    !is_mounted(place, type[6] ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC, os))
		return;
	if (strcmp(type, "cgroup2") == 0 && !host->v2_mount_point[0])
		copy(host->v2_mount_point, sizeof(host->v2_mount_point), place);
	for (size_t i = 0; i < host->n_v1 && strcmp(type, "cgroup") == 0; i++) {
		struct host_cgroup_v1 *v1 = &host->v1[i];

		if (!v1->mount_point[0] && carries(options, v1->controllers))
			copy(v1->mount_point, sizeof(v1->mount_point), place);
	}
}

static int look_in_mounts(struct host_facts *host, int *os, struct donjon_error *err)
{
	FILE *mounts = fopen("/proc/self/mounts", "re");
	dj_auto_free char *line = NULL;
	size_t size = 0;

	if (!mounts)
		return dj_fail_os(err, errno, "open /proc/self/mounts");
	while (getline(&line, &size, mounts) > 0)
		read_mount(host, line, os);
	(void)fclose(mounts);
	return 0;
}

/* A hierarchy that exists but is not mounted here cannot be used. */
static void forget_unmounted(struct host_facts *host)
{
	size_t kept = 0;

	for (size_t i = 0; i < host->n_v1; i++) {
		if (host->v1[i].mount_point[0])
			host->v1[kept++] = host->v1[i];
	}
	host->n_v1 = kept;
	if (!host->v2_mount_point[0])
		host->v2_self[0] = '\0';
}

static enum host_cgroup_mode mode_of(const struct host_facts *host)
{
	for (size_t i = 0; i < host->n_v1; i++) {
		if (!strchr(host->v1[i].controllers, '='))
			return HOST_CGROUP_V1;
	}
	if (host->v2_mount_point[0])
		return HOST_CGROUP_V2;
	return host->n_v1 ? HOST_CGROUP_V1 : HOST_CGROUP_NONE;
}

static void read_controllers(struct host_facts *host)
{
	char path[sizeof(host->v2_mount_point) + 32];
	dj_auto_close int fd = -1;

	(void)snprintf(path, sizeof(path), "%s/cgroup.controllers", host->v2_mount_point);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || file_read_kernel(fd, host->v2_controllers, sizeof(host->v2_controllers)) < 0)
		host->v2_controllers[0] = '\0';
}

int cgroup_probe(struct host_facts *host, struct donjon_error *err)
{
	int os = 0, r;

	host->cgroup_mode = HOST_CGROUP_NONE;
	host->n_v1 = 0;
	host->v2_mount_point[0] = host->v2_self[0] = host->v2_controllers[0] = '\0';
	r = read_self(host, err);
	if (r <= 0)
		return r;
	look_in_usual_places(host, &os);
	if (!has_all_found(host) && look_in_mounts(host, &os, err) < 0)
		return -1;
	if (os)
		return dj_fail_os(err, os, "look for the mounted cgroup hierarchies");
	forget_unmounted(host);
	if (host->v2_mount_point[0])
		read_controllers(host);
	host->cgroup_mode = mode_of(host);
	return 0;
}
