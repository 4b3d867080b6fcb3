#include "oci/pointer.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_plain_key(const char *key)
{
	return *key && key[strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                               "0123456789_")] == '\0';
}

int oci_print_key(char *buf, size_t room, const char *key)
{
	if (is_plain_key(key))
		return snprintf(buf, room, ".%.*s", OCI_KEY_SHOWN, key);
	return snprintf(buf, room, "[\"%.*s\"]", OCI_KEY_SHOWN, key);
}

char *oci_pointer(struct dj_arena *arena, const char *object, const char *key)
{
	char step[OCI_KEY_SHOWN + sizeof("[\"\"]")];

	(void)oci_print_key(step, sizeof(step), key);
	return dj_arena_printf(arena, "%s%s", object, step);
}
