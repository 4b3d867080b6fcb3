/*
 * linux.resources as file writes.  Every controller is looked up where this host has it, a v1
 * hierarchy or the v2 tree, so that v1, hybrid and v2 hosts need no code of their own.
 *
 * What means "not set" (decision 23) is decided before any range check: engines send zeros.
 */
#include "plan/resources.h"

#include "base/cleanup.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define POINTER "linux.resources."

/* A setting that is one file with one value.  No v2 file: impossible there, hence an error. */
struct setting {
	const char *controller; /* v1's name */
	const char *pointer, *v1_file, *v2_file;
};

/* clang-format off */
static const struct setting
memory_limit       = { "memory", POINTER "memory.limit", "memory.limit_in_bytes", "memory.max" },
memory_swap        = { "memory", POINTER "memory.swap", "memory.memsw.limit_in_bytes", "memory.swap.max" },
memory_reservation = { "memory", POINTER "memory.reservation", "memory.soft_limit_in_bytes", "memory.low" },
memory_swappiness  = { "memory", POINTER "memory.swappiness", "memory.swappiness", NULL },
memory_oom_killer  = { "memory", POINTER "memory.disableOOMKiller", "memory.oom_control", NULL },
cpu_shares         = { "cpu", POINTER "cpu.shares", "cpu.shares", "cpu.weight" },
cpu_quota          = { "cpu", POINTER "cpu.quota", "cpu.cfs_quota_us", "cpu.max" },
cpu_period         = { "cpu", POINTER "cpu.period", "cpu.cfs_period_us", "cpu.max" },
cpu_burst          = { "cpu", POINTER "cpu.burst", "cpu.cfs_burst_us", "cpu.max.burst" },
cpu_rt_period      = { "cpu", POINTER "cpu.realtimePeriod", "cpu.rt_period_us", NULL },
cpu_rt_runtime     = { "cpu", POINTER "cpu.realtimeRuntime", "cpu.rt_runtime_us", NULL },
cpu_idle           = { "cpu", POINTER "cpu.idle", "cpu.idle", "cpu.idle" },
cpuset_cpus        = { "cpuset", POINTER "cpu.cpus", "cpuset.cpus", "cpuset.cpus" },
cpuset_mems        = { "cpuset", POINTER "cpu.mems", "cpuset.mems", "cpuset.mems" },
pids_limit         = { "pids", POINTER "pids.limit", "pids.max", "pids.max" },
block_weight       = { "blkio", POINTER "blockIO.weight", "blkio.bfq.weight", "io.bfq.weight" },
block_leaf_weight  = { "blkio", POINTER "blockIO.leafWeight", "blkio.leaf_weight", NULL },
net_class          = { "net_cls", POINTER "network.classID", "net_cls.classid", NULL },
net_priorities     = { "net_prio", POINTER "network.priorities", "net_prio.ifpriomap", NULL };
/* clang-format on */

enum place { NOWHERE, ON_V1, ON_V2 };

struct writer {
	struct plan_block *block;
	const struct host_facts *host;
	struct plan_cgroup_write *v;
	size_t n, room;
	struct donjon_error *err;
};

enum flag {
	OURS = 1,      /* added by the policy: may fail, recorded (decision 16) */
	IF_EXISTS = 2, /* a missing file means what is asked for */
};

bool plan_controller_listed(const char *list, const char *controller)
{
	size_t len = strlen(controller);

	while (*list) {
		size_t word = strcspn(list, " ,");

		if (word == len && strncmp(list, controller, len) == 0)
			return true;
		list += word + (list[word] != '\0');
	}
	return false;
}

int plan_v1_hierarchy(const struct host_facts *host, const char *controller)
{
	for (size_t i = 0; i < host->n_v1; i++) {
		if (plan_controller_listed(host->v1[i].controllers, controller))
			return (int)i;
	}
	return -1;
}

