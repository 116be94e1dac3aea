/* bootstrap.h: the sealed bootstrap token of a Mac's life. */
#ifndef DROVER_STORE_BOOTSTRAP_H
#define DROVER_STORE_BOOTSTRAP_H

#include "store/event.h"

/* Stores it; empty removes the stored one. event: told with it; NULL: nobody wants it. */
enum outcome bootstrap_set(struct db *db, int64_t life_id, struct bytes sealed,
                           const struct event *event, struct err *err) MUST_USE;
/* *sealed is in a, empty when none is stored. */
enum outcome bootstrap_get(struct db *db, int64_t life_id, struct arena *a, struct bytes *sealed,
                           struct err *err) MUST_USE;

#endif
