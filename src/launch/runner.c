/* Walks the launch table.  The one place that decides what happens when a step fails. */
#include "launch/steps.h"

#include "launch/inside.h"
#include "launch/outside.h"
#include "launch/wire.h"

#include <stdio.h>

static int failed_at(const struct step *step, struct donjon_error *err)
{
	if (!err->step[0])
		(void)snprintf(err->step, sizeof(err->step), "%s", step->name);
	return -1;
}

#ifndef DONJON_STAGE
static int run_out(const struct step *step, uint32_t row, struct outside *o, struct donjon_error *err)
{
	switch (step->side) {
	case STEP_OUT:
	case STEP_BOTH:
		return step->out(o, row, err);
	case STEP_TELL_IN:
		return wire_send(o->wire, WIRE_TELL, row, NULL, 0, err);
	case STEP_TELL_OUT:
		return outside_receive(o, WIRE_TELL, row, NULL, NULL, err);
	case STEP_CHILD:
	case STEP_IN:
		break;
	}
	return 0;
}

int launch_walk_out(struct outside *o, uint32_t from, uint32_t to, struct donjon_error *err)
{
	for (uint32_t row = from; row < to; row++) {
		const struct step *step = &launch_steps[row];

		if (step->wanted && !step->wanted(o->plan))
			continue;
		if (run_out(step, row, o, err) < 0)
			return failed_at(step, err);
	}
	return 0;
}
#else
static int run_in(const struct step *step, uint32_t row, struct inside *s, struct donjon_error *err)
{
	switch (step->side) {
	case STEP_IN:
	case STEP_BOTH:
		return step->in(s, row, err);
	case STEP_TELL_IN:
		return wire_receive(s->wire, WIRE_TELL, row, NULL, NULL, err);
	case STEP_TELL_OUT:
		return wire_send(s->wire, WIRE_TELL, row, NULL, 0, err);
	case STEP_OUT:
	case STEP_CHILD:
		break;
	}
	return 0;
}

int launch_walk_in(struct inside *s, uint32_t from, uint32_t to, struct donjon_error *err)
{
	for (uint32_t row = from; row < to; row++) {
		const struct step *step = &launch_steps[row];

		if (step->wanted && !step->wanted(s->plan))
			continue;
		if (run_in(step, row, s, err) < 0)
			return failed_at(step, err);
	}
	return 0;
}
#endif
