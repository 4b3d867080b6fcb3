/* Compiles linux.seccomp of a config.json and writes the program's bytes: the floor loads them, so
 * that it and donjon have the same filter.  Usage: filter_bytes CONFIG */
#include "base/cleanup.h"
#include "base/file.h"
#include "filter/filter.h"
#include "oci/decode.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <stdio.h>
#include <unistd.h>

static int compile(const char *path, struct dj_arena *arena, struct filter_program *out,
                   struct donjon_error *err)
{
	const struct filter_options options = filter_options_for_bundle(AUDIT_ARCH_X86_64);
	struct oci_spec *spec = dj_arena_new(arena, struct oci_spec);
	dj_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	dj_auto_free char *text = NULL;
	size_t size;

	if (fd < 0)
		return dj_fail_os(err, errno, "open %s", path);
	if (file_read_regular(fd, OCI_CONFIG_MAX, path, &text, &size, err) < 0 ||
	    oci_decode(text, size, arena, spec, err) < 0)
		return -1;
	if (!spec->linux.seccomp.set)
		return dj_fail(err, DONJON_E_CONFIG, "%s has no linux.seccomp", path);
	return filter_compile(&spec->linux.seccomp, &options, arena, out, err);
}

int main(int argc, char **argv)
{
	dj_auto_arena struct dj_arena arena = { 0 };
	struct filter_program program = { 0 };
	struct donjon_error err = { 0 };

	if (argc != 2) {
		fprintf(stderr, "usage: filter_bytes CONFIG\n");
		return 2;
	}
	if (compile(argv[1], &arena, &program, &err) < 0) {
		fprintf(stderr, "filter_bytes: %s\n", err.text);
		return 1;
	}
	const int written =
	        file_write_all(STDOUT_FILENO, program.v, program.n * sizeof(program.v[0]));
	return written < 0 ? 1 : 0;
}
