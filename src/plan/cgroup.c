/*
 * Where the container's cgroup is and what belongs to it: path (P59), device rules (P60, decision
 * 51), delegation (G1); the limits are resources.c's.
 *
 * cgroupsPath with the cgroupfs driver:
 * - absolute: below the root of each hierarchy, the same value always the same place;
 * - relative, or absent ("donjon-<id>"): below one place, which is the root of the hierarchies for
 *   the host's root, and next to the runtime's own v2 cgroup for everybody else, since only what
 *   was delegated to them is writable and a cgroup with processes cannot have limited children.
 *   Not below the runtime's own path: on v1 that differs per hierarchy and per caller, and every
 *   later command must find the container again from one recorded path.
 */
#include "plan/resources.h"

#include "base/cleanup.h"
#include "plan/part.h"
#include "plan/unit.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define POINTER "linux.cgroupsPath"

enum { PATH_LENGTH_MAX = 1024 };

/* ---- path ---- */

/* systemd's cgroup driver writes slice:prefix:name. */
static bool is_systemd_form(const char *path)
{
	return path[0] != '/' && strchr(path, ':');
}

/* Appends the path's components to `out`, separated by one '/'.  Everything that is not the name of
 * a directory below is refused, never repaired (T46). */
static int add_components(const char *path, char *out, size_t size, struct donjon_error *err)
{
	size_t used = strlen(out);

	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && strncmp(path, "..", 2) == 0)
			return dj_fail(err, DONJON_E_CONFIG, POINTER ": must not contain \"..\"");
		if (len > NAME_MAX || used + len + 2 > size)
			return dj_fail(err, DONJON_E_CONFIG, POINTER ": is too long");
		if (len > 0 && !(len == 1 && path[0] == '.'))
			used += (size_t)snprintf(out + used, size - used, "%s%.*s", used ? "/" : "",
						 (int)len, path);
		path += len + (path[len] == '/');
	}
	return 0;
}

static int check_path(const char *path, struct donjon_error *err)
{
	for (const unsigned char *c = (const unsigned char *)path; *c; c++) {
		if (*c < ' ' || *c == 0x7f)
			return dj_fail(err, DONJON_E_CONFIG,
				       POINTER ": contains a control character");
	}
	if (is_systemd_form(path))
		return dj_fail(err, DONJON_E_CONFIG,
			       POINTER ": \"%s\" is of the systemd cgroup manager's form, but the "
				       "cgroupfs manager is in use",
			       path);
	return 0;
}

/* The parent of the runtime's own cgroup, or "" for the root of the hierarchies. */
static int add_base(const struct host_facts *host, char *out, size_t size, struct donjon_error *err)
{
	char parent[sizeof(host->v2_self)];
	char *slash;

	if (!host_is_rootless(host) || host->cgroup_mode != HOST_CGROUP_V2)
		return 0;
	(void)snprintf(parent, sizeof(parent), "%s", host->v2_self);
	slash = strrchr(parent, '/');
	if (!slash || strstr(parent, "..")) /* outside of our cgroup namespace: no name for it */
		return 0;
	*slash = '\0';
	return add_components(parent, out, size, err);
}

static bool names_path(const struct oci_spec *spec)
{
	return spec->linux.cgroups_path && *spec->linux.cgroups_path;
}

static int set_scope(struct plan_block *block, const struct plan_input *in, struct policy_result *record,
		     struct donjon_error *err)
{
	char below[PATH_LENGTH_MAX], path[PATH_LENGTH_MAX] = "";
	plan_str text;

	if (plan_unit(block, in, below, sizeof(below), record, err) < 0 ||
	    add_components(below, path, sizeof(path), err) < 0)
		return -1;
	text = plan_add_text(block, path);
	plan_block_plan(block)->cgroup_path = text;
	return 0;
}

