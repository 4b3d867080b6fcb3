/*
 * Changing the limits of a container that exists (contract F56-F66).
 */
#ifndef DONJON_UPDATE_H
#define DONJON_UPDATE_H

#include "donjon/container.h"

#include <stdint.h>

#pragma GCC visibility push(default)

/* What is NULL keeps its value, and so does what is 0 where 0 cannot be a value (all but cpu_burst and
 * cpu_idle).  -1 is "no limit" for memory, swap, quota and processes.  Numbers are pointed to so that
 * "not given" can be told: `.memory = &(int64_t){ 512 << 20 }`. */
struct donjon_update_options {
	size_t size;
	/* A `linux.resources` object as JSON text; all other members are ignored then.  Its device
	 * rules are ignored, too. */
	const char *resources;
	const int64_t *memory, *memory_reservation; /* bytes; memory -1 lifts the limit of swap, too */
	const int64_t *memory_swap;                 /* memory and swap together */
	const int64_t *cpu_shares;
	const int64_t *cpu_quota, *cpu_period, *cpu_burst; /* microseconds */
	const int64_t *cpu_rt_period, *cpu_rt_runtime;     /* microseconds; cgroup v1 */
	const int64_t *cpu_idle;                           /* 0 or 1 */
	const char *cpuset_cpus, *cpuset_mems;             /* lists like "0-3,7" */
	const int64_t *blkio_weight;                       /* 10 to 1000 */
	const int64_t *pids_limit;
	const char *l3_cache_schema, *mem_bw_schema; /* for containers with an RDT group */
};

/* All or nothing: where one limit cannot be had, those written before it are taken back.  What was
 * changed is kept with the container and shown by donjon_container_state() as `updated`.
 * DONJON_E_STATUS unless the container is created, running or paused. */
int donjon_container_update(struct donjon_runtime *runtime, const char *id,
			    const struct donjon_update_options *options, struct donjon_error *err);

#pragma GCC visibility pop

#endif
