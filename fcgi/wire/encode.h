/*
 * encode.h: base64, hexadecimal, URL escapes, digests, MACs, password hashes and constant-time
 * comparison, on OpenSSL.
 */
#ifndef DROVER_WIRE_ENCODE_H
#define DROVER_WIRE_ENCODE_H

#include "base/arena.h"
#include "base/buf.h"

#define SHA256_LEN 32
#define SHA256_HEX_LEN 64

/* Adds the base64 (RFC 4648 section 4) of b to out, in one line. */
void base64_add(struct buf *out, struct bytes b);
/* Decodes base64; white space is skipped, padding may be missing, url accepts "-_" for "+/".
 * INVALID for any other character. The octets are in a. */
enum outcome base64_decode(struct arena *a, struct bytes text, struct bytes *out) MUST_USE;
/* Lower-case hexadecimal; out has room for 2 * b.n + 1. */
void hex_encode(struct bytes b, char *out);
enum outcome hex_decode(struct arena *a, const char *text, struct bytes *out) MUST_USE;
/* The first digits of a certificate's SHA-256 as a person gives them, in either case and with the
 * colons of openssl x509 -fingerprint, as lower-case hexadecimal. False: they are none, or fewer
 * than FINGERPRINT_DIGITS. */
#define FINGERPRINT_DIGITS 8
bool fingerprint_digits(const char *text, char out[SHA256_HEX_LEN + 1]);
/* Percent-decoding (RFC 3986); with plus, '+' is a space (forms). INVALID: a bad escape or an
 * escaped NUL. */
enum outcome url_decode(struct arena *a, struct bytes text, bool plus, char **out) MUST_USE;
/* Percent-encodes everything but unreserved characters. */
void url_encode_add(struct buf *out, const char *s);

/* SHA-256 (FIPS 180-4), as octets and as lower-case hexadecimal, and HMAC with it (RFC 2104). They
 * end the process when there is no memory for a digest. */
void sha256(struct bytes b, uint8_t out[SHA256_LEN]);
void sha256_hex(struct bytes b, char out[SHA256_HEX_LEN + 1]);
#define SHA1_LEN 20
/* For fingerprints in formats that know no other digest; never for anything that is signed. */
void sha1(struct bytes b, uint8_t out[SHA1_LEN]);
void hmac_sha256(struct bytes key, struct bytes msg, uint8_t out[SHA256_LEN]);
/* HMAC-SHA-1, for one-time passwords (RFC 4226); key and msg are not empty. */
void hmac_sha1(struct bytes key, struct bytes msg, uint8_t out[SHA1_LEN]);
/* Base64 with the alphabet of addresses (RFC 4648 section 5) without padding; out has room for
 * (4 * b.n + 2) / 3 + 1. */
void base64url(struct bytes b, char *out);
/* Base32 (RFC 4648 section 6) without padding; out has room for (8 * b.n + 4) / 5 + 1. */
void base32(struct bytes b, char *out);

/* Same octets, in a time that depends on the lengths alone. */
bool secret_equal(struct bytes a, struct bytes b);
void secret_wipe(void *p, size_t n);
/* A random secret of n octets as lower-case hexadecimal; out has room for 2 * n + 1. */
void secret_new(size_t n, char *out);

/* scrypt (RFC 7914, N 2^15, r 8, p 1) as "scrypt$15$8$1$salt$hash", base64. For passwords of
 * people; random API keys are stored as their SHA-256. */
#define PASSWORD_HASH_MAX 160
enum outcome password_hash(const char *password, char out[PASSWORD_HASH_MAX],
                           struct err *err) MUST_USE;
/* OK, DENIED (another password), INVALID (no such hash). */
enum outcome password_check(const char *password, const char *hash, struct err *err) MUST_USE;

#endif
