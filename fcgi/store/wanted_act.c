/* wanted_act.c: what is due, queueing it, and the waves it goes in: see wanted.h. */
#include "store/wanted.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/audit.h"
#include "store/event.h"
#include "store/rowlock.h"

#include <stdio.h>

#define CHUNK 512
#define REASON_CHARS 400
#define ARENA (32u * LIM_MB)

static const struct sql DUE = {
    "wanted_due",
    "SELECT d.enrollment_id, d.item_id, d.wanted, d.version, d.installed_version, d.attempts, "
    "d.state, e.ident, e.kind, e.state, COALESCE(v.product_name, h.product_name), "
    "COALESCE(v.os_version, h.os_version), v.is_supervised, s.passcode_compliant, a.reported_at, "
    "i.kind, i.identifier, i.settings, i.after_id, i.after_passcode, i.after_id IS NOT NULL AND "
    "EXISTS (SELECT 1 FROM enrollment x JOIN device_item w ON w.enrollment_id = x.id AND w.item_id "
    "= i.after_id AND w.state = 3 WHERE x.device_id = e.device_id AND (x.id IN (e.id, x.device_id) "
    "OR e.id = e.device_id)), d.command_id, "
    "i.wave_first, i.halt_percent, d.settings_rev, i.settings_rev, i.configuration_rev, "
    "i.attributes_rev, i.install_rev, i.variables, h.ident, v.is_multi_user "
    "FROM device_item d JOIN enrollment e ON e.id = d.enrollment_id "
    "JOIN enrollment h ON h.id = e.device_id "
    "JOIN library_item i ON i.id = d.item_id "
    "LEFT JOIN inv_device v ON v.enrollment_id = e.device_id "
    "LEFT JOIN inv_security s ON s.enrollment_id = e.device_id "
    "LEFT JOIN inv_area a ON a.enrollment_id = e.device_id AND a.area = 3 "
    "WHERE d.state = ? AND d.due_at <= ? ORDER BY d.due_at LIMIT ?",
    0};
static const struct sql NOTE = {
    "wanted_note",
    "UPDATE device_item FORCE INDEX (PRIMARY) SET changed_at = IF(state = ?, changed_at, ?), state "
    "= ?, due_at = ?, "
    "reason = ?, installed_version = IF(? = 6, 0, IF(? = 3, version, installed_version)), "
    "installed_at = IF(? = 3, ?, installed_at) WHERE (enrollment_id, item_id, wanted, version, "
    "state) IN (%IN%)",
    5};
static const struct sql TOLD = {
    "wanted_told",
    "UPDATE device_item FORCE INDEX (PRIMARY) SET state = 3, reason = '', changed_at = ?, "
    "settings_rev = ? WHERE (enrollment_id, item_id, wanted, version, state) IN (%IN%)",
    5};
static const struct sql LOCK = {"wanted_lock",
                                "SELECT enrollment_id FROM device_item FORCE INDEX (PRIMARY) WHERE "
                                "(enrollment_id, item_id, wanted, version, state) "
                                "IN (%IN%) ORDER BY enrollment_id FOR UPDATE",
                                5};
static const struct sql QUEUED = {
    "wanted_queued",
    "UPDATE device_item FORCE INDEX (PRIMARY) SET state = 2, command_id = ?, due_at = ?, "
    "changed_at = ?, asked_rev = ?, attempts = "
    "LEAST(attempts + 1, 1000) WHERE item_id = ? AND enrollment_id IN (%IN%)",
    1};
static const struct sql COUNTS = {
    "rollout_counts",
    "SELECT state, COUNT(*) FROM device_item WHERE item_id = ? AND wanted = 1 AND version = ? AND "
    "(attempts > 0 OR state = 3) GROUP BY state",
    0};
static const struct sql ROLLOUT = {
    "rollout_get",
    "SELECT released, wave_at, forgiven, halted_at, IF(%OWN 0%, halted_why, '') FROM rollout WHERE "
    "item_id = ? AND "
    "version = ?",
    0};
static const struct sql RELEASE = {
    "rollout_release",
    "INSERT INTO rollout (item_id, version, released, wave_at) VALUES (?,?,?,?) ON DUPLICATE KEY "
    "UPDATE released = VALUES(released), wave_at = VALUES(wave_at)",
    0};
