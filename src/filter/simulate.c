/*
 * The kernel's interpreter for seccomp programs: the subset of classic BPF that
 * seccomp_check_filter() lets in, every access checked.
 */
#include "filter/filter.h"

#include <string.h>

struct machine {
	const struct seccomp_data *data;
	uint32_t a, x, memory[BPF_MEMWORDS];
};

/* Program errors never run in the kernel: they are refused at load. */
static bool load(struct machine *m, const struct sock_filter *op, uint32_t *into)
{
	switch (BPF_MODE(op->code)) {
	case BPF_IMM:
		*into = op->k;
		return true;
	case BPF_LEN:
		*into = sizeof(*m->data);
		return true;
	case BPF_MEM:
		if (op->k >= BPF_MEMWORDS)
			return false;
		*into = m->memory[op->k];
		return true;
	case BPF_ABS:
		if (BPF_CLASS(op->code) != BPF_LD || op->k % 4 != 0 || op->k >= sizeof(*m->data))
			return false;
		memcpy(into, (const char *)m->data + op->k, sizeof(*into));
		return true;
	default:
		return false;
	}
}

static bool store(struct machine *m, const struct sock_filter *op)
{
	if (op->k >= BPF_MEMWORDS)
		return false;
	m->memory[op->k] = BPF_CLASS(op->code) == BPF_ST ? m->a : m->x;
	return true;
}

static bool compute(struct machine *m, const struct sock_filter *op)
{
	uint32_t by = BPF_SRC(op->code) == BPF_X ? m->x : op->k;

	switch (BPF_OP(op->code)) {
	case BPF_ADD:
		m->a += by;
		return true;
	case BPF_SUB:
		m->a -= by;
		return true;
	case BPF_MUL:
		m->a *= by;
		return true;
	case BPF_DIV:
		m->a = by ? m->a / by : 0;
		return by != 0;
	case BPF_AND:
		m->a &= by;
		return true;
	case BPF_OR:
		m->a |= by;
		return true;
	case BPF_XOR:
		m->a ^= by;
		return true;
	case BPF_LSH:
		m->a <<= by & 31;
		return true;
	case BPF_RSH:
		m->a >>= by & 31;
		return true;
	case BPF_NEG:
		m->a = -m->a;
		return true;
	default:
		return false;
	}
}

/* How far to jump; false: no such jump. */
static bool jump(const struct machine *m, const struct sock_filter *op, uint32_t *by)
{
	uint32_t with = BPF_SRC(op->code) == BPF_X ? m->x : op->k;
	bool taken;

	switch (BPF_OP(op->code)) {
	case BPF_JA:
		*by = op->k;
		return true;
	case BPF_JEQ:
		taken = m->a == with;
		break;
	case BPF_JGT:
		taken = m->a > with;
		break;
	case BPF_JGE:
		taken = m->a >= with;
		break;
	case BPF_JSET:
		taken = (m->a & with) != 0;
		break;
	default:
		return false;
	}
	*by = taken ? op->jt : op->jf;
	return true;
}

static bool move(struct machine *m, const struct sock_filter *op)
{
	if (BPF_MISCOP(op->code) == BPF_TAX)
		m->x = m->a;
	else if (BPF_MISCOP(op->code) == BPF_TXA)
		m->a = m->x;
	else
		return false;
	return true;
}

/* One instruction but RET; false: the kernel would not have loaded it. */
static bool step(struct machine *m, const struct sock_filter *op, uint32_t *skip)
{
	switch (BPF_CLASS(op->code)) {
	case BPF_LD:
		return BPF_SIZE(op->code) == BPF_W && load(m, op, &m->a);
	case BPF_LDX:
		return BPF_SIZE(op->code) == BPF_W && load(m, op, &m->x);
	case BPF_ST:
	case BPF_STX:
		return store(m, op);
	case BPF_ALU:
		return compute(m, op);
	case BPF_JMP:
		return jump(m, op, skip);
	case BPF_MISC:
		return move(m, op);
	default:
		return false;
	}
}

static bool divides_by_zero(const struct machine *m, const struct sock_filter *op)
{
	return op->code == (BPF_ALU | BPF_DIV | BPF_X) && m->x == 0;
}

uint32_t filter_simulate(const struct sock_filter *program, size_t n,
                         const struct seccomp_data *data)
{
	struct machine m = { .data = data };

	for (size_t at = 0; at < n; at++) {
		const struct sock_filter *op = &program[at];
		uint32_t skip = 0;

		if (op->code == (BPF_RET | BPF_K))
			return op->k;
		if (op->code == (BPF_RET | BPF_A))
			return m.a;
		if (divides_by_zero(&m, op))
			return SECCOMP_RET_KILL_THREAD; /* the kernel ends such a run with 0 */
		if (!step(&m, op, &skip))
			break;
		if (skip >= n - at) /* at + 1 + skip must stay an index */
			break;
		at += skip;
	}
	return SECCOMP_RET_KILL_PROCESS;
}
