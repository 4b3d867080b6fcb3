/* Configurations for the tests of src/oci: a small valid one with something added. */
#ifndef TESTS_UNIT_OCI_H
#define TESTS_UNIT_OCI_H

#include "oci/decode.h"
#include "oci/validate.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG(more) "{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"rootfs\"}" more "}"
#define PROCESS(more)                                                                              \
	CONFIG(",\"process\":{\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"a\"],\"cwd\":\"/\"" more  \
	       "}")
#define LINUX(more)     CONFIG(",\"linux\":{" more "}")
#define RESOURCES(more) LINUX("\"resources\":{" more "}")
#define SECCOMP(more)   LINUX("\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\"" more "}")
#define MOUNT(more)                                                                                \
	CONFIG(",\"mounts\":[{\"destination\":\"/a\",\"type\":\"proc\"},{\"destination\":\"/b\"," \
	       "\"type\":\"proc\"" more "}]")

/* What is refused, and the whole message it is refused with. */
struct refused {
	const char *text, *message;
};

/* The corpus's folder: tests/corpus/NAME. */
static inline void corpus_path(char *buf, size_t size, const char *name)
{
	const char *root = getenv("DONJON_SOURCE_ROOT");

	(void)snprintf(buf, size, "%s/tests/corpus/%s", root ? root : ".", name);
}

static inline size_t read_whole(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "re");
	size_t n = 0;

	if (f) {
		n = fread(buf, 1, size, f);
		(void)fclose(f);
	}
	return n;
}

#endif
