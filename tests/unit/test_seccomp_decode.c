#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "oci.h"
#include "oci/names.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>

enum { CHOWN = 1 << 0, SYS_ADMIN = 1 << 21 };

static void read_profile(const char *text, uint64_t capabilities, struct dj_arena *arena,
                         struct oci_seccomp *out)
{
	struct donjon_error err = { 0 };

	if (oci_decode_seccomp(text, strlen(text), capabilities, arena, out, &err) < 0)
		fail_msg("%s: %s", text, err.text);
}

static void reads_the_specifications_form(void **state)
{
	struct dj_arena arena = { 0 };
	struct oci_seccomp s;

	(void)state;
	read_profile(
	        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,\"architectures\":["
	        "\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X32\",\"SCMP_ARCH_AARCH64\"],\"flags\":["
	        "\"SECCOMP_FILTER_FLAG_LOG\",\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"],"
	        "\"syscalls\":["
	        "{\"names\":[\"clone\",\"future_call\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":["
	        "{\"index\":0,\"value\":18446744073709551615,\"valueTwo\":9223372036854775808,"
	        "\"op\":\"SCMP_CMP_MASKED_EQ\"},{\"index\":5,\"value\":0,\"op\":\"SCMP_CMP_NE\"}]},"
	        "{\"names\":[\"kexec_load\"],\"action\":\"SCMP_ACT_KILL_PROCESS\"}],"
	        "\"listenerPath\":\"/s\",\"listenerMetadata\":\"m\"}",
	        0, &arena, &s);
	assert_true(s.set && s.flags_set && s.default_errno.set);
	assert_int_equal(s.default_action, OCI_ACT_ERRNO);
	assert_int_equal(s.default_errno.v, 38);
	assert_int_equal(s.architectures.n, 3);
	assert_int_equal(s.architectures.v[0], AUDIT_ARCH_X86_64);
	assert_int_equal(s.architectures.v[1], OCI_ARCH_X32);
	assert_int_equal(s.architectures.v[2], AUDIT_ARCH_AARCH64);
	assert_int_equal(s.flags, SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
	assert_int_equal(s.rules.n, 2);
	assert_string_equal(s.rules.v[0].names.v[1], "future_call");
	assert_false(s.rules.v[0].errno_ret.set);
	assert_true(s.rules.v[0].args.v[0].value == UINT64_MAX);
	assert_true(s.rules.v[0].args.v[0].value_two == UINT64_C(1) << 63);
	assert_int_equal(s.rules.v[0].args.v[0].op, OCI_OP_MASKED_EQ);
	assert_int_equal(s.rules.v[0].args.v[1].index, 5);
	assert_int_equal(s.rules.v[1].action, OCI_ACT_KILL_PROCESS);
	assert_string_equal(s.listener_path, "/s");
	assert_string_equal(s.listener_metadata, "m");
	dj_arena_done(&arena);
}

/* The same object inside config.json, and flags: absent, empty, given (P89). */
static void tells_empty_flags_from_absent_ones(void **state)
{
	static const struct {
		const char *text;
		bool set;
		uint32_t flags;
	} cases[] = {
		{ SECCOMP(""), false, 0 },
		{ SECCOMP(",\"flags\":null"), false, 0 },
		{ SECCOMP(",\"flags\":[]"), true, 0 },
		{ SECCOMP(",\"flags\":[\"SECCOMP_FILTER_FLAG_TSYNC\",\"SECCOMP_FILTER_FLAG_SPEC_"
		          "ALLOW\"]"),
		  true, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW },
	};

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(cases); i++) {
		struct donjon_error err = { 0 };
		struct dj_arena arena = { 0 };
		struct oci_spec spec;

		assert_int_equal(
		        oci_decode(cases[i].text, strlen(cases[i].text), &arena, &spec, &err), 0);
		assert_int_equal(spec.linux.seccomp.flags_set, cases[i].set);
		assert_int_equal(spec.linux.seccomp.flags, cases[i].flags);
		dj_arena_done(&arena);
	}
}

/* ---- words ---- */

#define PROFILE(action, op, arch)                                                                  \
	"{\"defaultAction\":\"" action "\",\"architectures\":[\"" arch "\"],\"syscalls\":[{"       \
	"\"names\":[\"a\"],\"action\":\"" action                                                   \
	"\",\"args\":[{\"index\":0,\"value\":0,\"op\":\"" op "\"}]}]}"

