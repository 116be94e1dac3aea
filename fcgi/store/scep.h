/*
 * scep.h: one-time challenges, identities that Drover issued, and the SCEP transactions they
 * answered.
 */
#ifndef DROVER_STORE_SCEP_H
#define DROVER_STORE_SCEP_H

#include "store/db.h"
#include "wire/encode.h"

#define SCEP_CHALLENGE_LEN 48 /* hexadecimal digits */
#define SCEP_STATIC_MIN 12    /* octets of the static challenge */
#define SCEP_STATIC_MAX 256

#define SCEP_NAMES_MAX 32 /* subjectAltNames of a challenge or a certificate */

/* A challenge that one request may use until expires_at. */
struct scep_challenge {
    const char *note;   /* what it was made for */
    int64_t device_id;  /* enrollment.id of the device whose identity it renews; 0: none */
    int64_t handout_id; /* the profile it stands in (store/handout.h); 0: none */
    int64_t expires_at;
    const char *common_name; /* the only one it is good for; NULL: any */
    const char *san;         /* the only names it is good for, one a line; NULL: as [scep] san */
    bool approve;            /* the request waits for a person all the same */
    const char *by;          /* who made it, for the audit; NULL: Drover itself, not audited */
};
/* Makes one; only its SHA-256 is stored. Inside the caller's unit of work or as its own.
 * scep_challenge_new() makes one that is bound to nothing but a device and a profile. */
enum outcome scep_challenge_make(struct db *db, const struct scep_challenge *c,
                                 char challenge[SCEP_CHALLENGE_LEN + 1], struct err *err) MUST_USE;
enum outcome scep_challenge_new(struct db *db, const char *note, int64_t device_id,
                                int64_t handout_id, int64_t expires_at,
                                char challenge[SCEP_CHALLENGE_LEN + 1], struct err *err) MUST_USE;
/* Would it be accepted for that transaction? OK, out is filled; DENIED: unknown, expired, or used
 * by another; CONFLICT: used by this very transaction, whose answer is scep_answered()'s if the key
 * is the same too. */
enum outcome scep_challenge_check(struct db *db, const char *challenge, const char *transaction_id,
                                  struct arena *a, struct scep_challenge *out,
                                  struct err *err) MUST_USE;
/* Uses it up for that transaction. DENIED, CONFLICT as scep_challenge_check(). Inside a unit. */
enum outcome scep_challenge_use(struct db *db, const char *challenge, const char *transaction_id,
                                struct arena *a, struct scep_challenge *out,
                                struct err *err) MUST_USE;

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
