/* Names and numbers of system calls: our dated supplement first, then libseccomp (decision 37). */
#include "filter/syscalls.h"

#include "base/cleanup.h"
#include "filter/filter.h"
#include "filter/known_calls.h"
#include "filter/syscall_table.h"

#include <limits.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(DJ_COUNT(multiplexed) == SYSCALL_MULTIPLEXED_MAX, "one slot per multiplexed call");
_Static_assert(DJ_COUNT(new_calls) < UCHAR_MAX, "known_calls keeps its rows in a byte");

/* 32-bit arguments in 64-bit registers: MIPS N32, as <linux/audit.h> marks it. */
#define CONVENTION_N32 0x20000000u

/* libseccomp's token is the audit value but for x32, which has none of its own. */
static uint32_t scmp_arch(uint32_t arch)
{
	return arch == OCI_ARCH_X32 ? SCMP_ARCH_X32 : arch;
}

bool syscall_arch_is_narrow(uint32_t arch)
{
	return arch == OCI_ARCH_X32 || !(arch & __AUDIT_ARCH_64BIT) || (arch & CONVENTION_N32);
}

bool syscall_arch_is_big_endian(uint32_t arch)
{
	return !(arch & __AUDIT_ARCH_LE);
}

/* These two tables are sorted and their rows begin with the name. */
static int compare_name(const void *name, const void *row)
{
	return strcmp(name, *(const char *const *)row);
}

static int compare_known(const void *name, const void *row)
{
	return strcmp(name, ((const struct known_call *)row)->name);
}

struct syscall_name syscall_name_find(const char *text)
{
	const struct known_call *known = bsearch(text, known_calls, DJ_COUNT(known_calls),
	                                         sizeof(known_calls[0]), compare_known);

	if (known)
		return (struct syscall_name){
			.text = text,
			.known = known,
			.added = known->added ? &new_calls[known->added - 1] : NULL,
			.shared = known->shared ? &multiplexed[known->shared - 1] : NULL,
		};
	return (struct syscall_name){
		.text = text,
		.added = bsearch(text, new_calls, DJ_COUNT(new_calls), sizeof(new_calls[0]),
		                 compare_name),
		.shared = bsearch(text, multiplexed, DJ_COUNT(multiplexed), sizeof(multiplexed[0]),
		                  compare_name),
	};
}

static enum multiplexed_abi multiplexed_abi(uint32_t arch)
{
	for (size_t i = 0; i < DJ_COUNT(multiplexed_abis); i++)
		if (multiplexed_abis[i].arch == arch)
			return multiplexed_abis[i].abi;
	return ABI_COUNT;
}

/* What the ABI adds to the common numbers. */
static int number_base(uint32_t arch)
{
	switch (arch) {
	case OCI_ARCH_X32:
		return (int)SYSCALL_X32_BIT;
	case AUDIT_ARCH_MIPS:
	case AUDIT_ARCH_MIPSEL:
		return 4000;
	case AUDIT_ARCH_MIPS64:
	case AUDIT_ARCH_MIPSEL64:
		return 5000;
	case AUDIT_ARCH_MIPS64N32:
	case AUDIT_ARCH_MIPSEL64N32:
		return 6000;
	default:
		return 0;
	}
}

static bool exists_on(const struct new_call *call, uint32_t arch)
{
	switch ((enum new_call_where)call->where) {
	case NOT_ON_X32:
		return arch != OCI_ARCH_X32;
	case X86_64_ONLY:
		return arch == AUDIT_ARCH_X86_64;
	case RISCV_ONLY:
		return arch == AUDIT_ARCH_RISCV32 || arch == AUDIT_ARCH_RISCV64;
	case EVERYWHERE:
		break;
	}
	return true;
}

static int new_number(const struct new_call *call, uint32_t arch)
{
	return exists_on(call, arch) ? call->number + number_base(arch) : FILTER_SYSCALL_ABSENT;
}

static int direct_number(const struct multiplexed *call, enum multiplexed_abi abi)
{
	return call->direct[abi] ? call->direct[abi] : FILTER_SYSCALL_ABSENT;
}

bool syscall_arch_known(uint32_t arch)
{
	return seccomp_syscall_resolve_name_arch(scmp_arch(arch), "read") >= 0;
}

static int libseccomp_number(uint32_t arch, const struct syscall_name *name)
{
	for (size_t i = 0; name->known && i < DJ_COUNT(known_abis); i++)
		if (known_abis[i] == arch)
			return name->known->numbers[i];
	return seccomp_syscall_resolve_name_arch(scmp_arch(arch), name->text);
}

int syscall_number(uint32_t arch, const struct syscall_name *name)
{
	enum multiplexed_abi abi = name->shared ? multiplexed_abi(arch) : ABI_COUNT;
	int number;

	if (name->added && syscall_arch_known(arch))
		return new_number(name->added, arch);
	if (abi != ABI_COUNT)
		return direct_number(name->shared, abi);
	number = libseccomp_number(arch, name);
	if (number == __NR_SCMP_ERROR)
		return FILTER_SYSCALL_UNKNOWN;
	return number < 0 ? FILTER_SYSCALL_ABSENT : number; /* below -1: known, but not here */
}

int filter_syscall_number(uint32_t arch, const char *name)
{
	const struct syscall_name found = syscall_name_find(name);

	return syscall_number(arch, &found);
}

static const char *new_name(uint32_t arch, int number)
{
	for (size_t i = 0; i < DJ_COUNT(new_calls); i++)
		if (new_number(&new_calls[i], arch) == number)
			return new_calls[i].name;
	return NULL;
}

const char *filter_syscall_name(uint32_t arch, int number)
{
	static _Thread_local char name[64];
	const char *added = new_name(arch, number);
	dj_auto_free char *known = NULL;

	if (added || number < 0)
		return added;
	known = seccomp_syscall_resolve_num_arch(scmp_arch(arch), number);
	if (!known)
		return NULL;
	(void)snprintf(name, sizeof(name), "%s", known);
	return name;
}

bool syscall_is_multiplexed(uint32_t arch, const struct syscall_name *name,
                            struct syscall_multiplexed *out)
{
	const struct multiplexed *row = name->shared;

	if (!row || multiplexed_abi(arch) == ABI_COUNT)
		return false;
	out->slot = (size_t)(row - multiplexed);
	out->number = filter_syscall_number(arch, row->through);
	out->call = row->call;
	/* ipc(2) keeps a version in the upper half of its first argument. */
	out->mask = strcmp(row->through, "ipc") == 0 ? 0xffff : UINT32_MAX;
	return true;
}
