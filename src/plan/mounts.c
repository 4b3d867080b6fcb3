/* Mount entries -> ordered operations with numeric flags. */
#include "plan/part.h"

#include "base/path.h"
#include "base/sys.h"
#include "oci/mount_options.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

struct mounts {
	struct plan_block *block;
	const struct plan_input *in;
	struct plan_mount *v;
	size_t n;
};

/* A mount being decided, with its options still as words. */
struct draft {
	const struct oci_mount *mount;
	char destination[PATH_MAX], source[PATH_MAX], pointer[32];
	struct plan_mount out;
	uint32_t flags; /* enum oci_mount_flag */
	struct oci_strings data, super;
};

static void apply_option(struct draft *d, const struct oci_mount_option *o)
{
	d->out.attr_set = (d->out.attr_set & ~o->clear) | o->set;
	d->out.attr_clr |= o->clear | o->set;
	d->out.rec_set = (d->out.rec_set & ~o->rec_clear) | o->rec_set;
	d->out.rec_clr |= o->rec_clear | o->rec_set;
	if (o->propagation)
		d->out.propagation = o->propagation;
	d->flags |= o->flags;
}

static void read_options(struct dj_arena *arena, struct draft *d)
{
	const struct oci_strings *options = &d->mount->options;

	d->data.v = dj_arena_array(arena, options->n + 8, sizeof(char *));
	d->super.v = dj_arena_array(arena, options->n + 1, sizeof(char *));
	for (size_t i = 0; i < options->n; i++) {
		const struct oci_mount_option *o = oci_mount_option_find(options->v[i]);

		if (!o) {
			d->data.v[d->data.n++] = options->v[i];
			continue;
		}
		apply_option(d, o);
		if (o->super)
			d->super.v[d->super.n++] = (char *)(uintptr_t)o->super;
	}
	/* What is to be set is not also to be cleared, except where the kernel wants both. */
	d->out.attr_clr &= ~d->out.attr_set;
	d->out.rec_clr &= ~d->out.rec_set;
	/* The top is part of the tree: what the recursive call does is not done twice. */
	d->out.attr_set &= ~d->out.rec_set;
	d->out.attr_clr &= ~d->out.rec_clr;
}

static bool is_type(const struct draft *d, const char *type)
{
	return d->mount->type && strcmp(d->mount->type, type) == 0;
}

/* API file systems of namespaces that are not our own new ones belong to another user namespace:
 * only the outside may make them (decision 5, launch-findings.md §4, §9).  So do an engine's overlays
 * where it knows of no user namespace: their layers lie in its store, marked with trusted attributes. */
static bool belongs_outside(const struct plan_input *in, const struct draft *d)
{
	if (!plan_has_userns(in) || in->host->euid != 0)
		return false;
	return (is_type(d, "overlay") && in->settings->forced_userns) ||
	       (is_type(d, "sysfs") && !plan_is_new(in, OCI_NS_NETWORK)) ||
	       (is_type(d, "proc") && !plan_is_new(in, OCI_NS_PID)) ||
	       (is_type(d, "mqueue") && !plan_is_new(in, OCI_NS_IPC));
}

static enum plan_mount_kind kind_of(const struct plan_input *in, const struct draft *d)
{
	if (d->flags & OCI_MOUNT_REMOUNT)
		return PLAN_MOUNT_REMOUNT;
	if (d->flags & OCI_MOUNT_BIND || is_type(d, "bind") || is_type(d, "rbind"))
		return PLAN_MOUNT_BIND;
	if (strcmp(d->destination, "/dev") == 0)
		return PLAN_MOUNT_DEV;
	if (is_type(d, "cgroup") || is_type(d, "cgroup2"))
		return PLAN_MOUNT_CGROUP;
	return belongs_outside(in, d) ? PLAN_MOUNT_FS_OUTSIDE : PLAN_MOUNT_FS;
}

/* What a bind shows there is seen when it is made. */
static bool may_be_procfs(const struct draft *d)
{
	return d->out.kind == PLAN_MOUNT_BIND || d->out.kind == PLAN_MOUNT_REMOUNT || is_type(d, "proc");
}

