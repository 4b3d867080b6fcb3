#include "engine/creation.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/procfs.h"
#include "base/utc.h"
#include "cgroup/scope.h"
#include "engine/deliver.h"
#include "engine/destroy.h"
#include "engine/hooks.h"
#include "engine/lsm.h"
#include "engine/rdt.h"
#include "wrap/json.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

/* ---- before anything exists ---- */

int creation_check(const struct draft *draft, const struct donjon_create_options *options,
                   bool foreground, struct donjon_error *err)
{
	if (deliver_check_terminal(draft->spec.process.terminal, options->console_socket, foreground,
	                           err) < 0)
		return -1;
	return options->pid_file ? deliver_check_pid_file(options->pid_file, err) : 0;
}

/* ---- id and range ---- */

int creation_begin(struct creation *c, const struct donjon_runtime *runtime, struct draft *draft,
                   struct donjon_error *err)
{
	*c = (struct creation){
		.runtime = runtime,
		.draft = draft,
		.store = STORE_EMPTY,
		.dir = -1,
		.cgroup = CGROUP_EMPTY,
		.rdt_tasks = { -1, -1 },
		.launch = LAUNCH_EMPTY,
	};
	c->record.id = dj_arena_strdup(&draft->arena, draft->id);
	c->record.cgroup_path = c->record.selinux_label = c->record.listener_path =
	        c->record.listener_metadata = c->record.rdt_group =
	                dj_arena_strdup(&draft->arena, "");
	if (runtime_open_store(runtime, true, &c->store, err) < 0)
		return -1;
	c->dir = store_reserve(&c->store, draft->id, err);
	if (c->dir < 0)
		return -1;
	if (draft_wants_range(draft) &&
	    store_reserve_range(&c->store, draft->id, &draft->host.id_range, err) < 0)
		return -1;
	c->record.id_range = draft->host.id_range;
	return 0;
}

/* ---- the record ---- */

static char *timestamp(struct dj_arena *arena)
{
	struct timespec now = { 0 };
	char seconds[DJ_UTC_SIZE];

	(void)clock_gettime(CLOCK_REALTIME, &now);
	dj_utc(now.tv_sec, seconds);
	return dj_arena_printf(arena, "%s.%09ldZ", seconds, now.tv_nsec);
}

static void copy_annotations(struct creation *c)
{
	const struct oci_spec *spec = &c->draft->spec;
	size_t n = spec->annotations.n;

	c->record.annotations =
	        dj_arena_array(&c->draft->arena, n + 1, sizeof(*c->record.annotations));
	for (size_t i = 0; i < n; i++)
		c->record.annotations[i] = (struct store_pair){
			.key = spec->annotations.v[i].key,
			.value = spec->annotations.v[i].value,
		};
	c->record.n_annotations = n;
}

static bool has_own_pid_namespace(const struct dj_plan *plan)
{
	return plan->ns[OCI_NS_PID].kind == PLAN_NS_NEW;
}

/* Later commands must find the same one, whoever calls them (R13). */
static char *manager_of(struct creation *c)
{
	const struct dj_plan *plan = c->draft->plan;

	if (plan->cgroup_unit && plan->cgroup_user_manager)
		return dj_arena_strdup(&c->draft->arena, STORE_SYSTEMD_USER);
	return c->runtime->cgroup_manager;
}

/* Without a rule that notifies there is no listener (P90). */
static char *listener_text(struct draft *draft, char *text)
{
	const struct plan_filter *filters = plan_items(draft->plan, draft->plan->filters, struct plan_filter);

	for (uint32_t i = 0; i < draft->plan->filters.n; i++)
		if (text && (filters[i].load_flags & SECCOMP_FILTER_FLAG_NEW_LISTENER))
			return text;
	return dj_arena_strdup(&draft->arena, "");
}

