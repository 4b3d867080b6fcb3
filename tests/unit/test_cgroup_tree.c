/* The host's real hierarchies, whatever its layout: made, joined, limited, frozen, killed, removed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "cgroup/cgroup.h"
#include "cgroup/inside.h"
#include "plan/resources.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

/* One test's container. */
struct fixture {
	struct host_facts host;
	struct dj_arena arena;
	struct plan_block block;
	struct policy_result record;
	struct donjon_error err;
	struct cgroup cg;
	char path[128];
	char noted[256]; /* pointer of the last limit that was not to be had */
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	f->cg.v2 = -1;
	f->host.initial_userns = true;
	f->host.euid = geteuid();
	(void)snprintf(f->path, sizeof(f->path), "/donjon-test-%d", (int)getpid());
	assert_int_equal(cgroup_probe(&f->host, &f->err), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	struct donjon_error ignored = { 0 };

	cgroup_close(&f->cg);
	(void)cgroup_remove(&f->host, f->path + 1, &ignored);
	dj_arena_done(&f->arena);
	free(f);
	return 0;
}

/* Skips, by its name, a test that needs to make cgroups. */
#define NEED_CGROUPS(f)                                                                            \
	do {                                                                                       \
		if (geteuid() != 0 || (f)->host.cgroup_mode == HOST_CGROUP_NONE ||                 \
		    !is_writable(&(f)->host))                                                      \
			skip();                                                                    \
	} while (0)

static bool is_writable(const struct host_facts *host)
{
	struct hierarchy h[HIERARCHY_MAX];
	size_t n = hierarchies_of(host, h);

	for (size_t i = 0; i < n; i++) {
		if (access(h[i].mount_point, W_OK) < 0)
			return false;
	}
	return n > 0;
}

#define ASSERT_OK(f, call)                                                                         \
	do {                                                                                       \
		if ((call) < 0)                                                                    \
			fail_msg("%s", (f)->err.text);                                             \
	} while (0)

static const struct dj_plan *plan_for(struct fixture *f, const struct oci_resources *resources,
				      const struct policy_settings *settings)
{
	static const struct policy_settings nothing_added;
	struct oci_spec spec = { .linux.cgroups_path = f->path };
	const struct plan_input in = { .id = "test",
				       .spec = &spec,
				       .host = &f->host,
				       .settings = settings ? settings : &nothing_added };

	if (resources)
		spec.linux.resources = *resources;
	plan_block_init(&f->block, &f->arena);
	ASSERT_OK(f, plan_resources(&f->block, &in, &f->record, &f->err));
	return plan_block_plan(&f->block);
}

static void unavailable(void *data, const char *pointer, const char *why)
{
	struct fixture *f = data;

	assert_null(strstr(why, "no such file"));
	(void)snprintf(f->noted, sizeof(f->noted), "%s", pointer);
}

/* The directory among the v1 ones that has the file, or -1. */
static int v1_with(const struct cgroup *cg, const char *file)
{
	for (size_t i = 0; i < cg->n_v1; i++) {
		if (cg->v1[i] >= 0 && faccessat(cg->v1[i], file, F_OK, 0) == 0)
			return cg->v1[i];
	}
	return -1;
}

/* How many hierarchies have the directory. */
static size_t count_dirs(const struct fixture *f, const char *path)
{
	struct hierarchy h[HIERARCHY_MAX];
	size_t n = hierarchies_of(&f->host, h), found = 0;

	for (size_t i = 0; i < n; i++) {
		char full[512];
		struct stat st;

		(void)snprintf(full, sizeof(full), "%s%s", h[i].mount_point, path);
		found += stat(full, &st) == 0 && S_ISDIR(st.st_mode);
	}
	return found;
}

static size_t count_hierarchies(const struct fixture *f)
{
	struct hierarchy h[HIERARCHY_MAX];

	return hierarchies_of(&f->host, h);
}

/* Joins as the launch does: v1 by writing to `tasks`, v2 as the child of a member would. */
static int join(const struct cgroup *cg)
{
	for (size_t i = 0; i < cg->n_v1; i++) {
		if (cg->v1_tasks[i] >= 0 && write(cg->v1_tasks[i], "0", 1) != 1)
			return -1;
	}
	return cg->v2 >= 0 ? cgroup_write(cg->v2, "cgroup.procs", "0") : 0;
}

/* A member that runs `work` (or sleeps) once it is inside. */
static pid_t spawn(const struct cgroup *cg, int (*work)(void))
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (join(cg) < 0 || write(ready[1], "x", 1) != 1)
			_exit(99);
		(void)close(ready[1]);
		if (work)
			_exit(work());
		for (;;)
			(void)pause();
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	return pid;
}

