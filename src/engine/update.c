/*
 * New limits for a container that exists (contract F56-F66, T9).
 *
 * An update is what an operator says, like the configuration: its figures are taken as the
 * configuration's would have been, and what it leaves out keeps its value.  What the policy added
 * because the configuration was silent stays in force for as long as nobody says otherwise
 * (decision 15): swap follows the memory limit, the CPU weight comes back after `idle`.
 */
#include "donjon/update.h"

#include "base/cleanup.h"
#include "engine/container.h"
#include "engine/rdt.h"
#include "oci/decode.h"
#include "oci/validate.h"
#include "plan/rdt.h"
#include "plan/resources.h"
#include "wrap/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { DOCUMENT_MAX = 64 * 1024 * 1024 };

/* ---- the request ---- */

enum kind { NUMBER, NUMBER_OR_ZERO, TEXT };

#define ROW(member, kind, group, key)                                                              \
	{                                                                                          \
		offsetof(struct donjon_update_options, member), kind, group, key                   \
	}
static const struct row {
	size_t offset;
	enum kind kind;
	const char *group, *key; /* in linux.resources */
} rows[] = {
	ROW(memory, NUMBER, "memory", "limit"),
	ROW(memory_reservation, NUMBER, "memory", "reservation"),
	ROW(memory_swap, NUMBER, "memory", "swap"),
	ROW(cpu_shares, NUMBER, "cpu", "shares"),
	ROW(cpu_quota, NUMBER, "cpu", "quota"),
	ROW(cpu_period, NUMBER, "cpu", "period"),
	ROW(cpu_burst, NUMBER_OR_ZERO, "cpu", "burst"),
	ROW(cpu_rt_period, NUMBER, "cpu", "realtimePeriod"),
	ROW(cpu_rt_runtime, NUMBER, "cpu", "realtimeRuntime"),
	ROW(cpu_idle, NUMBER_OR_ZERO, "cpu", "idle"),
	ROW(cpuset_cpus, TEXT, "cpu", "cpus"),
	ROW(cpuset_mems, TEXT, "cpu", "mems"),
	ROW(blkio_weight, NUMBER, "blockIO", "weight"),
	ROW(pids_limit, NUMBER, "pids", "limit"),
};

/* What the option says, or NULL. */
static struct json_value *value_of(const struct donjon_update_options *options,
                                   const struct row *row)
{
	const void *at = *(const void *const *)(const void *)((const char *)options + row->offset);
	int64_t number;

	if (!at)
		return NULL;
	if (row->kind == TEXT)
		return json_new_string(at);
	number = *(const int64_t *)at;
	return number == 0 && row->kind == NUMBER ? NULL : json_new_int(number);
}

static struct json_value *object_of(const struct donjon_update_options *options)
{
	struct json_value *root = json_new_object(), *group = NULL;
	const char *name = "";

	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		struct json_value *value = value_of(options, &rows[i]);

		if (!value)
			continue;
		if (strcmp(name, rows[i].group) != 0) {
			name = rows[i].group;
			group = json_new_object();
			json_set(root, name, group);
		}
		json_set(group, rows[i].key, value);
	}
	return root;
}

/* Everybody's request becomes the same JSON, so that one decoder checks it. */
static struct json_value *read_request(const struct donjon_update_options *options,
                                       struct donjon_error *err)
{
	const char *text = options->resources;
	struct json_value *request;

	if (text) {
		request = json_parse(text, strlen(text), OCI_CONFIG_MAX, err);
		if (!request)
			(void)dj_note(err, "linux.resources");
		return request;
	}
	return object_of(options);
}

/* ---- the update ---- */

struct update {
	struct container container;
	struct cgroup cgroup;
	struct cgroup_limits now;
	struct json_value *request, *hardening;
	struct json_value *recorded; /* earlier updates */
	struct oci_resources config, resources;
	struct oci_intel_rdt rdt;
};

