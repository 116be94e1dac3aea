/* remove.h: letting a device go by removing its MDM profile. */
#ifndef DROVER_ENROLLMENT_REMOVE_H
#define DROVER_ENROLLMENT_REMOVE_H

#include "base/arena.h"
#include "base/conf.h"
#include "store/db.h"

/* Queues RemoveProfile of the MDM profile that this server gives out and records the decision (see
 * store/leaving.h): the device removes the profile and checks out; if it has not after wait_us, it
 * is ended with 401. NOT_FOUND, INVALID, CONFLICT: as leaving_add(). */
enum outcome enrollment_remove(struct db *db, const struct conf *conf, const char *ident,
                               int64_t wait_us, const char *by, const char *why, struct arena *a,
                               struct err *err) MUST_USE;

#endif
