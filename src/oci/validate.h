/* What makes sense together: rows of {JSON path, predicate, message}.  Pure. */
#ifndef OCI_VALIDATE_H
#define OCI_VALIDATE_H

#include "base/error.h"
#include "oci/spec.h"

int oci_validate(const struct oci_spec *spec, struct donjon_error *err);
/* Parts alone (update). */
int oci_validate_resources(const struct oci_resources *resources, struct donjon_error *err);
int oci_validate_rdt(const struct oci_intel_rdt *rdt, struct donjon_error *err);

#endif
