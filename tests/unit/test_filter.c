/*
 * Truth tables of compiled filters, by simulation: against rows that say what must come out, and
 * against a model that applies the rules one by one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "filter_fixture.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static const uint64_t no_args[6];

/* ---- operators ---- */

static bool holds(enum oci_seccomp_op op, uint64_t arg, uint64_t value, uint64_t two)
{
	switch (op) {
	case OCI_OP_NE:
		return arg != value;
	case OCI_OP_LT:
		return arg < value;
	case OCI_OP_LE:
		return arg <= value;
	case OCI_OP_EQ:
		return arg == value;
	case OCI_OP_GE:
		return arg >= value;
	case OCI_OP_GT:
		return arg > value;
	case OCI_OP_MASKED_EQ:
		return (arg & value) == (two & value);
	case OCI_OP_COUNT:
		break;
	}
	return false;
}

static void check_operator(uint32_t arch, enum oci_seccomp_op op, uint32_t index, uint64_t value,
                           uint64_t two)
{
	dj_auto_arena struct dj_arena arena = { 0 };
	const struct made_rule rule = { .names = { "read" },
		                        .action = OCI_ACT_ALLOW,
		                        .n_args = 1,
		                        .args = { { index, value, two, op } } };
	struct filter_options options =
	        filter_options_for_bundle(arch == OCI_ARCH_X32 ? AUDIT_ARCH_X86_64 : arch);
	struct filter_program program;
	struct oci_seccomp profile;

	make_profile(&arena, OCI_ACT_ERRNO, &rule, 1, &profile);
	list_archs(&profile, &arena, &arch, 1);
	program = compile(&profile, &options, &arena);
	for (size_t i = 0; i < DJ_COUNT(corner_values); i++) {
		uint64_t args[6] = { 3, 3, 3, 3, 3, 3 };
		uint64_t seen = corner_values[i];
		uint32_t want;

		args[index] = corner_values[i];
		if (syscall_arch_is_narrow(arch))
			seen = (uint32_t)seen;
		want = holds(op, seen, value, two) ? ALLOW : REFUSE(EPERM);
		if (verdict(&program, arch, number_of(arch, "read"), args) != want)
			fail_msg("arch %#x op %d args[%u] %#llx against %#llx, %#llx", arch, op,
			         index, (unsigned long long)args[index], (unsigned long long)value,
			         (unsigned long long)two);
	}
}

static void test_operators(void **state)
{
	/* 64-bit, 32-bit, 32-bit arguments in 64-bit registers, big-endian. */
	static const uint32_t archs[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, OCI_ARCH_X32,
		                          AUDIT_ARCH_S390X };

	(void)state;
	for (size_t a = 0; a < DJ_COUNT(archs); a++)
		for (int op = 0; op < OCI_OP_COUNT; op++)
			for (size_t i = 0; i < DJ_COUNT(corner_values); i++)
				for (uint32_t index = 0; index < 6; index += 5)
					check_operator(archs[a], (enum oci_seccomp_op)op, index,
					               corner_values[i],
					               corner_values[(i * 5 + 3) %
					                             DJ_COUNT(corner_values)]);
}

/* ---- actions ---- */

static void test_actions(void **state)
{
	static const struct {
		enum oci_seccomp_action action;
		int errno_ret;
		uint32_t want;
	} rows[] = {
		{ OCI_ACT_KILL_THREAD, 0, SECCOMP_RET_KILL_THREAD },
		{ OCI_ACT_KILL_PROCESS, 0, SECCOMP_RET_KILL_PROCESS },
		{ OCI_ACT_TRAP, 0, SECCOMP_RET_TRAP },
		{ OCI_ACT_ERRNO, 0, REFUSE(EPERM) },
		{ OCI_ACT_ERRNO, 4095, REFUSE(4095) },
		{ OCI_ACT_TRACE, 0, SECCOMP_RET_TRACE | EPERM },
		{ OCI_ACT_TRACE, 0xffff, SECCOMP_RET_TRACE | 0xffff },
		{ OCI_ACT_ALLOW, 0, ALLOW },
		{ OCI_ACT_LOG, 0, SECCOMP_RET_LOG },
		{ OCI_ACT_NOTIFY, 0, SECCOMP_RET_USER_NOTIF },
	};
	const struct filter_options options = filter_options_for_bundle(AUDIT_ARCH_X86_64);

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		dj_auto_arena struct dj_arena arena = { 0 };
		const struct made_rule rule = { .names = { "read" },
			                        .action = rows[i].action,
			                        .errno_ret = rows[i].errno_ret };
		struct filter_program program;
		struct oci_seccomp profile;

		make_profile(&arena, OCI_ACT_ALLOW, &rule, 1, &profile);
		program = compile(&profile, &options, &arena);
		assert_int_equal(verdict(&program, AUDIT_ARCH_X86_64, 0, no_args), rows[i].want);
		assert_int_equal(verdict(&program, AUDIT_ARCH_X86_64, 1, no_args), ALLOW);
		assert_int_equal(program.notifies, rows[i].action == OCI_ACT_NOTIFY);
	}
}

static void test_default_actions(void **state)
{
	static const struct {
		enum oci_seccomp_action action;
		uint32_t want,
		        above; /* a call the profile does not name; one newer than all it names */
	} rows[] = {
		{ OCI_ACT_KILL_THREAD, SECCOMP_RET_KILL_THREAD, REFUSE(ENOSYS) },
		{ OCI_ACT_KILL_PROCESS, SECCOMP_RET_KILL_PROCESS, REFUSE(ENOSYS) },
		{ OCI_ACT_TRAP, SECCOMP_RET_TRAP, REFUSE(ENOSYS) },
		{ OCI_ACT_ERRNO, REFUSE(EPERM), REFUSE(ENOSYS) },
		{ OCI_ACT_TRACE, SECCOMP_RET_TRACE | EPERM, SECCOMP_RET_TRACE | EPERM },
		{ OCI_ACT_ALLOW, ALLOW, ALLOW },
		{ OCI_ACT_LOG, SECCOMP_RET_LOG, SECCOMP_RET_LOG },
	};
	const struct made_rule rule = { .names = { "read", "getpid" }, .action = OCI_ACT_LOG };
	struct filter_options options = filter_options_for_bundle(AUDIT_ARCH_X86_64);

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		dj_auto_arena struct dj_arena arena = { 0 };
		struct filter_program program;
		struct oci_seccomp profile;

		make_profile(&arena, rows[i].action, &rule, 1, &profile);
		options.enosys_above_table = true;
		program = compile(&profile, &options, &arena);
		assert_int_equal(verdict(&program, AUDIT_ARCH_X86_64, 1, no_args), rows[i].want);
		assert_int_equal(verdict(&program, AUDIT_ARCH_X86_64, 39, no_args),
		                 SECCOMP_RET_LOG);
		assert_int_equal(verdict(&program, AUDIT_ARCH_X86_64, 40, no_args), rows[i].above);
		assert_int_equal(verdict(&program, AUDIT_ARCH_X86_64, 1000, no_args),
		                 rows[i].above);
		options.enosys_above_table = false;
		program = compile(&profile, &options, &arena);
		assert_int_equal(verdict(&program, AUDIT_ARCH_X86_64, 1000, no_args), rows[i].want);
	}
}

