#include "base/utf8.h"

/* One row per length: which lead bytes announce it, and the smallest character it may encode. */
static const struct {
	unsigned char mask, lead;
	uint32_t least;
} forms[] = {
	{ 0x80, 0x00, 0x0 },
	{ 0xe0, 0xc0, 0x80 },
	{ 0xf0, 0xe0, 0x800 },
	{ 0xf8, 0xf0, 0x10000 },
};

size_t utf8_decode(const char *text, size_t size, uint32_t *out)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t more = 0;
	uint32_t c;

	while (more < 4 && (s[0] & forms[more].mask) != forms[more].lead)
		more++;
	if (more == 4 || more >= size)
		return 0;
	c = s[0] & (unsigned char)~forms[more].mask;
	for (size_t i = 1; i <= more; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < forms[more].least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*out = c;
	return more + 1;
}
