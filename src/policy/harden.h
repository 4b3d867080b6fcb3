/*
 * What the transforms of src/policy share: the spec being tightened, the record they write, and
 * the questions they ask about overrides and mounts.  A transform is one row of harden.c's table;
 * it may only tighten, and whatever it does ends in a change, a finding or a note.
 */
#ifndef POLICY_HARDEN_H
#define POLICY_HARDEN_H

#include "policy/overrides.h"
#include "policy/policy.h"

struct harden {
	struct oci_spec *spec;
	const struct host_facts *host;
	const struct policy_request *request;
	struct dj_arena *arena;
	struct policy_result *result;
	enum policy_level level;
	const char *check; /* of the row being applied: records are filed under it */
	bool privileged;   /* one finding stands for all that --privileged asks (decision 20) */
	bool made_rootfs_readonly;
	/* The container that spec->process joins; NULL: it is the container's own. */
	const struct harden_container {
		const struct oci_process *configured;
		struct oci_process hardened;
		struct oci_capabilities asked; /* by the one that joins */
	} *container;
};

/* record.c.  Texts are copied. */
void harden_changed(struct harden *h, const char *pointer, const char *before, const char *after);
/* `found` follows the pointer in a sentence; value: what to override the check with, or NULL. */
void harden_refused(struct harden *h, const char *pointer, const char *found, const char *wanted,
                    const char *value);
void harden_noted(struct harden *h, const char *text);
#define harden_text(h, ...) dj_arena_printf((h)->arena, __VA_ARGS__)
/* "/linux/sysctl/" + key with '~' and '/' escaped as JSON pointers want it. */
char *harden_pointer(struct harden *h, const char *parent, const char *key);

/* Room for one more item behind n; for lists that only list_room() grows. */
void *list_room(struct dj_arena *arena, void *v, size_t n, size_t size);
/* The spec's own lists have no spare room: a copy with `extra` zeroed items before or behind. */
void *list_prepend(struct dj_arena *arena, const void *v, size_t n, size_t extra, size_t size);
void *list_append(struct dj_arena *arena, const void *v, size_t n, size_t extra, size_t size);
void strings_add(struct dj_arena *arena, struct oci_strings *list, char *item);
bool strings_has(const struct oci_strings *list, const char *item);

/* overrides.c: asks about the row's own check and marks the override as used. */
bool overridden(struct harden *h, const char *item);
/* The same for another row's check. */
bool overridden_of(struct harden *h, const char *check, const char *item);
/* A listed path, or something below it; "/" stands for itself only. */
bool overridden_path(struct harden *h, const char *path);
/* The strongest override's whole value, or NULL. */
const char *override_value(struct harden *h);
/* Gathers the overrides of file, command line and annotations; refuses what annotations may not. */
int overrides_collect(struct harden *h, struct donjon_error *err);

/* levels.c */
int levels_resolve(const struct policy_request *request, const struct oci_spec *spec,
                   struct policy_result *result, struct donjon_error *err);

/* refusal.c: all findings as one line of at most 2,000 bytes that no caller misreads. */
int refusal_fail(const struct policy_result *result, struct donjon_error *err);

/* mounts.c */
enum mount_flag { MOUNT_NOSUID = 1, MOUNT_NODEV = 2, MOUNT_NOEXEC = 4 };
bool mount_is_bind(const struct oci_mount *mount);
bool mount_has_type(const struct oci_mount *mount, const char *type);
bool mount_is_at(const struct oci_mount *mount, const char *clean_path);
bool mount_is_readonly(const struct oci_mount *mount);
/* One that stays one: of something that is no earlier mount of the config, by its name. */
bool mount_is_remount(const struct oci_mount *mount);
/* Does it ask for rw, suid, dev or exec? */
bool mount_takes_flags(const struct oci_mount *mount);
/* Is the source one device node (a bind of /dev/fuse)? */
bool mount_is_device(const struct harden *h, size_t index);
/* What the engine saw at the mount's source; a zeroed struct where it did not look. */
const struct policy_bind_source *mount_source(const struct harden *h, size_t index);
/* The source as a clean absolute path of the host, links resolved where the engine did. */
char *mount_source_path(struct harden *h, size_t index);
/* The destination as a clean absolute path. */
char *mount_destination(struct harden *h, size_t index);
/* "/mounts/3/options" as the config numbers them. */
char *mount_pointer(struct harden *h, size_t index, const char *member);
void mount_add_option(struct harden *h, struct oci_mount *mount, const char *option);
/* Adds the wanted flags the options leave open, recorded as one change; returns those that the
 * options contradict (decision 24). */
