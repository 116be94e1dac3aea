/* wanted_follow.c: what became of commands, what the inventory says, who has just enrolled: see
 * wanted.h. */
#include "store/wanted.h"

#include "base/clock.h"
#include "base/limits.h"

#define CHUNK 512
#define REASON_CHARS 400
#define DRIFT_US (5 * MINUTE_US) /* doubled with each time */
#define DRIFT_MAX_US DAY_US

#define CLOSED_COLUMNS                                                                             \
    "d.enrollment_id, d.item_id, d.command_id, d.wanted, d.version, d.attempts, i.kind, "          \
    "i.identifier, r.state, r.closed_why, IF(r.state IN (5, 6) OR c.request_type = 'Settings' OR " \
    "(i.kind = 3 AND i.identifier REGEXP '^[0-9]+$'), r.report, NULL), "                           \
    "p.identifier IS NOT NULL, i.settings, c.request_type, d.installed_version = d.version, "      \
    "IF(i.kind = 3, COALESCE(v.product_name, e.product_name), NULL) "
#define CLOSED_JOINS                                                                               \
    "JOIN library_item i ON i.id = d.item_id LEFT JOIN command c ON c.id = d.command_id "          \
    "LEFT JOIN inv_profile p ON p.enrollment_id = "                                                \
    "d.enrollment_id AND p.identifier = i.identifier LEFT JOIN enrollment e ON e.id = "            \
    "d.enrollment_id LEFT JOIN inv_device v ON v.enrollment_id = d.enrollment_id "
#define CLOSED_OPEN 16 /* the column after them */
static const struct sql CLOSED = {
    "wanted_closed",
    "SELECT " CLOSED_COLUMNS "FROM result r FORCE INDEX (digest) JOIN device_item d ON "
    "d.enrollment_id = r.enrollment_id AND d.command_id = r.command_id AND d.state = "
    "2 " CLOSED_JOINS "WHERE r.digest IN (0, 1, 2, 3) AND r.closed_at >= ? LIMIT ?",
    0};
static const struct sql OVERDUE = {
    "wanted_overdue",
    "SELECT " CLOSED_COLUMNS ", q.command_id IS NOT NULL FROM device_item d FORCE INDEX (due) "
    "LEFT JOIN result r ON r.enrollment_id = d.enrollment_id AND r.command_id = d.command_id "
    "LEFT JOIN queue q ON q.enrollment_id = d.enrollment_id AND q.command_id = "
    "d.command_id " CLOSED_JOINS "WHERE d.state = 2 AND d.due_at <= ? ORDER BY d.due_at LIMIT ?",
    0};
static const struct sql LATER = {
    "wanted_later",
    "UPDATE device_item SET due_at = ? WHERE state = 2 AND (enrollment_id, item_id) IN (%IN%)", 2};
/* The order matters: installed_version is made of the others as they were. */
static const struct sql SETTLE = {
    "wanted_settle",
    "UPDATE device_item SET installed_version = IF(? = 3, version, IF(? = 6, 0, "
    "installed_version)), installed_at = IF(? = 3, ?, installed_at), attempts = IF(? = 1, "
    "GREATEST(attempts - 1, 0), attempts), settings_rev = IF(? IN (3, 7), asked_rev, "
    "settings_rev), state = ?, due_at = ?, reason = ?, changed_at = ? "
    "WHERE enrollment_id = ? AND item_id = ? AND state = 2 AND command_id = ?",
    0};
#define SETTLE_ARGS 13
/* What waits for an item on the devices of those channels. It is found first: an update that joined
 * enrollments would lock them, and devices write them all the time. */
static const struct sql WAITING = {
    "wanted_waiting",
    "SELECT d.enrollment_id, d.item_id FROM enrollment o JOIN enrollment e ON e.device_id = "
    "o.device_id JOIN device_item d ON d.enrollment_id = e.id AND d.state = 1 JOIN library_item i "
    "ON i.id = d.item_id AND i.after_id = ? WHERE o.id IN (%IN%)",
    1};
static const struct sql WAKE = {
    "wanted_wake",
    "UPDATE device_item SET due_at = ? WHERE state = 1 AND (enrollment_id, item_id) IN (%IN%)", 2};
