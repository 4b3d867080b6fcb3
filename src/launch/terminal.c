/* The container's terminal (K5, B26): opened from its own devpts, by descriptor, never by a name the
 * image controls (CVE-2025-52565, CVE-2026-88264). */
#include "launch/inside.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif
#ifndef DEVPTS_SUPER_MAGIC
#define DEVPTS_SUPER_MAGIC 0x1cd1
#endif

static int open_master(const struct inside *s, struct donjon_error *err)
{
	dj_auto_close int handle = path_open_in_root(s->root, "/dev/pts/ptmx", O_PATH | O_NOFOLLOW, 0);
	char link[64];
	struct stat st;
	struct statfs fs;
	int fd;

	if (handle < 0)
		return dj_fail_os(err, -handle, "process.terminal: open /dev/pts/ptmx");
	if (fstat(handle, &st) < 0 || fstatfs(handle, &fs) < 0)
		return dj_fail_os(err, errno, "process.terminal: stat /dev/pts/ptmx");
	/* A running container may have put anything there (B04). */
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2) || fs.f_type != DEVPTS_SUPER_MAGIC)
		return dj_fail(err, DONJON_E_VERIFY, "process.terminal: /dev/pts/ptmx is no terminal multiplexer");
	(void)snprintf(link, sizeof(link), "fd/%d", handle);
	fd = openat(s->self, link, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? dj_fail_os(err, errno, "process.terminal: open /dev/pts/ptmx") : fd;
}

/* /dev/console is a bind of the slave itself, over an empty file in our own /dev. */
static int bind_console(const struct inside *s, int slave, struct donjon_error *err)
{
	dj_auto_close int target = path_make_mount_point(s->root, "/dev/console", false, err);
	dj_auto_close int tree = -1;
	int r;

	if (target < 0)
		return -1;
	tree = sys_open_tree(slave, "", AT_EMPTY_PATH | SYS_OPEN_TREE_CLONE);
	if (tree < 0)
		return dj_fail_os(err, -tree, "clone the terminal for /dev/console");
	r = sys_move_mount(tree, "", target, "", SYS_MOVE_MOUNT_F_EMPTY_PATH | SYS_MOVE_MOUNT_T_EMPTY_PATH);
	return r < 0 ? dj_fail_os(err, -r, "mount /dev/console") : 0;
}

static int become_controlled(const struct dj_plan *plan, int slave, struct donjon_error *err)
{
	const struct winsize size = { .ws_row = plan->console_rows, .ws_col = plan->console_cols };

	if ((size.ws_row || size.ws_col) && ioctl(slave, TIOCSWINSZ, &size) < 0)
		return dj_fail_os(err, errno, "process.consoleSize: set");
	if (fchown(slave, plan->uid, (gid_t)-1) < 0)
		return dj_fail_os(err, errno, "give the terminal to the process user");
	if (setsid() < 0 && errno != EPERM)
		return dj_fail_os(err, errno, "start a session");
	if (ioctl(slave, TIOCSCTTY, 0) < 0)
		return dj_fail_os(err, errno, "take the terminal");
	for (int fd = 0; fd <= 2; fd++)
		if (dup2(slave, fd) < 0)
			return dj_fail_os(err, errno, "put the terminal on descriptor %d", fd);
	return 0;
}

int open_terminal(struct inside *s, uint32_t row, struct donjon_error *err)
{
	dj_auto_close int master = open_master(s, err);
	dj_auto_close int slave = -1;
	int unlock = 0;

	if (master < 0)
		return -1;
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return dj_fail_os(err, errno, "unlock the terminal");
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return dj_fail_os(err, errno, "open the terminal");
	/* The container's own console is that of its first process. */
	if ((!s->plan->joins && bind_console(s, slave, err) < 0) || become_controlled(s->plan, slave, err) < 0)
		return -1;
	return wire_send(s->wire, WIRE_TELL, row, &master, 1, err);
}
