/* wanted_apps.c: apps on their way, and what is done about those that are there: see wanted.h. */
#include "store/wanted.h"

#include "base/clock.h"
#include "base/limits.h"

#define CHUNK 512
#define HAS_UPDATE "64" /* HasUpdateAvailable in inv_app.flags */

static const struct sql APPS = {
    "wanted_apps",
    "SELECT d.enrollment_id, d.item_id, d.wanted, d.version, d.attempts, e.ident, i.identifier, "
    "m.status, a.reported_at, d.changed_at FROM device_item d JOIN enrollment e ON e.id = "
    "d.enrollment_id JOIN library_item i ON i.id = d.item_id LEFT JOIN inv_managed_app m ON "
    "m.enrollment_id = d.enrollment_id AND m.identifier = i.identifier LEFT JOIN inv_area a ON "
    "a.enrollment_id = d.enrollment_id AND a.area = 8 WHERE d.state = 7 AND d.due_at <= ? "
    "ORDER BY d.due_at LIMIT ?",
    0};
#define PENDING_COLUMNS "SELECT d.enrollment_id, d.item_id FROM library_item i JOIN device_item d "
/* An item whose settings never changed has nothing to tell: it costs no look at its devices. */
static const struct sql SETTINGS = {
    "wanted_settings",
    PENDING_COLUMNS
    "ON d.item_id = i.id AND d.wanted = 1 AND d.version = i.version AND d.state IN (3, 4) WHERE "
    "i.kind = 3 AND i.deleted_at = 0 AND i.settings_rev > 1 AND IF(d.state = 3, d.settings_rev, "
    "d.asked_rev) < i.settings_rev LIMIT ?",
    0};
static const struct sql UPDATES = {
    "wanted_updates",
    PENDING_COLUMNS
    "ON d.item_id = i.id AND d.wanted = 1 AND d.version = i.version AND d.state = 3 JOIN inv_area "
    "a ON a.enrollment_id = d.enrollment_id AND a.area = 7 AND a.reported_at > d.installed_at JOIN "
    "software s ON s.identifier = i.identifier JOIN inv_app p ON p.enrollment_id = d.enrollment_id "
    "AND p.software_id = s.id AND p.flags & " HAS_UPDATE " WHERE i.kind = 3 AND i.deleted_at = 0 "
    "AND i.update_hours > 0 LIMIT ?",
    0};
static const struct sql AGAIN = {
    "wanted_again",
    "UPDATE device_item SET state = 1, attempts = 0, due_at = ?, reason = ?, changed_at = ? WHERE "
    "enrollment_id = ? AND item_id = ? AND wanted = 1 AND state IN (3, 4)",
    0};
#define ASK_SQL(name, column, hours)                                                               \
    {                                                                                              \
        name,                                                                                      \
            "SELECT d.enrollment_id, d.item_id, e.ident, i.identifier, i.feedback_delete FROM "    \
            "library_item i JOIN device_item d ON d.item_id = i.id AND d.wanted = 1 AND "          \
            "d.version = i.version AND d.state = 3 JOIN enrollment e ON e.id = d.enrollment_id "   \
            "AND e.state = 2 WHERE i.kind = 3 AND i.deleted_at = 0 AND i." hours " > 0 AND "       \
            "COALESCE(d." column ", 0) <= ? - i." hours " * 3600000000 ORDER BY d.item_id, "       \
            "d.enrollment_id LIMIT ?",                                                             \
            0                                                                                      \
    }
static const struct sql ASKS[] = {
    [WANTED_ASK_FEEDBACK] = ASK_SQL("wanted_ask_feedback", "feedback_at", "feedback_hours"),
    [WANTED_ASK_UPDATE] = ASK_SQL("wanted_ask_update", "update_at", "update_hours")};
