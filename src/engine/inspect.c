#include "engine/inspect.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/sys.h"
#include "engine/places.h"
#include "oci/mount_options.h"
#include "wrap/lsm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
	SCAN_MAX = 512, /* entries of a bind source looked at */
	GROUPS_MAX = 64,
};

/* The usual places are known by name; this sees one that is kept elsewhere.  Bounded, since a
 * volume may hold a million files. */
static bool holds_control_socket(int path_fd)
{
	int fd = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	bool found = false;

	if (!dir) {
		dj_cleanup_close(&fd);
		return false;
	}
	for (unsigned seen = 0; !found && seen < SCAN_MAX && (entry = readdir(dir)); seen++)
		found = entry->d_type == DT_SOCK && policy_is_control_socket(entry->d_name);
	(void)closedir(dir); /* read only: nothing can be lost */
	return found;
}

static char kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return 'd';
	case S_IFREG:
		return 'f';
	case S_IFLNK:
		return 'l';
	case S_IFSOCK:
		return 's';
	case S_IFCHR:
		return 'c';
	case S_IFBLK:
		return 'b';
	case S_IFIFO:
		return 'p';
	default:
		return 0;
	}
}

static bool has_option(const struct oci_mount *mount, uint32_t flags)
{
	for (size_t i = 0; i < mount->options.n; i++) {
		const struct oci_mount_option *option = oci_mount_option_find(mount->options.v[i]);

		if (option && option->flags & flags)
			return true;
	}
	return false;
}

static bool has_type(const struct oci_mount *mount, const char *type)
{
	return mount->type && strcmp(mount->type, type) == 0;
}

/* Rootless, what is mounted below comes along in any case (launch/sources.c). */
static bool takes_submounts(const struct draft *draft, const struct oci_mount *mount)
{
	return has_option(mount, OCI_MOUNT_RBIND) || has_type(mount, "rbind") ||
	       host_is_rootless(&draft->host);
}

/* Of what is not there now nothing may be there later.  Rootless the stage may see more than we. */
static struct file_identity identity_of_failed(bool unseen)
{
	return (struct file_identity){ .known = !unseen, .unseen = unseen };
}

static void look_at(struct draft *draft, struct places *places, const struct oci_mount *mount,
                    const char *source, struct policy_bind_source *out)
{
	bool follow = !has_option(mount, OCI_MOUNT_SRC_NOFOLLOW | OCI_MOUNT_COPY_SYMLINK);
	dj_auto_close int fd = sys_open_tree(AT_FDCWD, source, follow ? 0 : AT_SYMLINK_NOFOLLOW);
	struct place_name place;
	struct stat st;

	out->judged = identity_of_failed(fd == -EACCES);
	/* The launch will say so, by the mount's name; or it is a file without one, such as a namespace. */
	if (fd < 0 || fstat(fd, &st) < 0 || file_identify(fd, &out->judged) < 0 ||
	    !places_name(places, fd, S_ISDIR(st.st_mode), &place))
		return;
	out->kind = kind_of(st.st_mode);
	out->world_readable = st.st_mode & S_IROTH;
	if (strcmp(place.name, source) != 0)
		out->resolved = place.name;
	if (out->kind != 'd')
		return;
	out->control_socket = holds_control_socket(fd);
	/* An engine's own directories hold no host's; to look for it costs a scan of all mounts. */
	if (takes_submounts(draft, mount) && !policy_is_engine_store(place.name))
		out->carries = places_below(places, place.real);
}

static bool is_bind(const struct oci_mount *mount)
{
	return has_type(mount, "bind") || has_type(mount, "rbind") || has_option(mount, OCI_MOUNT_BIND);
}

/* As the launch will name it: what ".." means behind a link only the kernel knows. */
static const char *source_name(struct draft *draft, const struct oci_mount *mount)
{
	return mount->source[0] == '/'
		       ? mount->source
		       : dj_arena_printf(&draft->arena, "%s/%s", draft->bundle, mount->source);
}

