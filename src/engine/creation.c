#include "engine/creation.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/proc.h"
#include "engine/deliver.h"
#include "engine/destroy.h"
#include "engine/hooks.h"
#include "engine/lsm.h"
#include "wrap/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

/* ---- before anything exists ---- */

static int check_terminal(bool terminal, const char *console_socket, bool foreground,
                          struct donjon_error *err)
{
	if (terminal && !foreground && !console_socket)
		return dj_fail(err, DONJON_E_USAGE,
		               "cannot allocate tty if the runtime will detach without setting "
		               "console socket");
	if (console_socket && !terminal)
		return dj_fail(err, DONJON_E_USAGE,
		               "cannot use a console socket: process.terminal is not set");
	if (console_socket && foreground)
		return dj_fail(err, DONJON_E_USAGE, "cannot use a console socket without --detach");
	return 0;
}

int creation_check(const struct draft *draft, const struct donjon_create_options *options,
                   bool foreground, struct donjon_error *err)
{
	if (check_terminal(draft->spec.process.terminal, options->console_socket, foreground, err) <
	    0)
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
		.launch = LAUNCH_EMPTY,
	};
	c->record.id = dj_arena_strdup(&draft->arena, draft->id);
	c->record.cgroup_path = dj_arena_strdup(&draft->arena, "");
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
	struct tm utc = { 0 };
	char seconds[32];

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &utc);
	(void)strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &utc);
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

static int fill_record(struct creation *c, struct donjon_error *err)
{
	struct draft *draft = c->draft;
	struct store_record *r = &c->record;
	char boot_id[37];

	if (proc_boot_id(boot_id, err) < 0)
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
	return store_write(c->dir, &first, err);
}

static int save_last(struct creation *c, struct donjon_error *err)
{
	if (c->draft->policy.notes.n != c->notes_saved && save_hardening(c, err) < 0)
		return -1;
	c->record.creating = false;
	return store_write(c->dir, &c->record, err);
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

/* A user without a delegated cgroup runs without, unless the configuration asks for limits
 * (decision 16). */
static bool may_go_without_cgroup(const struct creation *c, const struct donjon_error *err)
{
	bool unprivileged = c->draft->host.euid != 0 || !c->draft->host.initial_userns;

	return unprivileged && !c->draft->plan->cgroup_required && err->code == DONJON_E_SYSTEM;
}

static int make_cgroup(struct creation *c, struct donjon_error *err)
{
	struct draft *draft = c->draft;

	if (!draft->plan->cgroup)
		return 0;
	if (cgroup_create(draft->plan, &draft->host, &c->cgroup, err) < 0) {
		if (!may_go_without_cgroup(c, err))
			return -1;
		draft_note(draft, "res.cgroup-path", err->text);
		draft->plan->cgroup = false;
		dj_error_clear(err);
		return 0;
	}
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

static void note_weaker(void *data, const char *check, const char *text)
{
	draft_note(((struct creation *)data)->draft, check, text);
}

static int launch(struct creation *c, int gate, struct donjon_error *err)
{
	const struct launch_request request = {
		.plan = c->draft->plan,
		.cgroup_v2 = c->cgroup.v2,
		.cgroup_tasks = c->cgroup.v1_tasks,
		.n_cgroup_tasks = c->cgroup.n_v1,
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

/* The terminal before the pid file: its absence is how conmon tells a failure (K4). */
static int deliver(struct creation *c, const struct donjon_create_options *options,
                   struct donjon_error *err)
{
	if (options->console_socket) {
		if (deliver_fd(options->console_socket, "console", c->launch.console, err) < 0)
			return -1;
		dj_close(&c->launch.console);
	}
	if (!options->pidfd_socket)
		return 0;
	return deliver_fd(options->pidfd_socket, "pidfd", c->launch.pidfd, err);
}

int creation_make(struct creation *c, const struct donjon_create_options *options, bool gate,
                  struct donjon_error *err)
{
	dj_auto_close int gate_fd = -1;

	if (lsm_prepare(c->draft, err) < 0 || fill_record(c, err) < 0 || save_first(c, err) < 0 ||
	    make_cgroup(c, err) < 0 || save_hardening(c, err) < 0)
		return -1;
	if (gate) {
		gate_fd = store_gate_listen(c->dir, err);
		if (gate_fd < 0)
			return -1;
	}
	if (launch(c, gate_fd, err) < 0)
		return -1;
	cgroup_settle(&c->cgroup);
	if (deliver(c, options, err) < 0 || save_last(c, err) < 0)
		return -1;
	return gate ? launch_release(&c->launch, err) : 0;
}

/* ---- the two ends ---- */

void creation_done(struct creation *c)
{
	launch_done(&c->launch);
	cgroup_close(&c->cgroup);
	dj_close(&c->dir);
	store_close(&c->store);
}

/* Our own child: killed and reaped. */
static void end_process(struct creation *c, struct donjon_error *err)
{
	if (c->launch.pidfd < 0)
		return;
	if (destroy_process(c->launch.pidfd, -1, err) < 0)
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
		.hooks = c->poststop_due ? c->draft->plan : NULL,
	};
	struct donjon_error why = { 0 };

	end_process(c, &why);
	dj_error_clear(&why);
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
