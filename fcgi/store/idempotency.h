/* idempotency.h: requests that may be repeated: the second one gets the first one's answer. */
#ifndef DROVER_STORE_IDEMPOTENCY_H
#define DROVER_STORE_IDEMPOTENCY_H

#include "store/db.h"

#define IDEMPOTENCY_KEY_MAX 255u /* octets */
#define IDEMPOTENCY_ANSWER_MAX (15u * LIM_MB)

struct idempotency {
    /* in */
    const char *actor, *key; /* a key is one caller's own */
    struct bytes request;    /* path and body */
    int64_t now;
    /* out */
    bool answered; /* it was done: status and answer are the first one's */
    int status;
    struct bytes answer;
    const char *seed; /* the same for all repetitions, and for no other request */
};
/* Begins a request. CONFLICT: the same key came with another request, or the first one is still
 * being worked on. One that was begun and never ended (the process was killed) begins again after a
 * minute: what it does must be made of `seed`, so that it does nothing twice. */
enum outcome idempotency_begin(struct db *db, struct idempotency *x, struct arena *a,
                               struct err *err) MUST_USE;
/* Keeps the answer; a status of 500 or more forgets the request, so that it may be tried again. */
enum outcome idempotency_end(struct db *db, const struct idempotency *x, int status,
                             struct bytes answer, struct err *err) MUST_USE;

#endif
