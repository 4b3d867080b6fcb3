#include "engine/rdt.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "wrap/json.h"

#include <string.h>

static struct resctrl_place place_of(const struct store_record *record)
{
	return (struct resctrl_place){
		.group = record->rdt_group,
		.id = record->id,
		.made = record->rdt_made,
		.monitored = record->rdt_monitored,
	};
}

static bool has_group(const struct store_record *record)
{
	return record->rdt_group[0] != '\0';
}

static int open_locked(struct donjon_error *err)
{
	dj_auto_close int root = resctrl_open(err);

	return root < 0 || resctrl_lock(root, err) < 0 ? -1 : dj_take_fd(&root);
}

/* Recorded before it is made, and under the lock that nobody has made it: whatever happens from
 * here on, `delete --force` removes ours and nobody else's (T71). */
static int record_group(struct creation *c, bool is_there, struct donjon_error *err)
{
	const struct dj_plan *plan = c->draft->plan;

	c->record.rdt_group = dj_arena_strdup(&c->draft->arena, plan_text(plan, plan->rdt_group));
	c->record.rdt_made = !is_there;
	c->record.rdt_monitored = plan->rdt_monitoring;
	return store_write(c->dir, &c->record, err);
}

int rdt_create(struct creation *c, struct donjon_error *err)
{
	const struct dj_plan *plan = c->draft->plan;
	dj_auto_close int root = -1;
	struct resctrl_place place;
	bool is_there;

	if (!plan->rdt_group)
		return 0;
	root = open_locked(err);
	if (root < 0 || resctrl_check(root, plan, &is_there, err) < 0 ||
	    record_group(c, is_there, err) < 0 || resctrl_make(root, plan, is_there, err) < 0)
		return -1;
	place = place_of(&c->record);
	return resctrl_open_tasks(root, &place, c->rdt_tasks, err);
}

void rdt_settle(const struct dj_plan *plan, struct store_record *record)
{
	record->rdt_made = record->rdt_made && !plan->rdt_named;
}

int rdt_destroy(const struct store_record *record, struct donjon_error *err)
{
	const struct resctrl_place place = place_of(record);
	dj_auto_close int root = -1;

	if (!place.made && !place.monitored)
		return 0;
	root = open_locked(err);
	if (root < 0 && err->code == DONJON_E_UNSUPPORTED) {
		dj_error_clear(err); /* groups end with the mount */
		return 0;
	}
	return root < 0 ? -1 : resctrl_remove(root, &place, err);
}

int rdt_join(struct joining *j, struct donjon_error *err)
{
	const struct resctrl_place place = place_of(&j->container.record);
	dj_auto_close int root = -1;

	if (!has_group(&j->container.record))
		return 0;
	root = resctrl_open(err);
	return root < 0 ? -1 : resctrl_open_tasks(root, &place, j->rdt_tasks, err);
}

/* ---- while it runs ---- */

int rdt_update(const struct store_record *record, const char *lines, char *before,
               struct donjon_error *err)
{
	dj_auto_close int root = -1;

	if (!has_group(record))
		return dj_fail(err, DONJON_E_UNSUPPORTED,
		               "linux.intelRdt: the container has no RDT group");
	if (strcmp(record->rdt_group, "/") == 0)
		return dj_fail(err, DONJON_E_UNSUPPORTED,
		               "linux.intelRdt: the container is in the root group, whose schemata "
		               "are the host's");
	root = open_locked(err);
	if (root < 0 || resctrl_read(root, record->rdt_group, before, err) < 0)
		return -1;
	return resctrl_write(root, record->rdt_group, lines, err);
}

void rdt_restore(const struct store_record *record, const char *before)
{
	struct donjon_error why = { 0 };
	dj_auto_close int root = open_locked(&why);

	if (root < 0 || resctrl_write(root, record->rdt_group, before, &why) < 0)
		log_warning("container %s: %s", record->id, why.text);
}

struct json_value *rdt_stats(const struct store_record *record)
{
	const struct resctrl_place place = place_of(record);
	struct donjon_error gone = { 0 };
	dj_auto_close int root = has_group(record) ? resctrl_open(&gone) : -1;

	return root < 0 ? json_new_object() : resctrl_stats(root, &place);
}
