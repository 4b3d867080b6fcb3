/* HOME, where the configuration has none: from the image's passwd. */
#include "launch/inside.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "base/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PASSWD_READ_MAX = 64 * 1024, PASSWD_SIZE_MAX = 1024 * 1024 };

/* The home directory of a "name:x:uid:gid:gecos:home:shell" line with this uid, in place. */
static char *home_in_line(char *line, uint32_t uid)
{
	char *field[7];
	size_t n = 0;

	for (char *rest = line, *f; n < 7 && (f = strsep(&rest, ":"));)
		field[n++] = f;
	if (n < 6 || strspn(field[2], "0123456789") != strlen(field[2]) || !*field[2])
		return NULL;
	return strtoul(field[2], NULL, 10) == uid && *field[5] == '/' ? field[5] : NULL;
}

/* The image's file is hostile input: a handle first, opened for real only when it is a plain file, and
 * never more than 64 KiB of it (B04, B35, T13).  Anything else is as good as no file: 0. */
static int open_passwd(struct inside *s, int *fd, struct donjon_error *err)
{
	dj_auto_close int handle = path_open_in_root(s->root, "/etc/passwd", O_PATH, 0);
	char link[16];
	struct stat st;

	if (handle < 0 || fstat(handle, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > PASSWD_SIZE_MAX)
		return 0;
	if (open_own_procfs(s, 0, err) < 0)
		return -1;
	(void)snprintf(link, sizeof(link), "%d", handle);
	*fd = procfs_follow(s->self, link, "fd");
	return 0;
}

static const char *home_of(int fd, uint32_t uid)
{
	static char text[PASSWD_READ_MAX];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return "/";
	text[n] = '\0';
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
		const char *home = home_in_line(line, uid);

		if (home)
			return home;
	}
	return "/";
}

int find_home(struct inside *s, uint32_t row, struct donjon_error *err)
{
	static char home[PATH_MAX + 8];
	dj_auto_close int fd = -1;

	(void)row;
	if (open_passwd(s, &fd, err) < 0)
		return dj_note(err, "read the image's /etc/passwd");
	(void)snprintf(home, sizeof(home), "HOME=%.*s", PATH_MAX, home_of(fd, s->plan->uid));
	s->home = home;
	return 0;
}
