/* standing_run.c: standing orders, for the agent: see standing.h. */
#include "store/standing.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/rowlock.h"

#define CHUNK 512
#define REASON_CHARS 400
#define ARENA (32u * LIM_MB)
#define BUDGET_US (200 * SECOND_US / 1000)

static const struct sql NEXT = {
    "standing_next",
    "SELECT id, group_id, policy, created_at FROM standing_order WHERE state = 1 AND id >= ? ORDER "
    "BY id LIMIT 1",
    0};
/* What a device gets a command for. A renewal of the identity opens a new life too, and is none. */
#define ENROLLED "IF(l.renewal = 1, 0, COALESCE(e.enrolled_at, 0))"
#define OCCASION "IF(? = 2, " ENROLLED ", GREATEST(m.since, " ENROLLED "))"
static const struct sql MISSING = {
    "standing_missing",
    "SELECT x.id, x.occasion FROM (SELECT m.device_id AS id, " OCCASION
    " AS occasion, d.occasion AS had, d.state, d.done_at FROM group_member m JOIN enrollment e ON "
    "e.id = m.device_id AND e.state = 2 LEFT JOIN life l ON l.id = e.life_id LEFT JOIN "
    "device_order d ON d.enrollment_id = m.device_id AND d.order_id = ? WHERE m.group_id = ? AND "
    "m.device_id > ? AND (? = 0 OR m.device_id = ?)) x WHERE (? <> 2 OR x.occasion >= ?) AND "
    "(x.had IS NULL OR x.had < x.occasion OR (x.state = 6 AND COALESCE(x.done_at, 0) < "
    "x.occasion)) ORDER BY x.id LIMIT ?",
    0};
static const struct sql WANT = {
    "standing_want",
    "INSERT INTO device_order (enrollment_id, order_id, occasion, state, due_at, changed_at) "
    "VALUES (?,?,?,1,?,?) ON DUPLICATE KEY UPDATE occasion = VALUES(occasion), state = 1, attempts "
    "= 0, due_at = VALUES(due_at), reason = '', changed_at = VALUES(changed_at)",
    0};
#define WANT_ARGS 5
static const struct sql DUE = {
    "standing_due",
    "SELECT d.enrollment_id, d.order_id, d.occasion, d.state, d.attempts, e.ident, s.state = 1 AND "
    "e.state = 2 AND m.device_id IS NOT NULL FROM (SELECT * FROM device_order WHERE state = ? AND "
    "due_at <= ? ORDER BY due_at LIMIT ?) d JOIN enrollment e ON e.id = d.enrollment_id JOIN "
    "standing_order s ON s.id = d.order_id LEFT JOIN group_member m ON m.group_id = s.group_id AND "
    "m.device_id = d.enrollment_id ORDER BY d.order_id, d.enrollment_id",
    0};
#define AS_READ "(enrollment_id, order_id, occasion, state) IN (%IN%)"
static const struct sql NOTE = {
    "standing_note",
    "UPDATE device_order FORCE INDEX (PRIMARY) SET state = ?, due_at = ?, reason = ?, changed_at = "
    "? WHERE " AS_READ,
    4};
static const struct sql LOCK = {
    "standing_lock",
    "SELECT enrollment_id FROM device_order FORCE INDEX (PRIMARY) WHERE " AS_READ
    " ORDER BY enrollment_id FOR UPDATE",
    4};
/* The order matters: attempts are made of what the state was. */
static const struct sql QUEUED = {
    "standing_queued",
    "UPDATE device_order FORCE INDEX (PRIMARY) SET attempts = LEAST(IF(state = 3, 1, attempts + "
    "1), 1000), state = 2, command_id = ?, due_at = ?, changed_at = ? WHERE order_id = ? AND "
    "enrollment_id IN (%IN%)",
    1};
#define CLOSED_COLUMNS                                                                             \
    "d.enrollment_id, d.order_id, d.command_id, d.changed_at, d.attempts, s.policy, "              \
    "s.every_days, r.state, r.closed_why, IF(r.state IN (5, 6), r.report, NULL) "
static const struct sql CLOSED = {
    "standing_closed",
    "SELECT " CLOSED_COLUMNS "FROM result r FORCE INDEX (digest) JOIN device_order d FORCE INDEX "
    "(PRIMARY) ON d.enrollment_id = r.enrollment_id AND d.command_id = r.command_id AND d.state = "
    "2 JOIN standing_order s ON s.id = d.order_id WHERE r.digest IN (0, 1, 2, 3) AND r.closed_at "
    ">= ? "
    "LIMIT ?",
    0};
