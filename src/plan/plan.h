/*
 * The plan: everything the launch will do, decided.  One flat block of memory without pointers
 * (offsets into itself), so that it can be put into a sealed memfd, mapped read-only by
 * donjon-stage, printed by --dry-run and compared by the golden tests.
 *
 * Strings are offsets of NUL-terminated text; 0 is "none" (offset 0 holds an empty string).
 * Lists are an offset and a count.  The block is built by src/plan and trusted by both sides: the
 * memfd is sealed before anybody else can see it.
 */
#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H

#include "base/file.h"
#include "oci/spec.h" /* enum oci_ns, enum oci_hook_kind */

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#define CAP_SYS_ADMIN_BIT 21

#define PLAN_MAGIC 0x6e6a6f64u /* "dojn" */

typedef uint32_t plan_str;
struct plan_list {
	uint32_t off, n;
};

struct plan_ns {
	uint8_t kind;     /* enum plan_ns_kind */
	plan_str path;    /* joined: absolute path on the host */
	uint64_t number;  /* joined by dj_plan.joins: its inode */
};
enum plan_ns_kind { PLAN_NS_HOST, PLAN_NS_NEW, PLAN_NS_JOIN };

/* Who prepares a mount: the outside as a detached tree, or the stage. */
enum plan_mount_kind {
	PLAN_MOUNT_BIND,       /* outside: open_tree of `source` (sources_by_stage: the stage) */
	PLAN_MOUNT_FS,         /* stage: fsopen(type) */
	PLAN_MOUNT_FS_OUTSIDE, /* outside: fsopen(type); what the user namespace's root may not */
	PLAN_MOUNT_DEV,        /* outside: our own /dev tmpfs, already filled (sources_by_stage: the
				* stage, with the host's nodes bound) */
	PLAN_MOUNT_REMOUNT,    /* stage: change the attributes of what is mounted there */
	PLAN_MOUNT_CGROUP,     /* stage: cgroup2, or a tmpfs with one v1 hierarchy per directory */
};

/* One v1 hierarchy shown by a PLAN_MOUNT_CGROUP mount. */
struct plan_cgroup_v1 {
	plan_str name;               /* as /proc/PID/cgroup has it: "cpu,cpuacct", "name=systemd" */
	plan_str dir;                /* "cpu,cpuacct", "systemd" */
	struct plan_list controllers; /* of plan_str: "cpu", "cpuacct", or "name=systemd" */
	plan_str host;               /* the container's cgroup there, as a path of the host */
	plan_str path;               /* where the process must be: below the hierarchy's root */
};

struct plan_mount {
	uint8_t kind;
	bool recursive;      /* bind: with submounts */
	bool literal;        /* destination must be a literal directory (/proc, /sys, /dev; B11) */
	bool proc;           /* the destination is /proc: only a procfs may come there */
	bool over_proc;      /* it is in /proc, which takes only these few */
	bool idmap, idmap_recursive, idmap_required;
	bool copy_up;        /* tmpcopyup */
	bool takes_mode;     /* tmpfs without mode=: it has the mode of the directory it covers */
	bool source_nofollow, dest_nofollow; /* src-nofollow or copy-symlink, dest-nofollow */
	plan_str destination; /* clean, absolute */
	plan_str source, type;
	struct file_identity source_judged; /* of a bind */
	struct plan_list layers; /* of struct file_identity: an overlay's, in the order of `data`; none: not judged */
	struct plan_list data; /* of plan_str: "key=value" or "flag", for fsconfig */
	plan_str pointer;     /* "mounts[3]" for errors */
	plan_str label;       /* SELinux, for the root of what takes no context= */
	uint64_t attr_set, attr_clr, rec_set, rec_clr; /* SYS_MOUNT_ATTR_* */
	uint64_t propagation;
	struct plan_list super; /* of plan_str: fsconfig flags */
	struct plan_list uid_maps, gid_maps; /* of struct oci_id_map; empty: the container's own */
};