static void test_refused_profiles(void **state)
{
	/* clang-format off */
	static const struct {
		enum oci_seccomp_action fallback;
		struct made_rule rule;
		const char *text;
	} rows[] = {
		{ OCI_ACT_NOTIFY,
		  { .names = { "read" }, .action = OCI_ACT_ALLOW },
		  "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be the default" },
		{ OCI_ACT_ALLOW,
		  { .names = { "read" }, .action = OCI_ACT_ERRNO, .errno_ret = 4096 },
		  "linux.seccomp.syscalls[0]: errnoRet 4096: at most 4095" },
		{ OCI_ACT_ALLOW,
		  { .names = { "read" }, .action = OCI_ACT_ERRNO, .n_args = 1,
		    .args = { { .index = 6, .op = OCI_OP_EQ } } },
		  "linux.seccomp.syscalls[0]: args[0].index 6: a system call has arguments 0 to 5" },
	};
	/* clang-format on */
	const struct filter_options options = filter_options_for_bundle(AUDIT_ARCH_X86_64);

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		dj_auto_arena struct dj_arena arena = { 0 };
		struct filter_program program = { 0 };
		struct donjon_error err = { 0 };
		struct oci_seccomp profile;

		make_profile(&arena, rows[i].fallback, &rows[i].rule, 1, &profile);
		assert_int_equal(filter_compile(&profile, &options, &arena, &program, &err), -1);
		assert_int_equal(err.code, DONJON_E_CONFIG);
		assert_string_equal(err.text, rows[i].text);
		assert_null(program.v);
	}
}

/* ---- several rules for one call ---- */

#define ARG(i, v, o)                                                                               \
	{                                                                                          \
		.index = (i), .value = (v), .op = OCI_OP_##o                                       \
	}

static void test_strictest_rule_decides(void **state)
{
	/* The order of the rules never matters but for two of the same action. */
	/* clang-format off */
	static const struct {
		const char *what;
		enum oci_seccomp_action fallback;
		struct made_rule rules[3];
		size_t n;
		uint32_t want[3]; /* for argument 0 = 1, 2, 3 */
	} rows[] = {
		{ "a refusal among permissions (libseccomp drops it)", OCI_ACT_ERRNO,
		  { { { "socket" }, OCI_ACT_ALLOW },
		    { { "socket" }, OCI_ACT_ERRNO, EACCES, { ARG(0, 2, EQ) }, 1 } }, 2,
		  { ALLOW, REFUSE(EACCES), ALLOW } },
		{ "a refusal equal to the default (B22: peers skip it)", OCI_ACT_ERRNO,
		  { { { "socket" }, OCI_ACT_ALLOW },
		    { { "socket" }, OCI_ACT_ERRNO, 0, { ARG(0, 2, EQ) }, 1 } }, 2,
		  { ALLOW, REFUSE(EPERM), ALLOW } },
		{ "unconditional both: the refusal", OCI_ACT_ALLOW,
		  { { { "socket" }, OCI_ACT_ALLOW }, { { "socket" }, OCI_ACT_ERRNO } }, 2,
		  { REFUSE(EPERM), REFUSE(EPERM), REFUSE(EPERM) } },
		{ "an unconditional refusal leaves nothing to allow", OCI_ACT_ALLOW,
		  { { { "socket" }, OCI_ACT_ALLOW, 0, { ARG(0, 1, EQ) }, 1 },
		    { { "socket" }, OCI_ACT_TRAP } }, 2,
		  { SECCOMP_RET_TRAP, SECCOMP_RET_TRAP, SECCOMP_RET_TRAP } },
		{ "overlapping conditions", OCI_ACT_ERRNO,
		  { { { "socket" }, OCI_ACT_ALLOW, 0, { ARG(0, 2, LE) }, 1 },
		    { { "socket" }, OCI_ACT_KILL_PROCESS, 0, { ARG(0, 2, GE) }, 1 } }, 2,
		  { ALLOW, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_PROCESS } },
		{ "process before thread", OCI_ACT_ALLOW,
		  { { { "socket" }, OCI_ACT_KILL_THREAD }, { { "socket" }, OCI_ACT_KILL_PROCESS } }, 2,
		  { SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_PROCESS } },
		{ "two errnos: the first", OCI_ACT_ALLOW,
		  { { { "socket" }, OCI_ACT_ERRNO, EACCES }, { { "socket" }, OCI_ACT_ERRNO, EINVAL } }, 2,
		  { REFUSE(EACCES), REFUSE(EACCES), REFUSE(EACCES) } },
		{ "log, trace, notify: notify", OCI_ACT_ALLOW,
		  { { { "socket" }, OCI_ACT_LOG }, { { "socket" }, OCI_ACT_TRACE },
		    { { "socket" }, OCI_ACT_NOTIFY, 0, { ARG(0, 2, EQ) }, 1 } }, 3,
		  { SECCOMP_RET_TRACE | EPERM, SECCOMP_RET_USER_NOTIF, SECCOMP_RET_TRACE | EPERM } },
		{ "conditions of one rule: and", OCI_ACT_ERRNO,
		  { { { "socket" }, OCI_ACT_ALLOW, 0, { ARG(0, 2, GE), ARG(1, 0, EQ) }, 2 },
		    { { "socket" }, OCI_ACT_ALLOW, 0, { ARG(0, 3, EQ), ARG(1, 1, EQ) }, 2 } }, 2,
		  { REFUSE(EPERM), ALLOW, ALLOW } },
		{ "one argument twice: or (P94)", OCI_ACT_ERRNO,
		  { { { "socket" }, OCI_ACT_ALLOW, 0, { ARG(0, 1, EQ), ARG(0, 3, EQ) }, 2 } }, 1,
		  { ALLOW, REFUSE(EPERM), ALLOW } },
		{ "one argument twice beside another: or for all three (as runc)", OCI_ACT_ERRNO,
		  { { { "socket" }, OCI_ACT_ALLOW, 0,
		      { ARG(0, 1, EQ), ARG(0, 3, EQ), ARG(1, 7, EQ) }, 3 } }, 1,
		  { ALLOW, REFUSE(EPERM), ALLOW } },
		{ "the same rule again", OCI_ACT_ERRNO,
		  { { { "socket", "socket" }, OCI_ACT_ALLOW }, { { "socket" }, OCI_ACT_ALLOW } }, 2,
		  { ALLOW, ALLOW, ALLOW } },
	};
	/* clang-format on */
	const struct filter_options options = filter_options_for_bundle(AUDIT_ARCH_X86_64);

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		dj_auto_arena struct dj_arena arena = { 0 };
		struct filter_program program;
		struct oci_seccomp profile;

		make_profile(&arena, rows[i].fallback, rows[i].rules, rows[i].n, &profile);
		program = compile(&profile, &options, &arena);
		for (uint64_t a0 = 1; a0 <= 3; a0++)
			if (named_verdict(&program, AUDIT_ARCH_X86_64, "socket", a0, 0, 0) !=
			    rows[i].want[a0 - 1])
				fail_msg("%s: argument %llu", rows[i].what, (unsigned long long)a0);
	}
}