static int fill_record(struct creation *c, struct donjon_error *err)
{
	struct draft *draft = c->draft;
	struct store_record *r = &c->record;
	dj_auto_close int proc = procfs_open_host(err);
	char boot_id[37];

	if (proc < 0 || proc_boot_id(proc, boot_id, err) < 0)
		return -1;
	r->bundle = draft->bundle;
	r->rootfs = draft->rootfs;
	r->oci_version = draft->spec.oci_version;
	r->created = timestamp(&draft->arena);
	r->boot_id = dj_arena_strdup(&draft->arena, boot_id);
	r->owner = draft->host.euid;
	r->creating = true;
	r->cgroup_manager = manager_of(c);
	r->private_pid_ns = has_own_pid_namespace(draft->plan);
	r->no_new_keyring = !draft->plan->new_keyring;
	if (draft->spec.process.selinux_label)
		r->selinux_label = draft->spec.process.selinux_label;
	r->listener_path = listener_text(draft, draft->spec.linux.seccomp.listener_path);
	r->listener_metadata = listener_text(draft, draft->spec.linux.seccomp.listener_metadata);
	r->poststart_hooks = draft->spec.hooks[OCI_HOOK_POSTSTART].n > 0;
	r->poststop_hooks = draft->spec.hooks[OCI_HOOK_POSTSTOP].n > 0;
	copy_annotations(c);
	return 0;
}

/* What the policy did, and which properties nobody here knows (decision 31). */
static char *hardening_text(struct draft *draft, struct donjon_error *err)
{
	const char *policy = policy_result_json(&draft->policy, &draft->arena);
	const struct oci_strings *ignored = &draft->spec.ignored;
	struct json_value *root, *list;
	char *text;

	if (ignored->n == 0)
		return strdup(policy);
	root = json_parse(policy, strlen(policy), SIZE_MAX, err);
	if (!root)
		return NULL;
	list = json_new_array();
	for (size_t i = 0; i < ignored->n; i++)
		json_push(list, json_new_string(ignored->v[i]));
	json_set(root, "ignored", list);
	text = json_print(root, false);
	json_free(root);
	return text;
}

static int save_hardening(struct creation *c, struct donjon_error *err)
{
	dj_auto_free char *text = hardening_text(c->draft, err);

	if (!text)
		return -1;
	c->notes_saved = c->draft->policy.notes.n;
	return store_save(c->dir, STORE_HARDENING, text, strlen(text), err);
}

static char *planned_cgroup(struct draft *draft)
{
	const struct dj_plan *plan = draft->plan;

	return dj_arena_strdup(&draft->arena,
	                       plan->cgroup ? plan_text(plan, plan->cgroup_path) : "");
}

/* Before there is anything else: whatever happens from here on, `delete --force` knows what to
 * remove (T71).  So the file names the cgroup before it exists; we ourselves do once it is ours. */
static int save_first(struct creation *c, struct donjon_error *err)
{
	struct draft *draft = c->draft;
	struct store_record first = c->record;

	first.cgroup_path = planned_cgroup(draft);
	if (draft->config &&
	    store_save(c->dir, STORE_CONFIG, draft->config, draft->config_size, err) < 0)
		return -1;
	if (draft->seccomp &&
	    store_save(c->dir, STORE_SECCOMP, draft->seccomp, draft->seccomp_size, err) < 0)
		return -1;
	return store_write(c->dir, &first, err);
}

static int save_last(struct creation *c, struct donjon_error *err)
{
	struct policy_result *policy = &c->draft->policy;
	bool is_expected = policy->owners == (enum policy_owners)c->launch.ladder;
	struct store_record last;

	policy->owners = (enum policy_owners)c->launch.ladder;
	if ((policy->notes.n != c->notes_saved || !is_expected) && save_hardening(c, err) < 0)
		return -1;
	c->record.creating = false;
	c->record.seccomp_filters = c->launch.filters;
	/* Only what is written: something may fail yet. */
	last = c->record;
	rdt_settle(c->draft->plan, &last);
	return store_write(c->dir, &last, err);
}

/* Without its start time nobody could ever identify it again (B19). */
static int note_process(struct creation *c, pid_t pid, struct donjon_error *err)
{
	c->record.pid = pid;
	c->record.start_time = proc_start_time(pid);
	if (c->record.start_time == 0)
		return dj_fail(err, DONJON_E_SYSTEM,
		               "cannot read the start time of the container's process");
	return 0;
}

