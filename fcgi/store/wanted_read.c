/* wanted_read.c: how far devices are, for people: see wanted.h. */
#include "store/wanted.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "store/audit.h"
#include "store/itemcount.h"
#include "store/making.h"
#include "store/scope.h"
#include "store/wanted_wait.h"

#define COLUMNS                                                                                    \
    "SELECT d.item_id, d.enrollment_id, e.ident, h.serial, h.device_name, i.kind, i.identifier, "  \
    "i.name, d.wanted, d.version, d.installed_version, d.state, d.attempts, d.due_at, "            \
    "d.changed_at, d.installed_at, d.reason, c.uuid, h.ident, IF(e.id = h.id, NULL, "              \
    "COALESCE(NULLIF(e.user_short_name, ''), e.user_id, e.ident)), IF(e.id = h.id, NULL, "         \
    "e.user_long_name) FROM device_item d JOIN enrollment e ON e.id = d.enrollment_id JOIN "       \
    "enrollment h ON h.id = e.device_id JOIN library_item i ON i.id = d.item_id LEFT JOIN "        \
    "command c ON c.id = d.command_id "
/* What was removed from the device's own channel and waits for a user is told as what waits. */
#define NO_WAIT                                                                                    \
    "(d.state <> 6 OR NOT EXISTS (SELECT 1 FROM device_item_wait w WHERE w.item_id = d.item_id "   \
    "AND w.device_id = d.enrollment_id)) "
static const struct sql OF_DEVICE = {
    "wanted_of_device",
    COLUMNS "WHERE e.device_id = (SELECT o.device_id FROM enrollment o WHERE o.ident = ?) AND ? IN "
            "(e.ident, h.ident) AND %SCOPE e.device_id% AND " NO_WAIT
            "ORDER BY i.name, i.id, e.id LIMIT ?",
    0};
static const struct sql EXISTS = {
    "wanted_device", "SELECT id FROM enrollment WHERE ident = ? AND %SCOPE device_id%", 0};
/* Some at a time, so that nobody waits long for a row. What failed again since is another matter.
 */
static const struct sql RETRY = {
    "wanted_retry",
    "UPDATE device_item d JOIN (SELECT f.enrollment_id FROM device_item f FORCE INDEX (of_state) "
    "STRAIGHT_JOIN enrollment e ON e.id = f.enrollment_id WHERE f.item_id = ? AND f.state IN (4, "
    "5) AND (? IS NULL OR e.ident = ?) AND f.changed_at <= ? AND %SCOPE e.device_id% LIMIT ?) AS "
    "some ON "
    "some.enrollment_id = d.enrollment_id SET d.state = 1, d.attempts = 0, d.due_at = ?, "
    "d.changed_at = ?, d.reason = '' WHERE d.item_id = ? AND d.state IN (4, 5)",
    0};
#define NEAR 1500
static const struct sql NAME = {"wanted_item", "SELECT identifier FROM library_item WHERE id = ?",
                                0};

static enum outcome rows_read(const struct rows *r, struct arena *a, struct wanted_row **out,
                              size_t *n, struct err *err)
{
    *out = arena_array(a, r->n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r->n; ++*n) {
        const struct val *v = row_at(r, *n, 0);

        (*out)[*n] = (struct wanted_row){.item_id = v[0].i,
                                         .enrollment_id = v[1].i,
                                         .ident = v[2].s,
                                         .serial = val_text(&v[3]),
                                         .device_name = val_text(&v[4]),
                                         .kind = (int)v[5].i,
                                         .identifier = v[6].s,
                                         .name = v[7].s,
                                         .wanted = v[8].i != 0,
                                         .version = (int)v[9].i,
                                         .installed_version = (int)v[10].i,
                                         .state = (int)v[11].i,
                                         .attempts = (int)v[12].i,
                                         .due_at = v[13].i,
                                         .changed_at = v[14].i,
                                         .installed_at = val_or_0(&v[15]),
                                         .reason = v[16].s,
                                         .command_uuid = val_text(&v[17]),
                                         .device_ident = v[18].s,
                                         .user = val_text(&v[19]),
                                         .user_name = val_text(&v[20])};
    }
    return OK;
}

static bool by_item(const struct wanted_row *x, const struct wanted_row *y)
{
    int c = strcmp(x->name, y->name);

    return c != 0                     ? c < 0
           : x->item_id != y->item_id ? x->item_id < y->item_id
                                      : x->enrollment_id <= y->enrollment_id;
}

