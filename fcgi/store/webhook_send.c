/* webhook_send.c: see webhook_send.h. */
#include "store/webhook_send.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/audit.h"
#include "store/id.h"

#define NOW_US "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"
#define RULE "rule:webhook"
#define CHUNK 500

static const struct sql FRESH = {
    "webhook_fresh",
    "SELECT id, topic, at, enrollment_id FROM webhook_event WHERE spread = 0 ORDER BY id LIMIT ? "
    "FOR UPDATE",
    0};
static const struct sql MAKE = {
    "webhook_make",
    "INSERT IGNORE INTO webhook_delivery (webhook_id, event_id, enrollment_id, topic, asked_at, "
    "due_at) VALUES (?,?,?,?,?,?)",
    0};
#define MAKE_ARGS 6
static const struct sql SPREAD = {"webhook_spread",
                                  "UPDATE webhook_event SET spread = 1 WHERE id IN (%IN%)", 1};
static const struct sql UNWANTED = {"webhook_unwanted",
                                    "DELETE FROM webhook_event WHERE id IN (%IN%)", 1};

/* The head of each enrollment's line; 5: WEBHOOK_ORDER_TRIES. */
static const struct sql DUE = {
    "webhook_due",
    "SELECT d.event_id, d.attempts, d.asked_at, " NOW_US
    ", (SELECT COALESCE(LENGTH(v.raw), 0) + COALESCE(LENGTH(v.sealed), 0) FROM webhook_event v "
    "WHERE v.id = d.event_id) FROM webhook_delivery d FORCE INDEX (due) WHERE d.webhook_id = ? AND "
    "d.state = 1 AND d.due_at <= " NOW_US
    " AND (d.enrollment_id = 0 OR NOT EXISTS (SELECT 1 FROM webhook_delivery f FORCE INDEX "
    "(in_order) WHERE f.webhook_id = d.webhook_id AND f.enrollment_id = d.enrollment_id AND "
    "f.state = 1 AND f.event_id < d.event_id AND f.attempts < 5)) "
    "ORDER BY d.due_at, d.event_id LIMIT ? FOR UPDATE",
    0};
_Static_assert(WEBHOOK_ORDER_TRIES == 5, "it stands in DUE");
static const struct sql CLAIM = {"webhook_claim",
                                 "UPDATE webhook_delivery SET claim = ?, due_at = " NOW_US
                                 " + ? WHERE webhook_id = ? AND event_id IN (%IN%)",
                                 1};
static const struct sql EVENT = {
    "webhook_event_read",
    "SELECT id, at, topic, kind, ident, status, command_uuid, query, facts, tally, raw, sealed "
    "FROM webhook_event WHERE id = ?",
    0};
static const struct sql RECORD = {
    "webhook_record",
    "UPDATE webhook_delivery SET state = ?, attempts = attempts + ?, status = ?, failure = ?, "
    "due_at = " NOW_US " + ?, claim = 0, done_at = IF(?, " NOW_US
    ", NULL) WHERE webhook_id = ? AND event_id = ? AND claim = ?",
    0};
#define RECORD_ARGS 9
static const struct sql ATTEMPT = {
    "webhook_attempt",
    "INSERT INTO webhook_attempt (webhook_id, event_id, at, took_us, status, failure, answer) "
    "VALUES (?,?,?,?,?,?,?) ON DUPLICATE KEY UPDATE status = VALUES(status)",
    0};
#define ATTEMPT_ARGS 7
static const struct sql NOTE_OK = {
    "webhook_ok",
    "UPDATE webhook SET failing_since = NULL, failure = NULL, last_ok_at = ? WHERE "
    "id = ?",
    0};
static const struct sql NOTE_FAILURE = {
    "webhook_failure",
    "UPDATE webhook SET failing_since = COALESCE(failing_since, ?), failure = ? WHERE id = ?", 0};
static const struct sql FAIL = {
    "webhook_fail",
    "UPDATE webhook SET state = 3, state_at = ?, state_by = '" RULE
    "', state_why = ?, version = version + 1 WHERE id = ? AND state = 1",
    0};
static const struct sql KEYS_END = {
    "webhook_keys_end",
    "UPDATE webhook SET secret_before = NULL, secret_before_until = NULL, version = version + 1 "
    "WHERE secret_before_until < ?",
    0};
