/*
 * Makes, opens and removes a container's cgroup in every mounted hierarchy, also those that carry
 * no limit: the container must be below its own cgroup everywhere, or its cgroup namespace would
 * show a path of the host (decision 29).
 *
 * Parents that had to be made are marked with an extended attribute.  Only marked ones are removed
 * with their last child: an empty directory of somebody else (a pod's) may carry limits.
 */
#include "base/cleanup.h"
#include "base/path.h"
#include "cgroup/inside.h"
#include "cgroup/scope.h"
#include "plan/resources.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

enum {
	DIR_MODE = 0755,
	CPUSET_TEXT_MAX = 8192,
	RACES_MAX = 32,       /* how often a parent may be removed under us */
	REMOVE_WAIT_MS = 5000 /* until exiting processes are gone */
};

static const int open_dir = O_RDONLY | O_DIRECTORY;

/* `trusted` needs the host's root, `user` is what a delegated v2 tree can have. */
static const char *const marks[] = { "trusted.donjon", "user.donjon" };

size_t hierarchies_of(const struct host_facts *host, struct hierarchy out[static HIERARCHY_MAX])
{
	size_t n = 0;

	for (; n < host->n_v1; n++)
		out[n] = (struct hierarchy){ .mount_point = host->v1[n].mount_point,
					     .name = host->v1[n].controllers,
					     .index = n };
	if (host->v2_mount_point[0])
		out[n++] = (struct hierarchy){ .mount_point = host->v2_mount_point,
					       .name = "unified",
					       .is_v2 = true };
	return n;
}

