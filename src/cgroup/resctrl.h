/* Groups of resctrl: shares of the caches and of the memory bandwidth (contract P55-P57, F66).
 * Every path is a name below the directory that resctrl_open() proved to be one. */
#ifndef CGROUP_RESCTRL_H
#define CGROUP_RESCTRL_H

#include "base/error.h"
#include "plan/plan.h"

struct json_value;

/* Where a container is. */
struct resctrl_place {
	const char *group; /* a directory's name; "/": the root group */
	const char *id;    /* the container's, and the name of its monitoring group */
	bool made;         /* the group is removed with the container */
	bool monitored;    /* the monitoring group is there, and so is it */
};

/* The root of a resctrl file system, or -1; DONJON_E_UNSUPPORTED: there is none. */
int resctrl_open(struct donjon_error *err);
/* Against everybody else who changes something and asks, until the descriptor is closed. */
int resctrl_lock(int root, struct donjon_error *err);

/* Is what the plan wants in order, whether the group is there already or not?  Changes nothing. */
int resctrl_check(int root, const struct dj_plan *plan, bool *is_there, struct donjon_error *err);
/* Makes what is missing; what was made before a failure is resctrl_remove()'s. */
int resctrl_make(int root, const struct dj_plan *plan, bool is_there, struct donjon_error *err);
/* Nothing of it need be there.  A group with another name than the container's stays while somebody
 * is in it. */
int resctrl_remove(int root, const struct resctrl_place *place, struct donjon_error *err);

/* The files a process writes itself into, in this order: the group's and the monitoring group's (or
 * -1). */
enum { RESCTRL_TASKS = 2 };
int resctrl_open_tasks(int root, const struct resctrl_place *place, int out[static RESCTRL_TASKS],
                       struct donjon_error *err);

/* The directory whose `mon_data` is about the container, or -errno. */
int resctrl_open_data(int root, const struct resctrl_place *place);

/* All of the group's schemata, to be given back, and lines in the place of some of them. */
enum { RESCTRL_SCHEMATA_MAX = 16 * 1024 };
int resctrl_read(int root, const char *group, char out[static RESCTRL_SCHEMATA_MAX],
                 struct donjon_error *err);
int resctrl_write(int root, const char *group, const char *lines, struct donjon_error *err);

/* `intel_rdt` of the statistics, with runc's members (N8).  Free with json_free(). */
struct json_value *resctrl_stats(int root, const struct resctrl_place *place);

#endif
