/* struct oci_spec (validated, hardened) -> struct dj_plan.  Pure: all facts come in as data. */
#ifndef PLAN_BUILD_H
#define PLAN_BUILD_H

#include "base/arena.h"
#include "base/host.h"
#include "plan/plan.h"
#include "policy/policy.h"

struct plan_input {
	const char *id;
	const char *bundle, *rootfs; /* absolute; rootfs is the directory to become "/" */
	const struct oci_spec *spec;
	const struct policy_settings *settings;
	const struct host_facts *host;
	bool no_pivot, no_new_keyring, cgroups_disabled, systemd_cgroup;
	bool die_with_parent; /* SIGKILL when the process that started it ends */
	uint32_t preserve_fds;
};

/* The plan lives in the arena.  May add to *notes what could not be had (unmapped, unavailable). */
int plan_build(const struct plan_input *in, struct dj_arena *arena, struct dj_plan **out,
	       struct policy_result *record, struct donjon_error *err);

/* The plan as stable, readable text, one fact a line (golden tests, --dry-run). */
char *plan_dump(const struct dj_plan *plan, struct dj_arena *arena);
/* The same as a JSON document. */
char *plan_dump_json(const struct dj_plan *plan, struct dj_arena *arena);

#endif
