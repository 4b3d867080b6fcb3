/*
 * What the container's cgroup files say, as the document that `events` prints (contract N8):
 * members and units as runc has them, so that its readers need no change.  A file this kernel or
 * this hierarchy does not have leaves its member out, or zero where readers expect one.
 */
#include "base/arena.h"
#include "base/cleanup.h"
#include "cgroup/inside.h"
#include "wrap/json.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum {
	TEXT_MAX = 64 * 1024, /* io.stat and memory.stat of a large host */
	NS_PER_US = 1000,
	PAGE_SIZE_NAME_MAX = 16,
};

struct source {
	const struct host_facts *host;
	const struct cgroup *cg;
	struct dj_arena arena; /* owns the texts of files */
};

static struct cgroup_place place_of(const struct source *s, const char *controller)
{
	return cgroup_place_of(s->host, s->cg, controller);
}

/* ---- files ---- */

/* Text of the file, "" where there is none. */
static char *read_text(struct source *s, int dir, const char *file)
{
	char *text = dj_arena_alloc(&s->arena, TEXT_MAX);

	if (dir < 0 || cgroup_read(dir, file, text, TEXT_MAX) < 0)
		text[0] = '\0';
	return text;
}

static uint64_t number_or_zero(int dir, const char *file)
{
	uint64_t value = 0;

	return cgroup_read_number(dir, file, &value) ? value : 0;
}

static void set_number(struct json_value *object, const char *member, int dir, const char *file)
{
	uint64_t value;

	if (cgroup_read_number(dir, file, &value))
		json_set(object, member, json_new_uint(value));
}

static void set_key(struct json_value *object, const char *member, int dir, const char *file,
                    const char *key, uint64_t factor)
{
	json_set(object, member, json_new_uint(cgroup_read_key(dir, file, key) * factor));
}

/* Numbers between blanks. */
static struct json_value *number_array(char *text)
{
	struct json_value *array = json_new_array();
	char *word;

	while ((word = strsep(&text, " \n"))) {
		if (*word)
			json_push(array, json_new_uint(strtoull(word, NULL, 10)));
	}
	return array;
}

/* "0-3,7" spelled out. */
static struct json_value *range_array(const char *text)
{
	struct json_value *array = json_new_array();
	char *end;

	while (*text) {
		unsigned long first = strtoul(text, &end, 10), last = first;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (; first <= last && last < UINT16_MAX; first++)
			json_push(array, json_new_uint(first));
		if (*end != ',')
			break;
		text = end + 1;
	}
	return array;
}

/* ---- cpu ---- */

/* cpuacct.usage_all: "cpu user system", then a line for each CPU. */
static void set_per_cpu(struct source *s, struct json_value *usage, int dir)
{
	struct json_value *user = json_new_array(), *kernel = json_new_array();
	char *text = read_text(s, dir, "cpuacct.usage_all");
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n"))) {
		unsigned long long in_user, in_kernel;

		if (sscanf(line, "%*u %llu %llu", &in_user, &in_kernel) == 2) {
			json_push(user, json_new_uint(in_user));
			json_push(kernel, json_new_uint(in_kernel));
		}
	}
	json_set(usage, "percpu_kernel", kernel);
	json_set(usage, "percpu_user", user);
}

static struct json_value *cpu_usage_v1(struct source *s, int dir)
{
	struct json_value *usage = json_new_object();
	char *per_cpu = read_text(s, dir, "cpuacct.usage_percpu");
	uint64_t tick_ns = 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK);

	set_number(usage, "total", dir, "cpuacct.usage");
	json_set(usage, "percpu", number_array(per_cpu));
	set_per_cpu(s, usage, dir);
	set_key(usage, "kernel", dir, "cpuacct.stat", "system", tick_ns);
	set_key(usage, "user", dir, "cpuacct.stat", "user", tick_ns);
	return usage;
}

static struct json_value *cpu_usage_v2(int dir)
{
	struct json_value *usage = json_new_object();

