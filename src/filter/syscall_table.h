/*
 * System calls libseccomp cannot be asked about, or not rightly (decision 37).  Consulted before
 * libseccomp.  Included by syscalls.c and by what the build generates for it.
 *
 * Source: the kernel's scripts/syscall.tbl and arch tables as of Linux 7.0 (2026-04); since 5.1
 * (number 403) one number means one call on every architecture.  Debian 12's libseccomp 2.5.4 ends
 * at 450 or 456, depending on the update.
 */
#ifndef FILTER_SYSCALL_TABLE_H
#define FILTER_SYSCALL_TABLE_H

#include "oci/spec.h"

#include <linux/audit.h>
#include <stdint.h>

enum new_call_where {
	EVERYWHERE,
	NOT_ON_X32,
	X86_64_ONLY,
	RISCV_ONLY,
};

struct new_call {
	const char *name;
	uint16_t number; /* before the ABI's base (MIPS, x32) is added */
	uint8_t where;   /* enum new_call_where */
};

/* clang-format off */
/* Sorted by name (a test holds it so). */
static const struct new_call new_calls[] = {
	{ "cachestat",         451, EVERYWHERE },
	{ "fchmodat2",         452, EVERYWHERE },
	{ "file_getattr",      468, EVERYWHERE },
	{ "file_setattr",      469, EVERYWHERE },
	{ "futex_requeue",     456, EVERYWHERE },
	{ "futex_wait",        455, EVERYWHERE },
	{ "futex_wake",        454, EVERYWHERE },
	{ "getxattrat",        464, EVERYWHERE },
	{ "listmount",         458, EVERYWHERE },
	{ "listns",            470, EVERYWHERE },
	{ "listxattrat",       465, EVERYWHERE },
	{ "lsm_get_self_attr", 459, EVERYWHERE },
	{ "lsm_list_modules",  461, EVERYWHERE },
	{ "lsm_set_self_attr", 460, EVERYWHERE },
	{ "map_shadow_stack",  453, NOT_ON_X32 },
	{ "mseal",             462, EVERYWHERE },
	{ "open_tree_attr",    467, EVERYWHERE },
	{ "removexattrat",     466, EVERYWHERE },
	{ "riscv_flush_icache", 259, RISCV_ONLY },
	{ "riscv_hwprobe",     258, RISCV_ONLY },
	{ "rseq_slice_yield",  471, EVERYWHERE },
	{ "setxattrat",        463, EVERYWHERE },
	{ "statmount",         457, EVERYWHERE },
	{ "uprobe",            336, X86_64_ONLY },
	{ "uretprobe",         335, X86_64_ONLY },
};

/*
 * The calls that some old ABIs reach only, or also, through socketcall(2) and ipc(2).  libseccomp
 * gives them invented negative numbers there; these are the kernel's.  The direct number is 0
 * where the ABI has none.  `call` is the multiplexer's first argument, <linux/net.h> SYS_* and
 * <linux/ipc.h>.  Sorted by name.
 */
enum multiplexed_abi { ABI_X86, ABI_S390, ABI_PPC, ABI_MIPS_O32, ABI_COUNT };

static const struct {
	uint32_t arch;
	enum multiplexed_abi abi;
} multiplexed_abis[] = {
	{ AUDIT_ARCH_I386,    ABI_X86 },
	{ AUDIT_ARCH_S390,    ABI_S390 },
	{ AUDIT_ARCH_S390X,   ABI_S390 },
	{ AUDIT_ARCH_PPC,     ABI_PPC },
	{ AUDIT_ARCH_PPC64,   ABI_PPC },
	{ AUDIT_ARCH_PPC64LE, ABI_PPC },
	{ AUDIT_ARCH_MIPS,    ABI_MIPS_O32 },
	{ AUDIT_ARCH_MIPSEL,  ABI_MIPS_O32 },
};

static const struct multiplexed {
	const char *name;
	const char *through;
	uint16_t call;
	uint16_t direct[ABI_COUNT]; /* x86, s390, ppc, mips o32 */
} multiplexed[] = {
	{ "accept",      "socketcall",  5, {   0,   0, 330, 4168 } },
	{ "accept4",     "socketcall", 18, { 364, 364, 344, 4334 } },
	{ "bind",        "socketcall",  2, { 361, 361, 327, 4169 } },
	{ "connect",     "socketcall",  3, { 362, 362, 328, 4170 } },
	{ "getpeername", "socketcall",  7, { 368, 368, 332, 4171 } },
	{ "getsockname", "socketcall",  6, { 367, 367, 331, 4172 } },
	{ "getsockopt",  "socketcall", 15, { 365, 365, 340, 4173 } },
	{ "listen",      "socketcall",  4, { 363, 363, 329, 4174 } },
	{ "msgctl",      "ipc",        14, { 402, 402, 402, 4402 } },
	{ "msgget",      "ipc",        13, { 399, 399, 399, 4399 } },
	{ "msgrcv",      "ipc",        12, { 401, 401, 401, 4401 } },
	{ "msgsnd",      "ipc",        11, { 400, 400, 400, 4400 } },
	{ "recv",        "socketcall", 10, {   0,   0, 336, 4175 } },
	{ "recvfrom",    "socketcall", 12, { 371, 371, 337, 4176 } },
	{ "recvmmsg",    "socketcall", 19, { 337, 357, 343, 4335 } },
	{ "recvmsg",     "socketcall", 17, { 372, 372, 342, 4177 } },
	{ "semctl",      "ipc",         3, { 394, 394, 394, 4394 } },
	{ "semget",      "ipc",         2, { 393, 393, 393, 4393 } },
	{ "semop",       "ipc",         1, {   0,   0,   0,    0 } },
	{ "semtimedop",  "ipc",         4, {   0, 392, 392,    0 } },
	{ "send",        "socketcall",  9, {   0,   0, 334, 4178 } },
	{ "sendmmsg",    "socketcall", 20, { 345, 358, 349, 4343 } },
	{ "sendmsg",     "socketcall", 16, { 370, 370, 341, 4179 } },
	{ "sendto",      "socketcall", 11, { 369, 369, 335, 4180 } },
	{ "setsockopt",  "socketcall", 14, { 366, 366, 339, 4181 } },
	{ "shmat",       "ipc",        21, { 397, 397, 397, 4397 } },
	{ "shmctl",      "ipc",        24, { 396, 396, 396, 4396 } },
	{ "shmdt",       "ipc",        22, { 398, 398, 398, 4398 } },
	{ "shmget",      "ipc",        23, { 395, 395, 395, 4395 } },
	{ "shutdown",    "socketcall", 13, { 373, 373, 338, 4182 } },
	{ "socket",      "socketcall",  1, { 359, 359, 326, 4183 } },
	{ "socketpair",  "socketcall",  8, { 360, 360, 333, 4184 } },
};
/* clang-format on */

#endif
