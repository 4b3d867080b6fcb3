/* The directories that the options of an overlay name, read as overlayfs reads them: what the policy judges
 * and what the launch opens must not be two readings. */
#ifndef BASE_OVERLAY_NAMES_H
#define BASE_OVERLAY_NAMES_H

#include <limits.h>
#include <stdbool.h>

struct overlay_names {
	const struct overlay_key *key;
	const char *rest;
	bool readonly;  /* layers that nobody writes through the overlay */
	bool data_only; /* the last name is that of a layer which only lends its data */
	unsigned colons;
};

/* Of "lowerdir=a:b"; false: the option names no directory. */
bool overlay_names_of(const char *option, struct overlay_names *out);

/* The next one, without escapes: 1; 0 behind the last; -ENAMETOOLONG. */
int overlay_names_next(struct overlay_names *names, char path[PATH_MAX]);

#endif
