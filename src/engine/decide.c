/* Spec -> hardened spec -> plan. */
#include "engine/draft.h"

#include "base/log.h"
#include "engine/inspect.h"
#include "plan/build.h"
#include "wrap/systemd.h"

#include <string.h>

static bool has_level_annotation(const struct oci_spec *spec)
{
	for (size_t i = 0; i < spec->annotations.n; i++)
		if (strcmp(spec->annotations.v[i].key, "org.donjon.level") == 0)
			return true;
	return false;
}

bool draft_may_be_hardened(const struct draft *draft)
{
	return draft->request.level != POLICY_NONE || draft->request.file.level_set ||
	       has_level_annotation(&draft->spec);
}

bool draft_wants_range(const struct draft *draft)
{
	return draft->host.euid == 0 && draft->host.initial_userns &&
	       !draft->request.joined_userns.path &&
	       !draft->spec.linux.namespaces[OCI_NS_USER].set && draft_may_be_hardened(draft);
}

/* A user's manager has its slices below its own cgroup, wherever that is (G3). */
static int find_manager(struct draft *draft, struct donjon_error *err)
{
	struct systemd *systemd;
	int r;

	if (!host_is_rootless(&draft->host))
		return 0;
	systemd = systemd_open(true, err);
	if (!systemd)
		return -1;
	r = systemd_control_group(systemd, NULL, draft->host.systemd_group,
	                          sizeof(draft->host.systemd_group), err);
	systemd_close(systemd);
	return r;
}

/* Decisions 31 and 32: --debug tells what the document has that was ignored, and what became of the rest. */
static void log_decisions(const struct draft *draft)
{
	const struct policy_result *policy = &draft->policy;

	for (size_t i = 0; i < draft->spec.ignored.n; i++)
		log_debug("container %s: ignored: %s", draft->id, draft->spec.ignored.v[i]);
	for (size_t i = 0; i < policy->changes.n; i++) {
		const struct policy_change *c = &policy->changes.v[i];

		log_debug("container %s: %s: %s%s%s -> %s", draft->id, c->check, c->pointer ? c->pointer : "",
		          c->pointer ? " " : "", c->before, c->after);
	}
	for (size_t i = 0; i < policy->notes.n; i++)
		log_debug("container %s: %s: %s", draft->id, policy->notes.v[i].check, policy->notes.v[i].text);
}

int draft_decide(struct draft *draft, const struct donjon_runtime *runtime,
                 const struct donjon_create_options *options, struct donjon_error *err)
{
	bool systemd = strcmp(runtime->cgroup_manager, "systemd") == 0;
	struct plan_input input = {
		.id = draft->id,
		.bundle = draft->bundle,
		.rootfs = draft->rootfs,
		.notify = draft->notify,
		.spec = &draft->spec,
		.settings = &draft->policy.settings,
		.host = &draft->host,
		.no_pivot = options->no_pivot,
		.no_new_keyring = options->no_new_keyring,
		.cgroups_disabled = strcmp(runtime->cgroup_manager, "disabled") == 0,
		.systemd_cgroup = systemd,
		.die_with_parent = draft->die_with_parent,
		.preserve_fds = options->preserve_fds,
	};

	if (systemd && find_manager(draft, err) < 0)
		return -1;
	if (draft_may_be_hardened(draft))
		inspect_for_policy(draft);
	if (policy_apply(&draft->spec, &draft->host, &draft->request, &draft->arena, &draft->policy,
	                 err) < 0)
		return -1;
	if (draft->policy.in_force != POLICY_NONE)
		input.judged = &draft->request;
	if (plan_build(&input, &draft->arena, &draft->plan, &draft->policy, err) < 0)
		return -1;
	log_decisions(draft);
	return 0;
}

void draft_note(struct draft *draft, const char *check, const char *text)
{
	struct policy_result *policy = &draft->policy;
	struct policy_note *grown =
	        dj_arena_array(&draft->arena, policy->notes.n + 1, sizeof(*grown));

	if (policy->notes.n > 0)
		memcpy(grown, policy->notes.v, policy->notes.n * sizeof(*grown));
	grown[policy->notes.n] = (struct policy_note){
		.check = dj_arena_strdup(&draft->arena, check),
		.text = dj_arena_strdup(&draft->arena, text),
	};
	policy->notes.v = grown;
	policy->notes.n++;
}
