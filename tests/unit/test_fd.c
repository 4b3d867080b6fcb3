#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"

#include "scratch.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

static int setup_pair(void **state)
{
	int *pair = calloc(2, sizeof(*pair));

	*state = pair;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int teardown_pair(void **state)
{
	int *pair = *state;

	(void)close(pair[0]);
	(void)close(pair[1]);
	free(pair);
	return 0;
}

static int lowest_free(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)close(fd);
	return fd;
}

static void sends_data_with_descriptors(void **state)
{
	static const size_t counts[] = { 0, 1, 2, FD_MESSAGE_MAX };
	const int *pair = *state;
	int fds[FD_MESSAGE_MAX], got[FD_MESSAGE_MAX];

	for (size_t i = 0; i < DJ_COUNT(counts); i++) {
		size_t n = FD_MESSAGE_MAX;
		char buf[8];

		for (size_t j = 0; j < counts[i]; j++)
			fds[j] = pair[0];
		assert_int_equal(fd_send(pair[0], "hello", 5, fds, counts[i]), 0);
		assert_int_equal(fd_receive(pair[1], buf, sizeof(buf), got, &n), 5);
		assert_memory_equal(buf, "hello", 5);
		assert_int_equal(n, counts[i]);
		for (size_t j = 0; j < n; j++) {
			struct stat a, b;

			assert_true(fcntl(got[j], F_GETFD) & FD_CLOEXEC);
			assert_int_equal(fstat(got[j], &a), 0);
			assert_int_equal(fstat(pair[0], &b), 0);
			assert_int_equal(a.st_ino, b.st_ino);
			(void)close(got[j]);
		}
	}
}

static void refuses_bad_messages(void **state)
{
	const int *pair = *state;
	int before = lowest_free(), fds[FD_MESSAGE_MAX + 1] = { 0 }, got[2];
	char buf[4];
	size_t n = 2;

	assert_int_equal(fd_send(pair[0], "x", 1, fds, FD_MESSAGE_MAX + 1), -E2BIG);
	/* more descriptors than there is room for */
	assert_int_equal(fd_send(pair[0], "x", 1, fds, 3), 0);
	assert_int_equal(fd_receive(pair[1], buf, sizeof(buf), got, &n), -EBADMSG);
	assert_int_equal(n, 0);
	/* none expected at all */
	assert_int_equal(fd_send(pair[0], "x", 1, fds, 1), 0);
	assert_int_equal(fd_receive(pair[1], buf, sizeof(buf), NULL, &n), -EBADMSG);
	/* truncated data */
	n = 2;
	assert_int_equal(fd_send(pair[0], "12345", 5, fds, 2), 0);
	assert_int_equal(fd_receive(pair[1], buf, sizeof(buf), got, &n), -EBADMSG);
	/* descriptors in an empty packet */
	n = 2;
	assert_int_equal(fd_send(pair[0], "", 0, fds, 1), 0);
	assert_int_equal(fd_receive(pair[1], buf, sizeof(buf), got, &n), -EBADMSG);
	assert_int_equal(lowest_free(), before);
}

/* Sent by somebody else: more than any message of ours may have. */
static void refuses_more_than_its_buffer(void **state)
{
	enum { MANY = FD_MESSAGE_MAX + 10 };
	const int *pair = *state;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(MANY * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (char[1]){ 'x' }, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov,
		              .msg_iovlen = 1,
		              .msg_control = &control,
		              .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int before = lowest_free(), got[FD_MESSAGE_MAX];
	size_t n = FD_MESSAGE_MAX;
	char buf[4];

	*c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
		               .cmsg_type = SCM_RIGHTS,
		               .cmsg_len = CMSG_LEN(MANY * sizeof(int)) };
	memset(CMSG_DATA(c), 0, MANY * sizeof(int));
	assert_int_equal(sendmsg(pair[0], &msg, 0), 1);
	assert_int_equal(fd_receive(pair[1], buf, sizeof(buf), got, &n), -EBADMSG);
	assert_int_equal(lowest_free(), before);
}

