/* The documents the library writes: features, and configurations to start from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "donjon/features.h"
#include "oci.h"
#include "policy/policy.h"
#include "wrap/json.h"

#include <unistd.h>

/* ---- features (X1-X14) ---- */

static const struct json_value *walk(const struct json_value *value, const char *path)
{
	char step[64];

	while (value && *path) {
		size_t len = strcspn(path, ".");

		(void)snprintf(step, sizeof(step), "%.*s", (int)len, path);
		value = json_get(value, step);
		path += len + (path[len] == '.');
	}
	return value;
}

static struct json_value *features(void)
{
	struct donjon_error err = { 0 };
	dj_auto_free char *text = NULL;
	struct json_value *document;

	assert_int_equal(donjon_features_json(&text, &err), 0);
	document = json_parse(text, strlen(text), 1 << 20, &err);
	assert_non_null(document);
	return document;
}

static void features_has_every_field(void **state)
{
	static const struct {
		const char *path;
		enum json_kind kind;
	} fields[] = {
		{ "ociVersionMin", JSON_KIND_STRING },
		{ "ociVersionMax", JSON_KIND_STRING },
		{ "hooks", JSON_KIND_ARRAY },
		{ "mountOptions", JSON_KIND_ARRAY },
		{ "annotations", JSON_KIND_OBJECT },
		{ "potentiallyUnsafeConfigAnnotations", JSON_KIND_ARRAY },
		{ "linux.namespaces", JSON_KIND_ARRAY },
		{ "linux.capabilities", JSON_KIND_ARRAY },
		{ "linux.cgroup.v1", JSON_KIND_BOOL },
		{ "linux.cgroup.v2", JSON_KIND_BOOL },
		{ "linux.cgroup.systemd", JSON_KIND_BOOL },
		{ "linux.cgroup.systemdUser", JSON_KIND_BOOL },
		{ "linux.cgroup.rdma", JSON_KIND_BOOL },
		{ "linux.seccomp.enabled", JSON_KIND_BOOL },
		{ "linux.seccomp.actions", JSON_KIND_ARRAY },
		{ "linux.seccomp.operators", JSON_KIND_ARRAY },
		{ "linux.seccomp.archs", JSON_KIND_ARRAY },
		{ "linux.seccomp.knownFlags", JSON_KIND_ARRAY },
		{ "linux.seccomp.supportedFlags", JSON_KIND_ARRAY },
		{ "linux.apparmor.enabled", JSON_KIND_BOOL },
		{ "linux.selinux.enabled", JSON_KIND_BOOL },
		{ "linux.memoryPolicy.modes", JSON_KIND_ARRAY },
		{ "linux.memoryPolicy.flags", JSON_KIND_ARRAY },
		{ "linux.intelRdt.enabled", JSON_KIND_BOOL },
		{ "linux.intelRdt.schemata", JSON_KIND_BOOL },
		{ "linux.intelRdt.monitoring", JSON_KIND_BOOL },
		{ "linux.mountExtensions.idmap.enabled", JSON_KIND_BOOL },
		{ "linux.netDevices.enabled", JSON_KIND_BOOL },
	};
	struct json_value *document = features();

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(fields); i++) {
		const struct json_value *value = walk(document, fields[i].path);

		if (!value || json_kind(value) != fields[i].kind)
			fail_msg("%s", fields[i].path);
	}
	json_free(document);
}

/* What callers look for before they use a feature (X3, X6, X13). */
static void features_lists_what_callers_ask_for(void **state)
{
	static const struct {
		const char *path, *word;
	} wanted[] = {
		{ "mountOptions", "rro" },
		{ "mountOptions", "idmap" },
		{ "linux.namespaces", "user" },
		{ "linux.namespaces", "time" },
		{ "hooks", "createContainer" },
		{ "linux.capabilities", "CAP_SYS_ADMIN" },
		{ "linux.seccomp.archs", "SCMP_ARCH_X32" },
		{ "linux.seccomp.actions", "SCMP_ACT_KILL_PROCESS" },
		{ "linux.seccomp.operators", "SCMP_CMP_MASKED_EQ" },
		{ "linux.seccomp.supportedFlags", "SECCOMP_FILTER_FLAG_LOG" },
		{ "potentiallyUnsafeConfigAnnotations", "org.donjon.override." },
	};
	struct json_value *document = features();

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(wanted); i++) {
		const struct json_value *list = walk(document, wanted[i].path);
		bool found = false;

		for (size_t k = 0; k < json_size(list); k++)
			found |= strcmp(json_text(json_at(list, k)), wanted[i].word) == 0;
		if (!found)
			fail_msg("%s: %s", wanted[i].path, wanted[i].word);
	}
	json_free(document);
}

/* ---- configurations ---- */

