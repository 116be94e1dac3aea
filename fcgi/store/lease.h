/* lease.h: which process of the site does a job that only one may do, by the database's clock. */
#ifndef DROVER_STORE_LEASE_H
#define DROVER_STORE_LEASE_H

#include "store/db.h"

/* Takes the lease when it is free or over, or renews it when holder has it; it then lasts
 * duration_us more. *held says whether holder has it now. UNAVAILABLE: not known. */
enum outcome lease_hold(struct db *db, const char *name, const char *holder, int64_t duration_us,
                        bool *held, struct err *err) MUST_USE;
/* Gives it back, so that another need not wait for its end. */
enum outcome lease_release(struct db *db, const char *name, const char *holder,
                           struct err *err) MUST_USE;

#endif
