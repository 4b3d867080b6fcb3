#include "cgroup/resctrl.h"

#include "base/cleanup.h"
#include "base/mountinfo.h"
#include "base/path.h"
#include "base/procfs.h"
#include "cgroup/inside.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>

enum { LOCK_WAIT_MS = 10 * 1000, LAST_STATUS_MAX = 513 };

#define BLANKS " \t"

static const int open_dir = O_RDONLY | O_DIRECTORY;

/* ---- the file system ---- */

static int not_mounted(struct donjon_error *err)
{
	return dj_fail(err, DONJON_E_UNSUPPORTED,
	               "linux.intelRdt: no resctrl file system is mounted: leave it out, or mount one if "
	               "the processor has any (mount -t resctrl resctrl /sys/fs/resctrl)");
}

/* By its type, and then by what the kernel says of what was opened: a path proves nothing. */
static int open_mount(const char *point, struct donjon_error *err)
{
	dj_auto_close int fd = -1;
	struct statfs fs;

	if (!point)
		return not_mounted(err);
	fd = open(point, open_dir | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return dj_fail_os(err, errno, "linux.intelRdt: open %s", point);
	return (unsigned long)fs.f_type == RDTGROUP_SUPER_MAGIC ? dj_take_fd(&fd)
	                                                        : not_mounted(err);
}

int resctrl_open(struct donjon_error *err)
{
	dj_auto_close int proc = procfs_open_host(err);
	struct dj_arena arena = { 0 };
	char *point;
	int fd = -1;

	if (proc >= 0 && mount_point_of_type(proc, "resctrl", &arena, &point, err) == 0)
		fd = open_mount(point, err);
	dj_arena_done(&arena);
	return fd;
}

int resctrl_lock(int root, struct donjon_error *err)
{
	struct patience patience = patience_of(LOCK_WAIT_MS);

	while (flock(root, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return dj_fail_os(err, errno, "linux.intelRdt: lock resctrl");
		if (!patience_wait(&patience))
			return dj_fail(err, DONJON_E_SYSTEM,
			               "linux.intelRdt: somebody else keeps resctrl locked");
	}
	return 0;
}

/* "no such file or directory" would be taken for the program's (E7). */
static int failed(int os, const char *what, const char *group, struct donjon_error *err)
{
	if (os == ENOENT)
		return dj_fail(err, DONJON_E_SYSTEM,
		               "linux.intelRdt: %s group %s of resctrl: there is none", what,
		               group);
	return dj_fail_os(err, os, "linux.intelRdt: %s group %s of resctrl", what, group);
}

/* Why the kernel refused a command; the errno says little. */
static int refused(int root, int os, const char *what, const char *group, struct donjon_error *err)
{
	char said[LAST_STATUS_MAX];

	if (cgroup_read(root, "info/last_cmd_status", said, sizeof(said)) <= 0 ||
	    strcmp(said, "ok") == 0)
		return failed(os, what, group, err);
	said[strcspn(said, "\n")] = '\0';
	return dj_fail_os(err, os, "linux.intelRdt: %s group %s of resctrl (%s)", what, group,
	                  said);
}

static int open_group(int root, const char *group)
{
	return path_open_beneath(root, strcmp(group, "/") == 0 ? "." : group, open_dir, 0);
}

/* ---- comparing ---- */

static const char *next_line(const char *text)
{
	text += strcspn(text, "\n");
	return *text ? text + 1 : text;
}

/* The domains of a cache or the bandwidth: what stands behind "L3:". */
static const char *domains_of(const char *text, const char *name, size_t len)
{
	while (*text) {
		text += strspn(text, BLANKS);
		if (strncmp(text, name, len) == 0 && text[len] == ':')
			return text + len + 1;
		text = next_line(text);
	}
	return NULL;
}

/* What stands behind "1=" in "0=ff;1=f0", up to the end of the line; or NULL. */
static const char *value_of(const char *domains, unsigned long id)
{
	while (domains) {
		char *end;
		unsigned long found = strtoul(domains, &end, 10);

		if (end == domains || *end != '=')
			return NULL;
		if (found == id)
			return end + 1;
		domains = strpbrk(end, ";\n");
		domains = domains && *domains == ';' ? domains + 1 : NULL;
	}
	return NULL;
}

static bool is_domain_in_force(const char *domains, const char *wanted)
{
	char *end;
	const char *value = value_of(domains, strtoul(wanted, &end, 10));

	return *end == '=' && value && strtoull(value, NULL, 16) == strtoull(end + 1, NULL, 16);
}

/* Would the kernel, told this line, change nothing?  Zeros in front and domains that the line
 * leaves out make no difference to it.  A bandwidth is a number of another base, equal where its
 * digits are. */
static bool is_in_force(const char *have, const char *line)
{
	const char *domains, *at;

	line += strspn(line, BLANKS);
	domains = domains_of(have, line, strcspn(line, ":" BLANKS));
	for (at = line + strcspn(line, ":\n"); *at == ':' || *at == ';'; at += strcspn(at, ";\n"))
		if (!is_domain_in_force(domains, ++at))
			return false;
	return domains != NULL;
}

static int check_lines(const char *group, const char *have, const char *lines,
                       struct donjon_error *err)
{
	for (const char *line = lines; *line; line = next_line(line))
		if (!is_in_force(have, line))
			return dj_fail(err, DONJON_E_CONFIG,
			               "linux.intelRdt: group %s of resctrl is there with other "
			               "schemata: not %.*s",
			               group, (int)strcspn(line, "\n"), line);
	return 0;
}

static int check_schemata(int root, const struct dj_plan *plan, struct donjon_error *err)
{
	const plan_str *writes = plan_items(plan, plan->rdt_writes, plan_str);
	const char *group = plan_text(plan, plan->rdt_group);
	char have[RESCTRL_SCHEMATA_MAX];

	if (plan->rdt_writes.n && resctrl_read(root, group, have, err) < 0)
		return -1;
	for (uint32_t i = 0; i < plan->rdt_writes.n; i++)
		if (check_lines(group, have, plan_text(plan, writes[i]), err) < 0)
			return -1;
	return 0;
}

/* ---- making ---- */

/* Of the same name, and not ours: to use it is to remove it at the end. */
static int check_monitor(int dir, const struct dj_plan *plan, struct donjon_error *err)
{
	dj_auto_close int monitors = path_open_beneath(dir, "mon_groups", open_dir, 0);
	const char *id = plan_text(plan, plan->id);

	if (!plan->rdt_monitoring || monitors < 0 ||
	    faccessat(monitors, id, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return failed(EEXIST, "make a monitoring group in", plan_text(plan, plan->rdt_group), err);
}

int resctrl_check(int root, const struct dj_plan *plan, bool *is_there, struct donjon_error *err)
{
	const char *group = plan_text(plan, plan->rdt_group);
	dj_auto_close int dir = open_group(root, group);

	*is_there = dir >= 0;
	if (dir < 0 && dir != -ENOENT)
		return failed(-dir, "open", group, err);
	if (dir < 0 && plan->rdt_named && plan->rdt_writes.n == 0)
		return dj_fail(err, DONJON_E_CONFIG,
		               "linux.intelRdt.closID: there is no group %s of resctrl, and no "
		               "schema to make it with",
		               group);
	if (dir < 0)
		return 0;
	if (!plan->rdt_named)
		return failed(EEXIST, "make", group, err);
	return check_monitor(dir, plan, err) < 0 ? -1 : check_schemata(root, plan, err);
}

static int make_group(int root, const struct dj_plan *plan, struct donjon_error *err)
{
	const plan_str *writes = plan_items(plan, plan->rdt_writes, plan_str);
	const char *group = plan_text(plan, plan->rdt_group);

	if (mkdirat(root, group, 0755) < 0)
		return refused(root, errno, "make", group, err);
	for (uint32_t i = 0; i < plan->rdt_writes.n; i++)
		if (resctrl_write(root, group, plan_text(plan, writes[i]), err) < 0)
			return -1;
	return 0;
}

static int open_monitors(int root, const char *group)
{
	dj_auto_close int dir = open_group(root, group);

	return dir < 0 ? dir : path_open_beneath(dir, "mon_groups", open_dir, 0);
}

int resctrl_make(int root, const struct dj_plan *plan, bool is_there, struct donjon_error *err)
{
	const char *group = plan_text(plan, plan->rdt_group);
	dj_auto_close int monitors = -1;

	if (!is_there && make_group(root, plan, err) < 0)
		return -1;
	if (!plan->rdt_monitoring)
		return 0;
	monitors = open_monitors(root, group);
	if (monitors < 0)
		return failed(-monitors, "open the monitoring groups of", group, err);
	if (mkdirat(monitors, plan_text(plan, plan->id), 0755) < 0)
		return refused(root, errno, "make a monitoring group in", group, err);
	return 0;
}

/* ---- what is there ---- */

static int open_monitor(int root, const struct resctrl_place *place)
{
	dj_auto_close int monitors = open_monitors(root, place->group);

	return monitors < 0 ? monitors : path_open_beneath(monitors, place->id, open_dir, 0);
}

int resctrl_open_data(int root, const struct resctrl_place *place)
{
	return place->monitored ? open_monitor(root, place) : open_group(root, place->group);
}

static int open_tasks(int dir)
{
	return dir < 0 ? dir : path_open_beneath(dir, "tasks", O_WRONLY, 0);
}

int resctrl_open_tasks(int root, const struct resctrl_place *place, int out[static RESCTRL_TASKS],
                       struct donjon_error *err)
{
	dj_auto_close int dir = open_group(root, place->group), monitor = -1;

	out[0] = open_tasks(dir);
	if (out[0] < 0)
		return failed(-out[0], "join", place->group, err);
	if (!place->monitored)
		return 0;
	monitor = open_monitor(root, place);
	out[1] = open_tasks(monitor);
	return out[1] < 0 ? failed(-out[1], "join the monitoring group in", place->group, err) : 0;
}

int resctrl_read(int root, const char *group, char out[static RESCTRL_SCHEMATA_MAX],
                 struct donjon_error *err)
{
	dj_auto_close int dir = open_group(root, group);
	ssize_t n = dir < 0 ? dir : cgroup_read(dir, "schemata", out, RESCTRL_SCHEMATA_MAX - 1);

	if (n < 0)
		return failed((int)-n, "read the schemata of", group, err);
	/* Without it the kernel would not take them back. */
	memcpy(out + n, "\n", sizeof("\n"));
	return 0;
}

int resctrl_write(int root, const char *group, const char *lines, struct donjon_error *err)
{
	dj_auto_close int dir = open_group(root, group);
	int r = dir < 0 ? dir : cgroup_write(dir, "schemata", lines);

	return r < 0 ? refused(root, -r, "write the schemata of", group, err) : 0;
}

/* ---- removing ---- */

static int remove_in(int dir, const char *name, const char *group, struct donjon_error *err)
{
	if (dir < 0 ? dir == -ENOENT : unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	return failed(dir < 0 ? -dir : errno, "remove", group, err);
}

/* Whoever named the same group while we made it would find itself in the root group. */
static bool is_used_by_others(int root, const struct resctrl_place *place)
{
	dj_auto_close int dir = open_group(root, place->group);
	char text[8]; /* more than fits is -EFBIG, and somebody, too */

	return strcmp(place->group, place->id) != 0 && dir >= 0 &&
	       cgroup_read(dir, "tasks", text, sizeof(text)) != 0;
}

int resctrl_remove(int root, const struct resctrl_place *place, struct donjon_error *err)
{
	dj_auto_close int monitors = -1;

	if (place->monitored) {
		monitors = open_monitors(root, place->group);
		if (remove_in(monitors, place->id, place->group, err) < 0)
			return -1;
	}
	if (!place->made || is_used_by_others(root, place))
		return 0;
	return remove_in(root, place->group, place->group, err);
}
