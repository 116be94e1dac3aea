/* queue.c: putting commands into queues, and taking them out other than by a report. */
#include "store/queue.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "store/audit.h"
#include "store/event.h"
#include "store/id.h"
#include "store/later.h"
#include "store/push.h"
#include "store/who.h"

#include <stdio.h>
#include <stdlib.h>

#define CHUNK LATER_BATCH /* rows of one statement */

static const struct sql FIND = {
    "queue_targets",
    "SELECT ident, id, state FROM enrollment WHERE ident IN (%IN%) AND %SCOPE device_id%", 1};
/* Two that queue with one dedupe key for one enrollment take turns. */
static const struct sql LOCK = {
    "queue_lock", "SELECT id FROM enrollment WHERE id IN (%IN%) ORDER BY id FOR UPDATE", 1};
static const struct sql SAME_KEY = {
    "queue_same_key",
    "SELECT q.enrollment_id, q.command_id, q.sent_count FROM queue q JOIN command c "
    "ON c.id = q.command_id WHERE c.dedupe_key = ? AND q.enrollment_id IN (%IN%)",
    1};
static const struct sql ADD_COMMAND = {
    "command_add",
    "INSERT INTO command (id, uuid, request_type, body, fill, fill_from, dedupe_key, created_at, "
    "created_by, sealed, dropped, reason, retry_of) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
    0};
static const struct sql ADD = {
    "queue_add",
    "INSERT INTO queue (enrollment_id, urgency, queued_at, command_id, state, not_before, "
    "expires_at, ticket) VALUES (?,?,?,?,1,?,?,?)",
    0};
#define ADD_ARGS 7
static const struct sql CLOSE = {
    "queue_close",
    "INSERT INTO result (enrollment_id, command_id, state, queued_at, sent_at, sent_count, "
    "notnow_at, notnow_count, closed_at, closed_why) SELECT enrollment_id, command_id, ?, "
    "queued_at, sent_at, sent_count, notnow_at, notnow_count, ?, ? FROM queue "
    "WHERE (enrollment_id, command_id) IN (%IN%) ON DUPLICATE KEY UPDATE state=result.state",
    2};
static const struct sql REMOVE = {
    "queue_remove", "DELETE FROM queue WHERE (enrollment_id, command_id) IN (%IN%)", 2};
static const struct sql OPEN_ONE = {
    "queue_open_one",
    "SELECT q.enrollment_id, q.command_id, q.sent_count FROM enrollment e JOIN queue q "
    "ON q.enrollment_id = e.id JOIN command c ON c.id = q.command_id "
    "WHERE e.ident=? AND c.uuid=? AND %SCOPE e.device_id% FOR UPDATE",
    0};
static const struct sql OPEN_ALL = {
    "queue_open_all",
    "SELECT q.enrollment_id, q.command_id, q.sent_count FROM enrollment e JOIN queue q "
    "ON q.enrollment_id = e.id WHERE e.ident=? AND %SCOPE e.device_id% FOR UPDATE",
    0};
static const struct sql EXISTS = {
    "enrollment_exists", "SELECT id FROM enrollment WHERE ident=? AND %SCOPE device_id%", 0};
static const struct sql PAST = {
    "queue_past",
    "SELECT enrollment_id, command_id, sent_count FROM queue WHERE expires_at <= ? "
    "ORDER BY expires_at LIMIT ? FOR UPDATE SKIP LOCKED",
    0};

/* ---- queueing ---- */

struct target {
    int64_t id;
    size_t at; /* in the caller's list */
};

struct add {
    struct enqueue *e;
    struct arena *a;
    struct target *t; /* those that take the command, by id */
    size_t n;
};

static int by_text(const void *a, const void *b)
{
    return strcmp((*(const struct val *const *)a)->s, (*(const struct val *const *)b)->s);
}

static int by_id(const void *a, const void *b)
{
    const struct target *x = a, *y = b;

    return x->id != y->id ? (x->id > y->id) - (x->id < y->id) : (x->at > y->at) - (x->at < y->at);
}

/* Looks up idents[from .. from+n) and sorts out those that cannot be sent anything. */
static enum outcome find_targets(struct db *db, struct add *x, size_t from, size_t n,
                                 struct err *err)
{
    struct enqueue *e = x->e;
    struct val list[CHUNK];
    const struct val **known;
    struct rows r;
    enum outcome o;

