/* linux.resources and cgroupsPath -> what would be written, on a v1, a hybrid and a v2 host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "plan/resources.h"

#include <stdio.h>
#include <string.h>

static const struct host_facts v1_host = {
	.cgroup_mode = HOST_CGROUP_V1,
	.v1 = { { "cpu,cpuacct" }, { "memory" }, { "cpuset" }, { "pids" }, { "blkio" }, { "devices" },
		{ "hugetlb" }, { "net_cls,net_prio" }, { "rdma" }, { "freezer" }, { "name=systemd" } },
	.n_v1 = 11,
	.initial_userns = true,
};

static const struct host_facts v2_host = {
	.cgroup_mode = HOST_CGROUP_V2,
	.v2_mount_point = "/sys/fs/cgroup",
	.v2_self = "/user.slice/user-1000.slice/session-3.scope",
	.v2_controllers = "cpuset cpu io memory hugetlb pids rdma misc",
	.initial_userns = true,
};

/* Controllers on v1, hugetlb left for the v2 tree, no rdma. */
static const struct host_facts hybrid_host = {
	.cgroup_mode = HOST_CGROUP_V1,
	.v1 = { { "cpu" }, { "memory" }, { "pids" }, { "devices" } },
	.n_v1 = 4,
	.v2_mount_point = "/sys/fs/cgroup/unified",
	.v2_self = "/",
	.v2_controllers = "hugetlb",
	.initial_userns = true,
};

static const struct host_facts bare_host = { .cgroup_mode = HOST_CGROUP_NONE };

static const struct policy_settings nothing_added;
static const struct policy_settings all_added = {
	.added_memory = true, .added_swap = true, .added_pids = true, .added_cpu_weight = true,
};

/* One write a line: "memory:memory.max=5", '?' for optional, '~' for may be missing. */
static void print_writes(const struct dj_plan *plan, struct plan_list list, char *out, size_t size)
{
	const struct plan_cgroup_write *w = plan_items(plan, list, struct plan_cgroup_write);
	size_t used = 0;

	out[0] = '\0';
	for (uint32_t i = 0; i < list.n; i++) {
		const char *controller = plan_text(plan, w[i].controller);

		used += (size_t)snprintf(out + used, size - used, "%s%s%s=%s%s%s\n", controller,
					 *controller ? ":" : "", plan_text(plan, w[i].file),
					 plan_text(plan, w[i].value), w[i].optional ? " ?" : "",
					 w[i].ignore_missing ? " ~" : "");
	}
}

/* "! TEXT": an error that contains TEXT. */
static void check(const char *name, const char *want, int r, const struct donjon_error *err,
		  const char *got)
{
	bool ok = want[0] == '!' ? r < 0 && strstr(err->text, want + 2) != NULL
				 : r == 0 && strcmp(want, got) == 0;

	if (!ok)
		print_error("%s:\nwant %s\ngot  %s%s\n", name, want, r < 0 ? "! " : "",
			    r < 0 ? err->text : got);
	assert_true(ok);
	if (r < 0)
		assert_true(err->code == DONJON_E_CONFIG || err->code == DONJON_E_UNSUPPORTED);
}

static void check_writes(const char *name, const struct oci_resources *r,
			 const struct host_facts *host, const struct policy_settings *settings,
			 const char *want)
{
	dj_auto_arena struct dj_arena arena = { 0 };
	struct donjon_error err = { 0 };
	struct plan_block block;
	struct plan_list list = { 0 };
	char got[4096];
	int result;

	plan_block_init(&block, &arena);
	result = plan_resource_writes(&block, r, host, settings, &list, &err);
	print_writes(plan_block_plan(&block), list, got, sizeof(got));
	check(name, want, result, &err, got);
}

/* clang-format off */
#define SET(value) { true, value }
#define TEXT(text) (char[]){ text }