/* ---- the cgroup ---- */

static void limit_unavailable(void *data, const char *pointer, const char *why)
{
	static const struct {
		const char *prefix, *check;
	} checks[] = {
		{ "linux.resources.memory.swap", "res.swap" },
		{ "linux.resources.memory", "res.memory" },
		{ "linux.resources.pids", "res.pids" },
		{ "linux.resources.devices", "dev.cgroup" },
	};
	struct creation *c = data;
	const char *check = "res.cpu-io";

	for (size_t i = 0; i < DJ_COUNT(checks); i++)
		if (strncmp(pointer, checks[i].prefix, strlen(checks[i].prefix)) == 0) {
			check = checks[i].check;
			break;
		}
	draft_note(c->draft, check, dj_arena_printf(&c->draft->arena, "%s: %s", pointer, why));
}

/* What the configuration wants a cgroup for. */
static const char *cgroup_purpose(const struct dj_plan *plan)
{
	const struct plan_cgroup_write *writes =
	        plan_items(plan, plan->cgroup_writes, struct plan_cgroup_write);

	for (uint32_t i = 0; i < plan->cgroup_writes.n; i++)
		if (!writes[i].optional)
			return plan_text(plan, writes[i].pointer);
	return "linux.cgroupsPath";
}

/* The limits we would have added, each under its check. */
static void note_unlimited(struct creation *c)
{
	const struct dj_plan *plan = c->draft->plan;
	const struct plan_cgroup_write *writes =
	        plan_items(plan, plan->cgroup_writes, struct plan_cgroup_write);

	for (uint32_t i = 0; i < plan->cgroup_writes.n; i++)
		if (i == 0 || strcmp(plan_text(plan, writes[i].pointer),
		                     plan_text(plan, writes[i - 1].pointer)) != 0)
			limit_unavailable(c, plan_text(plan, writes[i].pointer), "there is no cgroup");
	if (plan->device_rules_set)
		limit_unavailable(c, "linux.resources.devices", "there is no cgroup");
}

/* A user without a delegated cgroup runs without, unless the configuration asks for limits
 * (decision 16).  Who names systemd wants a scope, and nothing else. */
static int go_without_cgroup(struct creation *c, struct donjon_error *err)
{
	struct draft *draft = c->draft;

	if (!host_is_rootless(&draft->host) || draft->plan->cgroup_unit ||
	    err->code != DONJON_E_SYSTEM)
		return -1;
	if (draft->plan->cgroup_required)
		return dj_note(err, "%s", cgroup_purpose(draft->plan));
	draft_note(draft, "res.cgroup-path", err->text);
	note_unlimited(c);
	draft->plan->cgroup = false;
	dj_error_clear(err);
	return 0;
}

static int make_cgroup(struct creation *c, struct donjon_error *err)
{
	struct draft *draft = c->draft;

	if (!draft->plan->cgroup)
		return 0;
	if (cgroup_create(draft->plan, &draft->host, &c->cgroup, err) < 0)
		return go_without_cgroup(c, err);
	c->record.cgroup_path = planned_cgroup(draft);
	return cgroup_apply(draft->plan, &draft->host, &c->cgroup, limit_unavailable, c, err);
}

/* ---- the process ---- */

/* The network namespace and the mounts are there, nothing of the container's runs: hooks may look,
 * and may ask for the state (H1, H2, J11). */
static int run_early_hooks(void *data, pid_t pid, struct donjon_error *err)
{
	struct creation *c = data;

	if (note_process(c, pid, err) < 0 || store_write(c->dir, &c->record, err) < 0 ||
	    hooks_run(c->draft->plan, OCI_HOOK_PRESTART, &c->record, STORE_CREATING, err) < 0)
		return -1;
	return hooks_run(c->draft->plan, OCI_HOOK_CREATE_RUNTIME, &c->record, STORE_CREATING, err);
}

static int place(void *data, pid_t pid, struct donjon_error *err)
{
	return scope_attach(((struct creation *)data)->record.cgroup_path, NULL, pid, err);
}

