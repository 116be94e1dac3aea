/* activity.c: see activity.h. */
#include "store/activity.h"

#include "base/clock.h"

#include <stdatomic.h>
#include <stdlib.h>

/* Index ranges all of them, and no row is read. A device that is seen again in the next hour is not
 * found in this one any more: the largest number counts. */
static const struct sql NOTE = {
    "activity_note",
    "INSERT INTO activity (hour, seen, answered, failed, enrolled) SELECT ?, "
    "(SELECT COUNT(*) FROM enrollment WHERE last_seen_at >= ? AND last_seen_at < ?), r.n, "
    "r.bad, "
    "(SELECT COUNT(*) FROM enrollment WHERE enrolled_at >= ? AND enrolled_at < ? AND kind IN (1, "
    "4)) FROM (SELECT COUNT(*) AS n, COALESCE(SUM(digest = 3), 0) AS bad FROM result FORCE "
    "INDEX (digest) WHERE digest IN (0, 1, 2, 3) AND closed_at >= ? AND closed_at < ?) AS r "
    "ON DUPLICATE KEY UPDATE seen = GREATEST(seen, VALUES(seen)), answered = "
    "GREATEST(answered, VALUES(answered)), failed = GREATEST(failed, VALUES(failed)), enrolled = "
    "GREATEST(enrolled, VALUES(enrolled))",
    0};
static const struct sql LIST = {"activity_list",
                                "SELECT hour, seen, answered, failed, enrolled, polls FROM "
                                "activity WHERE hour > ? AND hour <= ?",
                                0};
/* Of the devices of a scope: what the tables say of them. */
static const struct sql OWN_RESULTS = {
    "activity_own_results",
    "SELECT r.closed_at - r.closed_at % 3600000000 AS h, COUNT(*), SUM(r.digest = 3) FROM result r "
    "JOIN enrollment e ON e.id = r.enrollment_id WHERE %SCOPE e.device_id% AND r.digest IN (0, 1, "
    "2, 3) AND r.closed_at >= ? AND r.closed_at < ? GROUP BY h",
    0};
static const struct sql OWN_ENROLLED = {
    "activity_own_enrolled",
    "SELECT e.enrolled_at - e.enrolled_at % 3600000000 AS h, COUNT(*) FROM enrollment e WHERE "
    "%SCOPE e.device_id% AND e.kind IN (1, 4) AND e.enrolled_at >= ? AND e.enrolled_at < ? GROUP "
    "BY h",
    0};

static const struct sql POLLS = {"activity_polls",
                                 "INSERT INTO activity (hour, polls) VALUES (?,?) ON DUPLICATE KEY "
                                 "UPDATE polls = polls + VALUES(polls)",
                                 0};

static _Atomic int64_t polled;

static int64_t hour_of(int64_t us)
{
    return us - us % HOUR_US;
}

void activity_polled(void)
{
    atomic_fetch_add_explicit(&polled, 1, memory_order_relaxed);
}

enum outcome activity_flush(struct db *db, int64_t now, bool at_once, struct err *err)
{
    static _Atomic int64_t flushed_at;
    int64_t n;
    enum outcome o;
    if (!at_once && now - atomic_load(&flushed_at) < MINUTE_US)
        return OK;
    atomic_store(&flushed_at, now);
    n = atomic_exchange(&polled, 0);
    if (n == 0)
        return OK;
    o = db_exec(db, &POLLS, (struct val[]){val_int(hour_of(now)), val_int(n)}, 2, NULL, err);
    if (o != OK)
        atomic_fetch_add(&polled, n); /* counted next time */
    return o;
}

enum outcome activity_note(struct db *db, int64_t now, struct err *err)
{
    enum outcome o = OK;
    for (int64_t h = hour_of(now) - HOUR_US; o == OK && h <= now; h += HOUR_US) {
        struct val args[7] = {val_int(h)};
        for (size_t i = 1; i < 7; i++)
            args[i] = val_int(i % 2 ? h : h + HOUR_US);
        o = db_exec(db, &NOTE, args, 7, NULL, err);
    }
    return o;
}

/* A SUM() is a decimal, which comes as text. */
static int64_t number_of(const struct val *v)
{
    return v->type == VAL_INT ? v->i : val_is_null(v) ? 0 : strtoll(v->s, NULL, 10);
}

static enum outcome own_list(struct db *db, int64_t first, struct activity *out, size_t n,
                             struct arena *a, struct err *err)
{
    struct val args[] = {val_int(first), val_int(first + (int64_t)n * HOUR_US)};
    struct rows r, e;
    enum outcome o = db_select(db, &OWN_RESULTS, args, 2, a, &r, err);
    if (o == OK)
        o = db_select(db, &OWN_ENROLLED, args, 2, a, &e, err);
    for (size_t i = 0; o == OK && i < r.n; i++) {
        struct activity *x = &out[(number_of(row_at(&r, i, 0)) - first) / HOUR_US];
        x->answered = row_at(&r, i, 1)->i;
        x->failed = number_of(row_at(&r, i, 2));
    }
    for (size_t i = 0; o == OK && i < e.n; i++)
        out[(number_of(row_at(&e, i, 0)) - first) / HOUR_US].enrolled = row_at(&e, i, 1)->i;
    return o;
}

enum outcome activity_list(struct db *db, int64_t now, struct activity *out, size_t n,
                           struct arena *a, struct err *err)
{
    int64_t last = hour_of(now), first = last - (int64_t)(n - 1) * HOUR_US;
    struct rows r;
    for (size_t i = 0; i < n; i++)
        out[i] = (struct activity){.hour = first + (int64_t)i * HOUR_US};
    if (db_scoped(db))
        return own_list(db, first, out, n, a, err);
    enum outcome o =
        db_select(db, &LIST, (struct val[]){val_int(first - 1), val_int(last)}, 2, a, &r, err);
    for (size_t i = 0; o == OK && i < r.n; i++) {
        const struct val *v = row_at(&r, i, 0);
        size_t at = (size_t)((v[0].i - first) / HOUR_US);
        if (at < n)
            out[at] = (struct activity){v[0].i, v[1].i, v[2].i, v[3].i, v[4].i, v[5].i};
    }
    return o;
}