static int reap(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void assert_text(int dir_fd, const char *file, const char *want)
{
	char text[256];

	assert_true(cgroup_read(dir_fd, file, text, sizeof(text)) >= 0);
	assert_string_equal(text, want);
}

static int dir_with(const struct cgroup *cg, const char *v1_file, const char *v2_file)
{
	int fd = v1_with(cg, v1_file);

	if (fd >= 0)
		return fd;
	return cg->v2 >= 0 && faccessat(cg->v2, v2_file, F_OK, 0) == 0 ? cg->v2 : -1;
}

/* ---- tests ---- */

static void test_probe(void **state)
{
	struct fixture *f = *state;
	struct hierarchy h[HIERARCHY_MAX];
	size_t n = hierarchies_of(&f->host, h);

	if (f->host.cgroup_mode == HOST_CGROUP_NONE)
		skip();
	assert_true(n > 0);
	for (size_t i = 0; i < n; i++) {
		dj_auto_close int fd = hierarchy_open(&h[i]);

		assert_true(fd >= 0);
		if (!h[i].is_v2)
			assert_int_equal(f->host.v1[i].self[0], '/');
	}
	if (f->host.v2_mount_point[0])
		assert_int_equal(f->host.v2_self[0], '/');
}

/* Mounted elsewhere, the usual place covered: found through /proc/self/mounts, and only there. */
static int probe_elsewhere(const struct hierarchy *h)
{
	struct host_facts host = { 0 };
	struct donjon_error err = { 0 };
	struct hierarchy found[HIERARCHY_MAX];

	if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/mnt", "tmpfs", 0, NULL) < 0 || mkdir("/mnt/cg", 0755) < 0 ||
	    mount(h->mount_point, "/mnt/cg", NULL, MS_BIND, NULL) < 0 ||
	    mount("tmpfs", "/sys/fs/cgroup", "tmpfs", 0, NULL) < 0)
		return 2;
	if (cgroup_probe(&host, &err) < 0 || hierarchies_of(&host, found) != 1)
		return 3;
	return strcmp(found[0].mount_point, "/mnt/cg") == 0 && found[0].is_v2 == h->is_v2 ? 0 : 4;
}

static void test_probe_elsewhere(void **state)
{
	struct fixture *f = *state;
	struct hierarchy h[HIERARCHY_MAX];
	pid_t pid;

	NEED_CGROUPS(f);
	(void)hierarchies_of(&f->host, h);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(probe_elsewhere(&h[0]));
	assert_int_equal(reap(pid), 0);
}

/* Decision 29: every line of a member's /proc/self/cgroup ends in "/" in its own namespace. */
static int sees_roots(void)
{
	FILE *self;
	char line[512];

	if (unshare(CLONE_NEWCGROUP) < 0 || !(self = fopen("/proc/self/cgroup", "re")))
		return 2;
	while (fgets(line, sizeof(line), self)) {
		if (!strstr(line, ":/\n"))
			return 3;
	}
	(void)fclose(self);
	return 0;
}

static void test_create_join_remove(void **state)
{
	struct fixture *f = *state;
	const struct dj_plan *plan;

	NEED_CGROUPS(f);
	plan = plan_for(f, NULL, NULL);
	ASSERT_OK(f, cgroup_create(plan, &f->host, &f->cg, &f->err));
	assert_true(f->cg.made);
	assert_int_equal(count_dirs(f, f->path), count_hierarchies(f));
	assert_int_equal(reap(spawn(&f->cg, sees_roots)), 0);
	ASSERT_OK(f, cgroup_remove(&f->host, f->path + 1, &f->err));
	assert_int_equal(count_dirs(f, f->path), 0);
	ASSERT_OK(f, cgroup_remove(&f->host, f->path + 1, &f->err)); /* gone already */
	cgroup_close(&f->cg);
	ASSERT_OK(f, cgroup_open(&f->host, f->path + 1, &f->cg, &f->err));
	assert_int_equal(f->cg.v2, -1);
	assert_int_equal(v1_with(&f->cg, "cgroup.procs"), -1);
}

#define SET(value)                                                                                 \
	{                                                                                          \
		true, value                                                                        \
	}