static bool by_channel(const struct wanted_row *x, const struct wanted_row *y)
{
    return x->enrollment_id <= y->enrollment_id;
}

/* Two lists in the same order as one, of at most max. */
static enum outcome merged(struct wanted_row *x, size_t nx, const struct wanted_row *y, size_t ny,
                           bool (*before)(const struct wanted_row *, const struct wanted_row *),
                           size_t max, struct arena *a, struct wanted_row **out, size_t *n,
                           struct err *err)
{
    struct wanted_row *all = ny > 0 ? arena_array(a, nx + ny, sizeof *all) : x;

    if (all == NULL)
        return err_set(err, ERROR, "out of memory");
    *n = ny > 0 ? 0 : nx;
    for (size_t i = 0, k = 0; ny > 0 && *n < max && i + k < nx + ny; ++*n)
        all[*n] = k == ny || (i < nx && before(&x[i], &y[k])) ? x[i++] : y[k++];
    *out = all;
    return OK;
}

/* Where a page begins: at the states; at the devices that the caller reaches; or at what is near in
 * the order, of which those are taken that the caller reaches. */
enum begin { BEGIN_STATES, BEGIN_SCOPE, BEGIN_NEAR };

/* "(SELECT ...)", the channels that have the item in a state, in the order of the index. */
static void in_state_say(struct making *m, int64_t item_id, int state, int64_t after, size_t max)
{
    making_say(m,
               "(SELECT d.enrollment_id AS id FROM device_item d FORCE INDEX (of_state) WHERE "
               "d.item_id = ? ",
               val_int(item_id));
    making_say(m, "AND d.state = ? ", val_int(state));
    buf_str(&m->sql, state == WANTED_REMOVED ? "AND " NO_WAIT : "");
    making_say(m, "AND d.enrollment_id > ? ORDER BY d.enrollment_id ", val_int(after));
    making_say(m, "LIMIT ?)", val_int((int64_t)max));
}

/* "SELECT ...", the channels among which the page is. */
static void page_say(struct making *m, enum begin begin, int64_t item_id, int state, int64_t after,
                     size_t max)
{
    const int first = state != 0 ? state : WANTED_PENDING;
    const int last = state != 0 ? state : WANTED__MAX - 1;

    if (begin == BEGIN_SCOPE) {
        buf_str(&m->sql,
                "SELECT c.id FROM (" SCOPE_DEVICES ") AS s STRAIGHT_JOIN enrollment c FORCE "
                "INDEX (device) ON c.device_id = s.id");
    } else if (begin == BEGIN_NEAR && state == 0) {
        making_say(m, "SELECT id FROM enrollment FORCE INDEX (PRIMARY) WHERE id > ? ORDER BY id ",
                   val_int(after));
        making_say(m, "LIMIT ?", val_int(NEAR));
    } else {
        for (int s = first; s <= last; s++) {
            buf_str(&m->sql, s != first ? " UNION ALL " : "");
            in_state_say(m, item_id, s, after, begin == BEGIN_NEAR ? NEAR : max);
        }
    }
}

/* "d.item_id = ? ...", what is asked for of the channels of page_say(). */
static void asked_say(struct making *m, int64_t item_id, int state, int64_t after)
{
    making_say(m, "d.item_id = ? ", val_int(item_id));
    if (state != 0)
        making_say(m, "AND d.state = ? ", val_int(state));
    making_say(m, "AND d.enrollment_id > ? AND " NO_WAIT, val_int(after));
}

static enum outcome page_find(struct db *db, enum begin begin, int64_t item_id, int state,
                              int64_t after, size_t max, struct arena *a, struct rows *r,
                              struct err *err)
{
    struct making m = MAKING_INIT;

