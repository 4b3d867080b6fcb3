/* What the files of this folder share. */
#ifndef CGROUP_INSIDE_H
#define CGROUP_INSIDE_H

#include "cgroup/cgroup.h"

#include <linux/bpf.h>
#include <stdint.h>

/* A mounted hierarchy: the v1 ones in the host's order, then the v2 tree. */
struct hierarchy {
	const char *mount_point;
	const char *name; /* its controllers, for errors and look-ups; "unified" for v2 */
	size_t index;     /* into struct cgroup's v1 lists */
	bool is_v2;
};
enum { HIERARCHY_MAX = HOST_CGROUP_V1_MAX + 1 };

size_t hierarchies_of(const struct host_facts *host, struct hierarchy out[static HIERARCHY_MAX]);

/* The root of a hierarchy, proved to be a cgroup filesystem (B28).  Descriptor or -errno. */
int hierarchy_open(const struct hierarchy *h);

/* Nothing opened yet. */
struct cgroup cgroup_empty_for(const struct host_facts *host);

/* A file of the cgroup: text without the final newline and its length, or -errno. */
ssize_t cgroup_read(int dir_fd, const char *file, char *buf, size_t size);
/* One write(2).  0 or -errno. */
int cgroup_write(int dir_fd, const char *file, const char *text);
/* A file that is one number: false where there is none; "max" is UINT64_MAX. */
bool cgroup_read_number(int dir_fd, const char *file, uint64_t *out);
/* The directory of a v1 controller, on whichever version it is; -1: it is not there. */
struct cgroup_place {
	int dir;
	bool is_v2;
};
struct cgroup_place cgroup_place_of(const struct host_facts *host, const struct cgroup *cg,
				    const char *controller);
/* Where a write of the plan goes, or -1. */
int cgroup_dir_of(const struct dj_plan *plan, const struct host_facts *host,
		  const struct cgroup *cg, const struct plan_cgroup_write *write);
/* The plan's limits without the device rules; none of them may be optional. */
int cgroup_apply_writes(const struct dj_plan *plan, const struct host_facts *host,
			const struct cgroup *cg, struct donjon_error *err);
/* The number after "KEY " in a flat-keyed file such as cgroup.events; 0 where there is none. */
uint64_t cgroup_read_key(int dir_fd, const char *file, const char *key);

/* The directory of v1 hierarchy `index` (cg->freezer and the like), or -1. */
static inline int cgroup_v1_dir(const struct cgroup *cg, size_t index)
{
	return index < cg->n_v1 ? cg->v1[index] : -1;
}

/* Walks a tree with one descriptor at a time, so that a hostile depth costs memory only.  `enter`
 * is called for the root and for every cgroup below it, parents first; `leave` for those below,
 * children first, with the parent's descriptor and the name.  Either may be NULL; a negative
 * (-errno) answer of `enter` ends the walk.  What vanishes meanwhile is skipped. */
struct cgroup_visitor {
	int (*enter)(int dir_fd, void *data);
	void (*leave)(int parent_fd, const char *name, void *data);
};
int cgroup_walk(int dir_fd, const struct cgroup_visitor *visitor, void *data);

/* Growing pauses up to a bound: something that happens at once is seen at once. */
struct patience {
	uint64_t until_us;
	unsigned pause_us;
};
struct patience patience_of(unsigned ms);
bool patience_wait(struct patience *p); /* false: the time is over, nothing was waited */
int patience_left_ms(const struct patience *p);

/* Freezes or thaws, and waits until it is so; a freeze that does not come about is taken back.  0 or
 * -errno (-ENOENT: there is no freezer). */
int cgroup_set_frozen(const struct cgroup *cg, bool frozen, unsigned wait_ms);
/* Does this cgroup of the v1 freezer, or one above it, ask for it? */
bool cgroup_is_v1_frozen(int dir_fd);

/* The device rules as a BPF_PROG_TYPE_CGROUP_DEVICE program; *out is malloc'ed.  The last rule that
 * speaks about a kind of access decides it; what no rule speaks about is denied. */
int device_program(const struct oci_device_rule *rules, size_t n, struct bpf_insn **out,
		   size_t *out_n, struct donjon_error *err);

/* The same rules for v1, which knows one default and a set of exceptions to it: lines for the files
 * devices.deny and devices.allow.  Rules that cannot be said so are an error. */
struct device_line {
	bool allow;
	char text[48];
};
int device_lines(const struct oci_device_rule *rules, size_t n, struct device_line **out,
		 size_t *out_n, struct donjon_error *err);

/* Puts the plan's device rules into force. */
int cgroup_apply_devices(const struct dj_plan *plan, const struct cgroup *cg,
			 struct donjon_error *err);

/* Gives the delegated files to the container's user (G1). */
int cgroup_delegate(const struct dj_plan *plan, const struct cgroup *cg, struct donjon_error *err);

#endif
