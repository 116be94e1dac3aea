/* login.h: does somebody know the password of an account of droverctl users? */
#ifndef DROVER_STORE_LOGIN_H
#define DROVER_STORE_LOGIN_H

#include "store/enroluser.h"

/* An answer of HTTP Digest whose nonce was found good, given for a request of that method from that
 * address. The signer compares. The account in a, when OK. DENIED: an unknown or disabled account,
 * another password or realm, or too many wrong ones before (store/throttle.h); the reason is for
 * the log and the audit, not for whoever asks. */
enum outcome login_digest(struct db *db, const struct digest_answer *d, const char *method,
                          const char *address, int64_t now, struct arena *a, struct enroluser *user,
                          struct err *err) MUST_USE;

/* A password that was typed into a web page, by its scrypt hash. The account in a, when OK. DENIED:
 * as login_digest(); *wait_s: 0, or the seconds after which it is judged again. UNAVAILABLE: too
 * many are judged at this moment, or the database is away. */
enum outcome login_password(struct db *db, const char *name, const char *password,
                            const char *address, int64_t now, struct arena *a,
                            struct enroluser *user, int64_t *wait_s, struct err *err) MUST_USE;

#endif
