/* The plan as text, one fact a line: for --dry-run and the golden tests.  Only what is decided is
 * printed; members at their zero value are left out. */
#include "plan/build.h"

#include "base/error.h"
#include "base/log.h"
#include "wrap/json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dump {
	const struct dj_plan *plan;
	char *text;
	size_t used, size;
};

static void line(struct dump *d, const char *fmt, ...) DJ_PRINTF(2, 3);

/* One line, whatever the document calls things (B33). */
static void line(struct dump *d, const char *fmt, ...)
{
	char *one;
	size_t room;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&one, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	room = (size_t)n * LOG_SHOWN + 2;
	if (room > d->size - d->used) {
		d->size = d->size * 2 + room;
		d->text = realloc(d->text, d->size);
		if (!d->text)
			abort();
	}
	log_printable(one, d->text + d->used, d->size - d->used);
	free(one);
	d->used += strlen(d->text + d->used);
	d->text[d->used++] = '\n';
	d->text[d->used] = '\0';
}

static const char *text(const struct dump *d, plan_str s)
{
	return plan_text(d->plan, s);
}

static void dump_strings(struct dump *d, const char *name, struct plan_list list)
{
	const plan_str *items = plan_items(d->plan, list, plan_str);

	for (uint32_t i = 0; i < list.n; i++)
		line(d, "%s %s", name, text(d, items[i]));
}

static void dump_maps(struct dump *d, const char *name, struct plan_list list)
{
	const struct oci_id_map *maps = plan_items(d->plan, list, struct oci_id_map);

	for (uint32_t i = 0; i < list.n; i++)
		line(d, "%s %u %u %u", name, maps[i].container_id, maps[i].host_id, maps[i].size);
}

static void dump_net_devices(struct dump *d)
{
	const struct plan_net_device *devices =
		plan_items(d->plan, d->plan->net_devices, struct plan_net_device);

	for (uint32_t i = 0; i < d->plan->net_devices.n; i++)
		line(d, "network-device %s %s", text(d, devices[i].name), text(d, devices[i].inside));
}

static void dump_namespaces(struct dump *d)
{
	static const char *const names[OCI_NS_COUNT] = { "user", "pid", "network", "mount",
							 "ipc",	 "uts", "cgroup",  "time" };

	for (size_t ns = 0; ns < OCI_NS_COUNT; ns++) {
		const struct plan_ns *n = &d->plan->ns[ns];

		line(d, "namespace %s %s%s", names[ns],
		     n->kind == PLAN_NS_HOST ? "host" : n->kind == PLAN_NS_NEW ? "new" : "join ",
		     text(d, n->path));
	}
	dump_maps(d, "uid-map", d->plan->uid_maps);
	dump_maps(d, "gid-map", d->plan->gid_maps);
	dump_net_devices(d);
}

/* "dev,nosuid" in words where a word exists. */
static const char *attributes(uint64_t attr, char buf[static 128])
{
	static const struct {
		uint64_t bit;
		const char *name;
	} names[] = {
		{ 0x1, "ro" },	    { 0x2, "nosuid" },	    { 0x4, "nodev" },	     { 0x8, "noexec" },
		{ 0x10, "noatime" }, { 0x20, "strictatime" }, { 0x80, "nodiratime" }, { 0x200000, "nosymfollow" },
	};
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (attr & names[i].bit)
			used += (size_t)snprintf(buf + used, 128 - used, "%s%s", used ? "," : "", names[i].name);
	return used ? buf : "-";
}

static void dump_mount(struct dump *d, const struct plan_mount *m)
{
	static const char *const kinds[] = {
		[PLAN_MOUNT_BIND] = "bind",	  [PLAN_MOUNT_FS] = "filesystem",
		[PLAN_MOUNT_FS_OUTSIDE] = "filesystem-outside", [PLAN_MOUNT_DEV] = "dev",
		[PLAN_MOUNT_REMOUNT] = "remount", [PLAN_MOUNT_CGROUP] = "cgroup",
	};
	const plan_str *data = plan_items(d->plan, m->data, plan_str);
	char options[1024] = "", set[128], clear[128], rec[128];
	size_t used = 0;

	for (uint32_t i = 0; i < m->data.n && used < sizeof(options); i++)
		used += (size_t)snprintf(options + used, sizeof(options) - used, " %s", text(d, data[i]));
	line(d, "mount %s %s from %s set %s clear %s recursive %s%s%s%s%s propagation 0x%" PRIx64 "%s",
	     text(d, m->destination), kinds[m->kind], text(d, m->source), attributes(m->attr_set, set),
	     attributes(m->attr_clr, clear), attributes(m->rec_set, rec), m->recursive ? " whole-tree" : "",
	     m->idmap ? " id-mapped" : "", m->copy_up ? " copy-up" : "", m->takes_mode ? " takes-mode" : "", m->propagation, options);
}

static void dump_filesystem(struct dump *d)
{
	const struct plan_mount *mounts = plan_items(d->plan, d->plan->mounts, struct plan_mount);
	const struct plan_device *devices = plan_items(d->plan, d->plan->devices, struct plan_device);
	char set[128];

	line(d, "rootfs %s set %s%s%s", text(d, d->plan->rootfs), attributes(d->plan->rootfs_attr_set, set),
	     d->plan->rootfs_readonly ? " read-only" : "", d->plan->rootfs_idmap ? " id-mapped" : "");
	for (uint32_t i = 0; i < d->plan->mounts.n; i++)
		dump_mount(d, &mounts[i]);
	for (uint32_t i = 0; i < d->plan->devices.n; i++)
		line(d, "device %s %o %u:%u owner %u:%u", text(d, devices[i].path), devices[i].mode,
		     devices[i].major, devices[i].minor, devices[i].uid, devices[i].gid);
	dump_strings(d, "masked", d->plan->masked);
	dump_strings(d, "read-only", d->plan->readonly);
}

