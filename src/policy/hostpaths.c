/*
 * Host paths in the container (hardening-checks.md §3.6 as amended by decision 3).  What engines
 * mount by themselves is recognised by its shape wherever their store lies; of the rest, what
 * holds the host's configuration, devices, secrets or sockets is refused, read-only or not.
 */
#include "base/cleanup.h"
#include "base/overlay_names.h"
#include "base/path.h"
#include "policy/harden.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

/* clang-format off */
/* These, and every directory above one of them, which is listed, too. */
static const char *const listed[] = {
	"/", "/boot", "/dev", "/etc", "/home", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/root",
	"/run", "/sys", "/usr", "/var", "/var/lib", "/var/lib/containerd", "/var/lib/containers",
	"/var/lib/crio", "/var/lib/docker", "/var/lib/kubelet", "/var/log", "/var/run",
};

/* As a root filesystem these, too: they hold everybody's files, and mount points would be made there. */
static const char *const shared[] = { "/tmp", "/var/tmp" };

/* Everything below these. */
static const char *const closed[] = {
	"/boot", "/dev", "/etc", "/proc", "/root", "/sys", "/var/lib/containerd",
	"/var/lib/containers", "/var/lib/crio", "/var/lib/docker", "/var/lib/kubelet",
};

/* Below these only sockets, home directories and dot-directories. */
static const char *const open_dirs[] = {
	"/home", "/lib", "/lib32", "/lib64", "/libx32", "/run", "/usr", "/var/log", "/var/run",
};

static const char *const secret_names[] = {
	"shadow", "gshadow", "sudoers", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", ".netrc",
	".npmrc", ".pypirc", ".pgpass", ".git-credentials", ".env", "terraform.tfstate",
};

/* Sockets through which an engine, the kubelet or init takes orders. */
static const char *const control_sockets[] = {
	"/run/buildkit/buildkitd.sock", "/run/containerd/containerd.sock", "/run/cri-dockerd.sock",
	"/run/crio/crio.sock", "/run/dbus/system_bus_socket", "/run/docker.sock",
	"/run/docker/containerd/containerd.sock", "/run/dockershim.sock",
	"/run/k3s/containerd/containerd.sock", "/run/podman/podman.sock", "/run/systemd/private",
	"/var/lib/kubelet/device-plugins/kubelet.sock", "/var/lib/kubelet/pod-resources/kubelet.sock",
};
/* clang-format on */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool is_hex(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isxdigit((unsigned char)s[i]))
			return false;
	return true;
}

static bool is_container_id(const char *s, size_t len)
{
	return len == 64 && is_hex(s, len);
}

/* A pod's uid: a UUID, or the hash of a static pod's manifest. */
static bool is_pod_id(const char *s, size_t len)
{
	if (len == 36)
		return is_hex(s, 8) && s[8] == '-' && s[13] == '-' && s[18] == '-' &&
		       s[23] == '-' && is_hex(s + 24, 12);
	return len == 32 && is_hex(s, len);
}

static bool is_any(const char *s, size_t len)
{
	(void)s;
	return len > 0;
}

/* <directory ending so>/<id>/<member>: where engines keep what they mount into every container. */
static const struct shape {
	const char *directory, *member; /* member "": anything below the id */
	bool (*is_id)(const char *s, size_t len);
} shapes[] = {
	{ "-containers", "userdata", is_container_id }, /* podman, CRI-O: overlay-, vfs- */
	{ "containers", "", is_container_id },          /* Docker */
	{ "sandboxes", "", is_container_id },           /* containerd */
	{ "volumes", "_data", is_any },                 /* podman, Docker */
	{ "pods", "", is_pod_id },                      /* kubelet */
};

static bool ends_with(const char *s, size_t len, const char *suffix)
{
	size_t want = strlen(suffix);

	return len >= want && memcmp(s + len - want, suffix, want) == 0;
}

/* directory at `at` of length `len`, followed by "/ID/member". */
static bool has_shape(const struct shape *shape, const char *at, size_t len)
{
	const char *id, *member;
	size_t id_len, member_len;

	if (!ends_with(at, len, shape->directory) || at[len] != '/')
		return false;
	id = at + len + 1;
	id_len = strcspn(id, "/");
	if (!shape->is_id(id, id_len) || id[id_len] != '/')
		return false;
	member = id + id_len + 1;
	member_len = strcspn(member, "/");
	return !*shape->member || (member_len == strlen(shape->member) &&
	                           strncmp(member, shape->member, member_len) == 0);
}

bool policy_is_engine_store(const char *path)
{
	while (*path) {
		size_t len = strcspn(++path, "/");

		for (size_t i = 0; i < DJ_COUNT(shapes); i++)
			if (has_shape(&shapes[i], path, len))
				return true;
		path += len;
	}
	return false;
}