static enum place locate(const struct host_facts *host, const char *controller)
{
	const char *v2_name = strcmp(controller, "blkio") == 0 ? "io" : controller;

	if (plan_v1_hierarchy(host, controller) >= 0)
		return ON_V1;
	return plan_controller_listed(host->v2_controllers, v2_name) ? ON_V2 : NOWHERE;
}

static void append(struct writer *w, const char *controller, const char *pointer, const char *file,
		   const char *value, unsigned flags)
{
	if (w->n == w->room) {
		struct plan_cgroup_write *grown;

		w->room = w->room ? w->room * 2 : 16;
		grown = dj_arena_array(w->block->arena, w->room, sizeof(*grown));
		if (w->n)
			memcpy(grown, w->v, w->n * sizeof(*grown));
		w->v = grown;
	}
	w->v[w->n++] = (struct plan_cgroup_write){
		.controller = plan_add_text(w->block, controller),
		.file = plan_add_text(w->block, file),
		.value = plan_add_text(w->block, value),
		.pointer = plan_add_text(w->block, pointer),
		.optional = flags & OURS,
		.ignore_missing = flags & IF_EXISTS,
	};
}

/* Sets *place; NOWHERE without an error means that there is nothing to write.  What we added
 * ourselves is written where v1 would have it and recorded as unavailable when that fails. */
static int find_place(struct writer *w, const char *controller, const char *pointer, unsigned flags,
		      enum place *place)
{
	*place = locate(w->host, controller);
	if (*place != NOWHERE || (flags & IF_EXISTS))
		return 0;
	if (flags & OURS) {
		*place = ON_V1;
		return 0;
	}
	return dj_fail(w->err, DONJON_E_UNSUPPORTED,
		       "%s: the %s controller is not available on this host", pointer, controller);
}

static int no_v2_file(struct writer *w, const char *pointer)
{
	return dj_fail(w->err, DONJON_E_CONFIG, "%s: cgroup v2 has no such setting", pointer);
}

static int put(struct writer *w, const struct setting *s, unsigned flags, const char *v1_value,
	       const char *v2_value)
{
	enum place place;

	if (find_place(w, s->controller, s->pointer, flags, &place) < 0)
		return -1;
	if (place == ON_V1)
		append(w, s->controller, s->pointer, s->v1_file, v1_value, flags);
	if (place == ON_V2 && !s->v2_file)
		return no_v2_file(w, s->pointer);
	if (place == ON_V2)
		append(w, "", s->pointer, s->v2_file, v2_value, flags);
	return 0;
}

static const char *number(struct writer *w, int64_t value)
{
	return dj_arena_printf(w->block->arena, "%" PRId64, value);
}

static const char *unsigned_number(struct writer *w, uint64_t value)
{
	return dj_arena_printf(w->block->arena, "%" PRIu64, value);
}

static int invalid(struct writer *w, const char *pointer, const char *reason)
{
	return dj_fail(w->err, DONJON_E_CONFIG, "%s: %s", pointer, reason);
}

/* A number of bytes of which a negative one means "no limit": that also holds where the file, or
 * the whole controller, does not exist. */
static int put_bytes(struct writer *w, const struct setting *s, unsigned flags, int64_t value)
{
	if (value < 0)
		return put(w, s, flags | IF_EXISTS, "-1", "max");
	return put(w, s, flags, number(w, value), number(w, value));
}

/* P63: the specification counts memory and swap together, as v1 does; v2 counts swap alone.
 * Without swap accounting nothing can be swapped to, or nothing is limited: a missing file is fine
 * where that is what was asked for. */
static int put_swap(struct writer *w, unsigned flags, int64_t limit, int64_t swap)
{
	if (swap < 0)
		return put_bytes(w, &memory_swap, flags, -1);
	if (limit <= 0)
		return invalid(w, memory_swap.pointer, "needs a memory limit");
	if (swap < limit)
		return invalid(w, memory_swap.pointer, "is smaller than the memory limit");
	if (swap == limit)
		flags |= IF_EXISTS;
	return put(w, &memory_swap, flags, number(w, swap), number(w, swap - limit));
}

