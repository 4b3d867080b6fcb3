/*
 * Puts the plan's limits into force.
 *
 * Some files check each other (memory and memory+swap, quota, period and burst), and which has to
 * come first depends on whether the values rise or fall.  So a write that the kernel finds invalid
 * is tried once more when all others are done.
 */
#include "base/cleanup.h"
#include "base/path.h"
#include "cgroup/inside.h"
#include "plan/resources.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct applier {
	const struct dj_plan *plan;
	const struct host_facts *host;
	const struct cgroup *cg;
	void (*unavailable)(void *data, const char *pointer, const char *why);
	void *data;
};

static const struct plan_cgroup_write *writes_of(const struct dj_plan *plan)
{
	return plan_items(plan, plan->cgroup_writes, struct plan_cgroup_write);
}

struct cgroup_place cgroup_place_of(const struct host_facts *host, const struct cgroup *cg,
				    const char *controller)
{
	int index = plan_v1_hierarchy(host, controller);

	if (index >= 0)
		return (struct cgroup_place){ .dir = cg->v1[index] };
	return (struct cgroup_place){ .dir = cg->v2, .is_v2 = true };
}

int cgroup_dir_of(const struct dj_plan *plan, const struct host_facts *host,
		  const struct cgroup *cg, const struct plan_cgroup_write *write)
{
	const char *controller = plan_text(plan, write->controller);
	int index;

	if (!*controller)
		return cg->v2;
	index = plan_v1_hierarchy(host, controller);
	return index < 0 ? -1 : cg->v1[index];
}

static int write_one(const struct applier *a, const struct plan_cgroup_write *w)
{
	int dir = cgroup_dir_of(a->plan, a->host, a->cg, w);

	if (dir < 0)
		return -ENOENT;
	return cgroup_write(dir, plan_text(a->plan, w->file), plan_text(a->plan, w->value));
}

/* An absent file is told in words of our own: "no such file or directory" means to callers that
 * the container's program was not found (contract E7). */
static int report(const struct applier *a, const struct plan_cgroup_write *w, int os,
		  struct donjon_error *err)
{
	const char *pointer = plan_text(a->plan, w->pointer);
	const char *file = plan_text(a->plan, w->file);
	char why[128], reason[64];

	if (os == ENOENT)
		(void)snprintf(why, sizeof(why), "this kernel or this cgroup has no %s", file);
	else
		(void)snprintf(why, sizeof(why), "write %s: %s", file, dj_errno_text(os, reason));
	if (w->optional) {
		a->unavailable(a->data, pointer, why);
		return 0;
	}
	if (os == ENOENT)
		return dj_fail(err, DONJON_E_UNSUPPORTED, "%s: %s", pointer, why);
	return dj_fail_os(err, os, "%s: write \"%s\" to %s", pointer, plan_text(a->plan, w->value),
			  file);
}

static bool same_setting(const struct applier *a, const struct plan_cgroup_write *x,
			 const struct plan_cgroup_write *y)
{
	return strcmp(plan_text(a->plan, x->pointer), plan_text(a->plan, y->pointer)) == 0;
}

/* Of the writes of one setting ([first, last]) at least one must have found its file, unless it is
 * the only one and says that it may be missing. */
static int check_missing(const struct applier *a, size_t first, size_t last, size_t missing,
			 struct donjon_error *err)
{
	if (last == first || missing < last - first + 1)
		return 0;
	return report(a, &writes_of(a->plan)[last], ENOENT, err);
}

static int write_all(const struct applier *a, bool *again, struct donjon_error *err)
{
	const struct plan_cgroup_write *w = writes_of(a->plan);
	size_t n = a->plan->cgroup_writes.n, first = 0, missing = 0;

	for (size_t i = 0; i < n; i++) {
		int r = write_one(a, &w[i]);

		if (!same_setting(a, &w[first], &w[i])) {
			first = i;
			missing = 0;
		}
		if (r == -EINVAL || r == -EBUSY)
			again[i] = true;
		else if (r == -ENOENT && w[i].ignore_missing)
			missing++;
		else if (r < 0 && report(a, &w[i], -r, err) < 0)
			return -1;
		if ((i + 1 == n || !same_setting(a, &w[i], &w[i + 1])) &&
		    check_missing(a, first, i, missing, err) < 0)
			return -1;
	}
	return 0;
}