static const struct sql OVERDUE = {
    "standing_overdue",
    "SELECT " CLOSED_COLUMNS ", q.command_id IS NOT NULL FROM device_order d FORCE INDEX (due) "
    "JOIN standing_order s ON s.id = d.order_id LEFT JOIN result r ON r.enrollment_id = "
    "d.enrollment_id AND r.command_id = d.command_id LEFT JOIN queue q ON q.enrollment_id = "
    "d.enrollment_id AND q.command_id = d.command_id WHERE d.state = 2 AND d.due_at <= ? ORDER BY "
    "d.due_at LIMIT ?",
    0};
static const struct sql LATER = {
    "standing_later",
    "UPDATE device_order SET due_at = ? WHERE state = 2 AND (enrollment_id, order_id) IN (%IN%)",
    2};
static const struct sql SETTLE = {
    "standing_settle",
    "UPDATE device_order SET done_at = IF(? = 3, ?, done_at), state = ?, due_at = ?, reason = ?, "
    "changed_at = ? WHERE enrollment_id = ? AND order_id = ? AND state = 2 AND command_id = ?",
    0};
#define SETTLE_ARGS 9

/* ---- planning ---- */

static enum outcome want_some(struct db *db, const struct rows *r, int64_t order, int64_t now,
                              struct err *err)
{
    struct val args[CHUNK * WANT_ARGS], at = val_int(now);
    enum outcome o = OK;

    for (size_t from = 0, k; o == OK && from < r->n; from += k) {
        k = r->n - from < CHUNK ? r->n - from : CHUNK;
        for (size_t i = 0; i < k; i++) {
            struct val *v = args + i * WANT_ARGS;

            v[0] = *row_at(r, from + i, 0);
            v[1] = val_int(order);
            v[2] = *row_at(r, from + i, 1);
            v[3] = v[4] = at;
        }
        o = db_exec_many(db, &WANT, args, WANT_ARGS, k, NULL, err);
    }
    return o;
}

/* The next devices of the order at which the walk stands; false in *more: the order is done. */
static enum outcome step(struct db *db, struct standing_walk *w, size_t max, struct arena *a,
                         bool *more, struct err *err)
{
    struct val only = val_int(w->only);
    struct rows at, r = {0};
    enum outcome o = db_select(db, &NEXT, (struct val[]){val_int(w->order)}, 1, a, &at, err);

    *more = false;
    if (o != OK || at.n == 0) {
        w->done = o == OK;
        return o;
    }
    if (w->order != row_at(&at, 0, 0)->i)
        w->device = 0; /* the one it stood at is gone */
    w->order = row_at(&at, 0, 0)->i;
    o = db_select(db, &MISSING,
                  (struct val[]){*row_at(&at, 0, 2), val_int(w->order), *row_at(&at, 0, 1),
                                 val_int(w->device), only, only, *row_at(&at, 0, 2),
                                 *row_at(&at, 0, 3), val_int((int64_t)max)},
                  9, a, &r, err);
    if (o == OK)
        o = want_some(db, &r, w->order, w->now, err);
    if (o != OK)
        return o;
    w->changes += r.n;
    *more = r.n == max;
    w->device = *more ? row_at(&r, r.n - 1, 0)->i : 0;
    w->order += !*more;
    return OK;
}

enum outcome standing_plan(struct db *db, struct standing_walk *w, size_t max, struct err *err)
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

/* ---- what is due ---- */

enum outcome standing_due(struct db *db, int state, int64_t now, size_t max, struct arena *a,
                          struct standing_due **out, size_t *n, struct err *err)
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
    for (; *n < r.n; ++*n) {
        const struct val *v = row_at(&r, *n, 0);

        (*out)[*n] = (struct standing_due){v[0].i,      v[1].i, v[2].i,     (int)v[3].i,
                                           (int)v[4].i, v[5].s, v[6].i != 0};
    }
    return OK;
}

/* The row as it was read: what has changed since is another. */
#define READ_ARGS 4
static void as_read(const struct standing_due *d, struct val v[READ_ARGS])
{
    v[0] = val_int(d->enrollment_id);
    v[1] = val_int(d->order_id);
    v[2] = val_int(d->occasion);
    v[3] = val_int(d->state);
}

enum outcome standing_note(struct db *db, const struct standing_due *const *d, size_t n, int state,
                           int64_t due_at, const char *reason, int64_t now, struct arena *a,
                           struct err *err)
{
    struct val list[CHUNK * READ_ARGS];
    enum outcome o = OK;

    for (size_t from = 0, k; o == OK && from < n; from += k) {
        k = n - from < CHUNK ? n - from : CHUNK;
        for (size_t i = 0; i < k; i++)
            as_read(d[from + i], list + i * READ_ARGS);
        o = db_exec_in(db, &NOTE,
                       (struct val[]){val_int(state), val_int(due_at),
                                      val_cut(reason, REASON_CHARS), val_int(now)},
                       4, list, k, a, NULL, err);
    }
    return o;
}