static void test_unmatched_arguments(void **state)
{
	dj_auto_arena struct dj_arena arena = { 0 };
	const struct made_rule rule = { { "socket" }, OCI_ACT_ALLOW, 0, { ARG(0, 1, EQ) }, 1 };
	struct filter_options options = filter_options_for_builtin(AUDIT_ARCH_X86_64);
	struct filter_program program;
	struct oci_seccomp profile;

	(void)state;
	make_profile(&arena, OCI_ACT_ERRNO, &rule, 1, &profile);
	profile.default_errno.set = true;
	profile.default_errno.v = ENOSYS;
	program = compile(&profile, &options, &arena);
	assert_int_equal(named_verdict(&program, AUDIT_ARCH_X86_64, "socket", 1, 0, 0), ALLOW);
	assert_int_equal(named_verdict(&program, AUDIT_ARCH_X86_64, "socket", 2, 0, 0),
	                 REFUSE(EPERM));
	assert_int_equal(named_verdict(&program, AUDIT_ARCH_X86_64, "read", 2, 0, 0),
	                 REFUSE(ENOSYS));
	options.eperm_unmatched = false;
	program = compile(&profile, &options, &arena);
	assert_int_equal(named_verdict(&program, AUDIT_ARCH_X86_64, "socket", 2, 0, 0),
	                 REFUSE(ENOSYS));
}

/* ---- architectures ---- */

static void test_architectures(void **state)
{
	/* clang-format off */
	static const struct {
		uint32_t native, listed[3];
		size_t n;
		uint32_t x86_64, i386, x32, aarch64; /* verdict on read, which is allowed */
	} rows[] = {
#define BAD SECCOMP_RET_KILL_THREAD
		{ AUDIT_ARCH_X86_64, { 0 }, 0, ALLOW, BAD, BAD, BAD },
		{ AUDIT_ARCH_X86_64, { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, OCI_ARCH_X32 }, 3,
		  ALLOW, ALLOW, ALLOW, BAD },
		{ AUDIT_ARCH_X86_64, { AUDIT_ARCH_I386, AUDIT_ARCH_I386 }, 2, ALLOW, ALLOW, BAD, BAD },
		{ AUDIT_ARCH_X86_64, { OCI_ARCH_X32 }, 1, ALLOW, BAD, ALLOW, BAD },
		{ AUDIT_ARCH_X86_64, { AUDIT_ARCH_AARCH64 }, 1, ALLOW, BAD, BAD, ALLOW },
		{ AUDIT_ARCH_I386, { AUDIT_ARCH_X86_64 }, 1, ALLOW, ALLOW, BAD, BAD },
		{ AUDIT_ARCH_I386, { OCI_ARCH_X32 }, 1, BAD, ALLOW, ALLOW, BAD },
		{ AUDIT_ARCH_AARCH64, { 0 }, 0, BAD, BAD, BAD, ALLOW },
		/* libseccomp 2.5 has no table for it: its calls stay refused. */
		{ AUDIT_ARCH_X86_64, { AUDIT_ARCH_LOONGARCH64 }, 1, ALLOW, BAD, BAD, BAD },
#undef BAD
	};
	/* clang-format on */
	const struct made_rule rule = { .names = { "read" }, .action = OCI_ACT_ALLOW };

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		dj_auto_arena struct dj_arena arena = { 0 };
		struct filter_options options = filter_options_for_bundle(rows[i].native);
		struct filter_program program;
		struct oci_seccomp profile;

		make_profile(&arena, OCI_ACT_ERRNO, &rule, 1, &profile);
		list_archs(&profile, &arena, rows[i].listed, rows[i].n);
		program = compile(&profile, &options, &arena);
		assert_int_equal(verdict(&program, AUDIT_ARCH_X86_64, 0, no_args), rows[i].x86_64);
		assert_int_equal(verdict(&program, AUDIT_ARCH_I386, 3, no_args), rows[i].i386);
		assert_int_equal(verdict(&program, OCI_ARCH_X32, X32(0), no_args), rows[i].x32);
		assert_int_equal(verdict(&program, AUDIT_ARCH_AARCH64, 63, no_args),
		                 rows[i].aarch64);
		assert_int_equal(verdict(&program, AUDIT_ARCH_LOONGARCH64, 63, no_args),
		                 SECCOMP_RET_KILL_THREAD);
	}
}