static int put_memory(struct writer *w, const struct oci_resources *r,
		      const struct policy_settings *settings)
{
	int64_t limit = r->memory.limit.set ? r->memory.limit.v : 0;
	int64_t swap = r->memory.swap.set ? r->memory.swap.v : 0;
	int64_t reservation = r->memory.reservation.set ? r->memory.reservation.v : 0;
	unsigned ours = settings->added_memory ? OURS : 0;

	if (limit && put_bytes(w, &memory_limit, ours, limit) < 0)
		return -1;
	/* "Unlimited" that left the old swap limit in place would be none. */
	if (limit < 0 && !swap)
		swap = -1;
	if (swap && put_swap(w, settings->added_swap ? OURS : 0, limit, swap) < 0)
		return -1;
	if (reservation && put_bytes(w, &memory_reservation, 0, reservation) < 0)
		return -1;
	if (r->memory.swappiness.set) {
		const char *value = unsigned_number(w, r->memory.swappiness.v);

		if (r->memory.swappiness.v > 100)
			return invalid(w, memory_swappiness.pointer, "must be 0 to 100");
		if (put(w, &memory_swappiness, 0, value, NULL) < 0)
			return -1;
	}
	/* useHierarchy has been the only mode of v1, too, since Linux 5.11: nothing to write. */
	if (r->memory.disable_oom_killer.set && r->memory.disable_oom_killer.v)
		return put(w, &memory_oom_killer, 0, "1", NULL);
	return 0;
}

/* Natural logarithm and exponential by their series: 53 bits are reached well before the last
 * term, and libm would be one more library to load on every start. */
static double log_natural(double x)
{
	const double ln2 = 0.693147180559945309417232121458;
	int halvings = 0;
	double z, power, sum = 0;

	for (; x >= 2; x /= 2)
		halvings++;
	z = (x - 1) / (x + 1);
	power = z;
	for (int k = 1; k < 40; k += 2, power *= z * z)
		sum += power / k;
	return 2 * sum + halvings * ln2;
}

static double exponential(double x)
{
	double term = 1, sum = 1;

	for (int k = 1; k < 80; k++) {
		term *= x / k;
		sum += term;
	}
	return sum;
}

/* P70: the curve through 2 -> 1, 1024 -> 100 and 262144 -> 10000 that the runtimes agreed on. */
static uint64_t weight_of_shares(uint64_t shares)
{
	const double ln2 = 0.693147180559945309417232121458, ln10 = 2.30258509299404568401799145468;
	double l, weight;
	uint64_t whole;

	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	l = log_natural((double)shares) / ln2;
	weight = exponential(ln10 * ((l * l + 125 * l) / 612 - 7.0 / 34));
	whole = (uint64_t)weight;
	/* Rounding up, except for the last bits of an exact power (1024). */
	return weight - (double)whole > 1e-9 ? whole + 1 : whole;
}

/* P71-P73.  v2 has both numbers in one file and keeps the period when only the quota is written. */
static int put_bandwidth(struct writer *w, const struct oci_resources *r)
{
	int64_t quota = r->cpu.quota.set ? r->cpu.quota.v : 0;
	uint64_t period = r->cpu.period.set ? r->cpu.period.v : 0;
	const char *limit = quota > 0 ? number(w, quota) : "max";
	const char *both =
		period ? dj_arena_printf(w->block->arena, "%s %" PRIu64, limit, period) : limit;

	if (locate(w->host, "cpu") == ON_V2)
		return quota || period ? put(w, quota ? &cpu_quota : &cpu_period, 0, NULL, both)
				       : 0;
	if (period && put(w, &cpu_period, 0, unsigned_number(w, period), NULL) < 0)
		return -1;
	if (quota)
		return put(w, &cpu_quota, quota < 0 ? IF_EXISTS : 0,
			   quota < 0 ? "-1" : number(w, quota), NULL);
	return 0;
}

