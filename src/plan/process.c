/* What is run, and under which limits. */
#include "plan/part.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "oci/number_list.h"

#include <limits.h>
#include <string.h>
#include <sys/resource.h>

/* The last of two entries with one name wins (P16), at the first one's place. */
static struct plan_list add_environment(struct plan_block *block, const struct oci_strings *env)
{
	plan_str *items = dj_arena_array(block->arena, env->n + 1, sizeof(*items));
	const char **kept = dj_arena_array(block->arena, env->n + 1, sizeof(*kept));
	size_t n = 0;

	for (size_t i = 0; i < env->n; i++) {
		size_t name = strcspn(env->v[i], "=") + 1, j = 0;

		while (j < n && strncmp(kept[j], env->v[i], name) != 0)
			j++;
		kept[j] = env->v[i];
		n += j == n;
	}
	for (size_t i = 0; i < n; i++)
		items[i] = plan_add_text(block, kept[i]);
	return plan_add_list(block, items, n, sizeof(*items));
}

static void set_scheduling(struct plan_block *block, const struct oci_process *process,
			   const struct oci_linux *linux)
{
	struct dj_plan *plan = PLAN(block);

	if (process->scheduler.set) {
		plan->scheduler_set = true;
		plan->sched_policy = process->scheduler.policy;
		plan->sched_nice = process->scheduler.nice;
		plan->sched_priority = process->scheduler.priority;
		plan->sched_flags = process->scheduler.flags;
		plan->sched_runtime = process->scheduler.runtime;
		plan->sched_deadline = process->scheduler.deadline;
		plan->sched_period = process->scheduler.period;
	}
	if (process->io_priority.set) {
		plan->io_priority_set = true;
		plan->io_class = process->io_priority.class;
		plan->io_priority = process->io_priority.priority;
	}
	plan->memory_policy_set = linux->memory_policy.set;
	plan->memory_mode = linux->memory_policy.mode | linux->memory_policy.flags;
	if (linux->memory_policy.nodes) /* a good one: validated */
		(void)oci_number_list(linux->memory_policy.nodes, plan->memory_nodes,
				      DJ_COUNT(plan->memory_nodes));
	plan->personality_set = linux->personality.set;
	plan->personality = linux->personality.v;
	plan->oom_score_adj_set = process->oom_score_adj.set;
	plan->oom_score_adj = process->oom_score_adj.v;
}

static struct plan_list add_rlimits(struct plan_block *block, const struct plan_input *in)
{
	const struct oci_process *process = &in->spec->process;
	struct plan_rlimit *limits = dj_arena_array(block->arena, process->rlimits.n + 1, sizeof(*limits));

	for (size_t i = 0; i < process->rlimits.n; i++)
		limits[i] = (struct plan_rlimit){
			.type = process->rlimits.v[i].type,
			.optional = process->rlimits.v[i].type == RLIMIT_CORE &&
				    in->settings->added_core,
			.soft = process->rlimits.v[i].soft,
			.hard = process->rlimits.v[i].hard,
		};
	return plan_add_list(block, limits, process->rlimits.n, sizeof(*limits));
}

int plan_process(struct plan_block *block, const struct plan_input *in, struct policy_result *record,
		 struct donjon_error *err)
{
	const struct oci_process *process = &in->spec->process;
	struct plan_list args = plan_add_strings(block, &process->args);
	struct plan_list env = add_environment(block, &process->env);
	struct plan_list rlimits = add_rlimits(block, in);
	char cwd[PATH_MAX];
	plan_str directory;
	struct dj_plan *plan;

	(void)record;
	if (path_clean(process->cwd, cwd, sizeof(cwd)) < 0)
		return dj_fail(err, DONJON_E_CONFIG, "process.cwd: too long");
	directory = plan_add_text(block, cwd);
	plan = PLAN(block);
	plan->args = args;
	plan->env = env;
	plan->rlimits = rlimits;
	plan->cwd = directory;
	plan->terminal = process->terminal;
	plan->console_rows = (uint16_t)process->console_height;
	plan->console_cols = (uint16_t)process->console_width;
	plan->preserve_fds = in->preserve_fds;
	plan->die_with_parent = in->die_with_parent;
	set_scheduling(block, process, &in->spec->linux);
	plan->new_keyring = !in->no_new_keyring || in->settings->force_keyring;
	return 0;
}
