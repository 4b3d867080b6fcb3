#include "cgroup/scope.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "cgroup/inside.h"
#include "cgroup/properties.h"
#include "wrap/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KEEPER_STEP_MS = 20, KEEPER_WAIT_MS = 5000 };

static bool is_in(const char *cgroup_path)
{
	dj_auto_close int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	char text[4096], wanted[1100];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	(void)snprintf(wanted, sizeof(wanted), ":/%s\n", cgroup_path);
	return strstr(text, wanted) != NULL;
}

/*
 * Stays until it is killed, or its parent has died.  Even then not before systemd has put it where it
 * was told to: a scope whose only process is gone when its job is run stays empty, and for good.
 */
static _Noreturn void keep(pid_t parent, const char *cgroup_path)
{
	const struct timespec step = { .tv_nsec = KEEPER_STEP_MS * 1000000L };
	sigset_t all;
	int sig;

	(void)sigfillset(&all);
	if (sigprocmask(SIG_BLOCK, &all, NULL) < 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 ||
	    syscall(SYS_close_range, 0U, ~0U, 0U) < 0)
		_exit(1);
	while (getppid() == parent && sigwait(&all, &sig) == 0 && sig != SIGTERM)
		;
	for (int i = 0; i < KEEPER_WAIT_MS / KEEPER_STEP_MS && !is_in(cgroup_path); i++)
		(void)nanosleep(&step, NULL);
	_exit(0);
}

static pid_t start_keeper(const struct dj_plan *plan, struct donjon_error *err)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		return dj_fail_os(err, errno, "start a process to keep the scope");
	if (pid == 0)
		keep(parent, plan_text(plan, plan->cgroup_path));
	return pid;
}

void scope_release(pid_t *keeper)
{
	if (*keeper <= 0)
		return;
	(void)kill(*keeper, SIGKILL); /* our unreaped child: the number is still its own */
	while (waitpid(*keeper, NULL, 0) < 0 && errno == EINTR)
		;
	*keeper = 0;
}

/* The place the plan counts on, or nothing of what was planned would hold. */
static int check_place(struct systemd *systemd, const struct dj_plan *plan, struct donjon_error *err)
{
	const char *unit = plan_text(plan, plan->cgroup_unit), *want = plan_text(plan, plan->cgroup_path);
	char group[1024];

	if (systemd_control_group(systemd, unit, group, sizeof(group), err) < 0)
		return -1;
	if (group[0] == '/' && strcmp(group + 1, want) == 0)
		return 0;
	return dj_fail(err, DONJON_E_VERIFY, "systemd: put %s at %s instead of /%s", unit, group, want);
}

int scope_start(const struct dj_plan *plan, pid_t *keeper, struct donjon_error *err)
{
	const char *unit = plan_text(plan, plan->cgroup_unit);
	struct systemd *systemd = systemd_open(plan->cgroup_user_manager, err);
	struct properties p = { .n = 0 };
	struct donjon_error ignored = { 0 };
	char description[320];
	int r = -1;

	if (!systemd)
		return -1;
	*keeper = start_keeper(plan, err);
	if (*keeper > 0) {
		(void)snprintf(description, sizeof(description), "donjon container %s", plan_text(plan, plan->id));
		properties_of_scope(&p, plan, description);
		r = systemd_start_scope(systemd, unit, *keeper, p.v, p.n, err);
		if (r == 0 && check_place(systemd, plan, err) < 0) {
			(void)systemd_stop(systemd, unit, &ignored);
			r = -1;
		}
	}
	if (r < 0)
		scope_release(keeper);
	systemd_close(systemd);
	return r;
}

int scope_update(const struct dj_plan *plan, struct donjon_error *err)
{
	struct systemd *systemd;
	struct properties p = { .n = 0 };
	int r;

	properties_of_limits(&p, plan);
	if (p.n == 0)
		return 0;
	systemd = systemd_open(plan->cgroup_user_manager, err);
	if (!systemd)
		return -1;
	r = systemd_set_properties(systemd, plan_text(plan, plan->cgroup_unit), p.v, p.n, err);
	systemd_close(systemd);
	return r;
}

/* ---- processes of a user ---- */

/* How much of the two paths is the same, in whole components. */
static size_t common_length(const char *a, const char *b)
{
	size_t common = 0;

	for (size_t i = 0;; i++) {
		if (strchr("/", a[i]) && strchr("/", b[i]))
			common = i;
		if (a[i] != b[i] || !a[i])
			return common;
	}
}

bool scope_is_apart(const struct host_facts *host, const char *cgroup_path)
{
	const struct hierarchy v2 = { .mount_point = host->v2_mount_point, .is_v2 = true };
	const char *self = host->v2_self + strspn(host->v2_self, "/");
	dj_auto_close int root = -1, ancestor = -1;
	char path[sizeof(host->v2_self)];

	if (!host->v2_mount_point[0] || strstr(self, ".."))
		return false;
	(void)snprintf(path, sizeof(path), "%.*s", (int)common_length(self, cgroup_path), self);
	root = hierarchy_open(&v2);
	ancestor = root < 0 || !*path ? root : path_open_beneath(root, path, O_RDONLY | O_DIRECTORY, 0);
	if (ancestor == root)
		root = -1;
	return ancestor >= 0 && faccessat(ancestor, "cgroup.procs", W_OK, AT_EACCESS) < 0;
}

static const char *unit_of(const char *cgroup_path)
{
	const char *slash = strrchr(cgroup_path, '/');

	return slash ? slash + 1 : cgroup_path;
}

int scope_attach(const char *cgroup_path, const char *below, pid_t pid, struct donjon_error *err)
{
	struct systemd *systemd = systemd_open(true, err);
	char absolute[PATH_MAX] = "";
	int r;

	if (!systemd)
		return -1;
	if (below && *below)
		(void)snprintf(absolute, sizeof(absolute), "/%s", below);
	r = systemd_attach(systemd, unit_of(cgroup_path), absolute, pid, err);
	systemd_close(systemd);
	return r;
}

int scope_stop(const char *cgroup_path, bool user, struct donjon_error *err)
{
	struct systemd *systemd = systemd_open(user, err);
	int r;

	if (!systemd)
		return -1;
	r = systemd_stop(systemd, unit_of(cgroup_path), err);
	systemd_close(systemd);
	return r;
}