    buf_str(&m.sql, COLUMNS "JOIN (");
    if (begin == BEGIN_SCOPE) /* no more is read of these than of a page */
        buf_str(&m.sql, "SELECT d.enrollment_id AS id FROM (");
    page_say(&m, begin, item_id, state, after, max);
    if (begin == BEGIN_SCOPE) {
        buf_str(&m.sql, ") AS own STRAIGHT_JOIN device_item d FORCE INDEX (PRIMARY) ON "
                        "d.enrollment_id = own.id WHERE ");
        asked_say(&m, item_id, state, after);
        making_say(&m, "ORDER BY d.enrollment_id LIMIT ?", val_int((int64_t)max));
    }
    buf_str(&m.sql, ") AS page ON page.id = d.enrollment_id WHERE %SCOPE e.device_id% AND ");
    asked_say(&m, item_id, state, after);
    making_say(&m, "ORDER BY d.enrollment_id LIMIT ?", val_int((int64_t)max));
    return making_run(db, &m, "wanted_of_item", a, r, err);
}

enum outcome wanted_of_item(struct db *db, int64_t item_id, int state, int64_t after, size_t max,
                            struct arena *a, struct wanted_row **out, size_t *n, struct err *err)
{
    struct wanted_row *rows = NULL, *waits = NULL;
    size_t limit = max < LIM_PAGE ? max : LIM_PAGE, nrows = 0, nwaits = 0;
    int64_t first = 0, last;
    struct rows r;
    bool few;
    enum outcome o = db_scope_few(db, &few, err);
    enum begin begin = !db_scoped(db) ? BEGIN_STATES : few ? BEGIN_SCOPE : BEGIN_NEAR;

    *n = 0;
    if (o == OK && begin == BEGIN_NEAR) /* a user's channel is younger than its device's */
        o = scope_range(db, a, &first, &last, err);
    if (o == OK)
        o = page_find(db, begin, item_id, state, after >= first ? after : first - 1, limit, a, &r,
                      err);
    if (o == OK && begin == BEGIN_NEAR && r.n < limit)
        o = page_find(db, BEGIN_SCOPE, item_id, state, after, limit, a, &r, err);
    if (o == OK)
        o = rows_read(&r, a, &rows, &nrows, err);
    if (o == OK && (state == 0 || state == WANTED_PENDING))
        o = wanted_waits(db, NULL, item_id, after, limit, a, &waits, &nwaits, err);
    return o == OK ? merged(rows, nrows, waits, nwaits, by_channel, limit, a, out, n, err) : o;
}

enum outcome wanted_of_device(struct db *db, const char *ident, struct arena *a,
                              struct wanted_row **out, size_t *n, struct err *err)
{
    struct wanted_row *rows = NULL, *waits = NULL;
    size_t nrows = 0, nwaits = 0;
    struct rows r;
    enum outcome o = db_select(db, &EXISTS, (struct val[]){val_str(ident)}, 1, a, &r, err);

    *n = 0;
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no enrollment %s", ident);
    if (o == OK)
        o = db_select(db, &OF_DEVICE,
                      (struct val[]){val_str(ident), val_str(ident), val_int(LIM_PAGE)}, 3, a, &r,
                      err);
    if (o == OK)
        o = rows_read(&r, a, &rows, &nrows, err);
    if (o == OK)
        o = wanted_waits(db, ident, 0, 0, LIM_PAGE, a, &waits, &nwaits, err);
    return o == OK ? merged(rows, nrows, waits, nwaits, by_item, LIM_PAGE, a, out, n, err) : o;
}

/* ---- roll-outs ---- */

/* Looked up in the index "item", by a LIMIT: the optimizer collects what stands in EXISTS of all
 * items and devices first. */
#define HAS_ONE(more)                                                                              \
    "(SELECT 1 FROM device_item d FORCE INDEX (item) WHERE d.item_id = i.id AND d.wanted = 1 AND " \
    "d.version = i.version" more " LIMIT 1)"
/* 2: some are not there yet; 1: those that are not have failed. */
#define UNDER_WAY                                                                                  \
    "IF(COALESCE(" HAS_ONE(" AND d.state = 1") ", " HAS_ONE(" AND d.state = 2") ", " HAS_ONE(      \
        " AND d.state = 7") ", 0), 2, COALESCE(" HAS_ONE(" AND d.state = 4") ", 0))"
static const struct sql ROLLOUTS = {
    "rollout_list",
    "SELECT i.id, i.kind, i.identifier, i.name, i.version, i.wave_first, i.halt_percent, "
    "IF(%OWN 0%, COALESCE(r.released, 0), 0), r.halted_at, IF(%OWN 0%, r.halted_why, ''), "
    "i.changed_at, " UNDER_WAY
    " AS under_way FROM library_item i LEFT JOIN rollout r ON r.item_id = i.id AND r.version = "
    "i.version WHERE i.deleted_at = 0 AND (? = 0 OR i.id = ?) AND " HAS_ONE(
        "") " IS NOT NULL ORDER BY r.halted_at IS NULL, under_way = 0, i.changed_at DESC LIMIT ?",
    0};
