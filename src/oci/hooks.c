/* `hooks`: contract rows P37, P38, J3-J6. */
#include "oci/field.h"

/* Whole seconds; as milliseconds they must still be an int for poll(2). */
enum { TIMEOUT_MAX = INT32_MAX / 1000 };

static const struct oci_field hook_fields[] = {
	OCI_STRING(struct oci_hook, "path", path, OCI_REQUIRED),
	OCI_STRINGS(struct oci_hook, "args", args),
	OCI_LIST_SETS(struct oci_hook, "env", env, env_set, &oci_string_list),
	OCI_NUMBER(struct oci_hook, "timeout", timeout_s, 1, TIMEOUT_MAX, 0),
};
static const struct oci_object hook_object = OCI_OBJECT_OF(hook_fields);
static const struct oci_list hook_list = OCI_LIST_OF(struct oci_hook, hook_object);

/* `hooks` belongs to struct oci_spec itself. */
#define HOOKS(key, kind) OCI_LIST_FIELD(struct oci_spec, key, hooks[kind], &hook_list, 0)

static const struct oci_field hooks_fields[] = {
	HOOKS("prestart", OCI_HOOK_PRESTART),
	HOOKS("createRuntime", OCI_HOOK_CREATE_RUNTIME),
	HOOKS("createContainer", OCI_HOOK_CREATE_CONTAINER),
	HOOKS("startContainer", OCI_HOOK_START_CONTAINER),
	HOOKS("poststart", OCI_HOOK_POSTSTART),
	HOOKS("poststop", OCI_HOOK_POSTSTOP),
};
const struct oci_object oci_hooks_object = OCI_OBJECT_OF(hooks_fields);