static void test_x32_numbers_are_its_own(void **state)
{
	dj_auto_arena struct dj_arena arena = { 0 };
	const struct made_rule rule = { .names = { "ioctl" }, .action = OCI_ACT_ALLOW };
	const struct filter_options options = filter_options_for_bundle(AUDIT_ARCH_X86_64);
	const uint32_t x32 = OCI_ARCH_X32;
	struct filter_program program;
	struct oci_seccomp profile;

	(void)state;
	make_profile(&arena, OCI_ACT_KILL_PROCESS, &rule, 1, &profile);
	list_archs(&profile, &arena, &x32, 1);
	program = compile(&profile, &options, &arena);
	assert_int_equal(verdict(&program, AUDIT_ARCH_X86_64, 16, no_args), ALLOW);
	assert_int_equal(verdict(&program, x32, X32(514), no_args), ALLOW);
	assert_int_equal(verdict(&program, x32, X32(16), no_args), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(verdict(&program, AUDIT_ARCH_X86_64, 514, no_args), REFUSE(ENOSYS));
}

/* seccomp(2): a tracer writes -1 to skip a call; it must not be taken for x32 and killed. */
static void test_skipped_call(void **state)
{
	dj_auto_arena struct dj_arena arena = { 0 };
	const struct made_rule rule = { .names = { "read" }, .action = OCI_ACT_ALLOW };
	const struct filter_options options = filter_options_for_bundle(AUDIT_ARCH_X86_64);
	struct filter_program program;
	struct oci_seccomp profile;

	(void)state;
	make_profile(&arena, OCI_ACT_ERRNO, &rule, 1, &profile);
	program = compile(&profile, &options, &arena);
	assert_int_equal(verdict(&program, AUDIT_ARCH_X86_64, UINT32_MAX, no_args), REFUSE(ENOSYS));
	assert_int_equal(verdict(&program, AUDIT_ARCH_X86_64, UINT32_MAX - 1, no_args),
	                 SECCOMP_RET_KILL_THREAD);
}

static void test_unknown_native_architecture(void **state)
{
	dj_auto_arena struct dj_arena arena = { 0 };
	const struct filter_options options = filter_options_for_bundle(0x12345678);
	struct filter_program program = { 0 };
	struct donjon_error err = { 0 };
	struct oci_seccomp profile;

	(void)state;
	make_profile(&arena, OCI_ACT_ALLOW, NULL, 0, &profile);
	assert_int_equal(filter_compile(&profile, &options, &arena, &program, &err), -1);
	assert_int_equal(err.code, DONJON_E_UNSUPPORTED);
}

/* ---- multiplexers ---- */

static void test_multiplexers(void **state)
{
	/* On i386, with arguments that a rule for socket() would see: AF_ALG is 38. */
	/* clang-format off */
	static const struct {
		const char *what;
		enum oci_seccomp_action fallback;
		struct made_rule rules[3];
		size_t n;
		uint32_t direct_unix, direct_alg, call_socket, call_bind;
	} rows[] = {
		{ "allowed call: also through the multiplexer", OCI_ACT_ERRNO,
		  { { { "socket" }, OCI_ACT_ALLOW } }, 1,
		  ALLOW, ALLOW, ALLOW, REFUSE(EPERM) },
		{ "allowed on a condition nobody can see there: refused", OCI_ACT_ERRNO,
		  { { { "socket" }, OCI_ACT_ALLOW, 0, { ARG(0, 1, EQ) }, 1 },
		    { { "bind" }, OCI_ACT_ALLOW } }, 2,
		  ALLOW, REFUSE(EPERM), REFUSE(EPERM), ALLOW },
		{ "refused on a condition: refused", OCI_ACT_ALLOW,
		  { { { "socket" }, OCI_ACT_ERRNO, EACCES, { ARG(0, 38, EQ) }, 1 } }, 1,
		  ALLOW, REFUSE(EACCES), REFUSE(EACCES), ALLOW },
		{ "a refusal beside a permission: refused", OCI_ACT_TRAP,
		  { { { "socket" }, OCI_ACT_ALLOW },
		    { { "socket" }, OCI_ACT_ERRNO, EACCES, { ARG(0, 38, EQ) }, 1 } }, 2,
		  ALLOW, REFUSE(EACCES), REFUSE(EACCES), SECCOMP_RET_TRAP },
		{ "the multiplexer is named: its own rule decides", OCI_ACT_ERRNO,
		  { { { "socket" }, OCI_ACT_ALLOW, 0, { ARG(0, 1, EQ) }, 1 },
		    { { "socketcall" }, OCI_ACT_ALLOW } }, 2,
		  ALLOW, REFUSE(EPERM), ALLOW, ALLOW },
		{ "named, but the call is refused outright", OCI_ACT_ALLOW,
		  { { { "socket" }, OCI_ACT_ERRNO, EACCES }, { { "socketcall" }, OCI_ACT_ALLOW } }, 2,
		  REFUSE(EACCES), REFUSE(EACCES), REFUSE(EACCES), ALLOW },
		{ "named for one call only: the others gain nothing", OCI_ACT_ERRNO,
		  { { { "socket", "bind" }, OCI_ACT_ALLOW },
		    { { "socketcall" }, OCI_ACT_ALLOW, 0, { ARG(0, 1, EQ) }, 1 } }, 2,
		  ALLOW, ALLOW, ALLOW, REFUSE(EPERM) },
	};
	/* clang-format on */
	const struct filter_options options = filter_options_for_bundle(AUDIT_ARCH_I386);
	const uint32_t arch = AUDIT_ARCH_I386;

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		dj_auto_arena struct dj_arena arena = { 0 };
		struct filter_program program;
		struct oci_seccomp profile;

		make_profile(&arena, rows[i].fallback, rows[i].rules, rows[i].n, &profile);
		program = compile(&profile, &options, &arena);
		if (verdict(&program, arch, 359, (uint64_t[6]){ 1 }) != rows[i].direct_unix ||
		    verdict(&program, arch, 359, (uint64_t[6]){ 38 }) != rows[i].direct_alg ||
		    verdict(&program, arch, 102, (uint64_t[6]){ 1, 38 }) != rows[i].call_socket ||
		    verdict(&program, arch, 102, (uint64_t[6]){ 2, 38 }) != rows[i].call_bind)
			fail_msg("%s", rows[i].what);
	}
}

static void test_ipc_version_is_no_way_round(void **state)
{
	dj_auto_arena struct dj_arena arena = { 0 };
	const struct made_rule rule = { .names = { "shmget" }, .action = OCI_ACT_ERRNO };
	const struct filter_options options = filter_options_for_bundle(AUDIT_ARCH_I386);
	struct filter_program program;
	struct oci_seccomp profile;

	(void)state;
	make_profile(&arena, OCI_ACT_ALLOW, &rule, 1, &profile);
	program = compile(&profile, &options, &arena);
	assert_int_equal(verdict(&program, AUDIT_ARCH_I386, 117, (uint64_t[6]){ 23 }),
	                 REFUSE(EPERM));
	assert_int_equal(verdict(&program, AUDIT_ARCH_I386, 117, (uint64_t[6]){ 0x10017 }),
	                 REFUSE(EPERM));
	assert_int_equal(verdict(&program, AUDIT_ARCH_I386, 117, (uint64_t[6]){ 21 }), ALLOW);
	assert_int_equal(verdict(&program, AUDIT_ARCH_I386, 395, no_args), REFUSE(EPERM));
}

/* ---- flags, names, size ---- */