/* Mounts over procfs can feed programs (and us) false kernel files, so only those that lxcfs needs
 * are allowed, and /proc itself takes nothing but a procfs, as in runc (B11, contract 3.1). */
static int check_destination(struct draft *d, struct donjon_error *err)
{
	static const char *const allowed[] = {
		"cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo",
		"sys/kernel/ns_last_pid", "sys/crypto/fips_enabled",
	};
	const char *path = d->destination;

	if (strcmp(path, "/") == 0)
		return dj_fail(err, DONJON_E_CONFIG, "%s.destination: must not be /", d->pointer);
	d->out.proc = strcmp(path, "/proc") == 0;
	if (d->out.proc && !may_be_procfs(d))
		return dj_fail(err, DONJON_E_CONFIG, "%s.type: /proc takes nothing but a proc filesystem",
			       d->pointer);
	if (strncmp(path, "/proc/", 6) != 0)
		return 0;
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		if (strcmp(path + 6, allowed[i]) == 0)
			d->out.over_proc = true;
	if (d->out.over_proc)
		return 0;
	return dj_fail(err, DONJON_E_CONFIG, "%s.destination: %s lies inside /proc", d->pointer, path);
}

static int resolve_names(const struct mounts *m, struct draft *d, struct donjon_error *err)
{
	const char *source = d->mount->source ? d->mount->source : "";
	int r;

	if (path_clean(d->mount->destination, d->destination, sizeof(d->destination)) < 0)
		return dj_fail(err, DONJON_E_CONFIG, "%s.destination: too long", d->pointer);
	d->out.kind = (uint8_t)kind_of(m->in, d);
	/* P8: a relative source of a bind is relative to the bundle. */
	if (d->out.kind == PLAN_MOUNT_BIND && source[0] != '/')
		r = snprintf(d->source, sizeof(d->source), "%s/%s", m->in->bundle, source);
	else
		r = snprintf(d->source, sizeof(d->source), "%s", source);
	if (r < 0 || (size_t)r >= sizeof(d->source))
		return dj_fail(err, DONJON_E_CONFIG, "%s.source: too long", d->pointer);
	if (d->out.kind == PLAN_MOUNT_BIND && !*source)
		return dj_fail(err, DONJON_E_CONFIG, "%s.source: missing for a bind mount", d->pointer);
	return check_destination(d, err);
}

static int set_id_map(const struct mounts *m, struct draft *d, struct donjon_error *err)
{
	const struct oci_mount *mount = d->mount;
	bool asked = d->flags & OCI_MOUNT_IDMAP || mount->uid_mappings.n || mount->gid_mappings.n;

	if (asked && d->out.kind != PLAN_MOUNT_BIND)
		return dj_fail(err, DONJON_E_UNSUPPORTED, "%s: only bind mounts can be id-mapped", d->pointer);
	if (asked && host_is_rootless(m->in->host))
		return dj_fail(err, DONJON_E_UNSUPPORTED, "%s: id-mapped mounts need the host's root",
			       d->pointer);
	if (d->flags & OCI_MOUNT_IDMAP && !mount->uid_mappings.n && !plan_has_userns(m->in))
		return dj_fail(err, DONJON_E_CONFIG,
			       "%s.options: idmap without mappings needs a user namespace", d->pointer);
	if (d->out.kind != PLAN_MOUNT_BIND)
		return 0;
	d->out.idmap_required = asked;
	d->out.idmap = asked || (m->in->settings->forced_userns && !host_is_rootless(m->in->host));
	d->out.idmap_recursive = asked ? (d->flags & OCI_MOUNT_RIDMAP) != 0
				       : (d->flags & OCI_MOUNT_RBIND) != 0;
	d->out.uid_maps = plan_add_list(m->block, mount->uid_mappings.v, mount->uid_mappings.n,
					sizeof(struct oci_id_map));
	d->out.gid_maps = plan_add_list(m->block, mount->gid_mappings.v, mount->gid_mappings.n,
					sizeof(struct oci_id_map));
	return 0;
}

static void add_data(struct draft *d, char *option)
{
	d->data.v[d->data.n++] = option;
}

