#include "launch/helper.h"

#include "base/sys.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct shared {
	struct donjon_error err;
	_Alignas(16) char data[];
};

static int fail_ended(const char *what, int status, struct donjon_error *err)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return dj_fail(err, DONJON_E_SYSTEM,
		               "%s: the process that does it was killed: memory may have run out", what);
	if (WIFSIGNALED(status))
		return dj_fail(err, DONJON_E_SYSTEM, "%s: the process that does it died of signal %d",
		               what, WTERMSIG(status));
	return dj_fail(err, DONJON_E_SYSTEM, "%s: the process that does it ended with status %d", what,
	               WEXITSTATUS(status));
}

static int await(const char *what, pid_t child, struct shared *shared, struct donjon_error *err)
{
	pid_t r;
	int status;

	do
		r = waitpid(child, &status, 0);
	while (r < 0 && errno == EINTR);
	if (r != child)
		return dj_fail_os(err, errno, "%s: wait for the process that does it", what);
	if (status != 0)
		return fail_ended(what, status, err);
	if (shared->err.code == DONJON_OK)
		return 0;
	*err = shared->err;
	return -1;
}

int helper_run(const char *what, uint64_t new_namespaces,
               int (*work)(void *data, struct donjon_error *err), void *data, size_t size,
               struct donjon_error *err)
{
	struct clone_args args = { .flags = new_namespaces | CLONE_FILES, .exit_signal = SIGCHLD };
	struct shared *shared = mmap(NULL, sizeof(*shared) + size, PROT_READ | PROT_WRITE,
	                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int child, r;

	if (shared == MAP_FAILED)
		return dj_fail_os(err, errno, "%s: map memory to share with a process", what);
	memcpy(shared->data, data, size);
	child = sys_clone3(&args);
	if (child == 0) {
		(void)work(shared->data, &shared->err);
		_exit(0);
	}
	r = child < 0 ? dj_fail_os(err, -child, "%s: clone a process for it", what)
	              : await(what, child, shared, err);
	memcpy(data, shared->data, size);
	(void)munmap(shared, sizeof(*shared) + size);
	return r;
}