static void test_load_flags(void **state)
{
	/* clang-format off */
	static const struct {
		bool set;
		uint32_t flags;
		enum oci_seccomp_action action;
		uint32_t want;
	} rows[] = {
		/* Peers set SPEC_ALLOW where the profile says nothing (decision 44). */
		{ false, 0, OCI_ACT_ERRNO, 0 },
		{ true, 0, OCI_ACT_ERRNO, 0 },
		{ true, SECCOMP_FILTER_FLAG_SPEC_ALLOW, OCI_ACT_ERRNO, SECCOMP_FILTER_FLAG_SPEC_ALLOW },
		{ true, SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_TSYNC, OCI_ACT_ERRNO,
		  SECCOMP_FILTER_FLAG_LOG },
		{ true, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, OCI_ACT_ERRNO, 0 },
		{ true, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, OCI_ACT_NOTIFY,
		  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV },
	};
	/* clang-format on */
	const struct filter_options options = filter_options_for_bundle(AUDIT_ARCH_X86_64);

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		dj_auto_arena struct dj_arena arena = { 0 };
		const struct made_rule rule = { .names = { "read" }, .action = rows[i].action };
		struct oci_seccomp profile;

		make_profile(&arena, OCI_ACT_ALLOW, &rule, 1, &profile);
		profile.flags_set = rows[i].set;
		profile.flags = rows[i].flags;
		assert_int_equal(compile(&profile, &options, &arena).load_flags, rows[i].want);
	}
}

static void test_unknown_names(void **state)
{
	dj_auto_arena struct dj_arena arena = { 0 };
	const struct made_rule rule = { .names = { "read", "from_the_future", "stime", "vm86" },
		                        .action = OCI_ACT_ALLOW };
	struct filter_options options = filter_options_for_bundle(AUDIT_ARCH_X86_64);
	struct filter_program program;
	struct donjon_error err = { 0 };
	struct oci_seccomp profile;

	(void)state;
	make_profile(&arena, OCI_ACT_ERRNO, &rule, 1, &profile);
	program = compile(&profile, &options, &arena);
	assert_int_equal(program.unknown.n, 1);
	assert_string_equal(program.unknown.v[0], "from_the_future");
	assert_int_equal(verdict(&program, AUDIT_ARCH_X86_64, 0, no_args), ALLOW);

	/* In our own profiles it is an error; a call other architectures have is not (decision 37).
	 */
	options.names_must_resolve = true;
	assert_int_equal(filter_compile(&profile, &options, &arena, &program, &err), -1);
	assert_non_null(strstr(err.text, "from_the_future"));
	profile.rules.v[0].names.v[1] = profile.rules.v[0].names.v[0];
	(void)compile(&profile, &options, &arena);
}