static int load(const struct container *c, enum store_document which, struct json_value **out,
                struct donjon_error *err)
{
	dj_auto_free char *text = NULL;
	size_t size;

	if (store_load(c->dir, which, &text, &size, err) < 0)
		return -1;
	*out = text ? json_parse(text, size, DOCUMENT_MAX, err) : json_new_object();
	return *out ? 0 : dj_note(err, "container %s", c->record.id);
}

static int decode_config(struct update *u, struct donjon_error *err)
{
	dj_auto_free char *text = NULL;
	struct oci_spec spec = { 0 };
	size_t size;

	if (store_load(u->container.dir, STORE_CONFIG, &text, &size, err) < 0)
		return -1;
	if (text && oci_decode(text, size, &u->container.arena, &spec, err) < 0)
		return dj_note(err, "the configuration kept at create");
	u->config = spec.linux.resources;
	return 0;
}

static int decode_request(struct update *u, struct donjon_error *err)
{
	dj_auto_free char *text = json_print(u->request, false);

	return oci_decode_resources(text, strlen(text), &u->container.arena, &u->resources, err);
}

/* What an earlier update set, or NULL. */
static const struct json_value *recorded(const struct update *u, const char *group, const char *key)
{
	const struct json_value *object = json_get(u->recorded, group);

	return object ? json_get(object, key) : NULL;
}

/* What the policy put in place of the configuration's silence, or NULL. */
static const char *added_by_policy(const struct update *u, const char *check)
{
	const struct json_value *changes = json_get(u->hardening, "changes"), *name;

	for (size_t i = 0; changes && i < json_size(changes); i++) {
		const struct json_value *change = json_at(changes, i);

		name = json_get(change, "check");
		if (name && json_text(name) && strcmp(json_text(name), check) == 0)
			return json_get(change, "after") ? json_text(json_get(change, "after"))
			                                 : NULL;
	}
	return NULL;
}

/* ---- what an update leaves out and depends on ---- */

/* Quota and period share a file on v2, and a burst is judged by the quota (F60, F61); systemd has
 * to be told both (P71). */
static void keep_bandwidth(struct update *u)
{
	struct oci_resources *r = &u->resources;

	if (!r->cpu.quota.set && (r->cpu.period.set || r->cpu.burst.set)) {
		r->cpu.quota.set = true;
		r->cpu.quota.v = u->now.cpu_quota;
	}
	if (r->cpu.quota.set && !r->cpu.period.set && u->now.cpu_period != 0) {
		r->cpu.period.set = true;
		r->cpu.period.v = u->now.cpu_period;
	}
}

/* `idle` takes the place of the weight, and the kernel does not remember the one before it. */
static void keep_weight(struct update *u)
{
	const struct json_value *set = recorded(u, "cpu", "shares");
	const char *added = added_by_policy(u, "res.cpu-io");
	struct oci_resources *r = &u->resources;
	uint64_t shares = u->config.cpu.shares.set ? u->config.cpu.shares.v : 0;

	if (!r->cpu.idle.set || r->cpu.idle.v != 0 || r->cpu.shares.set)
		return;
	if (added)
		shares = strtoull(added, NULL, 10);
	if (set)
		(void)json_uint64(set, &shares); /* it was decoded before it was recorded */
	r->cpu.shares.set = shares != 0;
	r->cpu.shares.v = shares;
}

/* Swap alone is a share of a limit that is in force; a new limit takes along the swap that the
 * policy allowed beside the old one. */
