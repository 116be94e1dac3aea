/* revoke.h: identities that are not believed any more, though their CA is. */
#ifndef DROVER_STORE_REVOKE_H
#define DROVER_STORE_REVOKE_H

#include "store/db.h"

struct revoked_identity {
    const char *sha256; /* of the certificate, hexadecimal */
    const char *subject, *serial;
};

/* Revokes, audited: name is the enrollment id of a device, for every identity that is bound to it
 * or renews one of it, or the first digits (8 at least) of a certificate's SHA-256, as
 * fingerprint_digits() takes them. The device gets 403 from its next message on, and renews nothing
 * by SCEP; a new enrolment with another identity is not held up. by: an audit actor; why: at most
 * 255 characters. out, in a: what is revoked now. NOT_FOUND: nothing has that name; CONFLICT: all
 * of it is revoked already, or the digits name several. */
enum outcome identity_revoke(struct db *db, const char *name, const char *by, const char *why,
                             int64_t now, struct arena *a, struct revoked_identity **out, size_t *n,
                             struct err *err) MUST_USE;

#endif