static const struct sql HALT = {
    "rollout_halt",
    "INSERT INTO rollout (item_id, version, released, wave_at, halted_at, halted_why) VALUES "
    "(?,?,0,?,?,?) ON DUPLICATE KEY UPDATE halted_why = IF(halted_at IS NULL, VALUES(halted_why), "
    "halted_why), halted_at = COALESCE(halted_at, VALUES(halted_at))",
    0};
static const struct sql RESUME = {
    "rollout_resume",
    "UPDATE rollout r JOIN library_item i ON i.id = r.item_id AND i.version = r.version SET "
    "r.halted_at = NULL, r.halted_why = NULL, r.forgiven = (SELECT COUNT(*) FROM device_item d "
    "WHERE d.item_id = r.item_id AND d.wanted = 1 AND d.version = r.version AND d.state = 4) "
    "WHERE r.item_id = ? AND r.halted_at IS NOT NULL",
    0};
static const struct sql STOP = {
    "rollout_stop",
    "INSERT INTO rollout (item_id, version, released, wave_at, halted_at, halted_why) SELECT i.id, "
    "i.version, 0, ?, ?, ? FROM library_item i WHERE i.id = ? AND i.deleted_at = 0 ON DUPLICATE "
    "KEY UPDATE halted_why = IF(halted_at IS NULL, VALUES(halted_why), halted_why), halted_at = "
    "COALESCE(halted_at, VALUES(halted_at))",
    0};
static const struct sql STOPPED = {
    "rollout_stopped",
    "SELECT 1 FROM rollout r JOIN library_item i ON i.id = r.item_id AND i.version = r.version "
    "WHERE r.item_id = ? AND r.halted_at IS NOT NULL FOR UPDATE",
    0};
static const struct sql HURRY = {
    "rollout_hurry",
    "UPDATE device_item SET due_at = ? WHERE item_id = ? AND state = 1 AND due_at > ? LIMIT ?", 0};
#define HURRY_SOME 2000
#define HURRY_US (2 * SECOND_US)
static const struct sql NAME = {"rollout_name", "SELECT identifier FROM library_item WHERE id = ?",
                                0};

const char *wanted_state_name(int state)
{
    static const char *const names[] = {
        [WANTED_PENDING] = "pending",        [WANTED_QUEUED] = "queued",
        [WANTED_INSTALLED] = "installed",    [WANTED_FAILED] = "failed",
        [WANTED_REFUSED] = "not-applicable", [WANTED_REMOVED] = "removed",
        [WANTED_INSTALLING] = "installing"};

    return state >= WANTED_PENDING && state <= WANTED_INSTALLING ? names[state] : "?";
}

int wanted_state_read(const char *word)
{
    for (int s = WANTED_PENDING; word != NULL && s <= WANTED_INSTALLING; s++)
        if (strcmp(wanted_state_name(s), word) == 0)
            return s;
    return 0;
}

static int maybe(const struct val *v)
{
    return val_is_null(v) ? -1 : v->i != 0;
}

/* What Settings is to tell of an app that is there. */
static unsigned tell(const struct wanted_due *d)
{
    if (d->kind != LIBRARY_APP || !d->wanted || d->installed_version != d->version ||
        d->settings_rev < d->app.install_rev || d->settings_rev >= d->app.settings_rev)
        return 0;
    return (d->app.configuration_rev > d->settings_rev ? WANTED_TELL_CONFIGURATION : 0) |
           (d->app.attributes_rev > d->settings_rev ? WANTED_TELL_ATTRIBUTES : 0);
}

