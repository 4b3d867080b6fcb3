#include "engine/userns.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/procfs.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { MAP_MAX_BYTES = 16384 }; /* 340 lines at most */

static int open_namespace(const char *path, struct donjon_error *err)
{
	dj_auto_close int proc = procfs_open_host(err);

	return proc < 0 ? -1 : procfs_open_namespace(proc, path, err);
}

/* ---- maps ---- */

/* The child of a possibly threaded process: system calls only.  Others of that namespace must not
 * reach into it (B17). */
static _Noreturn void be_member(int userns, int wire)
{
	char byte;
	int os = 0;

	if (prctl(PR_SET_DUMPABLE, 0) < 0 || setns(userns, CLONE_NEWUSER) < 0)
		os = errno;
	if (write(wire, &os, sizeof(os)) == (ssize_t)sizeof(os))
		while (read(wire, &byte, 1) < 0 && errno == EINTR)
			;
	_exit(0);
}

/* A process in the namespace, which ends when `wire` is closed. */
static pid_t start_member(int userns, int *wire, struct donjon_error *err)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	int pair[2], pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return dj_fail_os(err, errno, "make a socket");
	pid = sys_clone3(&args);
	if (pid == 0) {
		(void)close(pair[0]); /* or it would never see its end */
		be_member(userns, pair[1]);
	}
	dj_close(&pair[1]);
	if (pid < 0) {
		dj_close(&pair[0]);
		return dj_fail_os(err, -pid, "clone a process for the user namespace");
	}
	*wire = pair[0];
	return pid;
}

static int await_member(int wire, struct donjon_error *err)
{
	ssize_t n;
	int os;

	do
		n = read(wire, &os, sizeof(os));
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(os))
		return dj_fail(err, DONJON_E_SYSTEM, "join the user namespace: the process that does it died, memory may have run out");
	return os ? dj_fail_os(err, os, "join the user namespace") : 0;
}

static int read_map(int proc, pid_t pid, const char *file, struct dj_arena *arena,
                    struct oci_id_maps *out, struct donjon_error *err)
{
	char path[64], text[MAP_MAX_BYTES];
	const char *rest = text;
	size_t room = 0;
	int used;

	(void)snprintf(path, sizeof(path), "%d/%s", (int)pid, file);
	if (procfs_read(proc, path, text, sizeof(text), err) < 0)
		return -1;
	for (const char *c = text; *c; c++)
		room += *c == '\n';
	out->v = dj_arena_array(arena, room + 1, sizeof(*out->v));
	for (out->n = 0; out->n <= room; rest += used) {
		struct oci_id_map *line = &out->v[out->n];

		if (sscanf(rest, "%u %u %u%n", &line->container_id, &line->host_id, &line->size,
		           &used) != 3)
			break;
		out->n++;
	}
	return out->n > 0 ? 0 : dj_fail(err, DONJON_E_CONFIG, "%s is empty", file);
}

int userns_read_maps(int proc, pid_t pid, struct dj_arena *arena, struct oci_id_maps *uids,
                     struct oci_id_maps *gids, struct donjon_error *err)
{
	if (read_map(proc, pid, "uid_map", arena, uids, err) < 0)
		return -1;
	return read_map(proc, pid, "gid_map", arena, gids, err);
}

/* Through a member's files, not from inside: read from here they speak of our own ids, however deep
 * the namespace is. */
static int read_maps(int userns, struct dj_arena *arena, struct oci_id_maps *uids,
                     struct oci_id_maps *gids, struct donjon_error *err)
{
	dj_auto_close int proc = procfs_open_host(err);
	int wire = -1, r;
	pid_t pid = proc < 0 ? -1 : start_member(userns, &wire, err);

