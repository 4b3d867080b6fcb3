/* All containers of a root directory. */
#include "base/cleanup.h"
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_container_name(const char *name)
{
	struct donjon_error ignored = { 0 };

	return store_check_id(name, &ignored) == 0;
}

struct names {
	char **v;
	size_t n, room;
};

static void append(struct names *names, struct dj_arena *arena, const char *name)
{
	if (names->n == names->room) {
		size_t room = names->room ? 2 * names->room : 64;
		char **v = dj_arena_array(arena, room, sizeof(*v));

		if (names->n > 0)
			memcpy(v, names->v, names->n * sizeof(*v));
		names->v = v;
		names->room = room;
	}
	names->v[names->n++] = dj_arena_strdup(arena, name);
}

int store_list(struct store *store, struct dj_arena *arena, char ***ids, size_t *n,
               struct donjon_error *err)
{
	int copy = openat(store->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct names names = { 0 };
	const struct dirent *entry;

	if (!dir) {
		int os = errno;

		dj_cleanup_close(&copy);
		return dj_fail_os(err, os, "read state directory %s", store->root);
	}
	while ((entry = readdir(dir)))
		if (is_container_name(entry->d_name))
			append(&names, arena, entry->d_name);
	(void)closedir(dir); /* read only: nothing can be lost */
	if (names.n > 0)
		qsort(names.v, names.n, sizeof(*names.v), by_name);
	*ids = names.v;
	*n = names.n;
	return 0;
}
