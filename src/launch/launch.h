/*
 * The privileged part, seen from outside: starts donjon-stage in its namespaces and walks the
 * launch table (steps.h) with it.  Needs only src/base and the plan.
 */
#ifndef LAUNCH_LAUNCH_H
#define LAUNCH_LAUNCH_H

#include "base/error.h"
#include "plan/plan.h"

#include <stddef.h>
#include <sys/types.h>

/* Are the programs of package uidmap here, which write maps for callers without the right to do it? */
bool launch_may_map_granted_ids(void);

struct launch_request {
	const struct dj_plan *plan;
	int cgroup_v2;           /* directory for CLONE_INTO_CGROUP, or -1 */
	const int *cgroup_tasks; /* v1 `tasks` files open for writing; entries may be -1 */
	size_t n_cgroup_tasks;
	const int *rdt_tasks; /* the same of a group of resctrl and its monitoring group */
	size_t n_rdt_tasks;
	/* Puts one of our processes into that directory where the kernel would not let us; NULL: it lets us. */
	int (*place)(void *data, pid_t pid, struct donjon_error *err);
	int container_pidfd;     /* plan->joins: of a process that is in the container's namespaces */
	int gate;                /* listening Unix socket `start` connects to; -1: started by launch_start() */

	/* Called between "namespaces ready" and "hooks done" with the container's pid, so that the
	 * engine can write the state and run prestart and createRuntime hooks (J11). May be NULL. */
	int (*namespaces_ready)(void *data, pid_t pid, struct donjon_error *err);
	/* Called for each control or mount that is weaker than asked for but allowed (ladder (d),
	 * unmapped volumes, key quota): recorded in the state. */
	void (*note)(void *data, const char *check, const char *text);
	void *data;
};

struct launch {
	pid_t pid;
	int pidfd;
	int wire;    /* our end of the stage's socket, or -1 once it is gone */
	int console; /* master of the container's terminal (plan->terminal), or -1; the caller takes it */
	int lent;    /* the procfs of who joins, or -1: to end such a mount takes 0.1 ms, and its last user
	              * waits for it, so that is us while the program starts */
	/* How the root filesystem got its owners in the user namespace, as a step of design.md §3:
	 * 'a' by the config, 'b' id-mapped, 'c' an overlay rebuilt from id-mapped layers, 'd' not at
	 * all; 0: there is none. */
	char ladder;
	int status;       /* /proc/PID/status of a process with filters, or -1 */
	uint32_t filters; /* how many the program is to be under, inherited ones included; 0: none of ours */
};
#define LAUNCH_EMPTY { .pid = 0, .pidfd = -1, .wire = -1, .console = -1, .lent = -1, .status = -1 }

/* Up to and including the read-back: when it returns 0 the container is created and waits.  On
 * failure the stage is dead and reaped and nothing of the launch is left. */
int launch_create(const struct launch_request *request, struct launch *out, struct donjon_error *err);

/* After launch_create() with a gate, once the state is written: the container no longer depends on
 * this process.  Until then the death of this process ends it (R10, T71). */
int launch_release(struct launch *launch, struct donjon_error *err);

/* What becomes of the listener of a filter that notifies; give NULL: no filter does.  Until it returns 0
 * the program does not start; afterwards the agent may have to answer for the execve, for which it has
 * ten seconds. */
struct launch_listener {
	int (*give)(void *data, int fd, struct donjon_error *err);
	void *data;
};

/* Lets a container of this process (request.gate == -1) run; returns when the workload's execve
 * succeeded, or with the reason why it did not (DONJON_E_EXEC; the stage is dead then). */
int launch_start(struct launch *launch, const struct launch_listener *listener, struct donjon_error *err);

/* The same for a container made by another process: connects to <state dir>/gate.  `filters`: what
 * launch_create() found. */
int launch_start_gate(int state_dir_fd, pid_t pid, int pidfd, uint32_t filters,
		      const struct launch_listener *listener, struct donjon_error *err);

/* Ends and reaps the process of a launch that is not to stay; nothing where there is none. */
void launch_abort(struct launch *launch);
void launch_done(struct launch *launch);

/* Runs one host-side hook with the state JSON on its stdin (H and J rows). `plan_hook` strings are
 * in `plan`. */
int hook_run(const struct dj_plan *plan, const struct plan_hook *hook, const char *state_json,
	     const char *cwd, struct donjon_error *err);

/* The launch table's rows that this plan would run, one a line: "out  clone  make the namespaces". */
void launch_describe(const struct dj_plan *plan,
		     void (*row)(void *data, const char *side, const char *name, const char *what),
		     void *data);

#endif
