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

#endif
