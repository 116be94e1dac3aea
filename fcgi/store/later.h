/* later.h: pushes that are wanted at a moment to come: when a command may first be offered. */
#ifndef DROVER_STORE_LATER_H
#define DROVER_STORE_LATER_H

#include "store/push.h"

#define LATER_BATCH 512

/* Remembers n wishes (at most LATER_BATCH) for the moment `at`, within the caller's unit. One that
 * is there for the same enrollment and moment already stands for both, with the new apns-id. */
enum outcome later_add(struct db *db, const struct push_want *wants, size_t n, int64_t at,
                       struct err *err) MUST_USE;
/* Moves up to LATER_BATCH wishes whose moment has come into the outbox, in one unit of work. Those
 * of enrollments that no command waits for are dropped: it was delivered, cancelled or has expired
 * meanwhile. *moved and *dropped say how many. */
enum outcome later_run(struct db *db, int64_t now, int64_t keep_s, size_t *moved, size_t *dropped,
                       struct err *err) MUST_USE;

#endif