static void dump_process(struct dump *d)
{
	static const char *const sets[PLAN_CAP_COUNT] = { "bounding", "effective", "permitted", "inheritable",
							  "ambient" };
	const struct plan_rlimit *limits = plan_items(d->plan, d->plan->rlimits, struct plan_rlimit);
	const uint32_t *groups = plan_items(d->plan, d->plan->groups, uint32_t);

	line(d, "user %u:%u umask %04o", d->plan->uid, d->plan->gid, d->plan->umask);
	for (uint32_t i = 0; i < d->plan->groups.n; i++)
		line(d, "group %u", groups[i]);
	for (size_t i = 0; i < PLAN_CAP_COUNT; i++)
		line(d, "capabilities %s %016" PRIx64, sets[i], d->plan->caps[i]);
	line(d, "no-new-privileges %s", d->plan->no_new_privs ? "yes" : "no");
	line(d, "session-keyring %s", d->plan->new_keyring ? "new" : "kept");
	if (d->plan->apparmor)
		line(d, "apparmor %s", text(d, d->plan->apparmor));
	if (d->plan->selinux)
		line(d, "selinux %s", text(d, d->plan->selinux));
	line(d, "directory %s", text(d, d->plan->cwd));
	dump_strings(d, "argument", d->plan->args);
	dump_strings(d, "environment", d->plan->env);
	for (uint32_t i = 0; i < d->plan->rlimits.n; i++)
		line(d, "rlimit %d %" PRIu64 " %" PRIu64, limits[i].type, limits[i].soft, limits[i].hard);
	if (d->plan->oom_score_adj_set)
		line(d, "oom-score-adj %d", d->plan->oom_score_adj);
}

static void dump_rdt(struct dump *d)
{
	const plan_str *writes = plan_items(d->plan, d->plan->rdt_writes, plan_str);

	if (!d->plan->rdt_group)
		return;
	line(d, "rdt-group %s%s", text(d, d->plan->rdt_group), d->plan->rdt_monitoring ? " monitored" : "");
	for (uint32_t i = 0; i < d->plan->rdt_writes.n; i++) {
		const char *lines = text(d, writes[i]);

		for (size_t at = 0, n; lines[at]; at += n + 1) {
			n = strcspn(lines + at, "\n");
			line(d, "rdt-schema %.*s", (int)n, lines + at);
		}
	}
}

static void dump_kernel(struct dump *d)
{
	const struct plan_sysctl *sysctls = plan_items(d->plan, d->plan->sysctls, struct plan_sysctl);
	const struct plan_filter *filters = plan_items(d->plan, d->plan->filters, struct plan_filter);
	const struct plan_cgroup_write *writes =
		plan_items(d->plan, d->plan->cgroup_writes, struct plan_cgroup_write);
	const struct plan_hook *hooks = plan_items(d->plan, d->plan->hooks, struct plan_hook);
	const struct oci_device_rule *rules = plan_items(d->plan, d->plan->device_rules, struct oci_device_rule);

	if (d->plan->hostname)
		line(d, "hostname %s", text(d, d->plan->hostname));
	for (uint32_t i = 0; i < d->plan->sysctls.n; i++)
		line(d, "sysctl %s = %s%s", text(d, sysctls[i].file), text(d, sysctls[i].value),
		     sysctls[i].outside ? " outside" : "");
	if (d->plan->userns_limit)
		line(d, "sysctl user/max_user_namespaces = 0");
	for (uint32_t i = 0; i < d->plan->filters.n; i++)
		line(d, "filter %u flags 0x%x", i, filters[i].load_flags);
	if (d->plan->cgroup)
		line(d, "cgroup %s", text(d, d->plan->cgroup_path));
	for (uint32_t i = 0; i < d->plan->cgroup_writes.n; i++)
		line(d, "cgroup-write %s %s = %s%s", text(d, writes[i].controller), text(d, writes[i].file),
		     text(d, writes[i].value), writes[i].optional ? " optional" : "");
	for (uint32_t i = 0; i < d->plan->device_rules.n; i++)
		line(d, "device-rule %s %c %" PRId64 ":%" PRId64 " %s%s%s", rules[i].allow ? "allow" : "deny",
		     rules[i].type, rules[i].major, rules[i].minor, rules[i].read ? "r" : "",
		     rules[i].write ? "w" : "", rules[i].mknod ? "m" : "");
	dump_rdt(d);
	for (uint32_t i = 0; i < d->plan->hooks.n; i++)
		line(d, "hook %d %s", hooks[i].kind, text(d, hooks[i].path));
}

char *plan_dump(const struct dj_plan *plan, struct dj_arena *arena)
{
	struct dump d = { .plan = plan, .text = calloc(1, 4096), .size = 4096 };
	char *copy;

	if (!d.text)
		abort();
	dump_namespaces(&d);
	dump_filesystem(&d);
	dump_process(&d);
	dump_kernel(&d);
	copy = dj_arena_strdup(arena, d.text);
	free(d.text);
	return copy;
}

char *plan_dump_json(const struct dj_plan *plan, struct dj_arena *arena)
{
	char *lines = plan_dump(plan, arena), *text, *copy;
	struct json_value *array = json_new_array();

	for (char *rest = lines, *one; (one = strsep(&rest, "\n"));)
		if (*one)
			json_push(array, json_new_string(one));
	text = json_print(array, true);
	json_free(array);
	copy = dj_arena_strdup(arena, text);
	free(text);
	return copy;
}
