#include "engine/hooks.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "engine/state.h"
#include "launch/launch.h"
#include "oci/decode.h"
#include "plan/part.h"

static const char *const kinds[OCI_HOOK_COUNT] = {
	[OCI_HOOK_PRESTART] = "prestart",
	[OCI_HOOK_CREATE_RUNTIME] = "createRuntime",
	[OCI_HOOK_CREATE_CONTAINER] = "createContainer",
	[OCI_HOOK_START_CONTAINER] = "startContainer",
	[OCI_HOOK_POSTSTART] = "poststart",
	[OCI_HOOK_POSTSTOP] = "poststop",
};

const char *hooks_kind_name(enum oci_hook_kind kind)
{
	return kinds[kind];
}

int hooks_run(const struct dj_plan *plan, enum oci_hook_kind kind,
              const struct store_record *record, enum store_status status, struct donjon_error *err)
{
	const struct plan_hook *hooks = plan_items(plan, plan->hooks, struct plan_hook);
	dj_auto_free char *state = NULL;

	for (uint32_t i = 0; i < plan->hooks.n; i++) {
		if (hooks[i].kind != kind)
			continue;
		if (!state)
			state = state_text(record, status);
		if (hook_run(plan, &hooks[i], state, record->bundle, err) < 0)
			return dj_note(err, "hooks.%s", kinds[kind]);
	}
	return 0;
}

void hooks_poststop(const struct dj_plan *plan, const struct store_record *record)
{
	const struct plan_hook *hooks = plan_items(plan, plan->hooks, struct plan_hook);
	/* The bundle may be gone by now (S15). */
	const char *cwd = access(record->bundle, X_OK) == 0 ? record->bundle : "/";
	dj_auto_free char *state = NULL;

	for (uint32_t i = 0; i < plan->hooks.n; i++) {
		struct donjon_error why = { 0 };

		if (hooks[i].kind != OCI_HOOK_POSTSTOP)
			continue;
		if (!state)
			state = state_text(record, STORE_STOPPED);
		if (hook_run(plan, &hooks[i], state, cwd, &why) < 0)
			log_warning("hooks.poststop: %s", why.text);
	}
}

int hooks_load(int state_dir, const struct store_record *record, struct dj_arena *arena,
               struct dj_plan **out, struct donjon_error *err)
{
	struct oci_spec spec = { 0 };
	const struct plan_input input = {
		.id = record->id,
		.bundle = record->bundle,
		.rootfs = record->rootfs,
		.spec = &spec,
	};
	struct policy_result unused = { 0 };
	struct plan_block block;
	dj_auto_free char *text = NULL;
	size_t size;

	if (store_load(state_dir, STORE_CONFIG, &text, &size, err) < 0)
		return -1;
	plan_block_init(&block, arena);
	if (text && (oci_decode(text, size, arena, &spec, err) < 0 ||
	             plan_hooks(&block, &input, &unused, err) < 0))
		return dj_note(err, "the configuration kept at create");
	*out = plan_block_plan(&block);
	return 0;
}
