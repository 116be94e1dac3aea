/* scep.h: the SCEP service (RFC 8894): how a device gets its identity and renews it. */
#ifndef DROVER_SCEP_SCEP_H
#define DROVER_SCEP_SCEP_H

#include "http/app.h"
#include "store/scep.h"

/* GET and POST of the SCEP path: operation=GetCACaps, GetCACert or PKIOperation. A request that can
 * be understood is answered with a CertRep, also when it is refused; 400: it cannot; 503, 500: the
 * database or the signer is away, and the client comes again. */
handler_fn scep_handle;

/* May this challengePassword have an identity? OK: *one_time tells a challenge of the database from
 * the static one of [scep] challenge_file. DENIED: neither; CONFLICT as scep_challenge_check(). */
enum outcome challenge_check(const struct conf *conf, struct db *db, const char *challenge,
                             const char *transaction_id, struct arena *a, bool *one_time,
                             struct err *err) MUST_USE;

#endif
