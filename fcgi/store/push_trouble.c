/* push_trouble.c: pushes that did not reach their devices: see push_trouble.h. */
#include "store/push_trouble.h"

#include "base/limits.h"
#include "store/scope.h"

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
#define IS_LATE "p.state = 1 AND p.due_at < " NOW_US " - 60000000"
#define IS_GIVEN_UP "p.state = 4"
#define IS_TOKEN_DEAD "p.state = 5"
static const struct sql LISTS[PUSH_TROUBLES] = {
    [PUSH_LATE] = {"push_late", LIST(IS_LATE), 0},
    [PUSH_GIVEN_UP] = {"push_given_up", LIST(IS_GIVEN_UP), 0},
    [PUSH_TOKEN_DEAD] = {"push_token_dead", LIST(IS_TOKEN_DEAD), 0}};

#define HOW_MANY(condition)                                                                        \
    "(SELECT COUNT(*) FROM (SELECT 1 FROM push p FORCE INDEX (due) WHERE " condition               \
    " AND %SCOPE "                                                                                 \
    "(SELECT e.device_id FROM enrollment e WHERE e.id = p.enrollment_id)% LIMIT 10001) AS some)"
static const struct sql COUNTS = {
    "push_trouble_counts",
    "SELECT " HOW_MANY(IS_LATE) ", " HOW_MANY(IS_GIVEN_UP) ", " HOW_MANY(IS_TOKEN_DEAD), 0};
_Static_assert(PUSH_TROUBLE_MANY == 10001, "as COUNTS says");
/* For who is limited to few devices. */
#define HOW_MANY_OF(condition) "LEAST(COALESCE(SUM(" condition "), 0), 10001)"
static const struct sql COUNTS_OWN = {
    "push_trouble_counts_own",
    "SELECT " HOW_MANY_OF(IS_LATE) ", " HOW_MANY_OF(IS_GIVEN_UP) ", " HOW_MANY_OF(
        IS_TOKEN_DEAD) " FROM (" SCOPE_DEVICES ") AS s STRAIGHT_JOIN enrollment e FORCE INDEX "
                       "(device) ON e.device_id = s.id STRAIGHT_JOIN push p ON p.enrollment_id = "
                       "e.id",
    0};

enum outcome push_trouble_counts(struct db *db, struct arena *a, int64_t counts[PUSH_TROUBLES],
                                 struct err *err)
{
    struct rows r;
    bool few;
    enum outcome o = db_scope_few(db, &few, err);
    if (o == OK)
        o = db_select(db, few ? &COUNTS_OWN : &COUNTS, NULL, 0, a, &r, err);
    for (size_t i = 0; i < PUSH_TROUBLES; i++)
        counts[i] = o == OK ? row_at(&r, 0, i)->i : 0;
    return o;
}

enum outcome push_trouble_list(struct db *db, enum push_trouble which, int64_t due, int64_t id,
                               size_t max, struct arena *a, struct push_troubled **out, size_t *n,
                               struct err *err)
{
    struct rows r;
    *n = 0;
    enum outcome o = db_select(
        db, &LISTS[which], (struct val[]){val_int(due), val_int(due), val_int(id), val_page(max)},
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