/* A layer may be a link, too. */
static void look_at_layers(struct draft *draft, struct places *places, const struct oci_mount *mount,
                           struct policy_layers *out)
{
	policy_overlay_layers(mount, &draft->arena, out);
	for (size_t i = 0; i < out->n; i++) {
		struct policy_layer *layer = &out->v[i];
		dj_auto_close int fd = open(layer->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		struct place_name place;

		/* A relative name is another to whoever changes its directory. */
		layer->judged = identity_of_failed(fd < 0 && errno == EACCES && layer->path[0] == '/');
		if (fd >= 0 && file_identify(fd, &layer->judged) == 0 &&
		    places_name(places, fd, true, &place))
			layer->path = place.name;
	}
}

static void look_at_sources(struct draft *draft, struct places *places)
{
	struct policy_request *r = &draft->request;
	size_t n = draft->spec.mounts.n;

	if (n == 0)
		return;
	r->sources.v = dj_arena_array(&draft->arena, n, sizeof(*r->sources.v));
	r->sources.n = n;
	for (size_t i = r->own_mounts; i < n; i++) {
		const struct oci_mount *mount = &draft->spec.mounts.v[i];

		if (has_type(mount, "overlay") && !is_bind(mount))
			look_at_layers(draft, places, mount, &r->sources.v[i].layers);
		if (mount->source && is_bind(mount))
			look_at(draft, places, mount, source_name(draft, mount), &r->sources.v[i]);
	}
}

/* Groups whose members are as good as root on the host. */
static const char *const privileged_groups[] = {
	"docker", "podman", "lxd",  "incus",  "libvirt", "wheel",           "sudo",
	"admin",  "disk",   "kmem", "shadow", "adm",     "systemd-journal",
};

static bool is_privileged_group(const char *name)
{
	for (size_t i = 0; i < DJ_COUNT(privileged_groups); i++)
		if (strcmp(name, privileged_groups[i]) == 0)
			return true;
	return false;
}

/* The file only: name services would load libraries, and may ask the network. */
static void look_up_groups(struct draft *draft)
{
	struct policy_request *r = &draft->request;
	FILE *file = fopen("/etc/group", "re");
	const struct group *group;

	if (!file)
		return;
	r->privileged_gids.v =
	        dj_arena_array(&draft->arena, GROUPS_MAX, sizeof(*r->privileged_gids.v));
	while (r->privileged_gids.n < GROUPS_MAX && (group = fgetgrent(file)))
		if (is_privileged_group(group->gr_name))
			r->privileged_gids.v[r->privileged_gids.n++] = group->gr_gid;
	(void)fclose(file); /* read only: nothing can be lost */
}

/* Which of the types a container could get exists here (decision 49). */
static void look_up_selinux_type(struct draft *draft)
{
	static const struct {
		const char *label;
		enum policy_selinux_type type;
	} known[] = {
		{ "system_u:system_r:container_t:s0:c0,c1", POLICY_SELINUX_CONTAINER },
		{ "system_u:system_r:donjon_container_t:s0:c0,c1", POLICY_SELINUX_DONJON },
	};
	const char *configured = draft->spec.process.selinux_label;
	struct donjon_error unknown = { 0 };

	if (!draft->host.selinux || (configured && configured[0]))
		return;
	for (size_t i = 0; i < DJ_COUNT(known); i++) {
		if (selinux_check_label(known[i].label, &unknown) == 0) {
			draft->request.selinux_type = known[i].type;
			return;
		}
		dj_error_clear(&unknown);
	}
}

/* Whether it is an engine's mounted image, and what it is to the host. */
static void look_at_rootfs(struct draft *draft, struct places *places)
{
	dj_auto_close int fd = open(draft->rootfs, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct place_name place;
	struct statfs fs;

	/* A sandbox's own is still to be made. */
	draft->request.rootfs_judged.known = fd >= 0 || !draft->die_with_parent || errno != ENOENT;
	if (fd < 0)
		return;
	(void)file_identify(fd, &draft->request.rootfs_judged); /* cannot fail: fd is open */
	draft->request.rootfs_is_overlay =
	        fstatfs(fd, &fs) == 0 && fs.f_type == OVERLAYFS_SUPER_MAGIC;
	if (places_name(places, fd, false, &place))
		draft->request.rootfs_name = place.name;
}

/* From a directory one gets anywhere (CVE-2024-21626), and these are what can be reopened as one. */
static void look_at_stdio(struct draft *draft)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		struct statfs fs;
		struct stat st;

		if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
			continue; /* closed: the container gets null */
		if (S_ISDIR(st.st_mode))
			draft->request.stdio_flaw = "a directory";
		else if (fcntl(fd, F_GETFL) & O_PATH)
			draft->request.stdio_flaw = "the handle of a file";
		else if (fs.f_type == NSFS_MAGIC)
			draft->request.stdio_flaw = "a namespace";
	}
}

void inspect_for_policy(struct draft *draft)
{
	struct places places = { .arena = &draft->arena, .bundle = draft->bundle };
	long cpus = sysconf(_SC_NPROCESSORS_CONF);

	draft->request.cpus = cpus > 0 ? (unsigned)cpus : 0;
	look_at_stdio(draft);
	look_at_rootfs(draft, &places);
	look_at_sources(draft, &places);
	look_up_groups(draft);
	inspect_hooks(draft);
	inspect_subids(draft);
	look_up_selinux_type(draft);
}

static bool is_same_user(const struct oci_user *a, const struct oci_user *b)
{
	size_t n = a->additional_gids.n;

	return a->uid == b->uid && a->gid == b->gid && n == b->additional_gids.n &&
	       (n == 0 || memcmp(a->additional_gids.v, b->additional_gids.v,
	                         n * sizeof(*a->additional_gids.v)) == 0);
}

void inspect_for_joining(struct draft *draft, const struct oci_process *configured)
{
	if (draft->request.level == POLICY_NONE)
		return;
	look_at_stdio(draft);
	/* Those of the container were accepted at create. */
	if (!is_same_user(&draft->spec.process.user, &configured->user))
		look_up_groups(draft);
	look_up_selinux_type(draft);
}
