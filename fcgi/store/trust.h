/*
 * trust.h: the CAs whose device certificates are believed: Drover's own, which the signer tells,
 * and those of table trust_ca. A process keeps them as a set (trust_set.h), made anew when the
 * counter 'trust' in table site has moved.
 */
#ifndef DROVER_STORE_TRUST_H
#define DROVER_STORE_TRUST_H

#include "base/limits.h"
#include "store/db.h"
#include "wire/x509.h"

struct trust_ca {
    struct bytes der;
    uint8_t sha256[CERT_SHA256_LEN];
    const char *subject;
    int64_t not_after;
    int64_t added_at;
    const char *added_by;
};

/* The table's rows, oldest first, in a. */
enum outcome trust_ca_list(struct db *db, struct arena *a, struct trust_ca **out, size_t *n,
                           struct err *err) MUST_USE;
/* Adds a CA and raises the counter, audited. by: who does it. INVALID: no CA certificate;
 * CONFLICT: it is trusted already. */
enum outcome trust_ca_add(struct db *db, struct bytes der, const char *by,
                          struct err *err) MUST_USE;
/* NOT_FOUND: none with that digest. */
enum outcome trust_ca_remove(struct db *db, const uint8_t sha256[CERT_SHA256_LEN], const char *by,
                             struct err *err) MUST_USE;

/* The newest revocation list of a trusted CA. */
struct trust_crl {
    const char *subject; /* the CA's */
    struct bytes ca_sha256, crl;
    int64_t entries, this_update, next_update; /* next_update 0: it does not say */
    int64_t added_at;
    const char *added_by;
};
#define TRUST_CRL_MAX (4u * LIM_MB)
/* In a. */
enum outcome trust_crl_list(struct db *db, struct arena *a, struct trust_crl **out, size_t *n,
                            struct err *err) MUST_USE;
/* Stores a list in place of the CA's older one and raises the counter, audited. *subject: of its
 * CA, in a. NOT_FOUND: no trusted CA signed it; INVALID: too long, or its CA may not sign lists;
 * CONFLICT: a newer one is there. */
enum outcome trust_crl_put(struct db *db, struct arena *a, const struct crl_info *info,
                           const char *by, const char **subject, struct err *err) MUST_USE;
/* Drover's own CA was changed: raises the counter, so that processes ask the signer, audited as
 * action ("ca.next") of what. */
enum outcome trust_own_changed(struct db *db, const char *action, const char *what, const char *by,
                               struct err *err) MUST_USE;

#endif
