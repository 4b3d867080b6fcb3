/*
 * Groups of resctrl in a plain directory laid out like one.  What the kernel does with a directory is
 * done by two stand-ins below, as its documentation has it: a new one is filled, a removed one goes
 * with all it holds.  This cannot prove the kernel's own answers: which schemata it takes, what it
 * says of those it does not, that a process which writes itself into `tasks` is moved.  The lab asks
 * for those (tests/lab/test_resctrl.py), but has no cache that is monitored, one domain, and no
 * group that lies; of these this is the only proof.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "cgroup/resctrl.h"
#include "plan/part.h"
#include "plan/rdt.h"
#include "scratch.h"
#include "wrap/json.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/sysmacros.h>

#define DEFAULTS "    L3:0=fffff;1=fffff\n    MB:0=100;1=100\n"

int __real_mkdirat(int dir, const char *name, mode_t mode);
int __real_unlinkat(int dir, const char *name, int flags);
int __wrap_mkdirat(int dir, const char *name, mode_t mode);
int __wrap_unlinkat(int dir, const char *name, int flags);

/* What a new group's `schemata` is, to have its write fail or lead elsewhere. */
static enum { REGULAR, FULL, LINK } schemata_kind;

static void put(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_true(dprintf(fd, "%s", text) >= 0);
	(void)close(fd);
}

/* A new group's files; empty, so that what is written is all there is. */
static void fill(int dir, bool is_monitor)
{
	put(dir, "tasks", "");
	assert_int_equal(__real_mkdirat(dir, "mon_data", 0755), 0);
	if (is_monitor)
		return;
	assert_int_equal(__real_mkdirat(dir, "mon_groups", 0755), 0);
	if (schemata_kind == FULL)
		assert_int_equal(mknodat(dir, "schemata", S_IFCHR | 0600, makedev(1, 7)), 0);
	else if (schemata_kind == LINK)
		assert_int_equal(symlinkat("../schemata", dir, "schemata"), 0);
	else
		put(dir, "schemata", "");
}

int __wrap_mkdirat(int dir, const char *name, mode_t mode)
{
	int r = __real_mkdirat(dir, name, mode);
	dj_auto_close int made = r < 0 ? -1 : openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (r == 0)
		fill(made, faccessat(dir, "schemata", F_OK, AT_SYMLINK_NOFOLLOW) < 0);
	return r;
}

