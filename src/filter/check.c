#include "filter/filter.h"

#include <stdio.h>

/* Words a person can find in the profile. */
static const char *verdict_text(uint32_t verdict, char buf[static 32])
{
	switch (verdict & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_KILL_PROCESS:
		return "kills the process";
	case SECCOMP_RET_KILL_THREAD:
		return "kills the thread";
	case SECCOMP_RET_TRAP:
		return "sends SIGSYS";
	case SECCOMP_RET_TRACE:
		return "asks a tracer that is not there";
	default:
		(void)snprintf(buf, 32, "answers errno %u", verdict & SECCOMP_RET_DATA);
		return buf;
	}
}

static bool lets_through(uint32_t verdict)
{
	switch (verdict & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_USER_NOTIF:
		return true;
	default:
		return false;
	}
}

int filter_check_exec(const struct filter_program *program, uint32_t native_arch,
                      struct donjon_error *err)
{
	/* Addresses as a stage would pass them: a string, two arrays on the stack. */
	const struct seccomp_data data = {
		.nr = filter_syscall_number(native_arch, "execve"),
		.arch = native_arch,
		.instruction_pointer = 0x7f0000001000,
		.args = { 0x7f0000200000, 0x7ffc00001000, 0x7ffc00001100 },
	};
	uint32_t verdict = filter_simulate(program->v, program->n, &data);
	char buf[32];

	if (lets_through(verdict))
		return 0;
	return dj_fail(err, DONJON_E_CONFIG,
	               "linux.seccomp: the profile %s on execve, so the container's program could "
	               "never start: allow execve",
	               verdict_text(verdict, buf));
}