	if (pid < 0)
		return -1;
	r = await_member(wire, err);
	if (r == 0)
		r = userns_read_maps(proc, pid, arena, uids, gids, err);
	dj_close(&wire);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

/* The launch needs them for owners and volumes; engines that know the namespace's path often leave
 * them out (P40). */
static int fill_configured(struct draft *draft, struct donjon_error *err)
{
	struct oci_linux *linux_ = &draft->spec.linux;
	const char *path = linux_->namespaces[OCI_NS_USER].path;
	dj_auto_close int userns = -1;

	if (!path || linux_->uid_mappings.n > 0 || linux_->gid_mappings.n > 0)
		return 0;
	userns = open_namespace(path, err);
	if (userns < 0)
		return -1;
	if (ioctl(userns, NS_GET_NSTYPE) != CLONE_NEWUSER)
		return dj_fail(err, DONJON_E_CONFIG, "linux.namespaces: %s is no user namespace",
		               path);
	if (read_maps(userns, &draft->arena, &linux_->uid_mappings, &linux_->gid_mappings, err) < 0)
		return dj_note(err, "linux.namespaces: %s", path);
	return 0;
}

/* ---- owners ---- */

static bool is_same(int a, const char *path)
{
	struct stat one, other;

	return fstat(a, &one) == 0 && stat(path, &other) == 0 && one.st_dev == other.st_dev &&
	       one.st_ino == other.st_ino;
}

/* A descriptor of the owner if that is a namespace below our own; *out stays -1 if not: for what
 * belongs to those above us the kernel has EPERM. */
static int open_owner(const char *path, int *out, struct donjon_error *err)
{
	dj_auto_close int ns = open_namespace(path, err);
	dj_auto_close int owner = -1;

	if (ns < 0)
		return -1;
	owner = ioctl(ns, NS_GET_USERNS);
	if (owner < 0)
		return errno == EPERM
		               ? 0
		               : dj_fail_os(err, errno, "linux.namespaces: owner of %s", path);
	if (fcntl(owner, F_SETFD, FD_CLOEXEC) < 0)
		return dj_fail_os(err, errno, "linux.namespaces: owner of %s", path);
	if (!is_same(owner, "/proc/self/ns/user"))
		*out = dj_take_fd(&owner);
	return 0;
}

/* Takes the owner over if it is the first one; says so if it is another. */
static void add_owner(struct draft *draft, const char *path, int *owner, const char **first)
{
	struct policy_request *r = &draft->request;

	if (draft->userns < 0) {
		draft->userns = dj_take_fd(owner);
		*first = path;
		r->joined_userns.path =
		        dj_arena_printf(&draft->arena, "/proc/self/fd/%d", draft->userns);
	} else if (!is_same(*owner, r->joined_userns.path)) {
		r->joined_userns.others =
		        dj_arena_printf(&draft->arena, "those of %s and %s", *first, path);
	}
}

static int find_owner(struct draft *draft, struct donjon_error *err)
{
	static const enum oci_ns kinds[] = { OCI_NS_PID, OCI_NS_NETWORK, OCI_NS_IPC, OCI_NS_UTS };
	const char *first = NULL;

	for (size_t i = 0; i < DJ_COUNT(kinds); i++) {
		const char *path = draft->spec.linux.namespaces[kinds[i]].path;
		dj_auto_close int owner = -1;

		if (!path)
			continue;
		if (open_owner(path, &owner, err) < 0)
			return -1;
		if (owner >= 0)
			add_owner(draft, path, &owner, &first);
	}
	return 0;
}

int userns_inspect(struct draft *draft, struct donjon_error *err)
{
	struct policy_request *r = &draft->request;

	if (fill_configured(draft, err) < 0)
		return -1;
	if (draft->spec.linux.namespaces[OCI_NS_USER].set || !draft_may_be_hardened(draft))
		return 0;
	if (find_owner(draft, err) < 0)
		return -1;
	if (draft->userns < 0)
		return 0;
	if (read_maps(draft->userns, &draft->arena, &r->joined_userns.uid_maps,
	              &r->joined_userns.gid_maps, err) < 0)
		return dj_note(err, "linux.namespaces: owner of the joined ones");
	return 0;
}
