#include "base/mountinfo.h"

#include "base/cleanup.h"
#include "base/procfs.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
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

static int ask(uint64_t id, uint64_t what, struct dj_arena *arena, struct sys_statmount **out)
{
	int r = -EOVERFLOW;

	for (size_t size = ANSWER_FIRST; r == -EOVERFLOW && size <= ANSWER_MAX; size *= 4) {
		*out = dj_arena_alloc(arena, size);
		r = sys_statmount(id, what, *out, size);
	}
	return r;
}

int mount_facts_ask(int fd, struct dj_arena *arena, struct mount_facts *out)
{
	const uint64_t what = SYS_STATMOUNT_MNT_ROOT | SYS_STATMOUNT_MNT_OPTS;
	struct sys_statmount *answer = NULL;
	uint64_t id = 0, below;
	int r = sys_mount_id_unique(fd, &id);

	if (r == 0)
		r = ask(id, what, arena, &answer);
	if (r < 0)
		return r;
	if ((answer->mask & what) != what)
		return -EOPNOTSUPP;
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

/* ---- found among all of them ---- */

struct line {
	uint64_t id, parent;
	const char *root, *options;
};

/* "36 35 98:0 / /mnt rw,noatime master:1 - ext4 /dev/root rw,errors=continue": blanks within fields
 * are escaped. */
static bool read_line(char *text, struct line *out)
{
	char *tail = strstr(text, " - "), *options = strrchr(text, ' ');
	int used = 0;

	if (!tail ||
	    sscanf(text, "%" SCNu64 " %" SCNu64 " %*s %n", &out->id, &out->parent, &used) != 2 ||
	    used == 0)
		return false;
	*tail = '\0';
	text[(size_t)used + strcspn(text + used, " ")] = '\0';
	options[strcspn(options, "\n")] = '\0';
	out->root = text + used;
	out->options = options + 1;
	return true;
}

static int scan(FILE *file, uint64_t id, int fd, struct dj_arena *arena, struct mount_facts *out,
                struct donjon_error *err)
{
	dj_auto_free char *text = NULL;
	size_t room = 0, total = 0;
	struct line line;
	ssize_t n;

	while ((n = getline(&text, &room, file)) >= 0) {
		total += (size_t)n;
		if (total > MOUNTINFO_MAX)
			return dj_fail(err, DONJON_E_SYSTEM, "mountinfo is longer than %d bytes",
			               MOUNTINFO_MAX);
		if (!read_line(text, &line))
			return dj_fail(err, DONJON_E_SYSTEM,
			               "mountinfo has a line nobody understands");
		if (line.parent == id && line.id != id)
			out->has_submounts = true;
		if (line.id != id)
			continue;
		out->options = dj_arena_strdup(arena, line.options);
		out->is_whole = is_whole(fd, line.root);
	}
	if (ferror(file))
		return dj_fail_os(err, errno, "read mountinfo");
	return out->options ? 0
	                    : dj_fail(err, DONJON_E_SYSTEM, "mountinfo does not list the mount");
}

int mount_facts_scan(int proc, int fd, struct dj_arena *arena, struct mount_facts *out,
                     struct donjon_error *err)
{
	uint64_t id;
	int r = sys_mount_id(fd, &id), list;
	FILE *file;

	*out = (struct mount_facts){ .options = NULL };
	if (r < 0)
		return dj_fail_os(err, -r, "read a mount's id");
	list = procfs_openat(proc, O_RDONLY, "thread-self/mountinfo");
	if (list < 0)
		return dj_fail_os(err, -list, "open mountinfo");
	file = fdopen(list, "re");
	if (!file) {
		dj_close(&list);
		return dj_fail_os(err, errno, "open mountinfo");
	}
	r = scan(file, id, fd, arena, out, err);
	(void)fclose(file); /* read only: nothing can be lost */
	return r;
}