int __wrap_unlinkat(int dir, const char *name, int flags)
{
	char path[64];

	if (flags != AT_REMOVEDIR || faccessat(dir, name, F_OK, 0) < 0)
		return __real_unlinkat(dir, name, flags);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, name);
	return nftw(path, scratch_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static int set_up(void **state)
{
	struct scratch *s;

	schemata_kind = REGULAR;
	if (scratch_setup(state) < 0)
		return -1;
	s = *state;
	fill(s->fd, false);
	scratch_write(s, "schemata", DEFAULTS);
	if (__real_mkdirat(s->fd, "info", 0755) < 0)
		return -1;
	scratch_write(s, "info/last_cmd_status", "ok\n");
	return 0;
}

static const struct dj_plan *plan_for(struct dj_arena *arena, const struct oci_intel_rdt *rdt)
{
	const struct oci_spec spec = { .linux.intel_rdt = *rdt };
	const struct plan_input in = { .id = "box", .spec = &spec };
	struct donjon_error err = { 0 };
	struct plan_block block;
	plan_str id;

	plan_block_init(&block, arena);
	id = plan_add_text(&block, in.id);
	PLAN(&block)->id = id;
	assert_int_equal(plan_rdt(&block, &in, NULL, &err), 0);
	return PLAN(&block);
}

#define WORD(text) ((char *)(uintptr_t)(text))

/* As the engine does it: looked at, made, and removed where that failed. */
static int make(const struct scratch *s, const struct oci_intel_rdt *rdt,
                struct resctrl_place *place, struct donjon_error *err)
{
	struct dj_arena arena = { 0 };
	const struct dj_plan *plan = plan_for(&arena, rdt);
	struct donjon_error again = { 0 };
	bool is_there = false;
	int r;

	*place =
	        (struct resctrl_place){ .group = rdt->clos_id ? rdt->clos_id : "box", .id = "box" };
	r = resctrl_check(s->fd, plan, &is_there, err);
	if (r == 0) {
		place->made = !is_there;
		place->monitored = rdt->monitoring;
		r = resctrl_make(s->fd, plan, is_there, err);
		if (r < 0)
			assert_int_equal(resctrl_remove(s->fd, place, &again), 0);
	}
	dj_arena_done(&arena);
	return r;
}

static bool is_there(const struct scratch *s, const char *path)
{
	return faccessat(s->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void assert_file(const struct scratch *s, const char *path, const char *wanted)
{
	char text[256];

	assert_string_equal(scratch_read(s, path, text, sizeof(text)), wanted);
}

/* ---- making ---- */

static void makes_and_removes_a_group_of_the_containers_name(void **state)
{
	struct scratch *s = *state;
	const struct oci_intel_rdt rdt = { .set = true,
		                           .l3_cache_schema = WORD("L3:0=f"),
		                           .mem_bw_schema = WORD("MB:0=20"),
		                           .monitoring = true };
	struct donjon_error err = { 0 };
	struct resctrl_place place;
	int tasks[RESCTRL_TASKS] = { -1, -1 };

	assert_int_equal(make(s, &rdt, &place, &err), 0);
	assert_true(place.made && is_there(s, "box/mon_groups/box"));
	assert_file(s, "box/schemata", "L3:0=f\nMB:0=20\n");
	assert_int_equal(resctrl_open_tasks(s->fd, &place, tasks, &err), 0);
	for (size_t i = 0; i < RESCTRL_TASKS; i++) {
		assert_int_equal(write(tasks[i], "0", 1), 1);
		dj_close(&tasks[i]);
	}
	assert_file(s, "box/tasks", "0");
	assert_file(s, "box/mon_groups/box/tasks", "0");
	assert_file(s, "tasks", "");
	/* Whoever is still listed is on its way out: it is the container's alone. */
	assert_int_equal(resctrl_remove(s->fd, &place, &err), 0);
	assert_false(is_there(s, "box"));
	assert_int_equal(resctrl_remove(s->fd, &place, &err), 0);
	assert_file(s, "schemata", DEFAULTS);
}

/* P56: cache and bandwidth together, the lines of 1.3 after them. */
static void writes_in_the_order_of_the_contract(void **state)
{
	char *lines[] = { WORD("L2:0=1"), WORD("L3:0=ff;1=ff"), WORD("MB:0=30"), NULL };
	static const struct {
		const char *cache, *bandwidth;
		size_t n_lines;
		const char *writes[2];
	} cases[] = {
		{ NULL, NULL, 0, { NULL, NULL } },
		{ "L3:0=f", NULL, 0, { "L3:0=f\n", NULL } },
		{ NULL, "MB:0=20", 0, { "MB:0=20\n", NULL } },
		{ "L3:0=f", "MB:0=20", 2, { "L3:0=f\nMB:0=20\n", "L2:0=1\nL3:0=ff;1=ff\n" } },
		{ "MB:0=10", "MB:0=20", 0, { "MB:0=20\n", NULL } },
		{ "MB:0=10", NULL, 0, { "MB:0=10\n", NULL } },
		{ NULL, NULL, 3, { "L2:0=1\nL3:0=ff;1=ff\nMB:0=30\n", NULL } },
	};

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(cases); i++) {
		const struct oci_intel_rdt rdt = { .set = true,
			                           .l3_cache_schema = WORD(cases[i].cache),
			                           .mem_bw_schema = WORD(cases[i].bandwidth),
			                           .schemata = { lines, cases[i].n_lines } };
		struct dj_arena arena = { 0 };
		const struct dj_plan *plan = plan_for(&arena, &rdt);
		const plan_str *writes = plan_items(plan, plan->rdt_writes, plan_str);

		for (uint32_t j = 0; j < plan->rdt_writes.n; j++)
			assert_string_equal(plan_text(plan, writes[j]), cases[i].writes[j]);
		assert_int_equal(plan->rdt_writes.n, !!cases[i].writes[0] + !!cases[i].writes[1]);
		dj_arena_done(&arena);
	}
}

static void writes_the_second_text_last(void **state)
{
	struct scratch *s = *state;
	char *lines[] = { WORD("L3:0=ff;1=ff"), NULL };
	const struct oci_intel_rdt rdt = { .set = true,
		                           .l3_cache_schema = WORD("L3:0=f"),
		                           .schemata = { lines, 1 } };
	struct donjon_error err = { 0 };
	struct resctrl_place place;

	assert_int_equal(make(s, &rdt, &place, &err), 0);
	assert_file(s, "box/schemata", "L3:0=ff;1=ff\n");
}

/* Another's, or what a crash has left: to use it would be to remove it at the end. */
static void a_group_of_the_containers_name_must_not_be_there(void **state)
{
	struct scratch *s = *state;
	const struct oci_intel_rdt own = { .set = true },
	                           root = { .set = true, .clos_id = WORD("/"), .monitoring = true };
	struct donjon_error err = { 0 };
	struct resctrl_place place;

	assert_int_equal(mkdirat(s->fd, "box", 0755), 0);
	assert_int_equal(make(s, &own, &place, &err), -1);
	assert_non_null(strstr(err.text, "make group box"));
	dj_error_clear(&err);
	assert_int_equal(make(s, &root, &place, &err), 0);
	dj_error_clear(&err);
	assert_int_equal(make(s, &root, &place, &err), -1);
	assert_non_null(strstr(err.text, "monitoring group in group /"));
	assert_true(is_there(s, "box") && is_there(s, "mon_groups/box"));
}

/* ---- groups that have a name of their own ---- */

static void a_named_group_without_schemata_must_be_there(void **state)
{
	struct scratch *s = *state;
	const struct oci_intel_rdt rdt = { .set = true, .clos_id = WORD("gold") };
	struct donjon_error err = { 0 };
	struct resctrl_place place;

	assert_int_equal(make(s, &rdt, &place, &err), -1);
	assert_non_null(strstr(err.text, "linux.intelRdt.closID: there is no group gold"));
	assert_false(is_there(s, "gold"));
	dj_error_clear(&err);
	assert_int_equal(mkdirat(s->fd, "gold", 0755), 0);
	assert_int_equal(make(s, &rdt, &place, &err), 0);
	assert_false(place.made);
	assert_file(s, "gold/schemata", "");
}

/* Equal is what would change nothing; otherwise nothing is written, and nothing is made. */
static void an_existing_groups_schemata_are_compared(void **state)
{
	static const struct {
		const char *cache, *bandwidth, *line;
		bool equal;
	} cases[] = {
		{ "L3:0=00ff;1=FF", "MB:0=50;1=100", NULL, true },
		{ "L3:1=ff;0=ff", NULL, NULL, true },
		{ "L3: 0=ff", NULL, "MB:1=100", true },
		{ NULL, "MB:1=100", NULL, true },
		{ "L3:0=fe", NULL, NULL, false },
		{ "L3:0=ff;1=fe", NULL, NULL, false },
		{ "L3:2=ff", NULL, NULL, false },
		{ "L3:0=ff;", NULL, NULL, false },
		{ "L3:", NULL, NULL, false },
		{ "L2:0=ff", NULL, NULL, false },
		{ "L:0=ff", NULL, NULL, false },
		{ "L3:0=ff", "MB:0=51", NULL, false },
		{ "L3:nonsense", NULL, NULL, false },
		{ NULL, NULL, "L3:0=f", false },
	};
	const char *have = "    L3:0=ff;1=ff\n    MB:0=50;1=100";
	struct scratch *s = *state;

	assert_int_equal(mkdirat(s->fd, "gold", 0755), 0);
	scratch_write(s, "gold/schemata", have);
	for (size_t i = 0; i < DJ_COUNT(cases); i++) {
		char *lines[] = { WORD(cases[i].line), NULL };
		const struct oci_intel_rdt rdt = { .set = true,
			                           .clos_id = WORD("gold"),
			                           .monitoring = true,
			                           .l3_cache_schema = WORD(cases[i].cache),
			                           .mem_bw_schema = WORD(cases[i].bandwidth),
			                           .schemata = { lines, cases[i].line != NULL } };
		struct donjon_error err = { 0 };
		struct resctrl_place place;
		int r = make(s, &rdt, &place, &err);

		if ((r == 0) != cases[i].equal)
			fail_msg("case %zu: %s", i, err.text);
		if (r < 0 &&
		    !strstr(err.text, "group gold of resctrl is there with other schemata"))
			fail_msg("case %zu: %s", i, err.text);
		assert_file(s, "gold/schemata", have);
		assert_true(is_there(s, "gold/mon_groups/box") == cases[i].equal);
		assert_int_equal(resctrl_remove(s->fd, &place, &err), 0);
		assert_true(is_there(s, "gold") && !is_there(s, "gold/mon_groups/box"));
	}
}

/* Made by a container whose making failed; another one has come to it meanwhile. */
static void a_named_group_stays_while_somebody_is_in_it(void **state)
{
	struct scratch *s = *state;
	const struct oci_intel_rdt rdt = { .set = true,
		                           .clos_id = WORD("gold"),
		                           .l3_cache_schema = WORD("L3:0=f"),
		                           .monitoring = true };
	struct donjon_error err = { 0 };
	struct resctrl_place place;

	assert_int_equal(make(s, &rdt, &place, &err), 0);
	assert_true(place.made);
	scratch_write(s, "gold/tasks", "1234\n5678\n91011\n");
	assert_int_equal(resctrl_remove(s->fd, &place, &err), 0);
	assert_true(is_there(s, "gold") && !is_there(s, "gold/mon_groups/box"));
	scratch_write(s, "gold/tasks", "");
	assert_int_equal(resctrl_remove(s->fd, &place, &err), 0);
	assert_false(is_there(s, "gold"));
}

/* ---- what goes wrong ---- */

static void a_refused_write_leaves_nothing_and_says_why(void **state)
{
	struct scratch *s = *state;
	const struct oci_intel_rdt rdt = { .set = true,
		                           .l3_cache_schema = WORD("L3:0=f0f"),
		                           .monitoring = true };
	struct donjon_error err = { 0 };
	struct resctrl_place place;

	if (geteuid() != 0)
		skip(); /* only root can make the device whose writes fail */
	schemata_kind = FULL;
	scratch_write(s, "info/last_cmd_status", "Mask f0f has non-consecutive 1-bits\n");
	assert_int_equal(make(s, &rdt, &place, &err), -1);
	assert_string_equal(
	        err.text,
	        "linux.intelRdt: write the schemata of group box of resctrl (Mask f0f has "
	        "non-consecutive 1-bits): no space left on device");
	assert_false(is_there(s, "box"));
}

/* Whatever is called like a group and leads elsewhere is none. */
static void no_link_is_followed(void **state)
{
	struct scratch *s = *state;
	const struct oci_intel_rdt rdt = { .set = true, .l3_cache_schema = WORD("L3:0=f") },
	                           linked = { .set = true,
		                              .clos_id = WORD("link"),
		                              .l3_cache_schema = WORD("L3:0=f") },
	                           gold = { .set = true,
		                            .clos_id = WORD("gold"),
		                            .monitoring = true };
	struct donjon_error err = { 0 };
	struct resctrl_place place;
	int tasks[RESCTRL_TASKS] = { -1, -1 };

	schemata_kind = LINK;
	assert_int_equal(make(s, &rdt, &place, &err), -1);
	assert_int_equal(err.os, ELOOP);
	assert_false(is_there(s, "box"));
	assert_file(s, "schemata", DEFAULTS);

	schemata_kind = REGULAR;
	dj_error_clear(&err);
	assert_int_equal(symlinkat("/tmp", s->fd, "link"), 0);
	assert_int_equal(make(s, &linked, &place, &err), -1);
	assert_non_null(strstr(err.text, "open group link"));

	dj_error_clear(&err);
	assert_int_equal(mkdirat(s->fd, "gold", 0755), 0);
	assert_int_equal(make(s, &gold, &place, &err), 0);
	assert_int_equal(__real_unlinkat(s->fd, "gold/mon_groups/box/tasks", 0), 0);
	assert_int_equal(symlinkat("../../../tasks", s->fd, "gold/mon_groups/box/tasks"), 0);
	assert_int_equal(resctrl_open_tasks(s->fd, &place, tasks, &err), -1);
	assert_non_null(strstr(err.text, "join the monitoring group in group gold"));
	dj_close(&tasks[0]);
}

/* Directories of resctrl that are no groups, and groups that are gone. */
static void only_groups_can_be_joined(void **state)
{
	static const char *const names[] = { "info", "mon_groups", "mon_data", "gone" };
	struct scratch *s = *state;

	for (size_t i = 0; i < DJ_COUNT(names); i++) {
		const struct resctrl_place place = { .group = names[i], .id = "box" };
		struct donjon_error err = { 0 };
		int tasks[RESCTRL_TASKS] = { -1, -1 };

		assert_int_equal(resctrl_open_tasks(s->fd, &place, tasks, &err), -1);
		assert_non_null(strstr(err.text, ": there is none"));
	}
}

static void the_lock_is_everybodys(void **state)
{
	const struct scratch *s = *state;
	dj_auto_close int other = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct donjon_error err = { 0 };

	assert_int_equal(resctrl_lock(other, &err), 0);
	dj_close(&other);
	assert_int_equal(resctrl_lock(s->fd, &err), 0);
}

/* ---- while it runs ---- */

static void schemata_are_read_and_given_back(void **state)
{
	struct scratch *s = *state;
	const struct oci_intel_rdt rdt = { .set = true, .l3_cache_schema = WORD("L3:0=f") };
	struct donjon_error err = { 0 };
	struct resctrl_place place;
	char before[RESCTRL_SCHEMATA_MAX];

	assert_int_equal(make(s, &rdt, &place, &err), 0);
	assert_int_equal(resctrl_read(s->fd, "box", before, &err), 0);
	assert_int_equal(resctrl_write(s->fd, "box", "L3:1=7\n", &err), 0);
	assert_file(s, "box/schemata", "L3:1=7\n");
	assert_int_equal(resctrl_write(s->fd, "box", before, &err), 0);
	assert_string_equal(before, "L3:0=f\n");
	assert_file(s, "box/schemata", "L3:0=f\n");
}

static void monitored(const struct scratch *s, const char *cache, const char *occupancy,
                      const char *bytes)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "mon_groups/box/mon_data/%s", cache);
	assert_int_equal(__real_mkdirat(s->fd, path, 0755), 0);
	(void)snprintf(path, sizeof(path), "mon_groups/box/mon_data/%s/llc_occupancy", cache);
	scratch_write(s, path, occupancy);
	(void)snprintf(path, sizeof(path), "mon_groups/box/mon_data/%s/mbm_total_bytes", cache);
	scratch_write(s, path, bytes);
}

