/* later.c: see later.h. */
#include "store/later.h"

#include "base/limits.h"

static const struct sql ADD = {"later_add",
                               "INSERT INTO push_later (at, enrollment_id, apns_id) VALUES (?,?,?) "
                               "ON DUPLICATE KEY UPDATE apns_id=VALUES(apns_id)",
                               0};
#define ADD_ARGS 3
static const struct sql DUE = {
    "later_due",
    "SELECT p.at, p.enrollment_id, p.apns_id, EXISTS(SELECT 1 FROM queue q WHERE "
    "q.enrollment_id = p.enrollment_id AND q.state = 1 AND q.not_before <= ?) FROM push_later p "
    "WHERE p.at <= ? ORDER BY p.at, p.enrollment_id LIMIT ? FOR UPDATE",
    0};
static const struct sql REMOVE = {"later_remove",
                                  "DELETE FROM push_later WHERE (at, enrollment_id) IN (%IN%)", 2};

enum outcome later_add(struct db *db, const struct push_want *wants, size_t n, int64_t at,
                       struct err *err)
{
    struct val args[LATER_BATCH * ADD_ARGS];

    if (n > LATER_BATCH)
        return err_set(err, INVALID, "later_add: %zu wishes at once", n);
    for (size_t i = 0; i < n; i++) {
        args[i * ADD_ARGS] = val_int(at);
        args[i * ADD_ARGS + 1] = val_int(wants[i].enrollment_id);
        args[i * ADD_ARGS + 2] = val_str(wants[i].apns_id);
    }
    return db_exec_many(db, &ADD, args, ADD_ARGS, n, NULL, err);
}

struct run {
    int64_t now, keep_s;
    size_t moved, dropped;
    struct arena *a;
};

static enum outcome run_unit(struct db *db, void *arg, struct err *err)
{
    struct run *x = arg;
    struct push_want want[LATER_BATCH];
    struct val gone[LATER_BATCH * 2];
    struct rows r;
    enum outcome o;

    arena_reset(x->a);
    x->moved = x->dropped = 0;
    o = db_select(db, &DUE, (struct val[]){val_int(x->now), val_int(x->now), val_int(LATER_BATCH)},
                  3, x->a, &r, err);
    if (o != OK || r.n == 0)
        return o;
    for (size_t i = 0; i < r.n; i++) {
        const struct val *v = row_at(&r, i, 0);

        memcpy(&gone[i * 2], v, 2 * sizeof(gone[0]));
        if (v[3].i != 0)
            want[x->moved++] = (struct push_want){v[1].i, val_is_null(&v[2]) ? NULL : v[2].s};
        else
            x->dropped++;
    }
    if (x->moved > 0)
        o = push_request(db, want, x->moved, x->keep_s, err);
    return o == OK ? db_exec_in(db, &REMOVE, NULL, 0, gone, r.n, x->a, NULL, err) : o;
}

enum outcome later_run(struct db *db, int64_t now, int64_t keep_s, size_t *moved, size_t *dropped,
                       struct err *err)
{
    struct run x = {.now = now, .keep_s = keep_s, .a = arena_new(LIM_MB)};
    enum outcome o;

    *moved = *dropped = 0;
    if (x.a == NULL)
        return err_set(err, ERROR, "out of memory");
    o = db_unit(db, run_unit, &x, err);
    arena_free(&x.a);
    if (o == OK) {
        *moved = x.moved;
        *dropped = x.dropped;
    }
    return o;
}
