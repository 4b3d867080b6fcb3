/* A seccomp profile from an enemy, in either form, for no and for all capabilities. */
#include "oci/decode.h"
#include "oci/validate.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_profile(const char *text, size_t size, uint64_t capabilities)
{
	dj_auto_arena struct dj_arena arena = { 0 };
	struct donjon_error err = { 0 };
	struct oci_spec spec = { .root.path = (char[]){ "r" } };
	int rc = oci_decode_seccomp(text, size, capabilities, &arena, &spec.linux.seccomp, &err);

	assert((rc == 0) == (err.code == DONJON_OK));
	if (rc < 0)
		return;
	rc = oci_validate(&spec, &err);
	assert((rc == 0) == (err.code == DONJON_OK));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_profile((const char *)data, size, 0);
	try_profile((const char *)data, size, UINT64_MAX);
	return 0;
}