static bool takes_label(const struct draft *d)
{
	return is_type(d, "tmpfs") || is_type(d, "devpts") || is_type(d, "ramfs");
}

/* Its superblock came with the IPC namespace, and takes no label any more (EINVAL): as with runc, the root
 * gets it.  That of a joined namespace is other people's, and in a user namespace it is owned by the host's
 * root, whose files nobody there may label. */
static bool takes_label_on_root(const struct mounts *m, const struct draft *d)
{
	return is_type(d, "mqueue") && plan_is_new(m->in, OCI_NS_IPC) && !plan_has_userns(m->in);
}

/* The host id the stage has while it mounts: root's, or the first mapped one's. */
static uint32_t root_id(const struct oci_id_maps *maps)
{
	uint32_t id = plan_map_id(maps, 0);

	return id == UINT32_MAX ? maps->v[0].host_id : id;
}

/* /dev is ours whatever is listed there (decision 30): a listed tmpfs contributes mode and size. */
static void set_dev_data(const struct mounts *m, struct draft *d)
{
	struct dj_arena *arena = m->block->arena;
	struct oci_strings listed = d->data;
	bool mode = false, size = false;

	d->data = (struct oci_strings){ .v = dj_arena_array(arena, 8, sizeof(char *)) };
	for (size_t i = 0; i < listed.n; i++) {
		bool is_mode = strncmp(listed.v[i], "mode=", 5) == 0;
		bool is_size = strncmp(listed.v[i], "size=", 5) == 0;

		if ((is_mode && !mode) || (is_size && !size))
			add_data(d, listed.v[i]);
		mode |= is_mode;
		size |= is_size;
	}
	if (!mode)
		add_data(d, dj_arena_strdup(arena, "mode=755"));
	if (!size)
		add_data(d, dj_arena_strdup(arena, "size=65536k"));
	d->out.attr_set |= SYS_MOUNT_ATTR_NOSUID | SYS_MOUNT_ATTR_NOEXEC;
	d->out.attr_set &= ~(uint64_t)SYS_MOUNT_ATTR_NODEV;
	d->super.n = 0;
	/* Made in the initial user namespace, or its nodes would not open; owned by container root. */
	if (plan_has_userns(m->in) && !host_is_rootless(m->in->host) && m->in->spec->linux.uid_mappings.n) {
		add_data(d, dj_arena_printf(arena, "uid=%u", root_id(&m->in->spec->linux.uid_mappings)));
		add_data(d, dj_arena_printf(arena, "gid=%u", root_id(&m->in->spec->linux.gid_mappings)));
	}
}

/* In the user namespace the container will have: the runtime's own one knows it where there is none. */
static bool is_mapped_gid(const struct plan_input *in, uint32_t gid)
{
	const struct host_facts *host = in->host;

	if (plan_has_userns(in))
		return plan_map_id(&in->spec->linux.gid_mappings, gid) != UINT32_MAX;
	for (size_t i = 0; i < host->n_gids; i++)
		if (gid >= host->gids[i].first && gid - host->gids[i].first < host->gids[i].size)
			return true;
	return host->initial_userns;
}

/* devpts: its gid option must name a mapped id, or mounting fails (OPT7). */
static void drop_unmapped_gid(const struct mounts *m, struct draft *d)
{
	size_t kept = 0;

	if (!is_type(d, "devpts"))
		return;
	for (size_t i = 0; i < d->data.n; i++) {
		unsigned gid;
		char end;

		if (sscanf(d->data.v[i], "gid=%u%c", &gid, &end) == 1 && !is_mapped_gid(m->in, gid))
			continue;
		d->data.v[kept++] = d->data.v[i];
	}
	d->data.n = kept;
}

static const char *label_key(const struct oci_spec *spec)
{
	for (size_t i = 0; i < spec->annotations.n; i++)
		if (strcmp(spec->annotations.v[i].key, "run.oci.mount_context_type") == 0)
			return spec->annotations.v[i].value;
	return "context";
}

