/* crl.h: the device CA's revocation lists, for services other than Drover that see its identities:
 * Drover itself looks into its database. */
#ifndef DROVER_SCEP_CRL_H
#define DROVER_SCEP_CRL_H

#include "http/app.h"
#include "store/db.h"

/* GET /crl: the list of the first CA; /crl/N: that of generation N. DER. */
handler_fn crl_handle;

/* The agent's job: makes the lists that are missing, due ([scep] crl_hours), or older than the last
 * revocation; with `all`, every one. *made: how many. */
enum outcome crl_run(struct db *db, const struct conf *conf, bool all, size_t *made,
                     struct err *err) MUST_USE;

#endif
