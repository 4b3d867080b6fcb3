#include "launch/late_limits.h"

#include <stddef.h>
#include <sys/resource.h>

static const struct {
	int type;
	uint64_t floor;
} floors[] = {
	{ RLIMIT_NOFILE, 128 },	      { RLIMIT_NPROC, 1024 },	  { RLIMIT_CPU, 60 },
	{ RLIMIT_AS, 64 << 20 },      { RLIMIT_DATA, 64 << 20 },  { RLIMIT_STACK, 8 << 20 },
	{ RLIMIT_FSIZE, 1 << 20 },    { RLIMIT_MEMLOCK, 1 << 20 }, { RLIMIT_SIGPENDING, 64 },
	{ RLIMIT_RTTIME, 1000000 },
};

bool limit_is_late(const struct plan_rlimit *limit)
{
	for (size_t i = 0; i < sizeof(floors) / sizeof(floors[0]); i++)
		if (floors[i].type == limit->type)
			return limit->soft < floors[i].floor;
	return false;
}
