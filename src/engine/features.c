/* The `features` document (contract X1-X14), printed from the tables that decode and apply what it
 * lists. */
#include "donjon/features.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "base/sys.h"
#include "engine/version.h"
#include "oci/decode.h"
#include "oci/mount_options.h"
#include "oci/names.h"
#include "wrap/caps.h"
#include "wrap/json.h"
#include "wrap/systemd.h"

#include <errno.h>
#include <linux/seccomp.h>

const char *donjon_version(void)
{
	return DONJON_VERSION;
}

const char *donjon_commit(void)
{
	return DONJON_COMMIT;
}

static void set_string(struct json_value *object, const char *key, const char *value)
{
	json_set(object, key, json_new_string(value));
}

static void set_bool(struct json_value *object, const char *key, bool value)
{
	json_set(object, key, json_new_bool(value));
}

static void push_string(struct json_value *array, const char *value)
{
	json_push(array, json_new_string(value));
}

static struct json_value *words(const struct oci_words *table)
{
	struct json_value *array = json_new_array();

	for (size_t i = 0; i < table->n; i++)
		push_string(array, table->v[i].name);
	return array;
}

static struct json_value *mount_options(void)
{
	size_t n;
	const struct oci_mount_option *table = oci_mount_option_table(&n);
	struct json_value *array = json_new_array();

	for (size_t i = 0; i < n; i++)
		push_string(array, table[i].name);
	return array;
}

static struct json_value *capabilities(void)
{
	struct json_value *array = json_new_array();

	for (int i = 0; i <= caps_last(); i++)
		push_string(array, caps_name(i));
	return array;
}

/* Every annotation that changes what happens (decision 41); a final '.' makes it a prefix. */
static struct json_value *unsafe_annotations(void)
{
	static const char *const names[] = {
		"org.donjon.level",           "org.donjon.override.",
		"org.systemd.property.",      "run.oci.keep_original_groups",
		"run.oci.mount_context_type",
	};
	struct json_value *array = json_new_array();

	for (size_t i = 0; i < DJ_COUNT(names); i++)
		push_string(array, names[i]);
	return array;
}

static struct json_value *annotations(void)
{
	struct json_value *object = json_new_object();

	set_string(object, "org.donjon.version", donjon_version());
	set_string(object, "org.donjon.commit", donjon_commit());
	/* openat2(2), or the walker of equal strength where it is refused (decision 35) */
	set_string(object, "org.donjon.path-resolver", path_uses_fallback() ? "walker" : "openat2");
	return object;
}

static struct json_value *cgroup(void)
{
	struct json_value *object = json_new_object();

	set_bool(object, "v1", true);
	set_bool(object, "v2", true);
	set_bool(object, "systemd", systemd_is_supported());
	set_bool(object, "systemdUser", systemd_is_supported());
	set_bool(object, "rdma", true);
	return object;
}

/* A known flag gets as far as reading the missing program; WAIT_KILLABLE_RECV is for listeners. */
static bool kernel_has_flag(uint32_t flag)
{
	if (flag & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
		flag |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	return sys_seccomp(SECCOMP_SET_MODE_FILTER, flag, NULL) == -EFAULT;
}

static struct json_value *supported_flags(void)
{
	struct json_value *array = json_new_array();

	for (size_t i = 0; i < oci_filter_flag_words.n; i++) {
		if (kernel_has_flag((uint32_t)oci_filter_flag_words.v[i].value))
			push_string(array, oci_filter_flag_words.v[i].name);
	}
	return array;
}

static struct json_value *seccomp(void)
{
	struct json_value *object = json_new_object();

	set_bool(object, "enabled", true);
	json_set(object, "actions", words(&oci_action_words));
	json_set(object, "operators", words(&oci_operator_words));
	json_set(object, "archs", words(&oci_arch_words));
	json_set(object, "knownFlags", words(&oci_filter_flag_words));
	json_set(object, "supportedFlags", supported_flags());
	return object;
}

static struct json_value *enabled(bool value)
{
	struct json_value *object = json_new_object();

	set_bool(object, "enabled", value);
	return object;
}

static struct json_value *memory_policy(void)
{
	struct json_value *object = json_new_object();

	json_set(object, "modes", words(&oci_memory_mode_words));
	json_set(object, "flags", words(&oci_memory_flag_words));
	return object;
}

static struct json_value *intel_rdt(void)
{
	struct json_value *object = enabled(true);

	set_bool(object, "schemata", true);
	set_bool(object, "monitoring", true);
	return object;
}

static struct json_value *mount_extensions(void)
{
	struct json_value *object = json_new_object();

	json_set(object, "idmap", enabled(true));
	return object;
}

static struct json_value *linux_features(void)
{
	struct json_value *object = json_new_object();

	json_set(object, "namespaces", words(&oci_namespace_words));
	json_set(object, "capabilities", capabilities());
	json_set(object, "cgroup", cgroup());
	json_set(object, "seccomp", seccomp());
	json_set(object, "apparmor", enabled(true));
	json_set(object, "selinux", enabled(true));
	json_set(object, "memoryPolicy", memory_policy());
	json_set(object, "intelRdt", intel_rdt());
	json_set(object, "mountExtensions", mount_extensions());
	json_set(object, "netDevices", enabled(true));
	return object;
}

int donjon_features_json(char **json, struct donjon_error *err)
{
	struct json_value *object = json_new_object();

	(void)err; /* running out of memory ends the process */
	set_string(object, "ociVersionMin", OCI_VERSION_MIN);
	set_string(object, "ociVersionMax", OCI_VERSION_MAX);
	json_set(object, "hooks", words(&oci_hook_words));
	json_set(object, "mountOptions", mount_options());
	json_set(object, "linux", linux_features());
	json_set(object, "annotations", annotations());
	json_set(object, "potentiallyUnsafeConfigAnnotations", unsafe_annotations());
	*json = json_print(object, true);
	json_free(object);
	return 0;
}
