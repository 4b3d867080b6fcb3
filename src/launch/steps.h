/*
 * THE TABLE: every step of a launch, in order, walked by both processes.
 *
 * A row runs outside (donjon, with the host's rights), inside (donjon-stage, in the new
 * namespaces), in the child before it has become the stage, or on both sides at once.  A "tell" row
 * is a message one side sends and the other awaits.  `wanted` keeps options out of the runner; a
 * NULL one means always.  `donjon run --dry-run` prints the rows that would run.
 *
 * The order is security: reasons stand at the functions (rule ids B.., CVEs).
 */
#ifndef LAUNCH_STEPS_H
#define LAUNCH_STEPS_H

#include "base/error.h"
#include "plan/plan.h"

#include <stddef.h>
#include <stdint.h>

struct outside; /* launch/outside.h */
struct inside;  /* launch/inside.h */

enum step_side {
	STEP_OUT,
	STEP_CHILD,    /* between clone3 and the stage's first instruction: launch/child.c */
	STEP_IN,
	STEP_TELL_IN,  /* outside sends, inside awaits */
	STEP_TELL_OUT, /* inside sends, outside awaits */
	STEP_BOTH,     /* one function on each side */
};

struct step {
	const char *name;
	enum step_side side;
	bool (*wanted)(const struct dj_plan *plan);
	int (*out)(struct outside *o, uint32_t row, struct donjon_error *err);
	int (*in)(struct inside *s, uint32_t row, struct donjon_error *err);
	const char *what;
};

extern const struct step launch_steps[];
extern const size_t launch_steps_count;

/* Rows at which the walk stops and is taken up again by another call or another process. */
enum step_mark { STEP_MARK_CHILD, STEP_MARK_HAND_OVER, STEP_MARK_CREATED, STEP_MARK_RELEASE, STEP_MARK_START };
uint32_t launch_mark(enum step_mark mark);

/* Walk rows [from, to) on this side.  A failure's `step` is the row's name. */
int launch_walk_out(struct outside *o, uint32_t from, uint32_t to, struct donjon_error *err);
int launch_walk_in(struct inside *s, uint32_t from, uint32_t to, struct donjon_error *err);

#endif