static int set_path(struct plan_block *block, const struct plan_input *in, struct donjon_error *err)
{
	const char *asked = in->spec->linux.cgroups_path;
	char path[PATH_LENGTH_MAX] = "";
	char name[NAME_MAX + 1];
	plan_str text;

	if (!names_path(in->spec)) {
		int len = snprintf(name, sizeof(name), "donjon-%s", in->id);

		/* An id may be as long as a name can be; it is unlike any other name then. */
		asked = len < (int)sizeof(name) ? name : in->id;
	}
	if (check_path(asked, err) < 0)
		return -1;
	if (asked[0] != '/' && add_base(in->host, path, sizeof(path), err) < 0)
		return -1;
	if (add_components(asked, path, sizeof(path), err) < 0)
		return -1;
	if (!*path)
		return dj_fail(err, DONJON_E_CONFIG,
			       POINTER ": is the root cgroup, which belongs to the host");
	text = plan_add_text(block, path);
	plan_block_plan(block)->cgroup_path = text;
	return 0;
}

/* ---- device rules ---- */

#define ALL -1

/* clang-format off */
static const struct oci_device_rule deny_all = { false, 'a', ALL, ALL, true, true, true };

static const struct oci_device_rule default_rules[] = {
	{ true, 'c', ALL, ALL, false, false, true },
	{ true, 'b', ALL, ALL, false, false, true },
	{ true, 'c', 1, 3, true, true, true },     /* null */
	{ true, 'c', 1, 5, true, true, true },     /* zero */
	{ true, 'c', 1, 7, true, true, true },     /* full */
	{ true, 'c', 1, 8, true, true, true },     /* random */
	{ true, 'c', 1, 9, true, true, true },     /* urandom */
	{ true, 'c', 5, 0, true, true, true },     /* tty */
	{ true, 'c', 5, 2, true, true, true },     /* ptmx */
	{ true, 'c', 136, ALL, true, true, true }, /* pts */
	{ true, 'c', 10, 200, true, true, true },  /* net/tun */
};

/* Decision 51: no device number can be made, and only what every program needs can be opened. */
static const struct oci_device_rule strict_rules[] = {
	{ true, 'c', 1, 3, true, true, false },
	{ true, 'c', 1, 5, true, true, false },
	{ true, 'c', 1, 7, true, true, false },
	{ true, 'c', 1, 8, true, true, false },
	{ true, 'c', 1, 9, true, true, false },
	{ true, 'c', 5, 0, true, true, false },
	{ true, 'c', 5, 2, true, true, false },
	{ true, 'c', 136, ALL, true, true, false },
};
/* clang-format on */

/* A rule for everything: what stands before it has no effect. */
static bool is_total(const struct oci_device_rule *r)
{
	return r->type == 'a' && r->major == ALL && r->minor == ALL && r->read && r->write &&
	       r->mknod;
}

/* deny all, the defaults, the config's rules: the config's come last so that what it denies stays
 * denied.  Its own leading "deny all" (everybody sends one) is the one already there; an "allow
 * all" makes the defaults pointless. */
static void set_device_rules(struct plan_block *block, const struct plan_input *in)
{
	const struct oci_resources *r = &in->spec->linux.resources;
	bool strict = in->settings->strict_devices;
	const struct oci_device_rule *defaults = strict ? strict_rules : default_rules;
	size_t n_defaults = strict ? DJ_COUNT(strict_rules) : DJ_COUNT(default_rules);
	const struct oci_device_rule *rules = r->devices.v;
	size_t n_rules = r->devices.n, n = 0;
	struct oci_device_rule *all;
	struct plan_list list;
	bool allow_all = false;

	for (size_t i = 0; i < r->devices.n; i++) {
		if (is_total(&r->devices.v[i])) {
			allow_all = r->devices.v[i].allow;
			rules = &r->devices.v[i + 1];
			n_rules = r->devices.n - i - 1;
		}
	}
	all = dj_arena_array(block->arena, 1 + n_defaults + n_rules, sizeof(*all));
	all[n] = deny_all;
	all[n++].allow = allow_all;
	if (!allow_all) {
		memcpy(&all[n], defaults, n_defaults * sizeof(*all));
		n += n_defaults;
	}
	if (n_rules)
		memcpy(&all[n], rules, n_rules * sizeof(*all));
	list = plan_add_list(block, all, n + n_rules, sizeof(*all));
	plan_block_plan(block)->device_rules = list;
	plan_block_plan(block)->device_rules_set = true;
	/* Only the host's root can attach a device program; and nobody else can make or mount a
	 * device node that opens (P60). */
	plan_block_plan(block)->device_rules_optional =
		!r->devices_set || in->settings->added_devices || host_is_rootless(in->host);
}

