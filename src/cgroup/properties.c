#include "cgroup/properties.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	USEC_PER_SEC = 1000000,
	PERIOD_USEC = 100000 /* the kernel's, and systemd's, where none is given */
};

static void add(struct properties *p, struct systemd_property property)
{
	if (p->n < PROPERTIES_MAX)
		p->v[p->n++] = property;
}

static void add_bool(struct properties *p, const char *name, bool value)
{
	add(p, (struct systemd_property){ .name = name, .type = SYSTEMD_BOOL, .integer = value });
}

static void add_number(struct properties *p, const char *name, uint64_t value)
{
	add(p, (struct systemd_property){ .name = name, .type = SYSTEMD_UINT64, .number = value });
}

static void add_text(struct properties *p, const char *name, const char *value)
{
	add(p, (struct systemd_property){ .name = name, .type = SYSTEMD_STRING, .text = value });
}

/* ---- limits ---- */

/* Files of the v2 tree that are one number, and the properties systemd writes into them. */
static const struct {
	const char *file, *property;
} numbers[] = {
	{ "memory.max", "MemoryMax" },	   { "memory.high", "MemoryHigh" },
	{ "memory.low", "MemoryLow" },	   { "memory.min", "MemoryMin" },
	{ "memory.swap.max", "MemorySwapMax" }, { "cpu.weight", "CPUWeight" },
	{ "pids.max", "TasksMax" },	   { "io.weight", "IOWeight" },
};

/* As the kernel reads it: unified settings may have a unit ("300M"). */
static uint64_t number_of(const char *value)
{
	static const char units[] = "kmgtpe";
	const char *unit;
	uint64_t number;
	char *end;

	if (strncmp(value, "default ", strlen("default ")) == 0)
		value += strlen("default ");
	if (strcmp(value, "max") == 0)
		return UINT64_MAX;
	number = strtoull(value, &end, 0);
	unit = *end ? strchr(units, tolower((unsigned char)*end)) : NULL;
	return unit ? number << (10 * (unit - units + 1)) : number;
}

/* What has been said so far; NULL: nothing. */
static const struct systemd_property *find(const struct properties *p, const char *name)
{
	const struct systemd_property *last = NULL;

	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->v[i].name, name) == 0)
			last = &p->v[i];
	return last;
}

/* "QUOTA [PERIOD]" in microseconds of each; systemd counts by the second, in steps of 10 ms (P71). */
static void add_quota(struct properties *p, const char *value)
{
	const struct systemd_property *before = find(p, "CPUQuotaPeriodUSec");
	uint64_t quota = UINT64_MAX, period = before ? before->number : PERIOD_USEC;

	if (sscanf(value, "max %" SCNu64, &period) != 1)
		(void)sscanf(value, "%" SCNu64 " %" SCNu64, &quota, &period);
	if (period == 0)
		return;
	if (quota != UINT64_MAX)
		quota = (quota * USEC_PER_SEC / period + 9999) / 10000 * 10000;
	add_number(p, "CPUQuotaPerSecUSec", quota);
	add_number(p, "CPUQuotaPeriodUSec", period);
}

/* One range of a list, "FIRST[-LAST[:USED/GROUP]]"; *list moves behind it.  False: there is none. */
static bool read_range(const char **list, unsigned char *mask, size_t *n_bytes)
{
	char *end;
	unsigned long first = strtoul(*list, &end, 10), last = first, used = 1, group = 1;

	if (end == *list)
		return false;
	if (*end == '-')
		last = strtoul(end + 1, &end, 10);
	if (*end == ':')
		used = strtoul(end + 1, &end, 10);
	if (*end == '/')
		group = strtoul(end + 1, &end, 10);
	for (unsigned long bit = first; bit <= last && bit / 8 < MASK_BYTES; bit++) {
		if (group == 0 || (bit - first) % group >= used)
			continue;
		mask[bit / 8] = (unsigned char)(mask[bit / 8] | 1U << bit % 8);
		*n_bytes = bit / 8 + 1 > *n_bytes ? bit / 8 + 1 : *n_bytes;
	}
	*list = end + strspn(end, ", \t");
	return true;
}

/* "0-3,7" as bytes, lowest CPU first; the kernel judges the list when it is written. */
static void add_mask(struct properties *p, const char *name, const char *list)
{
	unsigned char *mask = p->masks[p->n_masks];
	size_t n_bytes = 0;

	if (p->n_masks == DJ_COUNT(p->masks))
		return;
	p->n_masks++;
	while (*list)
		if (!read_range(&list, mask, &n_bytes))
			return;
	add(p, (struct systemd_property){
		       .name = name, .type = SYSTEMD_BYTES, .bytes = mask, .n_bytes = n_bytes });
}

