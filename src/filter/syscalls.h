/* What is known of system calls beyond name <-> number (filter.h): ABIs and multiplexers. */
#ifndef FILTER_SYSCALLS_H
#define FILTER_SYSCALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* x32 numbers carry this bit; so does nothing else under AUDIT_ARCH_X86_64. */
#define SYSCALL_X32_BIT 0x40000000u

/* The tables know this architecture's numbers. */
bool syscall_arch_known(uint32_t arch);

/* ABIs whose arguments are 32-bit words, whatever the registers hold above them. */
bool syscall_arch_is_narrow(uint32_t arch);
bool syscall_arch_is_big_endian(uint32_t arch);

/* A name, looked up in our own tables once for all architectures. */
struct syscall_name {
	const char *text;
	const struct known_call *known;
	const struct new_call *added;
	const struct multiplexed *shared;
};

struct syscall_name syscall_name_find(const char *text);

/* As filter_syscall_number(). */
int syscall_number(uint32_t arch, const struct syscall_name *name);

/* A call that ARCH can also, or only, make through socketcall(2) or ipc(2). */
struct syscall_multiplexed {
	size_t slot;         /* below SYSCALL_MULTIPLEXED_MAX, one per name */
	int number;          /* of the multiplexer */
	uint32_t call, mask; /* it makes this call when (argument 0 & mask) == call */
};
enum { SYSCALL_MULTIPLEXED_MAX = 32 };

bool syscall_is_multiplexed(uint32_t arch, const struct syscall_name *name,
                            struct syscall_multiplexed *out);

#endif
