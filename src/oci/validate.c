/*
 * Rules are rows of {member, predicate, message}; places say where the specification has the
 * objects they are about.  A predicate answers "is this in order?" about the member it is given,
 * and says yes where the member is absent.  What only the kernel knows (that a namespace path is of
 * its type and not the host's) is checked at launch.
 */
#include "oci/validate.h"

#include "oci/mount_options.h"
#include "oci/names.h"

#include <limits.h>
#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

struct rule {
	const char *member;                /* as in JSON, behind the place's path; "" is the object */
	size_t offset;                     /* of the member in the object */
	bool (*holds)(const void *member); /* about the member alone, or */
	bool (*fits)(const struct oci_spec *spec, const void *member);
	const char *message;
};

#define HOLDS(name, T, m, predicate, message) { name, offsetof(T, m), predicate, NULL, message }
#define FITS(name, T, m, predicate, message) { name, offsetof(T, m), NULL, predicate, message }
/* About the object as a whole. */
#define WHOLE(name, predicate, message) { name, 0, predicate, NULL, message }
#define WHOLE_FITS(name, predicate, message) { name, 0, NULL, predicate, message }

static bool has_ns(const struct oci_linux *container, enum oci_ns kind)
{
	return container->namespaces[kind].set;
}

static bool has_new_ns(const struct oci_linux *container, enum oci_ns kind)
{
	return has_ns(container, kind) && !container->namespaces[kind].path;
}

/* ---- strings ---- */

enum { HOSTNAME_MAX = 64, INTERFACE_MAX = 15 };

#define PATH_MESSAGE "must be a path of 1 to 4095 bytes"
#define ABSOLUTE_MESSAGE "must be an absolute path of at most 4095 bytes"
#define LINE_MESSAGE "must be one line of at most 4095 bytes"
#define CPUS_MESSAGE "must be a list like 0-3,7"
#define INTERFACE_MESSAGE "must be the name of a network interface"

static const char *string_at(const void *member)
{
	return *(char *const *)member;
}

/* Bytes that could end a line or a field of a kernel interface. */
static bool has_control_char(const char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < ' ' || *s == '\177')
			return true;
	}
	return false;
}

static bool is_path(const void *member)
{
	const char *path = string_at(member);

	return !path || (*path && strlen(path) < PATH_MAX);
}

static bool is_absolute(const void *member)
{
	const char *path = string_at(member);

	return !path || (*path == '/' && strlen(path) < PATH_MAX);
}

static bool is_line(const void *member)
{
	const char *s = string_at(member);

	return !s || (strlen(s) < PATH_MAX && !has_control_char(s));
}

static bool is_host_name(const void *member)
{
	const char *name = string_at(member);

	return !name || (strlen(name) <= HOSTNAME_MAX && !has_control_char(name));
}

static bool is_cpu_list(const void *member)
{
	const char *s = string_at(member);

	return !s || s[strspn(s, "0123456789,-:/")] == '\0';
}

static bool is_environment(const void *member)
{
	const char *s = string_at(member), *equals = strchr(s, '=');

	return equals && equals != s;
}

static bool is_interface(const void *member)
{
	const char *name = string_at(member);

	return *name && strlen(name) <= INTERFACE_MAX && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0 && name[strcspn(name, "/ :")] == '\0' &&
	       !has_control_char(name);
}

static const struct rule env_rules[] = {
	WHOLE("", is_environment, "must be NAME=VALUE"),
};
static const struct rule path_rules[] = {
	WHOLE("", is_absolute, ABSOLUTE_MESSAGE),
};

/* ---- id mappings ---- */

enum { ID_MAP_LINES_MAX = 340 }; /* the kernel's UID_GID_MAP_MAX_EXTENTS */

#define MAPS_MESSAGE                                                                               \
	"must be at most 340 ranges, none empty, none beyond 4294967295, none overlapping another"