static void due_from_row(const struct val *v, struct wanted_due *d)
{
    *d = (struct wanted_due){.enrollment_id = v[0].i,
                             .item_id = v[1].i,
                             .wanted = v[2].i != 0,
                             .version = (int)v[3].i,
                             .installed_version = (int)v[4].i,
                             .attempts = (int)v[5].i,
                             .state = (int)v[6].i,
                             .ident = v[7].s,
                             .enrollment_kind = (int)v[8].i,
                             .enrollment_state = (int)v[9].i,
                             .product_name = val_text(&v[10]),
                             .os_version = val_text(&v[11]),
                             .supervised = maybe(&v[12]),
                             .passcode_ok = maybe(&v[13]),
                             .security_at = val_or_0(&v[14]),
                             .kind = (int)v[15].i,
                             .identifier = v[16].s,
                             .settings = val_text(&v[17]),
                             .after_id = val_or_0(&v[18]),
                             .after_passcode = v[19].i != 0,
                             .after_installed = v[20].i != 0,
                             .command_open = !val_is_null(&v[21]),
                             .wave_first = (int)v[22].i,
                             .halt_percent = (int)v[23].i,
                             .settings_rev = (int)v[24].i,
                             .app = {.settings_rev = (int)v[25].i,
                                     .configuration_rev = (int)v[26].i,
                                     .attributes_rev = (int)v[27].i,
                                     .install_rev = (int)v[28].i,
                                     .variables = (unsigned)v[29].i},
                             .device_ident = v[30].s,
                             .shared_ipad = maybe(&v[31])};
    d->tell = tell(d);
}

enum outcome wanted_due(struct db *db, int state, int64_t now, size_t max, struct arena *a,
                        struct wanted_due **out, size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &DUE, (struct val[]){val_int(state), val_int(now), val_int((int64_t)max)}, 3,
                  a, &r, err);

    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        due_from_row(row_at(&r, *n, 0), &(*out)[*n]);
    return OK;
}

/* The row as it was read: what has changed since is another. */
#define READ_ARGS 5
static void as_read(const struct wanted_due *d, struct val v[READ_ARGS])
{
    v[0] = val_int(d->enrollment_id);
    v[1] = val_int(d->item_id);
    v[2] = val_int(d->wanted);
    v[3] = val_int(d->version);
    v[4] = val_int(d->state);
}

enum outcome wanted_note(struct db *db, const struct wanted_due *const *d, size_t n, int state,
                         int64_t due_at, const char *reason, struct arena *a, struct err *err)
{
    struct val list[CHUNK * READ_ARGS], s = val_int(state), due = val_int(due_at);
    enum outcome o = OK;

    for (size_t from = 0, k; o == OK && from < n; from += k) {
        k = n - from < CHUNK ? n - from : CHUNK;
        for (size_t i = 0; i < k; i++)
            as_read(d[from + i], list + i * READ_ARGS);
        o = db_exec_in(db, &NOTE,
                       (struct val[]){s, due, s, due, val_cut(reason, REASON_CHARS), s, s, s, due},
                       9, list, k, a, NULL, err);
    }
    return o;
}

enum outcome wanted_told(struct db *db, const struct wanted_due *const *d, size_t n, int64_t now,
                         struct arena *a, struct err *err)
{
    struct val list[CHUNK * READ_ARGS], at = val_int(now);
    enum outcome o = OK;

    for (size_t from = 0, k; o == OK && from < n; from += k) {
        k = n - from < CHUNK ? n - from : CHUNK;
        for (size_t i = 0; i < k; i++)
            as_read(d[from + i], list + i * READ_ARGS);
        o = db_exec_in(db, &TOLD, (struct val[]){at, val_int(d[0]->app.settings_rev)}, 2, list, k,
                       a, NULL, err);
    }
    return o;
}

/* ---- queueing ---- */

struct queueing {
    const struct wanted_due *const *d;
    size_t n, took;
    struct enqueue *e;
    int64_t check_at;
    struct arena *a;
};

/* The idents of those whose rows are as they were read, locked. */
static enum outcome lock_rows(struct db *db, struct queueing *x, const char ***idents, size_t *n,
                              struct err *err)
{
    struct rowlock *rows = arena_array(x->a, x->n + 1, sizeof *rows);
    struct val *keys = arena_array(x->a, (x->n + 1) * READ_ARGS, sizeof *keys);

    if (rows == NULL || keys == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < x->n; i++) {
        as_read(x->d[i], keys + i * READ_ARGS);
        rows[i] = (struct rowlock){x->d[i]->ident, keys + i * READ_ARGS};
    }
    return rowlock_take(db, &LOCK, rows, x->n, READ_ARGS, x->a, idents, n, err);
}

static enum outcome note_queued(struct db *db, struct queueing *x, struct err *err)
{
    const struct enqueue *e = x->e;
    struct val list[CHUNK];
    size_t k = 0;
    enum outcome o = OK;