static void reads_actions(void **state)
{
	static const struct {
		const char *name;
		enum oci_seccomp_action action;
	} cases[] = {
		{ "KILL", OCI_ACT_KILL_THREAD },
		{ "KILL_THREAD", OCI_ACT_KILL_THREAD },
		{ "KILL_PROCESS", OCI_ACT_KILL_PROCESS },
		{ "TRAP", OCI_ACT_TRAP },
		{ "ERRNO", OCI_ACT_ERRNO },
		{ "TRACE", OCI_ACT_TRACE },
		{ "ALLOW", OCI_ACT_ALLOW },
		{ "LOG", OCI_ACT_LOG },
		{ "NOTIFY", OCI_ACT_NOTIFY },
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(cases); i++) {
		struct dj_arena arena = { 0 };
		struct oci_seccomp s;

		(void)snprintf(
		        text, sizeof(text),
		        "{\"defaultAction\":\"SCMP_ACT_%s\",\"syscalls\":[{\"names\":[\"a\"],"
		        "\"action\":\"SCMP_ACT_%s\"}]}",
		        cases[i].name, cases[i].name);
		read_profile(text, 0, &arena, &s);
		assert_int_equal(s.default_action, cases[i].action);
		assert_int_equal(s.rules.v[0].action, cases[i].action);
		dj_arena_done(&arena);
	}
}

static void reads_operators(void **state)
{
	static const struct {
		const char *name;
		enum oci_seccomp_op op;
	} cases[] = {
		{ "NE", OCI_OP_NE },
		{ "LT", OCI_OP_LT },
		{ "LE", OCI_OP_LE },
		{ "EQ", OCI_OP_EQ },
		{ "GE", OCI_OP_GE },
		{ "GT", OCI_OP_GT },
		{ "MASKED_EQ", OCI_OP_MASKED_EQ },
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(cases); i++) {
		struct dj_arena arena = { 0 };
		struct oci_seccomp s;

		(void)snprintf(text, sizeof(text),
		               PROFILE("SCMP_ACT_LOG", "SCMP_CMP_%s", "SCMP_ARCH_X86"),
		               cases[i].name);
		read_profile(text, 0, &arena, &s);
		assert_int_equal(s.rules.v[0].args.v[0].op, cases[i].op);
		dj_arena_done(&arena);
	}
}

static void reads_architectures(void **state)
{
	static const struct {
		const char *name;
		uint32_t arch;
	} cases[] = {
		{ "X86", AUDIT_ARCH_I386 },
		{ "X86_64", AUDIT_ARCH_X86_64 },
		{ "X32", OCI_ARCH_X32 },
		{ "ARM", AUDIT_ARCH_ARM },
		{ "AARCH64", AUDIT_ARCH_AARCH64 },
		{ "MIPS", AUDIT_ARCH_MIPS },
		{ "MIPS64", AUDIT_ARCH_MIPS64 },
		{ "MIPS64N32", AUDIT_ARCH_MIPS64N32 },
		{ "MIPSEL", AUDIT_ARCH_MIPSEL },
		{ "MIPSEL64", AUDIT_ARCH_MIPSEL64 },
		{ "MIPSEL64N32", AUDIT_ARCH_MIPSEL64N32 },
		{ "PPC", AUDIT_ARCH_PPC },
		{ "PPC64", AUDIT_ARCH_PPC64 },
		{ "PPC64LE", AUDIT_ARCH_PPC64LE },
		{ "S390", AUDIT_ARCH_S390 },
		{ "S390X", AUDIT_ARCH_S390X },
		{ "PARISC", AUDIT_ARCH_PARISC },
		{ "PARISC64", AUDIT_ARCH_PARISC64 },
		{ "RISCV64", AUDIT_ARCH_RISCV64 },
		{ "LOONGARCH64", AUDIT_ARCH_LOONGARCH64 },
		{ "M68K", AUDIT_ARCH_M68K },
		{ "SH", AUDIT_ARCH_SHEL },
		{ "SHEB", AUDIT_ARCH_SH },
	};
	char text[512];

	(void)state;
	assert_int_equal(oci_arch_words.n, DJ_COUNT(cases));
	for (size_t i = 0; i < DJ_COUNT(cases); i++) {
		struct dj_arena arena = { 0 };
		struct oci_seccomp s;

		(void)snprintf(text, sizeof(text),
		               PROFILE("SCMP_ACT_LOG", "SCMP_CMP_EQ", "SCMP_ARCH_%s"),
		               cases[i].name);
		read_profile(text, 0, &arena, &s);
		assert_int_equal(s.architectures.v[0], cases[i].arch);
		dj_arena_done(&arena);
	}
}

/* ---- Docker's and podman's form ---- */

