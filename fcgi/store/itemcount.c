/* itemcount.c: see itemcount.h. */
#include "store/itemcount.h"

#include "base/clock.h"
#include "base/limits.h"

#define TURN_US (SECOND_US / 10)
#define TURN_ITEMS 200
#define TURN_ARENA LIM_MB

static const struct sql OLDEST = {
    "itemcount_oldest",
    "SELECT i.id FROM library_item i LEFT JOIN item_count c ON c.item_id = i.id "
    "WHERE i.deleted_at = 0 ORDER BY c.counted_at, i.id LIMIT ?",
    0};
static const struct sql STORE = {
    "itemcount_store",
    "REPLACE INTO item_count (item_id, counted_at, pending, queued, installed, failed, refused, "
    "removed, installing) VALUES (?,?,?,?,?,?,?,?,?)",
    0};
static const struct sql READ = {
    "itemcount_read",
    "SELECT item_id, counted_at, pending, queued, installed, failed, refused, removed, installing "
    "FROM item_count WHERE item_id IN (%IN%)",
    1};
/* What the agent counts is the whole fleet: for who is limited it is counted here and now. */
static const struct sql OWN = {
    "itemcount_own",
    "SELECT i.id, UNIX_TIMESTAMP() * 1000000, SUM(d.state <=> 1), SUM(d.state <=> 2), "
    "SUM(d.state <=> 3), SUM(d.state <=> 4), SUM(d.state <=> 5), SUM(d.state <=> 6), "
    "SUM(d.state <=> 7) FROM library_item i LEFT JOIN device_item d ON d.item_id = i.id AND "
    "%SCOPE d.enrollment_id% WHERE i.id IN (%IN%) GROUP BY i.id",
    1};

static enum outcome count(struct db *db, int64_t id, int64_t now, struct arena *a, struct err *err)
{
    int64_t n[WANTED__MAX];
    struct val v[2 + WANTED__MAX] = {val_int(id), val_int(now)};
    enum outcome o = wanted_counts(db, id, a, n, err);

    for (int s = WANTED_PENDING; s < WANTED__MAX; s++)
        v[1 + s] = val_int(n[s]);
    return o == OK ? db_exec(db, &STORE, v, 1 + WANTED__MAX, NULL, err) : o;
}

enum outcome item_count_turn(struct db *db, int64_t now, struct err *err)
{
    struct arena *a = arena_new(TURN_ARENA);
    int64_t end = clock_mono() + TURN_US;
    struct rows r = {0};
    enum outcome o =
        a != NULL ? db_select(db, &OLDEST, (struct val[]){val_int(TURN_ITEMS)}, 1, a, &r, err)
                  : err_set(err, ERROR, "out of memory");

    for (size_t i = 0; o == OK && i < r.n && (i == 0 || clock_mono() < end); i++)
        o = count(db, row_at(&r, i, 0)->i, now, a, err);
    arena_free(&a);
    return o;
}

enum outcome item_counts(struct db *db, const int64_t *ids, size_t n, struct arena *a,
                         struct item_count *out, struct err *err)
{
    struct val *list = arena_array(a, n + 1, sizeof *list);
    struct rows r;
    enum outcome o;

    memset(out, 0, n * sizeof *out);
    if (list == NULL)
        return err_set(err, ERROR, "out of memory");
    if (n == 0)
        return OK;
    for (size_t i = 0; i < n; i++)
        list[i] = val_int(ids[i]);
    o = db_select_in(db, db_scoped(db) ? &OWN : &READ, NULL, 0, list, n, NULL, 0, a, &r, err);
    for (size_t k = 0; o == OK && k < r.n; k++) {
        const struct val *v = row_at(&r, k, 0);

        for (size_t i = 0; i < n; i++) {
            if (ids[i] != v[0].i)
                continue;
            out[i].counted_at = v[1].i;
            for (int s = WANTED_PENDING; s < WANTED__MAX; s++)
                out[i].devices[s] = v[1 + s].i;
        }
    }
    return o;
}
