#include "launch/steps.h"

#include "launch/inside.h"
#include "launch/outside.h"
#include "launch/scheduling.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* This file is compiled twice: for donjon, where only the outside functions exist, and with
 * DONJON_STAGE for the helper, where only the inside ones do.  Both get the same rows. */
#ifdef DONJON_STAGE
#define OUT(function) NULL
#define IN(function) (function)
#else
#define OUT(function) (function)
#define IN(function) NULL
#endif

static bool has_hook(const struct dj_plan *plan, enum oci_hook_kind kind)
{
	const struct plan_hook *hooks = plan_items(plan, plan->hooks, struct plan_hook);

	for (uint32_t i = 0; i < plan->hooks.n; i++)
		if (hooks[i].kind == kind)
			return true;
	return false;
}

static bool is_new(const struct dj_plan *plan, enum oci_ns ns)
{
	return plan->ns[ns].kind == PLAN_NS_NEW;
}

static bool joins_namespaces(const struct dj_plan *plan)
{
	if (plan->joins)
		return false; /* all at once, by the pidfd of one who is in them */
	for (size_t i = 0; i < OCI_NS_COUNT; i++)
		if (plan->ns[i].kind == PLAN_NS_JOIN)
			return true;
	return false;
}

/* A process that joins a running container finds all of it made. */
static bool joins(const struct dj_plan *plan) { return plan->joins; }
static bool makes_container(const struct dj_plan *plan) { return !plan->joins; }
static bool wants_id_maps(const struct dj_plan *plan) { return is_new(plan, OCI_NS_USER); }
static bool wants_mapping(const struct dj_plan *plan) { return !plan->joins && plan->ns[OCI_NS_USER].kind != PLAN_NS_HOST; }
static bool wants_cgroup_ns(const struct dj_plan *plan) { return is_new(plan, OCI_NS_CGROUP); }
static bool wants_time_ns(const struct dj_plan *plan) { return plan->time_ns_inside; }
static bool wants_devices(const struct dj_plan *plan) { return plan->devices.n > 0; }
static bool wants_hostname(const struct dj_plan *plan) { return is_new(plan, OCI_NS_UTS) && (plan->hostname || plan->domainname); }
static bool wants_joined_mounts(const struct dj_plan *plan) { return !plan->joins && plan->ns[OCI_NS_MOUNT].kind == PLAN_NS_JOIN; }
static bool wants_loopback(const struct dj_plan *plan) { return is_new(plan, OCI_NS_NETWORK); }
/* createContainer hooks may ask for the state, too, and their failure is one that poststop hooks see. */
static bool wants_runtime_hooks(const struct dj_plan *plan)
{
	return has_hook(plan, OCI_HOOK_PRESTART) || has_hook(plan, OCI_HOOK_CREATE_RUNTIME) ||
	       has_hook(plan, OCI_HOOK_CREATE_CONTAINER);
}
static bool wants_create_hooks(const struct dj_plan *plan) { return has_hook(plan, OCI_HOOK_CREATE_CONTAINER); }
static bool wants_start_hooks(const struct dj_plan *plan) { return has_hook(plan, OCI_HOOK_START_CONTAINER); }
static bool wants_sysctls(const struct dj_plan *plan) { return plan->sysctls.n > 0; }
static bool wants_userns_limit(const struct dj_plan *plan) { return plan->userns_limit; }
static bool wants_readonly_paths(const struct dj_plan *plan) { return plan->readonly.n > 0; }
static bool wants_masks(const struct dj_plan *plan) { return plan->masked.n > 0; }
static bool wants_readonly_root(const struct dj_plan *plan) { return plan->rootfs_readonly; }
static bool wants_terminal(const struct dj_plan *plan) { return plan->terminal; }
static bool lacks_terminal(const struct dj_plan *plan) { return !plan->terminal; }
static bool wants_keyring(const struct dj_plan *plan) { return plan->new_keyring; }
static bool wants_volatile(const struct dj_plan *plan) { return plan->rootfs_volatile; }
static bool wants_readback(const struct dj_plan *plan)
{
	return plan->mounts.n || plan->masked.n || plan->readonly.n || plan->rootfs_readonly;
}
static bool wants_rlimits(const struct dj_plan *plan) { return plan->rlimits.n > 0; }
/* Who joins sets its own, on the way in. */
static bool wants_oom_score(const struct dj_plan *plan) { return plan->oom_score_adj_set && !plan->joins; }
static bool wants_pipes(const struct dj_plan *plan) { return plan->chown_pipes && !plan->terminal; }
static bool wants_label(const struct dj_plan *plan) { return plan->apparmor || plan->selinux; }
static bool wants_net_devices(const struct dj_plan *plan) { return makes_container(plan) && plan->net_devices.n > 0; }
static bool wants_filter(const struct dj_plan *plan) { return plan->filters.n > 0; }
static bool lacks_home(const struct dj_plan *plan)
{
	const plan_str *env = plan_items(plan, plan->env, plan_str);

	for (uint32_t i = 0; i < plan->env.n; i++)
		if (strncmp(plan_text(plan, env[i]), "HOME=", 5) == 0)
			return false;
	return true;
}
/* Its superblock costs 0.15 ms to make and to end. */
static bool wants_procfs(const struct dj_plan *plan)
{
	return wants_sysctls(plan) || wants_userns_limit(plan) || wants_label(plan) || wants_terminal(plan);
}
static bool wants_lent_procfs(const struct dj_plan *plan)
{
	return plan->joins && (wants_label(plan) || wants_terminal(plan) || lacks_home(plan));
}
/* Arrives with the policy issue (decision 50). */
static bool wants_landlock(const struct dj_plan *plan)
{
	(void)plan;
	return false;
}

