/*
 * The user namespace and the ids seen from outside (design.md §3.2 a-d, decisions 2, 5, 17, 19).
 * The namespace is chosen here; how the rootfs and volumes get owners inside is the launch's
 * ladder.
 */
#include "policy/harden.h"

#include <string.h>

enum {
	RANGE_SIZE = 65536,
	NOBODY = 65534,      /* images know this id: it keeps its place in every map */
	EXTRA_MAX = 256,     /* the kernel takes 340 lines */
	SYSTEM_IDS = 1000,   /* below: accounts of the host's own services */
	PRIVATE_IDS = 65536, /* from here on no distribution places accounts */
};

static bool runs_as_mapped_root(const struct harden *h)
{
	return !h->host->initial_userns && h->host->root_is_mapped;
}

static void add_extra(uint32_t *extra, size_t *n, uint32_t id)
{
	for (size_t i = 0; i < *n; i++)
		if (extra[i] == id)
			return;
	if (id >= RANGE_SIZE && *n < EXTRA_MAX)
		extra[(*n)++] = id;
}

/* 0-65535, and a line for each larger id named in process.user.  All of it fits one slot: the
 * larger ids take the places of 65535 and of those below nobody, which nothing uses. */
static struct oci_id_maps map_range(struct harden *h, const uint32_t *extra, size_t n)
{
	uint32_t base = h->host->id_range;
	struct oci_id_maps maps = { .v = dj_arena_array(h->arena, n + 2, sizeof(*maps.v)) };

	if (n == 0) {
		maps.v[maps.n++] = (struct oci_id_map){ 0, base, RANGE_SIZE };
		return maps;
	}
	maps.v[maps.n++] = (struct oci_id_map){ 0, base, NOBODY + 1 - (uint32_t)n };
	maps.v[maps.n++] = (struct oci_id_map){ NOBODY, base + NOBODY, 1 };
	for (uint32_t i = 0; i < n; i++)
		maps.v[maps.n++] =
		        (struct oci_id_map){ extra[i], base + (i ? NOBODY - i : NOBODY + 1), 1 };
	return maps;
}

static struct oci_id_maps map_one(struct harden *h, uint32_t inside, uint32_t outside)
{
	struct oci_id_maps maps = { .v = dj_arena_new(h->arena, struct oci_id_map), .n = 1 };

	maps.v[0] = (struct oci_id_map){ inside, outside, 1 };
	return maps;
}

static void make_private(struct harden *h)
{
	struct oci_linux *linux_ = &h->spec->linux;
	const struct oci_user *user = &h->spec->process.user;
	uint32_t uids[EXTRA_MAX], gids[EXTRA_MAX];
	size_t n_uids = 0, n_gids = 0;

	add_extra(uids, &n_uids, user->uid);
	add_extra(gids, &n_gids, user->gid);
	for (size_t i = 0; i < user->additional_gids.n; i++)
		add_extra(gids, &n_gids, user->additional_gids.v[i]);
	linux_->uid_mappings = map_range(h, uids, n_uids);
	linux_->gid_mappings = map_range(h, gids, n_gids);
	harden_changed(h, "/linux/namespaces", "the host's user namespace",
	               harden_text(h, "its own, on host ids %u-%u", h->host->id_range,
	                           h->host->id_range + RANGE_SIZE - 1));
}

/* The caller's own id is the process user's, so that it may do what the caller may; all others, from 0
 * on, are what was granted. */
static struct oci_id_maps map_granted(struct harden *h, uint32_t id, uint32_t own,
                                      struct host_id_range granted)
{
	uint32_t below = id < granted.size ? id : granted.size;
	struct oci_id_maps maps = { .v = dj_arena_array(h->arena, 3, sizeof(*maps.v)) };

	if (below > 0)
		maps.v[maps.n++] = (struct oci_id_map){ 0, granted.first, below };
	maps.v[maps.n++] = (struct oci_id_map){ id, own, 1 };
	if (below < granted.size)
		maps.v[maps.n++] =
		        (struct oci_id_map){ id + 1, granted.first + below, granted.size - below };
	return maps;
}

static void make_granted(struct harden *h)
{
	const struct oci_user *user = &h->spec->process.user;
	struct host_id_range uids = h->request->granted_uids, gids = h->request->granted_gids;

	h->spec->linux.uid_mappings = map_granted(h, user->uid, h->host->euid, uids);
	h->spec->linux.gid_mappings = map_granted(h, user->gid, h->host->egid, gids);
	harden_changed(h, "/linux/namespaces", "the host's user namespace",
	               harden_text(h, "its own, with the caller's ids and the host ids %u-%u",
	                           uids.first, uids.first + uids.size - 1));
}