static void set_data(const struct mounts *m, struct draft *d)
{
	const char *label = m->in->spec->linux.mount_label;

	if (d->out.kind == PLAN_MOUNT_DEV)
		set_dev_data(m, d);
	drop_unmapped_gid(m, d);
	if (label && takes_label(d))
		add_data(d, dj_arena_printf(m->block->arena, "%s=%s", label_key(m->in->spec), label));
	if (label && takes_label_on_root(m, d))
		d->out.label = plan_add_text(m->block, label);
}

static bool has_mode(const struct draft *d)
{
	for (size_t i = 0; i < d->data.n; i++)
		if (strncmp(d->data.v[i], "mode=", strlen("mode=")) == 0)
			return true;
	return false;
}

static void finish(struct mounts *m, struct draft *d)
{
	struct plan_block *b = m->block;
	const char *type = d->mount->type ? d->mount->type : "";

	if (d->out.kind == PLAN_MOUNT_DEV || (d->out.kind == PLAN_MOUNT_CGROUP && !PLAN(b)->cgroup_v2))
		type = "tmpfs";
	d->out.recursive = (d->flags & OCI_MOUNT_RBIND) != 0 || is_type(d, "rbind");
	d->out.literal = strcmp(d->destination, "/proc") == 0 || strcmp(d->destination, "/sys") == 0 ||
			 strcmp(d->destination, "/dev") == 0;
	/* What crun makes of copy-symlink, a new link in the image, is had without touching the image: the
	 * link itself is mounted. */
	d->out.source_nofollow = (d->flags & (OCI_MOUNT_SRC_NOFOLLOW | OCI_MOUNT_COPY_SYMLINK)) != 0;
	d->out.dest_nofollow = (d->flags & OCI_MOUNT_DEST_NOFOLLOW) != 0;
	d->out.copy_up = (d->flags & OCI_MOUNT_TMPCOPYUP) != 0 && d->out.kind == PLAN_MOUNT_FS;
	d->out.takes_mode = d->out.kind == PLAN_MOUNT_FS && is_type(d, "tmpfs") && !has_mode(d);
	/* A tree cloned from a shared mount would stay in the host's peer group. */
	if (d->out.kind == PLAN_MOUNT_BIND && !d->out.propagation)
		d->out.propagation = MS_PRIVATE | MS_REC;
	d->out.destination = plan_add_text(b, d->destination);
	d->out.source = plan_add_text(b, *d->source ? d->source : type);
	d->out.type = plan_add_text(b, type);
	d->out.pointer = plan_add_text(b, d->pointer);
	d->out.data = plan_add_strings(b, &d->data);
	d->out.super = plan_add_strings(b, &d->super);
	m->v[m->n++] = d->out;
}

/* Read-only comes after what has to be written first: nodes of /dev, a copied-up tmpfs (B5). */
static void add_late_readonly(struct mounts *m, size_t index)
{
	struct plan_mount *mount = &m->v[index];
	struct plan_mount late = {
		.kind = PLAN_MOUNT_REMOUNT,
		.destination = mount->destination,
		.pointer = mount->pointer,
		.attr_set = SYS_MOUNT_ATTR_RDONLY,
	};

	mount->attr_set &= ~(uint64_t)SYS_MOUNT_ATTR_RDONLY;
	m->v[m->n++] = late;
}

static bool is_filled_later(const struct mounts *m, size_t index)
{
	const struct plan_mount *mount = &m->v[index];
	const char *path = plan_text(PLAN(m->block), mount->destination);

	if (!(mount->attr_set & SYS_MOUNT_ATTR_RDONLY))
		return false;
	if (mount->kind == PLAN_MOUNT_DEV || mount->copy_up)
		return true;
	for (size_t i = index + 1; mount->kind == PLAN_MOUNT_FS && i < m->n; i++)
		if (path_has_prefix(plan_text(PLAN(m->block), m->v[i].destination), path))
			return true;
	return false;
}

static int add_mount(struct mounts *m, const struct oci_mount *mount, const char *pointer,
		     struct donjon_error *err)
{
	struct draft d = { .mount = mount };

	(void)snprintf(d.pointer, sizeof(d.pointer), "%s", pointer);
	read_options(m->block->arena, &d);
	if (resolve_names(m, &d, err) < 0 || set_id_map(m, &d, err) < 0)
		return -1;
	if (d.out.kind == PLAN_MOUNT_BIND && d.data.n)
		return dj_fail(err, DONJON_E_CONFIG, "%s.options: %s means nothing to a bind mount", d.pointer,
			       d.data.v[0]);
	set_data(m, &d);
	finish(m, &d);
	return 0;
}

