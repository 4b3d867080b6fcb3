/* A further process in a running container (T6, F30-F44). */
#include "engine/exec.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "cgroup/scope.h"
#include "engine/deliver.h"
#include "engine/host.h"
#include "engine/inspect.h"
#include "engine/listener.h"
#include "engine/rdt.h"
#include "engine/run.h"
#include "supervise/console.h"
#include "supervise/supervise.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

enum { STOP_WAIT_MS = 200 };

static int check_status(enum store_status status, bool ignore_paused, struct donjon_error *err)
{
	switch (status) {
	case STORE_CREATED:
	case STORE_RUNNING:
		return 0;
	case STORE_PAUSED:
		if (ignore_paused)
			return 0;
		return dj_fail(err, DONJON_E_STATUS,
		               "cannot exec in a paused container (use --ignore-paused to override)");
	case STORE_CREATING:
		return dj_fail(err, DONJON_E_STATUS, "cannot exec in a container that is being created");
	default:
		return dj_fail(err, DONJON_E_STATUS, "cannot exec in a stopped container");
	}
}

/* The first process, held by a pidfd whose identity is proven: whoever takes its number later is not
 * the container (B19, T20). */
static int find_container(struct joining *j, bool ignore_paused, struct donjon_error *err)
{
	struct container *c = &j->container;
	int status, alive;

	if (host_probe(&j->draft.host, err) < 0)
		return -1;
	c->observer.host = j->draft.host;
	c->observer.has_host = true;
	j->draft.host.id_range = c->record.id_range;
	status = container_status(c, err);
	if (status < 0 || check_status((enum store_status)status, ignore_paused, err) < 0)
		return -1;
	alive = container_process(c, &j->init, err);
	return alive == 0 ? check_status(STORE_STOPPED, ignore_paused, err) : alive < 0 ? -1 : 0;
}

/* The end of a container takes our process with it some moments before it is announced; its first
 * process has left the namespaces by then. */
static bool has_stopped(const struct joining *j, const struct donjon_error *err)
{
	bool vanished = err->os == EPIPE || err->os == ECONNRESET;
	struct pollfd end = { .fd = j->init, .events = POLLIN };

	if (j->init < 0)
		return false;
	return poll(&end, 1, vanished ? STOP_WAIT_MS : 0) == 1 || !joining_is_there(j);
}

static void log_changes(const struct policy_result *policy)
{
	for (size_t i = 0; i < policy->changes.n; i++) {
		const struct policy_change *c = &policy->changes.v[i];

		log_debug("exec: %s: %s%s%s -> %s", c->check, c->pointer ? c->pointer : "",
		          c->pointer ? " " : "", c->before, c->after);
	}
}

static int decide(struct joining *j, const struct donjon_exec_options *o, struct donjon_error *err)
{
	struct draft *draft = &j->draft;
	const struct plan_input input = {
		.id = draft->id,
		.spec = &draft->spec,
		.settings = &draft->policy.settings,
		.host = &draft->host,
		.no_new_keyring = j->container.record.no_new_keyring,
		.preserve_fds = o->preserve_fds,
		.container = &j->facts,
	};

	draft->request.preserve_fds = o->preserve_fds > 0;
	draft->request.bundle = j->container.record.bundle;
	inspect_for_joining(draft, &j->configured);
	if (policy_apply_joining(&draft->spec, &j->configured, &draft->host, &draft->request,
	                         &draft->arena, &draft->policy, err) < 0)
		return -1;
	log_changes(&draft->policy);
	return plan_build(&input, &draft->arena, &draft->plan, &draft->policy, err);
}

static int place(void *data, pid_t pid, struct donjon_error *err)
{
	const struct joining *j = data;

	return scope_attach(j->container.record.cgroup_path, j->facts.cgroup_below[j->draft.host.n_v1], pid,
	                    err);
}

static bool must_be_placed(const struct joining *j)
{
	const struct store_record *record = &j->container.record;

	return strcmp(record->cgroup_manager, STORE_SYSTEMD_USER) == 0 &&
	       scope_is_apart(&j->draft.host, record->cgroup_path);
}

