/*
 * Who is in a container's cgroup, and stopping them.
 *
 * Numbers read from cgroup.procs are only hints: a signal goes through a pidfd, and only after the
 * number was seen in the cgroup once more with the pidfd open (B19).
 */
#include "base/cleanup.h"
#include "base/path.h"
#include "base/sys.h"
#include "cgroup/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

enum {
	FREEZE_TO_KILL_MS = 500,
	KILL_WAIT_MS = 5000,
	BATCH = 64, /* pidfds held at a time */
};

/* ---- pids ---- */

struct pid_set {
	pid_t *v;
	size_t n, room;
};

static int add(struct pid_set *set, pid_t pid)
{
	if (set->n == set->room) {
		size_t room = set->room ? set->room * 2 : 64;
		pid_t *grown = reallocarray(set->v, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		set->v = grown;
		set->room = room;
	}
	set->v[set->n++] = pid;
	return 0;
}

/* One number a line; 0 stands for a process of a pid namespace that is not ours. */
static int parse(const char *text, size_t size, pid_t *current, struct pid_set *set)
{
	for (size_t i = 0; i < size; i++) {
		int r = 0;

		if (text[i] >= '0' && text[i] <= '9') {
			*current = *current * 10 + (text[i] - '0');
			continue;
		}
		if (*current > 0)
			r = add(set, *current);
		*current = 0;
		if (r < 0)
			return r;
	}
	return 0;
}

/* A cgroup that vanished, or that is threaded (its domain lists its processes), has none. */
static int read_procs(int dir_fd, void *data)
{
	dj_auto_close int fd = path_open_beneath(dir_fd, "cgroup.procs", O_RDONLY, 0);
	char text[4096];
	pid_t current = 0;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	for (;;) {
		ssize_t n = read(fd, text, sizeof(text));
		int r;

		if (n == 0)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EOPNOTSUPP || errno == ENODEV ? 0 : -errno;
		r = parse(text, (size_t)n, &current, data);
		if (r < 0)
			return r;
	}
}

static int compare(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

static void sort_unique(struct pid_set *set)
{
	size_t kept = 0;

	if (set->n == 0)
		return;
	qsort(set->v, set->n, sizeof(*set->v), compare);
	for (size_t i = 1; i < set->n; i++) {
		if (set->v[i] != set->v[kept])
			set->v[++kept] = set->v[i];
	}
	set->n = kept + 1;
}

static int walk_procs(int dir_fd, struct pid_set *set)
{
	static const struct cgroup_visitor reader = { .enter = read_procs };
	int r = dir_fd < 0 ? 0 : cgroup_walk(dir_fd, &reader, set);

	return r == -ENOENT || r == -ENODEV ? 0 : r;
}

/* On v1 all hierarchies hold the same processes: the freezer's, if there is one, since that is the
 * one that stops them, and the v2 tree's beside it. */
static int v1_main(const struct cgroup *cg)
{
	int fd = cgroup_v1_dir(cg, cg->freezer);

	for (size_t i = 0; i < cg->n_v1 && fd < 0; i++)
		fd = cg->v1[i];
	return fd;
}

static int list(const struct cgroup *cg, struct pid_set *set)
{
	int r = walk_procs(cg->v2, set);

	if (r == 0)
		r = walk_procs(v1_main(cg), set);
	if (r == 0)
		sort_unique(set);
	return r;
}

int cgroup_pids(const struct cgroup *cg, pid_t **pids, size_t *n, struct donjon_error *err)
{
	struct pid_set set = { 0 };
	int r = list(cg, &set);

	if (r < 0) {
		free(set.v);
		return dj_fail_os(err, -r, "list the cgroup's processes");
	}
	*pids = set.v;
	*n = set.n;
	return 0;
}

/* ---- killing ---- */

static int thaw_one(int dir_fd, void *data)
{
	(void)data;
	if (cgroup_is_v1_frozen(dir_fd))
		(void)cgroup_write(dir_fd, "freezer.state", "THAWED");
	return 0;
}

void cgroup_thaw_below(const struct cgroup *cg)
{
	static const struct cgroup_visitor thawer = { .enter = thaw_one };
	int v1 = cgroup_v1_dir(cg, cg->freezer);

	if (v1 >= 0)
		(void)cgroup_walk(v1, &thawer, NULL);
}

struct target {
	pid_t pid;
	int pidfd;
};

static int open_targets(const pid_t *pids, size_t n, struct target *out, size_t *opened)
{
	for (size_t i = 0; i < n; i++) {
		int fd = sys_pidfd_open(pids[i], 0);

		if (fd >= 0)
			out[(*opened)++] = (struct target){ .pid = pids[i], .pidfd = fd };
		else if (fd != -ESRCH && fd != -EINVAL) /* -EINVAL: a thread's number by now */
			return fd;
	}
	return 0;
}

static int signal_listed(const struct target *targets, size_t n, const struct pid_set *now, int sig)
{
	int first = 0;

	for (size_t i = 0; i < n; i++) {
		int r = 0;

		if (now->n && bsearch(&targets[i].pid, now->v, now->n, sizeof(*now->v), compare))
			r = sys_pidfd_send_signal(targets[i].pidfd, sig);
		if (r < 0 && r != -ESRCH && first == 0)
			first = r;
	}
	return first;
}

static int signal_batch(const struct cgroup *cg, const pid_t *pids, size_t n, int sig)
{
	struct target targets[BATCH];
	struct pid_set now = { 0 };
	size_t opened = 0;
	int r = open_targets(pids, n, targets, &opened);

	if (r == 0)
		r = list(cg, &now);
	if (r == 0)
		r = signal_listed(targets, opened, &now, sig);
	while (opened > 0)
		dj_close(&targets[--opened].pidfd);
	free(now.v);
	return r;
}

static int signal_everybody(const struct cgroup *cg, int sig)
{
	struct pid_set set = { 0 };
	int r = list(cg, &set);

	for (size_t i = 0; i < set.n && r == 0; i += BATCH)
		r = signal_batch(cg, set.v + i, set.n - i < BATCH ? set.n - i : BATCH, sig);
	free(set.v);
	return r;
}

static int count(const struct cgroup *cg, size_t *n)
{
	struct pid_set set = { 0 };
	int r = list(cg, &set);

	*n = set.n;
	free(set.v);
	return r;
}

/* Frozen, nobody can fork away from the list; where that is not to be had the caller's repetition
 * has to do. */
static int kill_frozen(const struct cgroup *cg)
{
	int r;

	(void)cgroup_set_frozen(cg, true, FREEZE_TO_KILL_MS);
	r = signal_everybody(cg, SIGKILL);
	(void)cgroup_set_frozen(cg, false, FREEZE_TO_KILL_MS);
	return r;
}

static int kill_repeatedly(const struct cgroup *cg, struct donjon_error *err)
{
	struct patience patience = patience_of(KILL_WAIT_MS);
	/* The kernel's own way is atomic, but misses who is in the v1 hierarchies only. */
	bool by_kernel = cg->v2 >= 0 && cgroup_write(cg->v2, "cgroup.kill", "1") == 0;
	size_t left = 0;

	for (;;) {
		int r = by_kernel ? 0 : kill_frozen(cg);

		cgroup_thaw_below(cg);
		if (r == 0)
			r = count(cg, &left);
		if (r < 0)
			return dj_fail_os(err, -r, "kill the cgroup's processes");
		if (left == 0)
			return 0;
		if (!patience_wait(&patience))
			return dj_fail_os(err, ETIMEDOUT, "kill the cgroup's processes: %zu left",
					  left);
		by_kernel = by_kernel && cgroup_read_key(cg->v2, "cgroup.events", "populated");
	}
}

int cgroup_kill_all(const struct cgroup *cg, int sig, struct donjon_error *err)
{
	int r;

	if (sig == SIGKILL)
		return kill_repeatedly(cg, err);
	r = signal_everybody(cg, sig);
	return r < 0 ? dj_fail_os(err, -r, "signal the cgroup's processes") : 0;
}