/* Idle is a weight of its own to systemd, and its end the return to the one that is set beside it. */
static void add_idle(struct properties *p, const char *value)
{
	if (strcmp(value, "1") == 0)
		add_number(p, "CPUWeight", 0);
	else if (!find(p, "CPUWeight"))
		add_number(p, "CPUWeight", UINT64_MAX);
}

static void add_limit(struct properties *p, const char *file, const char *value)
{
	if (strchr(value, ':') && strncmp(file, "io.", strlen("io.")) == 0)
		return; /* of one device: systemd leaves what it does not know alone */
	for (size_t i = 0; i < DJ_COUNT(numbers); i++)
		if (strcmp(file, numbers[i].file) == 0)
			add_number(p, numbers[i].property, number_of(value));
	if (strcmp(file, "cpu.idle") == 0)
		add_idle(p, value);
	else if (strcmp(file, "cpu.max") == 0)
		add_quota(p, value);
	else if (strcmp(file, "cpuset.cpus") == 0)
		add_mask(p, "AllowedCPUs", value);
	else if (strcmp(file, "cpuset.mems") == 0)
		add_mask(p, "AllowedMemoryNodes", value);
}

/* Unified settings come last among the plan's writes, and the last property of a name wins (P85). */
void properties_of_limits(struct properties *p, const struct dj_plan *plan)
{
	const struct plan_cgroup_write *writes =
		plan_items(plan, plan->cgroup_writes, struct plan_cgroup_write);

	for (uint32_t i = 0; i < plan->cgroup_writes.n; i++)
		add_limit(p, plan_text(plan, writes[i].file), plan_text(plan, writes[i].value));
}

/* ---- what annotations ask for ---- */

static const char *const *strings_of(struct properties *p, const struct dj_plan *plan, struct plan_list list)
{
	const plan_str *items = plan_items(plan, list, plan_str);
	const char **start = &p->strings[p->n_strings];

	for (uint32_t i = 0; i < list.n && p->n_strings + 1 < PROPERTIES_MAX; i++)
		p->strings[p->n_strings++] = plan_text(plan, items[i]);
	p->strings[p->n_strings++] = NULL;
	return start;
}

static void add_asked(struct properties *p, const struct dj_plan *plan)
{
	static const enum systemd_type types[] = {
		[PLAN_PROPERTY_BOOL] = SYSTEMD_BOOL,	 [PLAN_PROPERTY_INT] = SYSTEMD_INT,
		[PLAN_PROPERTY_UINT64] = SYSTEMD_UINT64, [PLAN_PROPERTY_STRING] = SYSTEMD_STRING,
		[PLAN_PROPERTY_STRINGS] = SYSTEMD_STRINGS,
	};
	const struct plan_property *asked = plan_items(plan, plan->unit_properties, struct plan_property);

	for (uint32_t i = 0; i < plan->unit_properties.n; i++)
		add(p, (struct systemd_property){
			       .name = plan_text(plan, asked[i].name),
			       .type = types[asked[i].type],
			       .integer = (int64_t)asked[i].number,
			       .number = asked[i].number,
			       .text = plan_text(plan, asked[i].text),
			       .strings = asked[i].type == PLAN_PROPERTY_STRINGS
						  ? strings_of(p, plan, asked[i].strings)
						  : NULL,
		       });
}

/* ---- the scope ---- */

void properties_of_scope(struct properties *p, const struct dj_plan *plan, const char *description)
{
	static const char *const accounts[] = { "CPUAccounting", "MemoryAccounting", "IOAccounting",
						"TasksAccounting" };

	add_text(p, "Description", description);
	add_text(p, "Slice", plan_text(plan, plan->cgroup_slice));
	/* What is below it is the container's and ours, not systemd's. */
	add_bool(p, "Delegate", true);
	add_bool(p, "DefaultDependencies", false);
	/* One that failed is not kept for somebody to look at: its name may be wanted again. */
	add_text(p, "CollectMode", "inactive-or-failed");
	for (size_t i = 0; i < DJ_COUNT(accounts); i++)
		add_bool(p, accounts[i], true);
	properties_of_limits(p, plan);
	add_asked(p, plan);
}