static void test_limits(void **state)
{
	struct fixture *f = *state;
	const struct oci_resources r = {
		.memory = { .limit = SET(64 << 20), .swap = SET(64 << 20) },
		.cpu = { .shares = SET(512),
			 .quota = SET(50000),
			 .period = SET(200000),
			 .burst = SET(10000),
			 .cpus = (char[]){ "0" },
			 .mems = (char[]){ "0" } },
		.pids_limit = SET(42),
	};
	static const struct {
		const char *v1_file, *v1, *v2_file, *v2;
	} want[] = {
		{ "memory.limit_in_bytes", "67108864", "memory.max", "67108864" },
		{ "cpu.shares", "512", "cpu.weight", "59" },
		{ "cpu.cfs_quota_us", "50000", "cpu.max", "50000 200000" },
		{ "cpu.cfs_burst_us", "10000", "cpu.max.burst", "10000" },
		{ "cpuset.cpus", "0", "cpuset.cpus", "0" },
		{ "pids.max", "42", "pids.max", "42" },
	};
	const struct dj_plan *plan;

	NEED_CGROUPS(f);
	plan = plan_for(f, &r, NULL);
	ASSERT_OK(f, cgroup_create(plan, &f->host, &f->cg, &f->err));
	ASSERT_OK(f, cgroup_apply(plan, &f->host, &f->cg, unavailable, f, &f->err));
	for (size_t i = 0; i < DJ_COUNT(want); i++) {
		int v1 = v1_with(&f->cg, want[i].v1_file);

		if (v1 >= 0)
			assert_text(v1, want[i].v1_file, want[i].v1);
		else
			assert_text(f->cg.v2, want[i].v2_file, want[i].v2);
	}
	assert_int_equal(reap(spawn(&f->cg, sees_roots)), 0);
}

/* What the files check against each other must not depend on the order the plan has. */
static void test_raise_and_lower(void **state)
{
	struct fixture *f = *state;
	static const int64_t sizes[] = { 64 << 20, 512 << 20, 32 << 20 };

	NEED_CGROUPS(f);
	for (size_t i = 0; i < DJ_COUNT(sizes); i++) {
		const struct oci_resources r = {
			.memory = { .limit = SET(sizes[i]), .swap = SET(sizes[i]) },
			.cpu = { .quota = SET(sizes[i] / 1024),
				 .period = SET(1000000 - 1000 * i),
				 .burst = SET((uint64_t)sizes[i] / 1024) },
		};
		const struct dj_plan *plan = plan_for(f, &r, NULL);

		if (i == 0)
			ASSERT_OK(f, cgroup_create(plan, &f->host, &f->cg, &f->err));
		ASSERT_OK(f, cgroup_apply(plan, &f->host, &f->cg, unavailable, f, &f->err));
	}
}

/* Only what the config asks for is an error (decision 16), told without "no such file". */
static void test_unavailable(void **state)
{
	struct fixture *f = *state;
	const struct policy_settings added = { .added_memory = true };
	const struct oci_resources absurd = { .memory.limit = SET(INT64_MAX - 1),
					      .block_io.leaf_weight = SET(10) };
	const struct oci_resources limit = { .memory.limit = SET(1 << 20) };
	struct host_facts bare;
	const struct dj_plan *plan;

	NEED_CGROUPS(f);
	if (plan_v1_hierarchy(&f->host, "blkio") >= 0) {
		plan = plan_for(f, &absurd, NULL);
		ASSERT_OK(f, cgroup_create(plan, &f->host, &f->cg, &f->err));
		assert_int_equal(cgroup_apply(plan, &f->host, &f->cg, unavailable, f, &f->err), -1);
		assert_int_equal(f->err.code, DONJON_E_UNSUPPORTED);
		assert_non_null(strstr(f->err.text, "blockIO.leafWeight: this kernel"));
		dj_error_clear(&f->err);
		cgroup_close(&f->cg);
	}
	bare = f->host;
	f->host.n_v1 = 0;
	f->host.v2_controllers[0] = '\0';
	plan = plan_for(f, &limit, &added);
	f->host = bare;
	f->host.n_v1 = 0;
	f->cg = (struct cgroup)CGROUP_EMPTY;
	ASSERT_OK(f, cgroup_apply(plan, &f->host, &f->cg, unavailable, f, &f->err));
	f->host = bare;
	assert_string_equal(f->noted, "linux.resources.devices"); /* the last of two */
}

