/* Bytes of config.json -> struct oci_spec.  Strict JSON (B31, decisions 25, 31, 33), no system
 * call, no meaning beyond types and words: whether values make sense together is validate.c's. */
#ifndef OCI_DECODE_H
#define OCI_DECODE_H

#include "base/arena.h"
#include "oci/spec.h"

enum { OCI_CONFIG_MAX = 16 * 1024 * 1024 };

/* Of the specification: every 1.x is read, and this is what is known of it. */
#define OCI_VERSION_MIN "1.0.0"
#define OCI_VERSION_MAX "1.3.0"

/* Errors: DONJON_E_CONFIG with the JSON path ("linux.seccomp.syscalls[3].names: ..."), or line and
 * column for broken JSON.  The strings live in the arena. */
int oci_decode(const char *text, size_t size, struct dj_arena *arena, struct oci_spec *spec,
	       struct donjon_error *err);

/* A `process` object alone (exec --process), and a `linux.resources` object alone (update). */
int oci_decode_process(const char *text, size_t size, struct dj_arena *arena,
		       struct oci_process *process, struct donjon_error *err);
int oci_decode_resources(const char *text, size_t size, struct dj_arena *arena,
			 struct oci_resources *resources, struct donjon_error *err);

/* Adds to one such object (JSON) what another one sets: members it lacks, that mean "unset" or that
 * nobody knows stay as they are, and so do the device rules.  `update` has been decoded before. */
struct json_value;
void oci_merge_resources(struct json_value *into, const struct json_value *update);

/* A `linux.seccomp` object alone, in the specification's form or in Docker's and podman's
 * (archMap, defaultErrno, includes, excludes; resolved for these capabilities, this machine's
 * architecture and kernel version). */
int oci_decode_seccomp(const char *text, size_t size, uint64_t capabilities, struct dj_arena *arena,
		       struct oci_seccomp *seccomp, struct donjon_error *err);

#endif
