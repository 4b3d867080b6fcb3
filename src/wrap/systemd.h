/*
 * systemd as the manager of a container's cgroup: transient scopes over D-Bus (contract G2-G4).
 * libsystemd is loaded when it is needed; a build without its header can only say so.
 */
#ifndef WRAP_SYSTEMD_H
#define WRAP_SYSTEMD_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum systemd_type { SYSTEMD_BOOL, SYSTEMD_INT, SYSTEMD_UINT64, SYSTEMD_STRING, SYSTEMD_STRINGS, SYSTEMD_BYTES };

struct systemd_property {
	const char *name;
	enum systemd_type type;
	int64_t integer;            /* bool and int */
	uint64_t number;            /* uint64 */
	const char *text;           /* string */
	const char *const *strings; /* NULL-terminated */
	const void *bytes;
	size_t n_bytes;
};

/* Is it part of this build? */
bool systemd_is_supported(void);

struct systemd;

/* The system's manager, or the calling user's own (G3).  NULL with *err filled. */
struct systemd *systemd_open(bool user, struct donjon_error *err);
void systemd_close(struct systemd *systemd);

/* Makes the scope with `pid` in it and waits until systemd says that it is there (30 s). */
int systemd_start_scope(struct systemd *systemd, const char *unit, pid_t pid,
			const struct systemd_property *properties, size_t n, struct donjon_error *err);
/* Until the unit ends: what daemon-reload writes again is these. */
int systemd_set_properties(struct systemd *systemd, const char *unit,
			   const struct systemd_property *properties, size_t n, struct donjon_error *err);
/* Moves a process of the caller's into the unit's cgroup, or the one `below` it ("" or "/path"). */
int systemd_attach(struct systemd *systemd, const char *unit, const char *below, pid_t pid,
		   struct donjon_error *err);
/* Also one that is not there any more. */
int systemd_stop(struct systemd *systemd, const char *unit, struct donjon_error *err);

/* The unit's cgroup as a path below the hierarchies' roots, or the manager's own (unit NULL). */
int systemd_control_group(struct systemd *systemd, const char *unit, char *out, size_t size,
			  struct donjon_error *err);

#endif