static struct oci_throttle throttles[] = { { 8, 0, 1048576 }, { 8, 16, 0 } };
static struct oci_throttle bad_throttle[] = { { -1, 0, 5 } };
static struct oci_weight_device weights[] = { { 8, 0, SET(300), { 0 } } };
static struct oci_weight_device leaf_weights[] = { { 8, 0, { 0 }, SET(300) } };
static struct oci_weight_device no_weights[] = { { 8, 0, { 0 }, { 0 } } };
static struct oci_weight_device zero_weights[] = { { 8, 0, SET(0), SET(0) } };
static struct oci_hugepage_limit pages[] = { { TEXT("2MB"), 4194304 }, { TEXT("1GB"), 0 } };
static struct oci_hugepage_limit climbing_page[] = { { TEXT("../2MB"), 1 } };
static struct oci_hugepage_limit odd_page[] = { { TEXT("3MB"), 1 } };
static struct oci_hugepage_limit long_page[] = { { TEXT("2MB.max/x"), 1 } };
static struct oci_hugepage_limit no_page[] = { { TEXT("0MB"), 1 } };
static struct oci_rdma rdma[] = { { TEXT("mlx5_1"), SET(3), SET(10000) }, { TEXT("mlx4_0"), SET(5), { 0 } } };
static struct oci_rdma rdma_nothing[] = { { TEXT("mlx5_1"), { 0 }, { 0 } } };
static struct oci_rdma rdma_injected[] = { { TEXT("a hca_handle=9\nb"), SET(3), { 0 } } };
static struct oci_pair priorities[] = { { TEXT("eth0"), TEXT("500") }, { TEXT("lo"), TEXT("0") } };
static struct oci_pair bad_priority[] = { { TEXT("eth0 1\nlo"), TEXT("5") } };
static struct oci_pair unified[] = { { TEXT("memory.high"), TEXT("1000") }, { TEXT("io.max"), TEXT("8:0 rbps=1\n8:16 wbps=2\n") } };
static struct oci_pair core[] = { { TEXT("cgroup.max.depth"), TEXT("2") } };
static struct oci_pair core_procs[] = { { TEXT("cgroup.procs"), TEXT("0") } };
static struct oci_pair slashed[] = { { TEXT("memory.max/../../x"), TEXT("0") } };
static struct oci_pair newline[] = { { TEXT("memory.max\nx"), TEXT("0") } };
static struct oci_pair absent[] = { { TEXT("dmem.max"), TEXT("0") } };
static struct oci_pair undotted[] = { { TEXT("memory"), TEXT("0") } };
static struct oci_pair control[] = { { TEXT("memory.max"), TEXT("1\r2") } };

