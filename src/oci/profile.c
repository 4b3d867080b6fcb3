/*
 * Seccomp profile files as Docker, podman and containerd keep them: the specification's object plus
 * a map of architectures and rules with conditions.  Read into the same struct oci_seccomp,
 * resolved for one set of capabilities, this machine's architecture and the running kernel.
 */
#include "oci/field.h"
#include "wrap/caps.h"

#include <linux/audit.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#define KERNEL_VERSION "%5u.%5u" /* for sscanf */

/* What conditions are decided by. */
struct machine {
	uint64_t capabilities;
	unsigned kernel_major, kernel_minor;
};

struct condition {
	struct oci_strings arches, caps;
	char *min_kernel;
};

struct profile_rule {
	struct oci_seccomp_rule rule;
	char *name, *errno_name;
	struct condition includes, excludes;
};

struct profile_arch {
	uint32_t arch;
	OCI_LIST(uint32_t) sub;
};

struct profile {
	struct oci_seccomp seccomp;
	char *default_errno_name;
	OCI_LIST(struct profile_arch) arch_map;
	OCI_LIST(struct profile_rule) rules;
};

/* ---- conditions ---- */

/* What `arches` calls the architecture this program was built for: Go's name, libseccomp's name. */
#if defined(__x86_64__)
#define NATIVE_ARCH  AUDIT_ARCH_X86_64
#define NATIVE_NAMES "amd64", "x86_64"
#elif defined(__i386__)
#define NATIVE_ARCH  AUDIT_ARCH_I386
#define NATIVE_NAMES "386", "x86"
#elif defined(__aarch64__)
#define NATIVE_ARCH  AUDIT_ARCH_AARCH64
#define NATIVE_NAMES "arm64", "aarch64"
#elif defined(__arm__)
#define NATIVE_ARCH  AUDIT_ARCH_ARM
#define NATIVE_NAMES "arm"
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#define NATIVE_ARCH  AUDIT_ARCH_PPC64LE
#define NATIVE_NAMES "ppc64le"
#elif defined(__s390x__)
#define NATIVE_ARCH  AUDIT_ARCH_S390X
#define NATIVE_NAMES "s390x"
#elif defined(__riscv) && __riscv_xlen == 64
#define NATIVE_ARCH  AUDIT_ARCH_RISCV64
#define NATIVE_NAMES "riscv64"
#elif defined(__loongarch64)
#define NATIVE_ARCH  AUDIT_ARCH_LOONGARCH64
#define NATIVE_NAMES "loong64", "loongarch64"
#else
#error "name this architecture"
#endif

static bool names_native_arch(const struct oci_strings *arches)
{
	static const char *const names[] = { NATIVE_NAMES };

	for (size_t i = 0; i < arches->n; i++) {
		for (size_t j = 0; j < DJ_COUNT(names); j++) {
			if (strcmp(arches->v[i], names[j]) == 0)
				return true;
		}
	}
	return false;
}

static bool has_capability(uint64_t held, const char *name)
{
	int number = caps_number(name);

	return number >= 0 && number < 64 && (held & (UINT64_C(1) << number));
}

static size_t count_held(uint64_t held, const struct oci_strings *caps)
{
	size_t n = 0;

	for (size_t i = 0; i < caps->n; i++)
		n += has_capability(held, caps->v[i]);
	return n;
}

static bool kernel_is_at_least(const struct machine *machine, const char *version)
{
	unsigned major = 0, minor = 0;

	(void)sscanf(version, KERNEL_VERSION, &major, &minor); /* its form was checked */
	return machine->kernel_major != major ? machine->kernel_major > major
	                                      : machine->kernel_minor >= minor;
}

/* Included where everything named holds; excluded where anything named does. */
static bool applies(const struct profile_rule *rule, const struct machine *machine)
{
	const struct condition *in = &rule->includes, *ex = &rule->excludes;

	if (in->arches.n > 0 && !names_native_arch(&in->arches))
		return false;
	if (count_held(machine->capabilities, &in->caps) < in->caps.n)
		return false;
	if (in->min_kernel && !kernel_is_at_least(machine, in->min_kernel))
		return false;
	return !names_native_arch(&ex->arches) &&
	       count_held(machine->capabilities, &ex->caps) == 0 &&
	       !(ex->min_kernel && kernel_is_at_least(machine, ex->min_kernel));
}