static void test_populated_is_refused(void **state)
{
	struct fixture *f = *state;
	struct cgroup second = CGROUP_EMPTY;
	const struct dj_plan *plan;
	pid_t pid;

	NEED_CGROUPS(f);
	plan = plan_for(f, NULL, NULL);
	ASSERT_OK(f, cgroup_create(plan, &f->host, &f->cg, &f->err));
	pid = spawn(&f->cg, NULL);
	assert_int_equal(cgroup_create(plan, &f->host, &second, &f->err), -1);
	assert_non_null(strstr(f->err.text, "already has processes"));
	dj_error_clear(&f->err);
	assert_int_equal(count_dirs(f, f->path), count_hierarchies(f)); /* theirs is untouched */
	ASSERT_OK(f, cgroup_kill_all(&f->cg, SIGKILL, &f->err));
	assert_int_equal(reap(pid), SIGKILL);
}

static void test_empty_is_adopted(void **state)
{
	struct fixture *f = *state;
	struct cgroup second = CGROUP_EMPTY;
	const struct dj_plan *plan;

	NEED_CGROUPS(f);
	plan = plan_for(f, NULL, NULL);
	ASSERT_OK(f, cgroup_create(plan, &f->host, &f->cg, &f->err));
	ASSERT_OK(f, cgroup_create(plan, &f->host, &second, &f->err));
	assert_false(second.made);
	cgroup_close(&second);
}

static void test_frozen_is_refused(void **state)
{
	struct fixture *f = *state;
	struct cgroup second = CGROUP_EMPTY;
	const struct dj_plan *plan;

	NEED_CGROUPS(f);
	plan = plan_for(f, NULL, NULL);
	ASSERT_OK(f, cgroup_create(plan, &f->host, &f->cg, &f->err));
	ASSERT_OK(f, cgroup_freeze(&f->cg, true, &f->err));
	assert_int_equal(cgroup_is_frozen(&f->cg), 1);
	assert_int_equal(cgroup_create(plan, &f->host, &second, &f->err), -1);
	assert_non_null(strstr(f->err.text, "is frozen"));
	dj_error_clear(&f->err);
	/* Below it everything is frozen, too: the new one goes away again. */
	(void)strcat(f->path, "/below");
	plan = plan_for(f, NULL, NULL);
	assert_int_equal(cgroup_create(plan, &f->host, &second, &f->err), -1);
	assert_int_equal(count_dirs(f, f->path), 0);
	*strrchr(f->path, '/') = '\0';
	dj_error_clear(&f->err);
	ASSERT_OK(f, cgroup_freeze(&f->cg, false, &f->err));
	assert_int_equal(cgroup_is_frozen(&f->cg), 0);
}

/* A name that is taken by a file in one hierarchy: nothing stays behind in the others. */
static void test_failure_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	bool v1 = f->host.n_v1 > 0;
	const struct dj_plan *plan;
	char parent[128];

	NEED_CGROUPS(f);
	(void)snprintf(parent, sizeof(parent), "%s", f->path);
	(void)strcat(f->path, "/upper");
	/* Hierarchies have these files in every cgroup, the root included. */
	(void)strcat(f->path, v1 ? "/tasks" : "/cgroup.procs");
	plan = plan_for(f, NULL, NULL);
	assert_int_equal(cgroup_create(plan, &f->host, &f->cg, &f->err), -1);
	dj_error_clear(&f->err);
	assert_int_equal(count_dirs(f, parent), 0);
	(void)snprintf(f->path, sizeof(f->path), "%s",
		       v1 ? "/memory.usage_in_bytes" : "/cgroup.controllers");
	plan = plan_for(f, NULL, NULL);
	if (!v1 || plan_v1_hierarchy(&f->host, "memory") >= 0)
		assert_int_equal(cgroup_create(plan, &f->host, &f->cg, &f->err), -1);
	assert_int_equal(count_dirs(f, f->path), 0);
	(void)snprintf(f->path, sizeof(f->path), "%s", parent);
}