int hierarchy_open(const struct hierarchy *h)
{
	unsigned long magic = h->is_v2 ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC;
	dj_auto_close int fd = open(h->mount_point, open_dir | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return -errno;
	return (unsigned long)fs.f_type == magic ? dj_take_fd(&fd) : -EXDEV;
}

static int *slot(struct cgroup *cg, const struct hierarchy *h)
{
	return h->is_v2 ? &cg->v2 : &cg->v1[h->index];
}

struct cgroup cgroup_empty_for(const struct host_facts *host)
{
	struct cgroup cg = CGROUP_EMPTY;

	cg.n_v1 = host->n_v1;
	/* -1 becomes an index that is out of range */
	cg.freezer = (size_t)plan_v1_hierarchy(host, "freezer");
	cg.memory = (size_t)plan_v1_hierarchy(host, "memory");
	cg.devices = (size_t)plan_v1_hierarchy(host, "devices");
	for (size_t i = 0; i < HOST_CGROUP_V1_MAX; i++)
		cg.v1[i] = cg.v1_tasks[i] = -1;
	return cg;
}

void cgroup_settle(struct cgroup *cg)
{
	scope_release(&cg->keeper);
}

void cgroup_close_directories(struct cgroup *cg)
{
	for (size_t i = 0; i < cg->n_v1; i++) {
		dj_close(&cg->v1[i]);
		dj_close(&cg->v1_tasks[i]);
	}
	dj_close(&cg->v2);
}

void cgroup_close(struct cgroup *cg)
{
	cgroup_settle(cg);
	cgroup_close_directories(cg);
	while (cg->n_roots > 0)
		dj_close(&cg->roots[--cg->n_roots]);
}

/* ---- marks ---- */

static void mark(int dir_fd)
{
	for (size_t i = 0; i < DJ_COUNT(marks); i++) {
		if (fsetxattr(dir_fd, marks[i], "1", 1, 0) == 0)
			return;
	}
	/* Without a mark it stays behind, as a directory of anybody else would. */
}

static bool is_marked(int dir_fd)
{
	for (size_t i = 0; i < DJ_COUNT(marks); i++) {
		if (fgetxattr(dir_fd, marks[i], NULL, 0) >= 0)
			return true;
	}
	return false;
}

/* ---- making ---- */

/* One path being made in one hierarchy. */
struct maker {
	const struct hierarchy *hierarchy;
	const char *path;
	char controllers[256]; /* v2: to be enabled on the way */
	bool is_cpuset, sets_cpus, sets_mems;
	bool made; /* the last directory is ours */
};

/* The v2 controllers the container needs: all, so that statistics and `update` find theirs; on a
 * hybrid host, where the tree is joined for its name only, those that a limit names. */
static void choose_controllers(struct maker *m, const struct dj_plan *plan,
			       const struct host_facts *host)
{
	const struct plan_cgroup_write *writes =
		plan_items(plan, plan->cgroup_writes, struct plan_cgroup_write);
	size_t used = 0;

	if (host->cgroup_mode == HOST_CGROUP_V2) {
		(void)snprintf(m->controllers, sizeof(m->controllers), "%s", host->v2_controllers);
		return;
	}
	for (uint32_t i = 0; i < plan->cgroup_writes.n; i++) {
		const char *file = plan_text(plan, writes[i].file);
		char name[32];

		(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(file, "."), file);
		if (*plan_text(plan, writes[i].controller) ||
		    !plan_controller_listed(host->v2_controllers, name) ||
		    plan_controller_listed(m->controllers, name))
			continue;
		used += (size_t)snprintf(m->controllers + used, sizeof(m->controllers) - used,
					 "%s ", name);
	}
}

static bool plan_writes(const struct dj_plan *plan, const char *controller, const char *file)
{
	const struct plan_cgroup_write *writes =
		plan_items(plan, plan->cgroup_writes, struct plan_cgroup_write);

	for (uint32_t i = 0; i < plan->cgroup_writes.n; i++) {
		if (strcmp(plan_text(plan, writes[i].controller), controller) == 0 &&
		    strcmp(plan_text(plan, writes[i].file), file) == 0)
			return true;
	}
	return false;
}

static struct maker maker_of(const struct dj_plan *plan, const struct host_facts *host,
			     const struct hierarchy *h)
{
	struct maker m = { .hierarchy = h, .path = plan_text(plan, plan->cgroup_path) };

	if (h->is_v2) {
		choose_controllers(&m, plan, host);
	} else if (plan_controller_listed(h->name, "cpuset")) {
		m.is_cpuset = true;
		m.sets_cpus = plan_writes(plan, "cpuset", "cpuset.cpus");
		m.sets_mems = plan_writes(plan, "cpuset", "cpuset.mems");
	}
	return m;
}

/* "+a +b": those of the list that are not enabled below `dir_fd` yet. */
static size_t missing_controllers(int dir_fd, const char *list, char *out, size_t size)
{
	char enabled[256], wanted[256];
	char *rest = wanted, *name;
	size_t used = 0;

	if (cgroup_read(dir_fd, "cgroup.subtree_control", enabled, sizeof(enabled)) < 0)
		enabled[0] = '\0';
	(void)snprintf(wanted, sizeof(wanted), "%s", list);
	out[0] = '\0';
	while ((name = strsep(&rest, " "))) {
		if (*name && !plan_controller_listed(enabled, name))
			used += (size_t)snprintf(out + used, size - used, "%s+%s", used ? " " : "",
						 name);
	}
	return used;
}

/* A controller that cannot be had here (processes in this cgroup, not delegated, real-time tasks)
 * leaves the others alone; it is missed when one of its files is written. */
static void enable_controllers(int dir_fd, const char *list)
{
	char words[512];
	char *rest = words, *word;

	if (!*list || missing_controllers(dir_fd, list, words, sizeof(words)) == 0 ||
	    cgroup_write(dir_fd, "cgroup.subtree_control", words) == 0)
		return;
	while ((word = strsep(&rest, " ")))
		(void)cgroup_write(dir_fd, "cgroup.subtree_control", word);
}

/* No process can join a v1 cpuset cgroup while one of these files is empty. */
static int inherit_cpuset(int parent_fd, int dir_fd, const char *file, bool fresh)
{
	char text[CPUSET_TEXT_MAX];
	ssize_t n = fresh ? 0 : cgroup_read(dir_fd, file, text, sizeof(text));

	if (n != 0)
		return n < 0 ? (int)n : 0;
	n = cgroup_read(parent_fd, file, text, sizeof(text));
	return n < 0 ? (int)n : cgroup_write(dir_fd, file, text);
}

static int fill_cpuset(const struct maker *m, int parent_fd, int dir_fd, bool fresh, bool is_leaf)
{
	int r = 0;

	if (!(is_leaf && m->sets_cpus))
		r = inherit_cpuset(parent_fd, dir_fd, "cpuset.cpus", fresh);
	if (r == 0 && !(is_leaf && m->sets_mems))
		r = inherit_cpuset(parent_fd, dir_fd, "cpuset.mems", fresh);
	return r;
}

/* Goes one component down, making it if need be.  The directory's descriptor or -errno. */
static int make_one(struct maker *m, int parent_fd, const char *name, bool is_leaf)
{
	dj_auto_close int fd = -1;
	bool fresh;
	int r;

	if (m->hierarchy->is_v2)
		enable_controllers(parent_fd, m->controllers);
	fresh = mkdirat(parent_fd, name, DIR_MODE) == 0;
	if (!fresh && errno != EEXIST)
		return -errno;
	if (is_leaf)
		m->made = fresh;
	fd = path_open_beneath(parent_fd, name, open_dir, 0);
	if (fd < 0)
		return fd;
	if (fresh && !is_leaf)
		mark(fd);
	r = m->is_cpuset ? fill_cpuset(m, parent_fd, fd, fresh, is_leaf) : 0;
	return r < 0 ? r : dj_take_fd(&fd);
}

static int make_path(struct maker *m, int root_fd)
{
	char path[PATH_MAX];
	char *rest = path, *name;
	dj_auto_close int at = -1;
	int above = root_fd;

	(void)snprintf(path, sizeof(path), "%s", m->path);
	while ((name = strsep(&rest, "/"))) {
		int next = make_one(m, above, name, rest == NULL);

		if (next < 0)
			return next;
		dj_close(&at);
		above = at = next;
	}
	return dj_take_fd(&at);
}

/* ---- removing ---- */

static void remove_child(int parent_fd, const char *name, void *data)
{
	int *result = data;

	if (unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		*result = -errno;
}

static int remove_below(int dir_fd)
{
	static const struct cgroup_visitor remover = { .leave = remove_child };
	int result = 0;
	int r = cgroup_walk(dir_fd, &remover, &result);

	return r < 0 ? r : result;
}

/* Cuts the path into the parent's and the returned last component. */
static const char *split(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash)
		return path;
	*slash = '\0';
	return slash + 1;
}

/* rmdir of one cgroup, and of those below it if need be: 0 when it is gone, or -errno (-EBUSY:
 * processes). */
static int remove_one(int parent_fd, const char *name)
{
	dj_auto_close int fd = -1;

	if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != EBUSY)
		return -errno;
	fd = path_open_beneath(parent_fd, name, open_dir, 0);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	(void)remove_below(fd); /* what could not be removed shows in the next line */
	return unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

/* rmdir of parents that we made, from the lowest on, while they are empty. */
static void remove_marked_parents(int root_fd, const char *path)
{
	char copy[PATH_MAX];

	(void)snprintf(copy, sizeof(copy), "%s", path);
	while (split(copy) != copy) {
		dj_auto_close int fd = path_open_beneath(root_fd, copy, open_dir, 0);
		dj_auto_close int parent = -1;
		const char *name = strrchr(copy, '/');

		if (fd < 0 || !is_marked(fd))
			return;
		parent = openat(fd, "..", open_dir | O_CLOEXEC);
		if (parent < 0 || unlinkat(parent, name ? name + 1 : copy, AT_REMOVEDIR) < 0)
			return;
	}
}

static int try_remove(int root_fd, const char *path)
{
	char copy[PATH_MAX];
	dj_auto_close int fd = -1;
	const char *name;
	int parent = root_fd, r;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	name = split(copy);
	if (name != copy)
		parent = fd = path_open_beneath(root_fd, copy, open_dir, 0);
	if (parent < 0)
		return parent == -ENOENT ? 0 : parent;
	r = remove_one(parent, name);
	if (r == 0 && name != copy)
		remove_marked_parents(root_fd, path);
	return r;
}

static int remove_from(const struct hierarchy *h, const char *path, struct patience *patience)
{
	dj_auto_close int root = hierarchy_open(h);
	int r;

	if (root < 0)
		return root;
	do
		r = try_remove(root, path);
	while (r == -EBUSY && patience_wait(patience));
	return r;
}

int cgroup_remove(const struct host_facts *host, const char *path, struct donjon_error *err)
{
	struct hierarchy hierarchies[HIERARCHY_MAX];
	size_t n = hierarchies_of(host, hierarchies);
	struct patience patience = patience_of(REMOVE_WAIT_MS);
	const char *failed = NULL;
	int first = 0;

	if (!*path)
		return 0;
	/* One that fails must not keep the others. */
	for (size_t i = 0; i < n; i++) {
		int r = remove_from(&hierarchies[i], path, &patience);

		if (r < 0 && first == 0) {
			first = r;
			failed = hierarchies[i].name;
		}
	}
	return first < 0 ? dj_fail_os(err, -first, "remove cgroup /%s (%s)", path, failed) : 0;
}

bool cgroup_remove_unused(const struct host_facts *host, const struct cgroup *made, const char *path)
{
	struct hierarchy hierarchies[HIERARCHY_MAX];
	size_t n = hierarchies_of(host, hierarchies);
	struct patience none = patience_of(0);

	for (size_t i = 0; i < n && *path; i++) {
		int r = i < made->n_roots ? try_remove(made->roots[i], path)
					  : remove_from(&hierarchies[i], path, &none);

		if (r < 0)
			return false;
	}
	return true;
}

/* ---- creating ---- */

/* A container that shares a cgroup shares its limits, and is killed with it. */
static int check_unused(int dir_fd, const struct maker *m, pid_t keeper, struct donjon_error *err)
{
	struct cgroup one = CGROUP_EMPTY;
	dj_auto_free pid_t *pids = NULL;
	size_t n = 0;

	one.v2 = dir_fd; /* pids are listed in the same way in both versions */
	if (cgroup_pids(&one, &pids, &n, err) < 0)
		return -1;
	if (n > 0 && !(n == 1 && pids[0] == keeper))
		return dj_fail(err, DONJON_E_CONFIG,
			       "linux.cgroupsPath: cgroup /%s (%s) already has processes (%d)",
			       m->path, m->hierarchy->name, (int)pids[0]);
	return 0;
}

static int create_in(struct maker *m, struct cgroup *cg, struct donjon_error *err)
{
	const struct hierarchy *h = m->hierarchy;
	int root = hierarchy_open(h), fd = root;

	if (root >= 0)
		cg->roots[cg->n_roots++] = root;
	/* Another container's end may remove a parent that is empty for a moment: ENOENT
	 * for its name, ENODEV for its files. */
	for (int i = 0; root >= 0 && i < RACES_MAX; i++) {
		fd = make_path(m, root);
		if (fd != -ENOENT && fd != -ENODEV)
			break;
	}
	if (fd < 0)
		return dj_fail_os(err, -fd, "make cgroup /%s (%s)", m->path, h->name);
	*slot(cg, h) = fd;
	/* Of the same name, and somebody else's: as out of reach as its parent. */
	if (!m->made && faccessat(fd, ".", W_OK, AT_EACCESS) < 0)
		return dj_fail_os(err, errno, "use cgroup /%s (%s)", m->path, h->name);
	if (!m->made && check_unused(fd, m, cg->keeper, err) < 0)
		return -1;
	if (h->is_v2)
		return 0;
	cg->v1_tasks[h->index] = path_open_beneath(fd, "tasks", O_WRONLY, 0);
	if (cg->v1_tasks[h->index] < 0)
		return dj_fail_os(err, -cg->v1_tasks[h->index], "open tasks of cgroup /%s (%s)",
				  m->path, h->name);
	return 0;
}

/* Takes back what `m` made, and parents made for it. */
static void undo(const struct maker *m, int root)
{
	if (m->made)
		(void)try_remove(root, m->path);
	else
		remove_marked_parents(root, m->path);
}

int cgroup_create(const struct dj_plan *plan, const struct host_facts *host, struct cgroup *out,
		  struct donjon_error *err)
{
	struct hierarchy hierarchies[HIERARCHY_MAX];
	struct maker makers[HIERARCHY_MAX];
	size_t n = hierarchies_of(host, hierarchies), done = 0;
	struct cgroup cg = cgroup_empty_for(host);
	/* With its parents; what is made below the root has none that could be. */
	bool may_be_frozen = strchr(plan_text(plan, plan->cgroup_path), '/') != NULL;
	int r = plan->cgroup_unit ? scope_start(plan, &cg.keeper, err) : 0;

	while (r == 0 && done < n) {
		makers[done] = maker_of(plan, host, &hierarchies[done]);
		r = create_in(&makers[done], &cg, err);
		cg.made = cg.made || makers[done].made;
		may_be_frozen = may_be_frozen || !makers[done].made;
		done++;
	}
	if (r == 0 && may_be_frozen && cgroup_is_frozen(&cg))
		r = dj_fail(err, DONJON_E_CONFIG, "linux.cgroupsPath: cgroup /%s is frozen",
			    plan_text(plan, plan->cgroup_path));
	if (r < 0) {
		struct donjon_error ignored = { 0 };

		if (plan->cgroup_unit && cg.keeper > 0)
			(void)scope_stop(plan_text(plan, plan->cgroup_path), plan->cgroup_user_manager, &ignored);
		for (size_t i = cg.n_roots; i > 0; i--)
			undo(&makers[i - 1], cg.roots[i - 1]);
		cgroup_close(&cg);
		return -1;
	}
	*out = cg;
	return 0;
}

/* ---- opening ---- */

int cgroup_open(const struct host_facts *host, const char *path, struct cgroup *out,
		struct donjon_error *err)
{
	struct hierarchy hierarchies[HIERARCHY_MAX];
	size_t n = hierarchies_of(host, hierarchies);
	struct cgroup cg = cgroup_empty_for(host);

	for (size_t i = 0; i < n && *path; i++) {
		dj_auto_close int root = hierarchy_open(&hierarchies[i]);
		int fd = root < 0 ? root : path_open_beneath(root, path, open_dir, 0);

		if (fd < 0 && fd != -ENOENT) {
			cgroup_close(&cg);
			return dj_fail_os(err, -fd, "open cgroup /%s (%s)", path,
					  hierarchies[i].name);
		}
		*slot(&cg, &hierarchies[i]) = fd < 0 ? -1 : fd;
	}
	*out = cg;
	return 0;
}
