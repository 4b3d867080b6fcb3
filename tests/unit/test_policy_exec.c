/*
 * Policy of a process that joins a running container: the container's own process and the new one as
 * fragments of config.json, and what becomes of the new one.
 */
#include "base/cleanup.h"
#include "oci/decode.h"
#include "policy/policy.h"

#include <linux/audit.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#define CAP(name)  (UINT64_C(1) << CAP_##name)
#define SETS(caps) "'bounding':[" caps "],'effective':[" caps "],'permitted':[" caps "]"

static const struct host_facts host = {
	.initial_userns = true,
	.cap_last = 40,
	.caps = 0x1ffffffffff,
	.memory_bytes = UINT64_C(8) << 30,
	.arch = AUDIT_ARCH_X86_64,
	.id_range = 0x70000000,
	.cgroup_mode = HOST_CGROUP_V2,
};

struct run {
	struct dj_arena arena;
	struct oci_spec spec;
	struct policy_result result;
	struct donjon_error err;
	int r;
};

struct row {
	const char *own, *joining; /* members of `process` */
	enum policy_level level;
	const char *override;
	const char *refused; /* NULL: accepted, and then: */
	uint64_t bounding, inheritable;
	bool no_new_privs;
	uint64_t nofile; /* hard limit, 0: none */
};

#define HARDENED .level = POLICY_HARDENED, .no_new_privs = true

/* clang-format off */
static const struct row rows[] = {
	/* none: what is asked for, but for what can only be switched on and what is never added to */
	{ "", "", .level = POLICY_NONE },
	{ "'noNewPrivileges':true", "", .level = POLICY_NONE, .no_new_privs = true },
	{ "", "'noNewPrivileges':true", .level = POLICY_NONE, .no_new_privs = true },
	{ "", "'capabilities':{" SETS("'CAP_SYS_ADMIN'") "}", .level = POLICY_NONE, .bounding = CAP(SYS_ADMIN) },
	{ "'capabilities':{" SETS("'CAP_KILL'") "}",
	  "'capabilities':{" SETS("'CAP_KILL'") ",'inheritable':['CAP_KILL']}", .level = POLICY_NONE,
	  .bounding = CAP(KILL) },
	{ "'capabilities':{" SETS("'CAP_KILL'") ",'inheritable':['CAP_KILL']}",
	  "'capabilities':{" SETS("'CAP_KILL'") ",'inheritable':['CAP_KILL','CAP_CHOWN']}", .level = POLICY_NONE,
	  .bounding = CAP(KILL), .inheritable = CAP(KILL) },
	{ "'rlimits':[{'type':'RLIMIT_NOFILE','soft':5,'hard':10}]",
	  "'rlimits':[{'type':'RLIMIT_NOFILE','soft':50,'hard':100}]", .level = POLICY_NONE, .nofile = 100 },
	{ "", "'apparmorProfile':'unconfined'", .level = POLICY_NONE },
	/* hardened: trimmed to what the container has */
	{ "", "", HARDENED },
	{ "'capabilities':{" SETS("'CAP_KILL','CAP_CHOWN'") "}", "'capabilities':{" SETS("'CAP_KILL','CAP_CHOWN'") "}",
	  HARDENED },
	{ "'capabilities':{" SETS("'CAP_KILL','CAP_CHOWN'") "}", "'capabilities':{" SETS("'CAP_KILL','CAP_CHOWN'") "}",
	  HARDENED, .override = "caps.bounding=CAP_KILL:test", .bounding = CAP(KILL) },
	{ "'capabilities':{" SETS("'CAP_KILL'") "}", "", HARDENED, .override = "caps.bounding=CAP_KILL:test" },
	{ "'capabilities':{" SETS("'CAP_SYS_ADMIN'") "}", "'capabilities':{" SETS("'CAP_SYS_ADMIN'") "}", HARDENED,
	  .override = "caps.bounding=CAP_SYS_ADMIN:test", .bounding = CAP(SYS_ADMIN) },
	{ "", "", .level = POLICY_HARDENED, .override = "nnp.set=off:test" },
	{ "'rlimits':[{'type':'RLIMIT_NOFILE','soft':5,'hard':10}]",
	  "'rlimits':[{'type':'RLIMIT_NOFILE','soft':50,'hard':100}]", HARDENED, .nofile = 10 },
	{ "'rlimits':[{'type':'RLIMIT_NOFILE','soft':5,'hard':10}]",
	  "'rlimits':[{'type':'RLIMIT_NOFILE','soft':1,'hard':2}]", HARDENED, .nofile = 2 },
	/* hardened: what the configuration never had is refused */
	{ "'capabilities':{" SETS("'CAP_KILL'") "}", "'capabilities':{" SETS("'CAP_KILL','CAP_CHOWN'") "}", HARDENED,
	  .refused = "exec.parity: /process/capabilities asks for CAP_CHOWN" },
	{ "'capabilities':{" SETS("'CAP_KILL'") "}", "'capabilities':{" SETS("'CAP_KILL','CAP_CHOWN'") "}", HARDENED,
	  .override = "caps.bounding=CAP_CHOWN:test", .refused = "asks for CAP_CHOWN" },
	{ "", "'capabilities':{'ambient':['CAP_NET_ADMIN']}", HARDENED, .refused = "asks for CAP_NET_ADMIN" },
	{ "", "'apparmorProfile':'unconfined'", HARDENED, .refused = "lsm.confined: /process/apparmorProfile" },
	{ "", "'apparmorProfile':'mine'", HARDENED, .refused = "exec.parity: /process/apparmorProfile is mine" },
	{ "'apparmorProfile':'mine'", "'apparmorProfile':'mine'", HARDENED },
	{ "", "'apparmorProfile':'mine'", HARDENED, .override = "lsm.confined=unconfined:test" },
	{ "'selinuxLabel':'u:r:a_t:s0'", "'selinuxLabel':'u:r:b_t:s0'", HARDENED,
	  .refused = "exec.parity: /process/selinuxLabel is u:r:b_t:s0" },
};
/* clang-format on */

