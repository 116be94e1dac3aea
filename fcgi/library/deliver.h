/* deliver.h: the profile that a device gets, made when its command is delivered. */
#ifndef DROVER_LIBRARY_DELIVER_H
#define DROVER_LIBRARY_DELIVER_H

#include "base/conf.h"
#include "store/db.h"

/* Adds the command `body` to out with the file of a library version in it: variables filled in,
 * encrypted to the device's identity and signed, as the item says. ident: the enrollment.
 * NOT_FOUND and INVALID: it cannot be made for this device, for good (the version is gone, a value
 * that a variable stands for is not known); UNAVAILABLE: the signer or the database is away. */
enum outcome library_deliver(struct db *db, const struct conf *conf, const char *ident,
                             int64_t version_id, struct bytes body, struct buf *out,
                             struct err *err) MUST_USE;

#endif
