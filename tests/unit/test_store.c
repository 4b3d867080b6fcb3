#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "store/store.h"

#include "scratch.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

static struct store open_store(const struct scratch *s)
{
	struct donjon_error err = { 0 };
	struct store store = STORE_EMPTY;
	char root[80];

	(void)snprintf(root, sizeof(root), "%s/state", s->path);
	assert_int_equal(store_open(root, true, &store, &err), 0);
	return store;
}

/* ---- the root directory ---- */

static void makes_its_root_private(void **state)
{
	const struct scratch *s = *state;
	struct donjon_error err = { 0 };
	struct store store = STORE_EMPTY;
	char root[80];
	struct stat st;

	(void)snprintf(root, sizeof(root), "%s/a/b/c", s->path);
	assert_int_equal(store_open(root, false, &store, &err), -1);
	assert_int_equal(err.code, DONJON_E_NOT_FOUND);
	err = (struct donjon_error){ 0 };
	assert_int_equal(store_open(root, true, &store, &err), 0);
	assert_string_equal(store.root, root);
	store_close(&store);
	for (int cut = 0; cut < 3; cut++) {
		assert_int_equal(stat(root, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0700);
		*strrchr(root, '/') = '\0';
	}
}

static void refuses_an_unsafe_root(void **state)
{
	static const struct {
		const char *name, *text;
		mode_t mode;
		uid_t owner;
	} rows[] = {
		{ "world", "may be written by others", 0777, 0 },
		{ "sticky", "may be written by others", 01777, 0 },
		{ "group", "may be written by others", 0770, 0 },
		{ "foreign", "belongs to uid 12345", 0700, 12345 },
		{ "readable", NULL, 0755, 0 },
		{ "private", NULL, 0700, 0 },
	};
	const struct scratch *s = *state;

	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		struct donjon_error err = { 0 };
		struct store store = STORE_EMPTY;
		char path[128];

		if (rows[i].owner && geteuid() != 0)
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", s->path, rows[i].name);
		assert_int_equal(mkdir(path, 0700), 0);
		assert_int_equal(chmod(path, rows[i].mode), 0);
		if (rows[i].owner)
			assert_int_equal(chown(path, rows[i].owner, (gid_t)-1), 0);
		assert_int_equal(store_open(path, true, &store, &err), rows[i].text ? -1 : 0);
		if (rows[i].text)
			assert_non_null(strstr(err.text, rows[i].text));
		store_close(&store);
	}
}

static void refuses_links_files_and_the_filesystem_root(void **state)
{
	const struct scratch *s = *state;
	char link[80], file[80];
	const char *const paths[] = { link, file, "/", "/../", "/dev/null" };

	(void)snprintf(link, sizeof(link), "%s/link", s->path);
	(void)snprintf(file, sizeof(file), "%s/file", s->path);
	assert_int_equal(symlink("/tmp", link), 0);
	scratch_write(s, "file", "");
	for (size_t i = 0; i < DJ_COUNT(paths); i++) {
		struct donjon_error err = { 0 };
		struct store store = STORE_EMPTY;

		assert_int_equal(store_open(paths[i], true, &store, &err), -1);
		assert_int_not_equal(err.code, DONJON_OK);
	}
}

/* ---- ids ---- */

static void checks_ids(void **state)
{
	static const struct {
		const char *id;
		bool good;
	} rows[] = {
		{ "a", true },         { "A9", true },   { "_x", true },   { "0", true },
		{ "a+b-c.d_e", true }, { "a..b", true }, { "", false },    { ".", false },
		{ "..", false },       { ".a", false },  { "-x", false },  { "+x", false },
		{ "a/b", false },      { "/a", false },  { "a b", false }, { "a\nb", false },
		{ "a\033", false },    { "%s", false },  { "a:b", false }, { "\303\251", false },
	};
	char longest[257];

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		struct donjon_error err = { 0 };

		assert_int_equal(store_check_id(rows[i].id, &err), rows[i].good ? 0 : -1);
		if (!rows[i].good)
			assert_ptr_equal(strstr(err.text, "invalid container ID format: \""),
			                 err.text);
	}
	memset(longest, 'x', sizeof(longest));
	for (size_t len = 255; len <= 256; len++) {
		struct donjon_error err = { 0 };

		longest[len] = '\0';
		assert_int_equal(store_check_id(longest, &err), len == 255 ? 0 : -1);
		longest[len] = 'x';
	}
}

