/* One limit of linux.resources as one line in a file of the cgroup: looked up where this host has the
 * controller, a v1 hierarchy or the v2 tree, so that v1, hybrid and v2 hosts need no code of their own. */
#ifndef PLAN_LIMIT_H
#define PLAN_LIMIT_H

#include "plan/block.h"
#include "plan/build.h"

#include <stdint.h>

#define LIMIT_POINTER "linux.resources."

/* A setting that is one file with one value.  No v2 file: impossible there, hence an error. */
struct limit_setting {
	const char *controller; /* v1's name */
	const char *pointer, *v1_file, *v2_file;
};

enum limit_place { LIMIT_NOWHERE, LIMIT_ON_V1, LIMIT_ON_V2 };

enum limit_flag {
	LIMIT_OURS = 1,      /* added by the policy: may fail, recorded (decision 16) */
	LIMIT_IF_EXISTS = 2, /* a missing file means what is asked for */
};

struct limit_writer {
	struct plan_block *block;
	const struct host_facts *host;
	struct plan_cgroup_write *v;
	size_t n, room;
	struct donjon_error *err;
};

enum limit_place limit_locate(const struct host_facts *host, const char *controller);

/* The line as it is, without a look at where the controller is. */
void limit_append(struct limit_writer *w, const char *controller, const char *pointer, const char *file,
		  const char *value, unsigned flags);
int limit_put(struct limit_writer *w, const struct limit_setting *s, unsigned flags, const char *v1_value,
	      const char *v2_value);
/* A number of bytes of which a negative one means "no limit": that also holds where the file, or the
 * whole controller, does not exist. */
int limit_put_bytes(struct limit_writer *w, const struct limit_setting *s, unsigned flags, int64_t value);

const char *limit_number(struct limit_writer *w, int64_t value);
const char *limit_unsigned(struct limit_writer *w, uint64_t value);
/* "linux.resources.LIST[I]" */
const char *limit_indexed(struct limit_writer *w, const char *list, size_t i);
int limit_invalid(struct limit_writer *w, const char *pointer, const char *reason);

/* The groups that are more than a line. */
int limit_memory(struct limit_writer *w, const struct oci_resources *r, const struct policy_settings *settings);
int limit_cpu(struct limit_writer *w, const struct oci_resources *r, const struct policy_settings *settings);
int limit_cpuset(struct limit_writer *w, const struct oci_resources *r);
int limit_block_io(struct limit_writer *w, const struct oci_resources *r);

#endif