static void resolves_names_of_errnos(void **state)
{
	struct dj_arena arena = { 0 };
	struct oci_seccomp s;

	(void)state;
	read_profile(
	        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrno\":\"ENOSYS\","
	        "\"defaultErrnoRet\":1,\"syscalls\":[{\"names\":[\"bdflush\"],\"name\":\"old\","
	        "\"action\":\"SCMP_ACT_ERRNO\",\"errno\":\"EPERM\",\"errnoRet\":38,\"comment\":"
	        "\"x\"},"
	        "{\"names\":[\"b\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":7,\"errno\":\"\"}]}",
	        0, &arena, &s);
	assert_true(s.default_errno.set);
	assert_int_equal(s.default_errno.v, ENOSYS);
	assert_int_equal(s.rules.v[0].errno_ret.v, EPERM);
	assert_int_equal(s.rules.v[0].names.n, 2);
	assert_string_equal(s.rules.v[0].names.v[1], "old");
	assert_null(s.rules.v[0].names.v[2]);
	assert_int_equal(s.rules.v[1].errno_ret.v, 7);
	dj_arena_done(&arena);
}

/* Which rule a condition leaves; NATIVE is this machine's name. */
#if defined(__x86_64__)
#define NATIVE       "\"amd64\""
#define NATIVE_ARCH  "SCMP_ARCH_X86_64"
#define NATIVE_AUDIT AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE       "\"arm64\""
#define NATIVE_ARCH  "SCMP_ARCH_AARCH64"
#define NATIVE_AUDIT AUDIT_ARCH_AARCH64
#endif

static void decides_conditions(void **state)
{
	static const struct {
		const char *includes, *excludes;
		uint64_t capabilities;
		bool applies;
	} cases[] = {
		{ "{}", "{}", 0, true },
		{ "null", "null", 0, true },
		{ "{\"caps\":[\"CAP_SYS_ADMIN\"]}", "{}", 0, false },
		{ "{\"caps\":[\"CAP_SYS_ADMIN\"]}", "{}", SYS_ADMIN, true },
		{ "{\"caps\":[\"CAP_SYS_ADMIN\",\"CAP_CHOWN\"]}", "{}", SYS_ADMIN, false },
		{ "{\"caps\":[\"CAP_SYS_ADMIN\",\"CAP_CHOWN\"]}", "{}", SYS_ADMIN | CHOWN, true },
		{ "{\"caps\":[\"CAP_NO_SUCH\"]}", "{}", UINT64_MAX, false },
		{ "{}", "{\"caps\":[\"CAP_SYS_ADMIN\"]}", 0, true },
		{ "{}", "{\"caps\":[\"CAP_SYS_ADMIN\"]}", SYS_ADMIN, false },
		{ "{}", "{\"caps\":[\"CAP_CHOWN\",\"CAP_SYS_ADMIN\"]}", SYS_ADMIN, false },
		{ "{}", "{\"caps\":[\"CAP_NO_SUCH\"]}", UINT64_MAX, true },
		{ "{\"arches\":[\"s390\",\"z80\"]}", "{}", 0, false },
		{ "{\"arches\":[\"z80\"," NATIVE "]}", "{}", 0, true },
		{ "{}", "{\"arches\":[" NATIVE "]}", 0, false },
		{ "{}", "{\"arches\":[\"z80\"]}", 0, true },
		{ "{\"minKernel\":\"4.8\"}", "{}", 0, true },
		{ "{\"minKernel\":\"999.0\"}", "{}", 0, false },
		{ "{\"minKernel\":\"\"}", "{}", 0, true },
		{ "{}", "{\"minKernel\":\"4.8\"}", 0, false },
		{ "{}", "{\"minKernel\":\"999.0\"}", 0, true },
		{ "{\"caps\":[\"CAP_SYS_ADMIN\"],\"arches\":[\"z80\"]}", "{}", SYS_ADMIN, false },
	};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(cases); i++) {
		struct dj_arena arena = { 0 };
		struct oci_seccomp s;

		(void)snprintf(
		        text, sizeof(text),
		        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"a\"],"
		        "\"action\":\"SCMP_ACT_ALLOW\",\"includes\":%s,\"excludes\":%s},"
		        "{\"names\":[\"b\"],\"action\":\"SCMP_ACT_ALLOW\"}]}",
		        cases[i].includes, cases[i].excludes);
		read_profile(text, cases[i].capabilities, &arena, &s);
		if (s.rules.n != (cases[i].applies ? 2 : 1))
			fail_msg("%s", text);
		assert_string_equal(s.rules.v[s.rules.n - 1].names.v[0], "b");
		dj_arena_done(&arena);
	}
}

static void picks_the_native_architecture(void **state)
{
	struct dj_arena arena = { 0 };
	struct oci_seccomp s;

	(void)state;
	read_profile("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"archMap\":[{\"architecture\":"
	             "\"SCMP_ARCH_S390X\",\"subArchitectures\":[\"SCMP_ARCH_S390\"]},{"
	             "\"architecture\":\"" NATIVE_ARCH
	             "\",\"subArchitectures\":[\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\"]}]}",
	             0, &arena, &s);
	assert_int_equal(s.architectures.n, 3);
	assert_int_equal(s.architectures.v[0], NATIVE_AUDIT);
	assert_int_equal(s.architectures.v[1], AUDIT_ARCH_I386);
	assert_int_equal(s.architectures.v[2], OCI_ARCH_X32);
	dj_arena_done(&arena);
}