static void test_names_and_numbers(void **state)
{
	static const struct {
		uint32_t arch;
		const char *name;
		int want;
	} rows[] = {
		{ AUDIT_ARCH_X86_64, "execve", 59 },
		{ AUDIT_ARCH_I386, "execve", 11 },
		{ OCI_ARCH_X32, "execve", 0x40000208 },
		{ AUDIT_ARCH_AARCH64, "execve", 221 },
		{ AUDIT_ARCH_X86_64, "listns", 470 },
		{ AUDIT_ARCH_I386, "open_tree_attr", 467 },
		{ OCI_ARCH_X32, "statmount", 0x400001c9 },
		{ OCI_ARCH_X32, "map_shadow_stack", FILTER_SYSCALL_ABSENT },
		{ AUDIT_ARCH_AARCH64, "mseal", 462 },
		{ AUDIT_ARCH_ARM, "lsm_list_modules", 461 },
		{ AUDIT_ARCH_RISCV64, "riscv_hwprobe", 258 },
		{ AUDIT_ARCH_AARCH64, "riscv_hwprobe", FILTER_SYSCALL_ABSENT },
		{ AUDIT_ARCH_X86_64, "uretprobe", 335 },
		{ AUDIT_ARCH_PPC64LE, "cachestat", 451 },
		{ AUDIT_ARCH_S390X, "listmount", 458 },
		{ AUDIT_ARCH_MIPSEL, "listmount", 4458 },
		{ AUDIT_ARCH_MIPSEL64, "listmount", 5458 },
		{ AUDIT_ARCH_MIPSEL64N32, "listmount", 6458 },
		{ AUDIT_ARCH_I386, "socket", 359 },
		{ AUDIT_ARCH_I386, "accept", FILTER_SYSCALL_ABSENT },
		{ AUDIT_ARCH_S390X, "semtimedop", 392 },
		{ AUDIT_ARCH_X86_64, "stime", FILTER_SYSCALL_ABSENT },
		{ AUDIT_ARCH_X86_64, "no_such_call", FILTER_SYSCALL_UNKNOWN },
		{ AUDIT_ARCH_X86_64, "", FILTER_SYSCALL_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		assert_int_equal(filter_syscall_number(rows[i].arch, rows[i].name), rows[i].want);
		if (rows[i].want >= 0)
			assert_string_equal(filter_syscall_name(rows[i].arch, rows[i].want),
			                    rows[i].name);
	}
	assert_null(filter_syscall_name(AUDIT_ARCH_X86_64, 999));
	assert_null(filter_syscall_name(AUDIT_ARCH_X86_64, -1));
}

/* One rule with its own argument value per call, for as many calls as there are. */
static void many_rules(struct dj_arena *arena, size_t n, bool distinct, struct oci_seccomp *out)
{
	make_profile(arena, OCI_ACT_ALLOW, NULL, 0, out);
	out->rules.v = dj_arena_array(arena, n, sizeof(*out->rules.v));
	out->rules.n = n;
	for (size_t i = 0; i < n; i++) {
		struct oci_seccomp_rule *rule = &out->rules.v[i];
		const char *name = filter_syscall_name(AUDIT_ARCH_X86_64, (int)(i % 330));

		rule->names.v = dj_arena_array(arena, 2, sizeof(*rule->names.v));
		rule->names.v[0] = dj_arena_strdup(arena, name ? name : "execve");
		rule->names.n = 1;
		rule->action = OCI_ACT_ERRNO;
		rule->args.v = dj_arena_new(arena, struct oci_seccomp_arg);
		rule->args.v[0].value = distinct ? i : i / 330;
		rule->args.v[0].op = OCI_OP_EQ;
		rule->args.n = 1;
	}
}

/* The kernel's own check of the program, in a child that then leaves under it. */
static void kernel_takes(const struct filter_program *program)
{
	const struct sock_fprog prog = { .len = (unsigned short)program->n, .filter = program->v };
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_size(void **state)
{
	dj_auto_arena struct dj_arena arena = { 0 };
	const struct filter_options options = filter_options_for_bundle(AUDIT_ARCH_X86_64);
	struct filter_program program = { 0 };
	struct donjon_error err = { 0 };
	struct oci_seccomp profile;

	(void)state;
	/* 5000 rules whose checks are alike fit, because like checks are shared. */
	many_rules(&arena, 5000, false, &profile);
	program = compile(&profile, &options, &arena);
	assert_in_range(program.n, 1, 1000);
	assert_int_equal(verdict(&program, AUDIT_ARCH_X86_64, 59, (uint64_t[6]){ 14 }),
	                 REFUSE(EPERM));
	assert_int_equal(verdict(&program, AUDIT_ARCH_X86_64, 59, (uint64_t[6]){ 15 }), ALLOW);

	/* A program so long that jumps need stepping stones. */
	many_rules(&arena, 800, true, &profile);
	program = compile(&profile, &options, &arena);
	assert_in_range(program.n, 3000, FILTER_MAX);
	for (uint32_t i = 0; i < 330; i++) {
		assert_int_equal(verdict(&program, AUDIT_ARCH_X86_64, i, (uint64_t[6]){ i }),
		                 REFUSE(EPERM));
		assert_int_equal(verdict(&program, AUDIT_ARCH_X86_64, i, (uint64_t[6]){ i + 1 }),
		                 ALLOW);
	}
#if defined(__x86_64__)
	kernel_takes(&program);
#endif

	many_rules(&arena, 5000, true, &profile);
	assert_int_equal(filter_compile(&profile, &options, &arena, &program, &err), -1);
	assert_int_equal(err.code, DONJON_E_CONFIG);
	assert_non_null(strstr(err.text, "4096 instructions"));
}

/* One rule whose names and repeated arguments multiply. */
static void test_too_many_rules(void **state)
{
	dj_auto_arena struct dj_arena arena = { 0 };
	const struct filter_options options = filter_options_for_bundle(AUDIT_ARCH_X86_64);
	struct filter_program program = { 0 };
	struct donjon_error err = { 0 };
	struct oci_seccomp profile;

	(void)state;
	many_rules(&arena, 1, true, &profile);
	profile.rules.v[0].names.n = profile.rules.v[0].args.n = 1000000; /* counted, never read */
	assert_int_equal(filter_compile(&profile, &options, &arena, &program, &err), -1);
	assert_int_equal(err.code, DONJON_E_CONFIG);
	assert_non_null(strstr(err.text, "more than"));
}

/* ---- the model ---- */

static unsigned rank_of(uint32_t verdict)
{
	static const uint32_t order[] = {
		SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP,
		SECCOMP_RET_ERRNO,        SECCOMP_RET_USER_NOTIF,  SECCOMP_RET_TRACE,
		SECCOMP_RET_LOG,          SECCOMP_RET_ALLOW,
	};
	unsigned i = 0;

	while (order[i] != (verdict & SECCOMP_RET_ACTION_FULL))
		i++;
	return i;
}

static uint32_t verdict_of(enum oci_seccomp_action action, bool has_errno, uint32_t data)
{
	static const uint32_t verdicts[OCI_ACT_COUNT] = {
		[OCI_ACT_KILL_THREAD] = SECCOMP_RET_KILL_THREAD,
		[OCI_ACT_KILL_PROCESS] = SECCOMP_RET_KILL_PROCESS,
		[OCI_ACT_TRAP] = SECCOMP_RET_TRAP,
		[OCI_ACT_ERRNO] = SECCOMP_RET_ERRNO,
		[OCI_ACT_TRACE] = SECCOMP_RET_TRACE,
		[OCI_ACT_ALLOW] = SECCOMP_RET_ALLOW,
		[OCI_ACT_LOG] = SECCOMP_RET_LOG,
		[OCI_ACT_NOTIFY] = SECCOMP_RET_USER_NOTIF,
	};

	if (action != OCI_ACT_ERRNO && action != OCI_ACT_TRACE)
		return verdicts[action];
	return verdicts[action] | (has_errno ? data : EPERM);
}

/* A profile on one architecture: the numbers its names have there. */
struct model {
	const struct oci_seccomp *profile;
	uint32_t arch;
	int *numbers;
	int newest;
};

static struct model model_of(const struct oci_seccomp *profile, uint32_t arch,
                             struct dj_arena *arena)
{
	struct model m = { .profile = profile, .arch = arch, .newest = -1 };
	size_t n = 0;

	for (size_t i = 0; i < profile->rules.n; i++)
		n += profile->rules.v[i].names.n;
	m.numbers = dj_arena_array(arena, n + 1, sizeof(*m.numbers));
	n = 0;
	for (size_t i = 0; i < profile->rules.n; i++) {
		for (size_t j = 0; j < profile->rules.v[i].names.n; j++) {
			m.numbers[n] = filter_syscall_number(arch, profile->rules.v[i].names.v[j]);
			if (m.numbers[n] > m.newest)
				m.newest = m.numbers[n];
			n++;
		}
	}
	return m;
}

static bool matches(const struct model *m, const struct oci_seccomp_rule *rule,
                    const uint64_t args[6])
{
	bool all = true, any = rule->args.n == 0, twice = false;

	for (size_t i = 0; i < rule->args.n; i++) {
		const struct oci_seccomp_arg *arg = &rule->args.v[i];
		uint64_t seen = args[arg->index];
		bool yes;

		if (syscall_arch_is_narrow(m->arch))
			seen = (uint32_t)seen;
		yes = holds(arg->op, seen, arg->value, arg->value_two);
		all = all && yes;
		any = any || yes;
		for (size_t j = 0; j < i; j++)
			twice = twice || rule->args.v[j].index == arg->index;
	}
	return twice ? any : all;
}

static uint32_t model_verdict(const struct model *m, uint32_t number, const uint64_t args[6])
{
	const struct oci_seccomp *p = m->profile;
	uint32_t fallback = verdict_of(p->default_action, p->default_errno.set, p->default_errno.v);
	uint32_t found = fallback;
	bool any = false;
	size_t n = 0;

	for (size_t i = 0; i < p->rules.n; i++) {
		const struct oci_seccomp_rule *rule = &p->rules.v[i];
		uint32_t v = verdict_of(rule->action, rule->errno_ret.set, rule->errno_ret.v);

		for (size_t j = 0; j < rule->names.n; j++) {
			if (m->numbers[n++] != (int)number || !matches(m, rule, args))
				continue;
			if (!any || rank_of(v) < rank_of(found))
				found = v;
			any = true;
		}
	}
	if (!any && m->newest >= 0 && (int)number > m->newest && rank_of(fallback) <= 3)
		return REFUSE(ENOSYS);
	return found;
}

static void compare_with_model(const struct filter_program *program,
                               const struct oci_seccomp *profile, uint32_t arch, uint32_t first,
                               uint32_t last)
{
	dj_auto_arena struct dj_arena arena = { 0 };
	const struct model m = model_of(profile, arch, &arena);

	for (uint32_t number = first; number <= last; number++) {
		for (size_t i = 0; i < 6 * DJ_COUNT(corner_values); i++) {
			uint64_t args[6] = { i, i * 3, 9, 16, 8, 0 };
			uint32_t got, want;

			args[i % 6] = corner_values[i / 6];
			got = verdict(program, arch, number, args);
			want = model_verdict(&m, number, args);
			if (got != want)
				fail_msg("arch %#x number %u args[%zu] %#llx: %#x, the rules say "
				         "%#x",
				         arch, number, i % 6, (unsigned long long)args[i % 6], got,
				         want);
		}
	}
}

static void test_engines_profiles(void **state)
{
	static const char *const files[] = { CORPUS "docker-default.json",
		                             CORPUS "podman-default.json", CORPUS "seed-5.json",
		                             CORPUS "seed-15.json", CORPUS "seed-47.json" };
	const struct filter_options options = filter_options_for_bundle(AUDIT_ARCH_X86_64);

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(files); i++) {
		dj_auto_arena struct dj_arena arena = { 0 };
		struct filter_program program;
		struct oci_seccomp profile;

		load_profile(files[i], 0, &arena, &profile);
		program = compile(&profile, &options, &arena);
		compare_with_model(&program, &profile, AUDIT_ARCH_X86_64, 0, 600);
		if (profile.architectures.n == 3) {
			compare_with_model(&program, &profile, AUDIT_ARCH_I386, 0, 600);
			compare_with_model(&program, &profile, OCI_ARCH_X32, X32(0), X32(600));
		}
	}
}

static enum oci_seccomp_action random_action(uint64_t *seed)
{
	return (enum oci_seccomp_action)(next_random(seed) % OCI_ACT_NOTIFY);
}

static void random_rule(uint64_t *seed, struct dj_arena *arena, uint32_t arch,
                        struct oci_seccomp_rule *rule)
{
	rule->names.v = dj_arena_array(arena, 16, sizeof(*rule->names.v));
	while (rule->names.n < 1 + next_random(seed) % 12) {
		const char *name = filter_syscall_name(arch, (int)(next_random(seed) % 450));

		if (name)
			rule->names.v[rule->names.n++] = dj_arena_strdup(arena, name);
	}
	rule->action = random_action(seed);
	rule->errno_ret.set = next_random(seed) % 2;
	rule->errno_ret.v = next_random(seed) % 200;
	rule->args.v = dj_arena_array(arena, 4, sizeof(*rule->args.v));
	rule->args.n = next_random(seed) % 4;
	for (size_t i = 0; i < rule->args.n; i++)
		rule->args.v[i] = (struct oci_seccomp_arg){
			.index = next_random(seed) % 6,
			.value = corner_values[next_random(seed) % DJ_COUNT(corner_values)],
			.value_two = corner_values[next_random(seed) % DJ_COUNT(corner_values)],
			.op = (enum oci_seccomp_op)(next_random(seed) % OCI_OP_COUNT),
		};
}

static void test_random_profiles(void **state)
{
	/* Without multiplexers, which the model leaves out. */
	static const uint32_t archs[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM,
		                          AUDIT_ARCH_RISCV64 };
	uint64_t seed = 20261122;

	(void)state;
	for (int round = 0; round < 60; round++) {
		dj_auto_arena struct dj_arena arena = { 0 };
		uint32_t arch = archs[next_random(&seed) % DJ_COUNT(archs)];
		const struct filter_options options = filter_options_for_bundle(arch);
		struct filter_program program;
		struct oci_seccomp profile;

		print_message("# round %d seed %llu\n", round, (unsigned long long)seed);
		make_profile(&arena, random_action(&seed), NULL, 0, &profile);
		profile.rules.n = next_random(&seed) % 40;
		profile.rules.v = dj_arena_array(&arena, profile.rules.n, sizeof(*profile.rules.v));
		for (size_t i = 0; i < profile.rules.n; i++)
			random_rule(&seed, &arena, arch, &profile.rules.v[i]);
		program = compile(&profile, &options, &arena);
		compare_with_model(&program, &profile, arch, 0, 480);
	}
}

/* ---- execve ---- */

static void test_check_exec(void **state)
{
	static const struct {
		const char *file, *text; /* NULL: execve is possible */
	} rows[] = {
		{ CORPUS "docker-default.json", NULL },
		{ CORPUS "podman-default.json", NULL },
		{ CORPUS "seed-5.json", "the profile answers errno 38 on execve" },
		{ CORPUS "seed-15.json", NULL },
		{ CORPUS "seed-47.json", NULL },
	};
	const struct filter_options options = filter_options_for_bundle(AUDIT_ARCH_X86_64);

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		dj_auto_arena struct dj_arena arena = { 0 };
		struct donjon_error err = { 0 };
		struct filter_program program;
		struct oci_seccomp profile;

		load_profile(rows[i].file, 0, &arena, &profile);
		program = compile(&profile, &options, &arena);
		assert_int_equal(filter_check_exec(&program, AUDIT_ARCH_X86_64, &err),
		                 rows[i].text ? -1 : 0);
		if (rows[i].text)
			assert_non_null(strstr(err.text, rows[i].text));
	}
}