static int put_burst(struct writer *w, const struct oci_resources *r)
{
	const char *value;

	if (!r->cpu.burst.set)
		return 0;
	value = unsigned_number(w, r->cpu.burst.v);
	if (r->cpu.quota.set && r->cpu.quota.v > 0 && r->cpu.burst.v > (uint64_t)r->cpu.quota.v)
		return invalid(w, cpu_burst.pointer, "is greater than the quota");
	return put(w, &cpu_burst, r->cpu.burst.v ? 0 : IF_EXISTS, value, value);
}

static int put_realtime(struct writer *w, const struct oci_resources *r)
{
	if (r->cpu.realtime_period.set && r->cpu.realtime_period.v &&
	    put(w, &cpu_rt_period, 0, unsigned_number(w, r->cpu.realtime_period.v), NULL) < 0)
		return -1;
	if (r->cpu.realtime_runtime.set && r->cpu.realtime_runtime.v)
		return put(w, &cpu_rt_runtime, 0, number(w, r->cpu.realtime_runtime.v), NULL);
	return 0;
}

static int put_cpu(struct writer *w, const struct oci_resources *r,
		   const struct policy_settings *settings)
{
	if (r->cpu.shares.set && r->cpu.shares.v) {
		unsigned ours = settings->added_cpu_weight ? OURS : 0;

		if (put(w, &cpu_shares, ours, unsigned_number(w, r->cpu.shares.v),
			unsigned_number(w, weight_of_shares(r->cpu.shares.v))) < 0)
			return -1;
	}
	if (put_bandwidth(w, r) < 0 || put_burst(w, r) < 0 || put_realtime(w, r) < 0)
		return -1;
	if (!r->cpu.idle.set)
		return 0;
	if (r->cpu.idle.v != 0 && r->cpu.idle.v != 1)
		return invalid(w, cpu_idle.pointer, "must be 0 or 1");
	return put(w, &cpu_idle, r->cpu.idle.v ? 0 : IF_EXISTS, number(w, r->cpu.idle.v),
		   number(w, r->cpu.idle.v));
}

static int put_list(struct writer *w, const struct setting *s, const char *list)
{
	if (!list || !*list)
		return 0;
	if (list[strspn(list, "0123456789,-:/ ")])
		return invalid(w, s->pointer, "is not a list of numbers and ranges");
	return put(w, s, 0, list, list);
}

static int put_cpuset(struct writer *w, const struct oci_resources *r)
{
	if (put_list(w, &cpuset_cpus, r->cpu.cpus) < 0)
		return -1;
	return put_list(w, &cpuset_mems, r->cpu.mems);
}

/* P83: a limit of 0 is a real one; the kernel takes it but then not even the first process fits
 * everywhere, so it becomes 1, as with runc. */
static int put_pids(struct writer *w, const struct oci_resources *r,
		    const struct policy_settings *settings)
{
	unsigned flags = settings->added_pids ? OURS : 0;
	const char *value;

	if (!r->pids_limit.set)
		return 0;
	if (r->pids_limit.v < 0)
		return put(w, &pids_limit, flags | IF_EXISTS, "max", "max");
	value = number(w, r->pids_limit.v ? r->pids_limit.v : 1);
	return put(w, &pids_limit, flags, value, value);
}

static bool weight_in_range(uint64_t weight)
{
	return weight >= 10 && weight <= 1000;
}

/* P77.  On v2 there are two schedulers' worth of files: BFQ takes the number as it is, io.weight
 * (iocost) has its own range.  Whichever exists is written. */
