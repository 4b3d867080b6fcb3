/* Facts about the host a plan depends on: plain data, probed once by src/engine/host.c without
 * changing anything, so that everything from decode to plan stays pure and printable. */
#ifndef BASE_HOST_H
#define BASE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum host_cgroup_mode {
	HOST_CGROUP_NONE,   /* no cgroup filesystem the runtime may use */
	HOST_CGROUP_V1,     /* controllers on v1; a v2 tree may be mounted beside them (hybrid) */
	HOST_CGROUP_V2,
};

enum { HOST_CGROUP_V1_MAX = 16, HOST_ID_MAP_MAX = 340 };

/* One mounted v1 hierarchy: "memory" at /sys/fs/cgroup/memory, "cpu,cpuacct", "name=systemd". */
struct host_cgroup_v1 {
	char controllers[64];
	char mount_point[128];
	char self[256]; /* the runtime's own path in it, from /proc/self/cgroup */
};

/* Ids of the runtime's own user namespace that mean somebody outside. */
struct host_id_range {
	uint32_t first, size;
};

struct host_facts {
	enum host_cgroup_mode cgroup_mode;
	struct host_cgroup_v1 v1[HOST_CGROUP_V1_MAX];
	size_t n_v1;
	char v2_mount_point[128]; /* "" where no v2 tree is mounted */
	char v2_self[256];
	char v2_controllers[256]; /* cgroup.controllers of the root of the v2 tree */

	/* The calling user's systemd manager's own cgroup; "" for the system's, whose slices are at the root. */
	char systemd_group[256];

	uint32_t euid, egid;
	bool initial_userns;   /* the runtime runs in the initial user namespace */
	bool root_is_mapped;   /* in a non-initial one whose 0 maps to an unprivileged host id (decision 17) */
	bool setgroups_denied; /* in that namespace, for good: an unprivileged user wrote its map */
	bool has_groups;       /* the runtime has supplementary groups besides its own */
	struct host_id_range gids[HOST_ID_MAP_MAX]; /* mapped where it is not the initial one */
	size_t n_gids;
	bool may_set_rlimits;  /* CAP_SYS_RESOURCE in effect */
	bool has_openat2;
	bool apparmor, selinux; /* on in this kernel */
	uint32_t cap_last;
	uint64_t caps;          /* the runtime's own bounding set: nothing beyond it can be granted */
	uint64_t memory_bytes;  /* RAM */
	uint32_t arch;          /* AUDIT_ARCH_* of this build */

	/* First host id of the 65,536-aligned range reserved for this container; 0: none reserved. */
	uint32_t id_range;
};

/* No rights on the host: some user, or the root of a namespace that was made by one. */
static inline bool host_is_rootless(const struct host_facts *host)
{
	return host->euid != 0 || !host->initial_userns;
}

#endif