static char *document(struct dj_arena *arena, const char *members)
{
	char *text = dj_arena_printf(arena,
	                             "{'ociVersion':'1.0.2','root':{'path':'rootfs'},'process':{'user':"
	                             "{'uid':1000,'gid':1000},'args':['x'],'cwd':'/'%s%s},"
	                             "'linux':{'namespaces':[{'type':'mount'},{'type':'pid'}]}}",
	                             *members ? "," : "", members);

	for (char *p = text; *p; p++)
		if (*p == '\'')
			*p = '"';
	return text;
}

static void decode(struct run *run, const char *members, struct oci_spec *out)
{
	const char *text = document(&run->arena, members);

	if (oci_decode(text, strlen(text), &run->arena, out, &run->err) < 0)
		fail_msg("%s in %s", run->err.text, text);
}

static void join(struct run *run, const char *own, const char *joining, const struct policy_request *request)
{
	struct oci_spec container;

	*run = (struct run){ 0 };
	decode(run, own, &container);
	decode(run, joining, &run->spec);
	run->r = policy_apply_joining(&run->spec, &container.process, &host, request, &run->arena,
	                              &run->result, &run->err);
}

static struct policy_request request_of(const struct row *row, struct policy_override *override,
                                        struct dj_arena *arena)
{
	struct policy_request request = { .level = row->level };
	struct donjon_error err = { 0 };

	if (!row->override)
		return request;
	if (policy_override_parse(row->override, arena, override, &err) < 0)
		fail_msg("%s", err.text);
	request.overrides.v = override;
	request.overrides.n = 1;
	return request;
}

static uint64_t nofile_of(const struct oci_process *process)
{
	for (size_t i = 0; i < process->rlimits.n; i++)
		if (process->rlimits.v[i].type == RLIMIT_NOFILE)
			return process->rlimits.v[i].hard;
	return 0;
}

static void assert_row(size_t index, const struct row *row, const struct run *run)
{
	const struct oci_process *process = &run->spec.process;

	if (row->refused) {
		if (run->r == 0 || run->err.code != DONJON_E_REFUSED || !strstr(run->err.text, row->refused))
			fail_msg("row %zu: not refused with \"%s\": %s", index, row->refused, run->err.text);
		return;
	}
	if (run->r < 0)
		fail_msg("row %zu: %s", index, run->err.text);
	if (process->capabilities.bounding != row->bounding ||
	    (process->capabilities.effective | process->capabilities.permitted) & ~row->bounding)
		fail_msg("row %zu: bounding set %llx", index,
		         (unsigned long long)process->capabilities.bounding);
	if (process->capabilities.inheritable != row->inheritable ||
	    process->capabilities.ambient & ~row->inheritable)
		fail_msg("row %zu: inheritable set %llx", index,
		         (unsigned long long)process->capabilities.inheritable);
	if (process->no_new_privileges != row->no_new_privs)
		fail_msg("row %zu: no_new_privs", index);
	if (nofile_of(process) != row->nofile)
		fail_msg("row %zu: limit %llu", index, (unsigned long long)nofile_of(process));
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		struct policy_override override = { 0 };
		struct dj_arena arena = { 0 };
		struct policy_request request = request_of(&rows[i], &override, &arena);
		struct run run;

		join(&run, rows[i].own, rows[i].joining, &request);
		assert_row(i, &rows[i], &run);
		dj_arena_done(&run.arena);
		dj_arena_done(&arena);
	}
}

