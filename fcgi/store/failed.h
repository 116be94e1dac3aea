/* failed.h: commands that ended with an error, of all devices, the latest first. */
#ifndef DROVER_STORE_FAILED_H
#define DROVER_STORE_FAILED_H

#include "store/db.h"

struct failed {
    const char *ident, *name; /* of the channel; name is the ident where there is none */
    const char *uuid, *request_type;
    const char *why; /* the first entry of the ErrorChain; "" when there is none */
    int state;       /* enum queue_state */
    int64_t closed_at;
    const char *again; /* CommandUUID of the latest that was sent in its place; "" when absent */
    int again_state;   /* enum queue_state of that */
    const char *created_by;
    int fill;    /* COMMAND_FILL_* */
    bool secret; /* it held a secret, and is kept without it */
};
struct failed_filter {
    int64_t since, before;    /* that ended at `since` or later and earlier than `before` */
    const char *request_type; /* NULL: any */
    bool not_again;           /* only those in whose place nothing was sent yet */
};
/* At most max (LIM_PAGE) whose reports were read; in a. *next: `before` of the page that follows, 0
 * when none does. What ended in the same microsecond is not parted: a page that would is shorter.
 */
enum outcome failed_list(struct db *db, const struct failed_filter *f, size_t max, struct arena *a,
                         struct failed **out, size_t *n, int64_t *next, struct err *err) MUST_USE;
/* How many they are; of a large fleet that takes a second. */
enum outcome failed_count(struct db *db, const struct failed_filter *f, struct arena *a, int64_t *n,
                          struct err *err) MUST_USE;

#endif
