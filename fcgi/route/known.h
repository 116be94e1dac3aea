/*
 * known.h: what a gate remembers, bounded and expiring: digests of certificates that were verified,
 * digests of API keys that were found, addresses whose keys were wrong. Sets of eight ways, the
 * one used longest ago gives way. Safe for use by many threads.
 */
#ifndef DROVER_ROUTE_KNOWN_H
#define DROVER_ROUTE_KNOWN_H

#include "wire/x509.h"

/* A certificate whose chain and usage held. */
struct known_cert {
    uint8_t sha256[CERT_SHA256_LEN]; /* of its DER */
    int64_t not_after;               /* microseconds since 1970 */
};

struct known_certs;
/* An empty set, or NULL (out of memory). */
struct known_certs *known_certs_new(void);
void known_certs_free(struct known_certs **k);
/* Finds by the digest of what was verified (the text as it came, or the DER). Entries of another
 * generation of the trust set, and those older than ten minutes, are not found.
 * now: clock_mono(). */
bool known_certs_find(struct known_certs *k, const uint8_t key[CERT_SHA256_LEN],
                      uint64_t generation, int64_t now, struct known_cert *out);
void known_certs_put(struct known_certs *k, const uint8_t key[CERT_SHA256_LEN], uint64_t generation,
                     int64_t now, const struct known_cert *cert);

/* Addresses that came with wrong keys: ten failures, then one more each six seconds. */
struct known_failures;
struct known_failures *known_failures_new(void);
void known_failures_free(struct known_failures **k);
void known_failures_add(struct known_failures *k, const char *addr, int64_t now);
/* Seconds to wait before a key that nobody knows is looked up for that address; 0: now. */
unsigned known_failures_wait(struct known_failures *k, const char *addr, int64_t now);

#endif
