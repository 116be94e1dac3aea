/* wanted.c: who is in which group, and what devices are to have by that: see wanted.h. */
#include "store/wanted.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/group.h"
#include "store/idset.h"
#include "store/wanted_channel.h"
#include "store/wanted_wait.h"

#define CHUNK 512
#define PURGE 5000
#define ARENA (32u * LIM_MB)
#define BUDGET_US (300 * SECOND_US / 1000) /* of one call: the agent has other work too */

static const struct sql VERSION = {"wanted_version",
                                   "SELECT version FROM site WHERE name = 'wanted'", 0};
static const struct sql MEMBERS = {
    "wanted_members",
    "SELECT device_id FROM group_member WHERE group_id = ? AND (? = 0 OR device_id = ?) "
    "ORDER BY device_id",
    0};
static const struct sql ADD = {
    "wanted_member_add",
    "INSERT INTO group_member (device_id, since, group_id, by_whom) VALUES (?,?,?,(SELECT "
    "changed_by FROM device_group WHERE id = ?)) ON DUPLICATE KEY UPDATE since = since",
    0};
static const struct sql DROP = {
    "wanted_member_drop", "DELETE FROM group_member WHERE group_id = ? AND device_id IN (%IN%)", 1};
static const struct sql EVALUATED = {
    "wanted_evaluated",
    "UPDATE device_group SET evaluated_at = ?, evaluated_us = ?, members = ? WHERE id = ?", 0};
static const struct sql PURGE_MEMBERS = {
    "wanted_members_purge",
    "DELETE FROM group_member WHERE NOT EXISTS (SELECT 1 FROM device_group g WHERE g.id = "
    "group_member.group_id) LIMIT ?",
    0};

static const struct sql NEXT_ASSIGNMENT = {
    "wanted_next_assignment",
    "SELECT a.id, a.group_id, a.item_id, i.version, " CHANNEL_FOR_USERS
    " FROM assignment a JOIN library_item i ON i.id = a.item_id AND i.deleted_at = 0 JOIN "
    "library_version v ON v.item_id = i.id AND v.number = i.version WHERE a.id >= ? AND a.group_id "
    "IS NOT NULL ORDER BY a.id LIMIT 1",
    0};
/* A large group is looked at some devices at a time: where each one ends. */
static const struct sql WINDOW = {
    "wanted_window",
    "SELECT device_id FROM group_member WHERE group_id = ? AND device_id > ? ORDER BY device_id "
    "LIMIT 1 OFFSET ?",
    0};
#define WINDOW_DEVICES 5000
#define LACKS "(d.enrollment_id IS NULL OR d.wanted = 0 OR d.version <> ?) "
/* Of devices, and of their users: the channel and its device. A device's users stand together;
 * those that were noted are not found again. */
static const struct sql MISSING[] = {
    {"wanted_missing",
     "SELECT m.device_id, m.device_id FROM group_member m FORCE INDEX (PRIMARY) JOIN enrollment e "
     "ON e.id = m.device_id "
     "AND e.state = 2 LEFT JOIN device_item d ON d.enrollment_id = m.device_id AND d.item_id = ? "
     "WHERE m.group_id = ? AND m.device_id > ? AND m.device_id <= ? AND (? = 0 OR m.device_id = "
     "?) AND " LACKS "ORDER BY m.device_id LIMIT ?",
     0},
    {"wanted_missing_users",
     "SELECT c.id, m.device_id FROM group_member m FORCE INDEX (PRIMARY) JOIN enrollment e ON e.id "
     "= m.device_id AND "
     "e.state = 2 JOIN enrollment c ON c.device_id = e.id AND c.state = 2 AND (c.id <> "
     "c.device_id) = " CHANNEL_HAS_USERS(
         "e") " LEFT JOIN device_item d ON d.enrollment_id = c.id AND d.item_id = ? "
              "WHERE m.group_id = ? AND m.device_id >= ? AND m.device_id <= ? AND (? = 0 OR ? IN "
              "(c.id, c.device_id)) AND " LACKS "ORDER BY m.device_id LIMIT ?",
     0}};
/* The order matters: state is made of what wanted and state were. An item that was about to be
 * removed and is still there stays. */
static const struct sql WANT = {
    "wanted_want",
    "INSERT INTO device_item (enrollment_id, item_id, wanted, version, state, due_at, changed_at) "
    "VALUES (?,?,1,?,1,?,?) ON DUPLICATE KEY UPDATE "
    "state = IF(wanted = 0 AND state = 1 AND installed_version = VALUES(version), 3, 1), "
    "wanted = 1, version = VALUES(version), attempts = 0, reason = '', due_at = VALUES(due_at), "
    "changed_at = VALUES(changed_at)",
    0};
