/*
 * config.json as data: one plain struct per object of the OCI runtime specification 1.0 to 1.3,
 * filled by decode.c, tightened by src/policy, read by src/plan.  Everything is owned by the arena
 * the document was decoded into.  Names follow the specification; contract rows P1-P95.
 *
 * A member that the document may leave out and for which "absent" differs from zero is an
 * OCI_OPT; lists are {v, n} pairs; strings are NULL when absent.
 */
#ifndef OCI_SPEC_H
#define OCI_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OCI_OPT(type)                                                                              \
	struct {                                                                                   \
		bool set;                                                                          \
		type v;                                                                            \
	}
#define OCI_LIST(type)                                                                             \
	struct {                                                                                   \
		type *v;                                                                           \
		size_t n;                                                                          \
	}

struct oci_strings {
	char **v; /* NULL-terminated when n > 0 */
	size_t n;
};

struct oci_pair {
	char *key, *value;
};

struct oci_id_map {
	uint32_t container_id, host_id, size;
};

struct oci_id_maps {
	struct oci_id_map *v;
	size_t n;
};

struct oci_mount {
	char *destination, *type, *source;
	struct oci_strings options;
	struct oci_id_maps uid_mappings, gid_mappings;
};

struct oci_rlimit {
	int type; /* RLIMIT_* */
	uint64_t soft, hard;
};

/* Bit n is capability n; bits beyond the kernel's last one are dropped by the plan. */
struct oci_capabilities {
	bool set; /* false: object absent, which means none at all (P23) */
	uint64_t bounding, effective, inheritable, permitted, ambient;
	struct oci_strings unknown; /* names nobody knows: never granted, recorded (decision 32) */
};

struct oci_user {
	uint32_t uid, gid;
	OCI_OPT(uint32_t) umask;
	OCI_LIST(uint32_t) additional_gids;
};

struct oci_scheduler {
	bool set;
	int policy; /* SCHED_* */
	int32_t nice, priority;
	uint64_t flags, runtime, deadline, period;
};

struct oci_process {
	bool set;
	bool terminal;
	uint32_t console_height, console_width;
	struct oci_user user;
	struct oci_strings args, env;
	char *cwd;
	struct oci_capabilities capabilities;
	OCI_LIST(struct oci_rlimit) rlimits;
	bool no_new_privileges;
	OCI_OPT(int32_t) oom_score_adj;
	char *apparmor_profile, *selinux_label;
	struct oci_scheduler scheduler;
	struct {
		bool set;
		int class; /* IOPRIO_CLASS_* */
		int32_t priority;
	} io_priority;
	char *cpu_affinity_initial, *cpu_affinity_final; /* exec only */
};

struct oci_hook {
	char *path;
	struct oci_strings args, env;
	bool env_set; /* absent env means a fixed PATH (decision 22) */
	uint32_t timeout_s; /* 0: none */
};

enum oci_hook_kind {
	OCI_HOOK_PRESTART,
	OCI_HOOK_CREATE_RUNTIME,
	OCI_HOOK_CREATE_CONTAINER,
	OCI_HOOK_START_CONTAINER,
	OCI_HOOK_POSTSTART,
	OCI_HOOK_POSTSTOP,
	OCI_HOOK_COUNT,
};

struct oci_hooks {
	struct oci_hook *v;
	size_t n;
};

enum oci_ns {
	OCI_NS_USER,
	OCI_NS_PID,
	OCI_NS_NETWORK,
	OCI_NS_MOUNT,
	OCI_NS_IPC,
	OCI_NS_UTS,
	OCI_NS_CGROUP,
	OCI_NS_TIME,
	OCI_NS_COUNT,
};

struct oci_namespace {
	bool set;   /* listed: own (path NULL) or joined */
	char *path; /* absolute */
};

struct oci_device {
	char type; /* 'c', 'b', 'p' ('u' is decoded as 'c') */
	char *path;
	int64_t major, minor;
	OCI_OPT(uint32_t) file_mode;
	OCI_OPT(uint32_t) uid;
	OCI_OPT(uint32_t) gid;
};

struct oci_device_rule {
	bool allow;
	char type; /* 'a', 'c', 'b' */
	int64_t major, minor; /* -1: all */
	bool read, write, mknod;
};

struct oci_throttle {
	int64_t major, minor;
	uint64_t rate;
};
struct oci_throttles {
	struct oci_throttle *v;
	size_t n;
};

struct oci_weight_device {
	int64_t major, minor;
	OCI_OPT(uint16_t) weight;
	OCI_OPT(uint16_t) leaf_weight;
};

struct oci_hugepage_limit {
	char *page_size; /* "2MB" */
	uint64_t limit;
};

struct oci_rdma {
	char *device;
	OCI_OPT(uint32_t) hca_handles;
	OCI_OPT(uint32_t) hca_objects;
};

