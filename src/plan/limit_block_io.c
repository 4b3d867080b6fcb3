/* linux.resources.blockIO (P77-P80). */
#include "plan/limit.h"

#include <inttypes.h>

/* clang-format off */
static const struct limit_setting
block_weight      = { "blkio", LIMIT_POINTER "blockIO.weight", "blkio.bfq.weight", "io.bfq.weight" },
block_leaf_weight = { "blkio", LIMIT_POINTER "blockIO.leafWeight", "blkio.leaf_weight", NULL };
/* clang-format on */

static bool weight_in_range(uint64_t weight)
{
	return weight >= 10 && weight <= 1000;
}

/* P77.  On v2 there are two schedulers' worth of files: BFQ takes the number as it is, io.weight
 * (iocost) has its own range.  Whichever exists is written. */
static int put_block_weight(struct limit_writer *w, const struct oci_resources *r)
{
	uint64_t weight = r->block_io.weight.set ? r->block_io.weight.v : 0;
	uint64_t leaf = r->block_io.leaf_weight.set ? r->block_io.leaf_weight.v : 0;
	const char *pointer = block_weight.pointer;

	if (weight && !weight_in_range(weight))
		return limit_invalid(w, pointer, "must be 10 to 1000");
	if (leaf && !weight_in_range(leaf))
		return limit_invalid(w, block_leaf_weight.pointer, "must be 10 to 1000");
	if (weight && limit_locate(w->host, "blkio") == LIMIT_ON_V2) {
		limit_append(w, "", pointer, "io.bfq.weight", limit_unsigned(w, weight), LIMIT_IF_EXISTS);
		limit_append(w, "", pointer, "io.weight",
			     limit_unsigned(w, 1 + (weight - 10) * 9999 / 990), LIMIT_IF_EXISTS);
	} else if (weight && limit_put(w, &block_weight, 0, limit_unsigned(w, weight), NULL) < 0) {
		return -1;
	}
	return leaf ? limit_put(w, &block_leaf_weight, 0, limit_unsigned(w, leaf), NULL) : 0;
}

static int check_device(struct limit_writer *w, const char *pointer, int64_t major, int64_t minor)
{
	if (major < 0 || major > UINT32_MAX || minor < 0 || minor > UINT32_MAX)
		return limit_invalid(w, pointer, "is not a device number");
	return 0;
}

static int put_weight_device(struct limit_writer *w, const struct oci_weight_device *d, size_t i)
{
	const char *at = limit_indexed(w, "blockIO.weightDevice", i);
	const struct limit_setting weight = { "blkio", at, "blkio.bfq.weight_device", "io.bfq.weight" };
	const struct limit_setting leaf = { "blkio", at, "blkio.leaf_weight_device", NULL };
	const char *text;

	if (!d->weight.set && !d->leaf_weight.set)
		return limit_invalid(w, at, "needs a weight or a leafWeight");
	if (check_device(w, at, d->major, d->minor) < 0)
		return -1;
	if (d->weight.set && d->weight.v) {
		if (!weight_in_range(d->weight.v))
			return limit_invalid(w, at, "weight must be 10 to 1000");
		text = dj_arena_printf(w->block->arena, "%" PRId64 ":%" PRId64 " %u", d->major,
				       d->minor, d->weight.v);
		if (limit_put(w, &weight, 0, text, text) < 0)
			return -1;
	}
	if (!d->leaf_weight.set || !d->leaf_weight.v)
		return 0;
	text = dj_arena_printf(w->block->arena, "%" PRId64 ":%" PRId64 " %u", d->major, d->minor,
			       d->leaf_weight.v);
	return limit_put(w, &leaf, 0, text, NULL);
}

/* P80. */
static const struct throttle_kind {
	const char *list, *v1_file, *v2_key;
} throttle_kinds[] = {
	{ "blockIO.throttleReadBpsDevice", "blkio.throttle.read_bps_device", "rbps" },
	{ "blockIO.throttleWriteBpsDevice", "blkio.throttle.write_bps_device", "wbps" },
	{ "blockIO.throttleReadIOPSDevice", "blkio.throttle.read_iops_device", "riops" },
	{ "blockIO.throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", "wiops" },
};

static int put_throttle(struct limit_writer *w, const struct throttle_kind *kind,
			const struct oci_throttle *t, size_t i)
{
	const char *at = limit_indexed(w, kind->list, i);
	const struct limit_setting s = { "blkio", at, kind->v1_file, "io.max" };
	const char *rate = limit_unsigned(w, t->rate);
	const char *v1, *v2;

	if (check_device(w, at, t->major, t->minor) < 0)
		return -1;
	v1 = dj_arena_printf(w->block->arena, "%" PRId64 ":%" PRId64 " %s", t->major, t->minor,
			     rate);
	v2 = dj_arena_printf(w->block->arena, "%" PRId64 ":%" PRId64 " %s=%s", t->major, t->minor,
			     kind->v2_key, t->rate ? rate : "max");
	return limit_put(w, &s, 0, v1, v2);
}

int limit_block_io(struct limit_writer *w, const struct oci_resources *r)
{
	const struct oci_throttles *lists[] = { &r->block_io.read_bps, &r->block_io.write_bps,
						&r->block_io.read_iops, &r->block_io.write_iops };

	if (put_block_weight(w, r) < 0)
		return -1;
	for (size_t i = 0; i < r->block_io.weight_device.n; i++) {
		if (put_weight_device(w, &r->block_io.weight_device.v[i], i) < 0)
			return -1;
	}
	for (size_t k = 0; k < 4; k++) {
		for (size_t i = 0; i < lists[k]->n; i++) {
			if (put_throttle(w, &throttle_kinds[k], &lists[k]->v[i], i) < 0)
				return -1;
		}
	}
	return 0;
}
