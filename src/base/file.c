#include "base/file.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static ssize_t read_some(int fd, char *buf, size_t size)
{
	ssize_t n;

	do
		n = read(fd, buf, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Doubles the buffer, but never beyond what one byte more than `max` needs. */
static int grow(char **buf, size_t *room, size_t max)
{
	size_t want = *room < max / 2 ? *room * 2 : max + 1;
	char *bigger = realloc(*buf, want + 1);

	if (!bigger)
		return -ENOMEM;
	*buf = bigger;
	*room = want;
	return 0;
}

/* The size fstat reported is only where to start: procfs says 0, and files grow while read. */
static int read_all(int fd, size_t expected, size_t max, const char *what, char **out,
                    size_t *out_size, struct donjon_error *err)
{
	size_t room = expected < max ? expected + 1 : max + 1;
	dj_auto_free char *buf = malloc(room + 1);
	size_t used = 0;

	if (!buf)
		return dj_fail_os(err, ENOMEM, "%s: read", what);
	for (;;) {
		ssize_t n = read_some(fd, buf + used, room - used);

		if (n < 0)
			return dj_fail_os(err, (int)-n, "%s: read", what);
		if (n == 0)
			break;
		used += (size_t)n;
		if (used > max)
			return dj_fail(err, DONJON_E_CONFIG, "%s: larger than %zu bytes", what,
			               max);
		if (used == room && grow(&buf, &room, max) < 0)
			return dj_fail_os(err, ENOMEM, "%s: read", what);
	}
	buf[used] = '\0';
	*out = dj_take(buf);
	*out_size = used;
	return 0;
}

int file_read_regular(int fd, size_t max, const char *what, char **out, size_t *out_size,
                      struct donjon_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return dj_fail_os(err, errno, "%s: stat", what);
	if (!S_ISREG(st.st_mode))
		return dj_fail(err, DONJON_E_CONFIG, "%s: not a regular file", what);
	if ((uint64_t)st.st_size > max)
		return dj_fail(err, DONJON_E_CONFIG, "%s: larger than %zu bytes", what, max);
	return read_all(fd, (size_t)st.st_size, max, what, out, out_size, err);
}

ssize_t file_read_kernel(int fd, char *buf, size_t size)
{
	size_t used = 0;

	for (;;) {
		ssize_t n = read_some(fd, buf + used, size - used);

		if (n < 0)
			return n;
		if (n == 0)
			break;
		used += (size_t)n;
		if (used == size)
			return -EFBIG;
	}
	if (used > 0 && buf[used - 1] == '\n')
		used--;
	buf[used] = '\0';
	return (ssize_t)used;
}

int file_write_all(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size > 0) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

/* A name nobody else has: ".NAME.PID-N" beside the target, taken by O_EXCL.  A crashed process of
 * the same pid may have left one behind, hence N. */
static int open_temporary(int dir_fd, const char *name, char *tmp, size_t size)
{
	const char *slash = strrchr(name, '/');
	int dir_len = slash ? (int)(slash + 1 - name) : 0;

	for (unsigned i = 0; i < 100; i++) {
		int len = snprintf(tmp, size, "%.*s.%s.%d-%u", dir_len, name, name + dir_len,
		                   (int)getpid(), i);
		int fd;

		if (len < 0 || (size_t)len >= size)
			return -ENAMETOOLONG;
		fd = openat(dir_fd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		            0600);
		if (fd >= 0 || errno != EEXIST)
			return fd < 0 ? -errno : fd;
	}
	return -EEXIST;
}

int file_replace(int dir_fd, const char *name, mode_t mode, const void *data, size_t size,
                 struct donjon_error *err)
{
	char tmp[PATH_MAX];
	dj_auto_close int fd = open_temporary(dir_fd, name, tmp, sizeof(tmp));
	int r;

	if (fd < 0)
		return dj_fail_os(err, -fd, "%s: create", name);
	r = file_write_all(fd, data, size);
	if (r == 0 && (fchmod(fd, mode) < 0 || renameat(dir_fd, tmp, dir_fd, name) < 0))
		r = -errno;
	if (r == 0)
		return 0;
	(void)unlinkat(dir_fd, tmp, 0);
	return dj_fail_os(err, -r, "%s: write", name);
}

int file_identify(int fd, struct file_identity *out)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*out = (struct file_identity){ .known = true, .dev = st.st_dev, .ino = st.st_ino };
	return 0;
}

bool file_is(int fd, const struct file_identity *identity)
{
	struct file_identity now;

	return !identity->known || (file_identify(fd, &now) == 0 && now.dev == identity->dev &&
	                            now.ino == identity->ino);
}
