/*
 * apple.h: the CAs of Apple that certify the built-in identities of devices. Drover ships none: the
 * operator puts the files into [apple] roots; here is which to expect.
 *
 * What a signature of such an identity proves: that Apple has certified its key for some device,
 * and that the message was not changed on its way. Serial number and UDID are what the sender says
 * of itself; Apple's certificate does not hold them.
 */
#ifndef DROVER_ENROLLMENT_APPLE_H
#define DROVER_ENROLLMENT_APPLE_H

#include "base/conf.h"
#include "enrollment/machine_info.h"
#include "wire/x509.h"

/* A certificate of Apple's PKI (https://www.apple.com/certificateauthority/). */
struct apple_ca {
    const char *name;   /* its common name */
    const char *sha256; /* of its DER, lower-case hexadecimal */
    const char *use;    /* what it is for here */
};
extern const struct apple_ca apple_cas[];
extern const size_t apple_cas_n;
/* The known CA of that certificate, or NULL. */
const struct apple_ca *apple_ca_find(const uint8_t sha256[CERT_SHA256_LEN]);

#define APPLE_ROOTS_MAX 16
/* The certificates of [apple] roots, as DER in a. UNAVAILABLE: none is configured, or the file
 * cannot be read; INVALID: it holds anything but CA certificates in PEM. */
enum outcome apple_roots_read(const struct conf *conf, struct arena *a,
                              struct bytes der[APPLE_ROOTS_MAX], size_t *n,
                              struct err *err) MUST_USE;

#define ATTESTED_CHAIN_MAX 8
/* What a device has signed, and with which certificate. */
struct attested {
    struct bytes signer; /* DER */
    struct bytes chain[ATTESTED_CHAIN_MAX];
    size_t nchain;
    struct machine_info info;
};
/* Takes a signed message of a device apart: one signer, and a property list that it has signed.
 * Whose certificate that is, is not judged. Everything in a. INVALID: no such message; DENIED: the
 * signature is over something else. */
enum outcome attested_read(struct bytes cms, enum machine_info_use use, struct arena *a,
                           struct attested *out, struct err *err) MUST_USE;
/* Does the signer's chain lead to a configured CA of Apple? The CAs are read anew: what stands
 * in the file at that moment counts. DENIED: it does not, or the certificate has expired;
 * UNAVAILABLE: no CA is configured, so that nobody can be believed. */
enum outcome attested_by_apple(const struct conf *conf, const struct attested *d, int64_t now,
                               struct arena *a, struct err *err) MUST_USE;

#endif
