/* bytes.h: a view of octets that somebody else owns. */
#ifndef DROVER_BASE_BYTES_H
#define DROVER_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <stdbool.h>

struct bytes {
    const uint8_t *p; /* may be NULL when n is 0 */
    size_t n;
};

static inline struct bytes bytes_of(const void *p, size_t n)
{
    return (struct bytes){p, n};
}

static inline struct bytes bytes_str(const char *s)
{
    return (struct bytes){(const uint8_t *)s, s ? strlen(s) : 0};
}

/* Same octets? Not for secrets: see secret_equal in wire/encode.h. */
static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

#endif
