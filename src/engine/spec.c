/*
 * Configuration documents to start from.  There are four: what other runtimes write, and what the
 * hardened level leaves alone, each for root and for unprivileged callers.  Rows say in which of
 * them they are.
 */
#include "donjon/features.h"

#include "base/cleanup.h"
#include "filter/filter.h"
#include "oci/decode.h"
#include "oci/names.h"
#include "wrap/json.h"

#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

enum document {
	PLAIN = 1 << 0,
	PLAIN_ROOTLESS = 1 << 1,
	HARD = 1 << 2,
	HARD_ROOTLESS = 1 << 3,

	ANY_PLAIN = PLAIN | PLAIN_ROOTLESS,
	ANY_HARD = HARD | HARD_ROOTLESS,
	ROOTFUL = PLAIN | HARD,
	ROOTLESS = PLAIN_ROOTLESS | HARD_ROOTLESS,
	ANY = ANY_PLAIN | ANY_HARD,
};

enum {
	HARD_ID = 1000,        /* whom the program runs as */
	HARD_MEMORY = 1 << 30, /* bytes, swap included: none */
	HARD_PIDS = 1024,      /* decision 15 */
	HARD_CPU_SHARES = 512, /* half the default: the host's own services come first */
};

/* A word, and where it is said. */
struct row {
	const char *text;
	unsigned in;
};

static void set_string(struct json_value *object, const char *key, const char *value)
{
	json_set(object, key, json_new_string(value));
}

static void set_int(struct json_value *object, const char *key, int64_t value)
{
	json_set(object, key, json_new_int(value));
}

static struct json_value *rows(const struct row *table, size_t n, unsigned document)
{
	struct json_value *array = json_new_array();

	for (size_t i = 0; i < n; i++) {
		if (table[i].in & document)
			json_push(array, json_new_string(table[i].text));
	}
	return array;
}
#define ROWS(table, document) rows(table, DJ_COUNT(table), document)

/* ---- process ---- */

static const struct row args[] = { { "sh", ANY } };
static const struct row env[] = {
	{ "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", ANY },
	{ "TERM=xterm", ANY },
};
static const struct row capabilities[] = {
	{ "CAP_AUDIT_WRITE", ANY_PLAIN },
	{ "CAP_KILL", ANY_PLAIN },
	{ "CAP_NET_BIND_SERVICE", ANY_PLAIN },
};
static const struct row capability_sets[] = {
	{ "bounding", ANY },  { "effective", ANY }, { "inheritable", ANY_HARD },
	{ "permitted", ANY }, { "ambient", ANY },
};

static const struct {
	const char *type;
	unsigned in;
	int64_t limit;
} rlimits[] = {
	{ "RLIMIT_NOFILE", ANY, 1024 },
	/* 0 does not stop a core_pattern that is a pipe (decision 45) */
	{ "RLIMIT_CORE", ANY_HARD, 1 },
};

static struct json_value *user(unsigned document)
{
	struct json_value *object = json_new_object();
	const int64_t id = document & ANY_HARD ? HARD_ID : 0;

	set_int(object, "uid", id);
	set_int(object, "gid", id);
	return object;
}

static struct json_value *make_capabilities(unsigned document)
{
	struct json_value *object = json_new_object();

	for (size_t i = 0; i < DJ_COUNT(capability_sets); i++) {
		if (capability_sets[i].in & document)
			json_set(object, capability_sets[i].text, ROWS(capabilities, document));
	}
	return object;
}

static struct json_value *make_rlimits(unsigned document)
{
	struct json_value *array = json_new_array();

	for (size_t i = 0; i < DJ_COUNT(rlimits); i++) {
		struct json_value *object;

		if (!(rlimits[i].in & document))
			continue;
		object = json_new_object();
		set_string(object, "type", rlimits[i].type);
		set_int(object, "hard", rlimits[i].limit);
		set_int(object, "soft", rlimits[i].limit);
		json_push(array, object);
	}
	return array;
}

static struct json_value *process(unsigned document)
{
	struct json_value *object = json_new_object();

