#include "engine/host.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "base/procfs.h"
#include "base/sys.h"
#include "cgroup/cgroup.h"
#include "wrap/lsm.h"

#include <linux/audit.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "no AUDIT_ARCH_* for this architecture"
#endif

/* Inode of the initial user namespace: PROC_USER_INIT_INO, fixed since Linux 3.8. */
#define INITIAL_USERNS_INODE 0xEFFFFFFDu

enum { ID_MAP_BYTES_MAX = 16384 }; /* 340 lines */

bool host_is_initial_userns(void)
{
	struct stat st;

	return stat("/proc/thread-self/ns/user", &st) == 0 && st.st_ino == INITIAL_USERNS_INODE;
}

/* Does 0 of this namespace stand for an unprivileged id outside (decision 17)? */
static bool maps_root_to_user(const char *uid_map)
{
	unsigned inside, outside, count;
	int used;

	while (sscanf(uid_map, "%u %u %u%n", &inside, &outside, &count, &used) == 3) {
		if (inside == 0)
			return outside != 0;
		uid_map += used;
	}
	return false;
}

static void read_gids(const char *gid_map, struct host_facts *out)
{
	unsigned inside, outside, count;
	int used;

	while (out->n_gids < HOST_ID_MAP_MAX &&
	       sscanf(gid_map, "%u %u %u%n", &inside, &outside, &count, &used) == 3) {
		out->gids[out->n_gids++] = (struct host_id_range){ inside, count };
		gid_map += used;
	}
}

/* The bounding set, and with it the last capability this kernel knows. */
static void probe_bounding_set(struct host_facts *out)
{
	int in_set;

	for (uint32_t cap = 0; cap < 64; cap++) {
		in_set = prctl(PR_CAPBSET_READ, cap);
		if (in_set < 0)
			return; /* EINVAL: one too far */
		out->cap_last = cap;
		out->caps |= (uint64_t)in_set << cap;
	}
}

static int probe_capabilities(struct host_facts *out, struct donjon_error *err)
{
	struct __user_cap_data_struct data[2];
	int r = sys_capget(data);

	if (r < 0)
		return dj_fail_os(err, -r, "read our own capabilities");
	probe_bounding_set(out);
	/* The kernel asks for it in the initial user namespace. */
	out->may_set_rlimits =
	        out->initial_userns && (data[0].effective & CAP_TO_MASK(CAP_SYS_RESOURCE));
	return 0;
}

static int probe_nested_userns(struct host_facts *out, struct donjon_error *err)
{
	dj_auto_close int proc = procfs_open_host(err);
	char text[ID_MAP_BYTES_MAX];

	if (proc < 0 || procfs_read(proc, "self/uid_map", text, sizeof(text), err) < 0)
		return -1;
	out->root_is_mapped = maps_root_to_user(text);
	if (procfs_read(proc, "self/gid_map", text, sizeof(text), err) < 0)
		return -1;
	read_gids(text, out);
	if (procfs_read(proc, "self/setgroups", text, sizeof(text), err) < 0)
		return -1;
	out->setgroups_denied = strncmp(text, "deny", strlen("deny")) == 0;
	return 0;
}

static int probe_userns(struct host_facts *out, struct donjon_error *err)
{
	out->initial_userns = host_is_initial_userns();
	return out->initial_userns ? 0 : probe_nested_userns(out, err);
}

/* Any but the one that every process has anyway. */
static bool has_other_groups(gid_t own)
{
	gid_t groups[2];
	int n = getgroups(DJ_COUNT(groups), groups); /* EINVAL: there are more */

	return n < 0 || n > 1 || (n == 1 && groups[0] != own);
}

static uint64_t memory_bytes(void)
{
	struct sysinfo info;

	return sysinfo(&info) == 0 ? (uint64_t)info.totalram * info.mem_unit : 0;
}

int host_probe(struct host_facts *out, struct donjon_error *err)
{
	*out = (struct host_facts){
		.euid = geteuid(),
		.egid = getegid(),
		.has_groups = has_other_groups(getegid()),
		.apparmor = apparmor_is_on(),
		.selinux = selinux_is_on(),
		.memory_bytes = memory_bytes(),
		.arch = NATIVE_ARCH,
		.has_openat2 = !path_uses_fallback(),
	};
	if (probe_userns(out, err) < 0 || probe_capabilities(out, err) < 0)
		return -1;
	return cgroup_probe(out, err);
}
