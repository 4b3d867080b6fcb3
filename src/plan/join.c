/* What only a process that joins a running container has: its place in the cgroups, and the CPUs it may
 * use on the way there. */
#include "plan/part.h"

#include "oci/number_list.h"

enum { CPU_MAX = 8192, CPU_WORDS = CPU_MAX / 64 };

static int add_cpus(struct plan_block *block, const char *text, const char *what, struct plan_list *out,
		    struct donjon_error *err)
{
	uint64_t mask[CPU_WORDS] = { 0 };
	size_t words = CPU_WORDS;

	*out = (struct plan_list){ 0 };
	if (!text)
		return 0;
	if (!oci_number_list(text, mask, CPU_WORDS))
		return dj_fail(err, DONJON_E_CONFIG, "process.execCPUAffinity.%s: \"%.64s\" is no list of CPUs",
			       what, text);
	while (words > 1 && !mask[words - 1])
		words--;
	*out = plan_add_list(block, mask, words, sizeof(mask[0]));
	return 0;
}

int plan_join(struct plan_block *block, const struct plan_input *in, struct policy_result *record,
	      struct donjon_error *err)
{
	const struct oci_process *process = &in->spec->process;
	plan_str id = plan_add_text(block, in->id);
	plan_str cgroup = plan_add_text(block, in->container->cgroup_path);
	struct plan_list initial, final;
	struct dj_plan *plan;

	(void)record;
	if (add_cpus(block, process->cpu_affinity_initial, "initial", &initial, err) < 0 ||
	    add_cpus(block, process->cpu_affinity_final, "final", &final, err) < 0)
		return -1;
	plan = PLAN(block);
	plan->joins = true;
	plan->id = id;
	for (size_t ns = 0; ns < OCI_NS_COUNT; ns++)
		plan->ns[ns].number = in->container->namespaces[ns];
	plan->cpus_initial = initial;
	plan->cpus_final = final;
	plan->cgroup = *in->container->cgroup_path != '\0';
	plan->cgroup_path = cgroup;
	if (plan->cgroup)
		plan_cgroup_view(block, in);
	return 0;
}
