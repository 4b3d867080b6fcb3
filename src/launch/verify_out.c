/* The outside's half of the read-back (B40): what the kernel says of the waiting process, compared
 * with the plan.  Read from a verified procfs, not from what the stage claims. */
#include "launch/outside.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/procfs.h"
#include "launch/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* /proc/PID/status as it mostly is, and with NGROUPS_MAX groups. */
enum { STATUS_USUAL = 4096, STATUS_MAX = 65536 * 11 + 8192 };

static const char *field(const char *status, const char *name)
{
	const char *at = strstr(status, name);

	return at ? at + strlen(name) : "";
}

static uint32_t host_id(struct outside *o, struct plan_list maps, uint32_t id)
{
	return o->plan->verify_host_ids ? plan_host_id(o->plan, maps, id) : id;
}

/* "Uid:" and "Gid:" lines: real, effective, saved, filesystem, as ids of this process's namespace. */
static int check_ids(const char *status, const char *name, uint32_t want, struct donjon_error *err)
{
	const char *at = field(status, name);

	for (int i = 0; i < 4; i++) {
		char *end;
		unsigned long have = strtoul(at, &end, 10);

		if (end == at || have != want)
			return dj_fail(err, DONJON_E_VERIFY, "%s kernel reports %.40s, the plan is %u", name,
				       field(status, name), want);
		at = end;
	}
	return 0;
}

static int compare_uint32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Exactly the configured list: the kernel sorts it, and keeps duplicates. */
static int check_groups(struct outside *o, const char *status, struct donjon_error *err)
{
	const struct dj_plan *plan = o->plan;
	const uint32_t *groups = plan_items(plan, plan->groups, uint32_t);
	const char *at = field(status, "\nGroups:");
	dj_auto_free uint32_t *want = NULL;
	size_t n = plan->groups.n;

	if (!plan->set_groups)
		return 0;
	want = calloc(n + 1, sizeof(*want));
	if (!want)
		return dj_fail_os(err, ENOMEM, "compare groups");
	for (size_t i = 0; i < n; i++)
		want[i] = host_id(o, plan->gid_maps, groups[i]);
	qsort(want, n, sizeof(want[0]), compare_uint32);
	for (size_t i = 0; i < n; i++) {
		char *end;
		unsigned long have = strtoul(at, &end, 10);

		if (end == at || have != want[i])
			return dj_fail(err, DONJON_E_VERIFY, "groups differ from the plan at number %zu", i);
		at = end;
	}
	at += strspn(at, " \t");
	if (*at != '\n')
		return dj_fail(err, DONJON_E_VERIFY, "the process has more groups than the plan");
	return 0;
}

static int check_caps(const struct dj_plan *plan, const char *status, struct donjon_error *err)
{
	static const struct {
		const char *name;
		enum plan_capset set;
	} sets[] = {
		{ "\nCapInh:", PLAN_CAP_INHERITABLE }, { "\nCapPrm:", PLAN_CAP_PERMITTED },
		{ "\nCapEff:", PLAN_CAP_EFFECTIVE },   { "\nCapBnd:", PLAN_CAP_BOUNDING },
		{ "\nCapAmb:", PLAN_CAP_AMBIENT },
	};

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		uint64_t have = strtoull(field(status, sets[i].name), NULL, 16);
		uint64_t want = plan->caps[sets[i].set];

		/* Held for the filter alone; the execve drops it (see load_filters). */
		if (plan->filter_needs_admin &&
		    (sets[i].set == PLAN_CAP_PERMITTED || sets[i].set == PLAN_CAP_EFFECTIVE))
			want |= UINT64_C(1) << CAP_SYS_ADMIN_BIT;
		if (have != want)
			return dj_fail(err, DONJON_E_VERIFY,
				       "%s kernel reports %016" PRIx64 ", the plan is %016" PRIx64,
				       sets[i].name + 1, have, want);
	}
	return 0;
}

/* The directories whose links are the namespaces of a process; ours only where they are compared. */
struct ns_dirs {
	int theirs, ours;
};

static const char *const ns_names[OCI_NS_COUNT] = { "user", "pid", "net",    "mnt",
						    "ipc",  "uts", "cgroup", "time" };

/* Who joins a container is in all of its namespaces, those it shares with us too, as the engine saw
 * them. */