static void keep_swap(struct update *u)
{
	struct oci_resources *r = &u->resources;
	const struct cgroup_limits *now = &u->now;
	int64_t share = 0;

	if (r->memory.swap.set && !r->memory.limit.set && r->memory.swap.v > 0 && now->memory > 0) {
		r->memory.limit.set = true;
		r->memory.limit.v = now->memory;
	}
	if (r->memory.swap.set || !r->memory.limit.set || r->memory.limit.v <= 0 ||
	    recorded(u, "memory", "swap") || !added_by_policy(u, "res.swap"))
		return;
	if (now->memory >= 0 && now->memory_and_swap >= now->memory)
		share = now->memory_and_swap - now->memory;
	r->memory.swap.set = true;
	if (__builtin_add_overflow(r->memory.limit.v, share, &r->memory.swap.v))
		r->memory.swap.v = INT64_MAX;
}

/* ---- what can be refused before anything is written ---- */

/* v1 keeps one limit for both, which the configuration or an earlier update has set. */
static int check_swap(const struct update *u, const struct host_facts *host,
                      struct donjon_error *err)
{
	const struct oci_resources *r = &u->resources;
	int64_t both = u->now.memory_and_swap;

	if (!r->memory.limit.set || r->memory.swap.set || both < 0 || r->memory.limit.v <= both ||
	    plan_v1_hierarchy(host, "memory") < 0)
		return 0;
	return dj_fail(err, DONJON_E_CONFIG,
	               "linux.resources.memory.limit: is more than the limit of memory and swap "
	               "together, %" PRId64 ": set memory.swap, too",
	               both);
}

static bool is_exceeded(bool set, int64_t limit, uint64_t used)
{
	return set && limit > 0 && (uint64_t)limit < used;
}

/* P69: otherwise the kernel takes memory back, and on v2 kills for it. */
static int check_use(const struct update *u, struct donjon_error *err)
{
	const struct oci_resources *r = &u->resources;
	const struct cgroup_limits *now = &u->now;

	if (!r->memory.check_before_update.set && !u->config.memory.check_before_update.set &&
	    !recorded(u, "memory", "checkBeforeUpdate"))
		return 0;
	if (!is_exceeded(r->memory.limit.set, r->memory.limit.v, now->memory_used) &&
	    !is_exceeded(r->memory.swap.set, r->memory.swap.v, now->memory_and_swap_used))
		return 0;
	return dj_fail(err, DONJON_E_CONFIG,
	               "linux.resources.memory: the container uses %" PRIu64
	               " bytes, more than the new limit",
	               now->memory_used);
}

static int complete(struct update *u, const struct host_facts *host, struct donjon_error *err)
{
	keep_bandwidth(u);
	keep_weight(u);
	keep_swap(u);
	if (oci_validate_resources(&u->resources, err) < 0 || check_swap(u, host, err) < 0)
		return -1;
	return check_use(u, err);
}

/* ---- carrying it out ---- */

/* A scope's limits are also what systemd has of it. */
static void name_unit(struct plan_block *block, const struct store_record *record)
{
	const char *slash = strrchr(record->cgroup_path, '/');
	bool user = strcmp(record->cgroup_manager, STORE_SYSTEMD_USER) == 0;
	plan_str unit;

	if (!user && strcmp(record->cgroup_manager, "systemd") != 0)
		return;
	unit = plan_add_text(block, slash ? slash + 1 : record->cgroup_path);
	plan_block_plan(block)->cgroup_unit = unit;
	plan_block_plan(block)->cgroup_user_manager = user;
}

static int apply(struct update *u, const struct host_facts *host, struct donjon_error *err)
{
	static const struct policy_settings nothing_added;
	struct plan_block block;
	struct plan_list writes;

	plan_block_init(&block, &u->container.arena);
	if (plan_resource_writes(&block, &u->resources, host, &nothing_added, &writes, err) < 0)
		return -1;
	plan_block_plan(&block)->cgroup_writes = writes;
	name_unit(&block, &u->container.record);
	return cgroup_update(plan_block_plan(&block), host, &u->cgroup, err);
}

static int save(const struct update *u, const struct json_value *document, struct donjon_error *err)
{
	dj_auto_free char *text = json_print(document, false);

	return store_save(u->container.dir, STORE_RESOURCES, text, strlen(text), err);
}