static void statistics_have_runcs_members(void **state)
{
	struct scratch *s = *state;
	const struct oci_intel_rdt rdt = { .set = true, .clos_id = WORD("/"), .monitoring = true };
	struct donjon_error err = { 0 };
	struct resctrl_place place;
	struct json_value *stats;
	dj_auto_free char *text = NULL;

	assert_int_equal(make(s, &rdt, &place, &err), 0);
	assert_int_equal(__real_mkdirat(s->fd, "info/L3", 0755), 0);
	scratch_write(s, "info/L3/cbm_mask", "fffff\n");
	scratch_write(s, "info/L3/num_closids", "16\n");
	monitored(s, "mon_L3_01", "8192\n", "Unavailable\n");
	monitored(s, "mon_L3_00", "4096\n", "12345\n");
	stats = resctrl_stats(s->fd, &place);
	text = json_print(stats, false);
	json_free(stats);
	assert_string_equal(
	        text,
	        "{\"l3_cache_info\":{\"cbm_mask\":\"fffff\",\"num_closids\":16},"
	        "\"l3_cache_schema_root\":\"L3:0=fffff;1=fffff\",\"mem_bw_schema_root\":\"MB:0=100;"
	        "1=100\","
	        "\"l3_cache_schema\":\"L3:0=fffff;1=fffff\",\"mem_bw_schema\":\"MB:0=100;1=100\","
	        "\"cmt_stats\":[{\"llc_occupancy\":4096},{\"llc_occupancy\":8192}],"
	        "\"mbm_stats\":[{\"mbm_total_bytes\":12345},{}]}");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, scratch_teardown)
	const struct CMUnitTest tests[] = {
		TEST(makes_and_removes_a_group_of_the_containers_name),
		TEST(writes_in_the_order_of_the_contract),
		TEST(writes_the_second_text_last),
		TEST(a_group_of_the_containers_name_must_not_be_there),
		TEST(a_named_group_without_schemata_must_be_there),
		TEST(an_existing_groups_schemata_are_compared),
		TEST(a_named_group_stays_while_somebody_is_in_it),
		TEST(a_refused_write_leaves_nothing_and_says_why),
		TEST(no_link_is_followed),
		TEST(only_groups_can_be_joined),
		TEST(the_lock_is_everybodys),
		TEST(schemata_are_read_and_given_back),
		TEST(statistics_have_runcs_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
