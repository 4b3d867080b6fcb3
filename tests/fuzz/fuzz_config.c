/* config.json from an enemy: decode and validate must end in a specification or in one error. */
#include "oci/decode.h"
#include "oci/validate.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int rc, const struct donjon_error *err)
{
	assert(rc == 0 || rc == -1);
	assert((rc == 0) == (err->code == DONJON_OK));
	assert((rc == 0) == (err->text[0] == '\0'));
}

static int try_config(const char *text, size_t size)
{
	dj_auto_arena struct dj_arena arena = { 0 };
	struct donjon_error err = { 0 };
	struct oci_spec spec;
	int rc = oci_decode(text, size, &arena, &spec, &err);

	check(rc, &err);
	if (rc == 0)
		check(oci_validate(&spec, &err), &err);
	return rc;
}

static void try_parts(const char *text, size_t size)
{
	dj_auto_arena struct dj_arena arena = { 0 };
	struct donjon_error process_err = { 0 }, resources_err = { 0 };
	struct oci_resources resources;
	struct oci_process process;

	check(oci_decode_process(text, size, &arena, &process, &process_err), &process_err);
	check(oci_decode_resources(text, size, &arena, &resources, &resources_err), &resources_err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (try_config((const char *)data, size) < 0)
		try_parts((const char *)data, size);
	return 0;
}
