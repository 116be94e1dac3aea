/*
 * inactive.h: devices that are not heard of: woken each day by a push, and called inactive after
 * some days. That is an observation: it changes nothing but what lists show, and the device's next
 * message ends it. For the agent; every run works in small batches that skip rows which another
 * agent has in hand.
 */
#ifndef DROVER_STORE_INACTIVE_H
#define DROVER_STORE_INACTIVE_H

#include "store/db.h"

#define INACTIVE_BATCH 200

struct inactive_sweep {
    int64_t now;       /* microseconds since 1970 */
    int64_t after_us;  /* inactive when not seen for so long */
    int64_t nudge_us;  /* nudged when not seen, nor nudged, for so long */
    int64_t push_keep; /* seconds for which a push waits at Apple */
    /* out */
    size_t nudged, inactive, returned;
};

/* One sweep over all enrollments. Becoming inactive and returning are audited
 * (enrollment.inactive, enrollment.return). On failure what was done so far stays. */
enum outcome inactive_sweep(struct db *db, struct inactive_sweep *s, struct err *err) MUST_USE;

#endif
