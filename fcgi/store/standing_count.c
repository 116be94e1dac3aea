/* standing_count.c: how many devices are how far with a command of a group: see standing.h. */
#include "store/standing.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/scope.h"

#define TURN_US (SECOND_US / 10)
#define TURN_ORDERS 200
#define TURN_ARENA LIM_MB

static const struct sql OLDEST = {
    "standing_count_oldest",
    "SELECT s.id FROM standing_order s LEFT JOIN order_count c ON c.order_id = s.id WHERE s.state "
    "IN (1, 2) ORDER BY c.counted_at, s.id LIMIT ?",
    0};
static const struct sql COUNT = {
    "standing_counts",
    "SELECT state, COUNT(*) FROM device_order FORCE INDEX (of_order) WHERE order_id = ? AND %SCOPE "
    "enrollment_id% GROUP BY state",
    0};
static const struct sql STORE = {
    "standing_count_store",
    "REPLACE INTO order_count (order_id, counted_at, pending, queued, "
    "done, failed, not_applicable, withdrawn, waiting) VALUES (?,?,?,?,?,?,?,?,?)",
    0};
static const struct sql READ = {"standing_count_read",
                                "SELECT pending, queued, done, failed, not_applicable, withdrawn, "
                                "waiting FROM order_count WHERE order_id = ?",
                                0};
static const struct sql IN_STATE = {"standing_count_in_state",
                                    "SELECT enrollment_id FROM device_order FORCE INDEX (of_order) "
                                    "WHERE order_id = ? AND state = ? "
                                    "ORDER BY enrollment_id",
                                    0};
_Static_assert(ORDER__MAX - ORDER_PENDING == 7, "the columns of order_count");

static enum outcome count(struct db *db, int64_t id, struct arena *a, int64_t counts[ORDER__MAX],
                          struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &COUNT, (struct val[]){val_int(id)}, 1, a, &r, err);

    memset(counts, 0, ORDER__MAX * sizeof *counts);
    for (size_t i = 0; o == OK && i < r.n; i++)
        if (row_at(&r, i, 0)->i >= ORDER_PENDING && row_at(&r, i, 0)->i < ORDER__MAX)
            counts[row_at(&r, i, 0)->i] = row_at(&r, i, 1)->i;
    return o;
}

static enum outcome count_store(struct db *db, int64_t id, int64_t now, struct arena *a,
                                struct err *err)
{
    int64_t counts[ORDER__MAX];
    struct val v[2 + ORDER__MAX - ORDER_PENDING] = {val_int(id), val_int(now)};
    enum outcome o = count(db, id, a, counts, err);

    for (int s = ORDER_PENDING; s < ORDER__MAX; s++)
        v[2 + s - ORDER_PENDING] = val_int(counts[s]);
    return o == OK ? db_exec(db, &STORE, v, sizeof v / sizeof *v, NULL, err) : o;
}

enum outcome standing_count_turn(struct db *db, int64_t now, struct err *err)
{
    struct arena *a = arena_new(TURN_ARENA);
    int64_t end = clock_mono() + TURN_US;
    struct rows r = {0};
    enum outcome o =
        a != NULL ? db_select(db, &OLDEST, (struct val[]){val_int(TURN_ORDERS)}, 1, a, &r, err)
                  : err_set(err, ERROR, "out of memory");

    for (size_t i = 0; o == OK && i < r.n && (i == 0 || clock_mono() < end); i++)
        o = count_store(db, row_at(&r, i, 0)->i, now, a, err);
    arena_free(&a);
    return o;
}

/* For who is limited to many devices. */
static enum outcome count_own(struct db *db, int64_t id, struct arena *a,
                              int64_t counts[ORDER__MAX], struct err *err)
{
    struct scope_set reach;
    enum outcome o = scope_set_read(db, a, &reach, err);

    for (int s = ORDER_PENDING; o == OK && s < ORDER__MAX; s++)
        o = scope_set_count(db, &reach, &IN_STATE, (struct val[]){val_int(id), val_int(s)}, 2,
                            &counts[s], err);
    return o;
}

enum outcome standing_counts(struct db *db, int64_t id, struct arena *a, int64_t counts[ORDER__MAX],
                             struct err *err)
{
    int64_t all = 0;
    struct rows r;
    bool few;
    enum outcome o = db_scope_few(db, &few, err);

    memset(counts, 0, ORDER__MAX * sizeof *counts);
    if (o == OK && few)
        return count(db, id, a, counts, err);
    if (o == OK && db_scoped(db))
        return count_own(db, id, a, counts, err);
    if (o == OK)
        o = db_select(db, &READ, (struct val[]){val_int(id)}, 1, a, &r, err);
    for (int s = ORDER_PENDING; o == OK && r.n > 0 && s < ORDER__MAX; s++)
        all += counts[s] = row_at(&r, 0, (size_t)(s - ORDER_PENDING))->i;
    return o == OK && all <= STANDING_COUNT_NOW ? count(db, id, a, counts, err) : o;
}