static char *document(bool rootless, bool hardened, struct dj_arena *arena, struct oci_spec *spec)
{
	struct donjon_error err = { 0 };
	char *text = NULL;

	if (donjon_spec_json(rootless, hardened, &text, &err) < 0 ||
	    oci_decode(text, strlen(text), arena, spec, &err) < 0 || oci_validate(spec, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(spec->ignored.n, 0);
	return text;
}

/* Everything but names that say who wrote it. */
static void strip(struct json_value *root)
{
	json_set(root, "ociVersion", json_new_string(""));
	json_set(root, "hostname", json_new_string(""));
}

static void compare_with(const char *fixture, bool rootless)
{
	static char theirs_text[1 << 16];
	char path[4096];
	struct donjon_error err = { 0 };
	struct dj_arena arena = { 0 };
	struct oci_spec spec;
	dj_auto_free char *text = document(rootless, false, &arena, &spec), *a = NULL, *b = NULL;
	struct json_value *ours = json_parse(text, strlen(text), 1 << 20, &err), *theirs;

	corpus_path(path, sizeof(path), fixture);
	theirs = json_parse(theirs_text, read_whole(path, theirs_text, sizeof(theirs_text)),
	                    1 << 20, &err);
	assert_non_null(ours);
	assert_non_null(theirs);
	strip(ours);
	strip(theirs);
	a = json_print(ours, true);
	b = json_print(theirs, true);
	assert_string_equal(a, b);
	json_free(ours);
	json_free(theirs);
	dj_arena_done(&arena);
}

/* The fixtures are runc's own, written on a host without a pure cgroup2 tree by the user 0. */
static void plain_documents_are_runcs(void **state)
{
	struct dj_arena arena = { 0 };
	struct oci_spec spec;
	dj_auto_free char *text = document(false, false, &arena, &spec);
	const bool has_cgroup2 = spec.linux.namespaces[OCI_NS_CGROUP].set;

	(void)state;
	dj_arena_done(&arena);
	if (has_cgroup2 || geteuid() != 0)
		return; /* runc itself would write something else here */
	compare_with("config/runc-spec.json", false);
	compare_with("config/runc-spec-rootless.json", true);
}

static struct host_facts host(bool privileged)
{
	return (struct host_facts){
		.cgroup_mode = HOST_CGROUP_V2,
		.euid = privileged ? 0 : geteuid(),
		.egid = privileged ? 0 : getegid(),
		.initial_userns = true,
		.cap_last = 40,
		.caps = privileged ? UINT64_MAX : 0,
		.memory_bytes = UINT64_C(8) << 30,
		.id_range = privileged ? 0x70000000 : 0,
	};
}

static void harden(struct oci_spec *spec, bool privileged, struct dj_arena *arena,
                   struct policy_result *result)
{
	const struct host_facts facts = host(privileged);
	const struct policy_request request = {
		.level = POLICY_HARDENED,
		.bundle = "/bundle",
		.rootfs = "/bundle/rootfs",
		.cpus = (unsigned)sysconf(_SC_NPROCESSORS_CONF),
	};
	struct donjon_error err = { 0 };

	if (policy_apply(spec, &facts, &request, arena, result, &err) < 0)
		fail_msg("%s", err.text);
}

/* None outside `except`.  Changes without a pointer have no place in config.json: the guard filter
 * and the like. */
static void expect_changes_in(const char *except, const struct policy_result *result)
{
	for (size_t i = 0; i < result->changes.n; i++) {
		const struct policy_change *c = &result->changes.v[i];

		if (c->pointer && strncmp(c->pointer, except, strlen(except)) != 0)
			fail_msg("%s: %s: %s -> %s", c->check, c->pointer, c->before, c->after);
	}
}

static void hardened_document_stays_as_it_is(void **state)
{
	struct dj_arena arena = { 0 };
	struct policy_result result;
	struct oci_spec spec;
	dj_auto_free char *text = document(false, true, &arena, &spec);

	(void)state;
	harden(&spec, true, &arena, &result);
	expect_changes_in("/linux/namespaces", &result);
	assert_true(result.settings.forced_userns); /* a range of its own for each container */
	dj_arena_done(&arena);
}

static void try_rootless(void)
{
	struct dj_arena arena = { 0 };
	struct policy_result result;
	struct oci_spec spec;
	dj_auto_free char *text = document(true, true, &arena, &spec);

	harden(&spec, false, &arena, &result);
	expect_changes_in("/linux/resources", &result);
	dj_arena_done(&arena);
}

/* Root would map the container to the host's root, and be refused. */
static void rootless_hardened_document_stays_as_it_is(void **state)
{
	const bool is_root = geteuid() == 0;

	(void)state;
	if (is_root)
		assert_true(setegid(1000) == 0 && seteuid(1000) == 0);
	try_rootless();
	if (is_root)
		assert_true(seteuid(0) == 0 && setegid(0) == 0);
}

static void hardened_document_says_what_it_is(void **state)
{
	struct dj_arena arena = { 0 };
	struct oci_spec spec;
	dj_auto_free char *text = document(false, true, &arena, &spec);
	const struct oci_capabilities *c = &spec.process.capabilities;

	(void)state;
	assert_int_not_equal(spec.process.user.uid, 0);
	assert_true(spec.root.readonly && spec.process.no_new_privileges && c->set);
	assert_true((c->bounding | c->effective | c->permitted | c->inheritable | c->ambient) == 0);
	assert_true(spec.linux.seccomp.set && spec.linux.seccomp.flags_set);
	assert_int_equal(spec.linux.seccomp.default_action, OCI_ACT_ERRNO);
	assert_true(spec.linux.seccomp.rules.n > 1);
	for (size_t i = 0; i < spec.mounts.n; i++)
		assert_true(strncmp(spec.mounts.v[i].destination, "/sys", 4) != 0);
	dj_arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(features_has_every_field),
		cmocka_unit_test(features_lists_what_callers_ask_for),
		cmocka_unit_test(plain_documents_are_runcs),
		cmocka_unit_test(hardened_document_stays_as_it_is),
		cmocka_unit_test(rootless_hardened_document_stays_as_it_is),
		cmocka_unit_test(hardened_document_says_what_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
