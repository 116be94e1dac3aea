/*
 * libscepclient.h: the client's side of SCEP (RFC 8894): certificate request, PKIMessage, CertRep.
 * Only messages; libenrol.c carries them.
 */
#ifndef DROVER_SIM_LIBSCEPCLIENT_H
#define DROVER_SIM_LIBSCEPCLIENT_H

#include "base/buf.h"
#include "libmobileconfig.h"
#include <openssl/evp.h>
#include <openssl/x509.h>

/* What GetCACaps said. */
struct scep_caps {
    bool post, aes, sha256, sha512, renewal;
};
void scepclient_caps(struct bytes text, struct scep_caps *out);

/* The certificates of GetCACert: the one messages are encrypted to, and all of them. */
struct scep_ca {
    STACK_OF(X509) * all;
    X509 *encrypt; /* within all */
    X509 *issuer;  /* the CA itself, within all */
};
/* One DER certificate or a degenerate SignedData. fingerprint, when not empty, is the digest
 * (MD5, SHA-1, SHA-256 or SHA-512 by its length) that the profile demands of the CA. INVALID: no
 * certificates, or not that CA. */
enum outcome scepclient_ca(struct bytes answer, struct bytes fingerprint, struct scep_ca *out,
                           struct err *err) MUST_USE;
void scepclient_ca_free(struct scep_ca *ca);

/* A request under way. */
struct scep_request {
    EVP_PKEY *key; /* lent by the caller */
    X509 *self;    /* the self-signed certificate it is signed with */
    char transaction[65];
    unsigned char nonce[16];
};
/* Adds the PKIMessage (PKCSReq) to der. `fill` gives the value of %NAME% in the subject, or NULL.
 * The same key gives the same transaction, as the RFC asks. */
enum outcome scepclient_request(const struct scep_payload *p, const struct scep_ca *ca,
                                const struct scep_caps *caps, EVP_PKEY *key,
                                const char *(*fill)(const char *name, void *arg), void *arg,
                                struct scep_request *req, struct buf *der,
                                struct err *err) MUST_USE;
/* Reads the CertRep: verifies signature, transaction and nonce, decrypts, and adds the certificate
 * for req->key to cert_der. UNAVAILABLE: pending. DENIED: failure, with the failInfo in err.
 * INVALID: anything else. */
enum outcome scepclient_reply(const struct scep_request *req, const struct scep_ca *ca,
                              struct bytes answer, struct buf *cert_der, struct err *err) MUST_USE;
void scepclient_request_free(struct scep_request *req);

#endif
