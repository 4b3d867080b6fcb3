/*
 * Stopping a container's processes where they are, and letting them go on (contract T7, T8, S5,
 * S14). Where the freezer is on v1 it is v1's, also beside a v2 tree.
 */
#include "base/cleanup.h"
#include "base/path.h"
#include "cgroup/inside.h"
#include "plan/resources.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

/* Longer than any ordinary container needs; a process in an uninterruptible wait needs for ever. */
enum { FREEZE_WAIT_MS = 10 * 1000 };

bool cgroup_is_v1_frozen(int dir_fd)
{
	char state[32];

	return cgroup_read(dir_fd, "freezer.state", state, sizeof(state)) > 0 &&
	       strcmp(state, "THAWED") != 0;
}

static bool is_v2_frozen(int dir_fd)
{
	char asked[8];

	return (cgroup_read(dir_fd, "cgroup.freeze", asked, sizeof(asked)) > 0 &&
	        strcmp(asked, "1") == 0) ||
	       cgroup_read_key(dir_fd, "cgroup.events", "frozen") == 1;
}

int cgroup_freezer_open(const struct host_facts *host, struct cgroup_freezer *out,
			struct donjon_error *err)
{
	struct hierarchy hierarchies[HIERARCHY_MAX];
	size_t n = hierarchies_of(host, hierarchies), i = 0;

	*out = (struct cgroup_freezer){ .root = -1 };
	while (i < n && !hierarchies[i].is_v2 && !plan_controller_listed(hierarchies[i].name, "freezer"))
		i++;
	if (i == n)
		return 0;
	out->is_v2 = hierarchies[i].is_v2;
	out->root = hierarchy_open(&hierarchies[i]);
	return out->root < 0 ? dj_fail_os(err, -out->root, "open the cgroup hierarchy %s",
					  hierarchies[i].name)
			     : 0;
}

int cgroup_freezer_ask(const struct cgroup_freezer *freezer, const char *path)
{
	char file[PATH_MAX], text[256];
	ssize_t n;
	int len = snprintf(file, sizeof(file), "%s/%s", path,
			   freezer->is_v2 ? "cgroup.events" : "freezer.state");

	if (freezer->root < 0)
		return 0;
	if (len < 0 || (size_t)len >= sizeof(file))
		return -ENAMETOOLONG;
	n = cgroup_read(freezer->root, file, text, sizeof(text));
	if (n < 0)
		return n == -ENOENT || n == -ENODEV ? 0 : (int)n;
	return freezer->is_v2 ? strstr(text, "frozen 1") != NULL : strcmp(text, "THAWED") != 0;
}

int cgroup_is_frozen(const struct cgroup *cg)
{
	int v1 = cgroup_v1_dir(cg, cg->freezer);

	return (v1 >= 0 && cgroup_is_v1_frozen(v1)) || (cg->v2 >= 0 && is_v2_frozen(cg->v2));
}

/* v1 tells nobody: reading the state is also what brings it up to date. */
static int freeze_v1(int dir_fd, bool frozen, struct patience *patience)
{
	const char *wanted = frozen ? "FROZEN" : "THAWED";
	int r = cgroup_write(dir_fd, "freezer.state", wanted);
	char state[32] = "";

	while (r == 0) {
		ssize_t n = cgroup_read(dir_fd, "freezer.state", state, sizeof(state));

		if (n < 0)
			return (int)n;
		if (strcmp(state, wanted) == 0)
			return 0;
		/* `kill` with SIGKILL thaws, and asks nobody: what it ends is not to be waited for. */
		if (frozen && strcmp(state, "THAWED") == 0)
			return -ECANCELED;
		if (!patience_wait(patience))
			return -ETIMEDOUT;
	}
	return r;
}

/* "populated 1\nfrozen 0\n", read anew from a file that stays open. */
static int read_frozen(int events_fd)
{
	char text[256];
	const char *line;
	ssize_t n = pread(events_fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	line = strstr(text, "frozen ");
	return line && line[sizeof("frozen ") - 1] == '1';
}

/* The kernel wakes who polls cgroup.events when something in it has changed since it was read. */
static int freeze_v2(int dir_fd, bool frozen, struct patience *patience)
{
	dj_auto_close int fd = path_open_beneath(dir_fd, "cgroup.events", O_RDONLY, 0);
	struct pollfd change = { .fd = fd, .events = POLLPRI };
	int r = fd < 0 ? fd : cgroup_write(dir_fd, "cgroup.freeze", frozen ? "1" : "0");

	while (r == 0) {
		int is = read_frozen(fd);

		if (is < 0)
			return is;
		if (is == frozen)
			return 0;
		r = poll(&change, 1, patience_left_ms(patience));
		if (r == 0 || (r < 0 && errno != EINTR))
			return r == 0 ? -ETIMEDOUT : -errno;
		r = 0;
	}
	return r;
}

static int set_frozen(const struct cgroup *cg, bool frozen, unsigned wait_ms)
{
	struct patience patience = patience_of(wait_ms);
	int v1 = cgroup_v1_dir(cg, cg->freezer);
	int r = v1 >= 0 ? freeze_v1(v1, frozen, &patience) : 0;

	if (v1 < 0 && cg->v2 < 0)
		return -ENOENT;
	/* Beside a v1 freezer the v2 tree is frozen by nobody but strangers: thawed all the same.
	 */
	if (r == 0 && (v1 < 0 || (!frozen && cg->v2 >= 0 && is_v2_frozen(cg->v2))))
		r = freeze_v2(cg->v2, frozen, &patience);
	return r;
}

int cgroup_set_frozen(const struct cgroup *cg, bool frozen, unsigned wait_ms)
{
	int r = set_frozen(cg, frozen, wait_ms);

	if (r < 0 && frozen) /* half frozen is neither running nor paused */
		(void)set_frozen(cg, false, 0);
	return r;
}

int cgroup_freeze(const struct cgroup *cg, bool frozen, struct donjon_error *err)
{
	const char *what = frozen ? "freeze" : "thaw";
	int r = cgroup_set_frozen(cg, frozen, FREEZE_WAIT_MS);

	if (r == -ENOENT)
		return dj_fail(err, DONJON_E_UNSUPPORTED, "%s: the container has no freezer cgroup",
		               what);
	return r < 0 ? dj_fail_os(err, -r, "%s the container's cgroup", what) : 0;
}