struct plan_device {
	uint32_t mode; /* S_IFCHR | 0666 ... */
	uint32_t major, minor, uid, gid;
	plan_str path; /* clean, absolute */
	bool is_default;
};

struct plan_rlimit {
	int32_t type;
	bool optional; /* ours: where it cannot be set the caller's stays, and is recorded */
	uint64_t soft, hard;
};

struct plan_sysctl {
	plan_str file; /* "net/ipv4/ip_forward", below /proc/sys */
	plan_str value;
	bool outside;  /* written by the parent with the namespace entered */
};

struct plan_net_device {
	plan_str name, inside; /* inside may end in %d */
	plan_str pointer;      /* "linux.netDevices.eth0" for errors */
};

struct plan_hook {
	uint8_t kind; /* enum oci_hook_kind */
	plan_str path;
	struct plan_list args, env; /* of plan_str */
	uint32_t timeout_s;
};

struct plan_filter {
	struct plan_list program; /* of struct sock_filter */
	uint32_t load_flags;
};

/* One write into the container's cgroup, in order. */
struct plan_cgroup_write {
	plan_str controller; /* v1: hierarchy that holds the file; v2: "" */
	plan_str file, value;
	plan_str pointer;     /* "linux.resources.memory.limit" */
	bool optional;        /* ours, not the config's: failure is recorded (decision 16) */
	bool ignore_missing;  /* no such file is fine (for example .rsvd.max) */
};

/* A property of the container's systemd unit that an annotation asks for. */
enum plan_property_type {
	PLAN_PROPERTY_BOOL,
	PLAN_PROPERTY_INT,
	PLAN_PROPERTY_UINT64,
	PLAN_PROPERTY_STRING,
	PLAN_PROPERTY_STRINGS,
};
struct plan_property {
	plan_str name, text;
	uint8_t type;   /* enum plan_property_type */
	uint64_t number; /* bool, int and uint64 */
	struct plan_list strings; /* of plan_str */
};

enum plan_capset { PLAN_CAP_BOUNDING, PLAN_CAP_EFFECTIVE, PLAN_CAP_PERMITTED, PLAN_CAP_INHERITABLE, PLAN_CAP_AMBIENT, PLAN_CAP_COUNT };

struct dj_plan {
	uint32_t magic, size;
	bool rootless; /* the runtime has no rights on the host (host_is_rootless) */
	bool joins; /* the process joins a running container (exec): nothing of the container is made */

	plan_str id, bundle, rootfs;
	struct file_identity rootfs_judged;
	plan_str hostname, domainname;
	plan_str oci_version, state_tail; /* the state JSON for hooks: "bundle":...,"annotations":{...} */

	/* namespaces */
	struct plan_ns ns[OCI_NS_COUNT];
	struct plan_list uid_maps, gid_maps; /* of struct oci_id_map; written to the new user namespace */
	bool refuse_host_namespaces;         /* joined paths must not lead to the runtime's own */
	bool uid_map_granted, gid_map_granted; /* beyond the caller's own id: newuidmap, newgidmap write it */
	bool deny_setgroups;                 /* unprivileged map: setgroups=deny first (B23) */
	bool userns_limit;                   /* user.max_user_namespaces = 0 inside */
	bool time_ns_inside; /* rootless: where there is the right to make it, and no way back is needed */
	bool time_offsets;
	int64_t monotonic_s, boottime_s;
	uint32_t monotonic_ns, boottime_ns;

	struct plan_list net_devices; /* of struct plan_net_device */

	/* filesystem */
	bool rootfs_readonly, rootfs_volatile, no_pivot;
	bool rootfs_idmap; /* try to id-map; see launch/sources.c for the ladder */
	bool sources_by_stage; /* rootless: the stage opens bind sources in its own namespaces */
	uint64_t rootfs_attr_set;
	bool slave_host; /* the host's mounts may propagate in (rootfsPropagation: slave, runc's default) */
	uint64_t rootfs_propagation; /* MS_* | MS_REC, of the container's / */
	struct plan_list mounts;     /* of struct plan_mount, in order */
	struct plan_list devices;    /* of struct plan_device */
	struct plan_list masked, readonly; /* of plan_str */
	bool cgroup_joins_v2;              /* a v2 tree is mounted, alone or beside v1 */
	bool cgroup_v2;                    /* what PLAN_MOUNT_CGROUP shows */
	plan_str cgroup_v2_host;           /* the container's v2 cgroup, as a path of the host */
	plan_str cgroup_v2_path;           /* where the process must be: below the tree's root */
	struct plan_list cgroup_v1;        /* of struct plan_cgroup_v1 */

