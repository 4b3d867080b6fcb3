#include "base/mountinfo.h"

#include "base/cleanup.h"
#include "base/procfs.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ANSWER_FIRST = 16 * 1024, /* an engine's ordinary overlay fits */
	ANSWER_MAX = 1024 * 1024,
	MOUNTINFO_MAX = 16 * 1024 * 1024, /* some ten thousand mounts */
};

static bool is_whole(int fd, const char *root)
{
	return strcmp(root, "/") == 0 && sys_is_mount_root(fd) == 1;
}

/* ---- asked for one mount ---- */

/* All of `what`, or an error. */
static int ask(int fd, uint64_t what, struct dj_arena *arena, uint64_t *id, struct sys_statmount **out)
{
	int r = sys_mount_id_unique(fd, id);

	if (r < 0)
		return r;
	r = -EOVERFLOW;
	for (size_t size = ANSWER_FIRST; r == -EOVERFLOW && size <= ANSWER_MAX; size *= 4) {
		*out = dj_arena_alloc(arena, size);
		r = sys_statmount(*id, what, *out, size);
	}
	if (r < 0)
		return r;
	return ((*out)->mask & what) == what ? 0 : -EOPNOTSUPP;
}

int mount_facts_ask(int fd, struct dj_arena *arena, struct mount_facts *out)
{
	const uint64_t what = SYS_STATMOUNT_MNT_ROOT | SYS_STATMOUNT_MNT_OPTS;
	struct sys_statmount *answer = NULL;
	uint64_t id = 0, below;
	int r = ask(fd, what, arena, &id, &answer);

	if (r < 0)
		return r;
	r = sys_listmount(id, &below, 1);
	if (r < 0)
		return r;
	*out = (struct mount_facts){
		.options = answer->str + answer->mnt_opts,
		.is_whole = is_whole(fd, answer->str + answer->mnt_root),
		.has_submounts = r > 0,
	};
	return 0;
}

int mount_part_ask(int fd, struct dj_arena *arena, struct mount_part *out)
{
	const uint64_t what = SYS_STATMOUNT_SB_BASIC | SYS_STATMOUNT_MNT_ROOT;
	struct sys_statmount *answer = NULL;
	uint64_t id = 0;
	int r = ask(fd, what, arena, &id, &answer);

	if (r < 0)
		return r;
	*out = (struct mount_part){
		.dev_major = answer->sb_dev_major,
		.dev_minor = answer->sb_dev_minor,
		.root = answer->str + answer->mnt_root,
	};
	return 0;
}

/* ---- found among all of them ---- */

struct line {
	uint64_t id, parent;
	uint32_t dev_major, dev_minor;
	char *root, *point, *type, *options;
};

/* "36 35 98:0 / /mnt rw,noatime master:1 - ext4 /dev/root rw,errors=continue": blanks within fields
 * are escaped. */
static bool read_line(char *text, struct line *out)
{
	char *tail = strstr(text, " - "), *options = strrchr(text, ' '), *rest;
	int used = 0;

	if (!tail ||
	    sscanf(text, "%" SCNu64 " %" SCNu64 " %" SCNu32 ":%" SCNu32 " %n", &out->id, &out->parent,
	           &out->dev_major, &out->dev_minor, &used) != 4 ||
	    used == 0)
		return false;
	*tail = '\0';
	options[strcspn(options, "\n")] = '\0';
	out->options = options + 1;
	out->type = strtok_r(tail + strlen(" - "), " ", &rest);
	out->root = strtok_r(text + used, " ", &rest);
	out->point = strtok_r(NULL, " ", &rest);
	return out->point && out->type;
}

struct list {
	FILE *file;
	char *text;
	size_t room, total;
};

static int open_list(int proc, struct list *list, struct donjon_error *err)
{
	int fd = procfs_openat(proc, O_RDONLY, "thread-self/mountinfo");

	*list = (struct list){ .file = fd < 0 ? NULL : fdopen(fd, "re") };
	if (list->file)
		return 0;
	if (fd < 0)
		return dj_fail_os(err, -fd, "open mountinfo");
	dj_close(&fd);
	return dj_fail_os(err, errno, "open mountinfo");
}

static void close_list(struct list *list)
{
	(void)fclose(list->file); /* read only: nothing can be lost */
	free(list->text);
}