static int write_again(const struct applier *a, const bool *again, struct donjon_error *err)
{
	const struct plan_cgroup_write *w = writes_of(a->plan);

	for (size_t i = 0; i < a->plan->cgroup_writes.n; i++) {
		int r = again[i] ? write_one(a, &w[i]) : 0;

		if (r < 0 && report(a, &w[i], -r, err) < 0)
			return -1;
	}
	return 0;
}

static int apply_all(const struct applier *a, struct donjon_error *err)
{
	dj_auto_free bool *again = calloc(a->plan->cgroup_writes.n + 1, sizeof(*again));

	if (!again)
		return dj_fail_os(err, ENOMEM, "apply cgroup limits");
	if (write_all(a, again, err) < 0)
		return -1;
	return write_again(a, again, err);
}

int cgroup_apply_writes(const struct dj_plan *plan, const struct host_facts *host,
			const struct cgroup *cg, struct donjon_error *err)
{
	/* None of these writes is optional, so nobody is told of what cannot be had. */
	const struct applier a = { .plan = plan, .host = host, .cg = cg };

	return apply_all(&a, err);
}

static int apply_devices(const struct applier *a, struct donjon_error *err)
{
	struct donjon_error failure = { 0 };

	if (!a->plan->device_rules_set || cgroup_apply_devices(a->plan, a->cg, &failure) == 0)
		return 0;
	if (!a->plan->device_rules_optional) {
		*err = failure;
		return -1;
	}
	a->unavailable(a->data, "linux.resources.devices", failure.text);
	return 0;
}

int cgroup_apply(const struct dj_plan *plan, const struct host_facts *host, const struct cgroup *cg,
		 void (*unavailable)(void *data, const char *pointer, const char *why), void *data,
		 struct donjon_error *err)
{
	const struct applier a = { plan, host, cg, unavailable, data };

	if (apply_all(&a, err) < 0 || apply_devices(&a, err) < 0)
		return -1;
	return plan->cgroup_chown ? cgroup_delegate(plan, cg, err) : 0;
}

/* ---- delegation ---- */

/* The host's id of the container's user; -1 where it has none. */
static int64_t host_uid(const struct dj_plan *plan)
{
	const struct oci_id_map *maps = plan_items(plan, plan->uid_maps, struct oci_id_map);

	if (plan->uid_maps.n == 0)
		return plan->uid;
	for (uint32_t i = 0; i < plan->uid_maps.n; i++) {
		if (plan->uid >= maps[i].container_id &&
		    plan->uid - maps[i].container_id < maps[i].size)
			return (int64_t)maps[i].host_id + (plan->uid - maps[i].container_id);
	}
	return -1;
}

/* The kernel says which files a delegatee may own; never any other, they are limits. */
static void read_delegate_list(char *out, size_t size)
{
	dj_auto_close int kernel = open("/sys/kernel/cgroup", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (kernel < 0 || cgroup_read(kernel, "delegate", out, size) <= 0)
		(void)snprintf(out, size, "cgroup.procs\ncgroup.subtree_control\ncgroup.threads");
}

int cgroup_delegate(const struct dj_plan *plan, const struct cgroup *cg, struct donjon_error *err)
{
	int64_t uid = host_uid(plan);
	char list[1024];
	char *rest = list, *file;

	if (uid < 0 || cg->v2 < 0)
		return 0;
	if (fchown(cg->v2, (uid_t)uid, (gid_t)-1) < 0)
		/* Rootless, what was delegated to us cannot be given to another id: it stays ours. */
		return plan->rootless && errno == EPERM
			       ? 0
			       : dj_fail_os(err, errno, "delegate the cgroup to uid %lld", (long long)uid);
	read_delegate_list(list, sizeof(list));
	while ((file = strsep(&rest, "\n"))) {
		if (*file && !strchr(file, '/') &&
		    fchownat(cg->v2, file, (uid_t)uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0 &&
		    errno != ENOENT)
			return dj_fail_os(err, errno, "delegate the cgroup's %s", file);
	}
	return 0;
}
