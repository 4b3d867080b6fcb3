/*
 * Hardening: spec in, stricter spec and a record of every decision out (hardening-checks.md part
 * B as amended by decisions.md).  Pure: reads no file, makes no system call.
 *
 * checks.c names each check once (id, severity, what it controls); harden.c is the ordered table
 * of transforms keyed by those ids; `audit` will read the kernel by the same ids.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "base/arena.h"
#include "base/file.h"
#include "base/host.h"
#include "oci/spec.h"

enum policy_level {
	POLICY_NONE,
	POLICY_BASELINE,
	POLICY_RESTRICTED,
	POLICY_HARDENED, /* the default */
	POLICY_PARANOID,
	POLICY_LEVEL_COUNT,
};

int policy_level_from_name(const char *name); /* -1: unknown */
const char *policy_level_name(enum policy_level level);

enum policy_source {
	POLICY_FROM_DEFAULT,
	POLICY_FROM_ANNOTATION,
	POLICY_FROM_COMMAND_LINE,
	POLICY_FROM_FILE,
};

struct policy_override {
	const char *check; /* check id */
	char *value, *reason;
	enum policy_source source;
	bool used;
};

/* What the policy file (/etc/donjon/policy.json or --policy-file) says. */
struct policy_file {
	bool present;
	bool level_set;
	enum policy_level level; /* a floor: nothing lowers it */
	OCI_LIST(struct policy_override) overrides;
	struct oci_strings annotations_may_allow; /* check ids annotations may loosen */
};

/* The directories an overlay shows, or works in. */
struct policy_layers {
	struct policy_layer {
		char *path; /* as written; where the engine could look, the real one, by a listed name if it has one */
		bool readonly;
		struct file_identity judged;
	} *v;
	size_t n;
};

/* Of a mount's options, as they are written. */
void policy_overlay_layers(const struct oci_mount *mount, struct dj_arena *arena,
			   struct policy_layers *out);

/* What the engine saw at the source of a bind mount, so that judging it stays pure. */
struct policy_bind_source {
	char kind; /* 'd', 'f', 'l', 's', 'c', 'b', 'p'; 0: not looked at, judged by name alone */
	bool world_readable;
	bool control_socket; /* is, or holds, a socket by which an engine or init takes orders */
	char *resolved;      /* the real path, by a listed name if it has one; NULL: as written */
	const char *carries; /* a listed directory mounted below, which the bind shows as well; or NULL */
	struct policy_layers layers; /* of an overlay; none: not looked at */
	struct file_identity judged;
};

/* A program that runs on the host as a hook, and that others could change. */
struct policy_hook_flaw {
	const char *kind; /* "prestart" */
	size_t index;
	char *why;
};

/* The container type that the host's SELinux policy knows (decision 49). */
enum policy_selinux_type { POLICY_SELINUX_NO_TYPE, POLICY_SELINUX_CONTAINER, POLICY_SELINUX_DONJON };

/* The AppArmor profile of a container whose config names none. */
#define POLICY_APPARMOR_PROFILE "donjon-default"

/* Is this path, or its name, that of such a socket, or a directory known to hold one? */
bool policy_is_control_socket(const char *path);

/* The directories of the host that fs.host-paths refuses as a whole; NULL past the last. */
const char *policy_listed_directory(size_t index);
/* Does an engine keep it for a container, a pod or a volume? */
bool policy_is_engine_store(const char *path);

struct policy_request {
	int level;            /* enum policy_level, or -1: not given on the command line */
	OCI_LIST(struct policy_override) overrides;
	struct policy_file file;
	bool preserve_fds;    /* --preserve-fds was given with a number > 0 */
	const char *stdio_flaw; /* what is open as a standard stream and leads into the host; or NULL */
	const char *bundle;   /* absolute; for fs.host-paths exemptions (decision 3) */
	const char *rootfs;   /* absolute */
	const char *rootfs_name; /* the real path, by a listed name if it has one; NULL: as written */
	struct file_identity rootfs_judged;
	bool no_pivot, no_new_keyring; /* --no-pivot, --no-new-keyring */
	unsigned cpus; /* of the host, for the masks of each; 0: not known */
	OCI_LIST(struct policy_bind_source) sources; /* as spec->mounts; may be shorter */
	OCI_LIST(uint32_t) privileged_gids; /* host gids of docker, wheel, sudo, disk... */
	bool rootfs_is_overlay; /* which takes no id map */
	/* The user namespace that owns the namespaces joined by path, where that is neither ours
	 * nor the initial one (decision 5); path NULL: none.  `others`: they have more than one
	 * such owner, and these namespaces show it. */
	struct {
		const char *path;
		struct oci_id_maps uid_maps, gid_maps;
		const char *others;
	} joined_userns;
	OCI_LIST(struct policy_hook_flaw) hook_flaws;
	enum policy_selinux_type selinux_type; /* where SELinux is on */
	/* The first n mounts of the spec are the runtime's own choice (sandbox), not the user's:
	 * fs.host-paths and fs.control-sockets do not judge them. */
	size_t own_mounts;
	struct host_id_range granted_uids, granted_gids; /* an unprivileged caller may map these, too */
	bool host_network; /* an option asks for it; a document may just have left the namespace out */
};

struct policy_change { /* forced: done silently, always recorded */
	const char *check;
	char *pointer; /* JSON pointer into config.json; NULL: it has no place for this */
	char *before, *after;
};

