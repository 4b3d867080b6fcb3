/* struct oci_spec (validated, hardened) -> struct dj_plan.  Pure: all facts come in as data. */
#ifndef PLAN_BUILD_H
#define PLAN_BUILD_H

#include "base/arena.h"
#include "base/host.h"
#include "plan/plan.h"
#include "policy/policy.h"

/* What is known of the running container that a process joins. */
struct plan_container {
	const char *cgroup_path;  /* as recorded at create; "": it has none */
	const char *cgroup_below[HOST_CGROUP_V1_MAX + 1]; /* sub-cgroup in each hierarchy of the host, "" or
							   * NULL: none; the v2 tree's comes after the v1 ones */
	bool setgroups_denied;    /* in its user namespace */
	uint64_t namespaces[OCI_NS_COUNT]; /* inodes */
};

#define PLAN_NOTIFY "/run/notify"

struct plan_input {
	const char *id;
	const char *bundle, *rootfs; /* absolute; rootfs is the directory to become "/" */
	const char *notify; /* directory to be seen at PLAN_NOTIFY; NULL: none */
	const struct oci_spec *spec;
	const struct policy_settings *settings;
	const struct policy_request *judged; /* the files whose names were judged; NULL: none was */
	const struct host_facts *host;
	bool no_pivot, no_new_keyring, cgroups_disabled, systemd_cgroup;
	bool die_with_parent; /* SIGKILL when the process that started it ends */
	uint32_t preserve_fds;
	/* Set: spec->process joins this container, whose namespaces spec->linux.namespaces names by path. */
	const struct plan_container *container;
};

/* The plan lives in the arena.  May add to *notes what could not be had (unmapped, unavailable). */
int plan_build(const struct plan_input *in, struct dj_arena *arena, struct dj_plan **out,
	       struct policy_result *record, struct donjon_error *err);

/* The plan as stable, readable text, one fact a line (golden tests, --dry-run). */
char *plan_dump(const struct dj_plan *plan, struct dj_arena *arena);
/* The same as a JSON document. */
char *plan_dump_json(const struct dj_plan *plan, struct dj_arena *arena);

#endif