/* clang-format off */
const struct step launch_steps[] = {
	{ "open-namespaces",    STEP_OUT,   joins_namespaces,   OUT(open_namespaces), NULL,
	  "open the namespaces to join, check kind and that none is the host's" },
	{ "open-rootfs",        STEP_OUT,   makes_container,    OUT(open_rootfs), NULL,
	  "open the root filesystem once, as a detached tree" },
	{ "clone",              STEP_OUT,   makes_container,    OUT(clone_stage), NULL,
	  "one clone3 with all new namespaces, into the v2 cgroup" },
	{ "join-container",     STEP_OUT,   joins,              OUT(join_container), NULL,
	  "a helper enters the cgroups, then by one setns all namespaces, and clones" },
	{ "lend-procfs",        STEP_OUT,   wants_lent_procfs,  OUT(lend_procfs), NULL,
	  "a mount of the process's own directory in /proc: what the container calls so is no such thing" },
	{ "join-cgroups",       STEP_CHILD, makes_container,    NULL, NULL,
	  "write 0 into every v1 tasks file, and into those of resctrl" },
	{ "new-cgroup-namespace", STEP_CHILD, wants_cgroup_ns,  NULL, NULL,
	  "unshare the cgroup namespace after joining, so that its root is our cgroup" },
	{ "new-time-namespace", STEP_CHILD, wants_time_ns,      NULL, NULL,
	  "unshare the time namespace, write its offsets, enter it" },
	{ "write-id-maps",      STEP_OUT,   wants_id_maps,      OUT(write_id_maps), NULL,
	  "write setgroups, uid_map and gid_map, or have newuidmap and newgidmap do it" },
	{ "reset-scheduling",   STEP_OUT,   NULL,               OUT(reset_scheduling), NULL,
	  "nice value and affinity are not inherited from whoever started us" },
	{ "oom-score",          STEP_OUT,   wants_oom_score,    OUT(set_oom_score), NULL,
	  "oom_score_adj, with the host's rights" },
	{ "map-rootfs",         STEP_OUT,   wants_mapping,      OUT(map_rootfs), NULL,
	  "id-map the root filesystem; else make the mount points, then rebuild an overlay from its layers" },
	{ "rlimits",            STEP_OUT,   wants_rlimits,      OUT(set_rlimits), NULL,
	  "resource limits, with the host's rights" },
	{ "own-pipes",          STEP_OUT,   wants_pipes,        OUT(own_pipes), NULL,
	  "give anonymous pipes on 0-2 to the process user" },
	{ "ids-mapped",         STEP_TELL_IN, NULL,             NULL, NULL,
	  "let the child become root of its namespaces" },
	{ "become-stage",       STEP_CHILD, NULL,               NULL, NULL,
	  "take a mapped id, then execute the sealed stage" },
	{ "hand-over",          STEP_BOTH,  NULL,               OUT(send_hand_over), IN(receive_hand_over),
	  "pass the plan, the root and the gate, or a procfs of our own" },
	{ "own-procfs",         STEP_IN,    wants_procfs,       NULL, IN(open_own_procfs),
	  "a detached procfs, while the host's is still mounted, without which there can be none" },
	{ "attach-rootfs",      STEP_IN,    makes_container,    NULL, IN(attach_rootfs),
	  "stop propagation, attach the root filesystem" },
	{ "volatile-rootfs",    STEP_IN,    wants_volatile,     NULL, IN(volatile_rootfs),
	  "put a bounded tmpfs over the root filesystem" },
	{ "mounts",             STEP_BOTH,  makes_container,    OUT(serve_sources), IN(mount_all),
	  "place every mount, in order, below the root descriptor" },
	{ "devices",            STEP_IN,    wants_devices,      NULL, IN(make_devices),
	  "make device nodes outside /dev" },
	{ "working-directory",  STEP_IN,    makes_container,    NULL, IN(make_working_directory),
	  "make the working directory if it is missing" },
	{ "hostname",           STEP_IN,    wants_hostname,     NULL, IN(set_hostname),
	  "set host and domain name" },
	{ "loopback",           STEP_IN,    wants_loopback,     NULL, IN(loopback_up),
	  "bring lo up in the new network namespace" },
	{ "namespaces-ready",   STEP_TELL_OUT, wants_runtime_hooks, NULL, NULL,
	  "report that hooks may look at the namespaces" },
	{ "hooks-runtime",      STEP_OUT,   wants_runtime_hooks, OUT(hooks_runtime), NULL,
	  "record the process, run prestart and createRuntime hooks" },
	{ "hooks-done",         STEP_TELL_IN, wants_runtime_hooks, NULL, NULL,
	  "let the stage go on" },
	{ "hooks-create-container", STEP_BOTH, wants_create_hooks, OUT(send_hooks), IN(hooks_create_container),
	  "run createContainer hooks, opened on the host, inside" },
	{ "sysctls",            STEP_IN,    wants_sysctls,      NULL, IN(write_sysctls),
	  "write namespaced sysctls" },
	{ "forbid-user-namespaces", STEP_IN, wants_userns_limit, NULL, IN(forbid_user_namespaces),
	  "set user.max_user_namespaces to 0 inside" },
	{ "readonly-paths",     STEP_IN,    wants_readonly_paths, NULL, IN(readonly_paths),
	  "make the listed paths read-only" },
	{ "mask-paths",         STEP_IN,    wants_masks,        NULL, IN(mask_paths),
	  "hide the listed paths" },
	{ "readonly-rootfs",    STEP_IN,    wants_readonly_root, NULL, IN(readonly_rootfs),
	  "make the root filesystem read-only, after the last mount point" },
	{ "home",               STEP_IN,    lacks_home,         NULL, IN(find_home),
	  "look up HOME in the image's passwd" },
	{ "join-mount-namespace", STEP_IN,  wants_joined_mounts, NULL, IN(join_mounts),
	  "enter the mount namespace to join and put the finished tree over its root" },
	{ "pivot-root",         STEP_IN,    makes_container,    NULL, IN(pivot_root_step),
	  "enter the root filesystem, detach the old root and prove that it is gone" },
	{ "own-null",           STEP_IN,    lacks_terminal,     NULL, IN(own_null),
	  "where 0-2 are the host's null device, put the container's" },
	{ "terminal",           STEP_BOTH,  wants_terminal,     OUT(receive_terminal), IN(open_terminal),
	  "open a terminal in the container's devpts and hand out its master" },
	{ "session-keyring",    STEP_IN,    wants_keyring,      NULL, IN(new_keyring),
	  "join a new anonymous session keyring" },
	{ "scheduling",         STEP_IN,    NULL,               NULL, IN(set_scheduling),
	  "personality, memory policy; rootless also scheduler and I/O priority" },
	{ "enter-directory",    STEP_IN,    NULL,               NULL, IN(enter_working_directory),
	  "change to the working directory and prove that it is inside" },
	{ "verify-inside",      STEP_IN,    wants_readback,     NULL, IN(verify_inside),
	  "compare mounts, read-only and masked paths, as the kernel reports them, with the plan" },
	{ "exec-label",         STEP_IN,    wants_label,        NULL, IN(set_exec_label),
	  "AppArmor profile or SELinux label for the next execve, read back" },
	{ "identity",           STEP_IN,    NULL,               NULL, IN(set_identity),
	  "bounding set, groups, ids, capabilities, no_new_privs" },
	{ "find-program",       STEP_IN,    NULL,               NULL, IN(find_program),
	  "look up args[0] as the process user" },
	{ "created",            STEP_TELL_OUT, NULL,            NULL, NULL,
	  "report that everything but the filter is in force" },
	{ "verify-outside",     STEP_OUT,   NULL,               OUT(verify_outside), NULL,
	  "compare ids, capabilities, namespaces and cgroup, as the kernel reports them, with the plan" },
	{ "scheduler",          STEP_OUT,   scheduling_is_outside, OUT(set_scheduler), NULL,
	  "scheduler and I/O priority, with the host's rights, when the stage need not fork any more" },
	{ "network-devices",    STEP_OUT,   wants_net_devices,  OUT(give_net_devices), NULL,
	  "move network devices in with their addresses, when nothing else can fail any more" },
	{ "release",            STEP_IN,    NULL,               NULL, IN(await_release),
	  "take a session of its own, stop depending on the creating process" },
	{ "start",              STEP_IN,    NULL,               NULL, IN(await_start),
	  "wait for start" },
	{ "hooks-start-container", STEP_IN, wants_start_hooks,  NULL, IN(hooks_start_container),
	  "run startContainer hooks" },
	{ "reset-process",      STEP_IN,    NULL,               NULL, IN(reset_process),
	  "default signals, umask, low limits, no parent-death signal" },
	{ "close-descriptors",  STEP_IN,    NULL,               NULL, IN(close_descriptors),
	  "close everything that is not handed on, before the filter" },
	{ "landlock",           STEP_IN,    wants_landlock,     NULL, NULL,
	  "restrict file access" },
	{ "load-filters",       STEP_IN,    wants_filter,       NULL, IN(load_filters),
	  "load the seccomp filters: the last call before execve" },
	{ "execute",            STEP_IN,    NULL,               NULL, IN(execute),
	  "execve the program" },
};
/* clang-format on */
const size_t launch_steps_count = sizeof(launch_steps) / sizeof(launch_steps[0]);

uint32_t launch_mark(enum step_mark mark)
{
	static const char *const names[] = {
		[STEP_MARK_CHILD] = "ids-mapped", [STEP_MARK_HAND_OVER] = "hand-over",
		[STEP_MARK_CREATED] = "created",  [STEP_MARK_RELEASE] = "release",
		[STEP_MARK_START] = "start",
	};

	for (uint32_t row = 0; row < launch_steps_count; row++)
		if (strcmp(launch_steps[row].name, names[mark]) == 0)
			return row;
	assert(!"every mark is a row");
	return 0;
}