#define WANT_ARGS 5
static const struct sql NEXT_ITEM = {
    "wanted_next_item",
    "SELECT item_id, COALESCE((SELECT " CHANNEL_FOR_USERS
    " FROM library_item i JOIN library_version v ON v.item_id = i.id AND v.number = i.version "
    "WHERE i.id = d.item_id), 0) FROM device_item d WHERE item_id >= ? ORDER BY item_id LIMIT 1",
    0};
/* By a group, by itself, or because a user has taken what the device is offered. */
#define WANTED_BY                                                                                  \
    "(EXISTS (SELECT 1 FROM assignment a JOIN group_member m ON m.group_id = a.group_id AND "      \
    "m.device_id = c.device_id WHERE a.item_id = d.item_id) OR EXISTS (SELECT 1 FROM assignment "  \
    "s WHERE s.device_id = c.device_id AND s.item_id = d.item_id) OR EXISTS (SELECT 1 FROM "       \
    "offer_taken t JOIN offer o ON o.item_id = t.item_id JOIN group_member n ON n.group_id = "     \
    "o.group_id AND n.device_id = c.device_id JOIN library_item i ON i.id = t.item_id AND "        \
    "i.deleted_at = 0 WHERE t.enrollment_id = c.device_id AND t.item_id = d.item_id))"
#define EXTRA_FITS CHANNEL_FITS("?", "c", "e")
static const struct sql EXTRA = {
    "wanted_extra",
    "SELECT d.enrollment_id FROM device_item d JOIN enrollment c ON c.id = d.enrollment_id JOIN "
    "enrollment e ON e.id = c.device_id WHERE d.item_id = ? AND d.wanted = 1 AND d.enrollment_id "
    "> ? AND (? = 0 OR ? IN (c.id, c.device_id)) AND NOT (" EXTRA_FITS " AND " WANTED_BY
    ") ORDER BY d.enrollment_id LIMIT ?",
    0};
/* What single devices are to have; what was noted is not found again. */
#define SINGLE_FITS CHANNEL_FITS(CHANNEL_FOR_USERS, "c", "e")
#define SINGLE(table, device)                                                                      \
    "SELECT c.id, t.item_id, i.version FROM " table                                                \
    " t JOIN library_item i ON i.id = t.item_id AND i.deleted_at = 0 JOIN library_version v ON "   \
    "v.item_id = i.id AND v.number = i.version JOIN enrollment e ON e.id = t." device              \
    " AND e.state = 2 JOIN enrollment c ON c.device_id = e.id AND c.state = 2 AND " SINGLE_FITS    \
    " LEFT JOIN device_item d ON d.enrollment_id = c.id AND d.item_id = t.item_id WHERE (? = 0 "   \
    "OR ? IN (c.id, c.device_id)) AND (d.enrollment_id IS NULL OR d.wanted = 0 OR d.version <> "   \
    "i.version) "
static const struct sql SINGLES[] = {
    {"wanted_single", SINGLE("assignment", "device_id") "LIMIT ?", 0},
    {"wanted_taken",
     SINGLE("offer_taken",
            "enrollment_id") "AND EXISTS (SELECT 1 FROM offer o JOIN group_member m ON m.group_id "
                             "= o.group_id AND m.device_id = t.enrollment_id WHERE o.item_id = "
                             "t.item_id) LIMIT ?",
     0}};
#define NSINGLES (sizeof SINGLES / sizeof *SINGLES)
/* What never got to the device needs no command to go. */
static const struct sql UNWANT = {
    "wanted_unwant",
    "UPDATE device_item SET state = IF(installed_version = 0 AND state IN (1, 4, 5), 6, 1), "
    "wanted = 0, attempts = 0, reason = '', due_at = ?, changed_at = ? "
    "WHERE item_id = ? AND wanted = 1 AND enrollment_id IN (%IN%)",
    1};

enum outcome wanted_version(struct db *db, struct arena *a, int64_t *out, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &VERSION, NULL, 0, a, &r, err);

    if (o == OK && r.n == 0)
        return err_set(err, ERROR, "table site has no row \"wanted\"");
    if (o == OK)
        *out = row_at(&r, 0, 0)->i;
    return o;
}

/* ---- members ---- */

static enum outcome members_add(struct db *db, int64_t group_id, const int64_t *ids, size_t n,
                                struct err *err)
{
    struct val args[CHUNK * 4], now = val_int(clock_now());
    enum outcome o = OK;

    for (size_t from = 0, k; o == OK && from < n; from += k) {
        k = n - from < CHUNK ? n - from : CHUNK;
        for (size_t i = 0; i < k; i++) {
            args[i * 4] = val_int(ids[from + i]);
            args[i * 4 + 1] = now;
            args[i * 4 + 2] = args[i * 4 + 3] = val_int(group_id);
        }
        o = db_exec_many(db, &ADD, args, 4, k, NULL, err);
    }
    return o;
}