static const struct sql BURY = {
    "webhook_bury",
    "UPDATE webhook_delivery SET state = 3, done_at = " NOW_US
    ", failure = COALESCE(failure, 'not sent in time') WHERE state = 1 AND asked_at < ? AND "
    "(claim = 0 OR due_at < " NOW_US ") LIMIT ?",
    0};
static const struct sql PURGE_DONE = {
    "webhook_purge_done",
    "DELETE FROM webhook_delivery WHERE state > 1 AND asked_at < ? AND done_at < ? LIMIT ?", 0};
static const struct sql PURGE_ORPHANS = {
    "webhook_purge_orphans",
    "DELETE FROM webhook_delivery WHERE webhook_id NOT IN (SELECT id FROM webhook) LIMIT ?", 0};
static const struct sql PURGE_ATTEMPTS = {"webhook_purge_attempts",
                                          "DELETE FROM webhook_attempt WHERE at < ? LIMIT ?", 0};
static const struct sql PURGE_EVENTS = {
    "webhook_purge_events",
    "DELETE FROM webhook_event WHERE spread = 1 AND id < ? AND NOT EXISTS (SELECT 1 FROM "
    "webhook_delivery d WHERE d.event_id = webhook_event.id) LIMIT ?",
    0};

/* ---- spreading ---- */

#define TOGETHER 512 /* rows of one statement */

struct spreading {
    const struct webhook *hooks;
    size_t nhooks, n;
    struct arena *a;
    struct val rows[TOGETHER * MAKE_ARGS];
    size_t nrows;
};

static bool is_for(const struct webhook *w, const struct val *e)
{
    return (w->wants & event_bit((enum event_topic)e[1].i)) != 0 && e[2].i >= w->created_at;
}

static enum outcome make_rows(struct db *db, struct spreading *s, struct err *err)
{
    size_t n = s->nrows;

    s->nrows = 0;
    return db_exec_many(db, &MAKE, s->rows, MAKE_ARGS, n, NULL, err);
}

/* *wanted tells whether there is a webhook for it at all. */
static enum outcome make(struct db *db, struct spreading *s, const struct val *e, bool *wanted,
                         struct err *err)
{
    enum outcome o = OK;

    for (size_t i = 0; o == OK && i < s->nhooks; i++) {
        struct val *v = s->rows + s->nrows * MAKE_ARGS;

        if (!is_for(&s->hooks[i], e))
            continue;
        v[0] = val_int(s->hooks[i].id);
        v[1] = e[0];
        v[2] = e[3];
        v[3] = e[1];
        v[4] = v[5] = e[2];
        *wanted = true;
        if (++s->nrows == TOGETHER)
            o = make_rows(db, s, err);
    }
    return o;
}

static enum outcome spread_unit(struct db *db, void *arg, struct err *err)
{
    struct spreading *s = arg;
    struct val done[WEBHOOK_SPREAD], drop[WEBHOOK_SPREAD], max = val_int(WEBHOOK_SPREAD);
    size_t nd = 0, nu = 0;
    struct rows r;
    enum outcome o;

    arena_reset(s->a);
    s->n = s->nrows = 0;
    o = db_select(db, &FRESH, &max, 1, s->a, &r, err);
    for (size_t i = 0; o == OK && i < r.n; i++) {
        bool wanted = false;

        o = make(db, s, row_at(&r, i, 0), &wanted, err);
        if (wanted)
            done[nd++] = *row_at(&r, i, 0);
        else
            drop[nu++] = *row_at(&r, i, 0);
    }
    if (o == OK)
        o = make_rows(db, s, err);
    if (o == OK && nd > 0)
        o = db_exec_in(db, &SPREAD, NULL, 0, done, nd, s->a, NULL, err);
    if (o == OK && nu > 0)
        o = db_exec_in(db, &UNWANTED, NULL, 0, drop, nu, s->a, NULL, err);
    s->n = o == OK ? r.n : 0;
    return o;
}

enum outcome webhook_spread(struct db *db, const struct webhook *hooks, size_t nhooks, size_t *n,
                            struct err *err)
{
    struct arena *a = arena_new(4 * LIM_MB);
    struct spreading *s = a != NULL ? arena_alloc(a, sizeof *s) : NULL;
    struct arena *rows = arena_new(LIM_MB);
    enum outcome o = OK;