static const struct sql DRIFTED = {
    "wanted_drifted",
    "SELECT d.enrollment_id, d.item_id, d.attempts, d.installed_at FROM library_item i JOIN "
    "device_item d ON d.item_id = i.id AND d.wanted = 1 AND d.version = i.version AND d.state = 3 "
    "JOIN inv_area a ON a.enrollment_id = d.enrollment_id AND a.area = 4 AND a.reported_at > "
    "d.installed_at LEFT JOIN inv_profile p ON p.enrollment_id = d.enrollment_id AND p.identifier "
    "= i.identifier WHERE i.kind = 1 AND i.deleted_at = 0 AND p.identifier IS NULL LIMIT ?",
    0};
static const struct sql DRIFT = {
    "wanted_drift",
    "UPDATE device_item SET state = 1, installed_version = 0, attempts = ?, due_at = ?, reason = "
    "?, "
    "changed_at = ? WHERE enrollment_id = ? AND item_id = ? AND state = 3",
    0};
/* On a Mac an app is managed when it is asked for, elsewhere unless it is declined. */
#define IS_SAID(key) "COALESCE(JSON_VALUE(i.settings, '$." key "'), '0') IN ('1', 'true')"
static const struct sql APPS_DRIFTED = {
    "wanted_apps_drifted",
    "SELECT d.enrollment_id, d.item_id, d.attempts, d.installed_at FROM library_item i JOIN "
    "device_item d ON d.item_id = i.id AND d.wanted = 1 AND d.version = i.version AND d.state = 3 "
    "JOIN inv_area a ON a.enrollment_id = d.enrollment_id AND a.area = 8 AND a.reported_at > "
    "d.installed_at LEFT JOIN inv_managed_app p ON p.enrollment_id = d.enrollment_id AND "
    "p.identifier = i.identifier LEFT JOIN inv_device v ON v.enrollment_id = d.enrollment_id WHERE "
    "i.kind = 3 AND i.deleted_at = 0 AND p.identifier IS NULL AND IF(v.platform = 2, " IS_SAID(
        "InstallAsManaged") ", NOT " IS_SAID("Options.NotManaged") ") LIMIT ?",
    0};
/* An app that we have a version of is on the device, and no copy of it is that new or on its way.
 * Of an uploaded file the build counts too; trailing zeros do not. */
#define V_KEY(x) "NATURAL_SORT_KEY(REGEXP_REPLACE(" x ", '([.]0+)+$', ''))"
#define SHORT "COALESCE(NULLIF(s.short_version, ''), s.version)"
#define BUILD "JSON_VALUE(v.details, '$.build')"
#define IS_OLDER                                                                                   \
    "((p.flags & 2) = 0 AND (" V_KEY(SHORT) " < " V_KEY("v.uuid") " OR (" V_KEY(                   \
        SHORT) " = " V_KEY("v.uuid") " AND s.version <> '' AND " BUILD                             \
                                     " IS NOT NULL AND " V_KEY("s.version") " < " V_KEY(           \
                                         BUILD) ")))"
#define COPIES                                                                                     \
    "(SELECT 1 FROM software s JOIN inv_app p ON p.software_id = s.id AND p.enrollment_id = "      \
    "d.enrollment_id WHERE s.identifier = i.identifier"
static const struct sql APPS_OLD = {
    "wanted_apps_old",
    "SELECT d.enrollment_id, d.item_id, d.attempts, d.installed_at FROM library_item i JOIN "
    "library_version v ON v.item_id = i.id AND v.number = i.version AND v.uuid <> '' JOIN "
    "device_item d ON d.item_id = i.id AND d.wanted = 1 AND d.version = i.version AND d.state = 3 "
    "JOIN inv_area a ON a.enrollment_id = d.enrollment_id AND a.area = 7 AND a.reported_at > "
    "d.installed_at WHERE i.kind = 3 AND i.deleted_at = 0 AND EXISTS " COPIES
    ") AND NOT EXISTS " COPIES " AND NOT " IS_OLDER ") LIMIT ?",
    0};
/* It is there: only what is to be had again is pending. */
static const struct sql RENEW = {
    "wanted_renew",
    "UPDATE device_item SET state = 1, attempts = ?, due_at = ?, reason = ?, changed_at = ? WHERE "
    "enrollment_id = ? AND item_id = ? AND state = 3",
    0};