static enum outcome members_drop(struct db *db, int64_t group_id, const int64_t *ids, size_t n,
                                 struct arena *a, struct err *err)
{
    struct val list[CHUNK], key = val_int(group_id);
    enum outcome o = OK;

    for (size_t from = 0, k; o == OK && from < n; from += k) {
        k = n - from < CHUNK ? n - from : CHUNK;
        for (size_t i = 0; i < k; i++)
            list[i] = val_int(ids[from + i]);
        o = db_exec_in(db, &DROP, &key, 1, list, k, a, NULL, err);
    }
    return o;
}

static enum outcome members_make(struct db *db, int64_t group_id, const int64_t *ids, size_t n,
                                 int64_t only, struct arena *a, size_t *changes, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &MEMBERS, (struct val[]){val_int(group_id), val_int(only), val_int(only)}, 3,
                  a, &r, err);
    int64_t *was, *diff;
    size_t k;

    if (o != OK)
        return o;
    was = arena_array(a, r.n + 1, sizeof *was);
    diff = arena_array(a, r.n + n + 1, sizeof *diff);
    if (was == NULL || diff == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < r.n; i++)
        was[i] = row_at(&r, i, 0)->i;
    k = idset_without(ids, n, was, r.n, diff);
    *changes = k;
    if ((o = members_add(db, group_id, diff, k, err)) != OK)
        return o;
    k = idset_without(was, r.n, ids, n, diff);
    *changes += k;
    return members_drop(db, group_id, diff, k, a, err);
}

enum outcome wanted_members(struct db *db, int64_t group_id, const int64_t *ids, size_t n,
                            int64_t only, int64_t took_us, size_t *changes, struct err *err)
{
    struct arena *a = arena_new(ARENA);
    enum outcome o = a != NULL ? members_make(db, group_id, ids, n, only, a, changes, err)
                               : err_set(err, ERROR, "out of memory");

    if (o == OK && *changes > 0)
        o = wanted_touch(db, err);
    if (o == OK && only == 0)
        o = db_exec(db, &EVALUATED,
                    (struct val[]){val_int(clock_now()), val_int(took_us), val_int((int64_t)n),
                                   val_int(group_id)},
                    4, NULL, err);
    arena_free(&a);
    return o;
}

enum outcome wanted_members_purge(struct db *db, struct err *err)
{
    return db_exec(db, &PURGE_MEMBERS, (struct val[]){val_int(PURGE)}, 1, NULL, err);
}

/* ---- what they are to have ---- */

/* The devices of one statement that have changes; item 0: each row tells its item and version. */
static enum outcome want_some(struct db *db, const struct rows *r, int64_t item, int64_t version,
                              int64_t at, struct err *err)
{
    struct val args[CHUNK * WANT_ARGS], now = val_int(at);
    enum outcome o = OK;

    for (size_t from = 0, k; o == OK && from < r->n; from += k) {
        k = r->n - from < CHUNK ? r->n - from : CHUNK;
        for (size_t i = 0; i < k; i++) {
            struct val *v = args + i * WANT_ARGS;

            v[0] = *row_at(r, from + i, 0);
            v[1] = item ? val_int(item) : *row_at(r, from + i, 1);
            v[2] = item ? val_int(version) : *row_at(r, from + i, 2);
            v[3] = v[4] = now;
        }
        o = db_exec_many(db, &WANT, args, WANT_ARGS, k, NULL, err);
    }
    return o;
}

static enum outcome unwant_some(struct db *db, const struct rows *r, int64_t item, int64_t at,
                                struct arena *a, struct err *err)
{
    struct val list[CHUNK], now = val_int(at);
    enum outcome o = OK;

    for (size_t from = 0, k; o == OK && from < r->n; from += k) {
        k = r->n - from < CHUNK ? r->n - from : CHUNK;
        for (size_t i = 0; i < k; i++)
            list[i] = *row_at(r, from + i, 0);
        o = db_exec_in(db, &UNWANT, (struct val[]){now, now, val_int(item)}, 3, list, k, a, NULL,
                       err);
    }
    return o;
}

/* Between the assignments of groups and the items. */
static enum outcome single_step(struct db *db, struct wanted_walk *w, size_t max, struct arena *a,
                                bool *more, struct err *err)
{
    struct val only = val_int(w->only);
    struct rows r;
    enum outcome o = db_select(db, &SINGLES[w->single],
                               (struct val[]){only, only, val_int((int64_t)max)}, 3, a, &r, err);

    if (o == OK)
        o = want_some(db, &r, 0, 0, w->now, err);
    if (o != OK)
        return o;
    w->changes += r.n;
    *more = r.n == max;
    w->single += !*more;
    w->items = w->single == NSINGLES;
    return OK;
}

