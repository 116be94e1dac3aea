/* push.c: the push outbox: see push.h. Each statement locks rows in the order of enrollment_id, so
 * that those who ask and the agent seldom meet crosswise; a unit that does is run again. */
#include "store/push.h"
#include "base/clock.h"
#include "base/limits.h"
#include <stdlib.h>
#include <time.h>

/* The database's clock in microseconds. */
#define NOW_US "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"
/* As text: of type UUID, it would turn the asker's id beside it into lower case. */
#define NEW_UUID "CAST(UUID() AS CHAR)"
#define CHUNK 1000 /* rows changed in one transaction when there are many */
#define WAIT_STEP_MS 25
#define WAIT_ARENA (64u * LIM_MB)
#define REASON_MAX 128

/* MariaDB assigns from left to right: what reads an old value stands before what changes it. */
static const struct sql REQUEST = {
    "push_request",
    "INSERT INTO push (enrollment_id, state, due_at, wanted_at, expires_at, attempts, apns_id) "
    "VALUES (?, 1, " NOW_US ", " NOW_US ", " NOW_US " + ?, 0, COALESCE(?, " NEW_UUID ")) "
    "ON DUPLICATE KEY UPDATE "
    "due_at = IF(state = 1 AND attempts > 0, due_at, VALUES(due_at)), "
    "wanted_at = GREATEST(wanted_at + 1, VALUES(wanted_at)), expires_at = VALUES(expires_at), "
    "apns_id = IF(state = 1 AND ? IS NULL, COALESCE(apns_id, " NEW_UUID "), VALUES(apns_id)), "
    "attempts = IF(state = 1, attempts, 0), state = 1",
    0};

#define REQUEST_ARGS 4

static int want_order(const void *a, const void *b)
{
    const struct push_want *x = a, *y = b;
    return (x->enrollment_id > y->enrollment_id) - (x->enrollment_id < y->enrollment_id);
}

enum outcome push_request(struct db *db, struct push_want *wants, size_t n, int64_t keep_s,
                          struct err *err)
{
    struct val *v = n ? malloc(n * REQUEST_ARGS * sizeof *v) : NULL;
    if (n == 0)
        return OK;
    if (!v)
        return err_set(err, ERROR, "push_request: out of memory");
    qsort(wants, n, sizeof *wants, want_order);
    for (size_t i = 0; i < n; i++) {
        struct val *row = &v[REQUEST_ARGS * i];
        row[0] = val_int(wants[i].enrollment_id);
        row[1] = val_int(keep_s * SECOND_US);
        row[2] = row[3] = val_str(wants[i].apns_id);
    }
    enum outcome o = db_exec_many(db, &REQUEST, v, REQUEST_ARGS, n, NULL, err);
    free(v);
    return o;
}

static const struct sql REVIVE = {
    "push_revive",
    "UPDATE push SET state = 1, due_at = " NOW_US ", wanted_at = GREATEST(wanted_at + 1, " NOW_US
    "), attempts = 0 WHERE enrollment_id = ? AND state <> 3 AND expires_at > " NOW_US
    " AND (sent_at IS NULL OR sent_at < wanted_at)",
    0};

/* Runs a statement of one argument, an id, for n ids. */
static enum outcome each_id(struct db *db, const struct sql *sql, const int64_t *ids, size_t n,
                            uint64_t *affected, struct err *err)
{
    struct val *v = n ? malloc(n * sizeof *v) : NULL;
    if (n == 0)
        return OK;
    if (!v)
        return err_set(err, ERROR, "%s: out of memory", sql->name);
    for (size_t i = 0; i < n; i++)
        v[i] = val_int(ids[i]);
    enum outcome o = db_exec_many(db, sql, v, 1, n, affected, err);
    free(v);
    return o;
}

enum outcome push_revive(struct db *db, const int64_t *enrollment_ids, size_t n, struct err *err)
{
    return each_id(db, &REVIVE, enrollment_ids, n, NULL, err);
}

static const struct sql READ = {
    "push_read",
    "SELECT enrollment_id, state, attempts, wanted_at, due_at, sent_at, last_status, apns_id, "
    "last_reason FROM push FORCE INDEX (PRIMARY) WHERE enrollment_id IN (%IN%)",
    1};

static int64_t int_or(const struct val *v, int64_t otherwise)
{
    return val_is_null(v) ? otherwise : v->i;
}

