/* The running container as the kernel has it. */
#include "engine/exec.h"

#include "base/cleanup.h"
#include "base/procfs.h"
#include "engine/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char *const files[OCI_NS_COUNT] = {
	[OCI_NS_USER] = "user",     [OCI_NS_PID] = "pid",   [OCI_NS_NETWORK] = "net",
	[OCI_NS_MOUNT] = "mnt",     [OCI_NS_IPC] = "ipc",   [OCI_NS_UTS] = "uts",
	[OCI_NS_CGROUP] = "cgroup", [OCI_NS_TIME] = "time",
};

/* A namespace that this kernel does not have is nobody's. */
static int read_number(int dir, enum oci_ns ns, uint64_t *out, struct donjon_error *err)
{
	int r = procfs_ns_number(dir, files[ns], out);

	if (r == -ENOENT && ns == OCI_NS_TIME) {
		*out = 0;
		return 0;
	}
	return r < 0 ? dj_fail_os(err, -r, "look at the %s namespace", files[ns]) : 0;
}

/* Listed by path where the container has one of its own, else not at all.  The launch enters them by
 * pidfd and compares their numbers afterwards. */
static int look_at_namespaces(struct joining *j, int proc, struct donjon_error *err)
{
	pid_t pid = j->container.record.pid;
	dj_auto_close int theirs = procfs_openat(proc, O_PATH | O_DIRECTORY, "%d/ns", (int)pid);
	dj_auto_close int ours = procfs_openat(proc, O_PATH | O_DIRECTORY, "thread-self/ns");

	if (theirs < 0 || ours < 0)
		return dj_fail_os(err, theirs < 0 ? -theirs : -ours, "look at the namespaces");
	for (size_t ns = 0; ns < OCI_NS_COUNT; ns++) {
		struct oci_namespace *listed = &j->draft.spec.linux.namespaces[ns];
		uint64_t *number = &j->facts.namespaces[ns], own;

		if (read_number(theirs, (enum oci_ns)ns, number, err) < 0 ||
		    read_number(ours, (enum oci_ns)ns, &own, err) < 0)
			return -1;
		*listed = (struct oci_namespace){ .set = *number != own };
		if (listed->set)
			listed->path =
			        dj_arena_printf(&j->draft.arena, "/proc/%d/ns/%s", (int)pid, files[ns]);
	}
	return 0;
}

static int look_at_ids(struct joining *j, int proc, struct donjon_error *err)
{
	struct oci_linux *linux_ = &j->draft.spec.linux;
	pid_t pid = j->container.record.pid;
	char path[64], text[16];

	linux_->uid_mappings = linux_->gid_mappings = (struct oci_id_maps){ 0 };
	(void)snprintf(path, sizeof(path), "%d/setgroups", (int)pid);
	if (procfs_read(proc, path, text, sizeof(text), err) < 0)
		return -1;
	j->facts.setgroups_denied = strcmp(text, "deny") == 0;
	if (!linux_->namespaces[OCI_NS_USER].set)
		return 0;
	return userns_read_maps(proc, pid, &j->draft.arena, &linux_->uid_mappings,
	                        &linux_->gid_mappings, err);
}

int joining_look(struct joining *j, struct donjon_error *err)
{
	dj_auto_close int proc = procfs_open_host(err);

	if (proc < 0 || look_at_namespaces(j, proc, err) < 0 || look_at_ids(j, proc, err) < 0)
		return -1;
	/* While the pidfd holds it, the number is its own. */
	return joining_has_ended(j) ? dj_fail(err, DONJON_E_SYSTEM, "the container has stopped") : 0;
}

bool joining_has_ended(const struct joining *j)
{
	struct pollfd end = { .fd = j->init, .events = POLLIN };

	return poll(&end, 1, 0) != 0;
}

bool joining_is_there(const struct joining *j)
{
	struct donjon_error ignored = { 0 };
	dj_auto_close int proc = procfs_open_host(&ignored);
	char path[64];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%d/ns/mnt", (int)j->container.record.pid);
	return proc < 0 || fstatat(proc, path, &st, 0) == 0 || (errno != ENOENT && errno != ESRCH);
}

int joining_open_cgroup(struct joining *j, const struct donjon_exec_options *options,
                        struct donjon_error *err)
{
	const struct cgroup_choice choice = {
		.v = options->cgroups,
		.n = options->n_cgroups,
		.member = j->container.record.pid,
	};

	j->facts.cgroup_path = j->container.record.cgroup_path;
	return cgroup_open_to_join(&j->draft.host, j->facts.cgroup_path, &choice, &j->draft.arena,
	                           &j->cgroup, j->facts.cgroup_below, err);
}