static const struct row {
	const char *name;
	struct oci_resources r;
	const char *v1, *v2;
} rows[] = {
	{ "nothing", { 0 }, "", "" },
	{ "what engines always send (decision 23)",
	  { .memory = { .limit = SET(0), .swap = SET(0), .reservation = SET(0), .disable_oom_killer = SET(false) },
	    .cpu = { .shares = SET(0), .quota = SET(0), .period = SET(0), .realtime_runtime = SET(0),
		     .realtime_period = SET(0), .cpus = TEXT(""), .mems = TEXT("") },
	    .block_io = { .weight = SET(0), .leaf_weight = SET(0) }, .network = { .class_id = SET(0) } },
	  "", "" },

	{ "limit", { .memory.limit = SET(1048576) }, "memory:memory.limit_in_bytes=1048576\n", "memory.max=1048576\n" },
	{ "limit and swap", { .memory = { .limit = SET(100), .swap = SET(300) } },
	  "memory:memory.limit_in_bytes=100\nmemory:memory.memsw.limit_in_bytes=300\n",
	  "memory.max=100\nmemory.swap.max=200\n" },
	{ "no swap", { .memory = { .limit = SET(100), .swap = SET(100) } },
	  "memory:memory.limit_in_bytes=100\nmemory:memory.memsw.limit_in_bytes=100 ~\n",
	  "memory.max=100\nmemory.swap.max=0 ~\n" },
	{ "any swap", { .memory = { .limit = SET(100), .swap = SET(-1) } },
	  "memory:memory.limit_in_bytes=100\nmemory:memory.memsw.limit_in_bytes=-1 ~\n",
	  "memory.max=100\nmemory.swap.max=max ~\n" },
	{ "no limit frees the swap, too", { .memory.limit = SET(-1) },
	  "memory:memory.limit_in_bytes=-1 ~\nmemory:memory.memsw.limit_in_bytes=-1 ~\n",
	  "memory.max=max ~\nmemory.swap.max=max ~\n" },
	{ "swap without limit", { .memory.swap = SET(100) }, "! linux.resources.memory.swap: needs", "! memory.swap: needs" },
	{ "swap under no limit", { .memory = { .limit = SET(-1), .swap = SET(5) } }, "! needs", "! needs" },
	{ "swap below limit", { .memory = { .limit = SET(100), .swap = SET(99) } }, "! smaller", "! smaller" },
	{ "reservation", { .memory.reservation = SET(5) }, "memory:memory.soft_limit_in_bytes=5\n", "memory.low=5\n" },
	{ "swappiness", { .memory.swappiness = SET(0) }, "memory:memory.swappiness=0\n", "! no such setting" },
	{ "swappiness range", { .memory.swappiness = SET(101) }, "! 0 to 100", "! 0 to 100" },
	{ "oom killer off", { .memory.disable_oom_killer = SET(true) }, "memory:memory.oom_control=1\n", "! disableOOMKiller" },
	{ "hierarchy and kernel memory", { .memory = { .use_hierarchy = SET(true), .kernel = SET(5), .kernel_tcp = SET(5) } }, "", "" },

	{ "shares", { .cpu.shares = SET(1024) }, "cpu:cpu.shares=1024\n", "cpu.weight=100\n" },
	{ "least shares", { .cpu.shares = SET(1) }, "cpu:cpu.shares=1\n", "cpu.weight=1\n" },
	{ "most shares", { .cpu.shares = SET(UINT64_MAX) }, "cpu:cpu.shares=18446744073709551615\n", "cpu.weight=10000\n" },
	{ "quota", { .cpu.quota = SET(50000) }, "cpu:cpu.cfs_quota_us=50000\n", "cpu.max=50000\n" },
	{ "period", { .cpu.period = SET(20000) }, "cpu:cpu.cfs_period_us=20000\n", "cpu.max=max 20000\n" },
	{ "quota and period", { .cpu = { .quota = SET(5), .period = SET(20) } },
	  "cpu:cpu.cfs_period_us=20\ncpu:cpu.cfs_quota_us=5\n", "cpu.max=5 20\n" },
	{ "no quota", { .cpu = { .quota = SET(-1), .period = SET(20) } },
	  "cpu:cpu.cfs_period_us=20\ncpu:cpu.cfs_quota_us=-1 ~\n", "cpu.max=max 20\n" },
	{ "burst", { .cpu = { .quota = SET(50), .burst = SET(50) } },
	  "cpu:cpu.cfs_quota_us=50\ncpu:cpu.cfs_burst_us=50\n", "cpu.max=50\ncpu.max.burst=50\n" },
	{ "burst beyond quota", { .cpu = { .quota = SET(50), .burst = SET(51) } }, "! greater", "! greater" },
	{ "realtime", { .cpu = { .realtime_period = SET(9), .realtime_runtime = SET(8) } },
	  "cpu:cpu.rt_period_us=9\ncpu:cpu.rt_runtime_us=8\n", "! realtimePeriod" },
	{ "idle", { .cpu.idle = SET(1) }, "cpu:cpu.idle=1\n", "cpu.idle=1\n" },
	{ "idle range", { .cpu.idle = SET(2) }, "! 0 or 1", "! 0 or 1" },
	{ "cpuset", { .cpu = { .cpus = TEXT("0-1,3"), .mems = TEXT("0") } },
	  "cpuset:cpuset.cpus=0-1,3\ncpuset:cpuset.mems=0\n", "cpuset.cpus=0-1,3\ncpuset.mems=0\n" },
	{ "cpuset text", { .cpu.cpus = TEXT("0\n1") }, "! linux.resources.cpu.cpus", "! cpu.cpus" },

	{ "pids", { .pids_limit = SET(100) }, "pids:pids.max=100\n", "pids.max=100\n" },
	{ "pids 0 is a limit", { .pids_limit = SET(0) }, "pids:pids.max=1\n", "pids.max=1\n" },
	{ "pids -1", { .pids_limit = SET(-1) }, "pids:pids.max=max ~\n", "pids.max=max ~\n" },

	{ "weight", { .block_io.weight = SET(500) }, "blkio:blkio.bfq.weight=500\n", "io.bfq.weight=500 ~\nio.weight=4950 ~\n" },
	{ "weight ends", { .block_io.weight = SET(1000) }, "blkio:blkio.bfq.weight=1000\n", "io.bfq.weight=1000 ~\nio.weight=10000 ~\n" },
	{ "weight range", { .block_io.weight = SET(9) }, "! 10 to 1000", "! 10 to 1000" },
	{ "leaf weight", { .block_io.leaf_weight = SET(10) }, "blkio:blkio.leaf_weight=10\n", "! leafWeight" },
	{ "weight of a device", { .block_io.weight_device = { weights, 1 } },
	  "blkio:blkio.bfq.weight_device=8:0 300\n", "io.bfq.weight=8:0 300\n" },
	{ "leaf weight of a device", { .block_io.weight_device = { leaf_weights, 1 } },
	  "blkio:blkio.leaf_weight_device=8:0 300\n", "! weightDevice[0]" },
	{ "device without weight", { .block_io.weight_device = { no_weights, 1 } }, "! weightDevice[0]: needs", "! needs" },
	{ "device with weight 0", { .block_io.weight_device = { zero_weights, 1 } }, "", "" },
	{ "throttle", { .block_io = { .read_bps = { throttles, 2 }, .write_iops = { throttles, 1 } } },
	  "blkio:blkio.throttle.read_bps_device=8:0 1048576\nblkio:blkio.throttle.read_bps_device=8:16 0\n"
	  "blkio:blkio.throttle.write_iops_device=8:0 1048576\n",
	  "io.max=8:0 rbps=1048576\nio.max=8:16 rbps=max\nio.max=8:0 wiops=1048576\n" },
	{ "throttle what", { .block_io.write_bps = { bad_throttle, 1 } }, "! throttleWriteBpsDevice[0]", "! device number" },

	{ "huge pages", { .hugepage_limits = { pages, 2 } },
	  "hugetlb:hugetlb.2MB.rsvd.limit_in_bytes=4194304 ~\nhugetlb:hugetlb.2MB.limit_in_bytes=4194304\n"
	  "hugetlb:hugetlb.1GB.rsvd.limit_in_bytes=0 ~\nhugetlb:hugetlb.1GB.limit_in_bytes=0\n",
	  "hugetlb.2MB.rsvd.max=4194304 ~\nhugetlb.2MB.max=4194304\nhugetlb.1GB.rsvd.max=0 ~\nhugetlb.1GB.max=0\n" },
	{ "page size with a path (T45)", { .hugepage_limits = { climbing_page, 1 } }, "! hugepageLimits[0]", "! power of two" },
	{ "page size with a file", { .hugepage_limits = { long_page, 1 } }, "! power of two", "! power of two" },
	{ "odd page size", { .hugepage_limits = { odd_page, 1 } }, "! power of two", "! power of two" },
	{ "page size 0", { .hugepage_limits = { no_page, 1 } }, "! power of two", "! power of two" },

	{ "rdma", { .rdma = { rdma, 2 } },
	  "rdma:rdma.max=mlx5_1 hca_handle=3 hca_object=10000\nrdma:rdma.max=mlx4_0 hca_handle=5\n",
	  "rdma.max=mlx5_1 hca_handle=3 hca_object=10000\nrdma.max=mlx4_0 hca_handle=5\n" },
	{ "rdma without limit", { .rdma = { rdma_nothing, 1 } }, "! rdma.mlx5_1: needs", "! needs" },
	{ "rdma injected", { .rdma = { rdma_injected, 1 } }, "! linux.resources.rdma", "! device name" },

	{ "network", { .network = { .class_id = SET(1048577), .priorities = { priorities, 2 } } },
	  "net_cls:net_cls.classid=1048577\nnet_prio:net_prio.ifpriomap=eth0 500\nnet_prio:net_prio.ifpriomap=lo 0\n",
	  "! linux.resources.network.classID: the net_cls controller" },
	{ "network injected", { .network.priorities = { bad_priority, 1 } }, "! network.priorities[0]", "! priorities[0]" },

	{ "unified", { .unified = { unified, 2 } }, "! linux.resources.unified: this host's controllers are on cgroup v1",
	  "memory.high=1000\nio.max=8:0 rbps=1\nio.max=8:16 wbps=2\n" },
	{ "unified core limit", { .unified = { core, 1 } }, "! unified", "cgroup.max.depth=2\n" },
	{ "unified core, no limit", { .unified = { core_procs, 1 } }, "! unified", "! unified[\"cgroup.procs\"]" },
	{ "unified with slash", { .unified = { slashed, 1 } }, "! unified", "! not a file name" },
	{ "unified with newline", { .unified = { newline, 1 } }, "! unified", "! not a file name" },
	{ "unified, absent controller", { .unified = { absent, 1 } }, "! unified", "! unified[\"dmem.max\"]" },
	{ "unified, no file", { .unified = { undotted, 1 } }, "! unified", "! unified.memory" },
	{ "unified with control character", { .unified = { control, 1 } }, "! unified", "! control character" },
	{ "unified comes last", { .pids_limit = SET(5), .unified = { core, 1 } }, "! unified", "pids.max=5\ncgroup.max.depth=2\n" },
};
/* clang-format on */

