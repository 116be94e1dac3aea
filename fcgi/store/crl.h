/* crl.h: revocation lists, and what goes into them. */
#ifndef DROVER_STORE_CRL_H
#define DROVER_STORE_CRL_H

#include "store/db.h"
#include "wire/x509.h"

struct crl_row {
    int64_t generation, number, entries, made_at, next_at;
    const char *issuer;
    struct bytes der;
};
/* The present list of a CA. NOT_FOUND: none was made yet. */
enum outcome crl_get(struct db *db, int64_t generation, struct arena *a, struct crl_row *out,
                     struct err *err) MUST_USE;
/* That of the CA with this subject. NOT_FOUND. */
enum outcome crl_of_issuer(struct db *db, const char *issuer, struct arena *a, struct crl_row *out,
                           struct err *err) MUST_USE;
enum outcome crl_put(struct db *db, const struct crl_row *row, struct err *err) MUST_USE;

/* When the last certificate was revoked that this CA has issued; 0: never. first: it is Drover's
 * first CA, to which certificates belong whose issuer was not noted. */
enum outcome crl_last_revocation(struct db *db, const char *issuer, bool first, struct arena *a,
                                 int64_t *at, struct err *err) MUST_USE;
/* The certificates of that CA that were revoked and do not end before `ends`, the latest first, at
 * most max; in a. */
enum outcome crl_entries(struct db *db, const char *issuer, bool first, int64_t ends, size_t max,
                         struct arena *a, struct crl_entry **out, size_t *n,
                         struct err *err) MUST_USE;

/* How many identities that devices use now each CA has issued, as pairs of its subject ("" for
 * those not noted) and a number; in a. */
struct issuer_use {
    const char *issuer;
    int64_t identities;
};
enum outcome issuers_in_use(struct db *db, struct arena *a, struct issuer_use **out, size_t *n,
                            struct err *err) MUST_USE;

#endif
