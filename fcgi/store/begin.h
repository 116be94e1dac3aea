/*
 * begin.h: where a page of a list begins. A list that is asked for in several ways (a state, a
 * time, a system) is read from the way that the fewest rows have; how many that are is counted no
 * further than it matters.
 */
#ifndef DROVER_STORE_BEGIN_H
#define DROVER_STORE_BEGIN_H

#include "store/making.h"

struct begin_ways {
    const char *name; /* of the statement that counts */
    const void *asked;
    /* Says "SELECT id ...", of those that have what way is about. */
    void (*say)(struct making *m, const void *asked, int way);
    const bool *may; /* may[way]: it is asked for */
    int first, end;  /* the ways to look at: first <= way < end */
    int64_t many;    /* more than a page collects */
};

/* Puts into *way the one that the fewest have, if these are fewer than *least, and that many into
 * *least; both stay as they are if none is. Outcomes as db_select(). */
enum outcome begin_at_fewest(struct db *db, const struct begin_ways *w, struct arena *a,
                             int64_t *least, int *way, struct err *err) MUST_USE;

#endif