static void test_writes(void **state)
{
	(void)state;
	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		check_writes(rows[i].name, &rows[i].r, &v1_host, &nothing_added, rows[i].v1);
		check_writes(rows[i].name, &rows[i].r, &v2_host, &nothing_added, rows[i].v2);
	}
}

/* A controller is used where it is: v1 first, else the v2 tree beside it. */
static void test_hybrid(void **state)
{
	const struct oci_resources here = { .pids_limit = SET(5), .hugepage_limits = { pages, 1 } };
	const struct oci_resources nowhere = { .rdma = { rdma, 1 } };
	const struct oci_resources unlimited = { .memory.limit = SET(-1), .pids_limit = SET(-1) };
	const struct oci_resources unified_key = { .unified = { core, 1 } };

	(void)state;
	check_writes("hybrid", &here, &hybrid_host, &nothing_added,
		     "pids:pids.max=5\nhugetlb.2MB.rsvd.max=4194304 ~\nhugetlb.2MB.max=4194304\n");
	check_writes("nowhere", &nowhere, &hybrid_host, &nothing_added,
		     "! linux.resources.rdma.mlx5_1: the rdma controller is not available");
	check_writes("unified", &unified_key, &hybrid_host, &nothing_added, "! linux.resources.unified");
	check_writes("no limits need no controller", &unlimited, &bare_host, &nothing_added, "");
}

