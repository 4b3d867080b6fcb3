/*
 * The decision graph and its layout.  The program is written from its last instruction to its
 * first: jumps only go forward, so every target is placed before the jump that names it.
 */
#include "filter/graph.h"

#include <assert.h>
#include <string.h>

struct graph_node {
	struct graph_test test; /* jump == RETURNS: k is the verdict */
	uint32_t yes, no;
	uint16_t next; /* in the bucket, plus one */
};

enum {
	RETURNS = 0xffff,
	/* A conditional jump reaches 255 instructions; one less leaves room for the stepping
	 * stone of its other branch. */
	REACH = 254,
	UNPLACED = -1,
};

static uint32_t bucket_of(const struct graph_node *node)
{
	uint32_t h = node->test.word * 31 + node->test.mask;

	h = (h ^ node->test.jump) * 0x9e3779b1u + node->test.k;
	h = (h ^ node->yes) * 0x9e3779b1u;
	h = (h ^ node->no) * 0x9e3779b1u;
	return h >> 22;
}
_Static_assert(GRAPH_BUCKETS == 1 << (32 - 22), "bucket_of() keeps that many bits");

static bool same_node(const struct graph_node *a, const struct graph_node *b)
{
	return a->test.word == b->test.word && a->test.mask == b->test.mask &&
	       a->test.jump == b->test.jump && a->test.k == b->test.k && a->yes == b->yes &&
	       a->no == b->no;
}

/* Profiles of every day need three hundred nodes, the worst ones thousands. */
static void make_room(struct graph *g)
{
	struct graph_node *nodes;

	if (g->n < g->size)
		return;
	g->size = g->size ? 2 * g->size : 512;
	nodes = dj_arena_array(g->arena, g->size, sizeof(*nodes));
	if (g->n > 0)
		memcpy(nodes, g->nodes, g->n * sizeof(*nodes));
	g->nodes = nodes;
}

static uint32_t add_node(struct graph *g, const struct graph_node *wanted)
{
	uint16_t *bucket = &g->bucket[bucket_of(wanted)];

	for (uint32_t at = *bucket; at != 0; at = g->nodes[at - 1].next)
		if (same_node(&g->nodes[at - 1], wanted))
			return at - 1;
	if (g->n == GRAPH_MAX_NODES) {
		g->full = true;
		return 0;
	}
	make_room(g);
	g->nodes[g->n] = *wanted;
	g->nodes[g->n].next = *bucket;
	*bucket = (uint16_t)++g->n;
	return g->n - 1;
}

uint32_t graph_return(struct graph *g, uint32_t verdict)
{
	const struct graph_node node = { .test = { .jump = RETURNS, .k = verdict } };

	return add_node(g, &node);
}

uint32_t graph_test(struct graph *g, struct graph_test test, uint32_t yes, uint32_t no)
{
	const struct graph_node node = { .test = test, .yes = yes, .no = no };

	return yes == no ? yes : add_node(g, &node);
}

struct writer {
	const struct graph *g;
	struct sock_filter *code; /* last instruction first */
	size_t n, size;
	int *at; /* of each node, the index in code of its nearest copy, or UNPLACED */
};

/* Whoever sizes the buffer counts five instructions per node: load, mask, jump, two stones. */
static void put(struct writer *w, uint16_t code, uint32_t k)
{
	assert(w->n < w->size);
	w->code[w->n++] = (struct sock_filter){ .code = code, .k = k };
}

/* A verdict is repeated where it is needed, a test gets a stepping stone: both one instruction. */
static void keep_in_reach(struct writer *w, uint32_t id)
{
	const struct graph_node *node = &w->g->nodes[id];
	bool returns = node->test.jump == RETURNS;
	int at = w->at[id];

	if (at != UNPLACED && w->n - (size_t)at <= REACH)
		return;
	assert(returns || at != UNPLACED);
	if (returns)
		put(w, BPF_RET | BPF_K, node->test.k);
	else
		put(w, BPF_JMP | BPF_JA, (uint32_t)w->n - (uint32_t)at - 1);
	w->at[id] = (int)w->n - 1;
}

static uint8_t distance(const struct writer *w, uint32_t id)
{
	return (uint8_t)(w->n - 1 - (size_t)w->at[id]);
}

static void put_test(struct writer *w, uint32_t id)
{
	const struct graph_node *node = &w->g->nodes[id];
	uint8_t yes, no;

	keep_in_reach(w, node->no);
	keep_in_reach(w, node->yes);
	yes = distance(w, node->yes);
	no = distance(w, node->no);
	put(w, (uint16_t)(BPF_JMP | node->test.jump | BPF_K), node->test.k);
	w->code[w->n - 1].jt = yes;
	w->code[w->n - 1].jf = no;
	if (node->test.mask != UINT32_MAX)
		put(w, BPF_ALU | BPF_AND | BPF_K, node->test.mask);
	if (node->test.word != GRAPH_LOADED)
		put(w, BPF_LD | BPF_W | BPF_ABS, node->test.word);
	w->at[id] = (int)w->n - 1;
}

/* Successors have lower numbers, so one pass downwards finds what ROOT can reach. */
static bool *mark_used(const struct graph *g, uint32_t root, struct dj_arena *scratch)
{
	bool *used = dj_arena_array(scratch, g->n, sizeof(*used));

	used[root] = true;
	for (uint32_t id = root; id > 0; id--) {
		const struct graph_node *node = &g->nodes[id];

		if (used[id] && node->test.jump != RETURNS)
			used[node->yes] = used[node->no] = true;
	}
	return used;
}

static void write_all(struct writer *w, uint32_t root, const bool *used, bool *notifies)
{
	for (uint32_t id = 0; id <= root && w->n <= FILTER_MAX; id++) {
		const struct graph_node *node = &w->g->nodes[id];

		w->at[id] = UNPLACED;
		if (used[id] && node->test.jump != RETURNS)
			put_test(w, id);
		else if (used[id] &&
		         (node->test.k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_USER_NOTIF)
			*notifies = true;
	}
	if (w->g->nodes[root].test.jump == RETURNS)
		keep_in_reach(w, root); /* the whole program is one verdict */
}

static int too_long(struct donjon_error *err)
{
	return dj_fail(
	        err, DONJON_E_CONFIG,
	        "linux.seccomp: the filter needs more than the %d instructions the kernel takes",
	        FILTER_MAX);
}

int graph_write(const struct graph *g, uint32_t root, struct dj_arena *arena,
                struct filter_program *out, struct donjon_error *err)
{
	dj_auto_arena struct dj_arena scratch = { 0 };
	struct writer w = { .g = g, .size = (size_t)g->n * 5 + 1 };
	bool notifies = false;

	if (g->full)
		return too_long(err);
	w.code = dj_arena_array(&scratch, w.size, sizeof(*w.code));
	w.at = dj_arena_array(&scratch, g->n, sizeof(*w.at));
	write_all(&w, root, mark_used(g, root, &scratch), &notifies);
	if (w.n > FILTER_MAX)
		return too_long(err);
	out->v = dj_arena_array(arena, w.n, sizeof(*out->v));
	out->n = w.n;
	out->notifies = notifies;
	for (size_t i = 0; i < w.n; i++)
		out->v[i] = w.code[w.n - 1 - i];
	return 0;
}