/* 2^32-1 is no id, so no range may reach it. */
static bool is_range(const struct oci_id_map *map)
{
	return map->size > 0 && (uint64_t)map->container_id + map->size <= UINT32_MAX &&
	       (uint64_t)map->host_id + map->size <= UINT32_MAX;
}

static bool ranges_meet(const struct oci_id_map *a, const struct oci_id_map *b)
{
	return (a->container_id < b->container_id + b->size &&
		b->container_id < a->container_id + a->size) ||
	       (a->host_id < b->host_id + b->size && b->host_id < a->host_id + a->size);
}

static bool are_maps(const void *member)
{
	const struct oci_id_maps *maps = member;

	if (maps->n > ID_MAP_LINES_MAX)
		return false;
	for (size_t i = 0; i < maps->n; i++) {
		if (!is_range(&maps->v[i]))
			return false;
		for (size_t j = 0; j < i; j++) {
			if (ranges_meet(&maps->v[i], &maps->v[j]))
				return false;
		}
	}
	return true;
}

/* Without maps every id is its own, or comes from the namespace joined. */
static bool is_mapped(const struct oci_id_maps *maps, const uint32_t *id)
{
	for (size_t i = 0; i < maps->n; i++) {
		if (*id >= maps->v[i].container_id && *id - maps->v[i].container_id < maps->v[i].size)
			return true;
	}
	return maps->n == 0;
}

static bool is_mapped_uid(const struct oci_spec *spec, const void *member)
{
	return is_mapped(&spec->linux.uid_mappings, member);
}

static bool is_mapped_gid(const struct oci_spec *spec, const void *member)
{
	return is_mapped(&spec->linux.gid_mappings, member);
}

/* ---- top level ---- */

static bool has_uts_ns(const struct oci_spec *spec, const void *member)
{
	return !string_at(member) || has_ns(&spec->linux, OCI_NS_UTS);
}

#define S struct oci_spec

static const struct rule config_rules[] = {
	HOLDS("root.path", S, root.path, is_path, PATH_MESSAGE),
	HOLDS("hostname", S, hostname, is_host_name, "must be one line of at most 64 bytes"),
	FITS("hostname", S, hostname, has_uts_ns, "needs a uts namespace"),
	HOLDS("domainname", S, domainname, is_host_name, "must be one line of at most 64 bytes"),
	FITS("domainname", S, domainname, has_uts_ns, "needs a uts namespace"),
};

/* ---- mounts ---- */

static bool has_option(const struct oci_mount *mount, uint32_t flag)
{
	for (size_t i = 0; i < mount->options.n; i++) {
		const struct oci_mount_option *option = oci_mount_option_find(mount->options.v[i]);

		if (option && (option->flags & flag))
			return true;
	}
	return false;
}

static bool mount_maps_come_together(const void *member)
{
	const struct oci_mount *mount = member;

	return (mount->uid_mappings.n > 0) == (mount->gid_mappings.n > 0);
}

static bool idmap_has_maps(const struct oci_spec *spec, const void *member)
{
	const struct oci_mount *mount = member;

	return mount->uid_mappings.n > 0 || has_ns(&spec->linux, OCI_NS_USER) ||
	       !has_option(mount, OCI_MOUNT_IDMAP);
}

#define M struct oci_mount

static const struct rule mount_rules[] = {
	HOLDS(".destination", M, destination, is_path, PATH_MESSAGE),
	HOLDS(".source", M, source, is_path, PATH_MESSAGE),
	HOLDS(".uidMappings", M, uid_mappings, are_maps, MAPS_MESSAGE),
	HOLDS(".gidMappings", M, gid_mappings, are_maps, MAPS_MESSAGE),
	WHOLE("", mount_maps_come_together, "uidMappings and gidMappings must come together"),
	WHOLE_FITS(".options", idmap_has_maps, "idmap needs id mappings or a user namespace"),
};

/* ---- process ---- */

static bool has_args(const void *member)
{
	const struct oci_process *process = member;

	return !process->set || process->args.n > 0;
}

