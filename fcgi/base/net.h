/* net.h: Internet addresses and nets, as text. */
#ifndef DROVER_BASE_NET_H
#define DROVER_BASE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net {
    uint8_t addr[16]; /* IPv4 as ::ffff:a.b.c.d */
    unsigned bits;    /* of the prefix, 0 to 128 */
};

/* "192.0.2.1", "192.0.2.0/24", "2001:db8::/32", "::1". False when it is none of these. */
bool net_parse(const char *text, struct net *out);
/* Is the address (no prefix) in one of the n nets? False too when it is no address. */
bool net_match(const struct net *nets, size_t n, const char *addr);

#endif
