/* The profiles of profiles/, embedded at build time (profiles/embed.S). */
#include "filter/filter.h"
#include "oci/decode.h"

extern const char profile_default_start[], profile_default_end[];
extern const char profile_guard_start[], profile_guard_end[];

int filter_builtin_default(struct dj_arena *arena, uint64_t capabilities, struct oci_seccomp *out,
			   struct donjon_error *err)
{
	size_t size = (size_t)(profile_default_end - profile_default_start);

	if (oci_decode_seccomp(profile_default_start, size, capabilities, arena, out, err) < 0)
		return dj_note(err, "built-in seccomp profile");
	return 0;
}

int filter_builtin_guard(struct dj_arena *arena, struct oci_seccomp *out, struct donjon_error *err)
{
	size_t size = (size_t)(profile_guard_end - profile_guard_start);

	if (oci_decode_seccomp(profile_guard_start, size, 0, arena, out, err) < 0)
		return dj_note(err, "built-in guard filter");
	return 0;
}
