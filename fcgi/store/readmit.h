/*
 * readmit.h: a device that the database knows comes with an identity that it does not know. After
 * an old backup was restored that is one that has renewed its identity, or enrolled anew, since the
 * backup was made: nothing that it sends would ever be served.
 */
#ifndef DROVER_STORE_READMIT_H
#define DROVER_STORE_READMIT_H

#include "store/db.h"

/* Whether such a device is to be listed for decision, not refused: a restored backup is being
 * settled, or a person has decided about it with this certificate (32 octets). */
enum outcome readmit_waits(struct db *db, const char *ident, struct bytes sha256, struct arena *a,
                           bool *yes, struct err *err) MUST_USE;

/* Inside a unit of work: a device begins a current life with the identity it was accepted with,
 * as if it had enrolled anew: no secret carries over, and what the backup had queued for it, and
 * for its users, is cancelled (it may have been done). *enrollment and *life are what the
 * certificate is to be bound to; enrollment 0: there is no such device. CONFLICT: it has enrolled
 * since decided_at. topic: "" when the device told none. */
enum outcome readmit(struct db *db, const char *ident, struct bytes sha256, const char *topic,
                     int64_t decided_at, int64_t now, struct arena *a, int64_t *enrollment,
                     int64_t *life, struct err *err) MUST_USE;

#endif
