/* One hook, or another program that is called like one, from an opened program to its exit status. */
#ifndef LAUNCH_HOOKS_H
#define LAUNCH_HOOKS_H

#include "base/error.h"
#include "plan/plan.h"

/* An O_PATH descriptor of the hook's program, which must be a regular file. */
int hook_open(const char *path, struct donjon_error *err);

/* Any program of the host's that is run to its end (a loader of profiles, newuidmap): 0 if its status
 * is.  The error begins with `path` and ends with what it had to say. */
int hook_execute(int program, const char *path, char *const argv[], char *const envp[], const char *cwd,
		 uint32_t timeout_s, const char *input, struct donjon_error *err);

/* The plan's hook with the state JSON on stdin, in directory `cwd` ("": the current one). */
int hook_run_fd(const struct dj_plan *plan, const struct plan_hook *hook, int program,
		const char *state_json, const char *cwd, struct donjon_error *err);

/* NULL-terminated vector of the plan's strings (`first` alone if there are none). */
char **hook_vector(const struct dj_plan *plan, struct plan_list strings, const char *first,
		   struct donjon_error *err);

#endif
