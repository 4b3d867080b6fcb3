/* Paths of /proc and /sys that are hidden or read-only: unions with what the config lists
 * (hardening-checks.md §3.6). */
#include "base/cleanup.h"
#include "policy/harden.h"

#include <string.h>

/* clang-format off */
static const char *const masked[] = {
	/* core: what every engine lists */
	"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
	"/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/firmware",
	/* newer: GHSA-jq35-85cj-fj4p (powercap), GHSA-6fw5-f8r9-fgfm (interrupts) */
	"/sys/devices/virtual/powercap", "/proc/interrupts", "/sys/fs/selinux",
	/* hardened: addresses, logs and internals of the host's kernel */
	"/proc/config.gz", "/proc/kallsyms", "/proc/kmsg", "/proc/modules", "/proc/pagetypeinfo",
	"/proc/slabinfo", "/proc/vmallocinfo", "/sys/kernel/debug", "/sys/kernel/security",
	"/sys/kernel/tracing",
};
/* clang-format on */

static const char *const readonly[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

/* A file the engine mounts there (lxcfs) is meant to be seen and hides the kernel's own. */
static bool is_mounted_over(const struct oci_spec *spec, const char *path)
{
	for (size_t i = 0; i < spec->mounts.n; i++)
		if (mount_is_at(&spec->mounts.v[i], path) && !mount_is_remount(&spec->mounts.v[i]))
			return true;
	return false;
}

static bool is_wanted(struct harden *h, const struct oci_strings *list, const char *path)
{
	return !strings_has(list, path) && !overridden_path(h, path) &&
	       !is_mounted_over(h->spec, path);
}

static void add_paths(struct harden *h, const char *pointer, struct oci_strings *list,
                      const struct oci_strings *paths)
{
	struct oci_strings grown = { .n = list->n };

	grown.v = list_append(h->arena, list->v, list->n, paths->n + 1, sizeof(*grown.v));
	for (size_t i = 0; i < paths->n; i++)
		if (is_wanted(h, list, paths->v[i]))
			grown.v[grown.n++] = paths->v[i];
	if (grown.n != list->n)
		harden_changed(h, pointer, harden_text(h, "%zu paths", list->n),
		               harden_text(h, "%zu paths", grown.n));
	*list = grown;
}

static struct oci_strings copy_table(struct harden *h, const char *const *table, size_t n,
                                     size_t room)
{
	struct oci_strings list = { .v = dj_arena_array(h->arena, n + room, sizeof(*list.v)) };

	for (size_t i = 0; i < n; i++)
		list.v[list.n++] = dj_arena_strdup(h->arena, table[i]);
	return list;
}

/* The lists are of one procfs and one sysfs: in another everything they hide would be seen. */
static void judge_unmasked(struct harden *h, size_t index)
{
	static const struct {
		const char *type, *place;
	} masked_ones[] = { { "proc", "/proc" }, { "sysfs", "/sys" } };
	const struct oci_mount *mount = &h->spec->mounts.v[index];
	const char *path = mount_destination(h, index);

	for (size_t i = 0; i < DJ_COUNT(masked_ones); i++) {
		const char *type = masked_ones[i].type, *place = masked_ones[i].place;

		if (mount_has_type(mount, type) && !mount_is_bind(mount) && strcmp(path, place) != 0 &&
		    !overridden_path(h, path))
			harden_refused(h, mount_pointer(h, index, "destination"),
			               harden_text(h, "shows at %s what is masked below %s", path, place),
			               harden_text(h, "one %s filesystem, at %s", type, place), path);
	}
}

/* The thermal counters of every CPU (GHSA-6fw5-f8r9-fgfm): a path each. */
void harden_masked(struct harden *h)
{
	unsigned cpus = h->request->cpus;
	struct oci_strings paths = copy_table(h, masked, DJ_COUNT(masked), cpus);

	for (size_t i = 0; i < h->spec->mounts.n; i++)
		judge_unmasked(h, i);
	for (unsigned i = 0; i < cpus; i++)
		paths.v[paths.n++] =
		        harden_text(h, "/sys/devices/system/cpu/cpu%u/thermal_throttle", i);
	add_paths(h, "/linux/maskedPaths", &h->spec->linux.masked_paths, &paths);
}

void harden_readonly_proc(struct harden *h)
{
	struct oci_strings paths = copy_table(h, readonly, DJ_COUNT(readonly), 0);

	add_paths(h, "/linux/readonlyPaths", &h->spec->linux.readonly_paths, &paths);
}