static bool lists_limits_once(const void *member)
{
	const struct oci_process *process = member;
	uint64_t seen = 0;

	_Static_assert(RLIMIT_NLIMITS <= 64, "one bit for each limit");
	for (size_t i = 0; i < process->rlimits.n; i++) {
		uint64_t bit = UINT64_C(1) << process->rlimits.v[i].type;

		if (seen & bit)
			return false;
		seen |= bit;
	}
	return true;
}

static bool is_linux_policy(const void *member)
{
	const struct oci_scheduler *scheduler = member;
	uint64_t iso = 0;

	return !oci_word_value(&oci_sched_policy_words, "SCHED_ISO", &iso) ||
	       scheduler->policy != (int)iso;
}

static bool priority_is_real_time(const void *member)
{
	const struct oci_scheduler *s = member;

	return s->priority == 0 || s->policy == SCHED_FIFO || s->policy == SCHED_RR;
}

static bool times_are_for_deadline(const void *member)
{
	const struct oci_scheduler *s = member;

	return s->policy == SCHED_DEADLINE ||
	       (s->runtime == 0 && s->deadline == 0 && s->period == 0);
}

#define P struct oci_process

static const struct rule process_rules[] = {
	WHOLE("args", has_args, "must name a program"),
	HOLDS("cwd", P, cwd, is_absolute, ABSOLUTE_MESSAGE),
	FITS("user.uid", P, user.uid, is_mapped_uid, "is not mapped in the user namespace"),
	FITS("user.gid", P, user.gid, is_mapped_gid, "is not mapped in the user namespace"),
	HOLDS("apparmorProfile", P, apparmor_profile, is_line, LINE_MESSAGE),
	HOLDS("selinuxLabel", P, selinux_label, is_line, LINE_MESSAGE),
	HOLDS("execCPUAffinity.initial", P, cpu_affinity_initial, is_cpu_list, CPUS_MESSAGE),
	HOLDS("execCPUAffinity.final", P, cpu_affinity_final, is_cpu_list, CPUS_MESSAGE),
	WHOLE("rlimits", lists_limits_once, "lists a resource limit twice"),
	HOLDS("scheduler.policy", P, scheduler, is_linux_policy, "SCHED_ISO is not in Linux"),
	HOLDS("scheduler.priority", P, scheduler, priority_is_real_time,
	      "needs SCHED_FIFO or SCHED_RR"),
	HOLDS("scheduler", P, scheduler, times_are_for_deadline,
	      "runtime, deadline and period need SCHED_DEADLINE"),
};

static const struct rule group_rules[] = {
	WHOLE_FITS("", is_mapped_gid, "is not mapped in the user namespace"),
};

static bool soft_is_below_hard(const void *member)
{
	const struct oci_rlimit *limit = member;

	return limit->soft <= limit->hard;
}

static const struct rule rlimit_rules[] = {
	WHOLE(".soft", soft_is_below_hard, "must not be greater than the hard limit"),
};

/* ---- hooks ---- */

static bool are_environment(const void *member)
{
	const struct oci_strings *env = member;

	for (size_t i = 0; i < env->n; i++) {
		if (!is_environment(&env->v[i]))
			return false;
	}
	return true;
}

static const struct rule hook_rules[] = {
	HOLDS(".path", struct oci_hook, path, is_absolute, ABSOLUTE_MESSAGE),
	HOLDS(".env", struct oci_hook, env, are_environment, "must be a list of NAME=VALUE"),
};

/* ---- linux ---- */

static const struct rule namespace_rules[] = {
	HOLDS(".path", struct oci_namespace, path, is_absolute, ABSOLUTE_MESSAGE),
};

static bool maps_come_together(const void *member)
{
	const struct oci_linux *container = member;

	return (container->uid_mappings.n > 0) == (container->gid_mappings.n > 0);
}