static const struct sql UNSEEN = {
    "wanted_unseen",
    "SELECT e.id, e.ident FROM enrollment e JOIN enrollment m ON m.id = e.device_id LEFT JOIN life "
    "f ON f.id = m.life_id LEFT JOIN handout h ON h.id = f.handout_id LEFT JOIN inv_area a ON "
    "a.enrollment_id = e.id AND a.area = 4 WHERE e.id > ? AND e.state = 2 AND "
    "COALESCE(a.reported_at, 0) <= ? AND COALESCE(h.access_rights, 1) & 1 AND EXISTS (SELECT 1 "
    "FROM device_item d JOIN library_item i ON i.id = d.item_id AND i.kind = 1 WHERE "
    "d.enrollment_id = e.id AND d.state = 3 AND d.installed_at <= ?) ORDER BY e.id LIMIT ?",
    0};
static const struct sql NEWCOMERS = {
    "newcomer_list",
    "SELECT n.device_id, n.at, e.ident, n.awaiting, n.planned, (SELECT COUNT(*) FROM device_item d "
    "WHERE d.enrollment_id = n.device_id AND d.wanted = 1 AND d.state IN (1, 2, 4, 7)) + (SELECT "
    "COUNT(*) FROM device_order o WHERE o.enrollment_id = n.device_id AND o.state IN (1, 2)), "
    "e.id <> e.device_id FROM newcomer n "
    "JOIN enrollment e ON e.id = n.device_id ORDER BY n.planned, n.at LIMIT ?",
    0};
/* What was noted after it enrolled is about the device as it is now. */
static const struct sql NEWCOMER_RESET = {
    "newcomer_reset",
    "UPDATE device_item d JOIN newcomer n ON n.device_id = d.enrollment_id SET d.installed_version "
    "= 0, d.state = IF(d.wanted = 1, 1, 6), d.attempts = 0, d.due_at = ?, d.reason = '', "
    "d.changed_at = ?, d.command_id = NULL WHERE d.changed_at < n.at AND n.device_id IN (%IN%)",
    1};
/* Whoever has the device now may be somebody else. */
static const struct sql NEWCOMER_OFFERS = {
    "newcomer_offers",
    "DELETE t FROM offer_taken t JOIN newcomer n ON n.device_id = t.enrollment_id WHERE "
    "t.taken_at < n.at AND n.device_id IN (%IN%)",
    1};
static const struct sql NEWCOMER_PLANNED = {
    "newcomer_planned", "UPDATE newcomer SET planned = 1 WHERE device_id IN (%IN%)", 1};
static const struct sql NEWCOMER_DONE = {"newcomer_done",
                                         "DELETE FROM newcomer WHERE device_id IN (%IN%)", 1};

static void closed_from_row(const struct val *v, struct wanted_closed *c)
{
    *c = (struct wanted_closed){.enrollment_id = v[0].i,
                                .item_id = v[1].i,
                                .command_id = v[2].i,
                                .wanted = v[3].i != 0,
                                .version = (int)v[4].i,
                                .attempts = (int)v[5].i,
                                .kind = (int)v[6].i,
                                .identifier = v[7].s,
                                .state = (int)val_or_0(&v[8]),
                                .closed_why = val_text(&v[9]),
                                .report = val_bytes(&v[10]),
                                .listed = v[11].i != 0,
                                .settings = val_text(&v[12]),
                                .request_type = val_text(&v[13]),
                                .there = v[14].i != 0,
                                .product_name = val_text(&v[15])};
}

/* Those that are still open are looked at again later. */
static enum outcome look_later(struct db *db, const struct rows *r, int64_t check_at,
                               struct arena *a, struct err *err)
{
    struct val list[CHUNK * 2], at = val_int(check_at);
    size_t k = 0;
    enum outcome o = OK;

    for (size_t i = 0; o == OK && i <= r->n; i++) {
        if (i < r->n && row_at(r, i, CLOSED_OPEN)->i != 0) {
            list[k * 2] = *row_at(r, i, 0);
            list[k++ * 2 + 1] = *row_at(r, i, 1);
        }
        if (k == 0 || (k < CHUNK && i < r->n))
            continue;
        o = db_exec_in(db, &LATER, &at, 1, list, k, a, NULL, err);
        k = 0;
    }
    return o;
}