static int launch(struct joining *j, struct donjon_error *err)
{
	const struct launch_request request = {
		.plan = j->draft.plan,
		.cgroup_v2 = j->cgroup.v2,
		.place = must_be_placed(j) ? place : NULL,
		.cgroup_tasks = j->cgroup.v1_tasks,
		.n_cgroup_tasks = j->cgroup.n_v1,
		.rdt_tasks = j->rdt_tasks,
		.n_rdt_tasks = DJ_COUNT(j->rdt_tasks),
		.container_pidfd = j->init,
		.gate = -1,
		.data = j,
	};

	return launch_create(&request, &j->launch, err);
}

static int prepare(struct joining *j, const struct donjon_exec_options *o, struct donjon_error *err)
{
	if (find_container(j, o->ignore_paused, err) < 0 || joining_decode(j, o, err) < 0)
		return -1;
	if (deliver_check_terminal(j->draft.spec.process.terminal, o->console_socket, !o->detach, err) < 0 ||
	    (o->pid_file && deliver_check_pid_file(o->pid_file, err) < 0))
		return -1;
	if (joining_look(j, err) < 0 || joining_open_cgroup(j, o, err) < 0 || rdt_join(j, err) < 0 ||
	    decide(j, o, err) < 0)
		return -1;
	return launch(j, err);
}

/* The terminal before the program runs, the pid file last (K4, K8). */
static int start(struct joining *j, const struct donjon_exec_options *o, struct donjon_error *err)
{
	struct listener listener = {
		.record = &j->container.record,
		.status = STORE_RUNNING,
		.pid = j->launch.pid,
	};
	struct launch_listener give = listener_for_launch(&listener);

	if (deliver_handles(o->console_socket, &j->launch.console, o->pidfd_socket, j->launch.pidfd, err) < 0 ||
	    launch_start(&j->launch, &give, err) < 0)
		return -1;
	return o->pid_file ? deliver_pid_file(o->pid_file, j->launch.pid, err) : 0;
}

static int foreground(struct joining *j, const struct donjon_exec_options *o, int *exit_code,
                      struct donjon_error *err)
{
	struct supervise_signals signals;
	struct supervise_request request = { .reap = false };
	struct console console;
	int sig = 0, r;

	if (supervise_signals_block(&signals, err) < 0)
		return -1;
	request.console = console_begin(&console, j->launch.console);
	r = start(j, o, err);
	if (r == 0) {
		request.pid = j->launch.pid;
		request.pidfd = j->launch.pidfd;
		r = supervise_wait(&request, &signals, exit_code, &sig, err);
	}
	if (r == 0)
		dj_close(&j->launch.pidfd); /* reaped */
	console_end(request.console);
	supervise_signals_restore(&signals);
	run_name_death(j->draft.plan, sig);
	return r;
}

static int run(struct joining *j, const struct donjon_exec_options *o, int *exit_code,
               struct donjon_error *err)
{
	int r = prepare(j, o, err);

	if (r == 0)
		r = o->detach ? start(j, o, err) : foreground(j, o, exit_code, err);
	/* Whatever failed, failed because of that. */
	if (r < 0 && err->code != DONJON_E_STATUS && has_stopped(j, err)) {
		dj_error_clear(err);
		return check_status(STORE_STOPPED, false, err);
	}
	return r;
}

static void done(struct joining *j, bool failed)
{
	if (failed)
		launch_abort(&j->launch);
	launch_done(&j->launch);
	for (size_t i = 0; i < DJ_COUNT(j->rdt_tasks); i++)
		dj_close(&j->rdt_tasks[i]);
	cgroup_close(&j->cgroup);
	dj_close(&j->init);
	draft_done(&j->draft);
	container_close(&j->container);
}

int donjon_container_exec(struct donjon_runtime *runtime, const char *id,
                          const struct donjon_exec_options *options, int *exit_code,
                          struct donjon_error *err)
{
	struct donjon_exec_options o;
	struct joining j = {
		.container = CONTAINER_EMPTY,
		.init = -1,
		.draft = { .id = id, .userns = -1 },
		.cgroup = CGROUP_EMPTY,
		.rdt_tasks = { -1, -1 },
		.launch = LAUNCH_EMPTY,
	};
	int r;

	options_copy(&o, sizeof(o), options);
	*exit_code = 0;
	r = deliver_check_preserved(0, o.preserve_fds, err);
	if (r == 0)
		r = container_open(runtime, id, &j.container, err);
	if (r == 0)
		r = run(&j, &o, exit_code, err);
	done(&j, r < 0);
	return r;
}
