/* `mounts`: contract rows P7-P12. */
#include "oci/field.h"

static const struct oci_field mount_fields[] = {
	OCI_STRING(struct oci_mount, "destination", destination, OCI_REQUIRED),
	OCI_STRING(struct oci_mount, "type", type, OCI_EMPTY_IS_UNSET),
	OCI_STRING(struct oci_mount, "source", source, OCI_EMPTY_IS_UNSET),
	OCI_STRINGS(struct oci_mount, "options", options),
	OCI_LIST_FIELD(struct oci_mount, "uidMappings", uid_mappings, &oci_id_map_list, 0),
	OCI_LIST_FIELD(struct oci_mount, "gidMappings", gid_mappings, &oci_id_map_list, 0),
};
static const struct oci_object mount_object = OCI_OBJECT_OF(mount_fields);
const struct oci_list oci_mount_list = OCI_LIST_OF(struct oci_mount, mount_object);