static bool must_be_placed(const struct creation *c)
{
	const struct draft *draft = c->draft;

	return draft->plan->cgroup && draft->plan->cgroup_unit && draft->plan->cgroup_user_manager &&
	       scope_is_apart(&draft->host, c->record.cgroup_path);
}

static void note_weaker(void *data, const char *check, const char *text)
{
	draft_note(((struct creation *)data)->draft, check, text);
}

static int launch(struct creation *c, int gate, struct donjon_error *err)
{
	const struct launch_request request = {
		.plan = c->draft->plan,
		.cgroup_v2 = c->cgroup.v2,
		.place = must_be_placed(c) ? place : NULL,
		.cgroup_tasks = c->cgroup.v1_tasks,
		.n_cgroup_tasks = c->cgroup.n_v1,
		.rdt_tasks = c->rdt_tasks,
		.n_rdt_tasks = DJ_COUNT(c->rdt_tasks),
		.gate = gate,
		.namespaces_ready = run_early_hooks,
		.note = note_weaker,
		.data = c,
	};

	/* Hooks of any kind may run from here on. */
	c->poststop_due = true;
	if (launch_create(&request, &c->launch, err) < 0)
		return -1;
	return note_process(c, c->launch.pid, err);
}

int creation_make(struct creation *c, const struct donjon_create_options *options, bool gate,
                  struct donjon_error *err)
{
	dj_auto_close int gate_fd = -1;

	if (lsm_prepare(c->draft, err) < 0 || fill_record(c, err) < 0 || save_first(c, err) < 0 ||
	    make_cgroup(c, err) < 0 || rdt_create(c, err) < 0 || save_hardening(c, err) < 0)
		return -1;
	if (c->draft->notify &&
	    store_notify_make(c->dir, c->draft->spec.linux.mount_label, err) < 0)
		return -1;
	if (gate) {
		gate_fd = store_gate_listen(c->dir, err);
		if (gate_fd < 0)
			return -1;
	}
	if (launch(c, gate_fd, err) < 0)
		return -1;
	cgroup_settle(&c->cgroup);
	if (deliver_handles(options->console_socket, &c->launch.console, options->pidfd_socket,
	                    c->launch.pidfd, err) < 0 ||
	    save_last(c, err) < 0)
		return -1;
	return gate ? launch_release(&c->launch, err) : 0;
}

/* ---- the two ends ---- */

static void release_process(struct creation *c)
{
	launch_done(&c->launch);
	for (size_t i = 0; i < DJ_COUNT(c->rdt_tasks); i++)
		dj_close(&c->rdt_tasks[i]);
	cgroup_close_directories(&c->cgroup);
}

void creation_done(struct creation *c)
{
	release_process(c);
	cgroup_close(&c->cgroup);
	dj_close(&c->dir);
	store_close(&c->store);
}

/* Our own child: killed and reaped. */
static void end_process(struct creation *c, struct donjon_error *err)
{
	if (c->launch.pidfd < 0)
		return;
	if (destroy_process(c->launch.pidfd, &c->cgroup, -1, err) < 0)
		return;
	while (waitid(P_PIDFD, (id_t)c->launch.pidfd, NULL, WEXITED) < 0 && errno == EINTR)
		;
}

void creation_undo(struct creation *c)
{
	struct remains remains = {
		.store = &c->store,
		.dir = c->dir,
		.record = &c->record,
		.host = &c->draft->host,
		.cgroup = &c->cgroup,
		.hooks = c->poststop_due ? c->draft->plan : NULL,
	};
	struct donjon_error why = { 0 };

	end_process(c, &why);
	dj_error_clear(&why);
	release_process(c); /* to remove takes descriptors, and too few of them may be why we are here */
	/* `delete --force` may have been quicker: then the name, and the cgroup of that name, may
	 * be a new container's. */
	if (c->dir >= 0 && store_is_entry(&c->store, c->draft->id, c->dir, &why) != 0) {
		dj_error_clear(&why); /* not to be told: destroy() asks again, last */
		(void)destroy(&remains, &why);
	}
	if (why.code != DONJON_OK)
		log_debug("container %s: %s", c->draft->id, why.text);
	creation_done(c);
}
