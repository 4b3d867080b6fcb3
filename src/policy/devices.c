/* Device nodes and device rules: the ones every container has, and no way to make more
 * (hardening-checks.md §3.6, decisions 30, 51). */
#include "base/cleanup.h"
#include "base/path.h"
#include "policy/harden.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *path;
	int64_t major, minor;
} defaults[] = {
	{ "/dev/null", 1, 3 },    { "/dev/zero", 1, 5 },    { "/dev/full", 1, 7 },
	{ "/dev/random", 1, 8 },  { "/dev/urandom", 1, 9 }, { "/dev/tty", 5, 0 },
	{ "/dev/console", 5, 1 }, { "/dev/ptmx", 5, 2 },
};

enum {
	PTS_MAJOR = 136,
	MATCH_MAX = 256, /* more devices than this are refused anyway */
};

bool device_path_is_default(const char *path)
{
	for (size_t i = 0; i < DJ_COUNT(defaults); i++)
		if (strcmp(defaults[i].path, path) == 0)
			return true;
	return false;
}

static bool device_is_default(const char *path, char type, int64_t major, int64_t minor)
{
	for (size_t i = 0; i < DJ_COUNT(defaults); i++)
		if (strcmp(defaults[i].path, path) == 0)
			return type == 'c' && defaults[i].major == major &&
			       defaults[i].minor == minor;
	return false;
}

/* "/dev/fuse (c 10:229)"; a FIFO has no numbers. */
static char *node_text(struct harden *h, const char *path, const struct oci_device *device)
{
	if (device->type == 'p')
		return harden_text(h, "%s (a FIFO)", path);
	return harden_text(h, "%s (%c %lld:%lld)", path, device->type, (long long)device->major,
	                   (long long)device->minor);
}

static void judge_node(struct harden *h, const char *pointer, const struct oci_device *device)
{
	char path[PATH_MAX];

	if (path_clean(device->path, path, sizeof(path)) < 0 || !path_has_prefix(path, "/dev"))
		harden_refused(h, pointer,
		               harden_text(h, "asks for a device node at %s", device->path),
		               "no device node outside /dev", NULL);
	else if (!device_is_default(path, device->type, device->major, device->minor) &&
	         !overridden_path(h, path))
		harden_refused(h, pointer,
		               harden_text(h, "asks for %s", node_text(h, path, device)),
		               "the default device nodes", path);
}

/* Rootless engines bind nodes instead of listing them. */
static void judge_bound_node(struct harden *h, size_t index)
{
	char *path = mount_source_path(h, index);

	if (!device_path_is_default(path) && !overridden_path(h, path))
		harden_refused(h, mount_pointer(h, index, "source"),
		               harden_text(h, "binds the device node %s", path),
		               "the default device nodes", path);
}

void harden_device_nodes(struct harden *h)
{
	h->result->settings.strict_devices = true;
	if (h->privileged)
		return;
	for (size_t i = 0; i < h->spec->linux.devices.n; i++)
		judge_node(h, harden_text(h, "/linux/devices/%zu", i),
		           &h->spec->linux.devices.v[i]);
	for (size_t i = 0; i < h->spec->mounts.n; i++)
		if (mount_is_device(h, i))
			judge_bound_node(h, i);
}

static bool is_deny_all(const struct oci_device_rule *rule)
{
	return !rule->allow && rule->type == 'a' && rule->read && rule->write && rule->mknod;
}

static bool is_default_rule(const struct oci_device_rule *rule)
{
	if (rule->type != 'c')
		return false;
	if (rule->major == PTS_MAJOR)
		return true;
	for (size_t i = 0; i < DJ_COUNT(defaults); i++)
		if (defaults[i].major == rule->major && defaults[i].minor == rule->minor)
			return true;
	return false;
}

/* Rules that belong to a listed device are judged with it (dev.nodes). */
static bool belongs_to_node(const struct oci_linux *linux_, const struct oci_device_rule *rule)
{
	for (size_t i = 0; i < linux_->devices.n && i < MATCH_MAX; i++) {
		const struct oci_device *d = &linux_->devices.v[i];

		if (d->type == rule->type && d->major == rule->major && d->minor == rule->minor)
			return true;
	}
	return false;
}

/* What engines write for every container and nobody asked for: making nodes of any kind, and
 * net/tun, of which there is no node. */
static bool is_engine_habit(const struct oci_device_rule *rule)
{
	if (rule->major < 0 && rule->minor < 0 && rule->type != 'a')
		return rule->mknod && !rule->read && !rule->write;
	return rule->type == 'c' && rule->major == 10 && rule->minor == 200;
}

static char *rule_text(struct harden *h, const struct oci_device_rule *rule)
{
	char major[24] = "*", minor[24] = "*";

	if (rule->major >= 0)
		(void)snprintf(major, sizeof(major), "%lld", (long long)rule->major);
	if (rule->minor >= 0)
		(void)snprintf(minor, sizeof(minor), "%lld", (long long)rule->minor);
	return harden_text(h, "%c%s:%s", rule->type, major, minor);
}

/* Keeps the rule without the right to make nodes, or leaves it out. */
static bool keep_rule(struct harden *h, size_t index, struct oci_device_rule *rule)
{
	char *text;

	if (!rule->allow)
		return true;
	rule->mknod = false;
	if (is_default_rule(rule) || belongs_to_node(&h->spec->linux, rule))
		return rule->read || rule->write;
	text = rule_text(h, rule);
	if (overridden(h, text))
		return rule->read || rule->write;
	if (!h->privileged && !is_engine_habit(&h->spec->linux.resources.devices.v[index]))
		harden_refused(h, harden_text(h, "/linux/resources/devices/%zu", index),
		               harden_text(h, "allows %s", text), "the default devices",
		               rule->major < 0 ? NULL : text);
	return false;
}

void harden_device_rules(struct harden *h)
{
	struct oci_resources *r = &h->spec->linux.resources;
	struct oci_device_rule *kept = dj_arena_array(h->arena, r->devices.n + 1, sizeof(*kept));
	bool changed = r->devices.n == 0 || !is_deny_all(&r->devices.v[0]);
	size_t n = 0;

	if (changed)
		kept[n++] = (struct oci_device_rule){ .type = 'a',
			                              .major = -1,
			                              .minor = -1,
			                              .read = true,
			                              .write = true,
			                              .mknod = true };
	for (size_t i = 0; i < r->devices.n; i++) {
		struct oci_device_rule rule = r->devices.v[i];

		if (keep_rule(h, i, &rule))
			kept[n++] = rule;
		changed |= r->devices.v[i].allow && r->devices.v[i].mknod;
	}
	h->result->settings.added_devices = !r->devices_set;
	if (changed)
		harden_changed(h, "/linux/resources/devices",
		               harden_text(h, "%zu rules", r->devices.n),
		               harden_text(h, "%zu rules, denied by default, no mknod", n));
	r->devices_set = true;
	r->devices.v = kept;
	r->devices.n = n;
}