enum outcome push_read(struct db *db, const int64_t *enrollment_ids, size_t n, struct arena *a,
                       struct push_row **out, size_t *nout, struct err *err)
{
    struct rows r;
    *nout = 0;
    *out = NULL;
    if (n == 0)
        return OK;
    struct val *ids = arena_array(a, n, sizeof *ids);
    if (!ids)
        return err_set(err, ERROR, "push_read: out of memory");
    for (size_t i = 0; i < n; i++)
        ids[i] = val_int(enrollment_ids[i]);
    enum outcome o = db_select_in(db, &READ, NULL, 0, ids, n, NULL, 0, a, &r, err);
    if (o != OK)
        return o;
    *out = arena_array(a, r.n, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "push_read: out of memory");
    for (size_t i = 0; i < r.n; i++) {
        const struct val *v = row_at(&r, i, 0);
        (*out)[i] = (struct push_row){.enrollment_id = v[0].i,
                                      .state = (enum push_state)v[1].i,
                                      .attempts = (int)v[2].i,
                                      .wanted_at = v[3].i,
                                      .due_at = v[4].i,
                                      .sent_at = int_or(&v[5], 0),
                                      .last_status = (int)int_or(&v[6], -1),
                                      .apns_id = val_text(&v[7]),
                                      .reason = val_text(&v[8])};
    }
    *nout = r.n;
    return OK;
}

bool push_settled(const struct push_row *r)
{
    return r->state >= PUSH_SENT || r->attempts > 0;
}

static bool all_settled(const struct push_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!push_settled(&rows[i]))
            return false;
    return true;
}

enum outcome push_wait(struct db *db, const int64_t *enrollment_ids, size_t n, int timeout_ms,
                       struct arena *a, struct push_row **out, size_t *nout, struct err *err)
{
    int64_t end = clock_mono() + (int64_t)timeout_ms * 1000;
    struct arena *scratch = arena_new(WAIT_ARENA);
    struct timespec step = {.tv_nsec = WAIT_STEP_MS * 1000000L};
    enum outcome o = scratch ? OK : err_set(err, ERROR, "push_wait: out of memory");
    while (o == OK) {
        o = push_read(db, enrollment_ids, n, scratch, out, nout, err);
        if (o != OK || all_settled(*out, *nout) || clock_mono() >= end)
            break;
        arena_reset(scratch);
        nanosleep(&step, NULL);
    }
    arena_free(&scratch);
    *out = NULL;
    *nout = 0;
    return o == OK ? push_read(db, enrollment_ids, n, a, out, nout, err) : o;
}

/* LEFT JOINs: the outbox is read in the order of its index, and a row whose enrollment is gone is
 * seen and given up. life.state 2 is current; enrollment.state 1 with a current life is a device
 * that is being enrolled anew and still has the old one. */
static const struct sql DUE = {
    "push_due_read",
    "SELECT p.enrollment_id, p.wanted_at, " NOW_US ", p.expires_at, p.attempts, p.apns_id, "
    "e.state IN (1, 2) AND l.state = 2, l.id, l.topic, l.push_magic, l.push_token, l.token_at, "
    "IF(l.push_dead_at IS NULL, NULL, COALESCE(l.push_dead_why, 'dead')) "
    "FROM push p LEFT JOIN enrollment e ON e.id = p.enrollment_id "
    "LEFT JOIN life l ON l.id = e.life_id "
    "WHERE p.state = 1 AND p.due_at <= " NOW_US " ORDER BY p.due_at LIMIT ?",
    0};

enum outcome push_due_read(struct db *db, size_t max, struct arena *a, struct push_due **out,
                           size_t *n, struct err *err)
{
    struct rows r;
    *n = 0;
    *out = NULL;
    enum outcome o = db_select(db, &DUE, (struct val[]){val_int((int64_t)max)}, 1, a, &r, err);
    if (o != OK || r.n == 0)
        return o;
    *out = arena_array(a, r.n, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "push_due_read: out of memory");
    for (size_t i = 0; i < r.n; i++) {
        const struct val *v = row_at(&r, i, 0);
        (*out)[i] = (struct push_due){.enrollment_id = v[0].i,
                                      .wanted_at = v[1].i,
                                      .now = v[2].i,
                                      .expires_at = v[3].i,
                                      .attempts = (int)v[4].i,
                                      .apns_id = val_text(&v[5]),
                                      .enrolled = int_or(&v[6], 0) != 0,
                                      .life_id = int_or(&v[7], 0),
                                      .topic = val_text(&v[8]),
                                      .magic = val_text(&v[9]),
                                      .token = val_bytes(&v[10]),
                                      .token_at = int_or(&v[11], 0),
                                      .dead_why = val_text(&v[12])};
    }
    *n = r.n;
    return OK;
}

