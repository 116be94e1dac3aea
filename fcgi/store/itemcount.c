/* itemcount.c: see itemcount.h. */
#include "store/itemcount.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/wanted_wait.h"

#define TURN_US (SECOND_US / 10)
#define TURN_ITEMS 200
#define TURN_ARENA LIM_MB

static const struct sql OLDEST = {
    "itemcount_oldest",
    "SELECT i.id FROM library_item i LEFT JOIN item_count c ON c.item_id = i.id "
    "WHERE i.deleted_at = 0 ORDER BY c.counted_at, i.id LIMIT ?",
    0};
/* One pass over the index "item", which has all that is asked for. */
static const struct sql COUNT = {
    "itemcount_count",
    "SELECT d.state, COUNT(*), SUM(d.wanted = 1 AND d.version = i.version), i.version FROM "
    "library_item i JOIN device_item d ON d.item_id = i.id WHERE i.id = ? GROUP BY d.state",
    0};
#define STATES "pending, queued, installed, failed, refused, removed, installing"
#define STATES_OF_VERSION                                                                          \
    "v_pending, v_queued, v_installed, v_failed, v_refused, v_removed, v_installing"
#define STATES_N (WANTED__MAX - WANTED_PENDING)
static const struct sql STORE = {"itemcount_store",
                                 "REPLACE INTO item_count (item_id, counted_at, version, " STATES
                                 ", " STATES_OF_VERSION
                                 ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                                 0};
enum {
    C_ITEM,
    C_AT,
    C_VERSION,
    C_STATES,
    C_OF_VERSION = C_STATES + STATES_N,
    C_N = 3 + 2 * STATES_N
};
_Static_assert(C_N == 17, "the columns of STORE");
static const struct sql READ = {"itemcount_read",
                                "SELECT item_id, counted_at, version, " STATES
                                ", " STATES_OF_VERSION " FROM item_count WHERE item_id IN (%IN%)",
                                1};
/* What the agent counts is the whole fleet: for who is limited it is counted here and now. */
#define OWN_STATE(n, more) "SUM(d.state <=> " #n more ")"
#define OWN_STATES(more)                                                                           \
    OWN_STATE(1, more)                                                                             \
    ", " OWN_STATE(2, more) ", " OWN_STATE(3, more) ", " OWN_STATE(4, more) ", " OWN_STATE(        \
        5, more) ", " OWN_STATE(6, more) ", " OWN_STATE(7, more)
static const struct sql OWN = {
    "itemcount_own",
    "SELECT i.id, UNIX_TIMESTAMP() * 1000000, i.version, " OWN_STATES("") ", " OWN_STATES(
        " AND d.wanted = 1 AND d.version = i.version") " FROM library_item i LEFT JOIN device_item "
                                                       "d ON d.item_id = i.id AND %SCOPE "
                                                       "d.enrollment_id% WHERE i.id IN (%IN%) "
                                                       "GROUP BY i.id",
    1};

static enum outcome count(struct db *db, int64_t id, int64_t now, struct arena *a, struct err *err)
{
    struct val v[C_N] = {val_int(id), val_int(now)};
    struct rows r;
    enum outcome o = db_select(db, &COUNT, v, 1, a, &r, err);

    for (size_t i = C_VERSION; i < C_N; i++)
        v[i] = val_int(0);
    for (size_t i = 0; o == OK && i < r.n; i++) {
        const struct val *row = row_at(&r, i, 0);
        int64_t s = row[0].i - WANTED_PENDING;

        if (s < 0 || s >= STATES_N)
            continue;
        v[C_STATES + s] = row[1];
        v[C_OF_VERSION + s] = row[2];
        v[C_VERSION] = row[3];
    }
    return o == OK ? db_exec(db, &STORE, v, C_N, NULL, err) : o;
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
            out[i].version = (int)v[C_VERSION].i;
            for (int s = 0; s < STATES_N; s++) {
                out[i].devices[WANTED_PENDING + s] = v[C_STATES + s].i;
                out[i].of_version[WANTED_PENDING + s] = v[C_OF_VERSION + s].i;
            }
        }
    }
    return o;
}

enum outcome item_count_states(struct db *db, int64_t id, struct arena *a,
                               int64_t counts[WANTED__MAX], struct err *err)
{
    struct item_count c;
    int64_t all = 0, waits = 0;
    enum outcome o = item_counts(db, &id, 1, a, &c, err);

    for (int s = WANTED_PENDING; o == OK && s < WANTED__MAX; s++)
        all += c.devices[s];
    if (o != OK || all <= ITEM_COUNT_NOW)
        return o == OK ? wanted_counts(db, id, a, counts, err) : o;
    memcpy(counts, c.devices, sizeof c.devices);
    o = wanted_waits_count(db, id, a, &waits, err);
    counts[WANTED_PENDING] += waits;
    return o;
}