/* Parents we made go with their last child; one that was there stays. */
/* With the roots that its making left open, and without. */
static void test_remove_unused(void **state)
{
	struct fixture *f = *state;
	struct cgroup none = CGROUP_EMPTY;
	const struct cgroup *const opened[] = { &f->cg, &none };
	const struct dj_plan *plan;

	NEED_CGROUPS(f);
	(void)strcat(f->path, "/below"); /* and a parent that goes with it */
	for (size_t i = 0; i < DJ_COUNT(opened); i++) {
		pid_t pid;

		plan = plan_for(f, NULL, NULL);
		ASSERT_OK(f, cgroup_create(plan, &f->host, &f->cg, &f->err));
		pid = spawn(&f->cg, NULL);
		assert_false(cgroup_remove_unused(&f->host, opened[i], f->path + 1));
		assert_int_equal(count_dirs(f, f->path), count_hierarchies(f));
		ASSERT_OK(f, cgroup_kill_all(&f->cg, SIGKILL, &f->err));
		assert_int_equal(reap(pid), SIGKILL);
		assert_true(cgroup_remove_unused(&f->host, opened[i], f->path + 1));
		assert_true(cgroup_remove_unused(&f->host, opened[i], f->path + 1));
		*strrchr(f->path, '/') = '\0';
		assert_int_equal(count_dirs(f, f->path), 0);
		(void)strcat(f->path, "/below");
		cgroup_close(&f->cg);
	}
	*strrchr(f->path, '/') = '\0';
}

static void test_parents(void **state)
{
	struct fixture *f = *state;
	struct hierarchy h[HIERARCHY_MAX];
	struct cgroup second = CGROUP_EMPTY;
	const struct dj_plan *plan;
	char top[128], full[512];

	NEED_CGROUPS(f);
	(void)snprintf(top, sizeof(top), "%s", f->path);
	(void)strcat(f->path, "/a/one");
	plan = plan_for(f, NULL, NULL);
	ASSERT_OK(f, cgroup_create(plan, &f->host, &f->cg, &f->err));
	f->path[strlen(f->path) - 3] = '\0';
	(void)strcat(f->path, "two");
	plan = plan_for(f, NULL, NULL);
	ASSERT_OK(f, cgroup_create(plan, &f->host, &second, &f->err));
	cgroup_close(&second);
	ASSERT_OK(f, cgroup_remove(&f->host, f->path + 1, &f->err));
	assert_int_equal(count_dirs(f, top), count_hierarchies(f)); /* "one" is still there */
	f->path[strlen(f->path) - 3] = '\0';
	(void)strcat(f->path, "one");
	ASSERT_OK(f, cgroup_remove(&f->host, f->path + 1, &f->err));
	assert_int_equal(count_dirs(f, top), 0);
	cgroup_close(&f->cg);

	(void)hierarchies_of(&f->host, h);
	(void)snprintf(full, sizeof(full), "%s%s", h[0].mount_point, top);
	assert_int_equal(mkdir(full, 0755), 0);
	plan = plan_for(f, NULL, NULL);
	ASSERT_OK(f, cgroup_create(plan, &f->host, &f->cg, &f->err));
	ASSERT_OK(f, cgroup_remove(&f->host, f->path + 1, &f->err));
	assert_int_equal(count_dirs(f, top), 1);
	assert_int_equal(rmdir(full), 0);
}

/* Containers that come and go below one parent, which each of them may make and remove. */
static int come_and_go(struct fixture *f, const char *name)
{
	const struct dj_plan *plan;

	(void)strcat(f->path, name);
	plan = plan_for(f, NULL, NULL);
	for (int i = 0; i < 100; i++) {
		struct cgroup cg = CGROUP_EMPTY;

		if (cgroup_create(plan, &f->host, &cg, &f->err) < 0)
			return 1;
		cgroup_close(&cg);
		if (cgroup_remove(&f->host, f->path + 1, &f->err) < 0)
			return 2;
	}
	return 0;
}

static void test_shared_parent(void **state)
{
	static const char *const names[] = { "/a", "/b", "/c/d", "/c/e" };
	struct fixture *f = *state;
	pid_t pids[DJ_COUNT(names)];

	NEED_CGROUPS(f);
	for (size_t i = 0; i < DJ_COUNT(names); i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			_exit(come_and_go(f, names[i]));
	}
	for (size_t i = 0; i < DJ_COUNT(names); i++)
		assert_int_equal(reap(pids[i]), 0);
	assert_int_equal(count_dirs(f, f->path), 0);
}