    for (size_t i = 0; i < n; i++)
        list[i] = val_str(e->idents[from + i]);
    if ((o = db_select_in(db, &FIND, NULL, 0, list, n, NULL, 0, x->a, &r, err)) != OK)
        return o;
    known = arena_array(x->a, r.n + 1, sizeof(*known));
    if (known == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < r.n; i++)
        known[i] = row_at(&r, i, 0);
    qsort(known, r.n, sizeof(*known), by_text);
    for (size_t i = 0; i < n; i++) {
        const struct val *key = &list[i], **hit;

        hit = bsearch(&key, known, r.n, sizeof(*known), by_text);
        e->enrollment_ids[from + i] = hit != NULL ? (*hit)[1].i : 0;
        e->outcomes[from + i] = hit == NULL                          ? ENQUEUE_UNKNOWN
                                : (*hit)[2].i == ENROLLMENT_ENROLLED ? ENQUEUE_OK
                                                                     : ENQUEUE_ENDED;
        if (e->outcomes[from + i] == ENQUEUE_OK)
            x->t[x->n++] = (struct target){(*hit)[1].i, from + i};
    }
    return OK;
}

/* One enrollment named twice takes the command once. */
static void drop_twins(struct add *x)
{
    size_t k = 0;

    qsort(x->t, x->n, sizeof(x->t[0]), by_id);
    for (size_t i = 0; i < x->n; i++)
        if (k == 0 || x->t[k - 1].id != x->t[i].id)
            x->t[k++] = x->t[i];
    x->n = k;
}

static void chunk_ids(const struct add *x, size_t from, size_t n, struct val *list)
{
    for (size_t i = 0; i < n; i++)
        list[i] = val_int(x->t[from + i].id);
}

static enum outcome close_rows(struct db *db, const struct rows *r, int state, const char *why,
                               int64_t now, struct arena *a, struct err *err)
{
    struct val set[] = {val_int(state), val_int(now), val_str(why)}, list[CHUNK * 2];
    enum outcome o = OK;

    for (size_t from = 0, n; o == OK && from < r->n; from += n) {
        n = r->n - from < CHUNK ? r->n - from : CHUNK;
        for (size_t i = 0; i < n; i++)
            memcpy(&list[i * 2], row_at(r, from + i, 0), 2 * sizeof(list[0]));
        o = db_exec_in(db, &CLOSE, set, 3, list, n, a, NULL, err);
        if (o == OK)
            o = db_exec_in(db, &REMOVE, NULL, 0, list, n, a, NULL, err);
        if (o == OK)
            o = event_commands_finished(db, list, n, now, false, a, err);
    }
    return o;
}

static void mark_duplicates(struct add *x, const struct rows *r)
{
    size_t k = 0;

    for (size_t i = 0; i < x->n; i++) {
        bool same = false;

        for (size_t j = 0; !same && j < r->n; j++)
            same = row_at(r, j, 0)->i == x->t[i].id;
        if (same)
            x->e->outcomes[x->t[i].at] = ENQUEUE_DUPLICATE;
        else
            x->t[k++] = x->t[i];
    }
    x->n = k;
}

static enum outcome dedupe(struct db *db, struct add *x, struct err *err)
{
    struct val key = val_str(x->e->dedupe_key), list[CHUNK];
    struct rows all = {0};
    enum outcome o = OK;

    for (size_t from = 0, n; o == OK && from < x->n; from += n) {
        struct rows r;
        struct val *more;

        n = x->n - from < CHUNK ? x->n - from : CHUNK;
        chunk_ids(x, from, n, list);
        if ((o = db_select_in(db, &LOCK, NULL, 0, list, n, NULL, 0, x->a, &r, err)) != OK ||
            (o = db_select_in(db, &SAME_KEY, &key, 1, list, n, NULL, 0, x->a, &r, err)) != OK)
            return o;
        more = arena_array(x->a, (all.n + r.n) * 3 + 1, sizeof(*more));
        if (more == NULL)
            return err_set(err, ERROR, "out of memory");
        if (all.n > 0)
            memcpy(more, all.v, all.n * 3 * sizeof(*more));
        for (size_t i = 0; i < r.n; i++) /* one that was sent is not superseded */
            if (x->e->dedupe == DEDUPE_SKIP || row_at(&r, i, 2)->i == 0)
                memcpy(more + all.n++ * 3, row_at(&r, i, 0), 3 * sizeof(*more));
        all.v = more;
        all.cols = 3;
    }
    if (x->e->dedupe == DEDUPE_SUPERSEDE)
        return close_rows(db, &all, QUEUE_CANCELLED, "superseded", x->e->now, x->a, err);
    mark_duplicates(x, &all);
    return OK;
}