/* Without privileges and without a range only the caller's own ids can be mapped. */
static void make_single(struct harden *h)
{
	const struct oci_user *user = &h->spec->process.user;

	h->spec->linux.uid_mappings = map_one(h, user->uid, h->host->euid);
	h->spec->linux.gid_mappings = map_one(h, user->gid, h->host->egid);
	harden_changed(h, "/linux/namespaces", "the host's user namespace",
	               "its own, with the caller's ids only");
}

static void join_owner(struct harden *h)
{
	h->spec->linux.namespaces[OCI_NS_USER].path =
	        dj_arena_strdup(h->arena, h->request->joined_userns.path);
	h->spec->linux.uid_mappings = h->request->joined_userns.uid_maps;
	h->spec->linux.gid_mappings = h->request->joined_userns.gid_maps;
	harden_changed(h, "/linux/namespaces", "the host's user namespace",
	               "the user namespace of the pod whose namespaces are joined");
}

static bool writes_host_layers(const struct oci_mount *mount)
{
	if (!mount_has_type(mount, "overlay"))
		return false;
	for (size_t i = 0; i < mount->options.n; i++)
		if (strncmp(mount->options.v[i], "upperdir=", strlen("upperdir=")) == 0)
			return true;
	return false;
}

/* podman's `-v DIR:/data:O`: its layers are the host's and an overlay cannot be id-mapped (decision 18). */
static void refuse_host_overlays(struct harden *h)
{
	for (size_t i = 0; i < h->spec->mounts.n; i++)
		if (writes_host_layers(&h->spec->mounts.v[i]))
			harden_refused(h, mount_pointer(h, i, "options"),
			               "is an overlay that a private user namespace cannot write",
			               "a bind mount or a volume", "host");
}

void harden_userns(struct harden *h)
{
	if (!namespace_is_host(h->spec, OCI_NS_USER))
		return;
	if (runs_as_mapped_root(h)) {
		harden_noted(
		        h, "shares the user namespace of the caller's other containers (rootless)");
		return;
	}
	if (overridden(h, "host"))
		return;
	if (h->request->joined_userns.others) {
		harden_refused(h, "/linux/namespaces",
		               harden_text(h, "joins namespaces of different user namespaces: %s",
		                           h->request->joined_userns.others),
		               "the namespaces of one pod", "host");
		return;
	}
	if (!h->request->joined_userns.path && h->host->id_range == 0 && h->host->euid == 0) {
		harden_refused(h, "/linux/namespaces",
		               "has no user namespace and no range of host ids is free",
		               "a private user namespace", "host");
		return;
	}
	refuse_host_overlays(h);
	h->spec->linux.set = true;
	h->spec->linux.namespaces[OCI_NS_USER] = (struct oci_namespace){ .set = true };
	h->result->settings.forced_userns = true;
	if (h->request->joined_userns.path)
		join_owner(h);
	else if (h->host->id_range != 0)
		make_private(h);
	else if (h->request->granted_uids.size > 0 && h->request->granted_gids.size > 0)
		make_granted(h);
	else
		make_single(h);
}

enum policy_owners userns_owners(const struct harden *h)
{
	if (namespace_is_host(h->spec, OCI_NS_USER))
		return POLICY_OWNERS_HOST;
	if (!h->result->settings.forced_userns || host_is_rootless(h->host))
		return POLICY_OWNERS_CONFIG;
	return h->request->rootfs_is_overlay ? POLICY_OWNERS_REBUILT : POLICY_OWNERS_MAPPED;
}

static void judge_map(struct harden *h, const char *member, const struct oci_id_maps *maps,
                      uint32_t lowest)
{
	bool is_low = false;

	for (size_t i = 0; i < maps->n; i++) {
		uint32_t host_id = maps->v[i].host_id;

		if (host_id < lowest)
			harden_refused(h, harden_text(h, "/linux/%s/%zu", member, i),
			               harden_text(h, "maps host ids from %u", host_id),
			               "host ids no account of the host uses",
			               harden_text(h, "%u", host_id));
		is_low |= host_id < PRIVATE_IDS;
	}
	if (is_low)
		harden_noted(
		        h, harden_text(h, "%s: host ids below %u are mapped", member, PRIVATE_IDS));
}