/* podman's `--mount type=image`: another image of the store, mounted beside the rootfs. */
static bool is_image(const struct harden *h, const char *path, bool readonly)
{
	enum { ID_SIZE = 64 };
	static const char member[] = "/merged";
	const char *rootfs = h->request->rootfs;
	size_t len = strlen(path), tail = ID_SIZE + strlen(member);

	return readonly && rootfs && strlen(rootfs) == len && len > tail &&
	       strncmp(path, rootfs, len - tail) == 0 && ends_with(path, len, member) &&
	       ends_with(rootfs, len, member) && is_container_id(path + len - tail, ID_SIZE);
}

static bool is_secret(const char *path)
{
	const char *name = base_name(path);

	for (size_t i = 0; i < DJ_COUNT(secret_names); i++)
		if (strcmp(name, secret_names[i]) == 0)
			return true;
	return ends_with(name, strlen(name), ".key") ||
	       ends_with(path, strlen(path), "/.docker/config.json") ||
	       ends_with(path, strlen(path), "/.aws/credentials") ||
	       ends_with(path, strlen(path), "/.kube/config");
}

/* /home/NAME and /run/user/UID: the directory of one person as a whole. */
static bool is_home(const char *path)
{
	static const char *const parents[] = { "/home/", "/run/user/", "/var/run/user/" };

	for (size_t i = 0; i < DJ_COUNT(parents); i++) {
		size_t len = strlen(parents[i]);

		if (strncmp(path, parents[i], len) == 0 && !strchr(path + len, '/'))
			return true;
	}
	return false;
}

static bool is_below_any(const char *const *table, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++)
		if (path_has_prefix(path, table[i]))
			return true;
	return false;
}

static bool is_any_of(const char *const *table, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(path, table[i]) == 0)
			return true;
	return false;
}

static bool is_listed(const char *path)
{
	return is_any_of(listed, DJ_COUNT(listed), path);
}

/* A bundle that is somebody's home makes nothing there the container's. */
static bool is_made_for_it(const char *directory, const char *path)
{
	return directory && path_has_prefix(path, directory) && !is_listed(directory) && !is_home(directory);
}

static bool is_own(const struct harden *h, const char *path)
{
	return is_made_for_it(h->request->bundle, path) || is_made_for_it(h->request->rootfs, path);
}

const char *policy_listed_directory(size_t index)
{
	return index < DJ_COUNT(listed) ? listed[index] : NULL;
}

/* A link that is mounted itself shows a name, not what has that name.  In procfs it leads there all the same
 * (/proc/PID/root), and files are what is masked in the container's own. */
static bool is_plain(const char *path, const struct policy_bind_source *seen)
{
	return (seen->kind == 'f' || seen->kind == 'l') && !path_has_prefix(path, "/proc");
}

static bool is_sensitive(const char *path, const struct policy_bind_source *seen, bool readonly)
{
	if (is_plain(path, seen) && readonly)
		return !seen->world_readable || is_secret(path);
	if (is_listed(path) || is_below_any(closed, DJ_COUNT(closed), path))
		return true;
	if (!is_below_any(open_dirs, DJ_COUNT(open_dirs), path))
		return false;
	return seen->kind == 's' || is_home(path) || strstr(path, "/.") != NULL;
}

static void refuse_exposing(struct harden *h, const char *pointer, const char *path)
{
	harden_refused(h, pointer, harden_text(h, "exposes %s of the host", path),
	               "a directory made for the container", path);
}

static void judge_path(struct harden *h, size_t index, const char *path,
                       const struct policy_bind_source *seen, bool readonly)
{
	if (is_own(h, path) || policy_is_engine_store(path) || is_image(h, path, readonly) ||
	    !is_sensitive(path, seen, readonly) || overridden_path(h, path))
		return;
	refuse_exposing(h, mount_pointer(h, index, "source"), path);
}

/* Mounted below a directory that nobody would refuse, and bound together with it. */
static void judge_carried(struct harden *h, size_t index)
{
	const char *path = mount_source_path(h, index), *carried = mount_source(h, index)->carries;

	if (!carried || is_listed(path) || overridden_path(h, carried) || overridden_path(h, path))
		return;
	harden_refused(h, mount_pointer(h, index, "source"),
	               harden_text(h, "exposes %s of the host, which is mounted below %s", carried, path),
	               "a directory with nothing of the host's mounted below", carried);
}

/* Directories below a listed one are fine: bundles lie in homes, images in stores. */
static void judge_rootfs(struct harden *h)
{
	const struct policy_request *request = h->request;
	const char *path = request->rootfs_name ? request->rootfs_name : request->rootfs;

	if (!path || !(is_listed(path) || is_home(path) || is_any_of(shared, DJ_COUNT(shared), path)) ||
	    overridden_path(h, path))
		return;
	refuse_exposing(h, "/root/path", path);
}

/* "lowerdir=/etc:/usr,upperdir=...": an overlay shows host directories as a bind does. */
void policy_overlay_layers(const struct oci_mount *mount, struct dj_arena *arena, struct policy_layers *out)
{
	struct overlay_names names;
	char path[PATH_MAX];

	*out = (struct policy_layers){ .n = 0 };
	for (size_t i = 0; i < mount->options.n; i++) {
		if (!overlay_names_of(mount->options.v[i], &names))
			continue;
		while (overlay_names_next(&names, path) > 0) {
			out->v = list_room(arena, out->v, out->n, sizeof(*out->v));
			out->v[out->n++] = (struct policy_layer){ .path = dj_arena_strdup(arena, path),
				                                  .readonly = names.readonly };
		}
	}
}

