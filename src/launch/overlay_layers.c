#include "launch/overlay_layers.h"

#include "base/cleanup.h"
#include "base/overlay_names.h"
#include "launch/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static int open_name(const char *path, const struct file_identity *judged, const char *pointer,
		     struct donjon_error *err)
{
	int fd;

	if (judged->unseen)
		return source_open_unseen(path, O_DIRECTORY, pointer, err);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? dj_fail_os(err, errno, "%s.options: open the layer %s", pointer, path) : fd;
}

/* The descriptor stays with `layers`. */
static int open_layer(const struct dj_plan *plan, const struct plan_mount *mount, const char *path,
		      struct overlay_layers *layers, struct donjon_error *err)
{
	const struct file_identity *judged = plan_items(plan, mount->layers, struct file_identity);
	const char *pointer = plan_text(plan, mount->pointer);
	dj_auto_close int fd = -1;

	if (layers->n == mount->layers.n || layers->n == OVERLAY_HELD_MAX)
		return dj_fail(err, DONJON_E_CONFIG, "%s.options: too many layers", pointer);
	fd = open_name(path, &judged[layers->n], pointer, err);
	if (fd < 0 || source_check_judged(fd, &judged[layers->n], pointer, path, err) < 0)
		return -1;
	return layers->fds[layers->n++] = dj_take_fd(&fd);
}

const char *overlay_layers_open(const struct dj_plan *plan, const struct plan_mount *mount, const char *option,
				struct overlay_layers *layers, char text[OVERLAY_OPTION_SIZE],
				struct donjon_error *err)
{
	struct overlay_names names;
	char path[PATH_MAX];
	size_t used;
	int r;

	if (mount->layers.n == 0 || !overlay_names_of(option, &names))
		return option;
	used = (size_t)snprintf(text, OVERLAY_OPTION_SIZE, "%.*s", (int)(names.rest - option), option);
	while ((r = overlay_names_next(&names, path)) > 0) {
		int fd = open_layer(plan, mount, path, layers, err);

		if (fd < 0)
			return NULL;
		used += (size_t)snprintf(text + used, OVERLAY_OPTION_SIZE - used, "/proc/self/fd/%d%.*s", fd,
					 (int)names.colons, "::");
	}
	if (r < 0)
		(void)dj_fail_os(err, -r, "%s.options: %.64s", plan_text(plan, mount->pointer), option);
	return r < 0 ? NULL : text;
}

void overlay_layers_close(struct overlay_layers *layers)
{
	while (layers->n > 0)
		dj_close(&layers->fds[--layers->n]);
}