/* The same filters as the container's: which ones are settings, not members of the spec. */
static void test_settings(void **state)
{
	struct policy_request request = { .level = POLICY_HARDENED };
	struct run run;

	(void)state;
	join(&run, "", "", &request);
	assert_int_equal(run.r, 0);
	assert_true(run.result.settings.guard_filter && run.result.settings.builtin_seccomp &&
	            run.result.settings.deny_spec_allow && run.result.settings.chown_pipes);
	dj_arena_done(&run.arena);
	request.level = POLICY_NONE;
	join(&run, "", "", &request);
	assert_false(run.result.settings.guard_filter || run.result.settings.builtin_seccomp);
	dj_arena_done(&run.arena);
}

/* Nothing of the container itself is judged again. */
static void test_only_the_process_is_judged(void **state)
{
	static const char *const own_rows[] = { "exec.parity", "caps.", "nnp.", "seccomp.", "lsm.", "res.core" };
	struct policy_request request = { .level = POLICY_HARDENED };
	struct run run;

	(void)state;
	join(&run, "", "", &request);
	for (size_t i = 0; i < run.result.changes.n; i++) {
		bool known = false;

		for (size_t k = 0; k < DJ_COUNT(own_rows); k++)
			known |= strncmp(run.result.changes.v[i].check, own_rows[k], strlen(own_rows[k])) == 0;
		assert_true(known);
	}
	dj_arena_done(&run.arena);
}

/* What create recorded is what exec reads. */
static void test_decided(void **state)
{
	struct policy_override overrides[] = {
		{ .check = "caps.bounding", .value = (char[]){ "CAP_KILL" }, .reason = (char[]){ "a b" },
		  .source = POLICY_FROM_FILE },
		{ .check = "nnp.set", .value = (char[]){ "off" }, .reason = (char[]){ "c" },
		  .source = POLICY_FROM_COMMAND_LINE },
	};
	struct policy_result result = { .asked = POLICY_NONE, .in_force = POLICY_HARDENED };
	struct policy_request request = { 0 };
	struct donjon_error err = { 0 };
	struct dj_arena arena = { 0 };
	char *text;

	(void)state;
	result.overrides.v = overrides;
	result.overrides.n = DJ_COUNT(overrides);
	text = policy_result_json(&result, &arena);
	assert_int_equal(policy_decided_decode(text, strlen(text), &arena, &request, &err), 0);
	assert_int_equal(request.level, POLICY_HARDENED);
	assert_int_equal(request.overrides.n, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(request.overrides.v[i].check, overrides[i].check);
		assert_string_equal(request.overrides.v[i].value, overrides[i].value);
		assert_string_equal(request.overrides.v[i].reason, overrides[i].reason);
		assert_int_equal(request.overrides.v[i].source, overrides[i].source);
	}
	dj_arena_done(&arena);
}

/* A record that is damaged must not pass for one without overrides, or of another level. */
static void test_damaged_records(void **state)
{
	static const char *const damaged[] = {
		"",
		"{}",
		"[]",
		"{\"level\":\"nope\"}",
		"{\"level\":3}",
		"{\"level\":\"hardened\"}",
		"{\"level\":\"hardened\",\"overrides\":[{}]}",
		"{\"level\":\"hardened\",\"overrides\":[{\"check\":\"x\",\"value\":\"y\",\"reason\":\"z\",\"source\":\"default\"}]}",
		"{\"level\":\"hardened\",\"overrides\":[{\"check\":\"nnp.set\",\"value\":\"off\",\"reason\":\"z\",\"source\":\"me\"}]}",
	};

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(damaged); i++) {
		struct policy_request request = { 0 };
		struct donjon_error err = { 0 };
		struct dj_arena arena = { 0 };

		if (policy_decided_decode(damaged[i], strlen(damaged[i]), &arena, &request, &err) == 0)
			fail_msg("accepted: %s", damaged[i]);
		dj_arena_done(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_only_the_process_is_judged),
		cmocka_unit_test(test_decided),
		cmocka_unit_test(test_damaged_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
