/*
 * outbox.h: carries the push outbox (store/push.h) to Apple: takes what is due, gives each topic's
 * to its sender, records what became of it. For the one agent of the site that has the lease.
 */
#ifndef DROVER_PUSH_OUTBOX_H
#define DROVER_PUSH_OUTBOX_H

#include "store/db.h"

struct outbox;

enum outcome outbox_new(const struct conf *conf, struct db *db, struct outbox **out,
                        struct err *err) MUST_USE;
/* Drops what is in flight: see outbox_stop(). */
void outbox_free(struct outbox **o);
/* Requests may be begun until this moment of clock_mono() and no later; 0: none any more. */
void outbox_send_until(struct outbox *o, int64_t mono);
/* Looks for new, renewed, expired and removed certificates; what waited for one is due at once. */
enum outcome outbox_reload(struct outbox *o, struct err *err) MUST_USE;
/* One turn: waits up to idle_ms for something to do, records, claims, sends. UNAVAILABLE: the
 * database is away; what is not recorded yet is kept for the next turn. */
enum outcome outbox_turn(struct outbox *o, int idle_ms, struct err *err) MUST_USE;
/* Begins no more requests, waits up to grace_ms for the answers of those in flight, and records. */
enum outcome outbox_stop(struct outbox *o, int grace_ms, struct err *err) MUST_USE;

#endif
