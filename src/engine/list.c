/* All containers. */
#include "engine/container.h"
#include "engine/state.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "wrap/json.h"

#include <stddef.h>
#include <string.h>

/* Calls `visit` for all that can be read; the others are skipped with a warning (N4). */
static int for_each(const struct donjon_runtime *runtime, struct dj_arena *arena,
                    void (*visit)(void *data, const struct store_record *record,
                                  enum store_status status),
                    void *data, struct donjon_error *err)
{
	struct store store = STORE_EMPTY;
	struct observer observer = { 0 };
	char **ids;
	size_t n;
	int r = -1;

	if (runtime_open_store(runtime, false, &store, err) < 0) {
		if (err->code != DONJON_E_NOT_FOUND)
			return -1;
		dj_error_clear(err); /* nothing was ever created */
		return 0;
	}
	if (observer_init(&observer, err) < 0 || store_list(&store, arena, &ids, &n, err) < 0)
		goto out;
	for (size_t i = 0; i < n; i++) {
		struct donjon_error why = { 0 };
		struct store_record record;
		dj_auto_close int dir = store_enter(&store, ids[i], &why);
		int status = -1;

		if (dir >= 0 && store_read(dir, arena, &record, &why) == 0)
			status = record_status(&record, dir, &observer, &why);
		if (status < 0)
			log_warning("container %s is skipped: %s", ids[i], why.text);
		else
			visit(data, &record, (enum store_status)status);
	}
	r = 0;
out:
	observer_done(&observer);
	store_close(&store);
	return r;
}

/* What a caller gets is the middle of this. */
struct listing {
	struct dj_arena arena;
	struct donjon_container_info v[];
};

struct collector {
	struct dj_arena arena;
	struct donjon_container_info *v;
	size_t n, room;
};

static void collect(void *data, const struct store_record *record, enum store_status status)
{
	struct collector *c = data;
	char owner[64];

	if (c->n == c->room) {
		size_t room = c->room ? 2 * c->room : 64;
		struct donjon_container_info *v = dj_arena_array(&c->arena, room, sizeof(*v));

		if (c->n > 0)
			memcpy(v, c->v, c->n * sizeof(*v));
		c->v = v;
		c->room = room;
	}
	c->v[c->n++] = (struct donjon_container_info){
		.id = record->id,
		.status = store_status_name(status),
		.bundle = record->bundle,
		.rootfs = record->rootfs,
		.created = record->created,
		.owner = dj_arena_strdup(&c->arena, state_owner(record->owner, owner)),
		.pid = status == STORE_STOPPED ? 0 : record->pid,
	};
}

int donjon_container_list(struct donjon_runtime *runtime, struct donjon_container_info **out,
                          size_t *n, struct donjon_error *err)
{
	struct collector c = { 0 };
	struct listing *listing;

	if (for_each(runtime, &c.arena, collect, &c, err) < 0) {
		dj_arena_done(&c.arena);
		return -1;
	}
	listing = malloc(sizeof(*listing) + c.n * sizeof(*c.v));
	if (!listing) {
		dj_arena_done(&c.arena);
		return dj_fail(err, DONJON_E_SYSTEM, "list containers: out of memory");
	}
	listing->arena = c.arena;
	if (c.n > 0)
		memcpy(listing->v, c.v, c.n * sizeof(*c.v));
	*out = listing->v;
	*n = c.n;
	return 0;
}

void donjon_list_free(struct donjon_container_info *list)
{
	struct listing *listing;

	if (!list)
		return;
	listing = (struct listing *)(void *)((char *)list - offsetof(struct listing, v));
	dj_arena_done(&listing->arena);
	free(listing);
}

static void add_state(void *data, const struct store_record *record, enum store_status status)
{
	json_push(data, state_value(record, status));
}

int donjon_container_list_json(struct donjon_runtime *runtime, char **json,
                               struct donjon_error *err)
{
	dj_auto_arena struct dj_arena arena = { 0 };
	struct json_value *array = json_new_array();
	int r = for_each(runtime, &arena, add_state, array, err);

	if (r == 0)
		*json = json_print(array, true);
	json_free(array);
	return r;
}
