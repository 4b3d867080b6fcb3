/*
 * Limits where the config is silent (decisions 14-16, 23, 45).  A figure the config states stays,
 * "unlimited" included; one we add and the host cannot apply is recorded, not an error.
 */
#include "policy/harden.h"

#include <limits.h>
#include <string.h>
#include <sys/resource.h>

enum {
	PIDS = 1024,
	CPU_SHARES = 512, /* half of the default weight: the host's own services come first */
};

/* An override names another figure, or "unlimited". */
static bool chosen_size(struct harden *h, int64_t by_default, int64_t *out)
{
	const char *value = override_value(h);

	*out = by_default;
	if (value && strcmp(value, "unlimited") == 0)
		return false;
	return !value || override_size(value, out);
}

void harden_memory(struct harden *h)
{
	struct oci_resources *r = &h->spec->linux.resources;
	int64_t limit, half = (int64_t)(h->host->memory_bytes / 2);

	if (r->memory.limit.set && r->memory.limit.v < 0)
		harden_noted(h, "unlimited, as configured");
	if ((r->memory.limit.set && r->memory.limit.v != 0) || !chosen_size(h, half, &limit))
		return;
	if (limit == 0) {
		harden_noted(h, "unavailable: the size of the host's memory is not known");
		return;
	}
	r->memory.limit.set = true;
	r->memory.limit.v = limit;
	h->result->settings.added_memory = true;
	harden_changed(h, "/linux/resources/memory/limit", "",
	               harden_text(h, "%lld", (long long)limit));
}

/* The property is memory plus swap. */
void harden_swap(struct harden *h)
{
	struct oci_resources *r = &h->spec->linux.resources;
	int64_t swap;

	if ((r->memory.swap.set && r->memory.swap.v != 0) || !r->memory.limit.set ||
	    r->memory.limit.v <= 0 || !chosen_size(h, 0, &swap))
		return;
	r->memory.swap.set = true;
	r->memory.swap.v =
	        r->memory.limit.v > INT64_MAX - swap ? INT64_MAX : r->memory.limit.v + swap;
	h->result->settings.added_swap = true;
	harden_changed(h, "/linux/resources/memory/swap", "",
	               harden_text(h, "%lld, of which swap %lld", (long long)r->memory.swap.v,
	                           (long long)swap));
}

void harden_pids(struct harden *h)
{
	struct oci_resources *r = &h->spec->linux.resources;
	const char *value = override_value(h);
	uint32_t limit = PIDS;

	if (r->pids_limit.set && r->pids_limit.v < 0)
		harden_noted(h, "unlimited, as configured");
	if (r->pids_limit.set || (value && !override_number(value, &limit)))
		return;
	r->pids_limit.set = true;
	r->pids_limit.v = limit;
	h->result->settings.added_pids = true;
	harden_changed(h, "/linux/resources/pids/limit", "", harden_text(h, "%u", limit));
}

void harden_cpu(struct harden *h)
{
	struct oci_resources *r = &h->spec->linux.resources;
	bool stated = (r->cpu.shares.set && r->cpu.shares.v != 0) ||
	              (r->cpu.quota.set && r->cpu.quota.v > 0) || r->cpu.idle.set;

	if (stated || overridden(h, "none"))
		return;
	r->cpu.shares.set = true;
	r->cpu.shares.v = CPU_SHARES;
	h->result->settings.added_cpu_weight = true;
	harden_changed(h, "/linux/resources/cpu/shares", "", harden_text(h, "%d", CPU_SHARES));
}

static struct oci_rlimit *find_rlimit(struct oci_process *process, int type)
{
	for (size_t i = 0; i < process->rlimits.n; i++)
		if (process->rlimits.v[i].type == type)
			return &process->rlimits.v[i];
	return NULL;
}

static struct oci_rlimit *add_rlimit(struct harden *h, int type)
{
	struct oci_process *process = &h->spec->process;
	struct oci_rlimit *grown =
	        list_append(h->arena, process->rlimits.v, process->rlimits.n, 1, sizeof(*grown));

	process->rlimits.v = grown;
	grown[process->rlimits.n].type = type;
	return &grown[process->rlimits.n++];
}

/* 1, not 0: with a core_pattern that is a pipe the kernel ignores 0 and gives up at 1, and the
 * handler runs on the host with what the container wrote (E18, decision 45). */
void harden_core(struct harden *h)
{
	struct oci_rlimit *core;
	char *before = NULL;

	if (!h->spec->process.set || overridden(h, "keep"))
		return;
	core = find_rlimit(&h->spec->process, RLIMIT_CORE);
	if (core && core->soft == 1 && core->hard == 1)
		return;
	if (core)
		before = harden_text(h, "%llu:%llu", (unsigned long long)core->soft,
		                     (unsigned long long)core->hard);
	else
		core = add_rlimit(h, RLIMIT_CORE);
	core->soft = core->hard = 1;
	h->result->settings.added_core = true;
	harden_changed(h, "/process/rlimits", before ? before : "", "RLIMIT_CORE 1:1");
}

/* Kubernetes gives every pod a negative score: kept here, refused at paranoid (decision 14). */
void harden_oom(struct harden *h)
{
	const struct oci_process *process = &h->spec->process;
	const struct oci_resources *r = &h->spec->linux.resources;

	if (process->oom_score_adj.set && process->oom_score_adj.v < 0)
		harden_noted(h,
		             harden_text(h, "oom_score_adj %d ranks the container above the host",
		                         process->oom_score_adj.v));
	if (r->memory.disable_oom_killer.set && r->memory.disable_oom_killer.v)
		harden_noted(h, "the OOM killer is disabled for the container");
}
