#include "wrap/caps.h"

#include <cap-ng.h>
#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <threads.h>

enum { NAME_MAX_BYTES = 32, CAPS_MAX = 64 };

/* libcap-ng spells names in lower case and without CAP_; configurations the other way round. */
static bool to_library(const char *name, char buf[static NAME_MAX_BYTES])
{
	size_t i;

	if (strncmp(name, "CAP_", 4) == 0)
		name += 4;
	for (i = 0; name[i]; i++) {
		if (i + 1 == NAME_MAX_BYTES || !(isupper((unsigned char)name[i]) || name[i] == '_'))
			return false;
		buf[i] = (char)tolower((unsigned char)name[i]);
	}
	buf[i] = '\0';
	return true;
}

int caps_number(const char *name)
{
	char lower[NAME_MAX_BYTES];

	return to_library(name, lower) ? capng_name_to_capability(lower) : -1;
}

/* Filled once: callers keep the names they are given. */
static char names[CAPS_MAX][NAME_MAX_BYTES];
static once_flag names_once = ONCE_FLAG_INIT;

static void fill_names(void)
{
	for (int i = 0, last = caps_last(); i <= last; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "CAP_%s",
		               capng_capability_to_name((unsigned)i));
		for (char *p = names[i]; *p; p++)
			*p = (char)toupper((unsigned char)*p);
	}
}

const char *caps_name(int number)
{
	if (number < 0 || number > caps_last())
		return NULL;
	call_once(&names_once, fill_names);
	return names[number];
}

/* The library knows what it and the running kernel know, whatever header this was built with. */
int caps_last(void)
{
	int last = CAP_LAST_CAP;

	while (!capng_capability_to_name((unsigned)last))
		last--;
	return last;
}