static void test_freeze_and_kill(void **state)
{
	struct fixture *f = *state;
	const struct dj_plan *plan;
	dj_auto_free pid_t *pids = NULL;
	size_t n = 0;
	pid_t pid;

	NEED_CGROUPS(f);
	plan = plan_for(f, NULL, NULL);
	ASSERT_OK(f, cgroup_create(plan, &f->host, &f->cg, &f->err));
	pid = spawn(&f->cg, NULL);
	ASSERT_OK(f, cgroup_freeze(&f->cg, true, &f->err));
	ASSERT_OK(f, cgroup_pids(&f->cg, &pids, &n, &f->err));
	assert_int_equal(n, 1);
	assert_int_equal(pids[0], pid);
	ASSERT_OK(f, cgroup_kill_all(&f->cg, SIGKILL, &f->err)); /* S5: thaws */
	assert_int_equal(reap(pid), SIGKILL);
	assert_int_equal(cgroup_oom_kills(&f->cg), 0);
}

static void test_one_file_tells(void **state)
{
	struct fixture *f = *state;
	struct cgroup_freezer freezer;
	const struct dj_plan *plan;

	NEED_CGROUPS(f);
	plan = plan_for(f, NULL, NULL);
	ASSERT_OK(f, cgroup_create(plan, &f->host, &f->cg, &f->err));
	ASSERT_OK(f, cgroup_freezer_open(&f->host, &freezer, &f->err));
	assert_int_equal(cgroup_freezer_ask(&freezer, f->path + 1), 0);
	ASSERT_OK(f, cgroup_freeze(&f->cg, true, &f->err));
	assert_int_equal(cgroup_freezer_ask(&freezer, f->path + 1), 1);
	ASSERT_OK(f, cgroup_freeze(&f->cg, false, &f->err));
	assert_int_equal(cgroup_freezer_ask(&freezer, f->path + 1), 0);
	ASSERT_OK(f, cgroup_remove(&f->host, f->path + 1, &f->err));
	assert_int_equal(cgroup_freezer_ask(&freezer, f->path + 1), 0);
	dj_close(&freezer.root);
	freezer.root = -1;
	assert_int_equal(cgroup_freezer_ask(&freezer, f->path + 1), 0);
}

static int fork_forever(void)
{
	(void)signal(SIGCHLD, SIG_IGN);
	while (getppid() != 0) { /* that is: forever */
		if (fork() == 0)
			(void)nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
	}
	return 0;
}

/* Both ways: the kernel's, and signals under a freeze where cgroup.kill is out of reach. */
static void test_kill_forking(void **state)
{
	struct fixture *f = *state;
	const struct oci_resources r = { .pids_limit = SET(30) };
	const struct dj_plan *plan;

	NEED_CGROUPS(f);
	plan = plan_for(f, &r, NULL);
	ASSERT_OK(f, cgroup_create(plan, &f->host, &f->cg, &f->err));
	ASSERT_OK(f, cgroup_apply(plan, &f->host, &f->cg, unavailable, f, &f->err));
	for (int way = 0; way < 2; way++) {
		struct cgroup seen = f->cg;
		dj_auto_free pid_t *pids = NULL;
		size_t n = 0;
		pid_t pid = spawn(&f->cg, fork_forever);

		(void)nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
		if (way == 1 && f->cg.n_v1 > 0)
			seen.v2 = -1;
		ASSERT_OK(f, cgroup_kill_all(&seen, SIGKILL, &f->err));
		assert_int_equal(reap(pid), SIGKILL);
		ASSERT_OK(f, cgroup_pids(&f->cg, &pids, &n, &f->err));
		assert_int_equal(n, 0);
	}
}

static void test_signal(void **state)
{
	struct fixture *f = *state;
	const struct dj_plan *plan;
	pid_t pids[80];

	NEED_CGROUPS(f);
	plan = plan_for(f, NULL, NULL);
	ASSERT_OK(f, cgroup_create(plan, &f->host, &f->cg, &f->err));
	for (size_t i = 0; i < DJ_COUNT(pids); i++)
		pids[i] = spawn(&f->cg, NULL);
	ASSERT_OK(f, cgroup_kill_all(&f->cg, SIGTERM, &f->err));
	for (size_t i = 0; i < DJ_COUNT(pids); i++)
		assert_int_equal(reap(pids[i]), SIGTERM);
}

static int linger(void)
{
	(void)nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	return 0;
}

