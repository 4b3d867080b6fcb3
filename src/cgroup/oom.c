/* Learning of the OOM killer's work in a container (contract N8, M13). */
#include "base/cleanup.h"
#include "base/path.h"
#include "cgroup/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

uint64_t cgroup_oom_kills(const struct cgroup *cg)
{
	int v1 = cgroup_v1_dir(cg, cg->memory);

	if (v1 >= 0)
		return cgroup_read_key(v1, "memory.oom_control", "oom_kill");
	return cg->v2 >= 0 ? cgroup_read_key(cg->v2, "memory.events", "oom_kill") : 0;
}

/* v1 writes to an eventfd that was told to it. */
static int watch_v1(int dir_fd)
{
	dj_auto_close int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	dj_auto_close int file = path_open_beneath(dir_fd, "memory.oom_control", O_RDONLY, 0);
	char text[32];
	int r;

	if (event < 0)
		return -errno;
	if (file < 0)
		return file;
	(void)snprintf(text, sizeof(text), "%d %d", event, file);
	r = cgroup_write(dir_fd, "cgroup.event_control", text);
	return r < 0 ? r : dj_take_fd(&event);
}

/* v2 modifies a file. */
static int watch_v2(int dir_fd)
{
	dj_auto_close int file = path_open_beneath(dir_fd, "memory.events", O_RDONLY, 0);
	dj_auto_close int notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char path[64];

	if (file < 0)
		return file;
	if (notify < 0)
		return -errno;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return inotify_add_watch(notify, path, IN_MODIFY) < 0 ? -errno : dj_take_fd(&notify);
}

int cgroup_watch_oom(const struct cgroup *cg, struct oom_watch *out, struct donjon_error *err)
{
	int v1 = cgroup_v1_dir(cg, cg->memory);
	int fd = v1 >= 0 ? watch_v1(v1) : cg->v2 >= 0 ? watch_v2(cg->v2) : -ENOENT;

	if (fd < 0 && fd != -ENOENT)
		return dj_fail_os(err, -fd, "watch the container for lack of memory");
	*out = (struct oom_watch){ .fd = fd < 0 ? -1 : fd, .kills = cgroup_oom_kills(cg) };
	return 0;
}

static bool drain(int fd)
{
	/* The eventfd's counter, or inotify events, which carry no name here. */
	char drained[16 * sizeof(struct inotify_event)];
	bool any = false;

	while (fd >= 0 && read(fd, drained, sizeof(drained)) > 0)
		any = true;
	return any;
}

/* The end of a v1 cgroup is told in the same way. */
static bool is_there(int v1_dir)
{
	char text[256];

	return cgroup_read(v1_dir, "memory.oom_control", text, sizeof(text)) > 0;
}

bool cgroup_oom_happened(const struct cgroup *cg, struct oom_watch *watch)
{
	int v1 = cgroup_v1_dir(cg, cg->memory);
	bool told = drain(watch->fd);
	uint64_t before = watch->kills;

	/* v1 tells before it kills, and also where the killer is switched off. */
	if (v1 >= 0)
		return told && is_there(v1);
	watch->kills = cgroup_oom_kills(cg);
	return watch->kills > before;
}