static bool maps_have_ns(const void *member)
{
	const struct oci_linux *container = member;

	return container->uid_mappings.n == 0 || has_ns(container, OCI_NS_USER);
}

/* Without maps nobody could become anybody in it. */
static bool new_userns_has_maps(const void *member)
{
	const struct oci_linux *container = member;

	return container->uid_mappings.n > 0 || !has_new_ns(container, OCI_NS_USER);
}

static bool time_offsets_have_ns(const void *member)
{
	const struct oci_linux *container = member;

	return (!container->time_offset_monotonic.set && !container->time_offset_boottime.set) ||
	       has_new_ns(container, OCI_NS_TIME);
}

static bool has_mount_ns(const struct oci_spec *spec, const void *member)
{
	const struct oci_strings *paths = member;

	return paths->n == 0 || has_ns(&spec->linux, OCI_NS_MOUNT);
}

static bool net_devices_have_ns(const void *member)
{
	const struct oci_linux *container = member;

	return container->net_devices.n == 0 || has_ns(container, OCI_NS_NETWORK);
}

/* It ends up between the quotes of context="...". */
static bool is_quotable(const void *member)
{
	const char *label = string_at(member);

	return !label || !strpbrk(label, "\"\\");
}

static bool has_no_parent_component(const void *member)
{
	const char *path = string_at(member);

	while (path && *path) {
		/* ':' separates the parts of the systemd form. */
		size_t len = strcspn(path, "/:");

		if (len == 2 && memcmp(path, "..", 2) == 0)
			return false;
		path += len + (path[len] != '\0');
	}
	return true;
}

#define L struct oci_linux

static const struct rule linux_rules[] = {
	HOLDS("uidMappings", L, uid_mappings, are_maps, MAPS_MESSAGE),
	HOLDS("gidMappings", L, gid_mappings, are_maps, MAPS_MESSAGE),
	WHOLE("gidMappings", maps_come_together, "uidMappings and gidMappings must come together"),
	WHOLE("uidMappings", maps_have_ns, "needs a user namespace"),
	WHOLE("uidMappings", new_userns_has_maps, "missing: a new user namespace needs id mappings"),
	WHOLE("timeOffsets", time_offsets_have_ns, "needs a time namespace without path"),
	FITS("maskedPaths", L, masked_paths, has_mount_ns, "needs a mount namespace"),
	FITS("readonlyPaths", L, readonly_paths, has_mount_ns, "needs a mount namespace"),
	WHOLE("netDevices", net_devices_have_ns, "needs a network namespace"),
	HOLDS("mountLabel", L, mount_label, is_line, LINE_MESSAGE),
	HOLDS("mountLabel", L, mount_label, is_quotable, "must not contain quotes or backslashes"),
	HOLDS("cgroupsPath", L, cgroups_path, is_line, LINE_MESSAGE),
	HOLDS("cgroupsPath", L, cgroups_path, has_no_parent_component, "must not contain \"..\""),
};

static bool device_has_numbers(const void *member)
{
	const struct oci_device *device = member;

	return device->type == 'p' || (device->major >= 0 && device->minor >= 0);
}

static const struct rule device_rules[] = {
	HOLDS(".path", struct oci_device, path, is_absolute, ABSOLUTE_MESSAGE),
	WHOLE("", device_has_numbers, "needs major and minor"),
};

static bool is_interface_or_empty(const void *member)
{
	return *string_at(member) == '\0' || is_interface(member);
}

static const struct rule net_device_rules[] = {
	HOLDS("", struct oci_pair, key, is_interface, INTERFACE_MESSAGE),
	HOLDS(".name", struct oci_pair, value, is_interface_or_empty, INTERFACE_MESSAGE),
};

/* ---- sysctls (P48, B29, T43) ---- */

