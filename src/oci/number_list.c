#include "oci/number_list.h"

#include <string.h>

enum { WORD_BITS = 64 };

static bool read_number(const char **at, size_t end, size_t *number)
{
	const char *start = *at;

	*number = 0;
	for (; **at >= '0' && **at <= '9'; (*at)++) {
		*number = *number * 10 + (size_t)(**at - '0');
		if (*number >= end)
			return false;
	}
	return *at != start;
}

static bool read_range(const char **at, uint64_t *mask, size_t end)
{
	size_t first, last;

	if (!read_number(at, end, &first))
		return false;
	last = first;
	if (**at == '-') {
		(*at)++;
		if (!read_number(at, end, &last) || last < first)
			return false;
	}
	for (size_t bit = first; bit <= last; bit++)
		mask[bit / WORD_BITS] |= UINT64_C(1) << (bit % WORD_BITS);
	return true;
}

bool oci_number_list(const char *list, uint64_t *mask, size_t words)
{
	memset(mask, 0, words * sizeof(*mask));
	for (;; list++) {
		if (!read_range(&list, mask, words * WORD_BITS))
			return false;
		if (*list != ',')
			return *list == '\0';
	}
}
