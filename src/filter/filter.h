/*
 * Seccomp profile -> classic BPF, by our own compiler: numbers of each architecture sorted into
 * runs of equal action and emitted as a balanced tree (startup-performance.md §4), then simulated.
 * No system call is made here.
 */
#ifndef FILTER_FILTER_H
#define FILTER_FILTER_H

#include "base/arena.h"
#include "oci/spec.h"

#include <linux/filter.h>
#include <linux/seccomp.h>

enum { FILTER_MAX = 4096 }; /* BPF_MAXINSNS */

struct filter_program {
	struct sock_filter *v;
	size_t n;
	uint32_t load_flags;        /* SECCOMP_FILTER_FLAG_* */
	bool notifies;              /* some verdict is USER_NOTIF: the loader adds NEW_LISTENER */
	struct oci_strings unknown; /* names no table knows: ignored, recorded (decision 32) */
};

struct filter_options {
	uint32_t native_arch;     /* AUDIT_ARCH_* */
	uint32_t bad_arch_action; /* SECCOMP_RET_* for an architecture the profile does not list */
	/* A number newer than the newest the profile names: ENOSYS, not the default's refusal
	 * (P95, decision 37). */
	bool enosys_above_table;
	/* A call the profile names, with arguments no rule matches: EPERM, not the default's
	 * errno, which is for calls it does not know. */
	bool eperm_unmatched;
	/* Our own profiles (decision 37): a name no table knows is an error. */
	bool names_must_resolve;
};

/* Options that behave as runc and crun do for a bundle's profile on this architecture. */
struct filter_options filter_options_for_bundle(uint32_t native_arch);
/* For the profiles we ship: another architecture's calls do not exist (ENOSYS). */
struct filter_options filter_options_for_builtin(uint32_t native_arch);

int filter_compile(const struct oci_seccomp *profile, const struct filter_options *options,
                   struct dj_arena *arena, struct filter_program *out, struct donjon_error *err);

/* The verdict (SECCOMP_RET_* with data) the kernel would give; KILL_PROCESS for a program that the
 * kernel would not load. */
uint32_t filter_simulate(const struct sock_filter *program, size_t n,
                         const struct seccomp_data *data);

/* Refuses a program under which execve cannot start the workload: its verdict is neither allow
 * nor log nor notify for ordinary arguments (decision 27); a tracer there is none.  The text names execve. */
int filter_check_exec(const struct filter_program *program, uint32_t native_arch,
                      struct donjon_error *err);

/* Profiles shipped in profiles/, embedded at build time: decoded into *out. */
int filter_builtin_default(struct dj_arena *arena, uint64_t capabilities, struct oci_seccomp *out,
                           struct donjon_error *err);
int filter_builtin_guard(struct dj_arena *arena, struct oci_seccomp *out, struct donjon_error *err);

/* Name <-> number for an architecture: our dated supplement table first, then libseccomp
 * (decision 37).  Name: NULL if unknown (valid until the thread's next call). */
enum {
	FILTER_SYSCALL_UNKNOWN = -1, /* no architecture has a call of this name */
	FILTER_SYSCALL_ABSENT = -2,  /* others have */
};
int filter_syscall_number(uint32_t arch, const char *name);
const char *filter_syscall_name(uint32_t arch, int number);

#endif
