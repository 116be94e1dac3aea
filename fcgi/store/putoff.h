/*
 * putoff.h: commands that a device has put off (NotNow). In the queue's primary key they stand
 * behind all that it has not, until its next Idle, so that what to offer is the first of the index
 * however many there are.
 */
#ifndef DROVER_STORE_PUTOFF_H
#define DROVER_STORE_PUTOFF_H

#include "store/db.h"

/* SQL, the command_id of the first command of enrollment e that may be offered at time ? (twice).
 * more: a further condition on h; offset: "", or " OFFSET 1" for the second. Without the hint the
 * server, when it believes the table to be small, reads it from its beginning: through other
 * devices' commands. */
#define PUTOFF_HEAD(more, offset)                                                                  \
    "(SELECT h.command_id FROM queue h FORCE INDEX (PRIMARY) "                                     \
    "WHERE h.enrollment_id = e.id" more " AND h.not_before <= ? "                                  \
    "AND (h.expires_at IS NULL OR h.expires_at > ?)"                                               \
    " ORDER BY h.put_off, h.urgency, h.queued_at, h.command_id LIMIT 1" offset ")"

/* pairs[n * 2]: enrollment_id and command_id of commands that were sent and answered NotNow. One
 * that is not sent (it was put off before) stays as it is. */
enum outcome putoff_add(struct db *db, const struct val *pairs, size_t n, int64_t now,
                        struct arena *a, struct err *err) MUST_USE;
/* Idle: what ids[n] have put off is eligible again, in its old place. heads: id and the command_id
 * that may be offered now, or NULL, for each. */
enum outcome putoff_end(struct db *db, const struct val *ids, size_t n, int64_t now,
                        struct arena *a, struct rows *heads, struct err *err) MUST_USE;

#endif
