/*
 * digest.h: HTTP Digest (RFC 7616; RFC 2069's form without qop is not spoken): challenge, response
 * and the calculation, with MD5 and SHA-256 and qop=auth.
 */
#ifndef DROVER_WIRE_DIGEST_H
#define DROVER_WIRE_DIGEST_H

#include "base/arena.h"
#include "base/buf.h"

/* The realm of every challenge. HA1 values hold it: another would void all passwords. */
#define DIGEST_REALM "Drover"
#define DIGEST_HEX_MAX 64 /* hexadecimal digits of a digest with SHA-256; 32 with MD5 */
#define DIGEST_NONCE_LEN 32

enum digest_algorithm { DIGEST_MD5, DIGEST_SHA256 };
/* "MD5" or "SHA-256"; case does not matter. */
bool digest_algorithm_read(const char *name, enum digest_algorithm *out);
const char *digest_algorithm_name(enum digest_algorithm a);

/* H(username:realm:password) in hexadecimal: as good as the password, so to be wiped and sealed. */
void digest_ha1(enum digest_algorithm a, const char *name, const char *password,
                char out[DIGEST_HEX_MAX + 1]);

/* What a client answers. Every string is of bounded length, without control characters. */
struct digest_answer {
    enum digest_algorithm algorithm;
    const char *username, *realm, *nonce, *uri, *nc, *cnonce, *qop, *response;
    uint32_t count; /* nc as a number */
};
/* Reads "Digest username=..., ..." (the scheme's name may be missing). INVALID: not of that form, a
 * parameter twice, one missing or too long, another algorithm or qop than auth. Strings in a. */
enum outcome digest_read(struct arena *a, const char *text, struct digest_answer *out,
                         struct err *err) MUST_USE;
/* Is d->response right for this HA1 and method? DENIED: no. In a time that does not tell. */
enum outcome digest_check(const struct digest_answer *d, const char *ha1, const char *method,
                          struct err *err) MUST_USE;
/* Adds the challenge. */
void digest_challenge(struct buf *out, enum digest_algorithm a, const char *nonce);

#endif
