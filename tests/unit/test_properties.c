/* Limits as properties of a systemd unit: what a reload writes again must be what the files were told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "cgroup/properties.h"
#include "plan/block.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { WRITES_MAX = 4, OUT_MAX = 4096 };

struct write {
	const char *file, *value;
};

static void plan_writes(struct plan_block *block, const struct write *writes)
{
	struct plan_cgroup_write v[WRITES_MAX];
	struct plan_list list;
	size_t n = 0;

	for (; n < WRITES_MAX && writes[n].file; n++)
		v[n] = (struct plan_cgroup_write){ .file = plan_add_text(block, writes[n].file),
						   .value = plan_add_text(block, writes[n].value) };
	list = plan_add_list(block, v, n, sizeof(v[0]));
	plan_block_plan(block)->cgroup_writes = list;
}

static size_t print_one(const struct systemd_property *p, char *out, size_t size)
{
	const unsigned char *bytes = p->bytes;
	size_t used = (size_t)snprintf(out, size, "%s=", p->name);

	if (p->type == SYSTEMD_UINT64 && p->number == UINT64_MAX)
		return used + (size_t)snprintf(out + used, size - used, "infinity ");
	if (p->type == SYSTEMD_UINT64)
		return used + (size_t)snprintf(out + used, size - used, "%" PRIu64 " ", p->number);
	assert_int_equal(p->type, SYSTEMD_BYTES);
	for (size_t i = 0; i < p->n_bytes; i++)
		used += (size_t)snprintf(out + used, size - used, "%02x", (unsigned)bytes[i]);
	return used + (size_t)snprintf(out + used, size - used, " ");
}

/* What counts: of each name the last one. */
static void print(const struct properties *p, char *out)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < p->n; i++) {
		bool again = false;

		for (size_t j = i + 1; j < p->n; j++)
			again = again || strcmp(p->v[i].name, p->v[j].name) == 0;
		if (!again)
			used += print_one(&p->v[i], out + used, OUT_MAX - used);
	}
}

static void test_limits(void **state)
{
	static const struct {
		struct write writes[WRITES_MAX];
		const char *want;
	} table[] = {
		{ { { 0 } }, "" },
		{ { { "memory.max", "1048576" }, { "memory.swap.max", "0" }, { "pids.max", "max" } },
		  "MemoryMax=1048576 MemorySwapMax=0 TasksMax=infinity " },
		{ { { "memory.low", "5" }, { "memory.low", "2M" } }, "MemoryLow=2097152 " },
		{ { { "memory.high", "0x10k" } }, "MemoryHigh=16384 " },
		{ { { "hugetlb.2MB.max", "0" }, { "memory.oom.group", "1" } }, "" },
		/* P71: by the second, and in steps of a hundredth. */
		{ { { "cpu.max", "50000 100000" } }, "CPUQuotaPerSecUSec=500000 CPUQuotaPeriodUSec=100000 " },
		{ { { "cpu.max", "12345 100000" } }, "CPUQuotaPerSecUSec=130000 CPUQuotaPeriodUSec=100000 " },
		{ { { "cpu.max", "20000" } }, "CPUQuotaPerSecUSec=200000 CPUQuotaPeriodUSec=100000 " },
		{ { { "cpu.max", "max" } }, "CPUQuotaPerSecUSec=infinity CPUQuotaPeriodUSec=100000 " },
		{ { { "cpu.max", "max 50000" } }, "CPUQuotaPerSecUSec=infinity CPUQuotaPeriodUSec=50000 " },
		/* The file keeps the period, too. */
		{ { { "cpu.max", "9000 50000" }, { "cpu.max", "30000" } },
		  "CPUQuotaPerSecUSec=600000 CPUQuotaPeriodUSec=50000 " },
		{ { { "cpu.weight", "59" }, { "cpu.idle", "1" } }, "CPUWeight=0 " },
		{ { { "cpu.weight", "59" }, { "cpu.idle", "0" } }, "CPUWeight=59 " },
		{ { { "cpu.idle", "0" } }, "CPUWeight=infinity " },
		{ { { "io.weight", "default 200" }, { "io.weight", "8:0 300" } }, "IOWeight=200 " },
		{ { { "io.max", "8:0 rbps=5" } }, "" },
		{ { { "cpuset.cpus", "0-3,8" }, { "cpuset.mems", "1" } }, "AllowedCPUs=0f01 AllowedMemoryNodes=02 " },
		{ { { "cpuset.cpus", "0-7:1/2, 9" } }, "AllowedCPUs=5502 " },
		{ { { "cpuset.cpus", "1" }, { "cpuset.mems", "0" }, { "cpuset.cpus", "2" }, { "cpuset.mems", "3" } },
		  "AllowedCPUs=04 AllowedMemoryNodes=08 " },
		{ { { "cpuset.cpus", "all" } }, "" },
	};

	(void)state;
	for (size_t i = 0; i < DJ_COUNT(table); i++) {
		dj_auto_arena struct dj_arena arena = { 0 };
		struct properties p = { .n = 0 };
		struct plan_block block;
		char got[OUT_MAX];

		plan_block_init(&block, &arena);
		plan_writes(&block, table[i].writes);
		properties_of_limits(&p, plan_block_plan(&block));
		print(&p, got);
		assert_string_equal(got, table[i].want);
	}
}

/* The last CPU a kernel can be built for, and one beyond. */
static void test_many_cpus(void **state)
{
	static const struct write writes[WRITES_MAX] = { { "cpuset.cpus", "8191-8192" } };
	dj_auto_arena struct dj_arena arena = { 0 };
	struct properties p = { .n = 0 };
	struct plan_block block;

	(void)state;
	plan_block_init(&block, &arena);
	plan_writes(&block, writes);
	properties_of_limits(&p, plan_block_plan(&block));
	assert_int_equal(p.n, 1);
	assert_int_equal(p.v[0].n_bytes, MASK_BYTES);
	assert_int_equal(((const unsigned char *)p.v[0].bytes)[MASK_BYTES - 1], 0x80);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_many_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