static const struct {
	const char *name; /* with '.' at its end: everything below */
	enum oci_ns ns;
} namespaced_sysctls[] = {
	{ "kernel.msgmax", OCI_NS_IPC },
	{ "kernel.msgmnb", OCI_NS_IPC },
	{ "kernel.msgmni", OCI_NS_IPC },
	{ "kernel.sem", OCI_NS_IPC },
	{ "kernel.shmall", OCI_NS_IPC },
	{ "kernel.shmmax", OCI_NS_IPC },
	{ "kernel.shmmni", OCI_NS_IPC },
	{ "kernel.shm_rmid_forced", OCI_NS_IPC },
	{ "fs.mqueue.", OCI_NS_IPC },
	{ "net.", OCI_NS_NETWORK },
	{ "kernel.domainname", OCI_NS_UTS },
	{ "user.", OCI_NS_USER },
};

/* The namespace a sysctl belongs to; OCI_NS_COUNT: the host. */
static enum oci_ns sysctl_ns(const char *key)
{
	for (size_t i = 0; i < DJ_COUNT(namespaced_sysctls); i++) {
		const char *name = namespaced_sysctls[i].name;
		size_t len = strlen(name);

		if (name[len - 1] == '.' ? strncmp(key, name, len) == 0 : strcmp(key, name) == 0)
			return namespaced_sysctls[i].ns;
	}
	return OCI_NS_COUNT;
}

/* '/' stands for a '.' inside a name here, so a part made of nothing else would be "." or "..". */
static bool is_sysctl_name(const void *member)
{
	const char *part = string_at(member);

	if (!is_line(member))
		return false;
	for (;;) {
		size_t len = strcspn(part, ".");

		if (strspn(part, "/") >= len)
			return false;
		if (part[len] == '\0')
			return true;
		part += len + 1;
	}
}

static bool is_not_hostname(const void *member)
{
	return strcmp(string_at(member), "kernel.hostname") != 0;
}

static bool is_namespaced(const void *member)
{
	return sysctl_ns(string_at(member)) != OCI_NS_COUNT;
}

static bool has_its_ns(const struct oci_spec *spec, const void *member)
{
	return has_ns(&spec->linux, sysctl_ns(string_at(member)));
}

/* Two spellings of one file have become one by now. */
static bool is_listed_once(const struct oci_spec *spec, const void *member)
{
	const struct oci_pair *pair = member;

	for (const struct oci_pair *other = spec->linux.sysctl.v; other < pair; other++) {
		if (strcmp(other->key, pair->key) == 0)
			return false;
	}
	return true;
}

static bool is_sysctl_value(const void *member)
{
	const char *value = string_at(member);

	return strlen(value) < PATH_MAX && !strchr(value, '\n');
}

static const struct rule sysctl_rules[] = {
	HOLDS("", struct oci_pair, key, is_sysctl_name, "is no name of a sysctl"),
	HOLDS("", struct oci_pair, key, is_not_hostname, "use the property hostname"),
	HOLDS("", struct oci_pair, key, is_namespaced, "belongs to the host, not to a namespace"),
	FITS("", struct oci_pair, key, has_its_ns,
	     "belongs to a namespace that the container shares with the host"),
	WHOLE_FITS("", is_listed_once, "is listed twice, with '.' and with '/'"),
	HOLDS("", struct oci_pair, value, is_sysctl_value, LINE_MESSAGE),
};

/* ---- resources ---- */

/* Memory and swap together (P63); -1 is "no limit". */
static bool swap_contains_memory(const void *member)
{
	const struct oci_resources *r = member;

	if (!r->memory.swap.set || r->memory.swap.v < 0)
		return true;
	return r->memory.limit.set && r->memory.limit.v > 0 &&
	       r->memory.limit.v <= r->memory.swap.v;
}

static bool burst_is_below_quota(const void *member)
{
	const struct oci_resources *r = member;

	return !r->cpu.burst.set ||
	       (r->cpu.quota.set && r->cpu.burst.v <= (uint64_t)r->cpu.quota.v);
}

#define R struct oci_resources