/* Of one item: with a value for each part of the index the server begins at the first device that
 * the caller reaches; where they come from another table it reads all that stand before it. */
#define OWN_ONE(state)                                                                             \
    "(SELECT 1 FROM device_item d FORCE INDEX (item) WHERE d.item_id = ? AND d.wanted = 1 AND "    \
    "d.version = ? AND d.state = " #state                                                          \
    " AND d.enrollment_id BETWEEN ? AND ? AND %EACH d.enrollment_id% LIMIT 1)"
#define OWN_OPEN OWN_ONE(1) ", " OWN_ONE(2) ", " OWN_ONE(7)
#define OWN_CLOSED OWN_ONE(3) ", " OWN_ONE(5) ", " OWN_ONE(6)
static const struct sql OWN_UNDER_WAY = {
    "rollout_own",
    "SELECT CASE WHEN COALESCE(" OWN_OPEN
    ") THEN 2 WHEN " OWN_ONE(4) " THEN 1 WHEN COALESCE(" OWN_CLOSED ") THEN 0 END",
    0};

const char *rollout_state(const struct rollout_row *r)
{
    return r->halted_at != 0 ? "halted"
           : r->open         ? "running"
           : r->under_way    ? "failed"
                             : "finished";
}

static void rollout_from_row(const struct val *v, struct rollout_row *x)
{
    *x = (struct rollout_row){.item_id = v[0].i,
                              .kind = (int)v[1].i,
                              .identifier = v[2].s,
                              .name = v[3].s,
                              .version = (int)v[4].i,
                              .wave_first = (int)v[5].i,
                              .halt_percent = (int)v[6].i,
                              .released = v[7].i,
                              .halted_at = val_or_0(&v[8]),
                              .halted_why = val_text(&v[9]),
                              .changed_at = v[10].i,
                              .under_way = v[11].i != 0,
                              .open = v[11].i == 2};
}

static enum outcome count_one(struct db *db, struct rollout_row *x, int64_t *room, struct arena *a,
                              struct err *err)
{
    bool all;
    enum outcome o = item_count_within(db, x->item_id, x->version, room, a, x->counts, &all, err);

    x->uncounted = o == OK && !all;
    return o;
}

static bool still_open(const int64_t counts[WANTED__MAX])
{
    return counts[WANTED_PENDING] + counts[WANTED_QUEUED] + counts[WANTED_INSTALLING] > 0;
}

/* What the agent has counted counts, but where all devices have come to their end since. A list
 * counts versions that are newer than that itself as long as they are small together, the others
 * stand without numbers until the agent has been there; for who is limited to many devices it does
 * not count. */
static enum outcome rollout_counts(struct db *db, struct rollout_row *x, size_t n, bool alone,
                                   struct arena *a, struct err *err)
{
    struct item_count *c = arena_array(a, n + 1, sizeof *c);
    int64_t *ids = arena_array(a, n + 1, sizeof *ids);
    int64_t room = ITEM_COUNT_NOW;
    bool few, many;
    enum outcome o = db_scope_few(db, &few, err);

    many = !alone && db_scoped(db) && !few;
    if (o == OK && (c == NULL || ids == NULL))
        o = err_set(err, ERROR, "out of memory");
    for (size_t i = 0; o == OK && i < n; i++)
        ids[i] = x[i].item_id;
    if (o == OK && !alone)
        o = item_counts(db, ids, n, a, c, err);
    for (size_t i = 0; o == OK && i < n; i++)
        if (!alone && c[i].counted_at != 0 && c[i].version == x[i].version &&
            (x[i].open || !still_open(c[i].of_version)))
            memcpy(x[i].counts, c[i].of_version, sizeof x[i].counts);
        else if (many)
            x[i].uncounted = true;
        else if (alone)
            o = item_count_states(db, ids[i], x[i].version, a, x[i].counts, err);
        else if (x[i].under_way || x[i].halted_at != 0)
            o = count_one(db, &x[i], &room, a, err);
    return o;
}