static int check_container_namespace(const struct outside *o, enum oci_ns ns, uint64_t theirs,
				     struct donjon_error *err)
{
	if (theirs != o->plan->ns[ns].number)
		return dj_fail(err, DONJON_E_VERIFY, "the %s namespace is not the container's", ns_names[ns]);
	return 0;
}

static int check_joined_namespace(const struct outside *o, enum oci_ns ns, uint64_t theirs,
				  struct donjon_error *err)
{
	struct stat st;

	if (fstat(o->namespaces[ns], &st) < 0)
		return dj_fail_os(err, errno, "stat the joined %s namespace", ns_names[ns]);
	if (theirs != st.st_ino)
		return dj_fail(err, DONJON_E_VERIFY, "the %s namespace is not the one joined", ns_names[ns]);
	return 0;
}

static int check_own_namespace(const struct outside *o, const struct ns_dirs *dirs, enum oci_ns ns,
			       uint64_t theirs, struct donjon_error *err)
{
	uint64_t ours = 0;
	int r = procfs_ns_number(dirs->ours, ns_names[ns], &ours);
	bool same = theirs == ours;

	if (r < 0)
		return dj_fail_os(err, -r, "look at our %s namespace", ns_names[ns]);
	if (same != (o->plan->ns[ns].kind == PLAN_NS_HOST))
		return dj_fail(err, DONJON_E_VERIFY, "the %s namespace is %s", ns_names[ns],
			       same ? "shared with the runtime" : "not the runtime's");
	return 0;
}

static int check_namespace(const struct outside *o, const struct ns_dirs *dirs, enum oci_ns ns,
			   struct donjon_error *err)
{
	uint64_t theirs = 0;
	int r = procfs_ns_number(dirs->theirs, ns_names[ns], &theirs);

	if (r == -ENOENT && ns == OCI_NS_TIME)
		return 0;
	if (r < 0)
		return dj_fail_os(err, -r, "look at the %s namespace", ns_names[ns]);
	if (o->plan->joins)
		return check_container_namespace(o, ns, theirs, err);
	return o->plan->ns[ns].kind == PLAN_NS_JOIN ? check_joined_namespace(o, ns, theirs, err)
						    : check_own_namespace(o, dirs, ns, theirs, err);
}

static int check_namespaces(struct outside *o, struct donjon_error *err)
{
	bool compares = !o->plan->joins;
	dj_auto_close int theirs = procfs_openat(o->proc, O_PATH | O_DIRECTORY, "%d/ns", (int)o->pid);
	dj_auto_close int ours =
		compares ? procfs_openat(o->proc, O_PATH | O_DIRECTORY, "thread-self/ns") : -1;
	const struct ns_dirs dirs = { theirs, ours };

	if (theirs < 0 || (compares && ours < 0))
		return dj_fail_os(err, theirs < 0 ? -theirs : -ours, "look at the namespaces");
	for (size_t ns = 0; ns < OCI_NS_COUNT; ns++)
		if (check_namespace(o, &dirs, (enum oci_ns)ns, err) < 0)
			return -1;
	return 0;
}

/* Of the lines of /proc/PID/cgroup, those of hierarchies that are mounted here: others cannot be
 * joined by anybody. "N:names:/path" */
static const char *joined_path(const struct dj_plan *plan, char *line, const char **want)
{
	const struct plan_cgroup_v1 *v1 = plan_items(plan, plan->cgroup_v1, struct plan_cgroup_v1);
	char *names = strchr(line, ':'), *path = names ? strchr(++names, ':') : NULL;

	if (!path)
		return NULL;
	*path++ = '\0';
	if (!*names) {
		*want = plan_text(plan, plan->cgroup_v2_path);
		return plan->cgroup_joins_v2 ? path : NULL;
	}
	for (uint32_t i = 0; i < plan->cgroup_v1.n; i++) {
		*want = plan_text(plan, v1[i].path);
		if (strcmp(names, plan_text(plan, v1[i].name)) == 0)
			return path;
	}
	return NULL;
}

