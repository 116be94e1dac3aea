/* pkcs12.h: a key and its certificate in one password-protected file (RFC 7292), on OpenSSL. */
#ifndef DROVER_WIRE_PKCS12_H
#define DROVER_WIRE_PKCS12_H

#include "wire/x509.h"

/* Writes a PKCS#12 with one key and one certificate, as com.apple.security.pkcs12 takes it:
 * encrypted with pbeWithSHA1And3-KeyTripleDES-CBC, HMAC-SHA1. Older systems of Apple read nothing
 * newer; the file travels beside its password, so that the cipher protects nothing by itself. name:
 * friendlyName. INVALID: the key is not the certificate's. */
enum outcome pkcs12_write(const struct pkey *key, struct bytes cert_der, const char *name,
                          const char *password, struct buf *out, struct err *err) MUST_USE;
/* Reads what pkcs12_write() wrote: the key, the caller's, and the certificate as DER in a. DENIED:
 * another password; INVALID: no PKCS#12 with a key and a certificate. */
enum outcome pkcs12_read(struct arena *a, struct bytes pkcs12, const char *password,
                         struct pkey **key, struct bytes *cert_der, struct err *err) MUST_USE;
/* Is it one, whatever it holds? */
bool pkcs12_is(struct bytes pkcs12);

#endif
