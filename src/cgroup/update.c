/*
 * Limits of a container that runs: what they are now, and other ones in their place.
 *
 * The kernel takes one file at a time.  An update that fails half-way is taken back from what the
 * files said before (contract 2.1: as if it had not been tried).
 */
#include "base/arena.h"
#include "base/cleanup.h"
#include "cgroup/inside.h"
#include "cgroup/scope.h"

#include <stdio.h>
#include <string.h>

struct update {
	const struct dj_plan *plan;
	const struct host_facts *host;
	const struct cgroup *cg;
};

/* What v1 says for "no limit": the greatest number of whole pages. */
static int64_t bytes_in(int dir_fd, const char *file)
{
	uint64_t bytes;

	if (!cgroup_read_number(dir_fd, file, &bytes) || bytes > INT64_MAX - 64 * 1024)
		return -1;
	return (int64_t)bytes;
}

static uint64_t used_in(int dir_fd, const char *file)
{
	uint64_t bytes;

	return cgroup_read_number(dir_fd, file, &bytes) ? bytes : 0;
}

static void read_bandwidth(struct cgroup_place cpu, struct cgroup_limits *now)
{
	char text[64], *period;

	now->cpu_quota = -1;
	if (cpu.dir < 0 || cgroup_read(cpu.dir, cpu.is_v2 ? "cpu.max" : "cpu.cfs_quota_us", text,
	                               sizeof(text)) <= 0)
		return;
	if (strncmp(text, "max", 3) != 0)
		now->cpu_quota = strtoll(text, NULL, 10);
	period = strchr(text, ' ');
	now->cpu_period = period ? strtoull(period, NULL, 10) : 0;
}

struct cgroup_limits cgroup_limits_now(const struct host_facts *host, const struct cgroup *cg)
{
	struct cgroup_place memory = cgroup_place_of(host, cg, "memory");
	struct cgroup_limits now = { 0 };
	int64_t swap;

	read_bandwidth(cgroup_place_of(host, cg, "cpu"), &now);
	if (!memory.is_v2) {
		now.memory = bytes_in(memory.dir, "memory.limit_in_bytes");
		now.memory_and_swap = bytes_in(memory.dir, "memory.memsw.limit_in_bytes");
		now.memory_used = used_in(memory.dir, "memory.usage_in_bytes");
		now.memory_and_swap_used = used_in(memory.dir, "memory.memsw.usage_in_bytes");
		return now;
	}
	now.memory = bytes_in(memory.dir, "memory.max");
	swap = bytes_in(memory.dir, "memory.swap.max");
	now.memory_and_swap = now.memory < 0 || swap < 0 ? -1 : now.memory + swap;
	now.memory_used = used_in(memory.dir, "memory.current");
	now.memory_and_swap_used = now.memory_used + used_in(memory.dir, "memory.swap.current");
	return now;
}

/* What a file said before it was written; NULL: it is not there. */
static char *read_old(const struct update *u, const struct plan_cgroup_write *w,
                      struct dj_arena *arena)
{
	int dir = cgroup_dir_of(u->plan, u->host, u->cg, w);
	const char *file = plan_text(u->plan, w->file);
	char text[4096], effective[64], *disabled;

	if (dir < 0 || cgroup_read(dir, file, text, sizeof(text)) < 0)
		return NULL;
	/* The list of a v2 cpuset with processes cannot be emptied again: what it meant, then. */
	(void)snprintf(effective, sizeof(effective), "%s.effective", file);
	if (text[0] == '\0' && cgroup_read(dir, effective, text, sizeof(text)) < 0)
		text[0] = '\0';
	/* memory.oom_control says more than it takes. */
	disabled = strstr(text, "oom_kill_disable ");
	if (disabled)
		return dj_arena_printf(arena, "%c", disabled[strlen("oom_kill_disable ")]);
	return dj_arena_strdup(arena, text);
}

/* Of a file with a line for each device ("8:0 rbps=5"): the line that takes ours back where the
 * device had none. */
static void forget_device(int dir, const char *file, const char *old, const char *written)
{
	size_t device = strcspn(written, " ");
	const char *value = written + device, *equals = strchr(written, '=');
	char text[128];

	if (*value != ' ' || !memchr(written, ':', device))
		return;
	for (const char *line = old; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, written, device + 1) == 0)
			return;
	}
	(void)snprintf(text, sizeof(text), "%.*s%s",
	               equals ? (int)(equals - written + 1) : (int)device, written,
	               equals ? "max" : " 0");
	(void)cgroup_write(dir, file, text);
}

static void restore(const struct update *u, const struct plan_cgroup_write *w, const char *old)
{
	int dir = cgroup_dir_of(u->plan, u->host, u->cg, w);
	const char *file = plan_text(u->plan, w->file), *line = old;

	if (!old)
		return;
	forget_device(dir, file, old, plan_text(u->plan, w->value));
	do {
		char text[512];
		size_t len = strcspn(line, "\n");

		/* An empty list is written as an empty line. */
		(void)snprintf(text, sizeof(text), "%.*s\n", (int)len, line);
		(void)cgroup_write(dir, file, text);
		line += len + (line[len] != '\0');
	} while (*line);
}

int cgroup_update(const struct dj_plan *plan, const struct host_facts *host,
                  const struct cgroup *cg, struct donjon_error *err)
{
	const struct update u = { .plan = plan, .host = host, .cg = cg };
	const struct plan_cgroup_write *w =
	        plan_items(plan, plan->cgroup_writes, struct plan_cgroup_write);
	size_t n = plan->cgroup_writes.n;
	dj_auto_arena struct dj_arena arena = { 0 };
	char **old = dj_arena_array(&arena, n + 1, sizeof(*old));

	for (size_t i = 0; i < n; i++)
		old[i] = read_old(&u, &w[i], &arena);
	if (cgroup_apply_writes(plan, host, cg, err) == 0 &&
	    (!plan->cgroup_unit || scope_update(plan, err) == 0))
		return 0;
	/* Twice, for those that check each other; backwards, as the first to have read a file knows
	 * best what was in it. */
	for (size_t i = 2 * n; i > 0; i--)
		restore(&u, &w[(i - 1) % n], old[(i - 1) % n]);
	return -1;
}
