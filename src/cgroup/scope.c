#include "cgroup/scope.h"

#include "base/cleanup.h"
#include "wrap/systemd.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROPERTIES_MAX = 64, MASK_BYTES = 1024 / 8, USEC_PER_SEC = 1000000 };

/* The properties under construction, and what they point to. */
struct builder {
	struct systemd_property v[PROPERTIES_MAX];
	size_t n;
	unsigned char masks[2][MASK_BYTES];
	size_t n_masks;
	const char *strings[PROPERTIES_MAX];
	size_t n_strings;
};

static void add(struct builder *b, struct systemd_property property)
{
	if (b->n < PROPERTIES_MAX)
		b->v[b->n++] = property;
}

static void add_bool(struct builder *b, const char *name, bool value)
{
	add(b, (struct systemd_property){ .name = name, .type = SYSTEMD_BOOL, .integer = value });
}

static void add_number(struct builder *b, const char *name, uint64_t value)
{
	add(b, (struct systemd_property){ .name = name, .type = SYSTEMD_UINT64, .number = value });
}

static void add_text(struct builder *b, const char *name, const char *value)
{
	add(b, (struct systemd_property){ .name = name, .type = SYSTEMD_STRING, .text = value });
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

static uint64_t number_of(const char *value)
{
	if (strncmp(value, "default ", strlen("default ")) == 0)
		value += strlen("default ");
	return strcmp(value, "max") == 0 ? UINT64_MAX : strtoull(value, NULL, 10);
}

/* "QUOTA PERIOD" in microseconds of each; systemd counts by the second, in steps of 10 ms (P71). */
static void add_quota(struct builder *b, const char *value)
{
	uint64_t quota, period, per_second;

	if (sscanf(value, "%" SCNu64 " %" SCNu64, &quota, &period) != 2) {
		add_number(b, "CPUQuotaPerSecUSec", UINT64_MAX);
		return;
	}
	if (period == 0)
		return;
	per_second = quota * USEC_PER_SEC / period;
	per_second = (per_second + 9999) / 10000 * 10000;
	add_number(b, "CPUQuotaPerSecUSec", per_second);
	add_number(b, "CPUQuotaPeriodUSec", period);
}

/* "0-3,7" as bytes, lowest CPU first; the plan has checked the list. */
static void add_mask(struct builder *b, const char *name, const char *list)
{
	unsigned char *mask = b->masks[b->n_masks];
	size_t used = 0;

	if (b->n_masks == DJ_COUNT(b->masks))
		return;
	b->n_masks++;
	while (*list) {
		char *end;
		unsigned long first = strtoul(list, &end, 10), last = first;

		if (end == list)
			return;
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (unsigned long bit = first; bit <= last && bit / 8 < MASK_BYTES; bit++) {
			mask[bit / 8] = (unsigned char)(mask[bit / 8] | 1U << bit % 8);
			used = bit / 8 + 1 > used ? bit / 8 + 1 : used;
		}
		list = end + (*end == ',');
	}
	add(b, (struct systemd_property){
		       .name = name, .type = SYSTEMD_BYTES, .bytes = mask, .n_bytes = used });
}

static void add_limit(struct builder *b, const char *file, const char *value)
{
	for (size_t i = 0; i < DJ_COUNT(numbers); i++)
		if (strcmp(file, numbers[i].file) == 0)
			add_number(b, numbers[i].property, number_of(value));
	if (strcmp(file, "cpu.idle") == 0 && strcmp(value, "1") == 0)
		add_number(b, "CPUWeight", 0);
	else if (strcmp(file, "cpu.max") == 0)
		add_quota(b, value);
	else if (strcmp(file, "cpuset.cpus") == 0)
		add_mask(b, "AllowedCPUs", value);
	else if (strcmp(file, "cpuset.mems") == 0)
		add_mask(b, "AllowedMemoryNodes", value);
}

/* Unified settings come last among the plan's writes, and the last property of a name wins (P85). */
static void add_limits(struct builder *b, const struct dj_plan *plan)
{
	const struct plan_cgroup_write *writes =
		plan_items(plan, plan->cgroup_writes, struct plan_cgroup_write);

	for (uint32_t i = 0; i < plan->cgroup_writes.n; i++)
		add_limit(b, plan_text(plan, writes[i].file), plan_text(plan, writes[i].value));
}

/* ---- what annotations ask for ---- */

static const char *const *strings_of(struct builder *b, const struct dj_plan *plan, struct plan_list list)
{
	const plan_str *items = plan_items(plan, list, plan_str);
	const char **start = &b->strings[b->n_strings];

	for (uint32_t i = 0; i < list.n && b->n_strings + 1 < PROPERTIES_MAX; i++)
		b->strings[b->n_strings++] = plan_text(plan, items[i]);
	b->strings[b->n_strings++] = NULL;
	return start;
}

static void add_asked(struct builder *b, const struct dj_plan *plan)
{
	static const enum systemd_type types[] = {
		[PLAN_PROPERTY_BOOL] = SYSTEMD_BOOL,	 [PLAN_PROPERTY_INT] = SYSTEMD_INT,
		[PLAN_PROPERTY_UINT64] = SYSTEMD_UINT64, [PLAN_PROPERTY_STRING] = SYSTEMD_STRING,
		[PLAN_PROPERTY_STRINGS] = SYSTEMD_STRINGS,
	};
	const struct plan_property *asked = plan_items(plan, plan->unit_properties, struct plan_property);

	for (uint32_t i = 0; i < plan->unit_properties.n; i++)
		add(b, (struct systemd_property){
			       .name = plan_text(plan, asked[i].name),
			       .type = types[asked[i].type],
			       .integer = (int64_t)asked[i].number,
			       .number = asked[i].number,
			       .text = plan_text(plan, asked[i].text),
			       .strings = asked[i].type == PLAN_PROPERTY_STRINGS
						  ? strings_of(b, plan, asked[i].strings)
						  : NULL,
		       });
}

/* ---- the scope ---- */

static void build(struct builder *b, const struct dj_plan *plan, const char *description)
{
	static const char *const accounts[] = { "CPUAccounting", "MemoryAccounting", "IOAccounting",
						"TasksAccounting" };

	add_text(b, "Description", description);
	add_text(b, "Slice", plan_text(plan, plan->cgroup_slice));
	/* What is below it is the container's and ours, not systemd's. */
	add_bool(b, "Delegate", true);
	add_bool(b, "DefaultDependencies", false);
	for (size_t i = 0; i < DJ_COUNT(accounts); i++)
		add_bool(b, accounts[i], true);
	add_limits(b, plan);
	add_asked(b, plan);
}

static pid_t start_keeper(struct donjon_error *err)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		return dj_fail_os(err, errno, "start a process to keep the scope");
	if (pid > 0)
		return pid;
	/* Never without us, and never with anything of ours. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent &&
	    syscall(SYS_close_range, 0U, ~0U, 0U) == 0)
		for (;;)
			(void)pause();
	_exit(1);
}

void scope_release(pid_t *keeper)
{
	if (*keeper <= 0)
		return;
	(void)kill(*keeper, SIGKILL); /* our unreaped child: the number is still its own */
	while (waitpid(*keeper, NULL, 0) < 0 && errno == EINTR)
		;
	*keeper = 0;
}