	json_set(object, "terminal", json_new_bool(true));
	json_set(object, "user", user(document));
	json_set(object, "args", ROWS(args, document));
	json_set(object, "env", ROWS(env, document));
	set_string(object, "cwd", "/");
	json_set(object, "capabilities", make_capabilities(document));
	json_set(object, "rlimits", make_rlimits(document));
	json_set(object, "noNewPrivileges", json_new_bool(true));
	return object;
}

/* ---- mounts ---- */

enum { OPTIONS_MAX = 8 };

/* clang-format off */
static const struct mount_row {
	unsigned in;
	const char *destination, *type, *source;
	struct row options[OPTIONS_MAX];
} mounts[] = {
	{ ANY, "/proc", "proc", "proc",
	  { { "nosuid", ANY_HARD }, { "noexec", ANY_HARD }, { "nodev", ANY_HARD },
	    { "hidepid=ptraceable", ANY_HARD } } },
	{ ANY, "/dev", "tmpfs", "tmpfs",
	  { { "nosuid", ANY }, { "noexec", ANY_HARD }, { "strictatime", ANY }, { "mode=755", ANY },
	    { "size=65536k", ANY_PLAIN }, { "size=64k", ANY_HARD } } },
	{ ANY, "/dev/pts", "devpts", "devpts",
	  { { "nosuid", ANY }, { "noexec", ANY }, { "newinstance", ANY }, { "ptmxmode=0666", ANY },
	    { "mode=0620", ANY }, { "gid=5", ROOTFUL } } },
	{ ANY, "/dev/shm", "tmpfs", "shm",
	  { { "nosuid", ANY }, { "noexec", ANY }, { "nodev", ANY }, { "mode=1777", ANY },
	    { "size=65536k", ANY }, { "nr_inodes=4096", ANY_HARD } } },
	{ ANY_PLAIN, "/dev/mqueue", "mqueue", "mqueue",
	  { { "nosuid", ANY }, { "noexec", ANY }, { "nodev", ANY } } },
	{ PLAIN, "/sys", "sysfs", "sysfs",
	  { { "nosuid", ANY }, { "noexec", ANY }, { "nodev", ANY }, { "ro", ANY } } },
	{ PLAIN_ROOTLESS, "/sys", "none", "/sys",
	  { { "rbind", ANY }, { "nosuid", ANY }, { "noexec", ANY }, { "nodev", ANY }, { "ro", ANY } } },
	{ ANY_PLAIN, "/sys/fs/cgroup", "cgroup", "cgroup",
	  { { "nosuid", ANY }, { "noexec", ANY }, { "nodev", ANY }, { "relatime", ANY }, { "ro", ANY } } },
	{ ANY_HARD, "/tmp", "tmpfs", "tmpfs",
	  { { "nosuid", ANY }, { "noexec", ANY }, { "nodev", ANY }, { "mode=1777", ANY },
	    { "size=64m", ANY }, { "nr_inodes=16384", ANY } } },
};
/* clang-format on */

static struct json_value *make_mount(const struct mount_row *row, unsigned document)
{
	struct json_value *object = json_new_object(), *options = json_new_array();

	set_string(object, "destination", row->destination);
	set_string(object, "type", row->type);
	set_string(object, "source", row->source);
	for (size_t i = 0; i < OPTIONS_MAX && row->options[i].text; i++) {
		if (row->options[i].in & document)
			json_push(options, json_new_string(row->options[i].text));
	}
	if (json_size(options) > 0)
		json_set(object, "options", options);
	else
		json_free(options);
	return object;
}

static struct json_value *make_mounts(unsigned document)
{
	struct json_value *array = json_new_array();

	for (size_t i = 0; i < DJ_COUNT(mounts); i++) {
		if (mounts[i].in & document)
			json_push(array, make_mount(&mounts[i], document));
	}
	return array;
}

/* ---- linux ---- */

static const struct row namespaces[] = {
	{ "pid", ANY },       { "network", ROOTFUL | HARD_ROOTLESS },
	{ "ipc", ANY },       { "uts", ANY },
	{ "mount", ANY },     { "cgroup", ANY_HARD },
	{ "user", ROOTLESS },
};