/* Decision 16: what we added is written where it can be, and is never an error here. */
static void test_added(void **state)
{
	const struct oci_resources r = { .memory = { .limit = SET(100), .swap = SET(100) },
					 .cpu.shares = SET(1024), .pids_limit = SET(5) };

	(void)state;
	check_writes("added, v2", &r, &v2_host, &all_added,
		     "memory.max=100 ?\nmemory.swap.max=0 ? ~\ncpu.weight=100 ?\npids.max=5 ?\n");
	check_writes("added, nowhere", &r, &bare_host, &all_added,
		     "memory:memory.limit_in_bytes=100 ?\ncpu:cpu.shares=1024 ?\npids:pids.max=5 ?\n");
}

/* P70, against values of the reference formula in double arithmetic. */
static void test_shares(void **state)
{
	static const struct {
		uint64_t shares;
		const char *want;
	} table[] = {
		{ 2, "1" },      { 3, "2" },       { 10, "4" },      { 100, "17" },      { 102, "17" },
		{ 256, "35" },   { 512, "59" },    { 1023, "100" },  { 1024, "100" },    { 1025, "101" },
		{ 2048, "174" }, { 4096, "303" },  { 8192, "532" },  { 65536, "3023" },
		{ 100000, "4340" }, { 262143, "10000" }, { 262144, "10000" },
	};

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(table); i++) {
		struct oci_resources r = { .cpu.shares = { true, table[i].shares } };
		char want[64];

		(void)snprintf(want, sizeof(want), "cpu.weight=%s\n", table[i].want);
		check_writes("shares", &r, &v2_host, &nothing_added, want);
	}
}