static const struct sql CLAIM = {"push_claim",
                                 "UPDATE push FORCE INDEX (PRIMARY) SET state = 2, due_at = ? "
                                 "WHERE state = 1 AND enrollment_id IN (%IN%)",
                                 1};
static const struct sql SENT = {"push_sent",
                                "UPDATE push FORCE INDEX (PRIMARY) SET state = 3, due_at = " NOW_US
                                ", attempts = attempts + 1, sent_at = " NOW_US ", last_at = " NOW_US
                                ", last_status = 200, last_reason = '' "
                                "WHERE state = 2 AND due_at = ? AND enrollment_id IN (%IN%)",
                                1};
static const struct sql APPLY = {
    "push_apply",
    "UPDATE push SET state = ?, due_at = " NOW_US " + ?, attempts = attempts + ?, "
    "apns_id = COALESCE(?, apns_id), sent_at = IF(state = 3, " NOW_US ", sent_at), "
    "last_at = IF(? = 1, " NOW_US ", last_at), last_status = COALESCE(?, last_status), "
    "last_reason = COALESCE(?, last_reason) WHERE enrollment_id = ? "
    "AND IF(? = 0, state = 1 AND wanted_at = ?, state = 2 AND due_at = ?)",
    0};
#define APPLY_ARGS 11

static const struct sql DEAD_LIFE = {
    "push_dead_life",
    "UPDATE life SET push_dead_at = " NOW_US ", push_dead_why = ? "
    "WHERE id = ? AND push_token = ? AND COALESCE(token_at, 0) = ?",
    0};

static void apply_args(const struct push_change *c, struct val *v)
{
    v[0] = val_int(c->state);
    v[1] = val_int(c->delay_us);
    v[2] = val_int(c->tried);
    v[3] = val_str(c->apns_id);
    v[4] = val_int(c->tried);
    v[5] = c->tried ? val_int(c->status) : val_null();
    v[6] = c->reason ? val_strn(c->reason, strnlen(c->reason, REASON_MAX)) : val_null();
    v[7] = val_int(c->enrollment_id);
    v[8] = val_int(c->claim);
    v[9] = val_int(c->wanted_at);
    v[10] = val_int(c->claim);
}

/* Marks the life's token dead; if it has a newer one, the change becomes a wish due now. */
static enum outcome dead_apply(struct db *db, const struct push_change *c, struct val *v,
                               struct err *err)
{
    uint64_t hit = 0;
    if (!c->tried) /* it was marked before */
        return OK;
    enum outcome o =
        db_exec(db, &DEAD_LIFE,
                (struct val[]){val_strn(c->reason, strnlen(c->reason, 64)), val_int(c->life_id),
                               val_bin(c->token), val_int(c->token_at)},
                4, &hit, err);
    if (o == OK && hit == 0) {
        v[0] = val_int(PUSH_WANTED);
        v[1] = val_int(0);
    }
    return o;
}

/* The two that are many get one statement for all: new claims, and pushes that went well. */
static bool is_claim(const struct push_change *c)
{
    return c->state == PUSH_CLAIMED;
}

static bool is_plain_sent(const struct push_change *c)
{
    return c->state == PUSH_SENT && c->claim != 0 && !c->apns_id && c->status == 200;
}

struct apply {
    const struct push_change *changes;
    size_t n;
    struct val *args; /* of the others, APPLY_ARGS each */
    struct val *ids;  /* of those that share a statement */
    struct arena *arena;
};

/* Runs sql for the changes of a kind, those with the same mark together. */
static enum outcome apply_kind(struct db *db, struct apply *a, const struct sql *sql,
                               bool (*kind)(const struct push_change *), struct err *err)
{
    enum outcome o = OK;
    int64_t done = 0; /* marks up to this one are done: they only grow */
    for (;;) {
        int64_t mark = INT64_MAX;
        size_t n = 0;
        for (size_t i = 0; i < a->n; i++)
            if (kind(&a->changes[i]) && a->changes[i].claim > done && a->changes[i].claim < mark)
                mark = a->changes[i].claim;
        if (mark == INT64_MAX)
            return OK;
        for (size_t i = 0; i < a->n; i++)
            if (kind(&a->changes[i]) && a->changes[i].claim == mark)
                a->ids[n++] = val_int(a->changes[i].enrollment_id);
        o = db_exec_in(db, sql, (struct val[]){val_int(mark)}, 1, a->ids, n, a->arena, NULL, err);
        if (o != OK)
            return o;
        done = mark;
    }
}

