/*
 * enroll_session.h: enrolments that take more than one request: what is known of the person and
 * the device by now, under a secret that is good for one purpose and for a time. Only the secret's
 * SHA-256 is stored.
 */
#ifndef DROVER_STORE_ENROLL_SESSION_H
#define DROVER_STORE_ENROLL_SESSION_H

#include "store/db.h"

#define ENROLL_SESSION_LEN 48 /* hexadecimal digits of a secret */

enum enroll_session_kind {
    SESSION_SERVICE = 1, /* the Challenge of a profile-service payload */
    SESSION_WEB,         /* the token of a web view (configuration_web_url) */
    SESSION_ACCESS,      /* the access token of account-driven enrolment */
    SESSION_DIGEST,      /* a nonce of HTTP Digest, DIGEST_NONCE_LEN digits */
    SESSION_PERSON       /* the cookie of a person who has logged in to the web page */
};

/* Strings are "" and numbers 0 when not known. */
struct enroll_session {
    int64_t id;
    enum enroll_session_kind kind;
    int64_t profile_id, invitation_id, account_kind;
    const char *account, *managed_account, *mode;
    const char *udid, *serial;
    struct bytes cert_der;
    int64_t created_at, expires_at, uses;
};

/* Stores s and makes its id and secret; s->kind, created_at and expires_at are the caller's to set.
 * Inside the caller's unit of work or as its own. */
enum outcome enroll_session_new(struct db *db, struct enroll_session *s,
                                char secret[ENROLL_SESSION_LEN + 1], struct err *err) MUST_USE;
/* By its secret, for that purpose alone. Strings in a. NOT_FOUND: no such secret of that kind;
 * DENIED: it has expired. */
enum outcome enroll_session_find(struct db *db, enum enroll_session_kind kind, const char *secret,
                                 int64_t now, struct arena *a, struct enroll_session *out,
                                 struct err *err) MUST_USE;
/* By id, for that purpose alone; outcomes as enroll_session_find(). */
enum outcome enroll_session_get(struct db *db, enum enroll_session_kind kind, int64_t id,
                                int64_t now, struct arena *a, struct enroll_session *out,
                                struct err *err) MUST_USE;
/* The enrolment by Profile Service for which that identity was issued; outcomes as
 * enroll_session_find(), DENIED also when the identity was revoked. The SCEP challenge was made
 * with the session's id in the place of a handout's. */
enum outcome enroll_session_of_identity(struct db *db, const uint8_t cert_sha256[32], int64_t now,
                                        struct arena *a, struct enroll_session *out,
                                        struct err *err) MUST_USE;
/* The device that shows the secret first keeps it. DENIED: it belongs to another device, or was
 * used uses_max times. Counts a use. */
enum outcome enroll_session_use(struct db *db, int64_t id, const char *udid, const char *serial,
                                struct bytes cert_der, int64_t uses_max, struct err *err) MUST_USE;
/* It is over. One that does not exist is over already. */
enum outcome enroll_session_end(struct db *db, enum enroll_session_kind kind, const char *secret,
                                struct err *err) MUST_USE;

/* Somebody has logged in to it. */
enum outcome enroll_session_person(struct db *db, int64_t id, int64_t account_kind,
                                   const char *account, struct err *err) MUST_USE;

/* Makes a nonce for a device. */
enum outcome enroll_nonce_new(struct db *db, const char *udid, int64_t now, int64_t expires_at,
                              char nonce[ENROLL_SESSION_LEN + 1], struct err *err) MUST_USE;
/* Takes an answer to a nonce: notes its nc. DENIED: it is not this device's, has expired, or the nc
 * (devices may start above 1) is not higher than the last. */
enum outcome enroll_nonce_take(struct db *db, const char *nonce, const char *udid, uint32_t count,
                               int64_t now, struct err *err) MUST_USE;

#endif
