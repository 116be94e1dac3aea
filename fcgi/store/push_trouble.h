/* push_trouble.h: pushes that did not reach their devices, for people; who is limited
 * (store/scope.h) sees those of the own devices. The outbox: store/push.h. */
#ifndef DROVER_STORE_PUSH_TROUBLE_H
#define DROVER_STORE_PUSH_TROUBLE_H

#include "store/db.h"

enum push_trouble {
    PUSH_LATE,       /* due for more than a minute, and nobody has sent it */
    PUSH_GIVEN_UP,   /* Apple will not have it, or it expired */
    PUSH_TOKEN_DEAD, /* Apple calls the device's token dead */
    PUSH_TROUBLES
};

struct push_troubled {
    int64_t enrollment_id, due_at;
    const char *ident, *name;
    int64_t wanted_at;
    int attempts, status; /* status: HTTP; 0: no answer, -1: not tried */
    const char *reason;   /* "" when there is none */
};
/* How many there are of each; PUSH_TROUBLE_MANY: so many, or more. */
#define PUSH_TROUBLE_MANY 10001
enum outcome push_trouble_counts(struct db *db, struct arena *a, int64_t counts[PUSH_TROUBLES],
                                 struct err *err) MUST_USE;
/* At most max (LIM_PAGE), the longest due first, of those after the one that was due at `due` and
 * is of enrollment id (0, 0: from the start); in a. */
enum outcome push_trouble_list(struct db *db, enum push_trouble which, int64_t due, int64_t id,
                               size_t max, struct arena *a, struct push_troubled **out, size_t *n,
                               struct err *err) MUST_USE;

#endif