static const struct rule resource_rules[] = {
	HOLDS("cpu.cpus", R, cpu.cpus, is_cpu_list, CPUS_MESSAGE),
	HOLDS("cpu.mems", R, cpu.mems, is_cpu_list, CPUS_MESSAGE),
	WHOLE("cpu.burst", burst_is_below_quota, "must not be greater than the quota"),
	WHOLE("memory.swap", swap_contains_memory, "must be at least memory.limit, which it includes"),
};

/* cgroup v1 reads "a 8:0 r" as "everything". */
static bool all_devices_has_no_numbers(const void *member)
{
	const struct oci_device_rule *rule = member;

	return rule->type != 'a' || (rule->major == -1 && rule->minor == -1);
}

static const struct rule device_rule_rules[] = {
	WHOLE("", all_devices_has_no_numbers, "type a takes no major and minor"),
};

static bool has_weight(const void *member)
{
	const struct oci_weight_device *device = member;

	return device->weight.set || device->leaf_weight.set;
}

static const struct rule weight_device_rules[] = {
	WHOLE("", has_weight, "needs weight or leafWeight"),
};

/* It becomes part of a file name (T45): ^[1-9][0-9]*(KB|MB|GB)$ */
static bool is_page_size(const void *member)
{
	const char *size = string_at(member);
	size_t digits = strspn(size, "0123456789");
	const char *unit = size + digits;

	return digits > 0 && digits < 20 && size[0] != '0' &&
	       (strcmp(unit, "KB") == 0 || strcmp(unit, "MB") == 0 || strcmp(unit, "GB") == 0);
}

static const struct rule hugepage_rules[] = {
	HOLDS(".pageSize", struct oci_hugepage_limit, page_size, is_page_size,
	      "must be a size like 64KB, 2MB or 1GB"),
};

static const struct rule priority_rules[] = {
	HOLDS(".name", struct oci_pair, key, is_interface, INTERFACE_MESSAGE),
};

static bool is_rdma_device(const void *member)
{
	const char *name = string_at(member);

	return name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789_.:-")] == '\0';
}

static bool has_rdma_limit(const void *member)
{
	const struct oci_rdma *rdma = member;

	return rdma->hca_handles.set || rdma->hca_objects.set;
}

static const struct rule rdma_rules[] = {
	HOLDS("", struct oci_rdma, device, is_rdma_device, "must be the name of a device"),
	WHOLE("", has_rdma_limit, "needs hcaHandles or hcaObjects"),
};