/* ---- what is refused ---- */

static void refuses(void **state)
{
	static const struct refused refused[] = {
		{ "[]", "must be an object, is a list" },
		{ "{}", "defaultAction: missing" },
		{ "{\"defaultAction\":\"ALLOW\"}",
		  "defaultAction: unknown seccomp action \"ALLOW\"" },
		{ "{\"defaultAction\":\"SCMP_ACT_LOG\",\"syscalls\":[{}]}",
		  "syscalls[0].action: missing" },
		{ "{\"defaultAction\":\"SCMP_ACT_LOG\",\"DefaultErrno\":\"EPERM\"}",
		  "DefaultErrno: unknown property, \"defaultErrno\" is meant" },
		{ "{\"defaultAction\":\"SCMP_ACT_LOG\",\"defaultErrno\":\"EFOO\"}",
		  "defaultErrno: unknown errno \"EFOO\"" },
		{ "{\"defaultAction\":\"SCMP_ACT_LOG\",\"syscalls\":[{\"name\":\"a\",\"action\":"
		  "\"SCMP_ACT_LOG\"},{\"name\":\"b\",\"action\":\"SCMP_ACT_ERRNO\",\"errno\":\"x\"}"
		  "]}",
		  "syscalls[1].errno: unknown errno \"x\"" },
		{ "{\"defaultAction\":\"SCMP_ACT_LOG\",\"architectures\":[\"SCMP_ARCH_X86\"],"
		  "\"archMap\":["
		  "{\"architecture\":\"SCMP_ARCH_X86\"}]}",
		  "archMap: architectures are given, too" },
		{ "{\"defaultAction\":\"SCMP_ACT_LOG\",\"archMap\":[{\"architecture\":\"X\"}]}",
		  "archMap[0].architecture: unknown seccomp architecture \"X\"" },
		{ "{\"defaultAction\":\"SCMP_ACT_LOG\",\"syscalls\":[{\"name\":\"a\",\"action\":"
		  "\"SCMP_ACT_LOG\",\"includes\":{\"caps\":\"CAP_CHOWN\"}}]}",
		  "syscalls[0].includes.caps: must be a list, is a string" },
		{ "{\"defaultAction\":\"SCMP_ACT_LOG\",\"syscalls\":[{\"name\":\"a\",\"action\":"
		  "\"SCMP_ACT_LOG\",\"excludes\":{\"minKernel\":\"4\"}}]}",
		  "syscalls[0].excludes.minKernel: must be a kernel version like 4.8" },
		{ "{\"defaultAction\":\"SCMP_ACT_LOG\",\"syscalls\":[{\"name\":\"a\",\"action\":"
		  "\"SCMP_ACT_LOG\",\"includes\":{\"minKernel\":\"4.8x\"}}]}",
		  "syscalls[0].includes.minKernel: must be a kernel version like 4.8" },
	};

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(refused); i++) {
		struct donjon_error err = { 0 };
		struct dj_arena arena = { 0 };
		struct oci_seccomp s;

		if (oci_decode_seccomp(refused[i].text, strlen(refused[i].text), 0, &arena, &s,
		                       &err) == 0)
			fail_msg("accepted: %s", refused[i].text);
		assert_int_equal(err.code, DONJON_E_CONFIG);
		assert_string_equal(err.text, refused[i].message);
		dj_arena_done(&arena);
	}
}

/* podman's own profile, where the host has one. */
static void reads_the_hosts_profile(void **state)
{
	static char text[1 << 20];
	size_t n = read_whole("/usr/share/containers/seccomp.json", text, sizeof(text));
	struct donjon_error err = { 0 };
	struct dj_arena arena = { 0 };
	struct oci_seccomp few, all;

	(void)state;
	if (n == 0)
		return;
	if (oci_decode_seccomp(text, n, 0, &arena, &few, &err) < 0 ||
	    oci_decode_seccomp(text, n, UINT64_MAX, &arena, &all, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(few.default_errno.v, ENOSYS);
	assert_true(few.architectures.n > 0);
	assert_true(few.rules.n > 1 && all.rules.n > few.rules.n / 2);
	dj_arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_specifications_form),
		cmocka_unit_test(tells_empty_flags_from_absent_ones),
		cmocka_unit_test(reads_actions),
		cmocka_unit_test(reads_operators),
		cmocka_unit_test(reads_architectures),
		cmocka_unit_test(resolves_names_of_errnos),
		cmocka_unit_test(decides_conditions),
		cmocka_unit_test(picks_the_native_architecture),
		cmocka_unit_test(refuses),
		cmocka_unit_test(reads_the_hosts_profile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