unsigned mount_add_flags(struct harden *h, size_t index, unsigned want);
const char *mount_flag_opposite(enum mount_flag flag); /* "exec" */

/* namespaces.c: absent, or spelled as the path of the host's own. */
bool namespace_is_host(const struct oci_spec *spec, enum oci_ns kind);

/* userns.c: what is expected of the rootfs. */
enum policy_owners userns_owners(const struct harden *h);
/* Ids outside; false where a namespace joined by path does not tell. */
bool userns_host_id(const struct harden *h, const struct oci_id_maps *maps, uint32_t id,
                    uint32_t *out);

/* sysctls.c */
void sysctl_set(struct harden *h, const char *key, const char *value);

/* devices.c */
bool device_path_is_default(const char *path);

/* caps.c */
char *caps_list(struct harden *h, uint64_t set); /* names, with commas between them */
uint64_t caps_all(const struct oci_capabilities *c);
void caps_trim(struct harden *h, const char *name, uint64_t *set, uint64_t kept);

/* The transforms, by file. */
/* namespaces.c */
void harden_host_namespace(struct harden *h);
void harden_network_namespace(struct harden *h);
void harden_mount_namespace(struct harden *h);
void harden_own_namespace(struct harden *h);

/* userns.c */
void harden_userns(struct harden *h);
void harden_userns_map(struct harden *h);
void harden_userns_nested(struct harden *h);
void harden_uid(struct harden *h);
void harden_groups(struct harden *h);

/* caps.c */
void harden_caps_privileged(struct harden *h);
void harden_low_ports(struct harden *h);
void harden_caps_bounding(struct harden *h);
void harden_caps_effective(struct harden *h);
void harden_caps_ambient(struct harden *h);
void harden_caps_escape(struct harden *h);

/* seccomp.c */
void harden_seccomp(struct harden *h);
void harden_seccomp_default(struct harden *h);
void harden_seccomp_guard(struct harden *h);
void harden_seccomp_flags(struct harden *h);

/* lsm.c */
void harden_lsm(struct harden *h);

/* hostpaths.c */
void harden_host_paths(struct harden *h);
void harden_control_sockets(struct harden *h);

/* mount_flags.c */
void harden_propagation(struct harden *h);
void harden_nosuid_nodev(struct harden *h);
void harden_proc_visibility(struct harden *h);
void harden_sysfs(struct harden *h);
void harden_cgroupfs(struct harden *h);

/* masks.c */
void harden_masked(struct harden *h);
void harden_readonly_proc(struct harden *h);

/* rootfs.c */
void harden_rootfs(struct harden *h);
void harden_tmp(struct harden *h);

/* devices.c */
void harden_device_nodes(struct harden *h);
void harden_device_rules(struct harden *h);

/* limits.c */
void harden_memory(struct harden *h);
void harden_swap(struct harden *h);
void harden_pids(struct harden *h);
void harden_cpu(struct harden *h);
void harden_core(struct harden *h);
void harden_oom(struct harden *h);

/* sysctls.c */
void harden_sysctls(struct harden *h);

/* process.c */
void harden_no_new_privs(struct harden *h);
void harden_fds(struct harden *h);
void harden_keyring(struct harden *h);
void harden_loader(struct harden *h);
void harden_hooks(struct harden *h);

/* parity.c */
void harden_parity(struct harden *h);
/* What holds at every level. */
void parity_floor(struct oci_process *process, const struct oci_process *configured);

#endif