static enum outcome add_command(struct db *db, const struct enqueue *e, int64_t id, struct err *err)
{
    enum outcome o = db_exec(
        db, &ADD_COMMAND,
        (struct val[]){val_int(id), val_str(e->uuid), val_str(e->request_type), val_bin(e->body),
                       val_int(e->fill), val_id(e->fill_from), val_str(e->dedupe_key),
                       val_int(e->now), val_str(e->actor), val_bin(e->sealed), val_str(e->dropped),
                       val_cut(e->reason, 255), val_id(e->retry_of)},
        13, NULL, err);

    return o == CONFLICT ? err_set(err, CONFLICT, "CommandUUID %s was used before", e->uuid) : o;
}

static enum outcome add_rows(struct db *db, const struct add *x, int64_t command_id,
                             struct err *err)
{
    const struct enqueue *e = x->e;
    struct val args[CHUNK * ADD_ARGS];
    enum outcome o = OK;

    for (size_t from = 0, n; o == OK && from < x->n; from += n) {
        n = x->n - from < CHUNK ? x->n - from : CHUNK;
        for (size_t i = 0; i < n; i++) {
            struct val *v = args + i * ADD_ARGS;
            size_t at = x->t[from + i].at;

            v[0] = val_int(x->t[from + i].id);
            v[1] = val_int(-e->priority);
            v[2] = val_int(e->now);
            v[3] = val_int(command_id);
            v[4] = val_int(e->not_before);
            v[5] = e->expires_at != 0 ? val_int(e->expires_at) : val_null();
            v[6] = e->tickets != NULL ? val_bin(e->tickets[at]) : val_null();
        }
        o = db_exec_many(db, &ADD, args, ADD_ARGS, n, NULL, err);
    }
    return o;
}

static enum outcome want_pushes(struct db *db, const struct add *x, struct err *err)
{
    struct push_want want[CHUNK];
    enum outcome o = OK;

    for (size_t from = 0, n; o == OK && from < x->n; from += n) {
        n = x->n - from < CHUNK ? x->n - from : CHUNK;
        for (size_t i = 0; i < n; i++) {
            const struct target *t = &x->t[from + i];

            want[i] =
                (struct push_want){t->id, x->e->apns_ids != NULL ? x->e->apns_ids[t->at] : NULL};
        }
        o = x->e->not_before > x->e->now ? later_add(db, want, n, x->e->not_before, err)
                                         : push_request(db, want, n, x->e->push_keep_s, err);
    }
    return o;
}

static enum outcome add_all(struct db *db, struct add *x, struct err *err)
{
    struct enqueue *e = x->e;
    int64_t id = id_new();
    char detail[96];
    enum outcome o = OK;

    e->command_id = id;
    x->n = 0;
    x->t = arena_array(x->a, e->n + 1, sizeof(*x->t));
    if (x->t == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t from = 0, n; o == OK && from < e->n; from += n) {
        n = e->n - from < CHUNK ? e->n - from : CHUNK;
        o = find_targets(db, x, from, n, err);
    }
    drop_twins(x);
    if (o == OK && e->dedupe_key != NULL)
        o = dedupe(db, x, err);
    if (o != OK)
        return o;
    if (x->n == 0)
        return err_set(err, NOT_FOUND, "no enrollment can take the command");
    snprintf(detail, sizeof(detail), "request_type=%.32s targets=%zu", e->request_type, x->n);
    if ((o = add_command(db, e, id, err)) != OK || (o = add_rows(db, x, id, err)) != OK ||
        (o = audit_add(db, e->actor, "command.queue", e->uuid, detail, err)) != OK)
        return o;
    for (size_t i = 0; o == OK && i < e->nnotes; i++)
        o = audit_add(db, e->actor, e->notes[i].action, e->notes[i].subject, e->notes[i].detail,
                      err);
    if (o != OK)
        return o;
    return e->push ? want_pushes(db, x, err) : OK;
}

static enum outcome add_unit(struct db *db, void *arg, struct err *err)
{
    struct add *x = arg;

    arena_reset(x->a);
    return add_all(db, x, err);
}