enum outcome wanted_closed(struct db *db, int64_t since, int64_t now, int64_t check_at, size_t max,
                           struct arena *a, struct wanted_closed **out, size_t *n, struct err *err)
{
    struct val limit = val_int((int64_t)max);
    struct rows r;
    enum outcome o =
        since != 0 ? db_select(db, &CLOSED, (struct val[]){val_int(since), limit}, 2, a, &r, err)
                   : db_select(db, &OVERDUE, (struct val[]){val_int(now), limit}, 2, a, &r, err);

    *n = 0;
    if (o == OK && since == 0)
        o = look_later(db, &r, check_at, a, err);
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < r.n; i++)
        if (since != 0 || row_at(&r, i, CLOSED_OPEN)->i == 0)
            closed_from_row(row_at(&r, i, 0), &(*out)[(*n)++]);
    return OK;
}

static enum outcome wake_some(struct db *db, int64_t item, const struct val *ids, size_t n,
                              int64_t now, struct arena *a, struct err *err)
{
    struct val list[CHUNK * 2], key = val_int(item), at = val_int(now);
    struct rows r = {0};
    enum outcome o = db_select_in(db, &WAITING, &key, 1, ids, n, NULL, 0, a, &r, err);

    for (size_t from = 0, k; o == OK && from < r.n; from += k) {
        k = r.n - from < CHUNK ? r.n - from : CHUNK;
        for (size_t i = 0; i < k; i++) {
            list[i * 2] = *row_at(&r, from + i, 0);
            list[i * 2 + 1] = *row_at(&r, from + i, 1);
        }
        o = db_exec_in(db, &WAKE, &at, 1, list, k, a, NULL, err);
    }
    return o;
}

static enum outcome wake(struct db *db, const struct wanted_closed *c, size_t n, int64_t now,
                         struct arena *a, struct err *err)
{
    struct val list[CHUNK];
    enum outcome o = OK;
    size_t k = 0;

    for (size_t i = 0; o == OK && i < n; i++) {
        if (c[i].next == WANTED_INSTALLED)
            list[k++] = val_int(c[i].enrollment_id);
        if (k == 0 || (k < CHUNK && i + 1 < n && c[i + 1].item_id == c[i].item_id))
            continue;
        o = wake_some(db, c[i].item_id, list, k, now, a, err);
        k = 0;
    }
    return o;
}

enum outcome wanted_settle(struct db *db, const struct wanted_closed *c, size_t n, int64_t now,
                           struct arena *a, struct err *err)
{
    struct val args[CHUNK * SETTLE_ARGS], at = val_int(now);
    enum outcome o = OK;

    for (size_t from = 0, k; o == OK && from < n; from += k) {
        k = n - from < CHUNK ? n - from : CHUNK;
        for (size_t i = 0; i < k; i++) {
            const struct wanted_closed *x = &c[from + i];
            struct val *v = args + i * SETTLE_ARGS, next = val_int(x->next);

            v[0] = v[1] = v[2] = v[4] = v[5] = v[6] = next;
            v[3] = at;
            v[7] = val_int(x->due_at);
            v[8] = val_cut(x->reason, REASON_CHARS);
            v[9] = at;
            v[10] = val_int(x->enrollment_id);
            v[11] = val_int(x->item_id);
            v[12] = val_int(x->command_id);
        }
        o = db_exec_many(db, &SETTLE, args, SETTLE_ARGS, k, NULL, err);
    }
    return o == OK ? wake(db, c, n, now, a, err) : o;
}

/* What `find` finds, at most max of them, is to be had again: noted by `set`, later each time. */
static enum outcome drift_of(struct db *db, const struct sql *find, const struct sql *set,
                             const char *reason, int64_t now, size_t max, size_t *n,
                             struct err *err)
{
    struct arena *a = arena_new(8 * LIM_MB);
    struct val *args;
    struct rows r = {0};
    enum outcome o = a != NULL
                         ? db_select(db, find, (struct val[]){val_int((int64_t)max)}, 1, a, &r, err)
                         : err_set(err, ERROR, "out of memory");

