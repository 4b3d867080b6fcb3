#include "base/overlay_names.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static const struct overlay_key {
	const char *text;
	bool is_list;    /* ':' between layers, "::" before those that only lend their data */
	bool is_escaped; /* a backslash takes away the meaning of what follows it */
	bool data_only, writable;
} keys[] = {
	{ "lowerdir=", .is_list = true, .is_escaped = true },
	{ "lowerdir+=" },
	{ "datadir+=", .data_only = true },
	{ "upperdir=", .is_escaped = true, .writable = true },
	{ "workdir=", .is_escaped = true, .writable = true },
};

bool overlay_names_of(const char *option, struct overlay_names *out)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		size_t n = strlen(keys[i].text);

		if (strncmp(option, keys[i].text, n) != 0)
			continue;
		*out = (struct overlay_names){
			.key = &keys[i],
			.rest = option + n,
			.readonly = !keys[i].writable,
		};
		return true;
	}
	return false;
}

int overlay_names_next(struct overlay_names *names, char path[PATH_MAX])
{
	const struct overlay_key *key = names->key;
	const char *at = names->rest;
	size_t n = 0;

	if (!*at)
		return 0;
	for (; *at && !(key->is_list && *at == ':'); at++) {
		if (key->is_escaped && *at == '\\' && at[1])
			at++;
		if (n == PATH_MAX - 1)
			return -ENAMETOOLONG;
		path[n++] = *at;
	}
	path[n] = '\0';
	names->data_only = key->data_only || names->colons == 2;
	for (names->colons = 0; *at == ':' && names->colons < 2; at++)
		names->colons++;
	names->rest = at;
	return 1;
}
