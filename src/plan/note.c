/* What is weaker than it could be, for the record. */
#include "plan/part.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void plan_note(struct plan_block *block, struct policy_result *record, const char *check, const char *fmt,
	       ...)
{
	struct policy_note *grown = dj_arena_array(block->arena, record->notes.n + 1, sizeof(*grown));
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (record->notes.n)
		memcpy(grown, record->notes.v, record->notes.n * sizeof(*grown));
	grown[record->notes.n++] =
		(struct policy_note){ .check = check, .text = dj_arena_strdup(block->arena, text) };
	record->notes.v = grown;
}