static void judge_overlay(struct harden *h, size_t index)
{
	static const struct policy_bind_source unknown;
	struct policy_layers layers = mount_source(h, index)->layers;
	char clean[PATH_MAX];

	if (layers.n == 0)
		policy_overlay_layers(&h->spec->mounts.v[index], h->arena, &layers);
	for (size_t i = 0; i < layers.n; i++)
		if (path_clean(layers.v[i].path, clean, sizeof(clean)) == 0) /* or nobody can open it */
			judge_path(h, index, dj_arena_strdup(h->arena, clean), &unknown,
			           layers.v[i].readonly);
}

/* Filesystems whose source is a word, not a place. */
static bool is_pseudo(const struct oci_mount *mount)
{
	static const char *const types[] = {
		"cgroup", "cgroup2", "devpts", "mqueue", "overlay",
		"proc",   "ramfs",   "sysfs",  "tmpfs",
	};

	for (size_t i = 0; i < DJ_COUNT(types); i++)
		if (mount_has_type(mount, types[i]))
			return true;
	return !mount->source || mount->source[0] != '/';
}

/* Of these the whole host has one, whatever is named as the source. */
static void judge_common(struct harden *h, size_t index)
{
	static const struct {
		const char *type, *place;
	} commons[] = {
		{ "devtmpfs", "/dev" },
		{ "cpuset", "/sys/fs/cgroup/cpuset" }, /* cgroup v1 by its first name */
		{ "fusectl", "/sys/fs/fuse/connections" },
		{ "resctrl", "/sys/fs/resctrl" },
		{ "selinuxfs", "/sys/fs/selinux" },
		{ "smackfs", "/sys/fs/smackfs" },
	};

	for (size_t i = 0; i < DJ_COUNT(commons); i++)
		if (mount_has_type(&h->spec->mounts.v[index], commons[i].type) &&
		    !overridden_path(h, commons[i].place))
			refuse_exposing(h, mount_pointer(h, index, "type"), commons[i].place);
}

static void judge_filesystem(struct harden *h, size_t index)
{
	const struct oci_mount *mount = &h->spec->mounts.v[index];
	char *source = mount_source_path(h, index);

	if (!is_pseudo(mount) && !overridden_path(h, source))
		harden_refused(h, mount_pointer(h, index, "source"),
		               harden_text(h, "mounts a filesystem from %s of the host", source),
		               "a directory made for the container", source);
	judge_common(h, index);
	if (mount_has_type(mount, "overlay"))
		judge_overlay(h, index);
}

static void judge_bind(struct harden *h, size_t index)
{
	const struct oci_mount *mount = &h->spec->mounts.v[index];

	if (mount_is_at(mount, "/dev"))
		harden_refused(h, mount_pointer(h, index, "destination"), "is /dev itself",
		               "the /dev every container gets", NULL);
	else if (!mount_is_device(h, index)) { /* those are dev.nodes */
		judge_path(h, index, mount_source_path(h, index), mount_source(h, index),
		           mount_is_readonly(mount));
		judge_carried(h, index);
	}
}

void harden_host_paths(struct harden *h)
{
	judge_rootfs(h);
	for (size_t i = h->request->own_mounts; i < h->spec->mounts.n; i++) {
		if (mount_is_bind(&h->spec->mounts.v[i]))
			judge_bind(h, i);
		else
			judge_filesystem(h, i);
	}
}

bool policy_is_control_socket(const char *path)
{
	const char *name = base_name(path);

	if (strncmp(path, "/var/run/", strlen("/var/run/")) == 0)
		path += strlen("/var");
	for (size_t i = 0; i < DJ_COUNT(control_sockets); i++)
		if (path_has_prefix(control_sockets[i], path) ||
		    strcmp(name, base_name(control_sockets[i])) == 0)
			return true;
	return strncmp(name, "cri", 3) == 0 && ends_with(name, strlen(name), ".sock");
}

/* An engine may listen anywhere (`dockerd -H`): a socket is one also by the name it gets inside. */
static bool is_control_socket(struct harden *h, size_t index, const char *path)
{
	const struct policy_bind_source *source = mount_source(h, index);

	return source->control_socket || policy_is_control_socket(path) ||
	       (source->kind == 's' && policy_is_control_socket(h->spec->mounts.v[index].destination));
}

void harden_control_sockets(struct harden *h)
{
	for (size_t i = h->request->own_mounts; i < h->spec->mounts.n; i++) {
		const char *path;

		if (!mount_is_bind(&h->spec->mounts.v[i]))
			continue;
		path = mount_source_path(h, i);
		if (!is_control_socket(h, i, path))
			continue;
		if (!overridden_path(h, path))
			harden_refused(h, mount_pointer(h, i, "source"),
			               harden_text(h, "hands over a control socket at %s", path),
			               "no way to give orders to the host", path);
	}
}
