/* Processes: identity that survives pid reuse (B19), wait statuses, signals by name. */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Field 22 of /proc/PID/stat, clock ticks since boot; 0 if the process does not exist.  A zombie has
 * one, too: the first thread of a program may have ended while others run, so whether a process has
 * ended is for a pidfd to say. */
uint64_t proc_start_time(pid_t pid);
/* The same, asked of a procfs that is open already. */
uint64_t proc_start_time_in(int proc_fd, pid_t pid);
/* Surely that process, and surely not ended; "no" needs a pidfd and a closer look. */
bool proc_runs_since(int proc_fd, pid_t pid, uint64_t start_time);
/* By a signal, at this moment; where there is no /proc to ask, no. */
bool proc_is_stopped(pid_t pid);

/* First 36 characters of /proc/sys/kernel/random/boot_id. */
int proc_boot_id(int proc_fd, char buf[static 37], struct donjon_error *err);

/* "9", "KILL", "SIGKILL", "sigrtmin+3" (any case; contract S1) -> number, or -1.  "0" is one, too: it asks
 * whether the process is there. */
int proc_signal_number(const char *text);

#endif