static struct machine this_machine(uint64_t capabilities)
{
	struct machine machine = { .capabilities = capabilities };
	struct utsname uts;

	/* Cannot fail with a valid buffer; version 0 would only leave conditional rules out. */
	if (uname(&uts) == 0)
		(void)sscanf(uts.release, KERNEL_VERSION, &machine.kernel_major,
		             &machine.kernel_minor);
	return machine;
}

/* ---- fields ---- */

static int read_kernel_version(struct oci_decoder *d, const struct json_value *value,
                               const struct oci_field *field, void *to)
{
	int rc = oci_read_string(d, value, field, to), end = 0;
	unsigned major, minor;

	if (rc != OCI_STORED)
		return rc;
	if (sscanf(json_text(value), KERNEL_VERSION "%n", &major, &minor, &end) != 2 ||
	    json_text(value)[end] != '\0')
		return oci_decode_fail(d, "must be a kernel version like 4.8");
	return OCI_STORED;
}

static const struct oci_field condition_fields[] = {
	OCI_STRINGS(struct condition, "arches", arches),
	OCI_STRINGS(struct condition, "caps", caps),
	OCI_CUSTOM(struct condition, "minKernel", min_kernel, read_kernel_version,
	           OCI_EMPTY_IS_UNSET),
};
static const struct oci_object condition_object = OCI_OBJECT_OF(condition_fields);

static const struct oci_field rule_fields[] = {
	OCI_STRINGS(struct profile_rule, "names", rule.names),
	OCI_STRING(struct profile_rule, "name", name, OCI_EMPTY_IS_UNSET),
	OCI_WORD(struct profile_rule, "action", rule.action, &oci_action_words, OCI_REQUIRED),
	OCI_NUMBER_OPT(struct profile_rule, "errnoRet", rule.errno_ret, 0, UINT16_MAX, 0),
	OCI_STRING(struct profile_rule, "errno", errno_name, OCI_EMPTY_IS_UNSET),
	OCI_LIST_FIELD(struct profile_rule, "args", rule.args, &oci_seccomp_arg_list, 0),
	OCI_PART(struct profile_rule, "includes", includes, &condition_object, 0),
	OCI_PART(struct profile_rule, "excludes", excludes, &condition_object, 0),
	OCI_IGNORED("comment"),
};
static const struct oci_object rule_object = OCI_OBJECT_OF(rule_fields);
static const struct oci_list rule_list = OCI_LIST_OF(struct profile_rule, rule_object);

static const struct oci_field arch_fields[] = {
	OCI_WORD(struct profile_arch, "architecture", arch, &oci_arch_words, OCI_REQUIRED),
	OCI_LIST_FIELD(struct profile_arch, "subArchitectures", sub, &oci_seccomp_arch_list, 0),
};
static const struct oci_object arch_object = OCI_OBJECT_OF(arch_fields);
static const struct oci_list arch_list = OCI_LIST_OF(struct profile_arch, arch_object);

#define P struct profile

static const struct oci_field profile_fields[] = {
	OCI_WORD(P, "defaultAction", seccomp.default_action, &oci_action_words, OCI_REQUIRED),
	OCI_NUMBER_OPT(P, "defaultErrnoRet", seccomp.default_errno, 0, UINT16_MAX, 0),
	OCI_STRING(P, "defaultErrno", default_errno_name, OCI_EMPTY_IS_UNSET),
	OCI_LIST_FIELD(P, "architectures", seccomp.architectures, &oci_seccomp_arch_list, 0),
	OCI_LIST_FIELD(P, "archMap", arch_map, &arch_list, 0),
	OCI_FLAGS_SETS(P, "flags", seccomp.flags, seccomp.flags_set, &oci_filter_flag_words),
	OCI_LIST_FIELD(P, "syscalls", rules, &rule_list, 0),
	OCI_STRING(P, "listenerPath", seccomp.listener_path, OCI_EMPTY_IS_UNSET),
	OCI_STRING(P, "listenerMetadata", seccomp.listener_metadata, OCI_EMPTY_IS_UNSET),
};
static const struct oci_object profile_object = OCI_OBJECT_OF(profile_fields);

