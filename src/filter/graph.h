/*
 * A filter as a decision graph: every node tests one word of struct seccomp_data, or returns a
 * verdict.  Equal nodes are one node, so equal argument checks are shared however often a profile
 * repeats them; graph_write() then lays the graph out as classic BPF.
 */
#ifndef FILTER_GRAPH_H
#define FILTER_GRAPH_H

#include "filter/filter.h"

/* GRAPH_LOADED: the word is in the accumulator since the node before. */
#define GRAPH_LOADED UINT32_MAX

struct graph_test {
	uint32_t word; /* offset in struct seccomp_data, or GRAPH_LOADED */
	uint32_t mask; /* UINT32_MAX: the word as it is; nothing else where GRAPH_LOADED */
	uint16_t jump; /* BPF_JEQ, BPF_JGT, BPF_JGE */
	uint32_t k;
};

enum { GRAPH_BUCKETS = 1024, GRAPH_MAX_NODES = 2 * FILTER_MAX };

struct graph_node;

struct graph {
	struct dj_arena *arena;
	struct graph_node *nodes;
	uint32_t n, size;
	bool full; /* more nodes than any program can hold: graph_write() fails */
	uint16_t bucket[GRAPH_BUCKETS];
};

/* Start with .arena set and all else zero.  Both return a node's number, which is higher than its
 * successors'. */
uint32_t graph_return(struct graph *g, uint32_t verdict);
uint32_t graph_test(struct graph *g, struct graph_test test, uint32_t yes, uint32_t no);

/* Fills v, n and notifies of *out with the program that begins at ROOT. */
int graph_write(const struct graph *g, uint32_t root, struct dj_arena *arena,
                struct filter_program *out, struct donjon_error *err);

#endif
