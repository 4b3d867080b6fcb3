#include "base/proc.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/procfs.h"
#include "base/sys.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
	STAT_STATE = 3, /* fields of /proc/PID/stat as proc(5) numbers them */
	STAT_START_TIME = 22,
	BOOT_ID_LEN = 36,
	SIGNAL_MAX = 64, /* the kernel's _NSIG on every architecture we build for */
};

static ssize_t read_stat(int proc_fd, pid_t pid, char *buf, size_t size)
{
	dj_auto_close int fd = procfs_openat(proc_fd, O_RDONLY, "%d/stat", (int)pid);

	return fd < 0 ? -1 : file_read_kernel(fd, buf, size);
}

uint64_t proc_start_time(pid_t pid)
{
	struct donjon_error err = { 0 }; /* no /proc, no such process: the same to our callers */
	dj_auto_close int proc = procfs_open_host(&err);

	return proc < 0 ? 0 : proc_start_time_in(proc, pid);
}

/* Where its state is.  The program's name is free text in parentheses; what follows its last one is
 * not. */
static const char *read_from_state(int proc_fd, pid_t pid, char *buf, size_t size)
{
	const char *p;

	if (pid <= 0 || read_stat(proc_fd, pid, buf, size) < 0)
		return NULL;
	p = strrchr(buf, ')');
	return p && p[1] == ' ' ? p + 2 : NULL;
}

static uint64_t start_time_of(const char *state)
{
	const char *p = state;

	for (int field = STAT_STATE; p && field < STAT_START_TIME; field++) {
		p = strchr(p, ' ');
		if (p)
			p++;
	}
	return p ? strtoull(p, NULL, 10) : 0;
}

uint64_t proc_start_time_in(int proc_fd, pid_t pid)
{
	char stat[1024];
	const char *state = read_from_state(proc_fd, pid, stat, sizeof(stat));

	return state ? start_time_of(state) : 0;
}

bool proc_runs_since(int proc_fd, pid_t pid, uint64_t start_time)
{
	char stat[1024];
	const char *state = read_from_state(proc_fd, pid, stat, sizeof(stat));

	return state && *state != 'Z' && *state != 'X' && start_time_of(state) == start_time;
}

bool proc_is_stopped(pid_t pid)
{
	struct donjon_error unknown = { 0 };
	dj_auto_close int proc = procfs_open_host(&unknown);
	char stat[1024];
	const char *state = proc < 0 ? NULL : read_from_state(proc, pid, stat, sizeof(stat));

	return state && *state == 'T';
}

/* In a hardened unit or a container a mount covers /proc/sys (ProtectKernelTunables=), and none is
 * crossed: over a procfs of our own there is none. */
static int open_uncovered(const char *path)
{
	struct donjon_error ignored = { 0 };
	dj_auto_close int proc = procfs_open(&ignored);

	return proc < 0 ? -EXDEV : procfs_openat(proc, O_RDONLY, "%s", path);
}

int proc_boot_id(int proc_fd, char buf[static 37], struct donjon_error *err)
{
	static const char path[] = "sys/kernel/random/boot_id";
	dj_auto_close int fd = procfs_openat(proc_fd, O_RDONLY, "%s", path);
	char text[64];
	ssize_t n;

	if (fd == -EXDEV)
		fd = open_uncovered(path);
	if (fd < 0)
		return dj_fail_os(err, -fd, "open /proc/%s", path);
	n = file_read_kernel(fd, text, sizeof(text));
	if (n < 0)
		return dj_fail_os(err, (int)-n, "read /proc/%s", path);
	if (n < BOOT_ID_LEN)
		return dj_fail(err, DONJON_E_VERIFY, "boot id of the kernel is too short");
	memcpy(buf, text, BOOT_ID_LEN);
	buf[BOOT_ID_LEN] = '\0';
	return 0;
}

static const struct {
	const char *name;
	int number;
} signals[] = {
	{ "HUP", SIGHUP },       { "INT", SIGINT },       { "QUIT", SIGQUIT },
	{ "ILL", SIGILL },       { "TRAP", SIGTRAP },     { "ABRT", SIGABRT },
	{ "IOT", SIGABRT },      { "BUS", SIGBUS },       { "FPE", SIGFPE },
	{ "KILL", SIGKILL },     { "USR1", SIGUSR1 },     { "SEGV", SIGSEGV },
	{ "USR2", SIGUSR2 },     { "PIPE", SIGPIPE },     { "ALRM", SIGALRM },
	{ "TERM", SIGTERM },     { "STKFLT", SIGSTKFLT }, { "CHLD", SIGCHLD },
	{ "CLD", SIGCHLD },      { "CONT", SIGCONT },     { "STOP", SIGSTOP },
	{ "TSTP", SIGTSTP },     { "TTIN", SIGTTIN },     { "TTOU", SIGTTOU },
	{ "URG", SIGURG },       { "XCPU", SIGXCPU },     { "XFSZ", SIGXFSZ },
	{ "VTALRM", SIGVTALRM }, { "PROF", SIGPROF },     { "WINCH", SIGWINCH },
	{ "IO", SIGIO },         { "POLL", SIGIO },       { "PWR", SIGPWR },
	{ "SYS", SIGSYS },
};

/* Decimal digits only, in 0..SIGNAL_MAX; -1 otherwise. */
static int small_number(const char *text)
{
	int n = 0;

	if (!*text)
		return -1;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text))
			return -1;
		n = n * 10 + (*text - '0');
		if (n > SIGNAL_MAX)
			return -1;
	}
	return n;
}

/* "RTMIN", "RTMIN+3", "RTMAX-2"; libc's idea of the range, as in kill(1). */
static int real_time_number(const char *name)
{
	bool from_top = strncasecmp(name, "RTMAX", 5) == 0;
	int offset = 0, number;

	if (!from_top && strncasecmp(name, "RTMIN", 5) != 0)
		return -1;
	name += 5;
	if (*name == (from_top ? '-' : '+'))
		offset = small_number(name + 1);
	else if (*name)
		return -1;
	if (offset < 0)
		return -1;
	number = from_top ? SIGRTMAX - offset : SIGRTMIN + offset;
	return number >= SIGRTMIN && number <= SIGRTMAX ? number : -1;
}

int proc_signal_number(const char *text)
{
	if (isdigit((unsigned char)*text))
		return small_number(text);
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (size_t i = 0; i < DJ_COUNT(signals); i++)
		if (strcasecmp(text, signals[i].name) == 0)
			return signals[i].number;
	return real_time_number(text);
}
