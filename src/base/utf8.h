/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Decodes the first character of a text of `size` > 0 bytes.  Returns its length in bytes, or 0 if
 * the text does not start with a valid character. */
size_t utf8_decode(const char *text, size_t size, uint32_t *out);

#endif