static const struct row masked[] = {
	{ "/proc/acpi", ANY },
	{ "/proc/asound", ANY },
	{ "/proc/kcore", ANY },
	{ "/proc/keys", ANY },
	{ "/proc/latency_stats", ANY },
	{ "/proc/timer_list", ANY },
	{ "/proc/timer_stats", ANY },
	{ "/proc/sched_debug", ANY },
	{ "/sys/firmware", ANY },
	{ "/proc/scsi", ANY },
	{ "/proc/config.gz", ANY_HARD },
	{ "/proc/interrupts", ANY_HARD },
	{ "/proc/kallsyms", ANY_HARD },
	{ "/proc/kmsg", ANY_HARD },
	{ "/proc/modules", ANY_HARD },
	{ "/proc/pagetypeinfo", ANY_HARD },
	{ "/proc/slabinfo", ANY_HARD },
	{ "/proc/vmallocinfo", ANY_HARD },
	/* There is no /sys in these documents, until somebody adds one. */
	{ "/sys/devices/virtual/powercap", ANY_HARD },
	{ "/sys/fs/selinux", ANY_HARD },
	{ "/sys/kernel/debug", ANY_HARD },
	{ "/sys/kernel/security", ANY_HARD },
	{ "/sys/kernel/tracing", ANY_HARD },
};

static const struct row readonly[] = {
	{ "/proc/bus", ANY },           { "/proc/fs", ANY },
	{ "/proc/irq", ANY },           { "/proc/sys", ANY },
	{ "/proc/sysrq-trigger", ANY },
};

