#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "cgroup/inside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

ssize_t cgroup_read(int dir_fd, const char *file, char *buf, size_t size)
{
	dj_auto_close int fd = path_open_beneath(dir_fd, file, O_RDONLY, 0);

	return fd < 0 ? fd : file_read_kernel(fd, buf, size);
}

int cgroup_write(int dir_fd, const char *file, const char *text)
{
	dj_auto_close int fd = path_open_beneath(dir_fd, file, O_WRONLY, 0);

	return fd < 0 ? fd : file_write_all(fd, text, strlen(text));
}

bool cgroup_read_number(int dir_fd, const char *file, uint64_t *out)
{
	char text[64], *end;

	if (dir_fd < 0 || cgroup_read(dir_fd, file, text, sizeof(text)) <= 0)
		return false;
	*out = UINT64_MAX;
	if (strcmp(text, "max") == 0)
		return true;
	*out = strtoull(text, &end, 10);
	return end != text && *end == '\0';
}

uint64_t cgroup_read_key(int dir_fd, const char *file, const char *key)
{
	char text[1024];
	char *rest = text, *line;
	size_t len = strlen(key);

	if (cgroup_read(dir_fd, file, text, sizeof(text)) < 0)
		return 0;
	while ((line = strsep(&rest, "\n"))) {
		if (strncmp(line, key, len) == 0 && line[len] == ' ')
			return strtoull(line + len + 1, NULL, 10);
	}
	return 0;
}

static uint64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail for this clock */
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

struct patience patience_of(unsigned ms)
{
	return (struct patience){ .until_us = now_us() + ms * 1000ULL, .pause_us = 20 };
}

bool patience_wait(struct patience *p)
{
	enum { LONGEST_US = 10000 };
	struct timespec pause = { .tv_nsec = (long)p->pause_us * 1000 };

	if (now_us() >= p->until_us)
		return false;
	(void)nanosleep(&pause, NULL);
	p->pause_us = p->pause_us < LONGEST_US / 2 ? p->pause_us * 2 : LONGEST_US;
	return true;
}

int patience_left_ms(const struct patience *p)
{
	uint64_t now = now_us();

	return now < p->until_us ? (int)((p->until_us - now + 999) / 1000) : 0;
}

/* One thing still to be done: go into `name`, or, with everything below it done, come back. */
struct todo {
	char *name;
	bool leave;
};

struct walk {
	int at; /* the cgroup we are in */
	struct todo *v;
	size_t n, room;
};

/* Takes the name over. */
static int push(struct walk *w, char *name_consume, bool leave)
{
	if (w->n == w->room) {
		size_t room = w->room ? w->room * 2 : 16;
		struct todo *grown = reallocarray(w->v, room, sizeof(*grown));

		if (!grown) {
			free(name_consume);
			return -ENOMEM;
		}
		w->v = grown;
		w->room = room;
	}
	w->v[w->n++] = (struct todo){ .name = name_consume, .leave = leave };
	return 0;
}

static void walk_done(struct walk *w)
{
	dj_close(&w->at);
	while (w->n)
		free(w->v[--w->n].name);
	free(w->v);
}

static int push_entry(struct walk *w, const struct dirent *entry)
{
	char *name;

	if (entry->d_type != DT_DIR || strcmp(entry->d_name, ".") == 0 ||
	    strcmp(entry->d_name, "..") == 0)
		return 0;
	name = strdup(entry->d_name);
	return name ? push(w, name, false) : -ENOMEM;
}

static int push_children(struct walk *w)
{
	int fd = -1, r = 0;
	struct stat st;
	struct dirent *entry;
	DIR *dir;

	/* kernfs counts the directories below in the link count: no list is read for a leaf. */
	if (fstat(w->at, &st) < 0)
		return -errno;
	if (st.st_nlink == 2)
		return 0;
	fd = openat(w->at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	dir = fdopendir(fd);
	if (!dir) {
		r = -errno;
		dj_close(&fd);
		return r;
	}
	while (r == 0 && (entry = readdir(dir)))
		r = push_entry(w, entry);
	(void)closedir(dir);
	return r;
}

static int enter(struct walk *w, const struct cgroup_visitor *visitor, void *data)
{
	int r = visitor->enter ? visitor->enter(w->at, data) : 0;

	return r < 0 ? r : push_children(w);
}

static int go_down(struct walk *w, char *name_consume, const struct cgroup_visitor *visitor,
		   void *data)
{
	int fd = path_open_beneath(w->at, name_consume, O_RDONLY | O_DIRECTORY, 0);
	int r;

	if (fd < 0) {
		free(name_consume);
		return fd == -ENOENT ? 0 : fd;
	}
	r = push(w, name_consume, true);
	if (r < 0) {
		dj_close(&fd);
		return r;
	}
	dj_close(&w->at);
	w->at = fd;
	return enter(w, visitor, data);
}

/* cgroups cannot be moved elsewhere, so ".." is where we came from. */
static int go_up(struct walk *w, char *name_consume, const struct cgroup_visitor *visitor,
		 void *data)
{
	dj_auto_free char *name = name_consume;
	int fd = openat(w->at, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	dj_close(&w->at);
	w->at = fd;
	if (visitor->leave)
		visitor->leave(fd, name, data);
	return 0;
}

int cgroup_walk(int dir_fd, const struct cgroup_visitor *visitor, void *data)
{
	struct walk w = { .at = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	int r = w.at < 0 ? -errno : enter(&w, visitor, data);

	while (r == 0 && w.n > 0) {
		struct todo next = w.v[--w.n];

		r = next.leave ? go_up(&w, next.name, visitor, data)
			       : go_down(&w, next.name, visitor, data);
	}
	walk_done(&w);
	return r;
}