static void test_check_exec_verdicts(void **state)
{
	static const struct {
		enum oci_seccomp_action action;
		const char *text;
	} rows[] = {
		{ OCI_ACT_KILL_THREAD, "kills the thread" },
		{ OCI_ACT_KILL_PROCESS, "kills the process" },
		{ OCI_ACT_TRAP, "sends SIGSYS" },
		{ OCI_ACT_ERRNO, "answers errno 1" },
		{ OCI_ACT_TRACE, "asks a tracer that is not there" },
		{ OCI_ACT_ALLOW, NULL },
		{ OCI_ACT_LOG, NULL },
		{ OCI_ACT_NOTIFY, NULL },
	};
	const struct filter_options options = filter_options_for_bundle(AUDIT_ARCH_AARCH64);

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		dj_auto_arena struct dj_arena arena = { 0 };
		const struct made_rule rule = { .names = { "execve" }, .action = rows[i].action };
		struct donjon_error err = { 0 };
		struct filter_program program;
		struct oci_seccomp profile;

		make_profile(&arena, OCI_ACT_ALLOW, &rule, 1, &profile);
		program = compile(&profile, &options, &arena);
		assert_int_equal(filter_check_exec(&program, AUDIT_ARCH_AARCH64, &err),
		                 rows[i].text ? -1 : 0);
		if (rows[i].text)
			assert_non_null(strstr(err.text, rows[i].text));
	}
}