enum outcome queue_add_within(struct db *db, struct enqueue *e, struct arena *a, struct err *err)
{
    struct add x = {.e = e, .a = a};

    return add_all(db, &x, err);
}

enum outcome queue_add(struct db *db, struct enqueue *e, struct err *err)
{
    struct add x = {.e = e, .a = arena_new(LIM_ARENA_REQUEST)};
    enum outcome o;

    if (x.a == NULL)
        return err_set(err, ERROR, "out of memory");
    o = db_unit(db, add_unit, &x, err);
    arena_free(&x.a);
    return o;
}

/* ---- cancelling, expiring ---- */

/* Of result.closed_why, 255 characters; the audit log has all of the reason. */
#define ACTOR_KEPT 64
#define WHY_KEPT (255 - 2 - ACTOR_KEPT)

struct cancel {
    const char *ident, *uuid, *actor, *why;
    int64_t now;
    size_t n, sent;
    struct arena *a;
};

static enum outcome cancel_unit(struct db *db, void *arg, struct err *err)
{
    struct cancel *x = arg;
    struct val args[] = {val_str(x->ident), val_str(x->uuid)};
    const char *why, *detail;
    struct rows r;
    enum outcome o;

    arena_reset(x->a);
    if ((o = db_select(db, &EXISTS, args, 1, x->a, &r, err)) != OK)
        return o;
    if (r.n == 0)
        return err_set(err, NOT_FOUND, "there is no enrollment %s", x->ident);
    o = x->uuid != NULL ? db_select(db, &OPEN_ONE, args, 2, x->a, &r, err)
                        : db_select(db, &OPEN_ALL, args, 1, x->a, &r, err);
    if (o != OK)
        return o;
    if (x->uuid != NULL && r.n == 0)
        return err_set(err, NOT_FOUND, "%s has no open command %s", x->ident, x->uuid);
    x->n = r.n;
    x->sent = 0;
    for (size_t i = 0; i < r.n; i++)
        x->sent += row_at(&r, i, 2)->i > 0;
    why = arena_fmt(x->a, "%.*s: %.*s", (int)utf8_prefix(x->actor, ACTOR_KEPT), x->actor,
                    (int)utf8_prefix(x->why, WHY_KEPT), x->why);
    detail = arena_fmt(x->a, "cancelled=%zu sent=%zu why=%.*s", x->n, x->sent,
                       (int)utf8_prefix(x->why, QUEUE_WHY_MAX), x->why);
    if (why == NULL || detail == NULL)
        return err_set(err, ERROR, "out of memory");
    if ((o = close_rows(db, &r, QUEUE_CANCELLED, why, x->now, x->a, err)) != OK)
        return o;
    return audit_add(db, x->actor, "command.cancel", x->uuid != NULL ? x->uuid : x->ident, detail,
                     err);
}

enum outcome queue_cancel(struct db *db, const char *ident, const char *uuid, const char *actor,
                          const char *why, int64_t now, size_t *cancelled, size_t *sent,
                          struct err *err)
{
    struct cancel x = {ident, uuid, actor, why, now, 0, 0, arena_new(LIM_ARENA_REQUEST)};
    enum outcome o;

    if (x.a == NULL)
        return err_set(err, ERROR, "out of memory");
    o = db_unit(db, cancel_unit, &x, err);
    arena_free(&x.a);
    *cancelled = x.n;
    *sent = x.sent;
    return o;
}

static enum outcome expire_unit(struct db *db, void *arg, struct err *err)
{
    struct cancel *x = arg;
    struct rows r;
    enum outcome o;

    arena_reset(x->a);
    o = db_select(db, &PAST, (struct val[]){val_int(x->now), val_int((int64_t)x->sent)}, 2, x->a,
                  &r, err);
    x->n = o == OK ? r.n : 0;
    return o == OK ? close_rows(db, &r, QUEUE_EXPIRED, "its time was over", x->now, x->a, err) : o;
}

enum outcome queue_expire(struct db *db, int64_t now, size_t max, size_t *expired, struct err *err)
{
    struct cancel x = {.now = now, .sent = max, .a = arena_new(LIM_ARENA_REQUEST)};
    enum outcome o;

    *expired = 0;
    if (x.a == NULL)
        return err_set(err, ERROR, "out of memory");
    o = db_unit(db, expire_unit, &x, err);
    arena_free(&x.a);
    *expired = o == OK ? x.n : 0;
    return o;
}
