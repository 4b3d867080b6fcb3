/* The state document (contract N1, J1). */
#ifndef ENGINE_STATE_H
#define ENGINE_STATE_H

#include "store/store.h"

struct json_value;

/* pid is 0 for a stopped container, whatever the record says (S12). */
struct json_value *state_value(const struct store_record *record, enum store_status status);
/* The same as compact text, for hooks.  malloc'ed. */
char *state_text(const struct store_record *record, enum store_status status);

/* What to call the owner: the user's name, or the number. `buf` may hold the result. */
const char *state_owner(uint32_t uid, char buf[static 64]);

#endif