/* How far the devices of a limited caller are with it; *some: there are any. */
static enum outcome rollout_own(struct db *db, struct rollout_row *x, int64_t first, int64_t last,
                                struct arena *a, bool *some, struct err *err)
{
    struct val args[4 * (WANTED__MAX - WANTED_PENDING)];
    size_t n = 0;
    struct rows r;
    enum outcome o;

    while (n < sizeof args / sizeof *args) {
        args[n++] = val_int(x->item_id);
        args[n++] = val_int(x->version);
        args[n++] = val_int(first);
        args[n++] = val_int(last);
    }
    o = db_select(db, &OWN_UNDER_WAY, args, n, a, &r, err);
    *some = o == OK && !val_is_null(row_at(&r, 0, 0));
    x->under_way = *some && row_at(&r, 0, 0)->i != 0;
    x->open = *some && row_at(&r, 0, 0)->i == 2;
    return o;
}

/* As ROLLOUTS has them. */
static int rollout_order(const void *a, const void *b)
{
    const struct rollout_row *x = a, *y = b;

    if ((x->halted_at == 0) != (y->halted_at == 0))
        return x->halted_at == 0 ? 1 : -1;
    if (x->under_way != y->under_way)
        return x->under_way ? -1 : 1;
    return x->changed_at != y->changed_at ? (x->changed_at < y->changed_at ? 1 : -1)
                                          : (x->item_id > y->item_id) - (x->item_id < y->item_id);
}

enum outcome rollout_list(struct db *db, int64_t item_id, size_t max, struct arena *a,
                          struct rollout_row **out, size_t *n, struct err *err)
{
    size_t limit = max < LIM_PAGE ? max : LIM_PAGE;
    int64_t first, last;
    struct rows r;
    enum outcome o = scope_range(db, a, &first, &last, err);

    if (o == OK)
        o = db_select(db, &ROLLOUTS,
                      (struct val[]){val_int(item_id), val_int(item_id),
                                     val_int(db_scoped(db) ? LIM_PAGE : (int64_t)limit)},
                      3, a, &r, err);
    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; o == OK && i < r.n; i++) {
        bool some = true;

        rollout_from_row(row_at(&r, i, 0), &(*out)[*n]);
        if (db_scoped(db))
            o = rollout_own(db, &(*out)[*n], first, last, a, &some, err);
        *n += some;
    }
    if (o != OK)
        return o;
    if (db_scoped(db))
        qsort(*out, *n, sizeof **out, rollout_order);
    *n = *n < limit ? *n : limit;
    return rollout_counts(db, *out, *n, item_id != 0, a, err);
}

enum outcome wanted_retry_some(struct db *db, int64_t item_id, int64_t until, size_t max,
                               int64_t now, uint64_t *n, struct err *err)
{
    struct val at = val_int(now), id = val_int(item_id);

    return db_exec(db, &RETRY,
                   (struct val[]){id, val_null(), val_null(), val_int(until), val_int((int64_t)max),
                                  at, at, id},
                   8, n, err);
}

struct retry {
    int64_t item_id, now;
    const char *ident, *actor;
    uint64_t n;
    struct arena *a;
};

static enum outcome retry_unit(struct db *db, void *arg, struct err *err)
{
    struct retry *x = arg;
    struct val now = val_int(x->now), id = val_int(x->item_id), ident = val_str(x->ident);
    struct rows r;
    enum outcome o = db_exec(
        db, &RETRY,
        (struct val[]){id, ident, ident, val_int(INT64_MAX), val_int(LIM_PAGE), now, now, id}, 8,
        &x->n, err);

    if (o != OK)
        return o;
    arena_reset(x->a);
    o = db_select(db, &NAME, &id, 1, x->a, &r, err);
    return o == OK && r.n > 0
               ? audit_add(db, x->actor, "library.retry", row_at(&r, 0, 0)->s, x->ident, err)
               : o;
}

enum outcome wanted_retry(struct db *db, int64_t item_id, const char *ident, const char *actor,
                          int64_t now, uint64_t *n, struct err *err)
{
    struct retry x = {.item_id = item_id, .now = now, .ident = ident, .actor = actor};
    enum outcome o;

    x.a = arena_new(LIM_MB);
    o = x.a != NULL ? db_unit(db, retry_unit, &x, err) : err_set(err, ERROR, "out of memory");
    *n = o == OK ? x.n : 0;
    arena_free(&x.a);
    return o;
}
