/* Where a process that joins a running container goes: its cgroup in every hierarchy, or one below it
 * (F43), opened with the host's rights and proved to be below by the way it is opened. */
#include "base/cleanup.h"
#include "base/path.h"
#include "base/procfs.h"
#include "cgroup/inside.h"
#include "plan/resources.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { MEMBERSHIP_MAX = 8192 };

static const int open_dir = O_RDONLY | O_DIRECTORY;

static int descend(int *dir, const char *below, const char *hierarchy, struct donjon_error *err)
{
	int fd = path_open_beneath(*dir, below, open_dir, 0);

	if (fd < 0)
		return dj_fail_os(err, -fd, "open %s below the container's cgroup (%s)", below, hierarchy);
	dj_close(dir);
	*dir = fd;
	return 0;
}

/* ---- a cgroup of the caller's choice ---- */

/* The components of `path`; nothing that leads up or elsewhere is repaired, it is refused (the prefix
 * compare that runc 1.5.2 fixed let siblings through). */
static char *clean_below(const char *path, struct dj_arena *arena, struct donjon_error *err)
{
	char *out = dj_arena_strdup(arena, "");

	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && strncmp(path, "..", 2) == 0) {
			(void)dj_fail(err, DONJON_E_USAGE, "cgroup: must not contain \"..\"");
			return NULL;
		}
		if (len > 0 && !(len == 1 && path[0] == '.'))
			out = dj_arena_printf(arena, "%s%s%.*s", out, *out ? "/" : "", (int)len, path);
		path += len + (path[len] == '/');
	}
	return out;
}

static bool names_one_of(const char *list, const char *controllers)
{
	char one[64];

	while (*list) {
		size_t len = strcspn(list, ",");

		(void)snprintf(one, sizeof(one), "%.*s", (int)len, list);
		if (plan_controller_listed(controllers, one))
			return true;
		list += len + (list[len] == ',');
	}
	return false;
}

/* In the v1 hierarchies of these controllers, or everywhere (NULL). */
static int choose_in(const struct host_facts *host, const char *controllers, const char *below,
		     const char *all_below[static HIERARCHY_MAX], struct donjon_error *err)
{
	struct hierarchy hierarchies[HIERARCHY_MAX];
	size_t n = hierarchies_of(host, hierarchies), done = 0;

	for (size_t i = 0; i < n; i++) {
		const struct hierarchy *h = &hierarchies[i];

		if (controllers && (h->is_v2 || !names_one_of(controllers, h->name)))
			continue;
		done++;
		all_below[i] = below;
	}
	if (done == 0)
		return dj_fail(err, DONJON_E_USAGE, "cgroup: no cgroup v1 hierarchy has controller %s",
			       controllers);
	return 0;
}

static int choose_as_asked(const struct host_facts *host, const char *asked, struct dj_arena *arena,
			   const char *all_below[static HIERARCHY_MAX], struct donjon_error *err)
{
	const char *colon = strchr(asked, ':');
	char *controllers = NULL, *below;

	if (colon)
		controllers = dj_arena_printf(arena, "%.*s", (int)(colon - asked), asked);
	below = clean_below(colon ? colon + 1 : asked, arena, err);
	return below ? choose_in(host, controllers, below, all_below, err) : -1;
}

/* ---- a container that has sub-cgroups of its own ---- */

/* "0::/path" of /proc/PID/cgroup. */
static char *unified_line(char *text)
{
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
		if (strncmp(line, "0::", 3) == 0)
			return line + 3;
	return NULL;
}

/* A v2 cgroup that hands controllers to those below it can hold no process.  Whoever manages the inside
 * (systemd) has moved the container's own process down, so that is where to go. */
