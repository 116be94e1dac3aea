/* leave.h: the end of a life, and what becomes of what waits for it. */
#ifndef DROVER_STORE_LEAVE_H
#define DROVER_STORE_LEAVE_H

#include "store/db.h"
#include "store/event.h"
#include "store/who.h"

/* Inside a unit of work: closes the open commands of a channel that were queued before `before`
 * as cancelled, with the reason. */
enum outcome leave_cancel_queue(struct db *db, int64_t enrollment_id, int64_t before, int64_t now,
                                const char *why, struct err *err) MUST_USE;
/* Inside a unit of work: all of a device's user channels wait for a TokenUpdate again, their
 * queues are cancelled. */
enum outcome leave_users(struct db *db, int64_t device_id, int64_t before, int64_t now,
                         const char *why, struct err *err) MUST_USE;

/* CheckOut: the device's current life is over (or, when the identity is the pending life's, that
 * one), its queue and its users' are cancelled, nothing is pushed any more. Changes nothing for
 * an identity of an earlier life, or said twice. *out tells who it was. event: to be told when it
 * changes something (store/event.h); NULL: nobody wants it. */
enum outcome leave_check_out(struct db *db, const uint8_t sha256[32], const struct ident *id,
                             int64_t now, struct event *event, struct arena *a, struct who *out,
                             struct err *err) MUST_USE;

/* A named person or rule ends an enrollment: its next message is answered 401. by: an audit actor.
 * NOT_FOUND: no such enrollment; CONFLICT: it is ended already. */
enum outcome leave_end(struct db *db, const char *ident, int64_t now, const char *by,
                       const char *why, struct err *err) MUST_USE;

#endif