/* The place the plan counts on, or nothing of what was planned would hold. */
static int check_place(struct systemd *systemd, const struct dj_plan *plan, struct donjon_error *err)
{
	const char *unit = plan_text(plan, plan->cgroup_unit), *want = plan_text(plan, plan->cgroup_path);
	char group[1024];

	if (systemd_control_group(systemd, unit, group, sizeof(group), err) < 0)
		return -1;
	if (group[0] == '/' && strcmp(group + 1, want) == 0)
		return 0;
	return dj_fail(err, DONJON_E_VERIFY, "systemd: put %s at %s instead of /%s", unit, group, want);
}

int scope_start(const struct dj_plan *plan, pid_t *keeper, struct donjon_error *err)
{
	const char *unit = plan_text(plan, plan->cgroup_unit);
	struct systemd *systemd = systemd_open(plan->cgroup_user_manager, err);
	struct builder b = { .n = 0 };
	struct donjon_error ignored = { 0 };
	char description[320];
	int r = -1;

	if (!systemd)
		return -1;
	*keeper = start_keeper(err);
	if (*keeper > 0) {
		(void)snprintf(description, sizeof(description), "donjon container %s", plan_text(plan, plan->id));
		build(&b, plan, description);
		r = systemd_start_scope(systemd, unit, *keeper, b.v, b.n, err);
		if (r == 0 && check_place(systemd, plan, err) < 0) {
			(void)systemd_stop(systemd, unit, &ignored);
			r = -1;
		}
	}
	if (r < 0)
		scope_release(keeper);
	systemd_close(systemd);
	return r;
}

int scope_update(const struct dj_plan *plan, struct donjon_error *err)
{
	struct systemd *systemd;
	struct builder b = { .n = 0 };
	int r;

	add_limits(&b, plan);
	if (b.n == 0)
		return 0;
	systemd = systemd_open(plan->cgroup_user_manager, err);
	if (!systemd)
		return -1;
	r = systemd_set_properties(systemd, plan_text(plan, plan->cgroup_unit), b.v, b.n, err);
	systemd_close(systemd);
	return r;
}

int scope_stop(const char *cgroup_path, bool user, struct donjon_error *err)
{
	const char *unit = strrchr(cgroup_path, '/');
	struct systemd *systemd = systemd_open(user, err);
	int r;

	if (!systemd)
		return -1;
	r = systemd_stop(systemd, unit ? unit + 1 : cgroup_path, err);
	systemd_close(systemd);
	return r;
}
