/* `linux.seccomp`: contract rows P86-P94. */
#include "oci/field.h"

/* ---- arguments ---- */

static const struct oci_field arg_fields[] = {
	OCI_NUMBER(struct oci_seccomp_arg, "index", index, 0, 5, OCI_REQUIRED),
	OCI_NUMBER(struct oci_seccomp_arg, "value", value, 0, UINT64_MAX, OCI_REQUIRED),
	OCI_NUMBER(struct oci_seccomp_arg, "valueTwo", value_two, 0, UINT64_MAX, 0),
	OCI_WORD(struct oci_seccomp_arg, "op", op, &oci_operator_words, OCI_REQUIRED),
};
static const struct oci_object arg_object = OCI_OBJECT_OF(arg_fields);
const struct oci_list oci_seccomp_arg_list = OCI_LIST_OF(struct oci_seccomp_arg, arg_object);

/* ---- rules ---- */

static const struct oci_field rule_fields[] = {
	OCI_LIST_FIELD(struct oci_seccomp_rule, "names", names, &oci_string_list, OCI_REQUIRED),
	OCI_WORD(struct oci_seccomp_rule, "action", action, &oci_action_words, OCI_REQUIRED),
	OCI_NUMBER_OPT(struct oci_seccomp_rule, "errnoRet", errno_ret, 0, UINT16_MAX, 0),
	OCI_LIST_FIELD(struct oci_seccomp_rule, "args", args, &oci_seccomp_arg_list, 0),
};
static const struct oci_object rule_object = OCI_OBJECT_OF(rule_fields);
static const struct oci_list rule_list = OCI_LIST_OF(struct oci_seccomp_rule, rule_object);

/* ---- the profile ---- */

static const struct oci_field arch_item = { .read = oci_read_word,
	                                    .size = sizeof(uint32_t),
	                                    .how = &oci_arch_words };
const struct oci_list oci_seccomp_arch_list = { &arch_item, sizeof(uint32_t), 0 };

static const struct oci_field seccomp_fields[] = {
	OCI_WORD(struct oci_seccomp, "defaultAction", default_action, &oci_action_words,
	         OCI_REQUIRED),
	OCI_NUMBER_OPT(struct oci_seccomp, "defaultErrnoRet", default_errno, 0, UINT16_MAX, 0),
	OCI_LIST_FIELD(struct oci_seccomp, "architectures", architectures, &oci_seccomp_arch_list,
	               0),
	/* An empty list is not an absent one (P89). */
	OCI_FLAGS_SETS(struct oci_seccomp, "flags", flags, flags_set, &oci_filter_flag_words),
	OCI_LIST_FIELD(struct oci_seccomp, "syscalls", rules, &rule_list, 0),
	OCI_STRING(struct oci_seccomp, "listenerPath", listener_path, OCI_EMPTY_IS_UNSET),
	OCI_STRING(struct oci_seccomp, "listenerMetadata", listener_metadata, OCI_EMPTY_IS_UNSET),
};
const struct oci_object oci_seccomp_object = OCI_OBJECT_OF(seccomp_fields);