/* ---- delegation ---- */

static bool is_writable_cgroup_mount(const struct oci_mount *m)
{
	bool writable = true;

	if (!m->source || strcmp(m->source, "cgroup") != 0 || !m->destination ||
	    strcmp(m->destination, "/sys/fs/cgroup") != 0)
		return false;
	for (size_t i = 0; i < m->options.n; i++) {
		if (strcmp(m->options.v[i], "ro") == 0)
			writable = false;
		else if (strcmp(m->options.v[i], "rw") == 0)
			writable = true;
	}
	return writable;
}

static bool wants_delegation(const struct plan_input *in)
{
	const struct oci_namespace *ns = &in->spec->linux.namespaces[OCI_NS_CGROUP];

	if (in->host->cgroup_mode != HOST_CGROUP_V2 || !ns->set || ns->path)
		return false;
	for (size_t i = 0; i < in->spec->mounts.n; i++) {
		if (is_writable_cgroup_mount(&in->spec->mounts.v[i]))
			return true;
	}
	return false;
}

/* ---- all of it ---- */

static bool any_required(const struct dj_plan *plan)
{
	const struct plan_cgroup_write *writes =
		plan_items(plan, plan->cgroup_writes, struct plan_cgroup_write);

	for (uint32_t i = 0; i < plan->cgroup_writes.n; i++) {
		if (!writes[i].optional)
			return true;
	}
	return plan->device_rules_set && !plan->device_rules_optional;
}

/* Without cgroups a limit of the config is an error, found by planning its write on a host that
 * has no hierarchy; what we would have added is recorded (decision 16). */
static int plan_without(struct plan_block *block, const struct plan_input *in,
			struct policy_result *record, struct donjon_error *err)
{
	const struct oci_resources *resources = &in->spec->linux.resources;
	const struct policy_settings *added = in->settings;
	const char *why =
		in->cgroups_disabled ? "cgroups are disabled" : "this host has no cgroups";
	const struct {
		bool added;
		const char *check;
	} controls[] = {
		{ added->added_memory, "res.memory" },  { added->added_swap, "res.swap" },
		{ added->added_pids, "res.pids" },      { added->added_cpu_weight, "res.cpu-io" },
		{ added->added_devices, "dev.cgroup" },
	};
	struct host_facts nowhere = { .cgroup_mode = HOST_CGROUP_NONE };
	struct plan_list unused;

	if (plan_resource_writes(block, resources, &nowhere, added, &unused, err) < 0)
		return dj_note(err, "%s", why);
	for (size_t i = 0; i < DJ_COUNT(controls); i++) {
		if (controls[i].added)
			plan_note(block, record, controls[i].check, "%s", why);
	}
	return 0;
}

int plan_resources(struct plan_block *block, const struct plan_input *in,
		   struct policy_result *record, struct donjon_error *err)
{
	const struct oci_resources *r = &in->spec->linux.resources;
	struct plan_list writes;
	struct dj_plan *plan;

	if ((r->memory.kernel.set && r->memory.kernel.v) ||
	    (r->memory.kernel_tcp.set && r->memory.kernel_tcp.v))
		plan_note(block, record, "res.memory",
		     "linux.resources.memory.kernel and kernelTCP are ignored: the kernel has no "
		     "separate limits any more");
	if (in->cgroups_disabled || in->host->cgroup_mode == HOST_CGROUP_NONE)
		return plan_without(block, in, record, err);
	if ((in->systemd_cgroup ? set_scope(block, in, record, err) : set_path(block, in, err)) < 0 ||
	    plan_resource_writes(block, r, in->host, in->settings, &writes, err) < 0)
		return -1;
	set_device_rules(block, in);
	plan = plan_block_plan(block);
	plan->cgroup_writes = writes;
	plan->cgroup = true;
	plan->cgroup_chown = wants_delegation(in);
	plan->cgroup_required = any_required(plan) || names_path(in->spec);
	return 0;
}