/* ---- the rest of the plan's cgroup part ---- */

struct built {
	struct dj_arena arena;
	struct plan_block block;
	struct policy_result record;
	struct donjon_error err;
	int result;
};

static const struct dj_plan *build(struct built *b, const struct oci_spec *spec,
				   const struct host_facts *host,
				   const struct policy_settings *settings, bool disabled)
{
	const struct plan_input in = { .id = "web", .spec = spec, .settings = settings, .host = host,
				       .cgroups_disabled = disabled };

	*b = (struct built){ 0 };
	plan_block_init(&b->block, &b->arena);
	b->result = plan_resources(&b->block, &in, &b->record, &b->err);
	return plan_block_plan(&b->block);
}

static void built_done(struct built *b)
{
	dj_arena_done(&b->arena);
}

static void test_path(void **state)
{
	char long_name[300] = "";
	const struct {
		char *path;
		const char *root, *user; /* by the host's root; by a user on v2 */
	} table[] = {
		{ NULL, "donjon-web", "user.slice/user-1000.slice/donjon-web" },
		{ TEXT(""), "donjon-web", "user.slice/user-1000.slice/donjon-web" },
		{ TEXT("/docker/web"), "docker/web", "docker/web" },
		{ TEXT("//docker/./web/"), "docker/web", "docker/web" },
		{ TEXT("pod/web"), "pod/web", "user.slice/user-1000.slice/pod/web" },
		{ TEXT("/a:b"), "a:b", "a:b" },
		{ TEXT("/..a/b.."), "..a/b..", "..a/b.." },
		{ TEXT("/"), "! root cgroup", "! root cgroup" },
		{ TEXT("/./"), "! root cgroup", "! root cgroup" },
		{ TEXT("../x"), "! \"..\"", "! \"..\"" },
		{ TEXT("/a/../../x"), "! \"..\"", "! \"..\"" },
		{ TEXT("/a/.."), "! \"..\"", "! \"..\"" },
		{ TEXT("/a\nb"), "! control character", "! control character" },
		{ TEXT("system.slice:docker:web"), "! systemd cgroup manager", "! systemd" },
		{ TEXT(":x:y"), "! systemd", "! systemd" },
		{ long_name, "! too long", "! too long" },
	};
	struct host_facts root = v2_host, user = v2_host;

	(void)state;
	memset(long_name, 'a', sizeof(long_name) - 1);
	user.euid = 1000;
	for (size_t i = 0; i < DJ_COUNT(table); i++) {
		struct oci_spec spec = { .linux.cgroups_path = table[i].path };
		struct built b;
		const struct dj_plan *plan = build(&b, &spec, &root, &nothing_added, false);

		check("path", table[i].root, b.result, &b.err,
		      b.result == 0 ? plan_text(plan, plan->cgroup_path) : "");
		built_done(&b);
		plan = build(&b, &spec, &user, &nothing_added, false);
		check("path", table[i].user, b.result, &b.err,
		      b.result == 0 ? plan_text(plan, plan->cgroup_path) : "");
		built_done(&b);
	}
}

static void test_long_id(void **state)
{
	char id[256];
	const struct oci_spec spec = { 0 };
	struct plan_input in = { .id = id, .spec = &spec, .settings = &nothing_added,
				 .host = &v2_host };
	struct built b = { 0 };

	(void)state;
	memset(id, 'x', sizeof(id) - 1);
	id[255] = '\0';
	plan_block_init(&b.block, &b.arena);
	assert_int_equal(plan_resources(&b.block, &in, &b.record, &b.err), 0);
	assert_string_equal(plan_text(plan_block_plan(&b.block), plan_block_plan(&b.block)->cgroup_path),
			    id);
	built_done(&b);
}

