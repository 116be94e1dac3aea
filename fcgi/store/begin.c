/* begin.c: see begin.h. */
#include "store/begin.h"

#define FEW 1000 /* so few need no fewer */

static enum outcome measure(struct db *db, const struct begin_ways *w, int way, struct arena *a,
                            int64_t *n, struct err *err)
{
    struct making m = MAKING_INIT;
    struct rows r;
    enum outcome o;

    buf_str(&m.sql, "SELECT COUNT(*) FROM (");
    w->say(&m, w->asked, way);
    making_say(&m, "LIMIT ?) AS some", val_int(w->many));
    o = making_run(db, &m, w->name, a, &r, err);
    *n = o == OK ? row_at(&r, 0, 0)->i : w->many;
    return o;
}

enum outcome begin_at_fewest(struct db *db, const struct begin_ways *w, struct arena *a,
                             int64_t *least, int *way, struct err *err)
{
    enum outcome o = OK;
    int64_t n;

    for (int i = w->first; o == OK && *least > FEW && i < w->end; i++) {
        if (!w->may[i])
            continue;
        o = measure(db, w, i, a, &n, err);
        if (o == OK && n < *least) {
            *least = n;
            *way = i;
        }
    }
    return o;
}