	set_key(usage, "total", dir, "cpu.stat", "usage_usec", NS_PER_US);
	set_key(usage, "kernel", dir, "cpu.stat", "system_usec", NS_PER_US);
	set_key(usage, "user", dir, "cpu.stat", "user_usec", NS_PER_US);
	return usage;
}

static struct json_value *cpu(struct source *s)
{
	struct cgroup_place account = place_of(s, "cpuacct"), cpu = place_of(s, "cpu");
	struct json_value *object = json_new_object(), *throttling = json_new_object();

	json_set(object, "usage",
	         account.is_v2 ? cpu_usage_v2(account.dir) : cpu_usage_v1(s, account.dir));
	set_key(throttling, "periods", cpu.dir, "cpu.stat", "nr_periods", 1);
	set_key(throttling, "throttledPeriods", cpu.dir, "cpu.stat", "nr_throttled", 1);
	if (cpu.is_v2)
		set_key(throttling, "throttledTime", cpu.dir, "cpu.stat", "throttled_usec",
		        NS_PER_US);
	else
		set_key(throttling, "throttledTime", cpu.dir, "cpu.stat", "throttled_time", 1);
	json_set(object, "throttling", throttling);
	return object;
}

/* ---- cpuset ---- */

static struct json_value *cpuset(struct source *s)
{
	static const char *const flags[] = { "cpu_exclusive",      "mem_hardwall",
		                             "mem_exclusive",      "memory_migrate",
		                             "memory_spread_page", "memory_spread_slab",
		                             "memory_pressure",    "sched_load_balance" };
	struct cgroup_place p = place_of(s, "cpuset");
	char *cpus = read_text(s, p.dir, p.is_v2 ? "cpuset.cpus.effective" : "cpuset.cpus");
	char *mems = read_text(s, p.dir, p.is_v2 ? "cpuset.mems.effective" : "cpuset.mems");
	char *level = read_text(s, p.dir, "cpuset.sched_relax_domain_level");
	struct json_value *object = json_new_object();

	json_set(object, "cpus", range_array(cpus));
	json_set(object, "mems", range_array(mems));
	for (size_t i = 0; i < DJ_COUNT(flags); i++) {
		char file[64];

		(void)snprintf(file, sizeof(file), "cpuset.%s", flags[i]);
		json_set(object, flags[i], json_new_uint(number_or_zero(p.dir, file)));
	}
	json_set(object, "sched_relax_domain_level", json_new_int(strtoll(level, NULL, 10)));
	return object;
}

/* ---- memory ---- */

static struct json_value *entry(uint64_t limit, uint64_t failures)
{
	struct json_value *object = json_new_object();

	json_set(object, "limit", json_new_uint(limit));
	json_set(object, "failcnt", json_new_uint(failures));
	return object;
}

/* "memory", "memory.memsw", "memory.kmem" */
static struct json_value *entry_v1(int dir, const char *prefix)
{
	char limit[64], usage[64], max[64], failures[64];
	struct json_value *object;

	(void)snprintf(limit, sizeof(limit), "%s.limit_in_bytes", prefix);
	(void)snprintf(usage, sizeof(usage), "%s.usage_in_bytes", prefix);
	(void)snprintf(max, sizeof(max), "%s.max_usage_in_bytes", prefix);
	(void)snprintf(failures, sizeof(failures), "%s.failcnt", prefix);
	object = entry(number_or_zero(dir, limit), number_or_zero(dir, failures));
	set_number(object, "usage", dir, usage);
	set_number(object, "max", dir, max);
	return object;
}

/* All of memory.stat. */
static struct json_value *raw(struct source *s, int dir)
{
	struct json_value *object = json_new_object();
	char *text = read_text(s, dir, "memory.stat");
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n"))) {
		char *value = strchr(line, ' ');

		if (!value)
			continue;
		*value++ = '\0';
		json_set(object, line, json_new_uint(strtoull(value, NULL, 10)));
	}
	return object;
}

