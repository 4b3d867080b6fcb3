/* Device rules: v1's lines by table, and both versions' verdicts asked from the kernel itself. */
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
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define ALL -1
#define RULE(allow, type, major, minor, access)                                                    \
	{ (allow), (type), (major), (minor), ((access) & 4) != 0, ((access) & 2) != 0,             \
	  ((access) & 1) != 0 }
enum { R = 4, W = 2, M = 1 };
#define DENY_ALL RULE(false, 'a', ALL, ALL, R | W | M)
#define ALLOW_ALL RULE(true, 'a', ALL, ALL, R | W | M)

enum { RULES_MAX = 8 };

/* ---- v1 lines ---- */

static void test_lines(void **state)
{
	static const struct {
		struct oci_device_rule v[RULES_MAX];
		size_t n;
		const char *want; /* '-' deny, '+' allow; "!": cannot be said on v1 */
	} table[] = {
		{ { { 0 } }, 0, "-a " },
		{ { DENY_ALL }, 1, "-a " },
		{ { ALLOW_ALL }, 1, "+a " },
		{ { DENY_ALL, RULE(true, 'c', 1, 3, R | W | M) }, 2, "-a +c 1:3 rwm " },
		{ { DENY_ALL, RULE(true, 'c', 1, 3, R), RULE(true, 'c', 1, 3, W) }, 3, "-a +c 1:3 rw " },
		{ { DENY_ALL, RULE(true, 'c', 136, ALL, R | W), RULE(true, 'b', ALL, ALL, M) }, 3,
		  "-a +c 136:* rw +b *:* m " },
		{ { RULE(true, 'c', 1, 3, R), DENY_ALL }, 2, "-a " },
		{ { DENY_ALL, RULE(true, 'c', 1, 3, R | W), RULE(false, 'c', 1, 3, W) }, 3, "-a +c 1:3 r " },
		{ { DENY_ALL, RULE(true, 'c', 1, 3, R), RULE(false, 'c', 1, ALL, R) }, 3, "-a " },
		{ { DENY_ALL, RULE(true, 'c', ALL, ALL, R), RULE(false, 'c', 1, 3, R) }, 3, "!" },
		{ { DENY_ALL, RULE(true, 'c', 1, ALL, R), RULE(false, 'c', ALL, 3, R) }, 3, "!" },
		{ { DENY_ALL, RULE(true, 'c', 1, 3, W), RULE(true, 'c', 1, ALL, R) }, 3,
		  "-a +c 1:3 rw +c 1:* r " },
		/* The wildcard that only makes nodes gives way. */
		{ { DENY_ALL, RULE(true, 'c', ALL, ALL, M), RULE(true, 'c', 10, 200, R | W | M),
		    RULE(false, 'c', 10, 200, R | W | M) }, 4, "-a " },
		{ { DENY_ALL, RULE(true, 'c', ALL, ALL, M), RULE(false, 'c', 1, 3, R | W) }, 3,
		  "-a +c *:* m " },
		{ { ALLOW_ALL, RULE(false, 'c', 1, 11, W) }, 2, "+a -c 1:11 w " },
		{ { ALLOW_ALL, RULE(false, 'c', 1, ALL, W), RULE(true, 'c', 1, 11, W) }, 3, "!" },
		/* "a 1:3 r" would be everything to the kernel. */
		{ { DENY_ALL, RULE(true, 'a', 1, 3, R) }, 2, "-a +b 1:3 r +c 1:3 r " },
		{ { DENY_ALL, RULE(true, 'a', ALL, ALL, R) }, 2, "-a +b *:* r +c *:* r " },
	};

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(table); i++) {
		dj_auto_free struct device_line *lines = NULL;
		struct donjon_error err = { 0 };
		char got[512] = "!";
		size_t n = 0, used = 0;

		if (device_lines(table[i].v, table[i].n, &lines, &n, &err) < 0)
			assert_int_equal(err.code, DONJON_E_UNSUPPORTED);
		for (size_t k = 0; k < n; k++)
			used += (size_t)snprintf(got + used, sizeof(got) - used, "%c%s ",
						 lines[k].allow ? '+' : '-', lines[k].text);
		assert_string_equal(got, table[i].want);
	}
}

/* ---- the kernel's verdicts ---- */

/* Numbers nobody drives.  access(2) asks the device cgroup as open(2) does, but not for a driver
 * (which would start modprobe). */
enum { BASE = 240, SIDE = 2 };
enum { KINDS = 4 }; /* reading, writing, both; mknod */
enum { PROBES = 2 * SIDE * SIDE * KINDS };

static const int wanted_access[KINDS] = { R, W, R | W, M };
static const int access_modes[KINDS] = { R_OK, W_OK, R_OK | W_OK, 0 };