/* CVE-2025-47291: a process outside its cgroup escapes every limit. */
static int check_cgroup(struct outside *o, struct donjon_error *err)
{
	char path[64], text[8192], *line, *rest = text;
	size_t checked = 0;

	if (!o->plan->cgroup || !*plan_text(o->plan, o->plan->cgroup_path))
		return 0;
	(void)snprintf(path, sizeof(path), "%d/cgroup", (int)o->pid);
	if (procfs_read(o->proc, path, text, sizeof(text), err) < 0)
		return -1;
	while ((line = strsep(&rest, "\n"))) {
		const char *want = "", *at = joined_path(o->plan, line, &want);
		size_t len = at ? strlen(at) : 0, n = strlen(want) + 1;

		checked += at != NULL;
		if (at && (len < n || at[len - n] != '/' || strcmp(at + len - n + 1, want) != 0))
			return dj_fail(err, DONJON_E_VERIFY, "the process is in cgroup %s of %s, not in %s", at,
				       line, want);
	}
	if (!checked)
		return dj_fail(err, DONJON_E_VERIFY, "the process is in none of the cgroup hierarchies");
	return 0;
}

static int read_from_start(int fd, size_t size, char **out)
{
	dj_auto_free char *text = malloc(size);
	ssize_t n;

	if (!text)
		return -ENOMEM;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	n = file_read_kernel(fd, text, size);
	if (n < 0)
		return (int)n;
	*out = dj_take(text);
	return 0;
}

/* Anew, however often it has been read.  -ESRCH: the process has ended, and whose child it was knows. */
static int read_status(int fd, char **out)
{
	int r = read_from_start(fd, STATUS_USUAL, out);

	return r == -EFBIG ? read_from_start(fd, STATUS_MAX, out) : r;
}

static uint32_t count_filters(const char *status)
{
	return (uint32_t)strtoul(field(status, "\nSeccomp_filters:"), NULL, 10);
}

/* A process gives up its memory before its descriptors, so a wire that ended and no memory is a process
 * that ended, and its name tells before or after the execve (decision 27). */
static bool ended_in_execve(const char *status)
{
	static const char waiting[] = "Name:\t" WIRE_EXECUTING_NAME "\n";

	return strncmp(status, waiting, sizeof(waiting) - 1) == 0 && !strstr(status, "\nVmSize:");
}

/*
 * That every load said yes is the kernel's promise, and this is its proof (decision 26).  The program may
 * have loaded more of its own by now.  One that has ended and been waited for cannot be asked: that is no
 * child of ours (but of one who ignores SIGCHLD), nothing of it runs any more, and to fail there would fail
 * every short `start`.
 */
int verify_program(const struct launch *launch, struct donjon_error *err)
{
	dj_auto_free char *status = NULL;
	int r = launch->filters ? read_status(launch->status, &status) : 0;

	if (!launch->filters || r == -ESRCH)
		return 0;
	if (r < 0)
		return dj_fail_os(err, -r, "linux.seccomp: read back the program's filters");
	if (ended_in_execve(status))
		return dj_fail(err, DONJON_E_SYSTEM,
			       "the container's process ended in its execve: does linux.seccomp forbid it?");
	if (count_filters(status) < launch->filters)
		return dj_fail(err, DONJON_E_VERIFY,
			       "linux.seccomp: the program is under %u filters, the plan is %u",
			       count_filters(status), launch->filters);
	return 0;
}

int verify_outside(struct outside *o, uint32_t row, struct donjon_error *err)
{
	dj_auto_free char *status = NULL;
	int r;

	(void)row;
	o->status = procfs_openat(o->proc, O_RDONLY, "%d/status", (int)o->pid);
	r = o->status < 0 ? o->status : read_status(o->status, &status);
	if (r < 0)
		return dj_fail_os(err, -r, "read /proc/%d/status", (int)o->pid);
	if (o->plan->filters.n)
		o->filters = count_filters(status) + o->plan->filters.n;
	if (check_ids(status, "\nUid:", host_id(o, o->plan->uid_maps, o->plan->uid), err) < 0 ||
	    check_ids(status, "\nGid:", host_id(o, o->plan->gid_maps, o->plan->gid), err) < 0 ||
	    check_groups(o, status, err) < 0 || check_caps(o->plan, status, err) < 0)
		return -1;
	if (strtol(field(status, "\nNoNewPrivs:"), NULL, 10) != o->plan->no_new_privs)
		return dj_fail(err, DONJON_E_VERIFY, "no_new_privs is not as planned");
	if (check_namespaces(o, err) < 0)
		return -1;
	return check_cgroup(o, err);
}
