/* address.c: see address.h. */
#include "webhook/address.h"

#include "base/net.h"

#include <ctype.h>
#include <strings.h>

#define HOST_MAX 255

/* What is not the public Internet (the IANA special-purpose registries: RFC 6890 and later). Nets
 * that translate to IPv4 are among them, as they lead anywhere. */
static const char *const closed[] = {
    "0.0.0.0/8",     "10.0.0.0/8",      "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16",
    "172.16.0.0/12", "192.0.0.0/24",    "192.0.2.0/24",   "192.88.99.0/24", "192.168.0.0/16",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",    "240.0.0.0/4",
    "::/128",        "::1/128",         "64:ff9b::/96",   "64:ff9b:1::/48", "100::/64",
    "2001::/23",     "2001:db8::/32",   "2002::/16",      "3fff::/20",      "5f00::/16",
    "fc00::/7",      "fe80::/10",       "fec0::/10",      "ff00::/8"};
#define CLOSED (sizeof closed / sizeof *closed)

static bool in_one(const char *const *nets, size_t n, const char *address)
{
    struct net net;

    for (size_t i = 0; i < n; i++)
        if (net_parse(nets[i], &net) && net_match(&net, 1, address))
            return true;
    return false;
}

/* net_match() says no to what is no address, so the one that is all addresses is asked first. */
static bool is_address(const char *text)
{
    static const char *const all[] = {"::/0"};

    return in_one(all, 1, text);
}

bool webhook_address_allowed(const struct conf *conf, const char *address)
{
    return is_address(address) &&
           (in_one(conf->webhook_networks.item, conf->webhook_networks.n, address) ||
            !in_one(closed, CLOSED, address));
}

/* The host between "//" and ":port" or "/", without the brackets of IPv6; NULL: none. */
static const char *host_of(const char *rest, char host[HOST_MAX + 1])
{
    bool literal = *rest == '[';
    size_t n = literal ? strcspn(++rest, "]") : strcspn(rest, ":/?");

    if (n == 0 || n > HOST_MAX || (literal && rest[n] != ']'))
        return NULL;
    memcpy(host, rest, n);
    host[n] = '\0';
    return rest + n + literal;
}

static bool port_good(const char *after)
{
    long port = 0;
    size_t n = 0;

    if (*after != ':')
        return *after == '\0' || *after == '/' || *after == '?';
    for (after++; isdigit((unsigned char)after[n]) && n < 6; n++)
        port = port * 10 + (after[n] - '0');
    return n > 0 && port > 0 && port < 65536 &&
           (after[n] == '\0' || after[n] == '/' || after[n] == '?');
}

enum outcome webhook_url_check(const struct conf *conf, const char *url, struct err *err)
{
    bool plain = strncasecmp(url, "http://", 7) == 0;
    char host[HOST_MAX + 1];
    const char *rest, *after;

    for (const char *p = url; *p != '\0'; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 127 || strchr("\"<>\\^`{|}#@", *p))
            return err_set(err, INVALID,
                           "url: a blank, a fragment (#), a user (@) or another character that "
                           "must be escaped");
    if (!plain && strncasecmp(url, "https://", 8) != 0)
        return err_set(err, INVALID, "url: it must begin with https://");
    if (plain && !conf->webhook_http)
        return err_set(err, INVALID,
                       "url: http:// is not allowed here; see [webhook] allow_http in "
                       "drover.conf(5)");
    rest = url + (plain ? 7 : 8);
    after = host_of(rest, host);
    if (after == NULL || !port_good(after))
        return err_set(err, INVALID, "url: there is no host in it, or the port is none");
    if (is_address(host) && !webhook_address_allowed(conf, host))
        return err_set(err, INVALID,
                       "url: %s is no public address; see [webhook] private_networks in "
                       "drover.conf(5)",
                       host);
    return OK;
}
