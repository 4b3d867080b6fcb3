/*
 * A hostile container: what it can do to a process that appears in it, from the moment it appears
 * until it has become the program COMM.  All of it goes on until the container is ended.
 */
#include "prisoner.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NR_pidfd_open = 434, NR_pidfd_getfd_ = 438, RENAME_EXCHANGE_ = 2, FDS = 32 };

static bool comm_of(int pid, char comm[static 32])
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, comm, 31);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false;
	comm[n - 1] = '\0';
	return true;
}

static bool can_open(int pid, const char *file, int flags)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	int fd = open(path, flags | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* The kernel gives a process in execve its new memory, which is the container's, a moment before it closes
 * descriptors and renames it.  /proc's links take no lock against that, so what counts is where they lead:
 * the program's own are no secret. */
static bool leads_elsewhere(int pid, const char *file, const char *own)
{
	char path[64], target[128];
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	return strcmp(target, own) != 0;
}

static bool own_link(const char *file, char *target, size_t size)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/%s", file);
	ssize_t n = readlink(path, target, size - 1);
	if (n >= 0)
		target[n] = '\0';
	return n >= 0;
}

/* Beyond the program's own three.  The numbers alone, and the names of sockets, open nothing. */
static bool can_open_a_descriptor(int pid)
{
	char file[16];
	bool done = false;
	for (int i = 3; i < FDS && !done; i++) {
		snprintf(file, sizeof(file), "fd/%d", i);
		done = can_open(pid, file, O_RDONLY | O_NONBLOCK);
	}
	return done;
}

static bool can_take_a_descriptor(int pid)
{
	int pidfd = (int)syscall(NR_pidfd_open, pid, 0), fd = -1;
	for (int i = 0; i < FDS && fd < 0 && pidfd >= 0; i++)
		fd = (int)syscall(NR_pidfd_getfd_, pidfd, i, 0);
	if (fd >= 0)
		close(fd);
	if (pidfd >= 0)
		close(pidfd);
	return fd >= 0;
}

static bool can_trace(int pid)
{
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
		return false;
	/* Let go of it again: it must be able to run. */
	if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0 && waitpid(pid, NULL, __WALL) == pid)
		ptrace(PTRACE_DETACH, pid, NULL, NULL);
	return true;
}

static bool can_read_memory(int pid)
{
	char byte;
	struct iovec here = { &byte, 1 }, there = { (void *)0x400000, 1 };
	return process_vm_readv(pid, &here, 1, &there, 1, 0) == 1 || errno == EFAULT;
}

enum { ATTEMPTS = 11 };

static bool try_one(int pid, int which, const char *comm, const char **what)
{
	static const char *const names[ATTEMPTS] = { "mem",  "fd", "exe",         "cwd",    "root",    "environ",
		                             "maps", "ns", "pidfd_getfd", "ptrace", "vm_readv" };
	char own[64];
	*what = names[which];
	switch (which) {
	case 0: return can_open(pid, "mem", O_RDWR);
	case 1: return can_open_a_descriptor(pid);
	case 2: return snprintf(own, sizeof(own), "/%s", comm) > 0 && leads_elsewhere(pid, "exe", own);
	case 3: return leads_elsewhere(pid, "cwd", "/");
	case 4: return leads_elsewhere(pid, "root", "/");
	case 5: return can_open(pid, "environ", O_RDONLY);
	case 6: return can_open(pid, "maps", O_RDONLY);
	case 7: return own_link("ns/mnt", own, sizeof(own)) && leads_elsewhere(pid, "ns/mnt", own);
	case 8: return can_take_a_descriptor(pid);
	case 9: return can_trace(pid);
	default: return can_read_memory(pid);
	}
}

/* Calls back for every process but this one that is not COMM (yet). */
static void each_stranger(const char *comm, void (*meet)(int pid, const char *comm, void *data), void *data)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	char found[32];
	while (proc != NULL && (entry = readdir(proc)) != NULL) {
		int pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;
		if (pid > 1 && pid != getpid() && comm_of(pid, found) && strcmp(found, comm) != 0)
			meet(pid, comm, data);
	}
	if (proc != NULL)
		closedir(proc);
}

struct tally {
	long seen, tried;
};

static void stalk(int pid, const char *comm, void *data)
{
	struct tally *tally = data;
	char after[32];
	const char *what = "";
	tally->seen++;
	for (int i = 0; i < ATTEMPTS; i++) {
		bool done = try_one(pid, i, comm, &what);
		tally->tried++;
		/* One that has become the program meanwhile is nobody's secret. */
		if (!done || !comm_of(pid, after) || strcmp(after, comm) == 0)
			continue;
		json_open(NULL, '{');
		json_text("reached", what);
		json_text("comm", after);
		json_close('}');
		json_line();
	}
}

static volatile sig_atomic_t over;

static void stop(int sig)
{
	(void)sig;
	over = 1;
}

/* stalk COMM: prints what it could reach, and at SIGTERM how much it saw and tried. */
int cmd_stalk(int argc, char **argv)
{
	struct tally tally = { 0 };
	if (argc < 2)
		return 2;
	signal(SIGTERM, stop);
	puts("stalking");
	fflush(stdout);
	while (!over)
		each_stranger(argv[1], stalk, &tally);
	json_open(NULL, '{');
	json_number("seen", tally.seen);
	json_number("tried", tally.tried);
	json_close('}');
	json_line();
	return 0;
}

static void shoot(int pid, const char *comm, void *data)
{
	(void)comm;
	kill(pid, *(int *)data);
}

/* shoot COMM SIGNAL: at every stranger, as soon as it is seen. */
int cmd_shoot(int argc, char **argv)
{
	int sig = argc > 2 ? atoi(argv[2]) : 0;
	if (sig <= 0)
		return 2;
	puts("armed");
	fflush(stdout);
	for (;;)
		each_stranger(argv[1], shoot, &sig);
}

/* swap A B: exchanges two names for ever. */
int cmd_swap(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	puts("swapping");
	fflush(stdout);
	for (;;)
		if (syscall(SYS_renameat2, -100, argv[1], -100, argv[2], RENAME_EXCHANGE_) < 0) {
			fprintf(stderr, "swap: %s\n", errno_name(errno));
			return 1;
		}
}
