/* The read-back of what mounts were given as data: asked of the file system itself where it tells (its size,
 * its root), else of what the kernel lists as its options. */
#include "launch/verify_options.h"

#include "base/cleanup.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { OPTIONS_MAX = 1024 }; /* of a proc or a devpts: some ten short words */

struct look {
	const struct inside *s;
	const char *path;
	char listed[OPTIONS_MAX]; /* "rw,gid=5,mode=620" */
	bool is_listed;
};

/* 1: as planned, or nobody can tell; 0: not; -1 with errno. */
typedef int look_at(struct look *look, const char *value);

/* ---- what the kernel lists ---- */

static int ask_for_options(int fd, char out[OPTIONS_MAX])
{
	union {
		struct sys_statmount head;
		char room[sizeof(struct sys_statmount) + OPTIONS_MAX];
	} answer;
	uint64_t id;
	int r = sys_mount_id_unique(fd, &id);

	if (r == 0)
		r = sys_statmount(id, SYS_STATMOUNT_MNT_OPTS, &answer.head, sizeof(answer));
	if (r < 0 || !(answer.head.mask & SYS_STATMOUNT_MNT_OPTS))
		return -1;
	(void)snprintf(out, OPTIONS_MAX, "%s", answer.room + sizeof(answer.head) + answer.head.mnt_opts);
	return 0;
}

/* The last word of "36 35 98:0 / /mnt rw - proc proc rw,hidepid=invisible" for this mount. */
static bool take_line(char *line, uint64_t id, char out[OPTIONS_MAX])
{
	char *last = strrchr(line, ' ');

	if (!last || strtoull(line, NULL, 10) != id)
		return false;
	(void)snprintf(out, OPTIONS_MAX, "%s", last + 1);
	return true;
}

/* Line by line in a buffer that holds three paths, escaped; one that is longer is an overlay's. */
static bool find_line(int list, uint64_t id, char out[OPTIONS_MAX])
{
	static char buffer[8 * PATH_MAX];
	size_t used = 0;
	ssize_t n;

	while ((n = read(list, buffer + used, sizeof(buffer) - 1 - used)) > 0) {
		char *line = buffer, *end;

		used += (size_t)n;
		buffer[used] = '\0';
		for (; (end = strchr(line, '\n')); line = end + 1) {
			*end = '\0';
			if (take_line(line, id, out))
				return true;
		}
		used = strlen(line);
		memmove(buffer, line, used + 1);
		if (used == sizeof(buffer) - 1)
			used = 0;
	}
	return false;
}

/* Before Linux 6.11, or where a filter around us knows no statmount. */
static int find_options(const struct inside *s, int fd, char out[OPTIONS_MAX])
{
	dj_auto_close int list = s->proc >= 0 ? openat(s->proc, "self/mountinfo", O_RDONLY | O_CLOEXEC)
					      : open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	uint64_t id;

	return list >= 0 && sys_mount_id(fd, &id) == 0 && find_line(list, id, out) ? 0 : -1;
}

/* Without a procfs there is nobody to ask on old kernels: false. */
static bool list_options(struct look *look)
{
	dj_auto_close int fd = look->is_listed ? -1 : open(look->path, O_PATH | O_CLOEXEC);

	if (!look->is_listed && fd >= 0)
		look->is_listed = ask_for_options(fd, look->listed) == 0 ||
				  find_options(look->s, fd, look->listed) == 0;
	return look->is_listed;
}

/* The value of a listed option, up to the next comma; NULL: it is not there. */
static const char *listed(const struct look *look, const char *key)
{
	size_t n = strlen(key);

	for (const char *word = look->listed; *word; word += strcspn(word, ",")) {
		word += *word == ',';
		if (strncmp(word, key, n) == 0 && word[n] == '=')
			return word + n + 1;
	}
	return NULL;
}

static bool is_word(const char *at, const char *word)
{
	return at && strcspn(at, ",") == strlen(word) && strncmp(at, word, strlen(word)) == 0;
}

/* "2" and "0x2" mean the same as "invisible". */
static const char *hidepid_name(const char *value)
{
	static const char *const names[] = { "off", "noaccess", "invisible", NULL, "ptraceable" };
	char *end;
	unsigned long number = strtoul(value, &end, 0);

	return end != value && !*end && number < DJ_COUNT(names) && names[number] ? names[number] : value;
}

/* "off" is not listed. */
static int look_at_hidepid(struct look *look, const char *value)
{
	const char *name = hidepid_name(value);

	if (!list_options(look))
		return 1;
	return strcmp(name, "off") == 0 ? !listed(look, "hidepid") : is_word(listed(look, "hidepid"), name);
}

static int look_at_subset(struct look *look, const char *value)
{
	return !list_options(look) || is_word(listed(look, "subset"), value);
}

/* As an id of the initial user namespace, which need not be known here: it is there. */
static int look_at_group(struct look *look, const char *value)
{
	return strtoul(value, NULL, 0) == 0 || !list_options(look) || listed(look, "gid");
}

static int look_at_listed_mode(struct look *look, const char *key, const char *value)
{
	const char *at = list_options(look) ? listed(look, key) : NULL;

	if (!look->is_listed)
		return 1;
	return at && strtoul(at, NULL, 8) == strtoul(value, NULL, 8);
}

static int look_at_pty_mode(struct look *look, const char *value)
{
	return look_at_listed_mode(look, "mode", value);
}

static int look_at_ptmx_mode(struct look *look, const char *value)
{
	return look_at_listed_mode(look, "ptmxmode", value);
}

/* ---- what the file system tells ---- */

