/* What only a process that joins a running container has: its place in the cgroups, and the CPUs it may
 * use on the way there. */
#include "plan/part.h"

#include "oci/number_list.h"

/* oci_validate() has read it before. */
static struct plan_list add_cpus(struct plan_block *block, const char *text)
{
	uint64_t mask[OCI_CPUS / 64] = { 0 };
	size_t words = OCI_CPUS / 64;

	if (!text || !oci_number_list(text, mask, words))
		return (struct plan_list){ 0 };
	while (words > 1 && !mask[words - 1])
		words--;
	return plan_add_list(block, mask, words, sizeof(mask[0]));
}

int plan_join(struct plan_block *block, const struct plan_input *in, struct policy_result *record,
	      struct donjon_error *err)
{
	const struct oci_process *process = &in->spec->process;
	plan_str id = plan_add_text(block, in->id);
	plan_str cgroup = plan_add_text(block, in->container->cgroup_path);
	struct plan_list initial = add_cpus(block, process->cpu_affinity_initial);
	struct plan_list final = add_cpus(block, process->cpu_affinity_final);
	struct dj_plan *plan;

	(void)record;
	(void)err;
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
