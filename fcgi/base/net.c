/* net.c: addresses are compared as IPv6, IPv4 in its mapped form (RFC 4291 section 2.5.5.2). */
#include "base/net.h"

#include <arpa/inet.h>
#include <string.h>

#define NET_TEXT_MAX 64

static bool addr_parse(const char *text, uint8_t out[16], unsigned *width)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (inet_pton(AF_INET, text, out + 12) == 1) {
        memcpy(out, mapped, sizeof mapped);
        *width = 32;
        return true;
    }
    *width = 128;
    return inet_pton(AF_INET6, text, out) == 1;
}

bool net_parse(const char *text, struct net *out)
{
    char addr[NET_TEXT_MAX];
    unsigned width, bits = 0;
    size_t n = strcspn(text, "/");
    if (n >= sizeof addr)
        return false;
    memcpy(addr, text, n);
    addr[n] = '\0';
    if (!addr_parse(addr, out->addr, &width))
        return false;
    if (!text[n]) {
        out->bits = 128;
        return true;
    }
    const char *p = text + n + 1;
    if (!*p)
        return false;
    for (; *p; p++) {
        if (*p < '0' || *p > '9')
            return false;
        bits = bits * 10 + (unsigned)(*p - '0');
        if (bits > width)
            return false;
    }
    out->bits = bits + (128 - width);
    return true;
}

static bool in_net(const struct net *net, const uint8_t addr[16])
{
    size_t whole = net->bits / 8;
    unsigned rest = net->bits % 8;
    if (memcmp(net->addr, addr, whole) != 0)
        return false;
    return rest == 0 || (net->addr[whole] ^ addr[whole]) >> (8 - rest) == 0;
}

bool net_match(const struct net *nets, size_t n, const char *addr)
{
    uint8_t a[16];
    unsigned width;
    if (n == 0 || !addr_parse(addr, a, &width))
        return false;
    for (size_t i = 0; i < n; i++)
        if (in_net(&nets[i], a))
            return true;
    return false;
}
