/* push_trouble.c: pushes that did not reach their devices: see push_trouble.h. */
#include "store/push_trouble.h"

#include "base/limits.h"

#define NOW_US "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"

/* In the order of the index "due". */
#define LIST(condition)                                                                            \
    "SELECT p.enrollment_id, p.due_at, e.ident, COALESCE(d.device_name, e.device_name, "           \
    "e.user_short_name, e.serial, e.ident), p.wanted_at, p.attempts, COALESCE(p.last_status, "     \
    "-1), "                                                                                        \
    "COALESCE(p.last_reason, '') FROM push p JOIN enrollment e ON e.id = p.enrollment_id LEFT "    \
    "JOIN inv_device d ON d.enrollment_id = e.id WHERE " condition                                 \
    " AND %SCOPE e.device_id% AND (p.due_at > ? OR (p.due_at = ? AND p.enrollment_id > ?)) "       \
    "ORDER BY p.due_at, p.enrollment_id LIMIT ?"
static const struct sql LISTS[PUSH_TROUBLES] = {
    [PUSH_LATE] = {"push_late", LIST("p.state = 1 AND p.due_at < " NOW_US " - 60000000"), 0},
    [PUSH_GIVEN_UP] = {"push_given_up", LIST("p.state = 4"), 0},
    [PUSH_TOKEN_DEAD] = {"push_token_dead", LIST("p.state = 5"), 0}};

enum outcome push_trouble_list(struct db *db, enum push_trouble which, int64_t due, int64_t id,
                               size_t max, struct arena *a, struct push_troubled **out, size_t *n,
                               struct err *err)
{
    struct rows r;
    *n = 0;
    enum outcome o = db_select(db, &LISTS[which],
                               (struct val[]){val_int(due), val_int(due), val_int(id),
                                              val_int(max < LIM_PAGE ? (int64_t)max : LIM_PAGE)},
                               4, a, &r, err);
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n) {
        const struct val *v = row_at(&r, *n, 0);
        (*out)[*n] = (struct push_troubled){v[0].i, v[1].i,      v[2].s,      v[3].s,
                                            v[4].i, (int)v[5].i, (int)v[6].i, v[7].s};
    }
    return OK;
}
