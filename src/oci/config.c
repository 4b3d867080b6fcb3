/* The top level of config.json: contract rows P1-P6. */
#include "oci/field.h"

#include <ctype.h>
#include <string.h>

/* Skips digits; NULL if there are none. */
static const char *skip_number(const char *s)
{
	if (!isdigit((unsigned char)*s))
		return NULL;
	while (isdigit((unsigned char)*s))
		s++;
	return s;
}

/* 1.MINOR, 1.MINOR.PATCH, each with any -pre or +build suffix (P1). */
static bool is_version_1(const char *s)
{
	if (strncmp(s, "1.", 2) != 0 || !(s = skip_number(s + 2)))
		return false;
	if (*s == '.' && !(s = skip_number(s + 1)))
		return false;
	if (*s == '\0')
		return true;
	return (*s == '-' || *s == '+') && s[1] != '\0' &&
	       s[strspn(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.+-")] ==
	               '\0';
}

static int read_version(struct oci_decoder *d, const struct json_value *value,
                        const struct oci_field *field, void *to)
{
	if (oci_read_string(d, value, field, to) < 0)
		return -1;
	if (!is_version_1(json_text(value)))
		return oci_decode_fail(d, "\"%.32s\" is not supported, 1.x is", json_text(value));
	return OCI_STORED;
}

static const struct oci_field root_fields[] = {
	OCI_STRING(struct oci_spec, "path", root.path, OCI_REQUIRED),
	OCI_BOOL(struct oci_spec, "readonly", root.readonly),
};
static const struct oci_object root_object = OCI_OBJECT_OF(root_fields);

static const struct oci_field config_fields[] = {
	OCI_CUSTOM(struct oci_spec, "ociVersion", oci_version, read_version, OCI_REQUIRED),
	OCI_GROUP("root", &root_object, OCI_REQUIRED),
	OCI_LIST_FIELD(struct oci_spec, "mounts", mounts, &oci_mount_list, 0),
	OCI_OBJECT(struct oci_spec, "process", process, &oci_process_object, 0),
	OCI_STRING(struct oci_spec, "hostname", hostname, OCI_EMPTY_IS_UNSET),
	OCI_STRING(struct oci_spec, "domainname", domainname, OCI_EMPTY_IS_UNSET),
	OCI_GROUP("hooks", &oci_hooks_object, 0),
	OCI_MAP(struct oci_spec, "annotations", annotations, &oci_pair_list),
	OCI_OBJECT(struct oci_spec, "linux", linux, &oci_linux_object, 0),
	OCI_IGNORED("freebsd"),
	OCI_IGNORED("solaris"),
	OCI_IGNORED("vm"),
	OCI_IGNORED("windows"),
	OCI_IGNORED("zos"),
};
const struct oci_object oci_config_object = OCI_OBJECT_OF(config_fields);
