/* linux.resources.memory (P62-P68). */
#include "plan/limit.h"

/* clang-format off */
static const struct limit_setting
memory_limit       = { "memory", LIMIT_POINTER "memory.limit", "memory.limit_in_bytes", "memory.max" },
memory_swap        = { "memory", LIMIT_POINTER "memory.swap", "memory.memsw.limit_in_bytes", "memory.swap.max" },
memory_reservation = { "memory", LIMIT_POINTER "memory.reservation", "memory.soft_limit_in_bytes", "memory.low" },
memory_swappiness  = { "memory", LIMIT_POINTER "memory.swappiness", "memory.swappiness", NULL },
memory_oom_killer  = { "memory", LIMIT_POINTER "memory.disableOOMKiller", "memory.oom_control", NULL };
/* clang-format on */

/* P63: the specification counts memory and swap together, as v1 does; v2 counts swap alone.
 * Without swap accounting nothing can be swapped to, or nothing is limited: a missing file is fine
 * where that is what was asked for. */
static int put_swap(struct limit_writer *w, unsigned flags, int64_t limit, int64_t swap)
{
	if (swap < 0)
		return limit_put_bytes(w, &memory_swap, flags, -1);
	if (limit <= 0)
		return limit_invalid(w, memory_swap.pointer, "needs a memory limit");
	if (swap < limit)
		return limit_invalid(w, memory_swap.pointer, "is smaller than the memory limit");
	if (swap == limit)
		flags |= LIMIT_IF_EXISTS;
	return limit_put(w, &memory_swap, flags, limit_number(w, swap), limit_number(w, swap - limit));
}

int limit_memory(struct limit_writer *w, const struct oci_resources *r,
		 const struct policy_settings *settings)
{
	int64_t limit = r->memory.limit.set ? r->memory.limit.v : 0;
	int64_t swap = r->memory.swap.set ? r->memory.swap.v : 0;
	int64_t reservation = r->memory.reservation.set ? r->memory.reservation.v : 0;
	unsigned ours = settings->added_memory ? LIMIT_OURS : 0;

	if (limit && limit_put_bytes(w, &memory_limit, ours, limit) < 0)
		return -1;
	/* "Unlimited" that left the old swap limit in place would be none. */
	if (limit < 0 && !swap)
		swap = -1;
	if (swap && put_swap(w, settings->added_swap ? LIMIT_OURS : 0, limit, swap) < 0)
		return -1;
	if (reservation && limit_put_bytes(w, &memory_reservation, 0, reservation) < 0)
		return -1;
	if (r->memory.swappiness.set) {
		const char *value = limit_unsigned(w, r->memory.swappiness.v);

		if (r->memory.swappiness.v > 100)
			return limit_invalid(w, memory_swappiness.pointer, "must be 0 to 100");
		if (limit_put(w, &memory_swappiness, 0, value, NULL) < 0)
			return -1;
	}
	/* useHierarchy has been the only mode of v1, too, since Linux 5.11: nothing to write. */
	if (r->memory.disable_oom_killer.set && r->memory.disable_oom_killer.v)
		return limit_put(w, &memory_oom_killer, 0, "1", NULL);
	return 0;
}
