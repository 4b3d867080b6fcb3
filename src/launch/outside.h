/* What donjon's own process knows during a launch, and its steps. */
#ifndef LAUNCH_OUTSIDE_H
#define LAUNCH_OUTSIDE_H

#include "launch/launch.h"
#include "launch/sources.h"
#include "launch/steps.h"
#include "launch/wire.h"

struct outside {
	const struct launch_request *request;
	const struct dj_plan *plan;
	int proc;       /* verified procfs (B06) */
	int stage_proc; /* of it, what goes into a running container: the stage's own directory */
	int plan_fd;    /* the plan, sealed */
	int stage;      /* the stage's program, sealed */
	int wire, child_wire;
	int namespaces[OCI_NS_COUNT]; /* joined ones, opened and verified */
	int root;       /* detached tree of the rootfs */
	char ladder;    /* how it got its owners inside (launch.h) */
	int outside_fs[SOURCES_OUTSIDE_FS_MAX]; /* API file systems of joined namespaces, detached */
	size_t next_outside_fs;
	int userns;     /* the container's user namespace, for id-mapped mounts */
	pid_t pid;
	int pidfd;
	int console;
	int status;       /* its /proc/PID/status, for verify_program() */
	uint32_t filters; /* as in struct launch */
};

int open_namespaces(struct outside *o, uint32_t row, struct donjon_error *err);
int open_rootfs(struct outside *o, uint32_t row, struct donjon_error *err);
int clone_stage(struct outside *o, uint32_t row, struct donjon_error *err);
int join_container(struct outside *o, uint32_t row, struct donjon_error *err);
int lend_procfs(struct outside *o, uint32_t row, struct donjon_error *err);
int write_id_maps(struct outside *o, uint32_t row, struct donjon_error *err);
int reset_scheduling(struct outside *o, uint32_t row, struct donjon_error *err);
int set_scheduler(struct outside *o, uint32_t row, struct donjon_error *err);
int set_oom_score(struct outside *o, uint32_t row, struct donjon_error *err);
int set_rlimits(struct outside *o, uint32_t row, struct donjon_error *err);
int map_rootfs(struct outside *o, uint32_t row, struct donjon_error *err);
int own_pipes(struct outside *o, uint32_t row, struct donjon_error *err);
int send_hand_over(struct outside *o, uint32_t row, struct donjon_error *err);
int serve_sources(struct outside *o, uint32_t row, struct donjon_error *err);
int hooks_runtime(struct outside *o, uint32_t row, struct donjon_error *err);
int send_hooks(struct outside *o, uint32_t row, struct donjon_error *err);
int receive_terminal(struct outside *o, uint32_t row, struct donjon_error *err);
int verify_outside(struct outside *o, uint32_t row, struct donjon_error *err);
int give_net_devices(struct outside *o, uint32_t row, struct donjon_error *err);

/* Helpers shared by those steps. */

/* Until something has come over the wire, or its end; a stage that somebody stops is continued. */
int outside_await(int wire, pid_t pid, int pidfd, struct donjon_error *err);
/* The last of the read-back, once nothing is on the wire any more: the program is under its filters. */
int verify_program(const struct launch *launch, struct donjon_error *err);
/* wire_receive() of what the stage will send. */
int outside_receive(const struct outside *o, enum wire_kind kind, uint32_t row, int *fds, size_t *n_fds,
		    struct donjon_error *err);
int outside_idmap_userns(struct outside *o, const struct oci_id_map *uids, size_t n_uids,
			 const struct oci_id_map *gids, size_t n_gids, struct donjon_error *err);
void outside_note(const struct outside *o, const char *check, const char *fmt, ...) DJ_PRINTF(3, 4);

/* In the child between clone3 and the stage; never returns. */
struct child_args {
	const struct dj_plan *plan;
	int wire, stage;
	int parent_wire;     /* the other end: ours by fork, to be closed or no end-of-file ever comes */
	const int *cgroup_tasks;
	size_t n_cgroup_tasks;
	const int *rdt_tasks;
	size_t n_rdt_tasks;
	bool wait_for_maps;  /* a user namespace is being set up for us */
	bool new_cgroup_ns;
	int proc;            /* procfs: of the runtime's pid namespace, which has the child, too */
};
_Noreturn void child_main(const struct child_args *args);

/* The stage as a child of ours, made by a helper that has entered namespaces nobody can leave, or was
 * placed in a cgroup that we cannot enter. */
struct outside_helper {
	/* In the helper: only plain system calls. */
	int (*enter)(struct outside *o, const struct child_args *child, struct donjon_error *err);
	uint64_t flags;               /* new namespaces of the stage */
	int own_cgroup, stage_cgroup; /* v2 cgroups the two are born in, or -1: the parent's; without `place` */
};
int outside_clone_by_helper(struct outside *o, const struct outside_helper *how,
			    const struct child_args *child, struct donjon_error *err);

/* For children of this process, with the plan's offsets. */
int outside_new_time_namespace(const struct dj_plan *plan, int proc, struct donjon_error *err);

/* CLONE_NEW* of a kind of namespace. */
int outside_ns_flag(enum oci_ns ns);
/* Back to SCHED_OTHER, where that is allowed (T59); 0: the calling process. */
int outside_reset_policy(pid_t pid, struct donjon_error *err);
/* Writes the process into every v1 cgroup; to be called by the process itself. */
int child_join_cgroups(const struct child_args *args, struct donjon_error *err);

#endif