static int put_block_weight(struct writer *w, const struct oci_resources *r)
{
	uint64_t weight = r->block_io.weight.set ? r->block_io.weight.v : 0;
	uint64_t leaf = r->block_io.leaf_weight.set ? r->block_io.leaf_weight.v : 0;
	const char *pointer = block_weight.pointer;

	if (weight && !weight_in_range(weight))
		return invalid(w, pointer, "must be 10 to 1000");
	if (leaf && !weight_in_range(leaf))
		return invalid(w, block_leaf_weight.pointer, "must be 10 to 1000");
	if (weight && locate(w->host, "blkio") == ON_V2) {
		append(w, "", pointer, "io.bfq.weight", unsigned_number(w, weight), IF_EXISTS);
		append(w, "", pointer, "io.weight",
		       unsigned_number(w, 1 + (weight - 10) * 9999 / 990), IF_EXISTS);
	} else if (weight && put(w, &block_weight, 0, unsigned_number(w, weight), NULL) < 0) {
		return -1;
	}
	return leaf ? put(w, &block_leaf_weight, 0, unsigned_number(w, leaf), NULL) : 0;
}

static const char *indexed(struct writer *w, const char *list, size_t i, const char *member)
{
	return dj_arena_printf(w->block->arena, POINTER "%s[%zu]%s", list, i, member);
}

static int check_device(struct writer *w, const char *pointer, int64_t major, int64_t minor)
{
	if (major < 0 || major > UINT32_MAX || minor < 0 || minor > UINT32_MAX)
		return invalid(w, pointer, "is not a device number");
	return 0;
}

static int put_weight_device(struct writer *w, const struct oci_weight_device *d, size_t i)
{
	const char *at = indexed(w, "blockIO.weightDevice", i, "");
	const struct setting weight = { "blkio", at, "blkio.bfq.weight_device", "io.bfq.weight" };
	const struct setting leaf = { "blkio", at, "blkio.leaf_weight_device", NULL };
	const char *text;

	if (!d->weight.set && !d->leaf_weight.set)
		return invalid(w, at, "needs a weight or a leafWeight");
	if (check_device(w, at, d->major, d->minor) < 0)
		return -1;
	if (d->weight.set && d->weight.v) {
		if (!weight_in_range(d->weight.v))
			return invalid(w, at, "weight must be 10 to 1000");
		text = dj_arena_printf(w->block->arena, "%" PRId64 ":%" PRId64 " %u", d->major,
				       d->minor, d->weight.v);
		if (put(w, &weight, 0, text, text) < 0)
			return -1;
	}
	if (!d->leaf_weight.set || !d->leaf_weight.v)
		return 0;
	text = dj_arena_printf(w->block->arena, "%" PRId64 ":%" PRId64 " %u", d->major, d->minor,
			       d->leaf_weight.v);
	return put(w, &leaf, 0, text, NULL);
}

/* P80. */
static const struct throttle_kind {
	const char *list, *v1_file, *v2_key;
} throttle_kinds[] = {
	{ "blockIO.throttleReadBpsDevice", "blkio.throttle.read_bps_device", "rbps" },
	{ "blockIO.throttleWriteBpsDevice", "blkio.throttle.write_bps_device", "wbps" },
	{ "blockIO.throttleReadIOPSDevice", "blkio.throttle.read_iops_device", "riops" },
	{ "blockIO.throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", "wiops" },
};

static int put_throttle(struct writer *w, const struct throttle_kind *kind,
			const struct oci_throttle *t, size_t i)
{
	const char *at = indexed(w, kind->list, i, "");
	const struct setting s = { "blkio", at, kind->v1_file, "io.max" };
	const char *rate = unsigned_number(w, t->rate);
	const char *v1, *v2;

	if (check_device(w, at, t->major, t->minor) < 0)
		return -1;
	v1 = dj_arena_printf(w->block->arena, "%" PRId64 ":%" PRId64 " %s", t->major, t->minor,
			     rate);
	v2 = dj_arena_printf(w->block->arena, "%" PRId64 ":%" PRId64 " %s=%s", t->major, t->minor,
			     kind->v2_key, t->rate ? rate : "max");
	return put(w, &s, 0, v1, v2);
}