static void takes_an_id_once(void **state)
{
	struct store store = open_store(*state);
	struct donjon_error err = { 0 };
	int first = store_reserve(&store, "one", &err), dir;

	assert_true(first >= 0);
	assert_int_equal(store_reserve(&store, "one", &err), -1);
	assert_int_equal(err.code, DONJON_E_EXISTS);
	assert_string_equal(err.text, "container with given ID already exists");
	err = (struct donjon_error){ 0 };
	dir = store_enter(&store, "one", &err);
	assert_true(dir >= 0);
	assert_int_equal(store_is_entry(&store, "one", dir, &err), 1);
	assert_int_equal(store_remove(&store, "one", dir, &err), 0);
	assert_int_equal(store_is_entry(&store, "one", dir, &err), 0);
	assert_int_equal(store_enter(&store, "one", &err), -1);
	assert_int_equal(err.code, DONJON_E_NOT_FOUND);
	assert_string_equal(err.text, "container does not exist: one");
	(void)close(first);
	(void)close(dir);
	store_close(&store);
}

/* T22: of 32 at once one wins. */
static void takes_an_id_once_in_parallel(void **state)
{
	enum { PROCESSES = 32 };
	struct store store = open_store(*state);
	int go[2], won = 0, exists = 0, status;
	char byte;

	assert_int_equal(pipe(go), 0);
	for (int i = 0; i < PROCESSES; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			struct donjon_error err = { 0 };

			(void)close(go[1]);
			_exit(read(go[0], &byte, 1) == 0 && store_reserve(&store, "same", &err) >= 0
			              ? 0
			              : (int)err.code);
		}
	}
	(void)close(go[0]);
	(void)close(go[1]); /* end of file: all start */
	while (wait(&status) > 0) {
		won += WIFEXITED(status) && WEXITSTATUS(status) == 0;
		exists += WIFEXITED(status) && WEXITSTATUS(status) == DONJON_E_EXISTS;
	}
	assert_int_equal(won, 1);
	assert_int_equal(exists, PROCESSES - 1);
	store_close(&store);
}

/* Somebody else's removal, and a new container of the same name, must not be undone by us. */
static void removes_only_what_it_holds(void **state)
{
	struct store store = open_store(*state);
	struct donjon_error err = { 0 };
	int old = store_reserve(&store, "twice", &err), new;

	assert_int_equal(store_remove(&store, "twice", old, &err), 0);
	new = store_reserve(&store, "twice", &err);
	assert_true(new >= 0);
	assert_int_equal(store_remove(&store, "twice", old, &err), 0);
	assert_int_equal(store_is_entry(&store, "twice", new, &err), 1);
	(void)close(old);
	(void)close(new);
	store_close(&store);
}

static void removes_half_made_and_deep_ones(void **state)
{
	struct store store = open_store(*state);
	struct donjon_error err = { 0 };
	int dir = store_reserve(&store, "deep", &err);

	assert_int_equal(mkdirat(dir, "rootfs", 0755), 0);
	assert_int_equal(mkdirat(dir, "rootfs/a", 0755), 0);
	assert_int_equal(mkdirat(dir, "rootfs/a/b", 0755), 0);
	assert_int_equal(symlinkat("/etc", dir, "rootfs/a/link"), 0);
	assert_int_equal(mknodat(dir, "fifo", S_IFIFO | 0600, 0), 0);
	assert_int_equal(store_remove(&store, "deep", dir, &err), 0);
	assert_int_equal(faccessat(store.root_fd, "deep", F_OK, 0), -1);
	assert_int_equal(access("/etc/passwd", F_OK), 0);
	(void)close(dir);
	store_close(&store);
}

static void locks_one_writer(void **state)
{
	struct store store = open_store(*state);
	struct donjon_error err = { 0 };
	int holder = store_reserve(&store, "locked", &err),
	    other = store_enter(&store, "locked", &err);

	assert_int_equal(store_lock(other, 20, &err), -1);
	assert_int_equal(err.code, DONJON_E_STATUS);
	err = (struct donjon_error){ 0 };
	(void)close(holder);
	assert_int_equal(store_lock(other, 20, &err), 0);
	(void)close(other);
	store_close(&store);
}

