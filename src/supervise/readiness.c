#include "supervise/readiness.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	REPORT_MAX = 4096,     /* systemd takes no longer ones either */
	REPORTS_AT_ONCE = 512, /* systemd's longest queue; the process is looked at again then */
	MANAGER_WAIT_S = 30,
};

static int connect_abstract(const char *address)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = strlen(address);
	dj_auto_close int fd = -1;

	if (len > sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path + 1, address + 1, len - 1);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&addr,
	                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		return -errno;
	return dj_take_fd(&fd);
}

int readiness_connect(const char *address)
{
	const struct timeval limit = { .tv_sec = MANAGER_WAIT_S };
	dj_auto_close int fd = -1;

	if (address[0] == '/')
		fd = fd_connect_unix(AT_FDCWD, address, SOCK_DGRAM);
	else
		fd = address[0] == '@' && address[1] ? connect_abstract(address) : -EAFNOSUPPORT;
	if (fd < 0)
		return fd;
	/* A manager that reads nothing must not hold us for ever. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return -errno;
	return dj_take_fd(&fd);
}

static bool says_ready(char *text)
{
	for (char *line; (line = strsep(&text, "\n"));)
		if (strcmp(line, "READY=1") == 0)
			return true;
	return false;
}

/* recv(2) takes no control messages: descriptors that come along never become ours. */
static bool has_reported(int socket)
{
	char text[REPORT_MAX + 1];

	for (int i = 0; i < REPORTS_AT_ONCE; i++) {
		ssize_t n = recv(socket, text, REPORT_MAX, MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0)
			break;
		if (n > REPORT_MAX)
			continue;
		text[n] = '\0';
		if (says_ready(text))
			return true;
	}
	return false;
}

/* The process is looked at first, so that what it said before its end is not missed. */
static bool await_report(int socket, int process)
{
	struct pollfd events[] = {
		{ .fd = process, .events = POLLIN },
		{ .fd = socket, .events = POLLIN },
	};

	for (;;) {
		if (poll(events, DJ_COUNT(events), -1) < 0 && errno != EINTR)
			return false;
		if (has_reported(socket))
			return true;
		if (events[0].revents)
			return false;
	}
}

/* Perhaps a copy of a threaded process: only system calls.  It keeps open what it needs. */
static void read_reports(int socket, int process, int report)
{
	enum { SOCKET, PROCESS, REPORT, COUNT };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || fd_move_up(&socket, COUNT) < 0 ||
	    fd_move_up(&process, COUNT) < 0 || fd_move_up(&report, COUNT) < 0 ||
	    dup2(socket, SOCKET) < 0 || dup2(process, PROCESS) < 0 || dup2(report, REPORT) < 0 ||
	    fd_close_from(COUNT) < 0)
		return;
	if (await_report(SOCKET, PROCESS))
		(void)!write(REPORT, "", 1); /* perhaps nobody wants to know any more */
}

static int clone_reader(int socket, int process, int report)
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	int r = sys_clone3(&args);

	if (r == 0) {
		read_reports(socket, process, report);
		_exit(0);
	}
	return r < 0 ? r : pidfd;
}

int readiness_open(struct readiness *out, int socket, int manager, int process,
                   struct donjon_error *err)
{
	int ends[2], reader;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return dj_fail_os(err, errno, "make a pipe for the container's report");
	reader = clone_reader(socket, process, ends[1]);
	dj_close(&ends[1]);
	if (reader < 0) {
		dj_close(&ends[0]);
		return dj_fail_os(err, -reader, "clone a reader for the notification socket");
	}
	*out = (struct readiness){ .report = ends[0], .reader = reader, .manager = manager };
	return 0;
}

/* One message, so that there is no moment with only half of it. */
static int tell(int manager, pid_t main_pid)
{
	char text[64];
	int len = main_pid > 0
	                  ? snprintf(text, sizeof(text), "READY=1\nMAINPID=%d\n", (int)main_pid)
	                  : snprintf(text, sizeof(text), "READY=1\n");

	return fd_send(manager, text, (size_t)len, NULL, 0);
}

/* systemd knows a sender by its process: we stay until it has read, which it shows by closing the
 * descriptor it is sent. */
static int await_manager(int manager)
{
	static const char barrier[] = "BARRIER=1";
	struct pollfd closed;
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	closed = (struct pollfd){ .fd = ends[0] };
	r = fd_send(manager, barrier, sizeof(barrier) - 1, &ends[1], 1);
	dj_close(&ends[1]);
	if (r == 0) {
		do
			r = poll(&closed, 1, MANAGER_WAIT_S * 1000);
		while (r < 0 && errno == EINTR);
		r = r == 0 ? -ETIMEDOUT : 0;
	}
	dj_close(&ends[0]);
	return r;
}

static void warn(int error)
{
	log_warning("NOTIFY_SOCKET: tell the service manager: %s", strerror(error));
}

/* End-of-file: it will not come. */
static bool has_come(int report)
{
	char byte;

	return read(report, &byte, 1) == 1;
}

void readiness_take(struct readiness *readiness, int wait_ms)
{
	struct pollfd event = { .fd = readiness->report, .events = POLLIN };
	int r = 0;

	if (event.fd < 0 || poll(&event, 1, wait_ms) <= 0)
		return;
	if (has_come(event.fd))
		r = tell(readiness->manager, 0);
	if (r < 0)
		warn(-r);
	readiness_close(readiness);
}

static bool has_ended(int process)
{
	struct pollfd event = { .fd = process, .events = POLLIN };

	return poll(&event, 1, 0) != 0;
}

/* The end of the process is the reader's, too, which may have to be waited for a little. */
static bool await_reader(int report, int process)
{
	struct pollfd events[] = {
		{ .fd = report, .events = POLLIN },
		{ .fd = process, .events = POLLIN },
	};
	int r, timeout = -1;

	for (;;) {
		r = poll(events, DJ_COUNT(events), timeout);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0 || events[0].revents)
			return r > 0 && has_come(report);
		events[1].fd = -1;
		timeout = READINESS_LAST_MS;
	}
}

void readiness_await(struct readiness *readiness, pid_t pid, int process)
{
	int r;

	if (!await_reader(readiness->report, process))
		return;
	r = tell(readiness->manager, has_ended(process) ? 0 : pid);
	if (r == 0)
		r = await_manager(readiness->manager);
	if (r < 0)
		warn(-r);
}

void readiness_close(struct readiness *readiness)
{
	if (readiness->reader >= 0) {
		(void)sys_pidfd_send_signal(readiness->reader, SIGKILL);
		/* A subreaper may have been quicker. */
		while (waitid(P_PIDFD, (id_t)readiness->reader, NULL, WEXITED) < 0 &&
		       errno == EINTR)
			;
	}
	dj_close(&readiness->reader);
	dj_close(&readiness->report);
	dj_close(&readiness->manager);
}
