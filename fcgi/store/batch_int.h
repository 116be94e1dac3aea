/* batch_int.h: what the files of batch.h share. */
#ifndef DROVER_STORE_BATCH_INT_H
#define DROVER_STORE_BATCH_INT_H

#include "store/batch.h"

#include "base/limits.h"

/* ---- who was seen, written later (batch_touch.c) ---- */

#define TOUCH_MAX LIM_BATCH

struct touch {
    int64_t enrollment_id, at;
};

struct touches {
    struct touch item[TOUCH_MAX];
    size_t n;
    int64_t oldest; /* clock_mono() of the first */
};

/* Where the batch_touch() of this thread goes until it is NULL. */
void touches_begin(struct touches *t);
/* After a batch of n units: is it time to write them? */
bool touches_due(const struct touches *t, size_t n);
/* Writes them; a failure is logged, as the next messages say it again. */
void touches_flush(struct db *db, struct touches *t, struct arena *a);

/* ---- doing a set of units (batch_work.c) ---- */

/* A set of units to be done, and with what. writes: for units alone, which begin without a round
 * trip; may be the same connection as reads. */
struct work {
    struct unit **u;
    size_t n;
    struct db *reads, *writes;
    struct arena *scratch;
};

#define BATCH_SCRATCH (64u * LIM_MB)

/* Does all of them, each with its own outcome. Returns whether that had to be one by one. A unit
 * that waited for a lock in vain, on a connection that does not wait long, is marked rivalled_. */
bool work_do(struct work *w);

#endif