/* Sub-cgroups the container made, deeper than a path can be long, and a process on its way out. */
static void test_remove_busy_tree(void **state)
{
	enum { DEPTH = 40 };
	struct fixture *f = *state;
	const struct dj_plan *plan;
	char name[201];
	int at;
	pid_t pid;

	NEED_CGROUPS(f);
	memset(name, 'n', sizeof(name) - 1);
	name[200] = '\0';
	plan = plan_for(f, NULL, NULL);
	ASSERT_OK(f, cgroup_create(plan, &f->host, &f->cg, &f->err));
	at = openat(f->cg.v2 >= 0 ? f->cg.v2 : f->cg.v1[0], ".",
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < DEPTH; i++) {
		int next;

		assert_int_equal(mkdirat(at, name, 0755), 0);
		assert_int_equal(mkdirat(at, "beside", 0755), 0);
		next = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		dj_close(&at);
		at = next;
	}
	dj_close(&at);
	pid = spawn(&f->cg, linger);
	ASSERT_OK(f, cgroup_remove(&f->host, f->path + 1, &f->err));
	assert_int_equal(count_dirs(f, f->path), 0);
	assert_int_equal(reap(pid), 0);
}

/* M13: more memory than the limit. */
static int eat_memory(void)
{
	size_t size = 64U << 20;
	char *p = malloc(size);

	for (size_t i = 0; p && i < size; i += 4096)
		((volatile char *)p)[i] = 1;
	return 0;
}

static void test_oom_is_counted(void **state)
{
	struct fixture *f = *state;
	const struct oci_resources r = { .memory = { .limit = SET(8 << 20),
						     .swap = SET(8 << 20) } };
	const struct dj_plan *plan;

	NEED_CGROUPS(f);
	plan = plan_for(f, &r, NULL);
	ASSERT_OK(f, cgroup_create(plan, &f->host, &f->cg, &f->err));
	if (dir_with(&f->cg, "memory.oom_control", "memory.events") < 0)
		skip();
	ASSERT_OK(f, cgroup_apply(plan, &f->host, &f->cg, unavailable, f, &f->err));
	assert_int_equal(reap(spawn(&f->cg, eat_memory)), SIGKILL);
	assert_int_equal(cgroup_oom_kills(&f->cg), 1);
}

static void test_delegate(void **state)
{
	struct fixture *f = *state;
	const struct oci_id_map map = { 0, 100000, 65536 };
	struct dj_plan *plan;
	struct plan_list maps;
	struct stat dir, procs, other;

	NEED_CGROUPS(f);
	if (!f->host.v2_mount_point[0])
		skip();
	(void)plan_for(f, NULL, NULL);
	maps = plan_add_list(&f->block, &map, 1, sizeof(map));
	plan = plan_block_plan(&f->block);
	plan->uid_maps = maps;
	plan->uid = 5;
	plan->cgroup_chown = true;
	ASSERT_OK(f, cgroup_create(plan, &f->host, &f->cg, &f->err));
	ASSERT_OK(f, cgroup_apply(plan, &f->host, &f->cg, unavailable, f, &f->err));
	assert_int_equal(fstat(f->cg.v2, &dir), 0);
	assert_int_equal(fstatat(f->cg.v2, "cgroup.procs", &procs, 0), 0);
	assert_int_equal(fstatat(f->cg.v2, "cgroup.max.depth", &other, 0), 0);
	assert_int_equal(dir.st_uid, 100005);
	assert_int_equal(procs.st_uid, 100005);
	assert_int_equal(other.st_uid, 0);
}

/* ---- joining ---- */

static int open_to_join(struct fixture *f, const char *choice, struct cgroup *out,
			const char *below[static HIERARCHY_MAX])
{
	const struct cgroup_choice asked = { .v = &choice, .n = choice != NULL, .member = getpid() };

	return cgroup_open_to_join(&f->host, f->path + 1, &asked, &f->arena, out, below, &f->err);
}

/* A container's cgroup with "sub" in every hierarchy. */
static void make_with_sub(struct fixture *f)
{
	ASSERT_OK(f, cgroup_create(plan_for(f, NULL, NULL), &f->host, &f->cg, &f->err));
	for (size_t i = 0; i < f->cg.n_v1; i++)
		if (f->cg.v1[i] >= 0)
			assert_int_equal(mkdirat(f->cg.v1[i], "sub", 0755), 0);
	if (f->cg.v2 >= 0)
		assert_int_equal(mkdirat(f->cg.v2, "sub", 0755), 0);
}