static void memory_v1(struct json_value *object, int dir)
{
	static const struct {
		const char *member, *prefix;
	} entries[] = {
		{ "usage", "memory" },
		{ "swap", "memory.memsw" },
		{ "kernel", "memory.kmem" },
		{ "kernelTCP", "memory.kmem.tcp" },
	};

	for (size_t i = 0; i < DJ_COUNT(entries); i++)
		json_set(object, entries[i].member, entry_v1(dir, entries[i].prefix));
}

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* "swap" is memory and swap together, as on v1; kernel memory has no limits of its own any more. */
static void memory_v2(struct json_value *object, int dir)
{
	uint64_t limit = number_or_zero(dir, "memory.max");
	uint64_t used = number_or_zero(dir, "memory.current");
	struct json_value *usage = entry(limit, cgroup_read_key(dir, "memory.events", "max"));
	struct json_value *swap = entry(sum(limit, number_or_zero(dir, "memory.swap.max")),
	                                cgroup_read_key(dir, "memory.swap.events", "max"));

	json_set(usage, "usage", json_new_uint(used));
	set_number(usage, "max", dir, "memory.peak");
	json_set(swap, "usage",
	         json_new_uint(sum(used, number_or_zero(dir, "memory.swap.current"))));
	json_set(object, "usage", usage);
	json_set(object, "swap", swap);
	json_set(object, "kernel", entry(0, 0));
	json_set(object, "kernelTCP", entry(0, 0));
}

static struct json_value *memory(struct source *s)
{
	struct cgroup_place p = place_of(s, "memory");
	struct json_value *object = json_new_object(), *stat = raw(s, p.dir);
	const struct json_value *cache = json_get(stat, p.is_v2 ? "file" : "cache");
	uint64_t bytes = 0;

	if (cache && json_uint64(cache, &bytes))
		json_set(object, "cache", json_new_uint(bytes));
	if (p.is_v2)
		memory_v2(object, p.dir);
	else
		memory_v1(object, p.dir);
	json_set(object, "raw", stat);
	return object;
}

/* ---- pids ---- */

/* Without a limit readers want no member, or 0. */
static struct json_value *pids(struct source *s)
{
	int dir = place_of(s, "pids").dir;
	struct json_value *object = json_new_object();
	uint64_t limit;

	set_number(object, "current", dir, "pids.current");
	if (cgroup_read_number(dir, "pids.max", &limit) && limit != UINT64_MAX)
		json_set(object, "limit", json_new_uint(limit));
	return object;
}

/* ---- block I/O ---- */

static void push_io(struct json_value *array, unsigned major, unsigned minor, const char *op,
                    uint64_t value)
{
	struct json_value *object = json_new_object();

	json_set(object, "major", json_new_uint(major));
	json_set(object, "minor", json_new_uint(minor));
	json_set(object, "op", json_new_string(op));
	json_set(object, "value", json_new_uint(value));
	json_push(array, object);
}

/* "8:0 Read 4096"; the closing "Total 4096" is of no device. */
static struct json_value *io_v1(struct source *s, int dir, const char *file)
{
	struct json_value *array = json_new_array();
	char *text = read_text(s, dir, file);
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n"))) {
		unsigned major, minor;
		unsigned long long value;
		char op[16];

		if (sscanf(line, "%u:%u %15s %llu", &major, &minor, op, &value) == 4)
			push_io(array, major, minor, op, value);
	}
	return array;
}

/* One line of io.stat: "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6" */
static void push_device(char *line, struct json_value *bytes, struct json_value *operations)
{
	static const struct {
		const char *key, *op;
		bool is_bytes;
	} keys[] = {
		{ "rbytes", "Read", true },    { "wbytes", "Write", true },
		{ "dbytes", "Discard", true }, { "rios", "Read", false },
		{ "wios", "Write", false },    { "dios", "Discard", false },
	};
	unsigned major, minor;
	char *word;

	if (sscanf(line, "%u:%u", &major, &minor) != 2)
		return;
	while ((word = strsep(&line, " "))) {
		char *value = strchr(word, '=');

		for (size_t i = 0; value && i < DJ_COUNT(keys); i++) {
			if (strncmp(word, keys[i].key, strlen(keys[i].key)) == 0 &&
			    word + strlen(keys[i].key) == value)
				push_io(keys[i].is_bytes ? bytes : operations, major, minor,
				        keys[i].op, strtoull(value + 1, NULL, 10));
		}
	}
}

