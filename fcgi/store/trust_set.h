/* trust_set.h: whom a process believes: see trust.h. */
#ifndef DROVER_STORE_TRUST_SET_H
#define DROVER_STORE_TRUST_SET_H

#include "store/trust.h"

/* Safe for use by many threads. */
struct trust_set;
struct trust_set *trust_set_new(void);
void trust_set_free(struct trust_set **t);
/* Makes the set anew if the counter moved or it was never made; needs sign_client_setup(). When
 * the database or the signer is away the old set stays and the outcome says so. One thread at a
 * time calls it. */
enum outcome trust_set_refresh(struct trust_set *t, struct db *db, struct err *err) MUST_USE;
/* Takes *fresh as the present set, made at that count. */
void trust_set_install(struct trust_set *t, struct trust **fresh, int64_t version);
/* Rises at each new set; 0: never made. */
uint64_t trust_set_generation(struct trust_set *t);
/* trust_check() against the present set. UNAVAILABLE: there is none yet. */
enum outcome trust_set_check(struct trust_set *t, struct bytes der, const struct bytes *chain,
                             size_t nchain, int64_t now, enum trust_verdict *verdict,
                             const char **why, struct err *err) MUST_USE;

#endif