	/* process */
	bool terminal;
	uint16_t console_rows, console_cols;
	uint32_t uid, gid, umask;
	bool set_groups; /* false: keep the caller's, or setgroups is denied */
	struct plan_list groups; /* of uint32_t */
	uint64_t caps[PLAN_CAP_COUNT];
	bool no_new_privs;
	/* Without no_new_privs a filter needs CAP_SYS_ADMIN at load: kept in permitted and effective until
	 * the execve, which computes the new sets from bounding, inheritable and ambient alone. */
	bool filter_needs_admin;
	bool verify_host_ids; /* /proc shows this container's ids through its maps */
	bool new_keyring, keyring_optional;
	bool chown_pipes;
	bool chown_pipes_inside; /* rootless: only there the pipes belong to somebody we may speak for */
	bool die_with_parent;
	plan_str cwd;
	struct plan_list args, env; /* of plan_str */
	struct plan_list rlimits;   /* of struct plan_rlimit */
	bool oom_score_adj_set;
	int32_t oom_score_adj;
	plan_str apparmor, selinux;
	bool personality_set;
	uint64_t personality;
	uint32_t preserve_fds;

	bool scheduler_set;
	int32_t sched_policy, sched_nice, sched_priority;
	uint64_t sched_flags, sched_runtime, sched_deadline, sched_period;
	bool memory_policy_set;
	uint32_t memory_mode; /* MPOL_* | MPOL_F_* */
	uint64_t memory_nodes[OCI_MEMORY_NODES / 64];
	bool io_priority_set;
	int32_t io_class, io_priority;
	/* Masks of uint64_t, CPU 0 first: of the runtime until it has joined the cgroup, and of the process
	 * from then on (P36).  Empty: every CPU the cgroup allows. */
	struct plan_list cpus_initial, cpus_final;

	/* kernel interfaces */
	struct plan_list sysctls; /* of struct plan_sysctl */
	struct plan_list hooks;   /* of struct plan_hook */
	struct plan_list filters; /* of struct plan_filter, in load order (guard first, profile last) */

	/* cgroup */
	bool cgroup;               /* false: --cgroup-manager disabled, or none available */
	bool own_cgroups_only;     /* without one, a mount of cgroups shows nothing */
	bool cgroup_required;      /* the config asks for limits: failure to create it is an error */
	plan_str cgroup_path;      /* below each hierarchy's root, without leading '/' */
	/* Made by systemd as a transient scope; 0: by us.  The path is the scope's then. */
	plan_str cgroup_unit, cgroup_slice;
	bool cgroup_user_manager;
	struct plan_list unit_properties; /* of struct plan_property */
	struct plan_list cgroup_writes; /* of struct plan_cgroup_write */
	bool device_rules_set, device_rules_optional;
	struct plan_list device_rules;  /* of struct oci_device_rule, in order, defaults included */
	bool cgroup_chown;         /* G1 */

	/* resctrl (P55-P57) */
	plan_str rdt_group; /* a directory's name; "/": the root group */
	bool rdt_named;     /* by the configuration: it outlives the container */
	bool rdt_monitoring;
	struct plan_list rdt_writes; /* of plan_str: lines for `schemata`, one write each */
};

/* Access: checked against the block's bounds by an assertion. */
const char *plan_text(const struct dj_plan *plan, plan_str s); /* "" for 0 */
const void *plan_list_data(const struct dj_plan *plan, struct plan_list list, size_t item_size);
#define plan_items(plan, list, type) ((const type *)plan_list_data((plan), (list), sizeof(type)))

#endif
