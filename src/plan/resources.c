/*
 * linux.resources as file writes: in which order, and what is a line or two.
 *
 * What means "not set" (decision 23) is decided before any range check: engines send zeros.
 */
#include "plan/resources.h"

#include "base/cleanup.h"
#include "oci/pointer.h"
#include "plan/limit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* clang-format off */
static const struct limit_setting
pids_limit     = { "pids", LIMIT_POINTER "pids.limit", "pids.max", "pids.max" },
net_class      = { "net_cls", LIMIT_POINTER "network.classID", "net_cls.classid", NULL },
net_priorities = { "net_prio", LIMIT_POINTER "network.priorities", "net_prio.ifpriomap", NULL };
/* clang-format on */

/* P83: a limit of 0 is a real one; the kernel takes it but then not even the first process fits
 * everywhere, so it becomes 1, as with runc. */
static int put_pids(struct limit_writer *w, const struct oci_resources *r,
		    const struct policy_settings *settings)
{
	unsigned flags = settings->added_pids ? LIMIT_OURS : 0;
	const char *value;

	if (!r->pids_limit.set)
		return 0;
	if (r->pids_limit.v < 0)
		return limit_put(w, &pids_limit, flags | LIMIT_IF_EXISTS, "max", "max");
	value = limit_number(w, r->pids_limit.v ? r->pids_limit.v : 1);
	return limit_put(w, &pids_limit, flags, value, value);
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
static int put_hugepages(struct limit_writer *w, const struct oci_hugepage_limit *h, size_t i)
{
	const char *at = limit_indexed(w, "hugepageLimits", i);
	const char *size = h->page_size;
	struct dj_arena *arena = w->block->arena;
	const char *value = limit_unsigned(w, h->limit);
	struct limit_setting s = { "hugetlb", at };

	if (!size || !is_page_size(size))
		return limit_invalid(w, at, "pageSize must be a power of two with KB, MB or GB");
	s.v1_file = dj_arena_printf(arena, "hugetlb.%s.rsvd.limit_in_bytes", size);
	s.v2_file = dj_arena_printf(arena, "hugetlb.%s.rsvd.max", size);
	if (limit_put(w, &s, LIMIT_IF_EXISTS, value, value) < 0)
		return -1;
	s.v1_file = dj_arena_printf(arena, "hugetlb.%s.limit_in_bytes", size);
	s.v2_file = dj_arena_printf(arena, "hugetlb.%s.max", size);
	return limit_put(w, &s, 0, value, value);
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

static int put_rdma(struct limit_writer *w, const struct oci_rdma *d)
{
	struct dj_arena *arena = w->block->arena;
	const char *device = d->device ? d->device : "";
	const char *at, *handles = "", *objects = "", *value;

	if (!is_plain_word(device, 63))
		return limit_invalid(w, LIMIT_POINTER "rdma", "has an invalid device name");
	at = oci_pointer(arena, LIMIT_POINTER "rdma", device);
	if (!d->hca_handles.set && !d->hca_objects.set)
		return limit_invalid(w, at, "needs hcaHandles or hcaObjects");
	if (d->hca_handles.set)
		handles = dj_arena_printf(arena, " hca_handle=%u", d->hca_handles.v);
	if (d->hca_objects.set)
		objects = dj_arena_printf(arena, " hca_object=%u", d->hca_objects.v);
	value = dj_arena_printf(arena, "%s%s%s", device, handles, objects);
	return limit_put(w, &(struct limit_setting){ "rdma", at, "rdma.max", "rdma.max" }, 0, value, value);
}

static int put_network(struct limit_writer *w, const struct oci_resources *r)
{
	if (r->network.class_id.set && r->network.class_id.v &&
	    limit_put(w, &net_class, 0, limit_unsigned(w, r->network.class_id.v), NULL) < 0)
		return -1;
	for (size_t i = 0; i < r->network.priorities.n; i++) {
		const struct oci_pair *p = &r->network.priorities.v[i];
		const char *value;

		if (!is_plain_word(p->key, 15) || p->value[strspn(p->value, "0123456789")])
			return limit_invalid(w, limit_indexed(w, "network.priorities", i),
					     "is not an interface name and a number");
		value = dj_arena_printf(w->block->arena, "%s %s", p->key, p->value);
		if (limit_put(w, &net_priorities, 0, value, NULL) < 0)
			return -1;
	}
	return 0;
}

/* P85.  Files without a controller are the core's own; most of those move, kill or freeze
 * processes (the writer's own with "0" in cgroup.procs) and limit nothing. */
static int check_unified(struct limit_writer *w, const char *at, const char *key, const char *value)
{
	static const char *const core[] = { "cgroup.max.depth", "cgroup.max.descendants",
					    "cgroup.pressure" };
	char controller[32] = "";

	if (!is_plain_word(key, 127))
		return limit_invalid(w, LIMIT_POINTER "unified", "has a key that is not a file name");
	for (const unsigned char *c = (const unsigned char *)value; *c; c++) {
		if ((*c < ' ' && *c != '\n' && *c != '\t') || *c == 0x7f)
			return limit_invalid(w, at, "has a control character in its value");
	}
	for (size_t i = 0; i < DJ_COUNT(core); i++) {
		if (strcmp(key, core[i]) == 0)
			return 0;
	}
	(void)snprintf(controller, sizeof(controller), "%.*s", (int)strcspn(key, "."), key);
	if (strchr(key, '.') && plan_controller_listed(w->host->v2_controllers, controller))
		return 0;
	return limit_invalid(w, at, "no controller of this host has such a file");
}

static int put_unified(struct limit_writer *w, const struct oci_pair *p)
{
	struct dj_arena *arena = w->block->arena;
	const char *at = oci_pointer(arena, LIMIT_POINTER "unified", p->key);
	const char *line = p->value;

	if (w->host->cgroup_mode == HOST_CGROUP_V1)
		return limit_invalid(w, LIMIT_POINTER "unified", "this host's controllers are on cgroup v1");
	if (check_unified(w, at, p->key, p->value) < 0)
		return -1;
	do {
		size_t len = strcspn(line, "\n");

		if (len > 0)
			limit_append(w, "", at, p->key, dj_arena_printf(arena, "%.*s", (int)len, line),
				     0);
		line += len + (line[len] != '\0');
	} while (*line);
	return 0;
}

static int put_all(struct limit_writer *w, const struct oci_resources *r,
		   const struct policy_settings *settings)
{
	if (limit_memory(w, r, settings) < 0 || limit_cpuset(w, r) < 0 || limit_cpu(w, r, settings) < 0 ||
	    put_pids(w, r, settings) < 0 || limit_block_io(w, r) < 0 || put_network(w, r) < 0)
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
	struct limit_writer w = { .block = block, .host = host, .err = err };

	if (put_all(&w, resources, settings) < 0)
		return -1;
	*out = plan_add_list(block, w.v, w.n, sizeof(*w.v));
	return 0;
}