/* ---- from profile to seccomp ---- */

static int errno_number(const char *name)
{
	for (int n = 1; n < 256; n++) {
		const char *known = strerrorname_np(n);

		if (known && strcmp(known, name) == 0)
			return n;
	}
	return -1;
}

/* A name is right on every architecture, so it beats the number beside it. */
static int resolve_errno(struct oci_decoder *d, const char *key, const char *name, bool *set,
                         uint32_t *out)
{
	struct oci_step step;
	int number;

	if (!name)
		return 0;
	number = errno_number(name);
	if (number < 0) {
		oci_enter(d, &step, key, 0);
		return oci_decode_fail(d, "unknown errno \"%.32s\"", name);
	}
	*set = true;
	*out = (uint32_t)number;
	return 0;
}

static int resolve_arches(struct oci_decoder *d, struct profile *profile)
{
	struct oci_step step;

	if (profile->arch_map.n == 0)
		return 0;
	if (profile->seccomp.architectures.n > 0) {
		oci_enter(d, &step, "archMap", 0);
		return oci_decode_fail(d, "architectures are given, too");
	}
	for (size_t i = 0; i < profile->arch_map.n; i++) {
		const struct profile_arch *from = &profile->arch_map.v[i];
		uint32_t *v;

		if (from->arch != NATIVE_ARCH)
			continue;
		v = dj_arena_array(d->arena, from->sub.n + 1, sizeof(*v));
		v[0] = from->arch;
		if (from->sub.n > 0)
			memcpy(v + 1, from->sub.v, from->sub.n * sizeof(*v));
		profile->seccomp.architectures.v = v;
		profile->seccomp.architectures.n = from->sub.n + 1;
		break;
	}
	return 0;
}

static int resolve_rule(struct oci_decoder *d, struct profile_rule *rule)
{
	if (rule->name) {
		struct oci_strings names = { 0 };

		for (size_t i = 0; i < rule->rule.names.n; i++)
			oci_strings_add(d->arena, &names, rule->rule.names.v[i]);
		oci_strings_add(d->arena, &names, rule->name);
		rule->rule.names = names;
	}
	return resolve_errno(d, "errno", rule->errno_name, &rule->rule.errno_ret.set,
	                     &rule->rule.errno_ret.v);
}

static int resolve_rules(struct oci_decoder *d, struct profile *profile,
                         const struct machine *machine)
{
	struct oci_step list, item;
	struct oci_seccomp *out = &profile->seccomp;

	out->rules.v = dj_arena_array(d->arena, profile->rules.n + 1, sizeof(*out->rules.v));
	oci_enter(d, &list, "syscalls", 0);
	for (size_t i = 0; i < profile->rules.n; i++) {
		struct profile_rule *rule = &profile->rules.v[i];

		oci_enter(d, &item, NULL, i);
		if (resolve_rule(d, rule) < 0)
			return -1;
		oci_leave(d);
		if (applies(rule, machine))
			out->rules.v[out->rules.n++] = rule->rule;
	}
	oci_leave(d);
	return 0;
}

int oci_read_profile(struct oci_decoder *d, const struct json_value *value, uint64_t capabilities,
                     struct oci_seccomp *seccomp)
{
	struct machine machine = this_machine(capabilities);
	struct profile profile = { .seccomp.set = true };

	if (oci_read_members(d, value, &profile_object, &profile) < 0)
		return -1;
	if (resolve_errno(d, "defaultErrno", profile.default_errno_name,
	                  &profile.seccomp.default_errno.set, &profile.seccomp.default_errno.v) < 0)
		return -1;
	if (resolve_arches(d, &profile) < 0 || resolve_rules(d, &profile, &machine) < 0)
		return -1;
	*seccomp = profile.seccomp;
	return 0;
}