static void test_join_own(void **state)
{
	struct fixture *f = *state;
	const char *below[HIERARCHY_MAX] = { 0 };
	struct cgroup to = CGROUP_EMPTY;

	NEED_CGROUPS(f);
	make_with_sub(f);
	ASSERT_OK(f, open_to_join(f, NULL, &to, below));
	for (size_t i = 0; i < HIERARCHY_MAX; i++)
		assert_null(below[i]);
	for (size_t i = 0; i < f->host.n_v1; i++)
		assert_true(to.v1_tasks[i] >= 0);
	cgroup_close(&to);
}

static void test_join_below(void **state)
{
	static const char *const good[] = { "sub", "/sub", "./sub/", "//sub" };
	struct fixture *f = *state;

	NEED_CGROUPS(f);
	make_with_sub(f);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const char *below[HIERARCHY_MAX] = { 0 };
		struct cgroup to = CGROUP_EMPTY;

		ASSERT_OK(f, open_to_join(f, good[i], &to, below));
		for (size_t k = 0; k < count_hierarchies(f); k++)
			assert_string_equal(below[k], "sub");
		cgroup_close(&to);
	}
}

/* Nothing that leads elsewhere is repaired; nothing stays open. */
static void test_join_refused(void **state)
{
	static const struct {
		const char *choice;
		enum donjon_code code;
	} rows[] = {
		{ "..", DONJON_E_USAGE },	  { "sub/../..", DONJON_E_USAGE },
		{ "sub/../sub", DONJON_E_USAGE }, { "/../sub", DONJON_E_USAGE },
		{ "nope:sub", DONJON_E_USAGE },	  { "missing", DONJON_E_SYSTEM },
		{ "sub/tasks", DONJON_E_SYSTEM },
	};
	struct fixture *f = *state;

	NEED_CGROUPS(f);
	make_with_sub(f);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *below[HIERARCHY_MAX] = { 0 };
		struct cgroup to = CGROUP_EMPTY;

		f->err = (struct donjon_error){ 0 };
		print_message("# %s\n", rows[i].choice);
		assert_int_equal(open_to_join(f, rows[i].choice, &to, below), -1);
		assert_int_equal(f->err.code, rows[i].code);
		assert_non_null(strstr(f->err.text, "cgroup"));
		assert_int_equal(to.v2, -1);
	}
}

/* CVE-2025-47291: one hierarchy less is a limit less. */
static void test_join_incomplete(void **state)
{
	struct fixture *f = *state;
	struct hierarchy h[HIERARCHY_MAX];
	size_t n = hierarchies_of(&f->host, h);
	const char *below[HIERARCHY_MAX] = { 0 };
	struct cgroup to = CGROUP_EMPTY;
	char full[512];

	NEED_CGROUPS(f);
	ASSERT_OK(f, cgroup_create(plan_for(f, NULL, NULL), &f->host, &f->cg, &f->err));
	(void)snprintf(full, sizeof(full), "%s%s", h[n - 1].mount_point, f->path);
	assert_int_equal(rmdir(full), 0);
	assert_int_equal(open_to_join(f, NULL, &to, below), -1);
	assert_non_null(strstr(f->err.text, "is gone"));
}

/* A container without a cgroup of its own is joined where we are, and has nothing below. */
static void test_join_none(void **state)
{
	struct fixture *f = *state;
	const char *below[HIERARCHY_MAX] = { 0 }, *choice = "sub";
	struct cgroup to = CGROUP_EMPTY;

	ASSERT_OK(f, cgroup_open_to_join(&f->host, "", &(struct cgroup_choice){ 0 }, &f->arena, &to, below,
					 &f->err));
	assert_int_equal(cgroup_open_to_join(&f->host, "", &(struct cgroup_choice){ .v = &choice, .n = 1 },
					     &f->arena, &to, below, &f->err),
			 -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_probe),
		TEST(test_probe_elsewhere),
		TEST(test_create_join_remove),
		TEST(test_limits),
		TEST(test_raise_and_lower),
		TEST(test_unavailable),
		TEST(test_populated_is_refused),
		TEST(test_empty_is_adopted),
		TEST(test_frozen_is_refused),
		TEST(test_failure_leaves_nothing),
		TEST(test_remove_unused),
		TEST(test_parents),
		TEST(test_shared_parent),
		TEST(test_freeze_and_kill),
		TEST(test_one_file_tells),
		TEST(test_kill_forking),
		TEST(test_signal),
		TEST(test_remove_busy_tree),
		TEST(test_oom_is_counted),
		TEST(test_delegate),
		TEST(test_join_own),
		TEST(test_join_below),
		TEST(test_join_refused),
		TEST(test_join_incomplete),
		TEST(test_join_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