/* "64m" as the kernel reads it; false: "50%", or no number. */
static bool read_amount(const char *text, uint64_t *out)
{
	static const char units[] = "kmgtpe";
	const char *unit;
	char *end;

	*out = strtoull(text, &end, 0);
	unit = *end ? strchr(units, *end | 0x20) : NULL;
	if (unit)
		*out <<= 10 * (unit - units + 1);
	return end != text && (unit ? end[1] == '\0' : *end == '\0');
}

static bool read_share(const char *text, uint64_t *out)
{
	struct sysinfo host;
	char *end;
	uint64_t percent = strtoull(text, &end, 0);

	if (end == text || strcmp(end, "%") != 0 || sysinfo(&host) < 0)
		return false;
	*out = (uint64_t)host.totalram * host.mem_unit / 100 * percent + percent;
	return true;
}

/* A file system in memory that has no bound takes the host's (fs.tmp, fs.shm). */
static int look_at_size(struct look *look, const char *value)
{
	struct statfs fs;
	uint64_t want;

	if ((!read_amount(value, &want) && !read_share(value, &want)) || want == 0)
		return 1;
	if (statfs(look->path, &fs) < 0)
		return -1;
	return fs.f_blocks > 0 && fs.f_blocks - 1 <= (want - 1) / (uint64_t)fs.f_bsize;
}

static int look_at_blocks(struct look *look, const char *value)
{
	struct statfs fs;
	uint64_t want;

	if (!read_amount(value, &want) || want == 0)
		return 1;
	return statfs(look->path, &fs) < 0 ? -1 : fs.f_blocks > 0 && fs.f_blocks <= want;
}

static int look_at_inodes(struct look *look, const char *value)
{
	struct statfs fs;
	uint64_t want;

	if (!read_amount(value, &want) || want == 0)
		return 1;
	return statfs(look->path, &fs) < 0 ? -1 : fs.f_files > 0 && fs.f_files <= want;
}

/* No more than asked for: a hook may have taken some away. */
static int look_at_mode(struct look *look, const char *value)
{
	struct stat st;

	if (stat(look->path, &st) < 0)
		return -1;
	return (st.st_mode & 07777 & ~strtoul(value, NULL, 8)) == 0;
}

static int look_at_uid(struct look *look, const char *value)
{
	struct stat st;

	return stat(look->path, &st) < 0 ? -1 : st.st_uid == strtoul(value, NULL, 0);
}

static int look_at_gid(struct look *look, const char *value)
{
	struct stat st;

	return stat(look->path, &st) < 0 ? -1 : st.st_gid == strtoul(value, NULL, 0);
}

/* Ids are those of whoever made the file system: for what the outside makes, not ours. */
static const struct promise {
	const char *type, *key;
	look_at *holds;
	bool ours;
} promises[] = {
	{ "tmpfs", "size", look_at_size, false },
	{ "tmpfs", "nr_blocks", look_at_blocks, false },
	{ "tmpfs", "nr_inodes", look_at_inodes, false },
	{ "tmpfs", "mode", look_at_mode, false },
	{ "tmpfs", "uid", look_at_uid, true },
	{ "tmpfs", "gid", look_at_gid, true },
	{ "ramfs", "mode", look_at_mode, false },
	{ "proc", "hidepid", look_at_hidepid, false },
	{ "proc", "subset", look_at_subset, false },
	{ "proc", "gid", look_at_group, false },
	{ "devpts", "gid", look_at_group, false },
	{ "devpts", "mode", look_at_pty_mode, false },
	{ "devpts", "ptmxmode", look_at_ptmx_mode, false },
};

static const struct promise *promise_of(const struct dj_plan *plan, const struct plan_mount *mount,
					const char *option, size_t key)
{
	const char *type = plan_text(plan, mount->type);

	for (size_t i = 0; i < DJ_COUNT(promises); i++)
		if (strcmp(promises[i].type, type) == 0 && strlen(promises[i].key) == key &&
		    strncmp(promises[i].key, option, key) == 0)
			return promises[i].ours && mount->kind != PLAN_MOUNT_FS ? NULL : &promises[i];
	return NULL;
}

/* Both set how many blocks there are. */
static bool is_bound(const char *option)
{
	return strncmp(option, "size=", 5) == 0 || strncmp(option, "nr_blocks=", 10) == 0;
}

/* The last of several is the one in force. */
static bool is_said_again(const struct dj_plan *plan, const struct plan_mount *mount, uint32_t index, size_t key)
{
	const plan_str *data = plan_items(plan, mount->data, plan_str);
	const char *option = plan_text(plan, data[index]);

	for (uint32_t i = index + 1; i < mount->data.n; i++) {
		const char *later = plan_text(plan, data[i]);

		if (strncmp(later, option, key + 1) == 0 || (is_bound(option) && is_bound(later)))
			return true;
	}
	return false;
}

int verify_options(const struct inside *s, const struct plan_mount *mount, const char *path,
		   struct donjon_error *err)
{
	const plan_str *data = plan_items(s->plan, mount->data, plan_str);
	struct look look = { .s = s, .path = path, .is_listed = false };

	for (uint32_t i = 0; i < mount->data.n; i++) {
		const char *option = plan_text(s->plan, data[i]);
		size_t key = strcspn(option, "=");
		const struct promise *promise = option[key] ? promise_of(s->plan, mount, option, key) : NULL;
		int r;

		if (!promise || is_said_again(s->plan, mount, i, key))
			continue;
		r = promise->holds(&look, option + key + 1);
		if (r < 0)
			return dj_fail_os(err, errno, "read back mount %s", path);
		if (r == 0)
			return dj_fail(err, DONJON_E_VERIFY, "mount %s: its %s is not as planned", path, option);
	}
	return 0;
}