static void print_rules(const struct dj_plan *plan, char *out, size_t size)
{
	const struct oci_device_rule *r =
		plan_items(plan, plan->device_rules, struct oci_device_rule);
	size_t used = 0;

	out[0] = '\0';
	for (uint32_t i = 0; i < plan->device_rules.n; i++)
		used += (size_t)snprintf(out + used, size - used, "%c%c%lld:%lld%s%s%s ",
					 r[i].allow ? '+' : '-', r[i].type, (long long)r[i].major,
					 (long long)r[i].minor, r[i].read ? "r" : "",
					 r[i].write ? "w" : "", r[i].mknod ? "m" : "");
}

#define DEFAULTS                                                                                   \
	"+c-1:-1m +b-1:-1m +c1:3rwm +c1:5rwm +c1:7rwm +c1:8rwm +c1:9rwm +c5:0rwm +c5:2rwm "        \
	"+c136:-1rwm +c10:200rwm "
#define STRICT "+c1:3rw +c1:5rw +c1:7rw +c1:8rw +c1:9rw +c5:0rw +c5:2rw +c136:-1rw "
#define DENY_ALL "-a-1:-1rwm "
#define ALLOW_ALL "+a-1:-1rwm "

static void test_device_rules(void **state)
{
	static struct oci_device_rule deny_all = { false, 'a', -1, -1, true, true, true };
	static struct oci_device_rule allow_all = { true, 'a', -1, -1, true, true, true };
	static struct oci_device_rule fuse = { true, 'c', 10, 229, true, true, false };
	static struct oci_device_rule no_tun = { false, 'c', 10, 200, true, true, true };
	const struct policy_settings strict = { .strict_devices = true };
	const struct {
		struct oci_device_rule v[4];
		size_t n;
		const struct policy_settings *settings;
		const char *want;
	} table[] = {
		{ { { 0 } }, 0, &nothing_added, DENY_ALL DEFAULTS },
		{ { deny_all }, 1, &nothing_added, DENY_ALL DEFAULTS },
		{ { deny_all, fuse }, 2, &nothing_added, DENY_ALL DEFAULTS "+c10:229rw " },
		{ { deny_all, no_tun }, 2, &nothing_added, DENY_ALL DEFAULTS "-c10:200rwm " },
		{ { fuse, deny_all, no_tun }, 3, &nothing_added, DENY_ALL DEFAULTS "-c10:200rwm " },
		{ { allow_all }, 1, &nothing_added, ALLOW_ALL },
		{ { deny_all, allow_all, no_tun }, 3, &nothing_added, ALLOW_ALL "-c10:200rwm " },
		{ { deny_all, fuse }, 2, &strict, DENY_ALL STRICT "+c10:229rw " },
	};

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(table); i++) {
		struct oci_device_rule rules[4];
		struct oci_spec spec = { .linux.resources = { .devices_set = true,
							      .devices = { rules, table[i].n } } };
		struct built b;
		const struct dj_plan *plan;
		char got[1024];

		memcpy(rules, table[i].v, sizeof(rules));
		plan = build(&b, &spec, &v2_host, table[i].settings, false);
		print_rules(plan, got, sizeof(got));
		check("device rules", table[i].want, b.result, &b.err, got);
		assert_true(plan->device_rules_set);
		built_done(&b);
	}
}

static void test_required(void **state)
{
	struct host_facts user = v2_host, nested = v2_host;
	const struct oci_spec bare = { 0 };
	const struct oci_spec named = { .linux.cgroups_path = TEXT("/x") };
	const struct oci_spec limited = { .linux.resources.pids_limit = SET(5) };
	const struct oci_spec denying = { .linux.resources.devices_set = true };
	const struct policy_settings added_devices = { .added_devices = true };
	const struct {
		const struct oci_spec *spec;
		const struct host_facts *host;
		const struct policy_settings *settings;
		bool required, devices_optional;
	} table[] = {
		{ &bare, &v2_host, &nothing_added, false, true },
		{ &named, &v2_host, &nothing_added, true, true },
		{ &limited, &v2_host, &nothing_added, true, true },
		{ &limited, &v2_host, &all_added, false, true },
		{ &denying, &v2_host, &nothing_added, true, false },
		{ &denying, &v2_host, &added_devices, false, true },
		{ &denying, &user, &nothing_added, false, true },
		{ &denying, &nested, &nothing_added, false, true },
	};

	(void)state;
	user.euid = 1000;
	nested.initial_userns = false;
	for (size_t i = 0; i < DJ_COUNT(table); i++) {
		struct built b;
		const struct dj_plan *plan = build(&b, table[i].spec, table[i].host, table[i].settings,
						   false);

		assert_int_equal(b.result, 0);
		assert_true(plan->cgroup);
		assert_int_equal(plan->cgroup_required, table[i].required);
		assert_int_equal(plan->device_rules_optional, table[i].devices_optional);
		built_done(&b);
	}
}