/* A file inside the container's own cgroup, and nothing else (T45). */
static bool is_file_name(const void *member)
{
	const char *name = string_at(member);

	return strlen(name) <= NAME_MAX && !strchr(name, '/') && !has_control_char(name) &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static const struct rule unified_rules[] = {
	HOLDS("", struct oci_pair, key, is_file_name, "must be the name of a cgroup file"),
};

/* ---- seccomp ---- */

enum { ERRNO_MAX = 4095 }; /* the kernel cuts a greater one off; a tracer gets 16 bits */

static bool errno_is_used(enum oci_seccomp_action action)
{
	return action == OCI_ACT_ERRNO || action == OCI_ACT_TRACE;
}

static bool errno_fits(enum oci_seccomp_action action, uint32_t number)
{
	return action != OCI_ACT_ERRNO || number <= ERRNO_MAX;
}

static bool default_is_not_notify(const void *member)
{
	const struct oci_seccomp *seccomp = member;

	return !seccomp->set || seccomp->default_action != OCI_ACT_NOTIFY;
}

static bool default_errno_is_used(const void *member)
{
	const struct oci_seccomp *seccomp = member;

	return !seccomp->default_errno.set || errno_is_used(seccomp->default_action);
}

static bool default_errno_fits(const void *member)
{
	const struct oci_seccomp *seccomp = member;

	return errno_fits(seccomp->default_action, seccomp->default_errno.v);
}

/* Without one nobody would answer. */
static bool notify_has_listener(const void *member)
{
	const struct oci_seccomp *seccomp = member;

	for (size_t i = 0; i < seccomp->rules.n; i++) {
		if (seccomp->rules.v[i].action == OCI_ACT_NOTIFY)
			return seccomp->listener_path != NULL;
	}
	return true;
}

static bool metadata_has_listener(const void *member)
{
	const struct oci_seccomp *seccomp = member;

	return !seccomp->listener_metadata || seccomp->listener_path;
}

static const struct rule seccomp_rules[] = {
	WHOLE("defaultAction", default_is_not_notify, "SCMP_ACT_NOTIFY cannot be the default"),
	WHOLE("defaultErrnoRet", default_errno_is_used, "the default action returns no errno"),
	WHOLE("defaultErrnoRet", default_errno_fits, "must be from 0 to 4095"),
	HOLDS("listenerPath", struct oci_seccomp, listener_path, is_absolute, ABSOLUTE_MESSAGE),
	WHOLE("listenerPath", notify_has_listener, "missing: SCMP_ACT_NOTIFY needs it"),
	WHOLE("listenerMetadata", metadata_has_listener, "needs listenerPath"),
};

static bool names_calls(const void *member)
{
	const struct oci_strings *names = member;

	for (size_t i = 0; i < names->n; i++) {
		if (*names->v[i] == '\0')
			return false;
	}
	return names->n > 0;
}

static bool rule_errno_is_used(const void *member)
{
	const struct oci_seccomp_rule *rule = member;

	return !rule->errno_ret.set || errno_is_used(rule->action);
}

static bool rule_errno_fits(const void *member)
{
	const struct oci_seccomp_rule *rule = member;

	return errno_fits(rule->action, rule->errno_ret.v);
}

static const struct rule syscall_rules[] = {
	HOLDS(".names", struct oci_seccomp_rule, names, names_calls, "must name system calls"),
	WHOLE(".errnoRet", rule_errno_is_used, "the action returns no errno"),
	WHOLE(".errnoRet", rule_errno_fits, "must be from 0 to 4095"),
};

/* ---- where ---- */

enum place_kind {
	ONE,   /* the object itself; the path continues in the rule's member */
	LIST,  /* path[3] */
	MAP,   /* path["key"]; every item starts with its key */
	KINDS, /* path[uts]; one item for each kind of namespace */
};

struct place {
	const char *path;
	enum place_kind kind;
	size_t offset, item_size; /* of the object or list in struct oci_spec; of an item */
	const struct rule *rules;
	size_t n_rules;
};

#define RULES(r) r, DJ_COUNT(r)
#define THE(m) ONE, offsetof(struct oci_spec, m), sizeof(((struct oci_spec *)0)->m)
#define ITEMS(m) offsetof(struct oci_spec, m), sizeof(*((struct oci_spec *)0)->m.v)
#define HOOKS(name, kind) { "hooks." name, LIST, ITEMS(hooks[kind]), RULES(hook_rules) }

static const struct place places[] = {
	{ "", ONE, 0, sizeof(struct oci_spec), RULES(config_rules) },
	{ "linux.", THE(linux), RULES(linux_rules) },
	{ "linux.namespaces", KINDS, offsetof(struct oci_spec, linux.namespaces),
	  sizeof(struct oci_namespace), RULES(namespace_rules) },
	{ "mounts", LIST, ITEMS(mounts), RULES(mount_rules) },
	{ "process.", THE(process), RULES(process_rules) },
	{ "process.env", LIST, ITEMS(process.env), RULES(env_rules) },
	{ "process.user.additionalGids", LIST, ITEMS(process.user.additional_gids),
	  RULES(group_rules) },
	{ "process.rlimits", LIST, ITEMS(process.rlimits), RULES(rlimit_rules) },
	HOOKS("prestart", OCI_HOOK_PRESTART),
	HOOKS("createRuntime", OCI_HOOK_CREATE_RUNTIME),
	HOOKS("createContainer", OCI_HOOK_CREATE_CONTAINER),
	HOOKS("startContainer", OCI_HOOK_START_CONTAINER),
	HOOKS("poststart", OCI_HOOK_POSTSTART),
	HOOKS("poststop", OCI_HOOK_POSTSTOP),
	{ "linux.maskedPaths", LIST, ITEMS(linux.masked_paths), RULES(path_rules) },
	{ "linux.readonlyPaths", LIST, ITEMS(linux.readonly_paths), RULES(path_rules) },
	{ "linux.devices", LIST, ITEMS(linux.devices), RULES(device_rules) },
	{ "linux.netDevices", MAP, ITEMS(linux.net_devices), RULES(net_device_rules) },
	{ "linux.sysctl", MAP, ITEMS(linux.sysctl), RULES(sysctl_rules) },
	{ "linux.resources.", THE(linux.resources), RULES(resource_rules) },
	{ "linux.resources.devices", LIST, ITEMS(linux.resources.devices), RULES(device_rule_rules) },
	{ "linux.resources.blockIO.weightDevice", LIST, ITEMS(linux.resources.block_io.weight_device),
	  RULES(weight_device_rules) },
	{ "linux.resources.hugepageLimits", LIST, ITEMS(linux.resources.hugepage_limits),
	  RULES(hugepage_rules) },
	{ "linux.resources.network.priorities", LIST, ITEMS(linux.resources.network.priorities),
	  RULES(priority_rules) },
	{ "linux.resources.rdma", MAP, ITEMS(linux.resources.rdma), RULES(rdma_rules) },
	{ "linux.resources.unified", MAP, ITEMS(linux.resources.unified), RULES(unified_rules) },
	{ "linux.seccomp.", THE(linux.seccomp), RULES(seccomp_rules) },
	{ "linux.seccomp.syscalls", LIST, ITEMS(linux.seccomp.rules), RULES(syscall_rules) },
};

struct items {
	const char *v;
	size_t n;
};

/* Every list of struct oci_spec is a pointer and a count. */
static struct items items_at(const struct oci_spec *spec, const struct place *place)
{
	const char *at = (const char *)spec + place->offset;
	struct items items;

	if (place->kind == ONE)
		return (struct items){ at, 1 };
	if (place->kind == KINDS)
		return (struct items){ at, OCI_NS_COUNT };
	memcpy(&items, at, sizeof(items));
	return items;
}

static int fail_rule(const struct place *place, const struct rule *rule, const char *item, size_t i,
		     struct donjon_error *err)
{
	char where[128] = "";

	switch (place->kind) {
	case ONE:
		break;
	case LIST:
		(void)snprintf(where, sizeof(where), "[%zu]", i);
		break;
	case MAP:
		(void)snprintf(where, sizeof(where), "[\"%.64s\"]", string_at(item));
		break;
	case KINDS:
		(void)snprintf(where, sizeof(where), "[%s]", oci_word_name(&oci_namespace_words, i));
		break;
	}
	return dj_fail(err, DONJON_E_CONFIG, "%s%s%s: %s", place->path, where, rule->member,
		       rule->message);
}

static int check_item(const struct oci_spec *spec, const struct place *place, const char *item,
		      size_t i, struct donjon_error *err)
{
	for (const struct rule *rule = place->rules; rule < place->rules + place->n_rules; rule++) {
		const void *member = item + rule->offset;

		if (rule->holds ? !rule->holds(member) : !rule->fits(spec, member))
			return fail_rule(place, rule, item, i, err);
	}
	return 0;
}

int oci_validate(const struct oci_spec *spec, struct donjon_error *err)
{
	for (const struct place *p = places; p < places + DJ_COUNT(places); p++) {
		const struct items items = items_at(spec, p);

		for (size_t i = 0; i < items.n; i++) {
			if (check_item(spec, p, items.v + i * p->item_size, i, err) < 0)
				return -1;
		}
	}
	return 0;
}