static int put_block_io(struct writer *w, const struct oci_resources *r)
{
	const struct oci_throttles *lists[] = { &r->block_io.read_bps, &r->block_io.write_bps,
						&r->block_io.read_iops, &r->block_io.write_iops };

	if (put_block_weight(w, r) < 0)
		return -1;
	for (size_t i = 0; i < r->block_io.weight_device.n; i++) {
		if (put_weight_device(w, &r->block_io.weight_device.v[i], i) < 0)
			return -1;
	}
	for (size_t k = 0; k < 4; k++) {
		for (size_t i = 0; i < lists[k]->n; i++) {
			if (put_throttle(w, &throttle_kinds[k], &lists[k]->v[i], i) < 0)
				return -1;
		}
	}
	return 0;
}

/* The size becomes part of a file name: a power of two and one of three units, nothing else
 * (T45). */
static bool is_page_size(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	unsigned size = 0;

	if (digits == 0 || digits > 4 || text[0] == '0')
		return false;
	for (size_t i = 0; i < digits; i++)
		size = size * 10 + (unsigned)(text[i] - '0');
	text += digits;
	return (size & (size - 1)) == 0 &&
	       (strcmp(text, "KB") == 0 || strcmp(text, "MB") == 0 || strcmp(text, "GB") == 0);
}

/* P81: the reservation limit first, so that a page reserved is never one too many to fault in. */
static int put_hugepages(struct writer *w, const struct oci_hugepage_limit *h, size_t i)
{
	const char *at = indexed(w, "hugepageLimits", i, "");
	const char *size = h->page_size;
	struct dj_arena *arena = w->block->arena;
	const char *value = unsigned_number(w, h->limit);
	struct setting s = { "hugetlb", at };

	if (!size || !is_page_size(size))
		return invalid(w, at, "pageSize must be a power of two with KB, MB or GB");
	s.v1_file = dj_arena_printf(arena, "hugetlb.%s.rsvd.limit_in_bytes", size);
	s.v2_file = dj_arena_printf(arena, "hugetlb.%s.rsvd.max", size);
	if (put(w, &s, IF_EXISTS, value, value) < 0)
		return -1;
	s.v1_file = dj_arena_printf(arena, "hugetlb.%s.limit_in_bytes", size);
	s.v2_file = dj_arena_printf(arena, "hugetlb.%s.max", size);
	return put(w, &s, 0, value, value);
}

/* A word that ends up inside a line the kernel splits at blanks. */
static bool is_plain_word(const char *text, size_t max)
{
	size_t len = 0;

	for (; text[len]; len++) {
		if ((unsigned char)text[len] <= ' ' || text[len] == 0x7f || text[len] == '/')
			return false;
	}
	return len > 0 && len <= max;
}

static int put_rdma(struct writer *w, const struct oci_rdma *d)
{
	struct dj_arena *arena = w->block->arena;
	const char *device = d->device ? d->device : "";
	const char *at, *handles = "", *objects = "", *value;

	if (!is_plain_word(device, 63))
		return invalid(w, POINTER "rdma", "has an invalid device name");
	at = dj_arena_printf(arena, POINTER "rdma.%s", device);
	if (!d->hca_handles.set && !d->hca_objects.set)
		return invalid(w, at, "needs hcaHandles or hcaObjects");
	if (d->hca_handles.set)
		handles = dj_arena_printf(arena, " hca_handle=%u", d->hca_handles.v);
	if (d->hca_objects.set)
		objects = dj_arena_printf(arena, " hca_object=%u", d->hca_objects.v);
	value = dj_arena_printf(arena, "%s%s%s", device, handles, objects);
	return put(w, &(struct setting){ "rdma", at, "rdma.max", "rdma.max" }, 0, value, value);
}