/* 1, or 0 at the end. */
static int next_line(struct list *list, struct line *out, struct donjon_error *err)
{
	ssize_t n = getline(&list->text, &list->room, list->file);

	if (n < 0)
		return ferror(list->file) ? dj_fail_os(err, errno, "read mountinfo") : 0;
	list->total += (size_t)n;
	if (list->total > MOUNTINFO_MAX)
		return dj_fail(err, DONJON_E_SYSTEM, "mountinfo is longer than %d bytes", MOUNTINFO_MAX);
	if (!read_line(list->text, out))
		return dj_fail(err, DONJON_E_SYSTEM, "mountinfo has a line nobody understands");
	return 1;
}

static int scan(struct list *list, uint64_t id, int fd, struct dj_arena *arena, struct mount_facts *out,
                struct donjon_error *err)
{
	struct line line;
	int r;

	while ((r = next_line(list, &line, err)) > 0) {
		if (line.parent == id && line.id != id)
			out->has_submounts = true;
		if (line.id != id)
			continue;
		out->options = dj_arena_strdup(arena, line.options);
		out->is_whole = is_whole(fd, line.root);
	}
	if (r < 0)
		return -1;
	return out->options ? 0
	                    : dj_fail(err, DONJON_E_SYSTEM, "mountinfo does not list the mount");
}

int mount_facts_scan(int proc, int fd, struct dj_arena *arena, struct mount_facts *out,
                     struct donjon_error *err)
{
	struct list list;
	uint64_t id;
	int r = sys_mount_id(fd, &id);

	*out = (struct mount_facts){ .options = NULL };
	if (r < 0)
		return dj_fail_os(err, -r, "read a mount's id");
	if (open_list(proc, &list, err) < 0)
		return -1;
	r = scan(&list, id, fd, arena, out, err);
	close_list(&list);
	return r;
}

/* "\\040" and the like, in place. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *at = text; *at; to++) {
		unsigned byte;

		if (*at == '\\' && sscanf(at, "\\%3o", &byte) == 1 && byte <= UCHAR_MAX) {
			*to = (char)byte;
			at += strlen("\\040");
		} else {
			*to = *at++;
		}
	}
	*to = '\0';
}

int mount_part_scan(int proc, int fd, struct dj_arena *arena, struct mount_part *out,
                    struct donjon_error *err)
{
	struct list list;
	struct line line;
	uint64_t id;
	int r = sys_mount_id(fd, &id);

	out->root = NULL;
	if (r < 0)
		return dj_fail_os(err, -r, "read a mount's id");
	if (open_list(proc, &list, err) < 0)
		return -1;
	while (!out->root && (r = next_line(&list, &line, err)) > 0) {
		if (line.id != id)
			continue;
		unescape(line.root);
		*out = (struct mount_part){ line.dev_major, line.dev_minor, dj_arena_strdup(arena, line.root) };
	}
	close_list(&list);
	if (r == 0)
		return dj_fail(err, DONJON_E_SYSTEM, "mountinfo does not list the mount");
	return r < 0 ? -1 : 0;
}

static void add_point(struct mount_points *points, char *point, struct dj_arena *arena)
{
	enum { FIRST = 64 };
	char **grown;

	/* Room is doubled when it is full, which it is at each power of two. */
	if (points->n >= FIRST ? (points->n & (points->n - 1)) == 0 : points->n == 0) {
		grown = dj_arena_array(arena, points->n ? 2 * points->n : FIRST, sizeof(*grown));
		if (points->n > 0)
			memcpy(grown, points->v, points->n * sizeof(*grown));
		points->v = grown;
	}
	unescape(point);
	points->v[points->n++] = dj_arena_strdup(arena, point);
}

int mount_point_of_type(int proc, const char *type, struct dj_arena *arena, char **out,
                        struct donjon_error *err)
{
	struct list list;
	struct line line;
	int r = 0;

	*out = NULL;
	if (open_list(proc, &list, err) < 0)
		return -1;
	while (!*out && (r = next_line(&list, &line, err)) > 0) {
		if (strcmp(line.type, type) != 0 || strcmp(line.root, "/") != 0)
			continue;
		unescape(line.point);
		*out = dj_arena_strdup(arena, line.point);
	}
	close_list(&list);
	return *out ? 0 : r;
}

int mount_points_scan(int proc, struct dj_arena *arena, struct mount_points *out,
                      struct donjon_error *err)
{
	struct list list;
	struct line line;
	int r;

	*out = (struct mount_points){ .n = 0 };
	if (open_list(proc, &list, err) < 0)
		return -1;
	while ((r = next_line(&list, &line, err)) > 0)
		add_point(out, line.point, arena);
	close_list(&list);
	return r;
}