    *n = 0;
    if (s == NULL || rows == NULL) {
        o = err_set(err, ERROR, "out of memory");
        goto out;
    }
    s->hooks = hooks;
    s->nhooks = nhooks;
    s->a = rows;
    o = db_unit(db, spread_unit, s, err);
    *n = o == OK ? s->n : 0;
out:
    arena_free(&rows);
    arena_free(&a);
    return o;
}

/* ---- claiming ---- */

struct claiming {
    int64_t webhook_id, claim_us;
    size_t max, size_max, n;
    struct webhook_claim *out;
    struct arena *a;
};

static enum outcome claim_unit(struct db *db, void *arg, struct err *err)
{
    struct claiming *c = arg;
    struct val id = val_int(c->webhook_id), list[LIM_BATCH], how[3];
    int64_t claim = id_new();
    size_t size = 0;
    struct rows r;
    enum outcome o =
        db_select(db, &DUE, (struct val[]){id, val_int((int64_t)c->max)}, 2, c->a, &r, err);

    c->n = 0;
    for (size_t i = 0; o == OK && i < r.n; i++) {
        const struct val *v = row_at(&r, i, 0);
        size_t one = (size_t)val_or_0(&v[4]);

        if (i > 0 && size + one > c->size_max)
            break;
        size += one;
        list[c->n] = v[0];
        c->out[c->n++] = (struct webhook_claim){v[0].i, claim, (int)v[1].i, v[2].i, v[3].i, one};
    }
    if (o != OK || c->n == 0)
        return o;
    how[0] = val_int(claim);
    how[1] = val_int(c->claim_us);
    how[2] = id;
    return db_exec_in(db, &CLAIM, how, 3, list, c->n, c->a, NULL, err);
}

enum outcome webhook_claim(struct db *db, int64_t webhook_id, size_t max, size_t size_max,
                           int64_t claim_us, struct arena *a, struct webhook_claim **out, size_t *n,
                           struct err *err)
{
    struct claiming c = {webhook_id, claim_us, max < LIM_BATCH ? max : LIM_BATCH, size_max, 0,
                         NULL,       a};
    enum outcome o;

    *n = 0;
    *out = c.out = arena_array(a, c.max + 1, sizeof **out);
    if (c.out == NULL)
        return err_set(err, ERROR, "out of memory");
    o = db_unit(db, claim_unit, &c, err);
    *n = o == OK ? c.n : 0;
    return o;
}

enum outcome webhook_event_read(struct db *db, int64_t id, struct arena *a, struct event_row *out,
                                struct err *err)
{
    struct val key = val_int(id);
    struct rows r;
    enum outcome o = db_select(db, &EVENT, &key, 1, a, &r, err);

    if (o != OK)
        return o;
    if (r.n == 0)
        return err_set(err, NOT_FOUND, "event %016llx was purged", (unsigned long long)id);
    const struct val *v = row_at(&r, 0, 0);
    *out = (struct event_row){.id = v[0].i,
                              .at = v[1].i,
                              .topic = (int)v[2].i,
                              .kind = (int)v[3].i,
                              .ident = val_text(&v[4]),
                              .status = val_text(&v[5]),
                              .command_uuid = val_text(&v[6]),
                              .query = val_text(&v[7]),
                              .facts = val_text(&v[8]),
                              .tally = val_or_0(&v[9]),
                              .raw = val_bytes(&v[10]),
                              .sealed = val_bytes(&v[11])};
    return OK;
}

/* ---- recording ---- */

struct recording {
    const struct webhook_result *r;
    size_t n;
};

static void record_args(const struct webhook_result *r, struct val *v)
{
    v[0] = val_int(r->state);
    v[1] = val_int(r->tried);
    v[2] = val_int(r->status);
    v[3] = val_cut(r->failure, 255);
    v[4] = val_int(r->state == DELIVERY_WAITS ? r->delay_us : 0);
    v[5] = val_int(r->state != DELIVERY_WAITS);
    v[6] = val_int(r->webhook_id);
    v[7] = val_int(r->event_id);
    v[8] = val_int(r->claim);
}

static void attempt_args(const struct webhook_result *r, struct val *v)
{
    v[0] = val_int(r->webhook_id);
    v[1] = val_int(r->event_id);
    v[2] = val_int(r->at);
    v[3] = val_int(r->took_us);
    v[4] = val_int(r->status);
    v[5] = val_cut(r->failure, 255);
    v[6] = val_cut(r->answer, 255);
}