/* After all items: what can go to no channel yet. */
static enum outcome waits_step(struct db *db, struct wanted_walk *w, size_t max, bool *more,
                               struct err *err)
{
    size_t n;
    enum outcome o = wanted_waits_plan(db, w->only, w->now, max, &n, err);

    *more = o == OK && n >= max;
    w->done = o == OK && !*more;
    return o;
}

/* The last device of the group's next window; INT64_MAX: the group has no more than that. One
 * device alone needs none. */
static enum outcome window_end(struct db *db, const struct wanted_walk *w, const struct val *group,
                               struct arena *a, int64_t *end, struct err *err)
{
    struct rows r = {0};
    enum outcome o =
        w->only != 0
            ? OK
            : db_select(db, &WINDOW,
                        (struct val[]){*group, val_int(w->device), val_int(WINDOW_DEVICES - 1)}, 3,
                        a, &r, err);

    *end = o == OK && r.n > 0 ? row_at(&r, 0, 0)->i : INT64_MAX;
    return o;
}

/* Goes on in an assignment: its id, group, item, version, and whether it is for users. */
static enum outcome assignment_step(struct db *db, struct wanted_walk *w, const struct val *at,
                                    size_t max, struct arena *a, bool *more, struct err *err)
{
    struct val only = val_int(w->only);
    struct rows r = {0};
    int64_t end;
    enum outcome o = window_end(db, w, &at[1], a, &end, err);

    if (o == OK)
        o = db_select(db, &MISSING[at[4].i != 0],
                      (struct val[]){at[2], at[1], val_int(w->device), val_int(end), only, only,
                                     at[3], val_int((int64_t)max)},
                      8, a, &r, err);
    if (o == OK)
        o = want_some(db, &r, at[2].i, at[3].i, w->now, err);
    if (o != OK)
        return o;
    w->changes += r.n;
    *more = r.n == max;
    w->assignment = at[0].i + (!*more && end == INT64_MAX);
    w->device = *more ? row_at(&r, r.n - 1, 1)->i : end != INT64_MAX ? end : 0;
    return OK;
}

/* Goes on in an item: its id, and whether it is for users. */
static enum outcome item_step(struct db *db, struct wanted_walk *w, const struct val *at,
                              size_t max, struct arena *a, bool *more, struct err *err)
{
    struct val only = val_int(w->only);
    struct rows r = {0};
    enum outcome o = db_select(db, &EXTRA,
                               (struct val[]){at[0], val_int(w->device), only, only,
                                              val_int(at[1].i != 0), val_int((int64_t)max)},
                               6, a, &r, err);

    if (o == OK)
        o = unwant_some(db, &r, at[0].i, w->now, a, err);
    if (o != OK)
        return o;
    w->changes += r.n;
    *more = r.n == max;
    w->item = at[0].i + !*more;
    w->device = *more ? row_at(&r, r.n - 1, 0)->i : 0;
    return OK;
}

/* Goes on where the walk stands; true in *more: so many were changed that others may come first. */
static enum outcome step(struct db *db, struct wanted_walk *w, size_t max, struct arena *a,
                         bool *more, struct err *err)
{
    struct rows at;
    enum outcome o =
        db_select(db, w->items ? &NEXT_ITEM : &NEXT_ASSIGNMENT,
                  (struct val[]){val_int(w->items ? w->item : w->assignment)}, 1, a, &at, err);

    *more = false;
    if (o == OK && at.n == 0 && !w->items) {
        w->device = 0;
        return single_step(db, w, max, a, more, err);
    }
    if (o == OK && at.n == 0)
        return waits_step(db, w, max, more, err);
    if (o != OK)
        return o;
    if ((w->items ? w->item : w->assignment) != row_at(&at, 0, 0)->i)
        w->device = 0; /* the one it stood at is gone */
    return w->items ? item_step(db, w, row_at(&at, 0, 0), max, a, more, err)
                    : assignment_step(db, w, row_at(&at, 0, 0), max, a, more, err);
}

enum outcome wanted_plan(struct db *db, struct wanted_walk *w, size_t max, struct err *err)
{
    struct arena *a = arena_new(ARENA);
    int64_t end = clock_mono() + BUDGET_US;
    bool more = false;
    enum outcome o = a != NULL ? OK : err_set(err, ERROR, "out of memory");

    while (o == OK && !w->done && !more && clock_mono() < end) {
        arena_reset(a);
        o = step(db, w, max, a, &more, err);
    }
    arena_free(&a);
    return o;
}