    x->took = 0;
    for (size_t i = 0; o == OK && i <= e->n; i++) {
        if (i < e->n && e->outcomes[i] == ENQUEUE_OK)
            list[k++] = val_int(e->enrollment_ids[i]);
        if (k == 0 || (k < CHUNK && i < e->n))
            continue;
        o = db_exec_in(db, &QUEUED,
                       (struct val[]){val_int(e->command_id), val_int(x->check_at), val_int(e->now),
                                      val_int(x->d[0]->app.settings_rev),
                                      val_int(x->d[0]->item_id)},
                       5, list, k, x->a, NULL, err);
        x->took += k;
        k = 0;
    }
    return o;
}

static enum outcome queue_unit(struct db *db, void *arg, struct err *err)
{
    struct queueing *x = arg;
    const char **idents;
    enum outcome o;

    arena_reset(x->a);
    x->took = 0;
    x->e->outcomes = arena_array(x->a, x->n + 1, sizeof *x->e->outcomes);
    x->e->enrollment_ids = arena_array(x->a, x->n + 1, sizeof *x->e->enrollment_ids);
    if (x->e->outcomes == NULL || x->e->enrollment_ids == NULL)
        return err_set(err, ERROR, "out of memory");
    o = lock_rows(db, x, &idents, &x->e->n, err);
    if (o != OK || x->e->n == 0)
        return o;
    x->e->idents = idents;
    o = queue_add_within(db, x->e, x->a, err);
    return o == OK ? note_queued(db, x, err) : o;
}

enum outcome wanted_queue(struct db *db, const struct wanted_due *const *d, size_t n,
                          struct enqueue *e, int64_t check_at, size_t *queued, struct err *err)
{
    struct queueing x = {.d = d, .n = n, .e = e, .check_at = check_at, .a = arena_new(ARENA)};
    enum outcome o =
        x.a != NULL ? db_unit(db, queue_unit, &x, err) : err_set(err, ERROR, "out of memory");

    *queued = o == OK ? x.took : 0;
    arena_free(&x.a);
    return o == NOT_FOUND ? OK : o; /* none of them is enrolled any more */
}

/* ---- waves ---- */

enum outcome rollout_halted(struct db *db, int64_t item_id, int version, struct arena *a,
                            struct rollout *out, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &ROLLOUT, (struct val[]){val_int(item_id), val_int(version)}, 2, a, &r, err);

    *out = (struct rollout){.halted_why = ""};
    if (o != OK || r.n == 0)
        return o;
    out->released = row_at(&r, 0, 0)->i;
    out->wave_at = row_at(&r, 0, 1)->i;
    out->forgiven = row_at(&r, 0, 2)->i;
    out->halted_at = val_or_0(row_at(&r, 0, 3));
    out->halted_why = val_text(row_at(&r, 0, 4));
    return OK;
}

enum outcome rollout_get(struct db *db, int64_t item_id, int version, struct arena *a,
                         struct rollout *out, struct err *err)
{
    struct rows r = {0};
    enum outcome o = rollout_halted(db, item_id, version, a, out, err);

    if (o == OK)
        o = db_select(db, &COUNTS, (struct val[]){val_int(item_id), val_int(version)}, 2, a, &r,
                      err);
    for (size_t i = 0; o == OK && i < r.n; i++) {
        int64_t state = row_at(&r, i, 0)->i, count = row_at(&r, i, 1)->i;

        out->queued +=
            state == WANTED_QUEUED || state == WANTED_PENDING || state == WANTED_INSTALLING ? count
                                                                                            : 0;
        out->installed += state == WANTED_INSTALLED ? count : 0;
        out->failed += state == WANTED_FAILED ? count : 0;
    }
    return o;
}

enum outcome rollout_release(struct db *db, int64_t item_id, int version, int64_t released,
                             int64_t now, struct err *err)
{
    return db_exec(
        db, &RELEASE,
        (struct val[]){val_int(item_id), val_int(version), val_int(released), val_int(now)}, 4,
        NULL, err);
}

static enum outcome audit_item(struct db *db, int64_t item_id, const char *actor,
                               const char *action, const char *why, struct arena *a,
                               struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &NAME, (struct val[]){val_int(item_id)}, 1, a, &r, err);

    return o != OK ? o : audit_add(db, actor, action, r.n ? row_at(&r, 0, 0)->s : "?", why, err);
}