static bool host_has_cgroup2(void)
{
	struct statfs fs;

	return statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

static void push_namespace(struct json_value *array, const char *type)
{
	struct json_value *object = json_new_object();

	set_string(object, "type", type);
	json_push(array, object);
}

static struct json_value *make_namespaces(unsigned document)
{
	struct json_value *array = json_new_array();

	for (size_t i = 0; i < DJ_COUNT(namespaces); i++) {
		if (namespaces[i].in & document)
			push_namespace(array, namespaces[i].text);
	}
	/* Without one a mounted cgroup2 would show the host's tree; runc adds it there, too. */
	if ((document & ANY_PLAIN) && host_has_cgroup2())
		push_namespace(array, "cgroup");
	return array;
}

/* A caller without privileges may map itself, and nobody else. */
static struct json_value *make_map(unsigned document, uint32_t id)
{
	struct json_value *array = json_new_array(), *object = json_new_object();

	set_int(object, "containerID", document & ANY_HARD ? HARD_ID : 0);
	set_int(object, "hostID", id);
	set_int(object, "size", 1);
	json_push(array, object);
	return array;
}

static struct json_value *deny_all_devices(void)
{
	struct json_value *array = json_new_array(), *rule = json_new_object();

	json_set(rule, "allow", json_new_bool(false));
	set_string(rule, "access", "rwm");
	json_push(array, rule);
	return array;
}

static void set_limits(struct json_value *resources)
{
	struct json_value *memory = json_new_object(), *cpu = json_new_object();
	struct json_value *pids = json_new_object();

	set_int(memory, "limit", HARD_MEMORY);
	set_int(memory, "swap", HARD_MEMORY);
	set_int(cpu, "shares", HARD_CPU_SHARES);
	set_int(pids, "limit", HARD_PIDS);
	json_set(resources, "memory", memory);
	json_set(resources, "cpu", cpu);
	json_set(resources, "pids", pids);
}

static struct json_value *resources(unsigned document)
{
	struct json_value *object = json_new_object();

	json_set(object, "devices", deny_all_devices());
	if (document & ANY_HARD)
		set_limits(object);
	return object;
}

/* The thermal counters of each CPU tell what the neighbours do (GHSA-6fw5-f8r9-fgfm). */
static void mask_cpus(struct json_value *array)
{
	const long cpus = sysconf(_SC_NPROCESSORS_CONF);
	char path[64];

	for (long i = 0; i < cpus; i++) {
		(void)snprintf(path, sizeof(path),
		               "/sys/devices/system/cpu/cpu%ld/thermal_throttle", i);
		json_push(array, json_new_string(path));
	}
}

static struct json_value *make_masked(unsigned document)
{
	struct json_value *array = ROWS(masked, document);

	if (document & ANY_HARD)
		mask_cpus(array);
	return array;
}

/* ---- seccomp ---- */

static struct json_value *seccomp_args(const struct oci_seccomp_rule *rule)
{
	struct json_value *array = json_new_array();

	for (size_t i = 0; i < rule->args.n; i++) {
		const struct oci_seccomp_arg *arg = &rule->args.v[i];
		struct json_value *object = json_new_object();

		set_int(object, "index", arg->index);
		json_set(object, "value", json_new_uint(arg->value));
		json_set(object, "valueTwo", json_new_uint(arg->value_two));
		set_string(object, "op", oci_word_name(&oci_operator_words, arg->op));
		json_push(array, object);
	}
	return array;
}

static struct json_value *seccomp_rule(const struct oci_seccomp_rule *rule)
{
	struct json_value *object = json_new_object(), *names = json_new_array();

	for (size_t i = 0; i < rule->names.n; i++)
		json_push(names, json_new_string(rule->names.v[i]));
	json_set(object, "names", names);
	set_string(object, "action", oci_word_name(&oci_action_words, rule->action));
	if (rule->errno_ret.set)
		set_int(object, "errnoRet", rule->errno_ret.v);
	if (rule->args.n > 0)
		json_set(object, "args", seccomp_args(rule));
	return object;
}

static struct json_value *seccomp_flags(uint32_t flags)
{
	struct json_value *array = json_new_array();

	for (size_t i = 0; i < oci_filter_flag_words.n; i++) {
		if (flags & oci_filter_flag_words.v[i].value)
			json_push(array, json_new_string(oci_filter_flag_words.v[i].name));
	}
	return array;
}

static struct json_value *seccomp(const struct oci_seccomp *profile)
{
	struct json_value *object = json_new_object(), *rules = json_new_array();

	set_string(object, "defaultAction",
	           oci_word_name(&oci_action_words, profile->default_action));
	if (profile->default_errno.set)
		set_int(object, "defaultErrnoRet", profile->default_errno.v);
	/* An absent list would mean SPEC_ALLOW to other runtimes (P89). */
	json_set(object, "flags", seccomp_flags(profile->flags));
	for (size_t i = 0; i < profile->rules.n; i++)
		json_push(rules, seccomp_rule(&profile->rules.v[i]));
	json_set(object, "syscalls", rules);
	return object;
}

/* The built-in profile, resolved for a container without capabilities. */
static int set_seccomp(struct json_value *container, struct donjon_error *err)
{
	dj_auto_arena struct dj_arena arena = { 0 };
	struct oci_seccomp profile;

	if (filter_builtin_default(&arena, 0, &profile, err) < 0)
		return -1;
	json_set(container, "seccomp", seccomp(&profile));
	return 0;
}

/* ---- the document ---- */

static int set_linux(struct json_value *root, unsigned document, struct donjon_error *err)
{
	struct json_value *object = json_new_object();

	json_set(root, "linux", object);
	if (document & ROOTFUL)
		json_set(object, "resources", resources(document));
	if (document & ROOTLESS) {
		json_set(object, "uidMappings", make_map(document, geteuid()));
		json_set(object, "gidMappings", make_map(document, getegid()));
	}
	json_set(object, "namespaces", make_namespaces(document));
	if ((document & ANY_HARD) && set_seccomp(object, err) < 0)
		return -1;
	json_set(object, "maskedPaths", make_masked(document));
	json_set(object, "readonlyPaths", ROWS(readonly, document));
	return 0;
}

static struct json_value *make_root(void)
{
	struct json_value *object = json_new_object();

	set_string(object, "path", "rootfs");
	json_set(object, "readonly", json_new_bool(true));
	return object;
}

int donjon_spec_json(bool rootless, bool hardened, char **json, struct donjon_error *err)
{
	const unsigned document =
	        hardened ? (rootless ? HARD_ROOTLESS : HARD) : (rootless ? PLAIN_ROOTLESS : PLAIN);
	struct json_value *object = json_new_object();
	int rc;

	set_string(object, "ociVersion", OCI_VERSION_MAX);
	json_set(object, "process", process(document));
	json_set(object, "root", make_root());
	set_string(object, "hostname", "donjon");
	json_set(object, "mounts", make_mounts(document));
	rc = set_linux(object, document, err);
	if (rc == 0)
		*json = json_print(object, true);
	json_free(object);
	return rc;
}