static const struct sql ASKED[] = {
    [WANTED_ASK_FEEDBACK] = {"wanted_asked_feedback",
                             "UPDATE device_item SET feedback_at = ? WHERE item_id = ? AND "
                             "enrollment_id IN (%IN%)",
                             1},
    [WANTED_ASK_UPDATE] = {"wanted_asked_update",
                           "UPDATE device_item SET update_at = ? WHERE item_id = ? AND "
                           "enrollment_id IN (%IN%)",
                           1}};

enum outcome wanted_apps(struct db *db, int64_t now, size_t max, struct arena *a,
                         struct wanted_app **out, size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &APPS, (struct val[]){val_int(now), val_int((int64_t)max)}, 2, a, &r, err);

    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n) {
        const struct val *v = row_at(&r, *n, 0);

        (*out)[*n] = (struct wanted_app){.due = {.enrollment_id = v[0].i,
                                                 .item_id = v[1].i,
                                                 .wanted = v[2].i != 0,
                                                 .version = (int)v[3].i,
                                                 .attempts = (int)v[4].i,
                                                 .state = WANTED_INSTALLING,
                                                 .ident = v[5].s,
                                                 .identifier = v[6].s},
                                         .status = val_text(&v[7]),
                                         .told_at = val_or_0(&v[8]),
                                         .since = v[9].i};
    }
    return OK;
}

/* What `find` finds is to be done again. */
static enum outcome again(struct db *db, const struct sql *find, const char *reason, int64_t now,
                          size_t max, size_t *n, struct err *err)
{
    struct arena *a = arena_new(8 * LIM_MB);
    struct val *args, at = val_int(now);
    struct rows r = {0};
    enum outcome o = a != NULL
                         ? db_select(db, find, (struct val[]){val_int((int64_t)max)}, 1, a, &r, err)
                         : err_set(err, ERROR, "out of memory");

    *n = 0;
    args = o == OK ? arena_array(a, r.n * 5 + 1, sizeof *args) : NULL;
    if (o == OK && args == NULL)
        o = err_set(err, ERROR, "out of memory");
    for (size_t i = 0; o == OK && i < r.n; i++)
        memcpy(&args[i * 5],
               (struct val[]){at, val_str(reason), at, *row_at(&r, i, 0), *row_at(&r, i, 1)},
               5 * sizeof *args);
    if (o == OK)
        o = db_exec_many(db, &AGAIN, args, 5, r.n, NULL, err);
    if (o == OK)
        *n = r.n;
    arena_free(&a);
    return o;
}

enum outcome wanted_settings(struct db *db, int64_t now, size_t max, size_t *n, struct err *err)
{
    return again(db, &SETTINGS, "its settings have changed", now, max, n, err);
}

enum outcome wanted_updates(struct db *db, int64_t now, size_t max, size_t *n, struct err *err)
{
    return again(db, &UPDATES, "the store has an update", now, max, n, err);
}

enum outcome wanted_asks(struct db *db, enum wanted_question q, int64_t now, size_t max,
                         struct arena *a, struct wanted_ask **out, size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &ASKS[q], (struct val[]){val_int(now), val_int((int64_t)max)}, 2, a, &r, err);

    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n) {
        const struct val *v = row_at(&r, *n, 0);

        (*out)[*n] = (struct wanted_ask){v[0].i, v[1].i, v[2].s, v[3].s, v[4].i != 0};
    }
    return OK;
}

enum outcome wanted_asked(struct db *db, enum wanted_question q, const struct wanted_ask *list,
                          size_t n, int64_t now, struct arena *a, struct err *err)
{
    struct val ids[CHUNK];
    enum outcome o = OK;

    for (size_t from = 0, k; o == OK && from < n; from += k) {
        k = n - from < CHUNK ? n - from : CHUNK;
        for (size_t i = 0; i < k; i++)
            ids[i] = val_int(list[from + i].enrollment_id);
        o = db_exec_in(db, &ASKED[q], (struct val[]){val_int(now), val_int(list[0].item_id)}, 2,
                       ids, k, a, NULL, err);
    }
    return o;
}