/* ---- queueing ---- */

struct queueing {
    const struct standing_due *const *d;
    size_t n, took;
    struct enqueue *e;
    int64_t check_at;
    standing_also_fn *also;
    void *also_arg;
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

/* Those that took the command, noted; and what is to be done besides. */
static enum outcome note_queued(struct db *db, struct queueing *x, struct err *err)
{
    const struct enqueue *e = x->e;
    int64_t *ids = arena_array(x->a, e->n + 1, sizeof *ids);
    const char **idents = arena_array(x->a, e->n + 1, sizeof *idents);
    struct val list[CHUNK];
    enum outcome o = OK;

    if (ids == NULL || idents == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < e->n; i++)
        if (e->outcomes[i] == ENQUEUE_OK) {
            ids[x->took] = e->enrollment_ids[i];
            idents[x->took++] = e->idents[i];
        }
    for (size_t from = 0, k; o == OK && from < x->took; from += k) {
        k = x->took - from < CHUNK ? x->took - from : CHUNK;
        for (size_t i = 0; i < k; i++)
            list[i] = val_int(ids[from + i]);
        o = db_exec_in(db, &QUEUED,
                       (struct val[]){val_int(e->command_id), val_int(x->check_at), val_int(e->now),
                                      val_int(x->d[0]->order_id)},
                       4, list, k, x->a, NULL, err);
    }
    if (o == OK && x->also != NULL)
        o = x->also(db, x->also_arg, ids, idents, x->took, x->a, err);
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

enum outcome standing_queue(struct db *db, const struct standing_due *const *d, size_t n,
                            struct enqueue *e, int64_t check_at, standing_also_fn *also, void *arg,
                            size_t *queued, struct err *err)
{
    struct queueing x = {.d = d,
                         .n = n,
                         .e = e,
                         .check_at = check_at,
                         .also = also,
                         .also_arg = arg,
                         .a = arena_new(ARENA)};
    enum outcome o =
        x.a != NULL ? db_unit(db, queue_unit, &x, err) : err_set(err, ERROR, "out of memory");

    *queued = o == OK ? x.took : 0;
    arena_free(&x.a);
    return o == NOT_FOUND ? OK : o; /* none of them is enrolled any more */
}

/* ---- what became of it ---- */

static enum outcome look_later(struct db *db, const struct rows *r, int64_t check_at,
                               struct arena *a, struct err *err)
{
    struct val list[CHUNK * 2], at = val_int(check_at);
    size_t k = 0;
    enum outcome o = OK;

    for (size_t i = 0; o == OK && i <= r->n; i++) {
        if (i < r->n && row_at(r, i, 10)->i != 0) {
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

enum outcome standing_closed(struct db *db, int64_t since, int64_t now, int64_t check_at,
                             size_t max, struct arena *a, struct standing_closed **out, size_t *n,
                             struct err *err)
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
    for (size_t i = 0; i < r.n; i++) {
        const struct val *v = row_at(&r, i, 0);

        if (since == 0 && v[10].i != 0)
            continue;
        (*out)[(*n)++] = (struct standing_closed){.enrollment_id = v[0].i,
                                                  .order_id = v[1].i,
                                                  .command_id = v[2].i,
                                                  .queued_at = v[3].i,
                                                  .attempts = (int)v[4].i,
                                                  .policy = (int)v[5].i,
                                                  .every_days = (int)v[6].i,
                                                  .state = (int)val_or_0(&v[7]),
                                                  .closed_why = val_text(&v[8]),
                                                  .report = val_bytes(&v[9])};
    }
    return OK;
}

enum outcome standing_settle(struct db *db, const struct standing_closed *c, size_t n, int64_t now,
                             struct err *err)
{
    struct val args[CHUNK * SETTLE_ARGS], at = val_int(now);
    enum outcome o = OK;

    for (size_t from = 0, k; o == OK && from < n; from += k) {
        k = n - from < CHUNK ? n - from : CHUNK;
        for (size_t i = 0; i < k; i++) {
            const struct standing_closed *x = &c[from + i];
            struct val *v = args + i * SETTLE_ARGS;

            v[0] = v[2] = val_int(x->next);
            v[1] = v[5] = at;
            v[3] = val_int(x->due_at);
            v[4] = val_cut(x->reason, REASON_CHARS);
            v[6] = val_int(x->enrollment_id);
            v[7] = val_int(x->order_id);
            v[8] = val_int(x->command_id);
        }
        o = db_exec_many(db, &SETTLE, args, SETTLE_ARGS, k, NULL, err);
    }
    return o;
}