/* ---- the simulator ---- */

static void test_programs_the_kernel_refuses(void **state)
{
	static const struct sock_filter rows[][3] = {
		{ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), BPF_STMT(BPF_RET | BPF_K, ALLOW) },
		{ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), BPF_STMT(BPF_RET | BPF_K, ALLOW) },
		{ BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), BPF_STMT(BPF_RET | BPF_K, ALLOW) },
		{ BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), BPF_STMT(BPF_RET | BPF_K, ALLOW) },
		{ BPF_STMT(BPF_LD | BPF_MEM, BPF_MEMWORDS), BPF_STMT(BPF_RET | BPF_K, ALLOW) },
		{ BPF_STMT(BPF_ST, BPF_MEMWORDS), BPF_STMT(BPF_RET | BPF_K, ALLOW) },
		{ BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), BPF_STMT(BPF_RET | BPF_K, ALLOW) },
		{ BPF_STMT(BPF_JMP | BPF_JA, 2), BPF_STMT(BPF_RET | BPF_K, ALLOW) },
		{ BPF_STMT(BPF_JMP | BPF_JA, UINT32_MAX), BPF_STMT(BPF_RET | BPF_K, ALLOW) },
		{ BPF_STMT(BPF_LD | BPF_IMM, 1), BPF_STMT(BPF_LD | BPF_IMM, 1),
		  BPF_STMT(BPF_LD | BPF_IMM, 1) },
	};
	const struct seccomp_data data = { 0 };

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(rows); i++)
		assert_int_equal(filter_simulate(rows[i], 3, &data), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(filter_simulate(rows[0], 0, &data), SECCOMP_RET_KILL_PROCESS);
}

static void test_arithmetic(void **state)
{
	/* clang-format off */
	static const struct {
		uint16_t op;
		uint32_t a, by, want;
	} rows[] = {
		{ BPF_ADD, UINT32_MAX, 2, 1 },	{ BPF_SUB, 1, 2, UINT32_MAX },
		{ BPF_MUL, 3, 5, 15 },		{ BPF_DIV, 17, 5, 3 },
		{ BPF_AND, 12, 10, 8 },		{ BPF_OR, 12, 10, 14 },
		{ BPF_XOR, 12, 10, 6 },		{ BPF_LSH, 3, 4, 48 },
		{ BPF_RSH, 48, 4, 3 },		{ BPF_NEG, 1, 0, UINT32_MAX },
	};
	/* clang-format on */
	const struct seccomp_data data = { 0 };

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		const struct sock_filter with_k[] = {
			BPF_STMT(BPF_LD | BPF_IMM, rows[i].a),
			BPF_STMT((uint16_t)(BPF_ALU | rows[i].op | BPF_K), rows[i].by),
			BPF_STMT(BPF_RET | BPF_A, 0),
		};
		const struct sock_filter with_x[] = {
			BPF_STMT(BPF_LDX | BPF_IMM, rows[i].by),
			BPF_STMT(BPF_STX, 3),
			BPF_STMT(BPF_LDX | BPF_MEM, 3),
			BPF_STMT(BPF_LD | BPF_IMM, rows[i].a),
			BPF_STMT((uint16_t)(BPF_ALU | rows[i].op | BPF_X), 0),
			BPF_STMT(BPF_MISC | BPF_TAX, 0),
			BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
			BPF_STMT(BPF_MISC | BPF_TXA, 0),
			BPF_STMT(BPF_RET | BPF_A, 0),
		};

		assert_int_equal(filter_simulate(with_k, 3, &data), rows[i].want);
		assert_int_equal(filter_simulate(with_x, 9, &data), rows[i].want);
	}
}

static void test_division_by_zero_in_x(void **state)
{
	static const struct sock_filter program[] = {
		BPF_STMT(BPF_LDX | BPF_IMM, 0),
		BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0),
		BPF_STMT(BPF_RET | BPF_K, ALLOW),
	};
	const struct seccomp_data data = { 0 };

	(void)state;
	assert_int_equal(filter_simulate(program, 3, &data), SECCOMP_RET_KILL_THREAD);
}

static void test_jumps(void **state)
{
	/* clang-format off */
	static const struct {
		uint16_t op;
		uint32_t a, k;
		bool taken;
	} rows[] = {
		{ BPF_JEQ, 5, 5, true },  { BPF_JEQ, 5, 4, false }, { BPF_JGT, 5, 4, true },
		{ BPF_JGT, 5, 5, false }, { BPF_JGE, 5, 5, true },  { BPF_JGE, 0, UINT32_MAX, false },
		{ BPF_JSET, 6, 2, true }, { BPF_JSET, 6, 1, false },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		const struct sock_filter program[] = {
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
			BPF_JUMP((uint16_t)(BPF_JMP | rows[i].op | BPF_K), rows[i].k, 1, 0),
			BPF_STMT(BPF_RET | BPF_K, 7),
			BPF_STMT(BPF_RET | BPF_K, 8),
		};
		const struct seccomp_data data = { .nr = (int)rows[i].a };

		assert_int_equal(filter_simulate(program, 4, &data), rows[i].taken ? 8 : 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_operators),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_default_actions),
		cmocka_unit_test(test_refused_profiles),
		cmocka_unit_test(test_strictest_rule_decides),
		cmocka_unit_test(test_unmatched_arguments),
		cmocka_unit_test(test_architectures),
		cmocka_unit_test(test_x32_numbers_are_its_own),
		cmocka_unit_test(test_skipped_call),
		cmocka_unit_test(test_unknown_native_architecture),
		cmocka_unit_test(test_multiplexers),
		cmocka_unit_test(test_ipc_version_is_no_way_round),
		cmocka_unit_test(test_load_flags),
		cmocka_unit_test(test_unknown_names),
		cmocka_unit_test(test_names_and_numbers),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_too_many_rules),
		cmocka_unit_test(test_engines_profiles),
		cmocka_unit_test(test_random_profiles),
		cmocka_unit_test(test_check_exec),
		cmocka_unit_test(test_check_exec_verdicts),
		cmocka_unit_test(test_programs_the_kernel_refuses),
		cmocka_unit_test(test_arithmetic),
		cmocka_unit_test(test_division_by_zero_in_x),
		cmocka_unit_test(test_jumps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
