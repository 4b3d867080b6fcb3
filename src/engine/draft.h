/*
 * A container that is decided but not made: bundle -> decode -> validate -> harden -> plan.
 * Nothing here changes the host, so `--dry-run` is this and no more.
 */
#ifndef ENGINE_DRAFT_H
#define ENGINE_DRAFT_H

#include "base/arena.h"
#include "base/host.h"
#include "engine/runtime.h"
#include "plan/plan.h"
#include "policy/policy.h"

struct draft {
	struct dj_arena arena; /* owns every string below */
	const char *id;
	char *bundle, *rootfs; /* absolute */
	char *config;          /* the bytes of config.json, malloc'ed; a sandbox's own, or NULL */
	size_t config_size;
	char *seccomp; /* the same of --seccomp's file */
	size_t seccomp_size;
	char *notify; /* the directory of the notification socket (engine/notify.h), or NULL */
	bool die_with_parent; /* a sandbox is gone with the process that runs it */
	struct oci_spec spec;
	struct host_facts host;
	struct policy_request request;
	struct policy_result policy;
	int userns; /* what request.joined_userns is a path to, or -1; open until the launch */
	struct dj_plan *plan;
};

/* What a caller gave, in this version's shape; preserve_fds counts listen_fds, too. */
struct donjon_create_options draft_options(const struct donjon_create_options *options);

/* Bundle to checked spec; also what the host is and what is asked of the policy. */
int draft_load(struct draft *draft, const struct donjon_runtime *runtime,
               const struct donjon_create_options *options, struct donjon_error *err);

/* draft->seccomp takes the place of the configuration's profile. */
int draft_decode_seccomp(struct draft *draft, struct donjon_error *err);

/* Absolute and clean; relative paths start at `base`, or at the working directory if NULL. */
char *draft_absolute(struct draft *draft, const char *base, const char *path,
                     struct donjon_error *err);
/* The rootfs must be a directory that is not "/" (T15). */
int draft_check_rootfs(const struct draft *draft, struct donjon_error *err);

/* False only where it is sure that no level but none can be in force. */
bool draft_may_be_hardened(const struct draft *draft);
/* May the policy make a user namespace, so that it needs an id range? */
bool draft_wants_range(const struct draft *draft);

/* Spec to plan.  DONJON_E_REFUSED leaves draft->policy complete for printing. */
int draft_decide(struct draft *draft, const struct donjon_runtime *runtime,
                 const struct donjon_create_options *options, struct donjon_error *err);

/* A control that is weaker than it could be: shown by `state`. */
void draft_note(struct draft *draft, const char *check, const char *text);

void draft_done(struct draft *draft);

#endif
