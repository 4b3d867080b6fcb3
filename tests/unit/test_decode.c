#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "oci.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/resource.h>

static void decode(const char *text, struct dj_arena *arena, struct oci_spec *spec)
{
	struct donjon_error err = { 0 };

	if (oci_decode(text, strlen(text), arena, spec, &err) < 0)
		fail_msg("%s: %s", text, err.text);
}

/* ---- what is refused ---- */

#define NUMBER_CASES(before, path, after, hi_plus_1, range)                                        \
	{ before "-1" after, path ": must be from " range ", is -1" },                             \
		{ before hi_plus_1 after, path ": must be from " range ", is " hi_plus_1 },        \
		{ before "18446744073709551615" after,                                             \
		  path ": must be from " range ", is 18446744073709551615" },                      \
		{ before "1.5" after,                                                              \
		  path ": must be an integer, is a number with a fraction or exponent" },          \
		{ before "1e3" after,                                                              \
		  path ": must be an integer, is a number with a fraction or exponent" },          \
		{ before "\"1\"" after, path ": must be an integer, is a string" },                \
		{ before "true" after, path ": must be an integer, is a boolean" }

#define USER(key, value)                                                                           \
	CONFIG(",\"process\":{\"user\":{\"gid\":0,\"uid\":0," #key ":" value "},\"cwd\":\"/\"}")

static const struct refused refused[] = {
	/* top level */
	{ "[]", "must be an object, is a list" },
	{ "{}", "ociVersion: missing" },
	{ "{\"ociVersion\":null,\"root\":{\"path\":\"r\"}}", "ociVersion: missing" },
	{ "{\"ociVersion\":\"1.0.2\"}", "root: missing" },
	{ "{\"ociVersion\":\"1.0.2\",\"root\":{}}", "root.path: missing" },
	{ "{\"ociVersion\":\"1.0.2\",\"root\":[]}", "root: must be an object, is a list" },
	{ "{\"ociVersion\":\"0.9.0\",\"root\":{\"path\":\"r\"}}",
	  "ociVersion: \"0.9.0\" is not supported, 1.x is" },
	{ "{\"ociVersion\":\"2.0.0\"}", "ociVersion: \"2.0.0\" is not supported, 1.x is" },
	{ "{\"ociVersion\":\"1\"}", "ociVersion: \"1\" is not supported, 1.x is" },
	{ "{\"ociVersion\":\"1.\"}", "ociVersion: \"1.\" is not supported, 1.x is" },
	{ "{\"ociVersion\":\"1.0.\"}", "ociVersion: \"1.0.\" is not supported, 1.x is" },
	{ "{\"ociVersion\":\"1.0.0.0\"}", "ociVersion: \"1.0.0.0\" is not supported, 1.x is" },
	{ "{\"ociVersion\":\"1.0.0-\"}", "ociVersion: \"1.0.0-\" is not supported, 1.x is" },
	{ "{\"ociVersion\":\"1.0.0 \"}", "ociVersion: \"1.0.0 \" is not supported, 1.x is" },
	{ "{\"ociVersion\":10}", "ociVersion: must be a string, is a number" },
	{ CONFIG(",\"hostname\":[]"), "hostname: must be a string, is a list" },
	{ CONFIG(",\"mounts\":{}"), "mounts: must be a list, is an object" },
	{ CONFIG(",\"mounts\":[null]"), "mounts[0]: must be an object, is null" },
	{ CONFIG(",\"annotations\":[]"), "annotations: must be an object, is a list" },
	{ CONFIG(",\"annotations\":{\"a\":1}"), "annotations.a: must be a string, is a number" },
	{ CONFIG(",\"annotations\":{\"org.donjon.level\":1}"),
	  "annotations[\"org.donjon.level\"]: must be a string, is a number" },
	{ CONFIG(",\"annotations\":{\"\":\"x\"}"), "annotations[\"\"]: the name is empty" },

	/* names that differ by case only (decision 31) */
	{ CONFIG(",\"Hostname\":\"x\""), "Hostname: unknown property, \"hostname\" is meant" },
	{ PROCESS(",\"noNewprivileges\":true"),
	  "process.noNewprivileges: unknown property, \"noNewPrivileges\" is meant" },
	{ LINUX("\"SECCOMP\":{}"), "linux.SECCOMP: unknown property, \"seccomp\" is meant" },
	{ SECCOMP(",\"syscalls\":[{\"Names\":[\"read\"]}]"),
	  "linux.seccomp.syscalls[0].Names: unknown property, \"names\" is meant" },
	{ RESOURCES("\"devices\":[{\"Allow\":false}]"),
	  "linux.resources.devices[0].Allow: unknown property, \"allow\" is meant" },

	/* mounts */
	{ CONFIG(",\"mounts\":[{\"type\":\"proc\"}]"), "mounts[0].destination: missing" },
	{ MOUNT(",\"options\":\"ro\""), "mounts[1].options: must be a list, is a string" },
	{ MOUNT(",\"options\":[1]"), "mounts[1].options[0]: must be a string, is a number" },
	{ MOUNT(",\"uidMappings\":[{\"containerID\":0,\"hostID\":0}]"),
	  "mounts[1].uidMappings[0].size: missing" },

	/* process */
	{ CONFIG(",\"process\":{}"), "process.user: missing" },
	{ CONFIG(",\"process\":{\"user\":{\"gid\":0},\"cwd\":\"/\"}"), "process.user.uid: missing" },
	{ CONFIG(",\"process\":{\"user\":{\"uid\":0},\"cwd\":\"/\"}"), "process.user.gid: missing" },
	{ CONFIG(",\"process\":{\"user\":{\"uid\":0,\"gid\":0}}"), "process.cwd: missing" },
	{ PROCESS(",\"terminal\":1"), "process.terminal: must be a boolean, is a number" },
	{ PROCESS(",\"env\":[\"A=b\",null]"), "process.env[1]: must be a string, is null" },
	NUMBER_CASES(PROCESS(",\"consoleSize\":{\"height\":") "", "x", "", "0", "x"),
};