static int follow_member(const char *path, pid_t member, struct cgroup *cg, struct dj_arena *arena,
			 const char **below, struct donjon_error *err)
{
	char file[32], text[MEMBERSHIP_MAX], controllers[256], *at;
	dj_auto_close int proc = -1;

	if (cg->v2 < 0 ||
	    cgroup_read(cg->v2, "cgroup.subtree_control", controllers, sizeof(controllers)) <= 0)
		return 0;
	proc = procfs_open_host(err);
	(void)snprintf(file, sizeof(file), "%d/cgroup", (int)member);
	if (proc < 0 || procfs_read(proc, file, text, sizeof(text), err) < 0)
		return -1;
	at = unified_line(text);
	at = at ? strstr(at, dj_arena_printf(arena, "/%s/", path)) : NULL;
	if (!at)
		return 0; /* the kernel will say what is wrong */
	*below = dj_arena_strdup(arena, at + strlen(path) + 2);
	return descend(&cg->v2, *below, "unified", err);
}

/* ---- opening ---- */

static int open_in(const struct hierarchy *h, const char *path, int flags)
{
	dj_auto_close int root = hierarchy_open(h);

	return root < 0 ? root : path_open_beneath(root, path, flags, 0);
}

/* What is missing is a limit that would not hold (CVE-2025-47291). */
static int fail_open(const struct hierarchy *h, const char *path, const char *below, int r,
		     struct donjon_error *err)
{
	if (r == -ENOENT && !*below)
		return dj_fail(err, DONJON_E_STATUS, "the container's cgroup /%s is gone (%s)", path, h->name);
	return dj_fail_os(err, -r, "open cgroup /%s%s%s (%s)", path, *below ? "/" : "", below, h->name);
}

/* The file that a process writes itself into, and not the directories: all that it takes, in every
 * hierarchy and at every exec. */
static int open_v1(const struct hierarchy *h, const char *path, const char *below, struct dj_arena *arena,
		   struct cgroup *cg, struct donjon_error *err)
{
	int fd = open_in(h, dj_arena_printf(arena, "%s/%s%stasks", path, below, *below ? "/" : ""), O_WRONLY);

	if (fd < 0)
		return fail_open(h, path, below, fd, err);
	cg->v1_tasks[h->index] = fd;
	return 0;
}

static int open_v2(const struct hierarchy *h, const char *path, const char **below,
		   const struct cgroup_choice *choice, struct dj_arena *arena, struct cgroup *cg,
		   struct donjon_error *err)
{
	int fd = open_in(h, path, open_dir);

	if (fd < 0)
		return fail_open(h, path, "", fd, err);
	cg->v2 = fd;
	if (choice->n == 0)
		return follow_member(path, choice->member, cg, arena, below, err);
	return *below && **below ? descend(&cg->v2, *below, h->name, err) : 0;
}

static int open_all(const struct host_facts *host, const char *path, const struct cgroup_choice *choice,
		    struct dj_arena *arena, struct cgroup *cg, const char *below[static HIERARCHY_MAX],
		    struct donjon_error *err)
{
	struct hierarchy hierarchies[HIERARCHY_MAX];
	size_t n = hierarchies_of(host, hierarchies);
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct hierarchy *h = &hierarchies[i];

		r = h->is_v2 ? open_v2(h, path, &below[i], choice, arena, cg, err)
			     : open_v1(h, path, below[i] ? below[i] : "", arena, cg, err);
	}
	return r;
}

int cgroup_open_to_join(const struct host_facts *host, const char *path, const struct cgroup_choice *choice,
			struct dj_arena *arena, struct cgroup *out, const char *below[static HIERARCHY_MAX],
			struct donjon_error *err)
{
	int r = 0;

	*out = (struct cgroup)CGROUP_EMPTY;
	if (!*path)
		return choice->n == 0 ? 0
				      : dj_fail(err, DONJON_E_UNSUPPORTED,
						"cgroup: the container has no cgroup of its own");
	for (size_t i = 0; r == 0 && i < choice->n; i++)
		r = choose_as_asked(host, choice->v[i], arena, below, err);
	if (r < 0)
		return -1;
	*out = cgroup_empty_for(host);
	r = open_all(host, path, choice, arena, out, below, err);
	if (r < 0)
		cgroup_close(out);
	return r;
}