static struct plan_list add_layers(struct plan_block *block, const struct policy_layers *layers)
{
	struct file_identity *v = dj_arena_array(block->arena, layers->n + 1, sizeof(*v));

	for (size_t i = 0; i < layers->n; i++)
		v[i] = layers->v[i].judged;
	return plan_add_list(block, v, layers->n, sizeof(*v));
}

/* Mounts that the policy added are not among those it judged. */
static void remember_judged(struct mounts *m, size_t index)
{
	const struct policy_request *judged = m->in->judged;
	size_t first = m->in->settings->mounts_added;

	if (!judged || index < first || index - first >= judged->sources.n)
		return;
	m->v[m->n - 1].source_judged = judged->sources.v[index - first].judged;
	m->v[m->n - 1].layers = add_layers(m->block, &judged->sources.v[index - first].layers);
}

static int add_own_dev(struct mounts *m, struct donjon_error *err)
{
	char destination[] = "/dev", type[] = "tmpfs", nosuid[] = "nosuid", atime[] = "strictatime";
	char *options[] = { nosuid, atime, NULL };
	const struct oci_mount dev = {
		.destination = destination,
		.type = type,
		.source = type,
		.options = { options, 2 },
	};

	return add_mount(m, &dev, "/dev", err);
}

/* The engine's own, so no rule judges it; over whatever the config has there, and read-only, so that
 * nobody inside can put another socket in the place of ours (V3). */
static int add_notify(struct mounts *m, struct policy_result *record, struct donjon_error *err)
{
	char destination[] = PLAN_NOTIFY, type[] = "bind";
	char ro[] = "ro", nosuid[] = "nosuid", nodev[] = "nodev", noexec[] = "noexec";
	char *options[] = { ro, nosuid, nodev, noexec };
	const struct oci_mount notify = {
		.destination = destination,
		.type = type,
		.source = dj_arena_strdup(m->block->arena, m->in->notify),
		.options = { options, 4 },
	};

	plan_note(m->block, record, "fs.control-sockets",
		  "the program may report READY=1 to the service manager (NOTIFY_SOCKET)");
	return add_mount(m, &notify, "NOTIFY_SOCKET", err);
}

static bool lists_dev(const struct plan_input *in)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < in->spec->mounts.n; i++)
		if (path_clean(in->spec->mounts.v[i].destination, path, sizeof(path)) == 0 &&
		    strcmp(path, "/dev") == 0)
			return true;
	return false;
}

static const char *below(const struct plan_input *in, size_t hierarchy)
{
	return in->container && in->container->cgroup_below[hierarchy] ? in->container->cgroup_below[hierarchy]
								       : "";
}

/* The cgroup's path in one hierarchy, sub-cgroup included. */
static plan_str add_cgroup_path(struct plan_block *block, const struct plan_input *in, const char *path,
				size_t hierarchy)
{
	const char *sub = below(in, hierarchy);

	return plan_add_text(block, dj_arena_printf(block->arena, "%s%s%s", path, *sub ? "/" : "", sub));
}

