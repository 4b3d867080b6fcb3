/* Hooks, and the state document they read from stdin. */
#include "plan/part.h"

#include "wrap/json.h"

#include <stdlib.h>
#include <string.h>

/* Decision 22: a hook without `env` gets a search path and nothing of ours. */
static char default_env[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

static void plan_state(struct plan_block *block, const struct plan_input *in)
{
	struct json_value *object = json_new_object(), *annotations = json_new_object();
	char *text;
	size_t len;
	plan_str tail;

	for (size_t i = 0; i < in->spec->annotations.n; i++)
		json_set(annotations, in->spec->annotations.v[i].key,
			 json_new_string(in->spec->annotations.v[i].value));
	json_set(object, "bundle", json_new_string(in->bundle));
	json_set(object, "annotations", annotations);
	text = json_print(object, false);
	json_free(object);
	/* Members only: the stage puts id, status and pid in front of them. */
	len = strlen(text);
	text[len - 1] = '\0';
	tail = plan_add_text(block, text + 1);
	free(text);
	PLAN(block)->state_tail = tail;
}

int plan_hooks(struct plan_block *block, const struct plan_input *in, struct policy_result *record,
	       struct donjon_error *err)
{
	char *env[] = { default_env, NULL };
	const struct oci_strings fallback = { env, 1 };
	struct plan_hook *v;
	struct plan_list list;
	size_t n = 0, total = 0;

	(void)record;
	(void)err;
	for (size_t kind = 0; kind < OCI_HOOK_COUNT; kind++)
		total += in->spec->hooks[kind].n;
	if (total == 0)
		return 0;
	plan_state(block, in);
	v = dj_arena_array(block->arena, total, sizeof(*v));
	for (size_t kind = 0; kind < OCI_HOOK_COUNT; kind++) {
		for (size_t i = 0; i < in->spec->hooks[kind].n; i++, n++) {
			const struct oci_hook *hook = &in->spec->hooks[kind].v[i];

			v[n].kind = (uint8_t)kind;
			v[n].path = plan_add_text(block, hook->path);
			v[n].args = plan_add_strings(block, &hook->args);
			v[n].env = plan_add_strings(block, hook->env_set ? &hook->env : &fallback);
			v[n].timeout_s = hook->timeout_s;
		}
	}
	list = plan_add_list(block, v, n, sizeof(*v));
	PLAN(block)->hooks = list;
	return 0;
}
