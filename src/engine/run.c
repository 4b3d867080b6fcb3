/* create + start in one process, and the foreground. */
#include "engine/run.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "engine/deliver.h"
#include "engine/hooks.h"
#include "engine/listener.h"
#include "engine/notify.h"
#include "engine/rdt.h"
#include "supervise/console.h"
#include "supervise/supervise.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>

enum { LOCK_WAIT_MS = 10 * 1000 };

static int start(struct creation *c, const struct donjon_create_options *o,
                 struct readiness *readiness, struct donjon_error *err)
{
	struct listener listener = {
		.record = &c->record,
		.status = STORE_CREATED,
		.pid = c->launch.pid,
	};
	struct launch_listener give = listener_for_launch(&listener);

	if (c->draft->notify &&
	    notify_listen(c->runtime, c->dir, &c->record, c->launch.pidfd, readiness, err) < 0)
		return -1;
	if (launch_start(&c->launch, &give, err) < 0 ||
	    hooks_run(c->draft->plan, OCI_HOOK_POSTSTART, &c->record, STORE_RUNNING, err) < 0)
		return -1;
	return o->pid_file ? deliver_pid_file(o->pid_file, c->launch.pid, err) : 0;
}

/* Otherwise only a number tells, and looks as if the program had failed by itself. */
void run_name_death(const struct dj_plan *plan, int sig)
{
	struct donjon_error death = { 0 };

	if (sig != SIGSYS || plan->filters.n == 0)
		return;
	(void)dj_fail(&death, DONJON_E_SYSTEM,
	              "the container's program was ended by its seccomp filter (SIGSYS)");
	donjon_log_error(&death);
}

/* While it runs the container is everybody's: to be paused, updated, deleted. */
static int wait_unlocked(struct creation *c, const struct supervise_request *request,
                         const struct supervise_signals *signals, int *exit_code, int *sig,
                         struct donjon_error *err)
{
	struct donjon_error ignored = { 0 };
	int r;

	store_unlock(c->dir);
	r = supervise_wait(request, signals, exit_code, sig, err);
	/* Whoever is at it finishes first; who takes longer will find it gone. */
	(void)store_lock(c->dir, LOCK_WAIT_MS, &ignored);
	return r;
}

static int background(struct creation *c, const struct donjon_create_options *o,
                      struct donjon_error *err)
{
	struct readiness readiness = READINESS_NONE;
	int r = start(c, o, &readiness, err);

	if (r == 0)
		notify_await(&readiness, c->dir, c->launch.pid, c->launch.pidfd);
	readiness_close(&readiness);
	return r;
}

static int foreground(struct creation *c, const struct donjon_create_options *o, int *exit_code,
                      struct donjon_error *err)
{
	struct supervise_signals signals;
	struct readiness readiness = READINESS_NONE;
	struct supervise_request request = { .readiness = &readiness, .reap = !o->no_subreaper };
	struct console console;
	int sig = 0, r;

	/* From here on a signal is the container's.  Before, it ends us, and the stage with us. */
	if (supervise_signals_block(&signals, err) < 0)
		return -1;
	request.console = console_begin(&console, c->launch.console);
	r = start(c, o, &readiness, err);
	if (r == 0) {
		request.pid = c->launch.pid;
		request.pidfd = c->launch.pidfd;
		r = wait_unlocked(c, &request, &signals, exit_code, &sig, err);
	}
	if (r == 0) {
		readiness_take(&readiness, READINESS_LAST_MS);
		dj_close(&c->launch.pidfd); /* reaped: there is nobody to be ended */
	}
	readiness_close(&readiness);
	console_end(request.console);
	supervise_signals_restore(&signals);
	run_name_death(c->draft->plan, sig);
	return r;
}

static int run(struct creation *c, const struct donjon_create_options *o, int *exit_code,
               struct donjon_error *err)
{
	if (draft_decide(c->draft, c->runtime, o, err) < 0 || creation_make(c, o, false, err) < 0)
		return -1;
	rdt_settle(c->draft->plan, &c->record);
	return o->detach ? background(c, o, err) : foreground(c, o, exit_code, err);
}

/* So that what the container leaves behind comes to us, and not to the host's init. */
static int become_subreaper(bool wanted, int *before, struct donjon_error *err)
{
	if (!wanted)
		return 0;
	if (prctl(PR_GET_CHILD_SUBREAPER, before) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return dj_fail_os(err, errno, "become a subreaper");
	return 0;
}

int run_creation(struct creation *c, const struct donjon_create_options *o, int *exit_code,
                 struct donjon_error *err)
{
	bool reaps = !o->detach && !o->no_subreaper;
	int subreaper = 1, r = become_subreaper(reaps, &subreaper, err);

	if (r == 0)
		r = run(c, o, exit_code, err);
	if (r == 0 && (o->detach || o->keep))
		creation_done(c);
	else
		creation_undo(c);
	if (!subreaper)
		(void)prctl(PR_SET_CHILD_SUBREAPER, 0); /* what it was */
	return r;
}

static int run_draft(const struct donjon_runtime *runtime, struct draft *draft,
                     const struct donjon_create_options *o, int *exit_code,
                     struct donjon_error *err)
{
	struct creation c;

	if (creation_begin(&c, runtime, draft, err) < 0) {
		creation_undo(&c);
		return -1;
	}
	return run_creation(&c, o, exit_code, err);
}

int donjon_container_run(struct donjon_runtime *runtime, const char *id,
                         const struct donjon_create_options *options, int *exit_code,
                         struct donjon_error *err)
{
	const struct donjon_create_options o = draft_options(options);
	struct draft draft = { .id = id, .userns = -1 };
	int r;

	if (store_check_id(id, err) < 0 || deliver_check_preserved(o.listen_fds, o.preserve_fds, err) < 0)
		return -1;
	*exit_code = 0;
	r = draft_load(&draft, runtime, &o, err);
	if (r == 0)
		r = creation_check(&draft, &o, !o.detach, err);
	if (r == 0)
		r = run_draft(runtime, &draft, &o, exit_code, err);
	draft_done(&draft);
	return r;
}
