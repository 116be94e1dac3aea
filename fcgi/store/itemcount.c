/* itemcount.c: see itemcount.h. */
#include "store/itemcount.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/scope.h"
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
/* What the agent counts is the whole fleet: for who is limited to a few it is counted here and now,
 * and for who is limited to many one item alone. */
#define OWN_STATE(n, more) "SUM(d.state <=> " #n more ")"
#define OWN_STATES(more)                                                                           \
    OWN_STATE(1, more)                                                                             \
    ", " OWN_STATE(2, more) ", " OWN_STATE(3, more) ", " OWN_STATE(4, more) ", " OWN_STATE(        \
        5, more) ", " OWN_STATE(6, more) ", " OWN_STATE(7, more)
static const struct sql OWN = {
    "itemcount_own",
    "SELECT i.id, UNIX_TIMESTAMP() * 1000000, i.version, " OWN_STATES("") ", " OWN_STATES(
        " AND d.wanted = 1 AND d.version = i.version") " FROM (" SCOPE_DEVICES
                                                       ") AS s STRAIGHT_JOIN device_item d FORCE "
                                                       "INDEX (PRIMARY) ON d.enrollment_id = s.id "
                                                       "STRAIGHT_JOIN library_item i ON i.id = "
                                                       "d.item_id WHERE d.item_id IN (%IN%) GROUP "
                                                       "BY i.id",
    1};
static const struct sql NOW = {"itemcount_now",
                               "SELECT state, COUNT(*) FROM device_item WHERE item_id = ? AND "
                               "%SCOPE enrollment_id% GROUP BY state",
                               0};
static const struct sql FAILED_NOW = {
    "itemcount_failed_now",
    "SELECT COUNT(*) FROM device_item FORCE INDEX (of_state) WHERE item_id = ? AND state IN (4, 5)",
    0};
static const struct sql VERSION_NOW = {
    "itemcount_version_now",
    "SELECT state, COUNT(*) FROM device_item FORCE INDEX (item) WHERE item_id = ? AND wanted = 1 "
    "AND version = ? AND %SCOPE enrollment_id% GROUP BY state",
    0};
static const struct sql SOME_NOW = {
    "itemcount_some_now",
    "SELECT state, COUNT(*) FROM (SELECT state FROM device_item FORCE INDEX (item) WHERE item_id = "
    "? AND wanted = 1 AND version = ? AND %SCOPE enrollment_id% LIMIT ?) AS some GROUP BY state",
    0};
/* In the order of the ids, between the first and the last that the caller reaches. */
static const struct sql IN_STATE = {
    "itemcount_in_state",
    "SELECT enrollment_id FROM device_item FORCE INDEX (of_state) WHERE item_id = ? AND state = ? "
    "AND enrollment_id BETWEEN ? AND ? ORDER BY enrollment_id",
    0};
/* Of the first so many those that the caller reaches: asked one by one, which is dear. */
static const struct sql FIRST_IN_STATE = {
    "itemcount_first_in_state",
    "SELECT COUNT(*), COALESCE(SUM(%SCOPE f.enrollment_id%), 0) FROM (SELECT enrollment_id FROM "
    "device_item FORCE INDEX (of_state) WHERE item_id = ? AND state = ? LIMIT ?) AS f",
    0};
static const struct sql OF_VERSION = {
    "itemcount_of_version",
    "SELECT enrollment_id FROM device_item FORCE INDEX (item) WHERE item_id = ? AND wanted = 1 AND "
    "version = ? AND state = ? AND enrollment_id BETWEEN ? AND ? ORDER BY enrollment_id",
    0};

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
    bool few;
    enum outcome o = db_scope_few(db, &few, err);

    memset(out, 0, n * sizeof *out);
    if (o == OK && list == NULL)
        o = err_set(err, ERROR, "out of memory");
    if (o != OK || n == 0 || (db_scoped(db) && !few))
        return o;
    for (size_t i = 0; i < n; i++)
        list[i] = val_int(ids[i]);
    o = db_select_in(db, few ? &OWN : &READ, NULL, 0, list, n, NULL, 0, a, &r, err);
    for (size_t i = 0; o == OK && few && i < n; i++)
        out[i].counted_at = clock_now(); /* none, where no row tells of any */
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

/* One item, for who is limited to many devices. */
static enum outcome count_own(struct db *db, int64_t id, int version, struct arena *a,
                              int64_t counts[WANTED__MAX], struct err *err)
{
    struct scope_set reach;
    enum outcome o = scope_set_read(db, a, &reach, err);

    for (int s = WANTED_PENDING; o == OK && s < WANTED__MAX; s++) {
        struct val v[5] = {val_int(id)};
        size_t n = 1;

        if (reach.n == 0)
            break;
        if (version != 0)
            v[n++] = val_int(version);
        v[n++] = val_int(s);
        v[n++] = val_int(reach.ids[0]);
        v[n++] = val_int(reach.ids[reach.n - 1]);
        o = scope_set_count(db, &reach, version != 0 ? &OF_VERSION : &IN_STATE, v, n, &counts[s],
                            err);
    }
    return o;
}