void plan_cgroup_view(struct plan_block *block, const struct plan_input *in)
{
	struct plan_cgroup_v1 v1[HOST_CGROUP_V1_MAX];
	struct plan_list list;
	plan_str v2_path;
	const char *path = dj_arena_strdup(block->arena, plan_text(PLAN(block), PLAN(block)->cgroup_path));
	bool own = *path != '\0'; /* or nothing of the host's tree may be shown */

	PLAN(block)->own_cgroups_only = in->settings->own_cgroups_only;
	PLAN(block)->cgroup_joins_v2 = in->host->v2_mount_point[0] != '\0';
	v2_path = add_cgroup_path(block, in, path, in->host->n_v1);
	PLAN(block)->cgroup_v2_path = v2_path;
	if (in->host->cgroup_mode == HOST_CGROUP_V2) {
		plan_str host = plan_add_text(
			block, dj_arena_printf(block->arena, "%s/%s", in->host->v2_mount_point, path));

		PLAN(block)->cgroup_v2 = true;
		PLAN(block)->cgroup_v2_host = own ? host : 0;
	}
	if (in->host->cgroup_mode != HOST_CGROUP_V1)
		return;
	for (size_t i = 0; i < in->host->n_v1; i++) {
		const struct host_cgroup_v1 *h = &in->host->v1[i];
		const char *dir = strrchr(h->mount_point, '/');
		struct oci_strings names = { .v = dj_arena_array(block->arena, 16, sizeof(char *)) };
		char *list_text = dj_arena_strdup(block->arena, h->controllers);

		for (char *rest = list_text, *name; names.n < 15 && (name = strsep(&rest, ","));)
			names.v[names.n++] = name;
		v1[i].name = plan_add_text(block, h->controllers);
		v1[i].dir = plan_add_text(block, dir ? dir + 1 : h->controllers);
		v1[i].controllers = plan_add_strings(block, &names);
		v1[i].path = add_cgroup_path(block, in, path, i);
		v1[i].host = !own ? 0 : plan_add_text(block, dj_arena_printf(block->arena, "%s/%s", h->mount_point, path));
	}
	list = plan_add_list(block, v1, in->host->n_v1, sizeof(v1[0]));
	PLAN(block)->cgroup_v1 = list;
}

static void set_rootfs(struct plan_block *block, const struct plan_input *in)
{
	struct dj_plan *plan = PLAN(block);
	uint64_t propagation = in->spec->linux.rootfs_propagation;

	plan->rootfs_readonly = in->spec->root.readonly;
	plan->rootfs_volatile = in->settings->rootfs_volatile;
	plan->no_pivot = in->no_pivot;
	/* Neither detached trees of the host nor device nodes can be had without its rights. */
	plan->sources_by_stage = host_is_rootless(in->host);
	plan->rootfs_idmap = in->settings->forced_userns && !plan->sources_by_stage;
	plan->rootfs_attr_set =
		in->settings->harden_mount_flags ? SYS_MOUNT_ATTR_NOSUID | SYS_MOUNT_ATTR_NODEV : 0;
	plan->slave_host = (propagation & MS_SLAVE) != 0;
	plan->rootfs_propagation = propagation & (MS_SHARED | MS_SLAVE | MS_UNBINDABLE) ? propagation : 0;
}

int plan_mounts(struct plan_block *block, const struct plan_input *in, struct policy_result *record,
		struct donjon_error *err)
{
	const struct oci_spec *spec = in->spec;
	size_t first = 0, ours = in->settings->mounts_added;
	struct mounts m = { .block = block, .in = in };
	struct plan_list list;

	/* No engine sends one where it found SELinux off; a person who does must be told (P52). */
	if (spec->linux.mount_label && !in->host->selinux)
		return dj_fail(err, DONJON_E_UNSUPPORTED,
			       "linux.mountLabel: SELinux is not enabled in this kernel");
	set_rootfs(block, in);
	plan_cgroup_view(block, in);
	m.v = dj_arena_array(block->arena, 2 * spec->mounts.n + 4, sizeof(*m.v));
	if (!lists_dev(in) && add_own_dev(&m, err) < 0)
		return -1;
	for (size_t i = 0; i < spec->mounts.n; i++) {
		char pointer[32];

		/* Errors name the entry of the config, whatever the policy put in front of it. */
		if (i < ours)
			(void)snprintf(pointer, sizeof(pointer), "added mount %zu", i);
		else
			(void)snprintf(pointer, sizeof(pointer), "mounts[%zu]", i - ours);
		if (add_mount(&m, &spec->mounts.v[i], pointer, err) < 0)
			return -1;
		remember_judged(&m, i);
	}
	if (in->notify && add_notify(&m, record, err) < 0)
		return -1;
	for (size_t n = m.n; first < n; first++)
		if (is_filled_later(&m, first))
			add_late_readonly(&m, first);
	list = plan_add_list(block, m.v, m.n, sizeof(*m.v));
	PLAN(block)->mounts = list;
	return 0;
}