/* Without cgroups: ours are recorded, the config's are an error. */
static void test_without(void **state)
{
	const struct oci_spec limited = { .linux.resources = { .memory.limit = SET(100),
							       .pids_limit = SET(5) } };
	const struct oci_spec unlimited = { .linux.resources = { .pids_limit = SET(-1),
								 .devices_set = true } };
	struct built b;
	const struct dj_plan *plan = build(&b, &limited, &bare_host, &all_added, false);

	(void)state;
	assert_int_equal(b.result, 0);
	assert_false(plan->cgroup);
	assert_int_equal(b.record.notes.n, 4);
	assert_string_equal(b.record.notes.v[0].check, "res.memory");
	assert_string_equal(b.record.notes.v[0].text, "this host has no cgroups");
	built_done(&b);

	(void)build(&b, &limited, &v2_host, &nothing_added, true);
	check("disabled", "! cgroups are disabled: linux.resources.memory.limit", b.result, &b.err, "");
	built_done(&b);

	plan = build(&b, &unlimited, &v2_host, &nothing_added, true);
	assert_int_equal(b.result, 0);
	assert_false(plan->cgroup || plan->cgroup_required || plan->device_rules_set);
	built_done(&b);
}

static void test_delegation(void **state)
{
	char *ro[] = { TEXT("nosuid"), TEXT("ro"), NULL };
	char *rw[] = { TEXT("ro"), TEXT("rw"), NULL };
	struct oci_mount mount = { .destination = TEXT("/sys/fs/cgroup"), .type = TEXT("cgroup"),
				   .source = TEXT("cgroup") };
	struct oci_spec spec = { .mounts = { &mount, 1 } };
	const struct {
		const struct host_facts *host;
		bool own_namespace;
		char *path;
		struct oci_strings options;
		bool want;
	} table[] = {
		{ &v2_host, true, NULL, { 0 }, true },
		{ &v2_host, true, NULL, { rw, 2 }, true },
		{ &v2_host, true, NULL, { ro, 2 }, false },
		{ &v2_host, false, NULL, { 0 }, false },
		{ &v2_host, true, TEXT("/proc/1/ns/cgroup"), { 0 }, false },
		{ &hybrid_host, true, NULL, { 0 }, false },
	};

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(table); i++) {
		struct built b;
		const struct dj_plan *plan;

		mount.options = table[i].options;
		spec.linux.namespaces[OCI_NS_CGROUP].set = table[i].own_namespace;
		spec.linux.namespaces[OCI_NS_CGROUP].path = table[i].path;
		plan = build(&b, &spec, table[i].host, &nothing_added, false);
		assert_int_equal(plan->cgroup_chown, table[i].want);
		built_done(&b);
	}
}

static void test_kernel_memory_is_noted(void **state)
{
	const struct oci_spec spec = { .linux.resources.memory.kernel = SET(5) };
	struct built b;

	(void)state;
	(void)build(&b, &spec, &v2_host, &nothing_added, false);
	assert_int_equal(b.result, 0);
	assert_int_equal(b.record.notes.n, 1);
	built_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_writes),
		cmocka_unit_test(test_hybrid),
		cmocka_unit_test(test_added),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_long_id),
		cmocka_unit_test(test_device_rules),
		cmocka_unit_test(test_required),
		cmocka_unit_test(test_without),
		cmocka_unit_test(test_delegation),
		cmocka_unit_test(test_kernel_memory_is_noted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