static void lists_containers_in_order(void **state)
{
	static const char *const names[] = { "b", "a", "_c" };
	struct store store = open_store(*state);
	dj_auto_arena struct dj_arena arena = { 0 };
	struct donjon_error err = { 0 };
	char **ids;
	uint32_t range;
	size_t n;

	for (size_t i = 0; i < DJ_COUNT(names); i++)
		(void)close(store_reserve(&store, names[i], &err));
	assert_int_equal(store_reserve_range(&store, "a", &range, &err), 0); /* makes .ranges */
	assert_int_equal(store_list(&store, &arena, &ids, &n, &err), 0);
	assert_int_equal(n, 3);
	assert_string_equal(ids[0], "_c");
	assert_string_equal(ids[1], "a");
	assert_string_equal(ids[2], "b");
	store_close(&store);
}

/* ---- the state file ---- */

static const struct store_pair annotations[] = {
	{ (char *)(uintptr_t) "org.example/a", (char *)(uintptr_t) "quote\" and \303\251" },
	{ (char *)(uintptr_t) "empty", (char *)(uintptr_t) "" },
};

static const struct store_record sample = {
	.id = (char *)(uintptr_t) "box",
	.bundle = (char *)(uintptr_t) "/b",
	.rootfs = (char *)(uintptr_t) "/b/rootfs",
	.oci_version = (char *)(uintptr_t) "1.0.2",
	.created = (char *)(uintptr_t) "2026-01-02T03:04:05.000000006Z",
	.boot_id = (char *)(uintptr_t) "boot",
	.owner = 4294967294u,
	.creating = true,
	.pid = 42,
	.start_time = UINT64_MAX,
	.cgroup_path = (char *)(uintptr_t) "donjon-box",
	.cgroup_manager = (char *)(uintptr_t) "cgroupfs",
	.private_pid_ns = true,
	.selinux_label = (char *)(uintptr_t) "u:r:box_t:s0:c1,c2",
	.listener_path = (char *)(uintptr_t) "/run/agent",
	.listener_metadata = (char *)(uintptr_t) "token",
	.rdt_group = (char *)(uintptr_t) "/",
	.rdt_monitored = true,
	.poststop_hooks = true,
	.id_range = STORE_RANGE_LAST,
	.annotations = (struct store_pair *)(uintptr_t)annotations,
	.n_annotations = DJ_COUNT(annotations),
};