/* The record comes first: limits that cannot be recorded are not set. */
static int record_and_apply(struct update *u, const struct host_facts *host,
                            struct donjon_error *err)
{
	struct json_value *merged = json_duplicate(u->recorded);
	struct donjon_error ignored = { 0 };
	int r;

	oci_merge_resources(merged, u->request);
	r = save(u, merged, err);
	json_free(merged);
	if (r < 0)
		return -1;
	r = apply(u, host, err);
	if (r < 0)
		(void)save(u, u->recorded, &ignored); /* the failure to tell is the first */
	return r;
}

/* First, because it is easily taken back. */
static int apply_all(struct update *u, const struct host_facts *host, struct donjon_error *err)
{
	const char *lines = plan_rdt_lines(&u->container.arena, &u->rdt);
	char before[RESCTRL_SCHEMATA_MAX];

	if (*lines && (oci_validate_rdt(&u->rdt, err) < 0 ||
	               rdt_update(&u->container.record, lines, before, err) < 0))
		return -1;
	if (record_and_apply(u, host, err) == 0)
		return 0;
	if (*lines)
		rdt_restore(&u->container.record, before);
	return -1;
}

static struct oci_intel_rdt rdt_of(const struct donjon_update_options *o, struct dj_arena *arena)
{
	struct oci_intel_rdt rdt = { .set = false };

	if (o->resources)
		return rdt;
	if (o->l3_cache_schema)
		rdt.l3_cache_schema = dj_arena_strdup(arena, o->l3_cache_schema);
	if (o->mem_bw_schema)
		rdt.mem_bw_schema = dj_arena_strdup(arena, o->mem_bw_schema);
	return rdt;
}

static int check_status(struct container *c, struct donjon_error *err)
{
	int status = container_status(c, err);

	if (status < 0)
		return -1;
	if (status == STORE_CREATING)
		return dj_fail(err, DONJON_E_STATUS, "container %s is being created", c->record.id);
	if (status == STORE_STOPPED)
		return dj_fail(err, DONJON_E_STATUS, "container not running");
	if (c->record.cgroup_path[0] == '\0')
		return dj_fail(err, DONJON_E_UNSUPPORTED,
		               "container %s has no cgroup: it cannot be limited", c->record.id);
	return 0;
}

static int update(struct update *u, struct donjon_error *err)
{
	struct container *c = &u->container;
	const struct host_facts *host;

	if (check_status(c, err) < 0 || decode_request(u, err) < 0 || decode_config(u, err) < 0 ||
	    load(c, STORE_HARDENING, &u->hardening, err) < 0 ||
	    load(c, STORE_RESOURCES, &u->recorded, err) < 0 ||
	    container_cgroup(c, &u->cgroup, err) < 0)
		return -1;
	host = observer_host(&c->observer, err);
	if (!host)
		return -1;
	u->now = cgroup_limits_now(host, &u->cgroup);
	if (complete(u, host, err) < 0)
		return -1;
	return apply_all(u, host, err);
}

static void done(struct update *u)
{
	json_free(u->request);
	json_free(u->hardening);
	json_free(u->recorded);
	cgroup_close(&u->cgroup);
	container_close(&u->container);
}

int donjon_container_update(struct donjon_runtime *runtime, const char *id,
                            const struct donjon_update_options *options, struct donjon_error *err)
{
	struct update u = { .container = CONTAINER_EMPTY, .cgroup = CGROUP_EMPTY };
	struct donjon_update_options o;
	int r = -1;

	options_copy(&o, sizeof(o), options);
	u.rdt = rdt_of(&o, &u.container.arena);
	u.request = read_request(&o, err);
	if (u.request)
		r = container_enter(runtime, id, &u.container, err);
	if (r == 0)
		r = container_lock(&u.container, id, err);
	if (r == 0)
		r = update(&u, err);
	done(&u);
	return r;
}
