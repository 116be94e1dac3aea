/* authority.h: which CAs the certificates of devices are verified with: Drover's own generations
 * and those that are trusted beside them; and the bundle of both that the web server reads. */
#ifndef DROVER_SCEP_AUTHORITY_H
#define DROVER_SCEP_AUTHORITY_H

#include "base/buf.h"
#include "store/db.h"
#include "wire/sign.h"

/* Drover's own CAs, SIGN_AUTHORITIES_MAX at most, as the signer tells them; while it does not run,
 * as at set-up, the first one's file. NOT_FOUND: there is none yet. In a. */
enum outcome authority_own(const struct conf *conf, struct arena *a, struct sign_authority *own,
                           size_t *n, struct err *err) MUST_USE;
/* What [identity] ca_bundle should hold: every CA that is trusted, as PEM. NOT_FOUND as above;
 * ERROR also when it is past out's ceiling. */
enum outcome authority_bundle(const struct conf *conf, struct db *db, struct arena *a,
                              struct buf *out, struct err *err) MUST_USE;

#endif