struct policy_finding { /* refused */
	const char *check;
	char *pointer, *found, *wanted;
	char *override; /* "fs.host-paths=/srv/x:REASON", or NULL where none exists */
};

struct policy_note { /* recorded: a control that is unavailable or weaker than it could be */
	const char *check;
	char *text;
};

/* What config.json cannot say and the plan needs to know. */
struct policy_settings {
	bool forced_userns;       /* not the config's: id-map rootfs and binds (the ladder) */
	bool guard_filter;        /* stack profiles/guard.json below the profile */
	bool builtin_seccomp;     /* linux.seccomp is absent: the plan loads our default profile */
	struct oci_strings allow_calls; /* the guard and the default profile let them through */
	bool builtin_lsm;         /* the label is ours: a missing profile is loaded (decision 49) */
	bool rootfs_volatile;     /* fs.rootfs-ro=volatile */
	bool inside_userns_limit; /* user.max_user_namespaces is 0 in the namespace we created */
	bool chown_pipes;         /* decision 1 */
	bool deny_spec_allow;     /* drop SECCOMP_FILTER_FLAG_SPEC_ALLOW, never add it */
	bool strict_devices;      /* no device nodes outside /dev, no mknod wildcard */
	bool harden_mount_flags;  /* nosuid,nodev on the rootfs (mounts carry theirs as options) */
	bool own_cgroups_only;    /* a cgroup mount is empty where the container has no cgroup */
	bool force_keyring;       /* a new session keyring whatever --no-new-keyring says */
	size_t mounts_added;      /* the first n mounts are ours: mounts[i] of the config is n + i */
	/* Limits we added: those the host cannot apply are recorded, not errors (decision 16). */
	bool added_memory, added_swap, added_pids, added_cpu_weight, added_devices, added_core;
};

/* How the rootfs gets its owners in a user namespace, a step of design.md §3: what is expected, and
 * once the container is made what came of it (launch/launch.h). */
enum policy_owners {
	POLICY_OWNERS_HOST = 0,  /* there is none */
	POLICY_OWNERS_CONFIG = 'a',
	POLICY_OWNERS_MAPPED = 'b',
	POLICY_OWNERS_REBUILT = 'c',
	POLICY_OWNERS_FOREIGN = 'd',
};

struct policy_result {
	enum policy_level asked, in_force;
	enum policy_source level_source;
	struct policy_settings settings;
	enum policy_owners owners;
	OCI_LIST(struct policy_change) changes;
	OCI_LIST(struct policy_finding) findings;
	OCI_LIST(struct policy_override) overrides;
	OCI_LIST(struct policy_note) notes;
};

/* Tightens *spec in place.  -1 with DONJON_E_REFUSED when there are findings (all of them in the
 * text, folded, at most 2,000 bytes, decision 40) and with DONJON_E_USAGE for a bad override;
 * *result is complete in the first case so that it can be printed. */
int policy_apply(struct oci_spec *spec, const struct host_facts *host,
		 const struct policy_request *request, struct dj_arena *arena,
		 struct policy_result *result, struct donjon_error *err);

/* The same for spec->process as a process that joins a running container (exec), by the rows that are
 * about a process.  `configured` is the container's own process, unhardened; request: level and
 * overrides as they were decided at create (policy_decided_decode).  Never more than the container
 * has: a wish beyond its configuration is a finding, the rest is trimmed and recorded (decision 4). */
int policy_apply_joining(struct oci_spec *spec, const struct oci_process *configured,
			 const struct host_facts *host, const struct policy_request *request,
			 struct dj_arena *arena, struct policy_result *result, struct donjon_error *err);

/* Level and overrides out of what policy_result_json() recorded. */
int policy_decided_decode(const char *text, size_t size, struct dj_arena *arena,
			  struct policy_request *out, struct donjon_error *err);

/* "ID=VALUE:REASON" of the command line (decision 38: last ':' outside quotes separates, '_' in
 * the reason is a blank). */
int policy_override_parse(const char *text, struct dj_arena *arena, struct policy_override *out,
			  struct donjon_error *err);

/* The bytes of a policy file, and how many there may be. */
enum { POLICY_FILE_MAX = 64 * 1024 };
int policy_file_decode(const char *text, size_t size, struct dj_arena *arena,
		       struct policy_file *out, struct donjon_error *err);

/* "c: an overlay rebuilt from id-mapped layers"; NULL for POLICY_OWNERS_HOST. */
const char *policy_owners_text(enum policy_owners owners);

/* The `hardening` object for the state file and --dry-run, as JSON text in the arena. */
char *policy_result_json(const struct policy_result *result, struct dj_arena *arena);

/* What a level does about a check, as prose: `policy show`, docs/policy.md. */
struct policy_rule {
	const char *check;
	enum policy_level from; /* applies at this level and above */
	const char *what;       /* at hardened */
	const char *values;     /* what --override accepts for it; NULL: cannot be overridden */
};
/* Fills *out and returns it; NULL past the last. */
const struct policy_rule *policy_rule_at(size_t index, struct policy_rule *out);

/* Checks: the one table that names each. */
enum policy_severity { POLICY_INFO, POLICY_LOW, POLICY_MEDIUM, POLICY_HIGH, POLICY_CRITICAL };
struct policy_check {
	const char *id;
	const char *control;
	enum policy_severity severity;
	int weight;
};
const struct policy_check *policy_check_find(const char *id);
const struct policy_check *policy_check_table(size_t *n);

#endif