static int put_network(struct writer *w, const struct oci_resources *r)
{
	if (r->network.class_id.set && r->network.class_id.v &&
	    put(w, &net_class, 0, unsigned_number(w, r->network.class_id.v), NULL) < 0)
		return -1;
	for (size_t i = 0; i < r->network.priorities.n; i++) {
		const struct oci_pair *p = &r->network.priorities.v[i];
		const char *value;

		if (!is_plain_word(p->key, 15) || p->value[strspn(p->value, "0123456789")])
			return invalid(w, indexed(w, "network.priorities", i, ""),
				       "is not an interface name and a number");
		value = dj_arena_printf(w->block->arena, "%s %s", p->key, p->value);
		if (put(w, &net_priorities, 0, value, NULL) < 0)
			return -1;
	}
	return 0;
}

/* P85.  Files without a controller are the core's own; most of those move, kill or freeze
 * processes (the writer's own with "0" in cgroup.procs) and limit nothing. */
static int check_unified(struct writer *w, const char *at, const char *key, const char *value)
{
	static const char *const core[] = { "cgroup.max.depth", "cgroup.max.descendants",
					    "cgroup.pressure" };
	char controller[32] = "";

	if (!is_plain_word(key, 127))
		return invalid(w, POINTER "unified", "has a key that is not a file name");
	for (const unsigned char *c = (const unsigned char *)value; *c; c++) {
		if ((*c < ' ' && *c != '\n' && *c != '\t') || *c == 0x7f)
			return invalid(w, at, "has a control character in its value");
	}
	for (size_t i = 0; i < DJ_COUNT(core); i++) {
		if (strcmp(key, core[i]) == 0)
			return 0;
	}
	(void)snprintf(controller, sizeof(controller), "%.*s", (int)strcspn(key, "."), key);
	if (strchr(key, '.') && plan_controller_listed(w->host->v2_controllers, controller))
		return 0;
	return invalid(w, at, "no controller of this host has such a file");
}

static int put_unified(struct writer *w, const struct oci_pair *p)
{
	struct dj_arena *arena = w->block->arena;
	const char *at = dj_arena_printf(arena, POINTER "unified.%s", p->key);
	const char *line = p->value;

	if (w->host->cgroup_mode == HOST_CGROUP_V1)
		return invalid(w, POINTER "unified", "this host's controllers are on cgroup v1");
	if (check_unified(w, at, p->key, p->value) < 0)
		return -1;
	do {
		size_t len = strcspn(line, "\n");

		if (len > 0)
			append(w, "", at, p->key, dj_arena_printf(arena, "%.*s", (int)len, line),
			       0);
		line += len + (line[len] != '\0');
	} while (*line);
	return 0;
}

static int put_all(struct writer *w, const struct oci_resources *r,
		   const struct policy_settings *settings)
{
	if (put_memory(w, r, settings) < 0 || put_cpuset(w, r) < 0 || put_cpu(w, r, settings) < 0 ||
	    put_pids(w, r, settings) < 0 || put_block_io(w, r) < 0 || put_network(w, r) < 0)
		return -1;
	for (size_t i = 0; i < r->hugepage_limits.n; i++) {
		if (put_hugepages(w, &r->hugepage_limits.v[i], i) < 0)
			return -1;
	}
	for (size_t i = 0; i < r->rdma.n; i++) {
		if (put_rdma(w, &r->rdma.v[i]) < 0)
			return -1;
	}
	/* Last: it may refine what the named properties set. */
	for (size_t i = 0; i < r->unified.n; i++) {
		if (put_unified(w, &r->unified.v[i]) < 0)
			return -1;
	}
	return 0;
}

int plan_resource_writes(struct plan_block *block, const struct oci_resources *resources,
			 const struct host_facts *host, const struct policy_settings *settings,
			 struct plan_list *out, struct donjon_error *err)
{
	struct writer w = { .block = block, .host = host, .err = err };

	if (put_all(&w, resources, settings) < 0)
		return -1;
	*out = plan_add_list(block, w.v, w.n, sizeof(*w.v));
	return 0;
}