struct probe {
	char type;
	int major, minor, kind;
};

static struct probe probe_of(size_t i)
{
	return (struct probe){ .kind = (int)(i % KINDS),
			       .minor = (int)(i / KINDS % SIDE),
			       .major = BASE + (int)(i / KINDS / SIDE % SIDE),
			       .type = i / KINDS / SIDE / SIDE ? 'b' : 'c' };
}

static void node_name(const struct probe *p, char *out, size_t size)
{
	(void)snprintf(out, size, "/tmp/%c-%d-%d", p->type, p->major, p->minor);
}

static int make_node(const struct probe *p, const char *name)
{
	return mknod(name, (p->type == 'c' ? S_IFCHR : S_IFBLK) | 0600U,
		     makedev((unsigned)p->major, (unsigned)p->minor));
}

static bool is_allowed(const struct probe *p)
{
	char name[64];

	node_name(p, name, sizeof(name));
	if (p->kind == 3) {
		(void)strcat(name, "-new");
		return make_node(p, name) == 0 && unlink(name) == 0;
	}
	return access(name, access_modes[p->kind]) == 0;
}

/* What the rules mean: for each kind of access the last rule that speaks about it. */
static bool should_allow(const struct oci_device_rule *r, size_t n, const struct probe *p)
{
	for (int bit = 1; bit <= R; bit *= 2) {
		bool allowed = false;

		for (size_t i = 0; i < n; i++) {
			int access = (r[i].read ? R : 0) | (r[i].write ? W : 0) | (r[i].mknod ? M : 0);

			if ((access & bit) && (r[i].type == 'a' || r[i].type == p->type) &&
			    (r[i].major < 0 || r[i].major == p->major) &&
			    (r[i].minor < 0 || r[i].minor == p->minor))
				allowed = r[i].allow;
		}
		if ((wanted_access[p->kind] & bit) && !allowed)
			return false;
	}
	return true;
}

