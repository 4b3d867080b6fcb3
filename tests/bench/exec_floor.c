/*
 * What the kernel alone costs for `exec`: a helper enters the container's cgroups and namespaces and
 * clones, the child executes a sealed static program, which executes the command.  No configuration
 * is read, nothing is confined or verified, every error is fatal and unexplained.
 *
 * Built twice: static, and dynamic with the project's own C library, whose start any runtime linked
 * with it pays.  Not a runtime: it exists to have its time measured.
 *
 * usage: exec_floor STAGE PID-FILE CGROUP COMMAND     STAGE: the static build of this
 *        exec_floor COMMAND                           as the stage
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CGROUPS "/sys/fs/cgroup"
#define N_OF(a) (sizeof(a) / sizeof(a)[0])

enum { STAGE_MAX = 1 << 20 };

static const char *const hierarchies[] = { "cpu",     "cpuacct", "cpuset", "memory", "devices",
	                                   "freezer", "blkio",   "pids",   "systemd" };
static char *const environment[] = { "PATH=/bin", NULL };

static long must(long result, const char *what)
{
	if (result < 0) {
		perror(what);
		_exit(125);
	}
	return result;
}

static pid_t read_pid(const char *path)
{
	char text[32] = "";
	int fd = (int)must(open(path, O_RDONLY | O_CLOEXEC), path);

	must(read(fd, text, sizeof(text) - 1), path);
	close(fd);
	return atoi(text);
}

static int seal_stage(const char *path)
{
	static char bytes[STAGE_MAX];
	int from = (int)must(open(path, O_RDONLY | O_CLOEXEC), path);
	int to = (int)must(syscall(SYS_memfd_create, "stage", MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd");
	long size = must(read(from, bytes, sizeof(bytes)), path);

	must(write(to, bytes, (size_t)size), "memfd");
	must(fcntl(to, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), "seal");
	close(from);
	return to;
}

/* v1: the `tasks` files, -1 where there is no hierarchy. */
static void open_v1(const char *name, int fds[N_OF(hierarchies)])
{
	char path[256];

	for (size_t i = 0; i < N_OF(hierarchies); i++) {
		snprintf(path, sizeof(path), CGROUPS "/%s/%s/tasks", hierarchies[i], name);
		fds[i] = open(path, O_WRONLY | O_CLOEXEC);
	}
}

static int open_v2(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), CGROUPS "/%s", name);
	return (int)must(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), path);
}

_Noreturn static void help(int container, int stage, const int groups[N_OF(hierarchies)], char *command)
{
	const int namespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
	char *const argv[] = { "stage", command, NULL };

	for (size_t i = 0; i < N_OF(hierarchies); i++)
		if (groups[i] >= 0)
			must(write(groups[i], "0", 1), hierarchies[i]);
	must(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "undumpable");
	must(setns(container, namespaces), "setns");
	if (must(syscall(SYS_clone, CLONE_PARENT, 0, 0, 0, 0), "clone") == 0)
		must(syscall(SYS_execveat, stage, "", argv, environment, AT_EMPTY_PATH), "stage");
	_exit(0);
}

static int exec_in(const char *stage_path, const char *pid_file, const char *cgroup, char *command)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	int container = (int)must(syscall(SYS_pidfd_open, read_pid(pid_file), 0), "pidfd_open");
	int stage = seal_stage(stage_path), groups[N_OF(hierarchies)], status, worst = 0;

	open_v1(cgroup, groups);
	if (access(CGROUPS "/cgroup.controllers", F_OK) == 0) {
		args.flags = CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)open_v2(cgroup);
	}
	if (must(syscall(SYS_clone3, &args, sizeof(args)), "clone3") == 0)
		help(container, stage, groups, command);
	while (wait(&status) > 0)
		worst = status != 0 ? 1 : worst;
	return worst;
}

int main(int argc, char **argv)
{
	if (argc == 5)
		return exec_in(argv[1], argv[2], argv[3], argv[4]);
	if (argc == 2)
		execve(argv[1], argv + 1, environment);
	return 125;
}