    *n = 0;
    args = o == OK ? arena_array(a, r.n * 6 + 1, sizeof *args) : NULL;
    if (o == OK && args == NULL)
        o = err_set(err, ERROR, "out of memory");
    for (size_t i = 0; o == OK && i < r.n; i++) {
        const struct val *row = row_at(&r, i, 0);
        int64_t times = val_or_0(&row[3]) < now - DAY_US ? 1 : row[2].i;
        int64_t pause = times < 10 ? DRIFT_US << times : DRIFT_MAX_US;
        struct val *v = args + i * 6;

        v[0] = val_int(times);
        v[1] = val_int(times <= 1 ? now : now + (pause < DRIFT_MAX_US ? pause : DRIFT_MAX_US));
        v[2] = val_str(reason);
        v[3] = val_int(now);
        v[4] = row[0];
        v[5] = row[1];
    }
    if (o == OK)
        o = db_exec_many(db, set, args, 6, r.n, NULL, err);
    if (o == OK)
        *n = r.n;
    arena_free(&a);
    return o;
}

enum outcome wanted_drift(struct db *db, int64_t now, size_t max, size_t *n, struct err *err)
{
    static const char lost[] = "it was not on the device any more";
    static const struct {
        const struct sql *find, *set;
        const char *reason;
    } looks[] = {{&DRIFTED, &DRIFT, lost},
                 {&APPS_DRIFTED, &DRIFT, lost},
                 {&APPS_OLD, &RENEW, "the device has an older build"}};
    enum outcome o = OK;

    *n = 0;
    for (size_t i = 0, k; o == OK && i < sizeof looks / sizeof *looks; i++) {
        o = drift_of(db, looks[i].find, looks[i].set, looks[i].reason, now, max, &k, err);
        *n += k;
    }
    return o;
}

enum outcome wanted_unseen(struct db *db, int64_t before, int64_t after, size_t max,
                           struct arena *a, struct rows *out, struct err *err)
{
    struct val at = val_int(before);

    return db_select(db, &UNSEEN, (struct val[]){val_int(after), at, at, val_int((int64_t)max)}, 4,
                     a, out, err);
}

enum outcome newcomer_list(struct db *db, size_t max, struct arena *a, struct newcomer **out,
                           size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &NEWCOMERS, (struct val[]){val_int((int64_t)max)}, 1, a, &r, err);

    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n) {
        const struct val *v = row_at(&r, *n, 0);

        (*out)[*n] = (struct newcomer){.device_id = v[0].i,
                                       .at = v[1].i,
                                       .ident = v[2].s,
                                       .awaiting = v[3].i != 0,
                                       .planned = v[4].i != 0,
                                       .unsettled = v[5].i,
                                       .user = v[6].i != 0};
    }
    return OK;
}

static enum outcome newcomers_set(struct db *db, const struct sql *sql, const struct val *before,
                                  size_t nbefore, const int64_t *ids, size_t n, struct err *err)
{
    struct arena *a = arena_new(LIM_MB);
    struct val list[CHUNK];
    enum outcome o = a != NULL ? OK : err_set(err, ERROR, "out of memory");

    for (size_t from = 0, k; o == OK && from < n; from += k) {
        k = n - from < CHUNK ? n - from : CHUNK;
        for (size_t i = 0; i < k; i++)
            list[i] = val_int(ids[from + i]);
        arena_reset(a);
        o = db_exec_in(db, sql, before, nbefore, list, k, a, NULL, err);
    }
    arena_free(&a);
    return o;
}

enum outcome newcomer_reset(struct db *db, const int64_t *ids, size_t n, int64_t now,
                            struct err *err)
{
    enum outcome o = newcomers_set(db, &NEWCOMER_OFFERS, NULL, 0, ids, n, err);

    if (o == OK)
        o = newcomers_set(db, &NEWCOMER_RESET, (struct val[]){val_int(now), val_int(now)}, 2, ids,
                          n, err);
    return o;
}

enum outcome newcomer_planned(struct db *db, const int64_t *ids, size_t n, struct err *err)
{
    return newcomers_set(db, &NEWCOMER_PLANNED, NULL, 0, ids, n, err);
}

enum outcome newcomer_done(struct db *db, const int64_t *ids, size_t n, struct err *err)
{
    return newcomers_set(db, &NEWCOMER_DONE, NULL, 0, ids, n, err);
}