static enum outcome record_unit(struct db *db, void *arg, struct err *err)
{
    const struct recording *x = arg;
    struct val rows[LIM_BATCH * RECORD_ARGS], attempts[LIM_BATCH * ATTEMPT_ARGS];
    size_t k = 0;
    enum outcome o;

    for (size_t i = 0; i < x->n; i++) {
        record_args(&x->r[i], rows + i * RECORD_ARGS);
        if (x->r[i].tried)
            attempt_args(&x->r[i], attempts + k++ * ATTEMPT_ARGS);
    }
    o = db_exec_many(db, &RECORD, rows, RECORD_ARGS, x->n, NULL, err);
    return o == OK ? db_exec_many(db, &ATTEMPT, attempts, ATTEMPT_ARGS, k, NULL, err) : o;
}

enum outcome webhook_record(struct db *db, const struct webhook_result *r, size_t n,
                            struct err *err)
{
    struct recording x = {r, n};

    if (n > LIM_BATCH)
        return err_set(err, INVALID, "webhook_record: %zu at once", n);
    return db_unit(db, record_unit, &x, err);
}

enum outcome webhook_note_ok(struct db *db, int64_t id, int64_t now, struct err *err)
{
    return db_exec(db, &NOTE_OK, (struct val[]){val_int(now), val_int(id)}, 2, NULL, err);
}

enum outcome webhook_note_failure(struct db *db, int64_t id, int64_t since, const char *failure,
                                  struct err *err)
{
    return db_exec(db, &NOTE_FAILURE,
                   (struct val[]){val_int(since), val_cut(failure, 255), val_int(id)}, 3, NULL,
                   err);
}

struct failing {
    const struct webhook *w;
    const char *why;
    int64_t now;
};

static enum outcome fail_unit(struct db *db, void *arg, struct err *err)
{
    const struct failing *x = arg;
    uint64_t hit = 0;
    enum outcome o =
        db_exec(db, &FAIL, (struct val[]){val_int(x->now), val_cut(x->why, 255), val_int(x->w->id)},
                3, &hit, err);

    return o == OK && hit > 0
               ? event_alarm(db, RULE, "webhook-paused", x->w->name, x->why, x->now, err)
               : o;
}

enum outcome webhook_fail(struct db *db, const struct webhook *w, const char *why, int64_t now,
                          struct err *err)
{
    struct failing x = {w, why, now};

    return db_unit(db, fail_unit, &x, err);
}

enum outcome webhook_keys_end(struct db *db, int64_t now, struct err *err)
{
    struct val v = val_int(now);

    return db_exec(db, &KEYS_END, &v, 1, NULL, err);
}

/* ---- the end ---- */

enum outcome webhook_bury(struct db *db, int64_t before, size_t *n, struct err *err)
{
    uint64_t hit = 0;
    enum outcome o =
        db_exec(db, &BURY, (struct val[]){val_int(before), val_int(LIM_PAGE)}, 2, &hit, err);

    *n = o == OK ? (size_t)hit : 0;
    return o;
}

static enum outcome purge(struct db *db, const struct sql *sql, const struct val *args,
                          size_t nargs, size_t max, size_t *n, struct err *err)
{
    uint64_t hit = CHUNK;
    size_t all = 0;
    enum outcome o = OK;

    while (o == OK && hit == CHUNK && all < max) {
        o = db_exec(db, sql, args, nargs, &hit, err);
        all += o == OK ? (size_t)hit : 0;
    }
    *n += all;
    return o;
}

enum outcome webhook_purge(struct db *db, int64_t before, size_t max, size_t *n, struct err *err)
{
    struct val at = val_int(before), chunk = val_int(CHUNK);
    enum outcome o;

    *n = 0;
    o = purge(db, &PURGE_DONE, (struct val[]){at, at, chunk}, 3, max, n, err);
    if (o == OK)
        o = purge(db, &PURGE_ORPHANS, &chunk, 1, max, n, err);
    if (o == OK)
        o = purge(db, &PURGE_ATTEMPTS, (struct val[]){at, chunk}, 2, max, n, err);
    return o == OK ? purge(db, &PURGE_EVENTS, (struct val[]){val_int(id_at(before)), chunk}, 2, max,
                           n, err)
                   : o;
}
