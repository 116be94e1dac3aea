/* scep.h: identities that Drover issued, and the SCEP transactions they answered. */
#ifndef DROVER_STORE_SCEP_H
#define DROVER_STORE_SCEP_H

#include "store/db.h"
#include "wire/encode.h"

/* The certificate that a transaction and key were answered with before. NOT_FOUND; DENIED: it has
 * been revoked since. */
enum outcome scep_answered(struct db *db, const char *transaction_id,
                           const uint8_t key_sha256[SHA256_LEN], struct arena *a,
                           struct bytes *cert_der, struct err *err) MUST_USE;

/* An identity that Drover issued. */
struct scep_identity {
    int64_t device_id;   /* the device it is bound to; 0: none */
    bool revoked, ended; /* ended: the enrollment it was bound to, or renewed */
};
/* By the certificate's SHA-256. NOT_FOUND: Drover issued no such certificate. */
enum outcome scep_identity_find(struct db *db, const uint8_t cert_sha256[SHA256_LEN],
                                struct arena *a, struct scep_identity *out,
                                struct err *err) MUST_USE;

/* A certificate that Drover issued, by issuer and serial number as in struct cert_info. NOT_FOUND.
 */
enum outcome scep_cert_find(struct db *db, const char *issuer, const char *serial, struct arena *a,
                            struct bytes *der, struct err *err) MUST_USE;

/* A certificate that was made for a request and not yet given out. */
struct scep_issue {
    const char *transaction_id;
    const char *challenge; /* one-time challenge to use up; NULL: authorised otherwise */
    const char *why;       /* for the audit: "challenge", "static challenge", "renewal" */
    int64_t handout_id;    /* the profile that its challenge stood in; 0: the challenge says it */
    int64_t renews_device_id; /* a RenewalReq of this device's identity; 0: none */
    int64_t request_id;  /* the request that waited and was approved (scep_request.h); 0: none */
    bool key_may_be_old; /* a key may have several certificates */
    struct bytes cert_der;
    const char *serial, *subject, *issuer;
    uint8_t cert_sha256[SHA256_LEN], key_sha256[SHA256_LEN];
    int64_t not_before, not_after;
};
/* Records it, uses up the challenge and writes the audit, all or nothing; afterwards it may be
 * given out. CONFLICT: the same transaction was answered by another worker in the meantime: give
 * that answer (scep_answered), if it is for the same key, and forget this one. DENIED: the
 * challenge is used up, expired or unknown, or the key has a certificate already. */
enum outcome scep_issue_record(struct db *db, const struct scep_issue *issue, struct arena *a,
                               struct err *err) MUST_USE;
/* Records an identity that was issued without SCEP, for the profile handout_id, and writes the
 * audit; transaction_id and challenge are not used. Inside the caller's unit of work. */
enum outcome scep_identity_record(struct db *db, const struct scep_issue *issue, int64_t handout_id,
                                  struct err *err) MUST_USE;

#endif