/* Rows of a state and a number. */
static void counts_from(const struct rows *r, int64_t counts[WANTED__MAX])
{
    memset(counts, 0, WANTED__MAX * sizeof *counts);
    for (size_t i = 0; i < r->n; i++)
        if (row_at(r, i, 0)->i >= WANTED_PENDING && row_at(r, i, 0)->i < WANTED__MAX)
            counts[row_at(r, i, 0)->i] = row_at(r, i, 1)->i;
}

/* Here and now. */
static enum outcome count_now(struct db *db, int64_t id, int version, struct arena *a,
                              int64_t counts[WANTED__MAX], struct err *err)
{
    struct rows r = {0};
    enum outcome o =
        db_select(db, version != 0 ? &VERSION_NOW : &NOW,
                  (struct val[]){val_int(id), val_int(version)}, version != 0 ? 2 : 1, a, &r, err);

    counts_from(&r, counts);
    return o == OK && version == 0 ? wanted_waits_add(db, id, a, counts, err) : o;
}

static int64_t sum(const int64_t counts[WANTED__MAX])
{
    int64_t all = 0;

    for (int s = WANTED_PENDING; s < WANTED__MAX; s++)
        all += counts[s];
    return all;
}

enum outcome item_count_within(struct db *db, int64_t id, int version, int64_t *room,
                               struct arena *a, int64_t counts[WANTED__MAX], bool *all,
                               struct err *err)
{
    struct rows r = {0};
    enum outcome o =
        db_select(db, &SOME_NOW, (struct val[]){val_int(id), val_int(version), val_int(*room + 1)},
                  3, a, &r, err);

    counts_from(&r, counts);
    int64_t n = sum(counts);
    *all = n <= *room;
    *room = *all ? *room - n : 0;
    if (!*all)
        memset(counts, 0, WANTED__MAX * sizeof *counts);
    return o;
}

enum outcome item_count_states(struct db *db, int64_t id, int version, struct arena *a,
                               int64_t counts[WANTED__MAX], struct err *err)
{
    struct item_count c;
    bool few, many;
    enum outcome o = db_scope_few(db, &few, err);

    memset(counts, 0, WANTED__MAX * sizeof *counts);
    many = db_scoped(db) && !few;
    if (o == OK && !db_scoped(db))
        o = item_counts(db, &id, 1, a, &c, err);
    if (o != OK)
        return o;
    if (few ||
        (!many && (sum(c.devices) <= ITEM_COUNT_NOW || (version != 0 && c.version != version))))
        return count_now(db, id, version, a, counts, err);
    if (many)
        o = count_own(db, id, version, a, counts, err);
    else
        memcpy(counts, version != 0 ? c.of_version : c.devices, sizeof c.devices);
    return o == OK && version == 0 ? wanted_waits_add(db, id, a, counts, err) : o;
}

enum outcome item_count_page(struct db *db, int64_t id, struct arena *a,
                             int64_t counts[WANTED__MAX], bool more[WANTED__MAX], struct err *err)
{
    bool few;
    enum outcome o = db_scope_few(db, &few, err);

    memset(more, 0, WANTED__MAX * sizeof *more);
    if (o != OK || few || !db_scoped(db))
        return o == OK ? item_count_states(db, id, 0, a, counts, err) : o;
    memset(counts, 0, WANTED__MAX * sizeof *counts);
    for (int s = WANTED_PENDING; o == OK && s < WANTED__MAX; s++) {
        struct rows r;

        o = db_select(db, &FIRST_IN_STATE,
                      (struct val[]){val_int(id), val_int(s), val_int(ITEM_COUNT_OWN)}, 3, a, &r,
                      err);
        if (o != OK)
            break;
        more[s] = row_at(&r, 0, 0)->i == ITEM_COUNT_OWN;
        counts[s] = row_at(&r, 0, 1)->i;
    }
    return o == OK ? wanted_waits_add(db, id, a, counts, err) : o;
}

enum outcome item_count_failed(struct db *db, int64_t id, struct arena *a, int64_t *n,
                               struct err *err)
{
    int64_t counts[WANTED__MAX] = {0};
    struct rows r;
    enum outcome o;

    *n = 0;
    if (db_scoped(db)) {
        o = item_count_states(db, id, 0, a, counts, err);
        *n = counts[WANTED_FAILED] + counts[WANTED_REFUSED];
        return o;
    }
    o = db_select(db, &FAILED_NOW, (struct val[]){val_int(id)}, 1, a, &r, err);
    *n = o == OK ? row_at(&r, 0, 0)->i : 0;
    return o;
}