struct oci_resources {
	bool devices_set;
	OCI_LIST(struct oci_device_rule) devices;
	struct {
		OCI_OPT(int64_t) limit;
		OCI_OPT(int64_t) reservation;
		OCI_OPT(int64_t) swap;
		OCI_OPT(int64_t) kernel;
		OCI_OPT(int64_t) kernel_tcp;
		OCI_OPT(uint64_t) swappiness;
		OCI_OPT(bool) disable_oom_killer;
		OCI_OPT(bool) use_hierarchy;
		OCI_OPT(bool) check_before_update;
	} memory;
	struct {
		OCI_OPT(uint64_t) shares;
		OCI_OPT(int64_t) quota;
		OCI_OPT(uint64_t) burst;
		OCI_OPT(uint64_t) period;
		OCI_OPT(int64_t) realtime_runtime;
		OCI_OPT(uint64_t) realtime_period;
		OCI_OPT(int64_t) idle;
		char *cpus, *mems;
	} cpu;
	OCI_OPT(int64_t) pids_limit;
	struct {
		OCI_OPT(uint16_t) weight;
		OCI_OPT(uint16_t) leaf_weight;
		OCI_LIST(struct oci_weight_device) weight_device;
		struct oci_throttles read_bps, write_bps, read_iops, write_iops;
	} block_io;
	OCI_LIST(struct oci_hugepage_limit) hugepage_limits;
	struct {
		OCI_OPT(uint32_t) class_id;
		OCI_LIST(struct oci_pair) priorities; /* interface name -> decimal */
	} network;
	OCI_LIST(struct oci_rdma) rdma;
	OCI_LIST(struct oci_pair) unified;
};

/* Values of SECCOMP_RET_* come from the compiler; these are the specification's words. */
enum oci_seccomp_action {
	OCI_ACT_KILL_THREAD, /* also "SCMP_ACT_KILL" */
	OCI_ACT_KILL_PROCESS,
	OCI_ACT_TRAP,
	OCI_ACT_ERRNO,
	OCI_ACT_TRACE,
	OCI_ACT_ALLOW,
	OCI_ACT_LOG,
	OCI_ACT_NOTIFY,
	OCI_ACT_COUNT,
};

enum oci_seccomp_op {
	OCI_OP_NE,
	OCI_OP_LT,
	OCI_OP_LE,
	OCI_OP_EQ,
	OCI_OP_GE,
	OCI_OP_GT,
	OCI_OP_MASKED_EQ,
	OCI_OP_COUNT,
};

struct oci_seccomp_arg {
	uint32_t index;
	uint64_t value, value_two;
	enum oci_seccomp_op op;
};

struct oci_seccomp_rule {
	struct oci_strings names;
	enum oci_seccomp_action action;
	OCI_OPT(uint32_t) errno_ret;
	OCI_LIST(struct oci_seccomp_arg) args;
};

struct oci_seccomp {
	bool set;
	enum oci_seccomp_action default_action;
	OCI_OPT(uint32_t) default_errno;
	OCI_LIST(uint32_t) architectures; /* AUDIT_ARCH_*; x32 is AUDIT_ARCH_X86_64 | 0x40000000u's
					   * own pseudo value OCI_ARCH_X32 */
	bool flags_set;
	uint32_t flags; /* SECCOMP_FILTER_FLAG_* */
	OCI_LIST(struct oci_seccomp_rule) rules;
	char *listener_path, *listener_metadata;
};

/* x32 shares AUDIT_ARCH_X86_64 and differs by bit 30 of the number; this names it in our tables. */
#define OCI_ARCH_X32 0xc000003fu

#define OCI_MEMORY_NODES 1024 /* the most a kernel is built for */
#define OCI_CPUS         8192 /* the same */

struct oci_memory_policy {
	bool set;
	uint32_t mode, flags; /* MPOL_*, MPOL_F_* */
	char *nodes;
};

struct oci_intel_rdt {
	bool set;
	char *clos_id; /* "/": the root group; NULL: the container's id */
	char *l3_cache_schema, *mem_bw_schema;
	struct oci_strings schemata;
	bool monitoring;
};

struct oci_linux {
	bool set;
	struct oci_namespace namespaces[OCI_NS_COUNT];
	struct oci_id_maps uid_mappings, gid_mappings;
	struct {
		bool set;
		int64_t secs;
		uint32_t nanosecs;
	} time_offset_monotonic, time_offset_boottime;
	OCI_LIST(struct oci_device) devices;
	OCI_LIST(struct oci_pair) net_devices; /* name on the host -> name inside ("": same) */
	OCI_LIST(struct oci_pair) sysctl; /* keys with '.' as separator and '/' for a '.' in a name */
	char *cgroups_path;
	struct oci_resources resources;
	struct oci_seccomp seccomp;
	uint64_t rootfs_propagation; /* MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE, or 0 */
	struct oci_strings masked_paths, readonly_paths;
	char *mount_label;
	OCI_OPT(uint64_t) personality; /* PER_* */
	struct oci_memory_policy memory_policy;
	struct oci_intel_rdt intel_rdt;
};

struct oci_spec {
	char *oci_version;
	struct {
		char *path;
		bool readonly;
	} root;
	OCI_LIST(struct oci_mount) mounts;
	struct oci_process process;
	char *hostname, *domainname;
	struct oci_hooks hooks[OCI_HOOK_COUNT];
	OCI_LIST(struct oci_pair) annotations;
	struct oci_linux linux;
	struct oci_strings ignored; /* unknown properties met, as JSON paths (decision 31) */
};

#endif
