/* utf8.h: reading UTF-8 (RFC 3629) that somebody else wrote. */
#ifndef DROVER_BASE_UTF8_H
#define DROVER_BASE_UTF8_H

#include "base/buf.h"

/* The length of the well-formed sequence at p, of which n octets may be read, and its code point in
 * *c; 0 when it is ill-formed (overlong, a surrogate, past U+10FFFF, cut short) or n is 0. */
size_t utf8_next(const uint8_t *p, size_t n, uint32_t *c);
/* Well-formed from end to end? A NUL is. */
bool utf8_valid(struct bytes b);
/* The octets of the first `chars` characters of s, or of all of it; never cuts a character. An
 * octet that belongs to no well-formed sequence counts as one. */
size_t utf8_prefix(const char *s, size_t chars);
/* Adds b to out, each octet that belongs to no well-formed sequence as U+FFFD. */
void utf8_clean_add(struct buf *out, struct bytes b);

#endif