static void writes_and_reads_a_record(void **state)
{
	const struct scratch *s = *state;
	dj_auto_arena struct dj_arena arena = { 0 };
	struct donjon_error err = { 0 };
	struct store_record got;
	struct stat st;

	assert_int_equal(store_write(s->fd, &sample, &err), 0);
	assert_int_equal(store_write(s->fd, &sample, &err), 0); /* replaces */
	assert_int_equal(fstatat(s->fd, STORE_STATE_FILE, &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(store_read(s->fd, &arena, &got, &err), 0);
	assert_string_equal(got.id, sample.id);
	assert_string_equal(got.bundle, sample.bundle);
	assert_string_equal(got.rootfs, sample.rootfs);
	assert_string_equal(got.oci_version, sample.oci_version);
	assert_string_equal(got.created, sample.created);
	assert_string_equal(got.boot_id, sample.boot_id);
	assert_string_equal(got.cgroup_path, sample.cgroup_path);
	assert_string_equal(got.cgroup_manager, sample.cgroup_manager);
	assert_string_equal(got.selinux_label, sample.selinux_label);
	assert_string_equal(got.listener_path, sample.listener_path);
	assert_string_equal(got.listener_metadata, sample.listener_metadata);
	assert_string_equal(got.rdt_group, sample.rdt_group);
	assert_true(got.rdt_monitored && !got.rdt_made);
	assert_int_equal(got.owner, sample.owner);
	assert_int_equal(got.pid, sample.pid);
	assert_true(got.start_time == sample.start_time);
	assert_true(got.creating && got.private_pid_ns && got.poststop_hooks &&
	            !got.poststart_hooks);
	assert_int_equal(got.id_range, sample.id_range);
	assert_int_equal(got.n_annotations, 2);
	assert_string_equal(got.annotations[0].key, annotations[0].key);
	assert_string_equal(got.annotations[0].value, annotations[0].value);
}

/* T66: an error that says so, never a record. */
static void refuses_damaged_state(void **state)
{
	static const char *const texts[] = {
		"",
		" ",
		"x",
		"{",
		"[]",
		"null",
		"42",
		"{}",
		"{\"version\":1}",
		"{\"version\":2}",
		"{\"version\":\"1\"}",
		"\377\376",
		"{\"version\":1,\"id\":null}",
	};
	const struct scratch *s = *state;
	dj_auto_arena struct dj_arena arena = { 0 };

	for (size_t i = 0; i < DJ_COUNT(texts); i++) {
		struct donjon_error err = { 0 };
		struct store_record got;

		scratch_write(s, STORE_STATE_FILE, texts[i]);
		assert_int_equal(store_read(s->fd, &arena, &got, &err), -1);
		assert_int_equal(err.code, DONJON_E_CONFIG);
		assert_non_null(strstr(err.text, STORE_STATE_FILE));
	}
}

static void refuses_truncated_and_changed_state(void **state)
{
	static const struct {
		const char *from, *to;
	} edits[] = {
		{ "\"pid\":42", "\"pid\":-1" },
		{ "\"pid\":42", "\"pid\":4294967296" },
		{ "\"pid\":42", "\"pid\":\"42\"" },
		{ "\"pid\":42", "\"pid\":1.5" },
		{ "\"creating\":true", "\"creating\":1" },
		{ "\"id\":\"box\"", "\"id\":7" },
		{ "\"owner\":", "\"owner\":9" },
		{ "\"version\":1", "\"version\":0" },
		{ "\"empty\":\"\"", "\"empty\":{}" },
	};
	const struct scratch *s = *state;
	dj_auto_arena struct dj_arena arena = { 0 };
	struct donjon_error err = { 0 };
	struct store_record got;
	char text[4096], edited[4200], *at;

	assert_int_equal(store_write(s->fd, &sample, &err), 0);
	(void)scratch_read(s, STORE_STATE_FILE, text, sizeof(text));
	for (size_t i = 0; i < DJ_COUNT(edits); i++) {
		at = strstr(text, edits[i].from);
		assert_non_null(at);
		(void)snprintf(edited, sizeof(edited), "%.*s%s%s", (int)(at - text), text,
		               edits[i].to, at + strlen(edits[i].from));
		scratch_write(s, STORE_STATE_FILE, edited);
		assert_int_equal(store_read(s->fd, &arena, &got, &err), -1);
		assert_int_equal(err.code, DONJON_E_CONFIG);
		err = (struct donjon_error){ 0 };
	}
	for (size_t len = 0; len + 1 < strlen(text); len += 7) {
		(void)snprintf(edited, sizeof(edited), "%.*s", (int)len, text);
		scratch_write(s, STORE_STATE_FILE, edited);
		assert_int_equal(store_read(s->fd, &arena, &got, &err), -1);
		err = (struct donjon_error){ 0 };
	}
}

static void refuses_odd_state_files(void **state)
{
	static const char *const kinds[] = { "missing", "link", "directory", "fifo", "foreign" };
	const struct scratch *s = *state;
	dj_auto_arena struct dj_arena arena = { 0 };

	for (size_t i = 0; i < DJ_COUNT(kinds); i++) {
		struct donjon_error err = { 0 };
		struct store_record got;

		(void)unlinkat(s->fd, STORE_STATE_FILE, 0);
		(void)unlinkat(s->fd, STORE_STATE_FILE, AT_REMOVEDIR);
		assert_int_equal(store_write(s->fd, &sample, &err), 0);
		if (i == 1)
			assert_int_equal(renameat(s->fd, STORE_STATE_FILE, s->fd, "real"), 0);
		else if (i != 4)
			assert_int_equal(unlinkat(s->fd, STORE_STATE_FILE, 0), 0);
		if (i == 1)
			assert_int_equal(symlinkat("real", s->fd, STORE_STATE_FILE), 0);
		if (i == 2)
			assert_int_equal(mkdirat(s->fd, STORE_STATE_FILE, 0700), 0);
		if (i == 3)
			assert_int_equal(mknodat(s->fd, STORE_STATE_FILE, S_IFIFO | 0600, 0), 0);
		if (i == 4 && fchownat(s->fd, STORE_STATE_FILE, 12345, (gid_t)-1, 0) < 0)
			continue; /* not root */
		assert_int_equal(store_read(s->fd, &arena, &got, &err), -1);
		assert_int_equal(err.code == DONJON_E_NOT_FOUND, i == 0);
	}
}

static void keeps_documents_as_they_are(void **state)
{
	const struct scratch *s = *state;
	struct donjon_error err = { 0 };
	dj_auto_free char *text = NULL;
	size_t size;

	assert_int_equal(store_load(s->fd, STORE_CONFIG, &text, &size, &err), 0);
	assert_null(text);
	assert_int_equal(store_save(s->fd, STORE_CONFIG, "a\0b", 3, &err), 0);
	assert_int_equal(store_load(s->fd, STORE_CONFIG, &text, &size, &err), 0);
	assert_int_equal(size, 3);
	assert_memory_equal(text, "a\0b", 3);
}

/* ---- id ranges ---- */

static void gives_every_container_its_own_range(void **state)
{
	enum { CONTAINERS = 200 };
	struct store store = open_store(*state);
	struct donjon_error err = { 0 };
	uint32_t ranges[CONTAINERS];
	char id[16];

	for (uint32_t i = 0; i < CONTAINERS; i++) {
		(void)snprintf(id, sizeof(id), "c%u", i);
		(void)close(store_reserve(&store, id, &err));
		assert_int_equal(store_reserve_range(&store, id, &ranges[i], &err), 0);
		assert_in_range(ranges[i], STORE_RANGE_FIRST, STORE_RANGE_LAST);
		assert_int_equal(ranges[i] % STORE_RANGE_SIZE, 0);
		for (uint32_t k = 0; k < i; k++)
			assert_int_not_equal(ranges[k], ranges[i]);
	}
	store_close(&store);
}

static void releases_a_range_only_for_its_holder(void **state)
{
	struct store store = open_store(*state);
	struct donjon_error err = { 0 };
	uint32_t first, again;

	(void)close(store_reserve(&store, "a", &err));
	assert_int_equal(store_reserve_range(&store, "a", &first, &err), 0);
	store_release_range(&store, "b", first);
	assert_int_equal(store_reserve_range(&store, "a", &again, &err), 0);
	assert_int_not_equal(first, again);
	store_release_range(&store, "a", first);
	assert_int_equal(store_reserve_range(&store, "a", &again, &err), 0);
	assert_int_equal(first, again);
	store_close(&store);
}

static void reclaims_the_range_of_a_dead_creation(void **state)
{
	struct store store = open_store(*state);
	struct donjon_error err = { 0 };
	uint32_t first, again;
	int dir = store_reserve(&store, "a", &err);

	assert_int_equal(store_reserve_range(&store, "a", &first, &err), 0);
	assert_int_equal(store_remove(&store, "a", dir, &err), 0); /* without giving it back */
	(void)close(dir);
	assert_int_equal(store_reserve_range(&store, "a", &again, &err), 0);
	assert_int_equal(first, again);
	store_close(&store);
}

int main(void)
{
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		IN_SCRATCH(makes_its_root_private),
		IN_SCRATCH(refuses_an_unsafe_root),
		IN_SCRATCH(refuses_links_files_and_the_filesystem_root),
		cmocka_unit_test(checks_ids),
		IN_SCRATCH(takes_an_id_once),
		IN_SCRATCH(takes_an_id_once_in_parallel),
		IN_SCRATCH(removes_only_what_it_holds),
		IN_SCRATCH(removes_half_made_and_deep_ones),
		IN_SCRATCH(locks_one_writer),
		IN_SCRATCH(lists_containers_in_order),
		IN_SCRATCH(writes_and_reads_a_record),
		IN_SCRATCH(refuses_damaged_state),
		IN_SCRATCH(refuses_truncated_and_changed_state),
		IN_SCRATCH(refuses_odd_state_files),
		IN_SCRATCH(keeps_documents_as_they_are),
		IN_SCRATCH(gives_every_container_its_own_range),
		IN_SCRATCH(releases_a_range_only_for_its_holder),
		IN_SCRATCH(reclaims_the_range_of_a_dead_creation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
