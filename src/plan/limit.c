#include "plan/limit.h"

#include "plan/resources.h"

#include <inttypes.h>
#include <string.h>

bool plan_controller_listed(const char *list, const char *controller)
{
	size_t len = strlen(controller);

	while (*list) {
		size_t word = strcspn(list, " ,");

		if (word == len && strncmp(list, controller, len) == 0)
			return true;
		list += word + (list[word] != '\0');
	}
	return false;
}

int plan_v1_hierarchy(const struct host_facts *host, const char *controller)
{
	for (size_t i = 0; i < host->n_v1; i++) {
		if (plan_controller_listed(host->v1[i].controllers, controller))
			return (int)i;
	}
	return -1;
}

enum limit_place limit_locate(const struct host_facts *host, const char *controller)
{
	const char *v2_name = strcmp(controller, "blkio") == 0 ? "io" : controller;

	if (plan_v1_hierarchy(host, controller) >= 0)
		return LIMIT_ON_V1;
	return plan_controller_listed(host->v2_controllers, v2_name) ? LIMIT_ON_V2 : LIMIT_NOWHERE;
}

void limit_append(struct limit_writer *w, const char *controller, const char *pointer, const char *file,
		  const char *value, unsigned flags)
{
	if (w->n == w->room) {
		struct plan_cgroup_write *grown;

		w->room = w->room ? w->room * 2 : 16;
		grown = dj_arena_array(w->block->arena, w->room, sizeof(*grown));
		if (w->n)
			memcpy(grown, w->v, w->n * sizeof(*grown));
		w->v = grown;
	}
	w->v[w->n++] = (struct plan_cgroup_write){
		.controller = plan_add_text(w->block, controller),
		.file = plan_add_text(w->block, file),
		.value = plan_add_text(w->block, value),
		.pointer = plan_add_text(w->block, pointer),
		.optional = flags & LIMIT_OURS,
		.ignore_missing = flags & LIMIT_IF_EXISTS,
	};
}

/* Sets *place; LIMIT_NOWHERE without an error means that there is nothing to write.  What we added
 * ourselves is written where v1 would have it and recorded as unavailable when that fails. */
static int find_place(struct limit_writer *w, const char *controller, const char *pointer, unsigned flags,
		      enum limit_place *place)
{
	*place = limit_locate(w->host, controller);
	if (*place != LIMIT_NOWHERE || (flags & LIMIT_IF_EXISTS))
		return 0;
	if (flags & LIMIT_OURS) {
		*place = LIMIT_ON_V1;
		return 0;
	}
	return dj_fail(w->err, DONJON_E_UNSUPPORTED,
		       "%s: the %s controller is not available on this host", pointer, controller);
}

static int no_v2_file(struct limit_writer *w, const char *pointer)
{
	return dj_fail(w->err, DONJON_E_CONFIG, "%s: cgroup v2 has no such setting", pointer);
}

int limit_put(struct limit_writer *w, const struct limit_setting *s, unsigned flags, const char *v1_value,
	      const char *v2_value)
{
	enum limit_place place;

	if (find_place(w, s->controller, s->pointer, flags, &place) < 0)
		return -1;
	if (place == LIMIT_ON_V1)
		limit_append(w, s->controller, s->pointer, s->v1_file, v1_value, flags);
	if (place == LIMIT_ON_V2 && !s->v2_file)
		return no_v2_file(w, s->pointer);
	if (place == LIMIT_ON_V2)
		limit_append(w, "", s->pointer, s->v2_file, v2_value, flags);
	return 0;
}

const char *limit_number(struct limit_writer *w, int64_t value)
{
	return dj_arena_printf(w->block->arena, "%" PRId64, value);
}

const char *limit_unsigned(struct limit_writer *w, uint64_t value)
{
	return dj_arena_printf(w->block->arena, "%" PRIu64, value);
}

const char *limit_indexed(struct limit_writer *w, const char *list, size_t i)
{
	return dj_arena_printf(w->block->arena, LIMIT_POINTER "%s[%zu]", list, i);
}

int limit_invalid(struct limit_writer *w, const char *pointer, const char *reason)
{
	return dj_fail(w->err, DONJON_E_CONFIG, "%s: %s", pointer, reason);
}

int limit_put_bytes(struct limit_writer *w, const struct limit_setting *s, unsigned flags, int64_t value)
{
	if (value < 0)
		return limit_put(w, s, flags | LIMIT_IF_EXISTS, "-1", "max");
	return limit_put(w, s, flags, limit_number(w, value), limit_number(w, value));
}