static void reports_the_end(void **state)
{
	int *pair = *state, fd;
	char buf[4];
	size_t n = 1;

	(void)close(pair[0]);
	assert_int_equal(fd_receive(pair[1], buf, sizeof(buf), &fd, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(fd_send(pair[1], "x", 1, NULL, 0), -EPIPE); /* and no SIGPIPE */
	pair[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void closes_ranges(void **state)
{
	int status = 0;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		int low = fcntl(0, F_DUPFD, 100), high = fcntl(0, F_DUPFD, 200);
		bool ok = low >= 100 && high >= 200;

		ok = ok && fd_cloexec_from(150) == 0;
		ok = ok && !(fcntl(low, F_GETFD) & FD_CLOEXEC);
		ok = ok && (fcntl(high, F_GETFD) & FD_CLOEXEC);
		ok = ok && fd_close_from(150) == 0;
		ok = ok && is_open(low) && !is_open(high);
		_exit(ok ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void moves_up(void **state)
{
	int fd = open("/dev/null", O_RDONLY), old = fd, bad = -1;

	(void)state;
	assert_int_equal(fd_move_up(&fd, 300), 0);
	assert_true(fd >= 300);
	assert_false(is_open(old));
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	(void)close(fd);
	assert_int_equal(fd_move_up(&bad, 10), -EBADF);
	assert_int_equal(bad, -1);
}

/* Short, relative, longer than sun_path (K3), and relative to a descriptor. */
static void connects_at_any_length(void **state)
{
	const struct scratch *s = *state;
	char dir[200], path[400];
	struct {
		int dir_fd;
		const char *path;
	} rows[4];

	memset(dir, 'd', sizeof(dir) - 1);
	dir[sizeof(dir) - 1] = '\0';
	assert_int_equal(mkdirat(s->fd, dir, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/short", s->path);
	rows[0].dir_fd = AT_FDCWD, rows[0].path = strdup(path);
	(void)snprintf(path, sizeof(path), "%s/%s/gate", s->path, dir);
	rows[1].dir_fd = AT_FDCWD, rows[1].path = strdup(path);
	rows[2].dir_fd = s->fd, rows[2].path = strdup("gate");
	(void)snprintf(path, sizeof(path), "%s/other", dir);
	rows[3].dir_fd = s->fd, rows[3].path = strdup(path);

	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		dj_auto_close int l = fd_listen_unix(rows[i].dir_fd, rows[i].path,
		                                     SOCK_SEQPACKET | SOCK_NONBLOCK, 0600);
		dj_auto_close int c = fd_connect_unix(rows[i].dir_fd, rows[i].path, SOCK_SEQPACKET);
		dj_auto_close int a = accept4(l, NULL, NULL, SOCK_CLOEXEC);
		struct stat st;

		assert_true(l >= 0 && c >= 0 && a >= 0);
		assert_true(fcntl(l, F_GETFD) & FD_CLOEXEC);
		assert_true(fcntl(c, F_GETFD) & FD_CLOEXEC);
		assert_int_equal(fstatat(rows[i].dir_fd, rows[i].path, &st, 0), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		free((void *)(uintptr_t)rows[i].path);
	}
}

/* The kernel's limit is the one of a connection to a full queue, too. */
static void waits_for_its_peer_no_longer(void **state)
{
	const struct scratch *s = *state;
	dj_auto_close int l = fd_listen_unix(s->fd, "patient", SOCK_STREAM, 0600);
	dj_auto_close int c = fd_connect_unix(s->fd, "patient", SOCK_STREAM);
	struct timeval limit = { 0 };
	socklen_t size = sizeof(limit);

	assert_true(l >= 0);
	assert_int_equal(getsockopt(c, SOL_SOCKET, SO_SNDTIMEO, &limit, &size), 0);
	assert_int_equal(limit.tv_sec, FD_PEER_WAIT_S);
}

static void reports_what_cannot_be_connected(void **state)
{
	const struct scratch *s = *state;
	char path[400];

	scratch_write(s, "file", "");
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(fd_connect_unix(s->fd, "missing", SOCK_STREAM), -ENOENT);
	assert_int_equal(fd_connect_unix(s->fd, "file", SOCK_STREAM), -ECONNREFUSED);
	assert_int_equal(fd_connect_unix(s->fd, "", SOCK_STREAM), -ENOENT);
	assert_int_equal(fd_connect_unix(s->fd, "no/dir", SOCK_STREAM), -ENOENT);
	assert_int_equal(fd_connect_unix(s->fd, path, SOCK_STREAM), -ENAMETOOLONG);
	assert_int_equal(fd_listen_unix(s->fd, "file", SOCK_STREAM, 0600), -EADDRINUSE);
}

/* Datagram sockets have nothing to listen for. */
static void binds_without_listening(void **state)
{
	const struct scratch *s = *state;
	dj_auto_close int b = fd_bind_unix(s->fd, "socket", SOCK_DGRAM, 0600);
	dj_auto_close int c = fd_connect_unix(s->fd, "socket", SOCK_DGRAM);
	char got[4];

	assert_true(b >= 0 && c >= 0);
	assert_true(fcntl(b, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fd_send(c, "four", 4, NULL, 0), 0);
	assert_int_equal(recv(b, got, sizeof(got), MSG_DONTWAIT), 4);
	assert_int_equal(fd_listen_unix(s->fd, "other", SOCK_DGRAM, 0600), -EOPNOTSUPP);
	assert_int_equal(fd_bind_unix(s->fd, "socket", SOCK_DGRAM, 0600), -EADDRINUSE);
}

#define PAIR(test)    cmocka_unit_test_setup_teardown(test, setup_pair, teardown_pair)
#define SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR(sends_data_with_descriptors),  PAIR(refuses_bad_messages),
		PAIR(refuses_more_than_its_buffer), PAIR(reports_the_end),
		cmocka_unit_test(closes_ranges),    cmocka_unit_test(moves_up),
		SCRATCH(connects_at_any_length),    SCRATCH(waits_for_its_peer_no_longer),
		SCRATCH(connects_at_any_length),    SCRATCH(reports_what_cannot_be_connected),
		SCRATCH(binds_without_listening),
	};

	return cmocka_run_group_tests_name("fd", tests, NULL, NULL);
}
