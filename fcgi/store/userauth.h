/*
 * userauth.h: network users of Macs: the challenge that is out, and the AuthToken of who logged in
 * (reference, "MDM Protocol Extensions"). Neither nonce nor token is stored, only their SHA-256. A
 * token belongs to one user of one device in one life of its enrolment, until the user is
 * challenged again, the account gets another password or is disabled.
 */
#ifndef DROVER_STORE_USERAUTH_H
#define DROVER_STORE_USERAUTH_H

#include "store/db.h"
#include "wire/digest.h"

#define USERAUTH_NONCE_US (5 * 60 * INT64_C(1000000)) /* a person types the password once only */
#define USERAUTH_TOKEN_LEN 64                         /* hexadecimal digits */

/* The user is challenged: makes a nonce, good for five minutes and one login; the token is void. */
enum outcome userauth_challenge(struct db *db, const char *ident, int64_t device_id,
                                int64_t life_id, int64_t now, char nonce[DIGEST_NONCE_LEN + 1],
                                struct err *err) MUST_USE;
/* Takes an answer to the challenge: notes its nc. DENIED: it is not the nonce that this user was
 * given last, it is used up or expired, or the nc (devices may start above 1) is not higher than
 * the last. */
enum outcome userauth_nonce_take(struct db *db, const char *ident, const char *nonce,
                                 uint32_t count, int64_t now, struct err *err) MUST_USE;
/* The password was right: uses the nonce up and makes the token. DENIED: another request used it up
 * meanwhile. */
enum outcome userauth_login(struct db *db, const char *ident, const char *nonce, int64_t life_id,
                            const char *account, int64_t now, char token[USERAUTH_TOKEN_LEN + 1],
                            struct err *err) MUST_USE;
/* May this user's message be served? OK: the token is right, or the user was never challenged (the
 * local user of the enrolment logs in nowhere). DENIED: missing (NULL), wrong, or of an earlier
 * life. One statement. */
enum outcome userauth_check(struct db *db, const char *ident, const char *token, struct arena *a,
                            struct err *err) MUST_USE;

#endif