/* Host ids of a runtime that itself runs mapped, or unprivileged, are its caller's own, or were granted
 * to it: the kernel and newuidmap have the say. */
void harden_userns_map(struct harden *h)
{
	const char *value = override_value(h);
	uint32_t lowest = SYSTEM_IDS;

	if (namespace_is_host(h->spec, OCI_NS_USER) || runs_as_mapped_root(h))
		return;
	if (value && (!override_number(value, &lowest) || lowest > SYSTEM_IDS))
		lowest = SYSTEM_IDS;
	if (h->host->euid != 0)
		lowest = 0;
	judge_map(h, "uidMappings", &h->spec->linux.uid_mappings, lowest);
	judge_map(h, "gidMappings", &h->spec->linux.gid_mappings, lowest);
}

/* The limit is written only into a namespace that is this container's alone (decision 17). */
void harden_userns_nested(struct harden *h)
{
	const struct oci_namespace *ns = &h->spec->linux.namespaces[OCI_NS_USER];
	struct policy_settings *settings = &h->result->settings;

	if (overridden(h, "allow")) {
		strings_add(h->arena, &settings->allow_calls, dj_arena_strdup(h->arena, "clone"));
		strings_add(h->arena, &settings->allow_calls, dj_arena_strdup(h->arena, "clone3"));
		strings_add(h->arena, &settings->allow_calls, dj_arena_strdup(h->arena, "unshare"));
		return;
	}
	settings->inside_userns_limit = ns->set && !ns->path;
	if (settings->inside_userns_limit)
		harden_changed(h, NULL, "user.max_user_namespaces of the host", "0 inside");
}

bool userns_host_id(const struct harden *h, const struct oci_id_maps *maps, uint32_t id,
                    uint32_t *out)
{
	*out = id;
	if (namespace_is_host(h->spec, OCI_NS_USER))
		return true;
	for (size_t i = 0; i < maps->n; i++) {
		if (id < maps->v[i].container_id || id - maps->v[i].container_id >= maps->v[i].size)
			continue;
		*out = maps->v[i].host_id + (id - maps->v[i].container_id);
		return true;
	}
	return false;
}

/* uid 0 is accepted where a private user namespace makes it nobody special outside. */
void harden_uid(struct harden *h)
{
	uint32_t host_uid;

	if (!h->spec->process.set || h->spec->process.user.uid != 0)
		return;
	if (overridden(h, "always")) {
		harden_refused(h, "/process/user/uid",
		               "is 0, which the policy refuses even when mapped",
		               "a uid other than 0", NULL);
		return;
	}
	(void)overridden(h, "mapped"); /* says what holds anyway */
	if (runs_as_mapped_root(h) ||
	    !userns_host_id(h, &h->spec->linux.uid_mappings, 0, &host_uid) || host_uid != 0)
		return;
	if (!overridden(h, "unmapped"))
		harden_refused(h, "/process/user/uid", "is 0 and stands for root of the host",
		               "a uid other than 0, or a private user namespace", "unmapped");
}

static bool is_privileged_gid(const struct harden *h, uint32_t host_gid)
{
	if (host_gid == 0)
		return true;
	for (size_t i = 0; i < h->request->privileged_gids.n; i++)
		if (h->request->privileged_gids.v[i] == host_gid)
			return true;
	return false;
}

static void judge_gid(struct harden *h, const char *pointer, uint32_t gid)
{
	char *value = harden_text(h, "%u", gid);
	uint32_t host_gid;

	if (!userns_host_id(h, &h->spec->linux.gid_mappings, gid, &host_gid) ||
	    !is_privileged_gid(h, host_gid) || overridden(h, value))
		return;
	harden_refused(h, pointer, harden_text(h, "is the host's privileged group %u", host_gid),
	               "groups without rights on the host", value);
}

/* gid 0 follows uid 0: engines send it with every container (decision 2). */
void harden_groups(struct harden *h)
{
	const struct oci_user *user = &h->spec->process.user;

	if (!h->spec->process.set || runs_as_mapped_root(h))
		return;
	if (user->uid == 0 && overridden_of(h, "user.nonroot", "unmapped"))
		return;
	judge_gid(h, "/process/user/gid", user->gid);
	for (size_t i = 0; i < user->additional_gids.n; i++)
		if (user->additional_gids.v[i] != user->gid) /* engines repeat it */
			judge_gid(h, harden_text(h, "/process/user/additionalGids/%zu", i),
			          user->additional_gids.v[i]);
}