/* The verdicts a member gets, one byte a probe. */
static void ask_kernel(int cgroup_fd, const char *join_file, char out[static PROBES])
{
	int pipes[2];
	pid_t pid;
	int status;

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (cgroup_write(cgroup_fd, join_file, "0") < 0)
			_exit(1);
		for (size_t i = 0; i < PROBES; i++) {
			struct probe p = probe_of(i);

			out[i] = (char)is_allowed(&p);
		}
		_exit(write(pipes[1], out, PROBES) == PROBES ? 0 : 2);
	}
	(void)close(pipes[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(read(pipes[0], out, PROBES), PROBES);
	(void)close(pipes[0]);
}

static void compare(const struct oci_device_rule *rules, size_t n, bool v2,
		    const char got[static PROBES])
{
	for (size_t i = 0; i < PROBES; i++) {
		struct probe p = probe_of(i);
		/* On v1 the mknod wildcard may have given way, and reading allowed by one and
		 * writing by another of two crossing wildcards is not both. */
		bool is_stricter = !v2 && p.kind >= 2 && !got[i];

		if (should_allow(rules, n, &p) != (got[i] != 0) && !is_stricter) {
			for (size_t k = 0; k < n; k++)
				print_error("%s %c %lld:%lld %s%s%s\n", rules[k].allow ? "allow" : "deny",
					    rules[k].type, (long long)rules[k].major,
					    (long long)rules[k].minor, rules[k].read ? "r" : "",
					    rules[k].write ? "w" : "", rules[k].mknod ? "m" : "");
			fail_msg("%c %d:%d kind %d: %s", p.type, p.major, p.minor, p.kind,
				 got[i] ? "allowed" : "denied");
		}
	}
}

struct fixture {
	struct host_facts host;
	char path[512]; /* a cgroup of the tree under test */
	struct cgroup cg;
	const char *join_file;
};

/* A fresh cgroup that only has the tree under test. */
static int open_fresh(struct fixture *f, bool v2)
{
	int index = plan_v1_hierarchy(&f->host, "devices");
	const char *mount_point = v2 ? f->host.v2_mount_point : f->host.v1[index].mount_point;
	int fd;

	(void)snprintf(f->path, sizeof(f->path), "%s/donjon-test-devices-%d", mount_point,
		       (int)getpid());
	assert_int_equal(mkdir(f->path, 0755), 0);
	fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	f->cg = (struct cgroup)CGROUP_EMPTY;
	f->join_file = v2 ? "cgroup.procs" : "tasks";
	if (v2) {
		f->cg.v2 = fd;
	} else {
		f->cg.n_v1 = 1;
		f->cg.v1[0] = fd;
		f->cg.v1_tasks[0] = -1;
	}
	return fd;
}

static void close_fresh(struct fixture *f)
{
	cgroup_close(&f->cg);
	for (int i = 0; i < 1000 && rmdir(f->path) < 0 && errno == EBUSY; i++)
		(void)usleep(1000);
}

/* 1, or 0 where the rules cannot be said on v1. */
static int apply(struct fixture *f, const struct oci_device_rule *rules, size_t n)
{
	dj_auto_arena struct dj_arena arena = { 0 };
	struct donjon_error err = { 0 };
	struct plan_block block;
	struct plan_list list;
	int r;

	plan_block_init(&block, &arena);
	list = plan_add_list(&block, rules, n, sizeof(*rules));
	plan_block_plan(&block)->device_rules = list;
	(void)plan_add_text(&block, "");
	r = cgroup_apply_devices(plan_block_plan(&block), &f->cg, &err);
	if (r < 0 && err.code != DONJON_E_UNSUPPORTED)
		fail_msg("%s", err.text);
	return r == 0;
}

static bool check_rules(struct fixture *f, bool v2, const struct oci_device_rule *rules, size_t n)
{
	char got[PROBES];
	int fd = open_fresh(f, v2);
	bool applied = apply(f, rules, n);

	if (applied) {
		ask_kernel(fd, f->join_file, got);
		compare(rules, n, v2, got);
	}
	close_fresh(f);
	return applied;
}

/* Plans always start with a total rule; the rest is drawn, the same on every run. */
static size_t draw_rules(unsigned *seed, struct oci_device_rule *out)
{
	size_t n = 1 + (size_t)rand_r(seed) % (RULES_MAX - 1);

	out[0] = (struct oci_device_rule)DENY_ALL;
	out[0].allow = rand_r(seed) % 4 == 0;
	for (size_t i = 1; i < n; i++) {
		struct oci_device_rule r = RULE(rand_r(seed) % 2, "acb"[rand_r(seed) % 3], ALL, ALL,
						1 + rand_r(seed) % 7);

		if (rand_r(seed) % 3)
			r.major = BASE + rand_r(seed) % SIDE;
		if (rand_r(seed) % 3)
			r.minor = rand_r(seed) % SIDE;
		out[i] = r;
	}
	return n;
}

static void check_many(struct fixture *f, bool v2)
{
	enum { DRAWS = 150 };
	unsigned seed = 20;
	size_t applied = 0;

	for (int i = 0; i < DRAWS; i++) {
		struct oci_device_rule rules[RULES_MAX];
		size_t n = draw_rules(&seed, rules);

		applied += check_rules(f, v2, rules, n);
	}
	assert_true(applied >= (v2 ? DRAWS : DRAWS / 3));
}

static void test_v2_verdicts(void **state)
{
	struct fixture *f = *state;

	if (geteuid() != 0 || !f->host.v2_mount_point[0] || access(f->host.v2_mount_point, W_OK) < 0)
		skip();
	check_many(f, true);
}

static void test_v1_verdicts(void **state)
{
	struct fixture *f = *state;
	int index = plan_v1_hierarchy(&f->host, "devices");

	if (geteuid() != 0 || index < 0 || access(f->host.v1[index].mount_point, W_OK) < 0)
		skip();
	check_many(f, false);
}

/* Longer than any real list: the verifier must not find the program too complex. */
static void test_long_list(void **state)
{
	enum { MANY = 2000 };
	struct fixture *f = *state;
	struct oci_device_rule *rules = calloc(MANY, sizeof(*rules));

	if (geteuid() != 0 || !f->host.v2_mount_point[0] || access(f->host.v2_mount_point, W_OK) < 0) {
		free(rules);
		skip();
	}
	assert_non_null(rules);
	rules[0] = (struct oci_device_rule)DENY_ALL;
	for (int i = 1; i < MANY; i++)
		rules[i] = (struct oci_device_rule)RULE(i % 2, i % 3 ? 'c' : 'b', BASE + i % 7, i, 1 + i % 7);
	assert_true(check_rules(f, true, rules, MANY));
	free(rules);
}

/* Nodes in a tmpfs of our own, in a mount namespace of our own. */
static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct donjon_error err = { 0 };

	if (!f || cgroup_probe(&f->host, &err) < 0)
		return -1;
	*state = f;
	if (geteuid() != 0)
		return 0;
	if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0 ||
	    mount("tmpfs", "/tmp", "tmpfs", 0, NULL) < 0)
		return -1;
	for (size_t i = 0; i < PROBES; i += KINDS) {
		struct probe p = probe_of(i);
		char name[64];

		node_name(&p, name, sizeof(name));
		if (make_node(&p, name) < 0)
			return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->path[0]) /* after a failed test */
		(void)rmdir(f->path);
	free(f);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_v2_verdicts),
		cmocka_unit_test(test_v1_verdicts),
		cmocka_unit_test(test_long_list),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
