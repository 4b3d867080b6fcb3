/* A root filesystem nobody writes, and the scratch places programs expect (decisions 7, 24). */
#include "base/cleanup.h"
#include "base/path.h"
#include "policy/harden.h"

#include <limits.h>
#include <string.h>

static const struct scratch {
	const char *path, *mode;
	bool only_if_readonly; /* only where the config left the rootfs writable and we did not */
	bool copied;           /* with the image's content: directories made for programs, as /run/postgresql */
} scratch[] = {
	{ "/tmp", "mode=1777", false, false },
	{ "/run", "mode=755", true, true },
	{ "/var/tmp", "mode=1777", true, false },
};

/* What it would be written through cannot be mapped, and what can be mapped cannot be written: it
 * takes a second override (decision 10). */
static void judge_writable(struct harden *h)
{
	if (userns_owners(h) != POLICY_OWNERS_REBUILT)
		return;
	h->check = "userns.private";
	harden_refused(h, "/root/path",
	               "is an overlay, which a private user namespace can only read (fs.rootfs-ro=rw)",
	               "a read-only or volatile root filesystem", "host");
}

void harden_rootfs(struct harden *h)
{
	if (h->spec->root.readonly)
		return;
	if (overridden(h, "volatile")) {
		h->result->settings.rootfs_volatile = true;
		harden_changed(h, "/root/readonly", "written to the image",
		               "written to memory, and lost");
		return;
	}
	if (overridden(h, "rw")) {
		judge_writable(h);
		return;
	}
	h->spec->root.readonly = true;
	h->made_rootfs_readonly = true;
	harden_changed(h, "/root/readonly", "false", "true");
}

/* Does a mount of the config hold this path (itself, or a directory above it)? */
static bool is_covered(const struct oci_spec *spec, const char *path)
{
	char clean[PATH_MAX];

	for (size_t i = 0; i < spec->mounts.n; i++)
		if (path_clean(spec->mounts.v[i].destination, clean, sizeof(clean)) == 0 &&
		    strcmp(clean, "/") != 0 && path_has_prefix(path, clean))
			return true;
	return false;
}

static bool is_scratch_wanted(struct harden *h, const struct scratch *s)
{
	if (s->only_if_readonly ? !h->made_rootfs_readonly : overridden(h, "rootfs"))
		return false;
	return !is_covered(h->spec, s->path);
}

static struct oci_mount make_tmpfs(struct harden *h, const struct scratch *s)
{
	struct oci_mount mount = {
		.destination = dj_arena_strdup(h->arena, s->path),
		.type = dj_arena_strdup(h->arena, "tmpfs"),
		.source = dj_arena_strdup(h->arena, "tmpfs"),
	};

	mount_add_option(h, &mount, "nosuid");
	mount_add_option(h, &mount, "nodev");
	if (!overridden(h, "exec"))
		mount_add_option(h, &mount, "noexec");
	if (s->copied)
		mount_add_option(h, &mount, "tmpcopyup");
	mount_add_option(h, &mount, s->mode);
	mount_add_option(h, &mount, "size=64m");
	return mount;
}

/* In front of the config's mounts, so that none of them can disappear below one of ours, not even
 * through a link of the image (/var/run). */
static void add_scratch(struct harden *h)
{
	struct oci_mount added[DJ_COUNT(scratch)], *grown;
	size_t n = 0, had = h->spec->mounts.n;

	for (size_t i = 0; i < DJ_COUNT(scratch); i++) {
		if (!is_scratch_wanted(h, &scratch[i]))
			continue;
		added[n++] = make_tmpfs(h, &scratch[i]);
		harden_changed(h, "/mounts", "",
		               harden_text(h, "tmpfs on %s, 64 MiB", scratch[i].path));
	}
	if (n == 0)
		return;
	grown = list_prepend(h->arena, h->spec->mounts.v, had, n, sizeof(*grown));
	memcpy(grown, added, n * sizeof(*grown));
	h->spec->mounts.v = grown;
	h->spec->mounts.n = had + n;
	h->result->settings.mounts_added += n;
}

/* What a person mounted at /tmp stays; flags are added where the options leave them open. */
static void judge_configured_tmp(struct harden *h, size_t index)
{
	static const enum mount_flag flags[] = { MOUNT_NOSUID, MOUNT_NODEV, MOUNT_NOEXEC };
	unsigned want = 0, contradicted;

	for (size_t i = 0; i < DJ_COUNT(flags); i++)
		if (!overridden(h, mount_flag_opposite(flags[i])))
			want |= flags[i];
	contradicted = mount_add_flags(h, index, want);
	for (size_t i = 0; i < DJ_COUNT(flags); i++)
		if (contradicted & flags[i])
			harden_refused(h, mount_pointer(h, index, "options"),
			               harden_text(h, "asks for %s at /tmp",
			                           mount_flag_opposite(flags[i])),
			               "nosuid,nodev,noexec", mount_flag_opposite(flags[i]));
}

void harden_tmp(struct harden *h)
{
	for (size_t i = 0; i < h->spec->mounts.n; i++)
		if (mount_is_at(&h->spec->mounts.v[i], "/tmp") && !mount_is_remount(&h->spec->mounts.v[i]))
			judge_configured_tmp(h, i);
	add_scratch(h);
}