static void io_v2(struct source *s, int dir, struct json_value *bytes,
                  struct json_value *operations)
{
	char *text = read_text(s, dir, "io.stat");
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n")))
		push_device(line, bytes, operations);
}

static struct json_value *block_io(struct source *s)
{
	struct cgroup_place p = place_of(s, "blkio");
	struct json_value *object = json_new_object();
	struct json_value *bytes = NULL, *operations = NULL;

	if (p.is_v2) {
		bytes = json_new_array();
		operations = json_new_array();
		io_v2(s, p.dir, bytes, operations);
	} else {
		bytes = io_v1(s, p.dir, "blkio.throttle.io_service_bytes_recursive");
		operations = io_v1(s, p.dir, "blkio.throttle.io_serviced_recursive");
	}
	json_set(object, "ioServiceBytesRecursive", bytes);
	json_set(object, "ioServicedRecursive", operations);
	return object;
}

/* ---- huge pages ---- */

static struct json_value *page_size(struct cgroup_place p, const char *size)
{
	struct json_value *object = json_new_object();
	char file[64];

	(void)snprintf(file, sizeof(file), "hugetlb.%s.%s", size,
	               p.is_v2 ? "current" : "usage_in_bytes");
	json_set(object, "usage", json_new_uint(number_or_zero(p.dir, file)));
	if (p.is_v2) {
		(void)snprintf(file, sizeof(file), "hugetlb.%s.events", size);
		set_key(object, "failcnt", p.dir, file, "max", 1);
		return object;
	}
	(void)snprintf(file, sizeof(file), "hugetlb.%s.max_usage_in_bytes", size);
	set_number(object, "max", p.dir, file);
	(void)snprintf(file, sizeof(file), "hugetlb.%s.failcnt", size);
	json_set(object, "failcnt", json_new_uint(number_or_zero(p.dir, file)));
	return object;
}

/* "hugetlb.2MB.current" or "hugetlb.2MB.usage_in_bytes": there is one for each size. */
static bool is_size_file(const char *name, bool is_v2, char *size, size_t room)
{
	const char *prefix = "hugetlb.";
	const char *at = name + strlen(prefix), *dot;

	if (strncmp(name, prefix, strlen(prefix)) != 0)
		return false;
	dot = strchr(at, '.');
	if (!dot || strcmp(dot, is_v2 ? ".current" : ".usage_in_bytes") != 0)
		return false;
	(void)snprintf(size, room, "%.*s", (int)(dot - at), at);
	return true;
}

static struct json_value *huge_pages(struct source *s)
{
	struct cgroup_place p = place_of(s, "hugetlb");
	struct json_value *object = json_new_object();
	int copy = p.dir < 0 ? -1 : openat(p.dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *file;
	char size[PAGE_SIZE_NAME_MAX];

	if (!dir) {
		dj_cleanup_close(&copy);
		return object;
	}
	while ((file = readdir(dir))) {
		if (is_size_file(file->d_name, p.is_v2, size, sizeof(size)))
			json_set(object, size, page_size(p, size));
	}
	(void)closedir(dir); /* read only: nothing can be lost */
	return object;
}

struct json_value *cgroup_stats(const struct host_facts *host, const struct cgroup *cg)
{
	struct source s = { .host = host, .cg = cg };
	struct json_value *object = json_new_object();

	json_set(object, "cpu", cpu(&s));
	json_set(object, "cpuset", cpuset(&s));
	json_set(object, "memory", memory(&s));
	json_set(object, "pids", pids(&s));
	json_set(object, "blkio", block_io(&s));
	json_set(object, "hugetlb", huge_pages(&s));
	json_set(object, "network_interfaces", json_new_array());
	dj_arena_done(&s.arena);
	return object;
}
