/* linux.resources.cpu: time, and which processors (P70-P76). */
#include "plan/limit.h"

#include <inttypes.h>
#include <string.h>

/* clang-format off */
static const struct limit_setting
cpu_shares     = { "cpu", LIMIT_POINTER "cpu.shares", "cpu.shares", "cpu.weight" },
cpu_quota      = { "cpu", LIMIT_POINTER "cpu.quota", "cpu.cfs_quota_us", "cpu.max" },
cpu_period     = { "cpu", LIMIT_POINTER "cpu.period", "cpu.cfs_period_us", "cpu.max" },
cpu_burst      = { "cpu", LIMIT_POINTER "cpu.burst", "cpu.cfs_burst_us", "cpu.max.burst" },
cpu_rt_period  = { "cpu", LIMIT_POINTER "cpu.realtimePeriod", "cpu.rt_period_us", NULL },
cpu_rt_runtime = { "cpu", LIMIT_POINTER "cpu.realtimeRuntime", "cpu.rt_runtime_us", NULL },
cpu_idle       = { "cpu", LIMIT_POINTER "cpu.idle", "cpu.idle", "cpu.idle" },
cpuset_cpus    = { "cpuset", LIMIT_POINTER "cpu.cpus", "cpuset.cpus", "cpuset.cpus" },
cpuset_mems    = { "cpuset", LIMIT_POINTER "cpu.mems", "cpuset.mems", "cpuset.mems" };
/* clang-format on */

/* Natural logarithm and exponential by their series: 53 bits are reached well before the last
 * term, and libm would be one more library to load on every start. */
static double log_natural(double x)
{
	const double ln2 = 0.693147180559945309417232121458;
	int halvings = 0;
	double z, power, sum = 0;

	for (; x >= 2; x /= 2)
		halvings++;
	z = (x - 1) / (x + 1);
	power = z;
	for (int k = 1; k < 40; k += 2, power *= z * z)
		sum += power / k;
	return 2 * sum + halvings * ln2;
}

static double exponential(double x)
{
	double term = 1, sum = 1;

	for (int k = 1; k < 80; k++) {
		term *= x / k;
		sum += term;
	}
	return sum;
}

/* P70: the curve through 2 -> 1, 1024 -> 100 and 262144 -> 10000 that the runtimes agreed on. */
static uint64_t weight_of_shares(uint64_t shares)
{
	const double ln2 = 0.693147180559945309417232121458, ln10 = 2.30258509299404568401799145468;
	double l, weight;
	uint64_t whole;

	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	l = log_natural((double)shares) / ln2;
	weight = exponential(ln10 * ((l * l + 125 * l) / 612 - 7.0 / 34));
	whole = (uint64_t)weight;
	/* Rounding up, except for the last bits of an exact power (1024). */
	return weight - (double)whole > 1e-9 ? whole + 1 : whole;
}

/* P71-P73.  v2 has both numbers in one file and keeps the period when only the quota is written. */
static int put_bandwidth(struct limit_writer *w, const struct oci_resources *r)
{
	int64_t quota = r->cpu.quota.set ? r->cpu.quota.v : 0;
	uint64_t period = r->cpu.period.set ? r->cpu.period.v : 0;
	const char *limit = quota > 0 ? limit_number(w, quota) : "max";
	const char *both =
		period ? dj_arena_printf(w->block->arena, "%s %" PRIu64, limit, period) : limit;

	if (limit_locate(w->host, "cpu") == LIMIT_ON_V2)
		return quota || period ? limit_put(w, quota ? &cpu_quota : &cpu_period, 0, NULL, both)
				       : 0;
	if (period && limit_put(w, &cpu_period, 0, limit_unsigned(w, period), NULL) < 0)
		return -1;
	if (quota)
		return limit_put(w, &cpu_quota, quota < 0 ? LIMIT_IF_EXISTS : 0,
				 quota < 0 ? "-1" : limit_number(w, quota), NULL);
	return 0;
}

static int put_burst(struct limit_writer *w, const struct oci_resources *r)
{
	const char *value;

	if (!r->cpu.burst.set)
		return 0;
	value = limit_unsigned(w, r->cpu.burst.v);
	if (r->cpu.quota.set && r->cpu.quota.v > 0 && r->cpu.burst.v > (uint64_t)r->cpu.quota.v)
		return limit_invalid(w, cpu_burst.pointer, "is greater than the quota");
	return limit_put(w, &cpu_burst, r->cpu.burst.v ? 0 : LIMIT_IF_EXISTS, value, value);
}

static int put_realtime(struct limit_writer *w, const struct oci_resources *r)
{
	if (r->cpu.realtime_period.set && r->cpu.realtime_period.v &&
	    limit_put(w, &cpu_rt_period, 0, limit_unsigned(w, r->cpu.realtime_period.v), NULL) < 0)
		return -1;
	if (r->cpu.realtime_runtime.set && r->cpu.realtime_runtime.v)
		return limit_put(w, &cpu_rt_runtime, 0, limit_number(w, r->cpu.realtime_runtime.v), NULL);
	return 0;
}

int limit_cpu(struct limit_writer *w, const struct oci_resources *r,
	      const struct policy_settings *settings)
{
	if (r->cpu.shares.set && r->cpu.shares.v) {
		unsigned ours = settings->added_cpu_weight ? LIMIT_OURS : 0;

		if (limit_put(w, &cpu_shares, ours, limit_unsigned(w, r->cpu.shares.v),
			      limit_unsigned(w, weight_of_shares(r->cpu.shares.v))) < 0)
			return -1;
	}
	if (put_bandwidth(w, r) < 0 || put_burst(w, r) < 0 || put_realtime(w, r) < 0)
		return -1;
	if (!r->cpu.idle.set)
		return 0;
	if (r->cpu.idle.v != 0 && r->cpu.idle.v != 1)
		return limit_invalid(w, cpu_idle.pointer, "must be 0 or 1");
	return limit_put(w, &cpu_idle, r->cpu.idle.v ? 0 : LIMIT_IF_EXISTS, limit_number(w, r->cpu.idle.v),
			 limit_number(w, r->cpu.idle.v));
}

static int put_list(struct limit_writer *w, const struct limit_setting *s, const char *list)
{
	if (!list || !*list)
		return 0;
	if (list[strspn(list, "0123456789,-:/ ")])
		return limit_invalid(w, s->pointer, "is not a list of numbers and ranges");
	return limit_put(w, s, 0, list, list);
}

int limit_cpuset(struct limit_writer *w, const struct oci_resources *r)
{
	if (put_list(w, &cpuset_cpus, r->cpu.cpus) < 0)
		return -1;
	return put_list(w, &cpuset_mems, r->cpu.mems);
}