enum outcome rollout_halt(struct db *db, int64_t item_id, int version, const char *why, int64_t now,
                          bool *fresh, struct err *err)
{
    struct arena *a = arena_new(LIM_MB);
    struct rollout r = {0};
    enum outcome o = a != NULL ? rollout_get(db, item_id, version, a, &r, err)
                               : err_set(err, ERROR, "out of memory");

    *fresh = o == OK && r.halted_at == 0;
    if (*fresh)
        o = db_exec(db, &HALT,
                    (struct val[]){val_int(item_id), val_int(version), val_int(now), val_int(now),
                                   val_cut(why, 255)},
                    5, NULL, err);
    if (*fresh && o == OK)
        o = audit_item(db, item_id, "rule:rollout", "rollout.halt", why, a, err);
    if (*fresh && o == OK)
        o = event_alarm_tell(db, "rollout-halted", arena_fmt(a, "%lld", (long long)item_id), why,
                             now, err);
    arena_free(&a);
    return o;
}

struct resume {
    int64_t item_id, now;
    const char *actor, *why;
    struct arena *a;
};

static enum outcome resume_unit(struct db *db, void *arg, struct err *err)
{
    struct resume *x = arg;
    uint64_t n = 0;
    enum outcome o = db_exec(db, &RESUME, (struct val[]){val_int(x->item_id)}, 1, &n, err);

    arena_reset(x->a);
    if (o == OK && n == 0)
        return err_set(err, NOT_FOUND, "its version is not halted");
    return o == OK ? audit_item(db, x->item_id, x->actor, "rollout.resume", x->why, x->a, err) : o;
}

/* Those that wait for a wave need not wait longer: some at a time, so that nobody waits long for a
 * row. What is left is due by itself. */
static void hurry(struct db *db, int64_t item_id, int64_t now)
{
    int64_t end = clock_mono() + HURRY_US;
    uint64_t n = HURRY_SOME;
    struct err err;

    while (n == HURRY_SOME && clock_mono() < end)
        if (db_exec(
                db, &HURRY,
                (struct val[]){val_int(now), val_int(item_id), val_int(now), val_int(HURRY_SOME)},
                4, &n, &err) != OK)
            return;
}

enum outcome rollout_resume(struct db *db, int64_t item_id, const char *actor, const char *why,
                            int64_t now, struct err *err)
{
    struct resume x = {item_id, now, actor, why, arena_new(LIM_MB)};
    enum outcome o = db_whole(db, err);

    if (o == OK)
        o = x.a != NULL ? db_unit(db, resume_unit, &x, err) : err_set(err, ERROR, "out of memory");
    if (o == OK)
        hurry(db, item_id, now);
    arena_free(&x.a);
    return o;
}

static enum outcome stop_unit(struct db *db, void *arg, struct err *err)
{
    struct resume *x = arg;
    struct val now = val_int(x->now);
    uint64_t n = 0;
    struct rows r;
    enum outcome o;

    arena_reset(x->a);
    o = db_select(db, &STOPPED, (struct val[]){val_int(x->item_id)}, 1, x->a, &r, err);
    if (o == OK && r.n > 0)
        return err_set(err, CONFLICT, "it is halted already");
    if (o != OK)
        return o;
    o = db_exec(db, &STOP, (struct val[]){now, now, val_cut(x->why, 255), val_int(x->item_id)}, 4,
                &n, err);
    if (o == OK && n == 0)
        return err_set(err, NOT_FOUND, "there is no such item");
    return o == OK ? audit_item(db, x->item_id, x->actor, "rollout.stop", x->why, x->a, err) : o;
}

enum outcome rollout_stop(struct db *db, int64_t item_id, const char *actor, const char *why,
                          int64_t now, struct err *err)
{
    struct resume x = {item_id, now, actor, why, arena_new(LIM_MB)};
    enum outcome o = db_whole(db, err);

    if (o == OK)
        o = x.a != NULL ? db_unit(db, stop_unit, &x, err) : err_set(err, ERROR, "out of memory");

    arena_free(&x.a);
    return o;
}