/* The others: array-bound, row by row. */
static enum outcome apply_others(struct db *db, struct apply *a, struct err *err)
{
    enum outcome o = OK;
    size_t n = 0;
    for (size_t i = 0; i < a->n && o == OK; i++) {
        const struct push_change *c = &a->changes[i];
        if (is_claim(c) || is_plain_sent(c))
            continue;
        struct val *v = &a->args[APPLY_ARGS * n++];
        apply_args(c, v);
        if (c->state == PUSH_DEAD)
            o = dead_apply(db, c, v, err);
    }
    return o == OK ? db_exec_many(db, &APPLY, a->args, APPLY_ARGS, n, NULL, err) : o;
}

static enum outcome apply_unit(struct db *db, void *arg, struct err *err)
{
    struct apply *a = arg;
    enum outcome o = apply_others(db, a, err);
    if (o == OK)
        o = apply_kind(db, a, &SENT, is_plain_sent, err);
    return o == OK ? apply_kind(db, a, &CLAIM, is_claim, err) : o;
}

static int change_order(const void *a, const void *b)
{
    const struct push_change *x = a, *y = b;
    return (x->enrollment_id > y->enrollment_id) - (x->enrollment_id < y->enrollment_id);
}

enum outcome push_apply(struct db *db, struct push_change *changes, size_t n, struct arena *a,
                        struct err *err)
{
    if (n == 0)
        return OK;
    qsort(changes, n, sizeof *changes, change_order);
    struct apply w = {changes, n, arena_array(a, n * APPLY_ARGS, sizeof *w.args),
                      arena_array(a, n, sizeof *w.ids), a};
    if (!w.args || !w.ids)
        return err_set(err, ERROR, "push_apply: out of memory");
    return db_unit(db, apply_unit, &w, err);
}

static const struct sql CLAIMED = {
    "push_claimed",
    "SELECT enrollment_id FROM push WHERE state = 2 AND due_at < " NOW_US
    " + ? ORDER BY due_at LIMIT ?",
    0};
static const struct sql RELEASE = {
    "push_release",
    "UPDATE push SET state = 1, due_at = " NOW_US " WHERE enrollment_id = ? AND state = 2", 0};
static const struct sql OF_TOPIC = {
    "push_of_topic",
    "SELECT p.enrollment_id FROM push p JOIN enrollment e ON e.id = p.enrollment_id "
    "JOIN life l ON l.id = e.life_id WHERE p.state = 1 AND p.due_at > " NOW_US
    " AND l.topic = ? AND (p.attempts = 0 OR p.last_status IN (0, 400, 403)) LIMIT ?",
    0};
static const struct sql DUE_NOW = {
    "push_due_now", "UPDATE push SET due_at = " NOW_US " WHERE enrollment_id = ? AND state = 1", 0};

static int id_order(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Selects ids with find (whose last argument is a limit) and runs change for each, in chunks, until
 * none is left. */
static enum outcome in_chunks(struct db *db, const struct sql *find, struct val arg,
                              const struct sql *change, uint64_t *changed, struct err *err)
{
    struct arena *a = arena_new(LIM_MB);
    enum outcome o = a ? OK : err_set(err, ERROR, "%s: out of memory", find->name);
    struct rows r = {.n = CHUNK};
    *changed = 0;
    while (o == OK && r.n == CHUNK) {
        uint64_t hit = 0;
        arena_reset(a);
        o = db_select(db, find, (struct val[]){arg, val_int(CHUNK)}, 2, a, &r, err);
        if (o != OK || r.n == 0)
            break;
        int64_t ids[CHUNK];
        for (size_t i = 0; i < r.n; i++)
            ids[i] = row_at(&r, i, 0)->i;
        qsort(ids, r.n, sizeof ids[0], id_order);
        o = each_id(db, change, ids, r.n, &hit, err);
        *changed += hit;
    }
    arena_free(&a);
    return o;
}

enum outcome push_release(struct db *db, bool stale_only, uint64_t *released, struct err *err)
{
    return in_chunks(db, &CLAIMED, val_int(stale_only ? 0 : 365 * DAY_US), &RELEASE, released, err);
}

enum outcome push_topic_due(struct db *db, const char *topic, uint64_t *changed, struct err *err)
{
    return in_chunks(db, &OF_TOPIC, val_str(topic), &DUE_NOW, changed, err);
}
