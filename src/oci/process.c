/* `process`: contract rows P13-P36. */
#include "oci/field.h"
#include "wrap/caps.h"

#include <string.h>

/* ---- capabilities ---- */

/* Names nobody knows are never granted, and remembered once each (decision 32). */
enum { CAP_NAMES_MAX = 512 };

static void remember_unknown(struct oci_decoder *d, const char *name)
{
	for (size_t i = 0; i < d->unknown_caps.n; i++) {
		if (strcmp(d->unknown_caps.v[i], name) == 0)
			return;
	}
	oci_strings_add(d->arena, &d->unknown_caps, dj_arena_strdup(d->arena, name));
}

static int read_capability(struct oci_decoder *d, const struct json_value *value, uint64_t *set)
{
	const char *name = json_text(value);
	int number;

	if (!name)
		return oci_wrong_type(d, "a string", value);
	/* The specification's spelling alone: "NET_ADMIN" is a name nobody knows (T37). */
	number = strncmp(name, "CAP_", 4) == 0 ? caps_number(name) : -1;
	if (number >= 0 && number < 64)
		*set |= UINT64_C(1) << number;
	else
		remember_unknown(d, name);
	return 0;
}

static int read_capability_set(struct oci_decoder *d, const struct json_value *value,
                               const struct oci_field *field, void *to)
{
	struct oci_step step;
	uint64_t set = 0;

	(void)field;
	if (oci_check_list(d, value, CAP_NAMES_MAX) < 0)
		return -1;
	for (size_t i = 0; i < json_size(value); i++) {
		oci_enter(d, &step, NULL, i);
		if (read_capability(d, json_at(value, i), &set) < 0)
			return -1;
		oci_leave(d);
	}
	*(uint64_t *)to = set;
	return OCI_STORED;
}

#define CAPABILITY_SET(key, member)                                                                \
	OCI_CUSTOM(struct oci_capabilities, key, member, read_capability_set, 0)

static const struct oci_field capability_fields[] = {
	CAPABILITY_SET("bounding", bounding),       CAPABILITY_SET("effective", effective),
	CAPABILITY_SET("inheritable", inheritable), CAPABILITY_SET("permitted", permitted),
	CAPABILITY_SET("ambient", ambient),
};
static const struct oci_object capabilities_object = OCI_OBJECT_OF(capability_fields);

/* ---- user ---- */

static const struct oci_field gid_item = { .read = oci_read_number,
	                                   .size = sizeof(uint32_t),
	                                   .max = OCI_ID_MAX };
static const struct oci_list gid_list = { &gid_item, sizeof(uint32_t), 0 };

static const struct oci_field user_fields[] = {
	OCI_NUMBER(struct oci_user, "uid", uid, 0, OCI_ID_MAX, OCI_REQUIRED),
	OCI_NUMBER(struct oci_user, "gid", gid, 0, OCI_ID_MAX, OCI_REQUIRED),
	OCI_NUMBER_OPT(struct oci_user, "umask", umask, 0, 0777, 0),
	OCI_LIST_FIELD(struct oci_user, "additionalGids", additional_gids, &gid_list, 0),
	OCI_IGNORED("username"),
};
static const struct oci_object user_object = OCI_OBJECT_OF(user_fields);

/* ---- limits and scheduling ---- */

static const struct oci_field rlimit_fields[] = {
	OCI_WORD(struct oci_rlimit, "type", type, &oci_rlimit_words, OCI_REQUIRED),
	OCI_NUMBER(struct oci_rlimit, "soft", soft, 0, UINT64_MAX, OCI_REQUIRED),
	OCI_NUMBER(struct oci_rlimit, "hard", hard, 0, UINT64_MAX, OCI_REQUIRED),
};
static const struct oci_object rlimit_object = OCI_OBJECT_OF(rlimit_fields);
static const struct oci_list rlimit_list = OCI_LIST_OF(struct oci_rlimit, rlimit_object);

static const struct oci_field scheduler_fields[] = {
	OCI_WORD(struct oci_scheduler, "policy", policy, &oci_sched_policy_words, OCI_REQUIRED),
	OCI_NUMBER(struct oci_scheduler, "nice", nice, -20, 19, 0),
	OCI_NUMBER(struct oci_scheduler, "priority", priority, 0, 99, 0),
	OCI_FLAGS(struct oci_scheduler, "flags", flags, &oci_sched_flag_words),
	OCI_NUMBER(struct oci_scheduler, "runtime", runtime, 0, UINT64_MAX, 0),
	OCI_NUMBER(struct oci_scheduler, "deadline", deadline, 0, UINT64_MAX, 0),
	OCI_NUMBER(struct oci_scheduler, "period", period, 0, UINT64_MAX, 0),
};
static const struct oci_object scheduler_object = OCI_OBJECT_OF(scheduler_fields);

static const struct oci_field io_priority_fields[] = {
	OCI_WORD(struct oci_process, "class", io_priority.class, &oci_io_class_words, OCI_REQUIRED),
	OCI_NUMBER(struct oci_process, "priority", io_priority.priority, 0, 7, OCI_REQUIRED),
};
static const struct oci_object io_priority_object = OCI_OBJECT_OF(io_priority_fields);

static const struct oci_field cpu_affinity_fields[] = {
	OCI_STRING(struct oci_process, "initial", cpu_affinity_initial, OCI_EMPTY_IS_UNSET),
	OCI_STRING(struct oci_process, "final", cpu_affinity_final, OCI_EMPTY_IS_UNSET),
};
static const struct oci_object cpu_affinity_object = OCI_OBJECT_OF(cpu_affinity_fields);

/* The kernel's struct winsize has 16 bits for each. */
static const struct oci_field console_fields[] = {
	OCI_NUMBER(struct oci_process, "height", console_height, 0, UINT16_MAX, 0),
	OCI_NUMBER(struct oci_process, "width", console_width, 0, UINT16_MAX, 0),
};
static const struct oci_object console_object = OCI_OBJECT_OF(console_fields);

/* ---- the process ---- */

static const struct oci_field process_fields[] = {
	OCI_BOOL(struct oci_process, "terminal", terminal),
	OCI_GROUP("consoleSize", &console_object, 0),
	OCI_PART(struct oci_process, "user", user, &user_object, OCI_REQUIRED),
	OCI_STRINGS(struct oci_process, "args", args),
	OCI_STRINGS(struct oci_process, "env", env),
	OCI_STRING(struct oci_process, "cwd", cwd, OCI_REQUIRED),
	OCI_OBJECT(struct oci_process, "capabilities", capabilities, &capabilities_object, 0),
	OCI_LIST_FIELD(struct oci_process, "rlimits", rlimits, &rlimit_list, 0),
	OCI_BOOL(struct oci_process, "noNewPrivileges", no_new_privileges),
	OCI_NUMBER_OPT(struct oci_process, "oomScoreAdj", oom_score_adj, -1000, 1000, 0),
	OCI_STRING(struct oci_process, "apparmorProfile", apparmor_profile, OCI_EMPTY_IS_UNSET),
	OCI_STRING(struct oci_process, "selinuxLabel", selinux_label, OCI_EMPTY_IS_UNSET),
	OCI_OBJECT(struct oci_process, "scheduler", scheduler, &scheduler_object, 0),
	OCI_GROUP_SETS(struct oci_process, "ioPriority", io_priority.set, &io_priority_object),
	OCI_GROUP("execCPUAffinity", &cpu_affinity_object, 0),
	OCI_IGNORED("commandLine"),
};
const struct oci_object oci_process_object = OCI_OBJECT_OF(process_fields);
