/* webhook_log.c: what became of events, and sending them again: see webhook.h. */
#include "store/webhook.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/audit.h"
#include "store/id.h"

#include <stdio.h>

#define NOW_US "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"

#define LIST_COLUMNS                                                                               \
    "SELECT d.event_id, e.at, d.topic, e.ident, d.state, d.attempts, d.status, d.failure, "        \
    "d.asked_at, d.due_at, d.done_at FROM webhook_delivery d "
#define LIST_EVENT "JOIN webhook_event e ON e.id = d.event_id "
#define LIST_REST " AND (? < 0 OR d.topic = ?) AND d.event_id < ? ORDER BY d.event_id DESC LIMIT ?"
static const struct sql LIST = {
    "delivery_list",
    LIST_COLUMNS LIST_EVENT "WHERE d.webhook_id = ? AND (? = 0 OR d.state = ?)" LIST_REST, 0};
/* Those of a state that few have are collected; of others a page is near in the order of events. */
#define FEW 5000
static const struct sql HOW_MANY = {
    "delivery_how_many",
    "SELECT COUNT(*) FROM (SELECT 1 FROM webhook_delivery FORCE INDEX (due) WHERE webhook_id = ? "
    "AND state = ? LIMIT ?) AS some",
    0};
static const struct sql LIST_FEW = {
    "delivery_list_few",
    LIST_COLUMNS
    "FORCE INDEX (due) STRAIGHT_JOIN webhook_event e ON e.id = d.event_id WHERE d.webhook_id = ? "
    "AND ? <> 0 AND d.state = ?" LIST_REST,
    0};
/* Of one enrollment: by the index that keeps its order. */
static const struct sql LIST_OF = {
    "delivery_list_of",
    LIST_COLUMNS LIST_EVENT
    "WHERE d.webhook_id = ? AND (? = 0 OR d.state = ?) AND d.enrollment_id IN (SELECT id FROM "
    "enrollment WHERE ident = ?)" LIST_REST,
    0};
static const struct sql ATTEMPTS = {
    "delivery_attempts",
    "SELECT at, took_us, status, failure, answer FROM webhook_attempt WHERE webhook_id = ? AND "
    "event_id = ? ORDER BY at DESC LIMIT ?",
    0};

/* What was sent again in this call may be done again already: asked_at tells. */
#define AGAIN                                                                                      \
    "UPDATE webhook_delivery SET state = 1, attempts = 0, asked_at = ?, due_at = " NOW_US          \
    ", claim = 0, done_at = NULL WHERE webhook_id = ? AND asked_at < ? "
static const struct sql AGAIN_ONE = {"delivery_again", AGAIN "AND event_id = ? AND state <> 1", 0};
static const struct sql AGAIN_DEAD = {"delivery_again_dead", AGAIN "AND state = 3 LIMIT ?", 0};
static const struct sql AGAIN_RANGE = {
    "delivery_again_range", AGAIN "AND event_id >= ? AND event_id < ? AND state <> 1 LIMIT ?", 0};

static enum outcome list_choose(struct db *db, int64_t webhook_id, const struct delivery_filter *f,
                                struct arena *a, const struct sql **out, struct err *err)
{
    struct rows r;
    enum outcome o = OK;

    *out = f->ident != NULL ? &LIST_OF : &LIST;
    if (f->ident != NULL || f->state == 0)
        return OK;
    o = db_select(db, &HOW_MANY,
                  (struct val[]){val_int(webhook_id), val_int(f->state), val_int(FEW)}, 3, a, &r,
                  err);
    if (o == OK && row_at(&r, 0, 0)->i < FEW)
        *out = &LIST_FEW;
    return o;
}

enum outcome delivery_list(struct db *db, int64_t webhook_id, const struct delivery_filter *f,
                           int64_t before, size_t max, struct arena *a, struct delivery **out,
                           size_t *n, struct err *err)
{
    struct val args[8];
    const struct sql *sql;
    size_t k = 0;
    struct rows r;
    enum outcome o = list_choose(db, webhook_id, f, a, &sql, err);

    args[k++] = val_int(webhook_id);
    args[k++] = val_int(f->state);
    args[k++] = val_int(f->state);
    if (f->ident != NULL)
        args[k++] = val_str(f->ident);
    args[k++] = val_int(f->topic);
    args[k++] = val_int(f->topic);
    args[k++] = val_int(before > 0 ? before : INT64_MAX);
    args[k++] = val_int((int64_t)max);
    if (o == OK)
        o = db_select(db, sql, args, k, a, &r, err);
    *n = 0;
    *out = o == OK ? arena_array(a, r.n + 1, sizeof **out) : NULL;
    if (o == OK && *out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; o == OK && i < r.n; i++) {
        const struct val *v = row_at(&r, i, 0);

        (*out)[(*n)++] = (struct delivery){.event_id = v[0].i,
                                           .at = v[1].i,
                                           .topic = (int)v[2].i,
                                           .ident = val_text(&v[3]),
                                           .state = (int)v[4].i,
                                           .attempts = (int)v[5].i,
                                           .status = (int)v[6].i,
                                           .failure = val_text(&v[7]),
                                           .asked_at = v[8].i,
                                           .due_at = v[9].i,
                                           .done_at = val_or_0(&v[10])};
    }
    return o;
}

enum outcome delivery_attempts(struct db *db, int64_t webhook_id, int64_t event_id, struct arena *a,
                               struct delivery_attempt **out, size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &ATTEMPTS,
                  (struct val[]){val_int(webhook_id), val_int(event_id), val_int(ATTEMPTS_SHOWN)},
                  3, a, &r, err);

    *n = 0;
    *out = o == OK ? arena_array(a, r.n + 1, sizeof **out) : NULL;
    if (o == OK && *out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; o == OK && i < r.n; i++) {
        const struct val *v = row_at(&r, i, 0);

        (*out)[(*n)++] = (struct delivery_attempt){v[0].i, v[1].i, (int)v[2].i, val_text(&v[3]),
                                                   val_text(&v[4])};
    }
    return o;
}

static enum outcome again_some(struct db *db, const struct webhook *w, const struct replay *r,
                               int64_t now, uint64_t *hit, struct err *err)
{
    struct val args[6] = {val_int(now), val_int(w->id), val_int(now), val_int(r->event_id),
                          val_int(LIM_PAGE)};

    if (r->event_id != 0) {
        args[2] = val_int(INT64_MAX);
        return db_exec(db, &AGAIN_ONE, args, 4, hit, err);
    }
    if (r->dead) {
        args[3] = val_int(LIM_PAGE);
        return db_exec(db, &AGAIN_DEAD, args, 4, hit, err);
    }
    args[3] = val_int(id_at(r->from));
    args[4] = val_int(id_at(r->to));
    args[5] = val_int(LIM_PAGE);
    return db_exec(db, &AGAIN_RANGE, args, 6, hit, err);
}

static void describe(const struct replay *r, size_t n, char *out, size_t size)
{
    char from[CLOCK_TEXT_MAX], to[CLOCK_TEXT_MAX];

    if (r->event_id != 0)
        snprintf(out, size, "event=%016llx", (unsigned long long)r->event_id);
    else if (r->dead)
        snprintf(out, size, "dead events=%zu", n);
    else
        snprintf(out, size, "from=%s to=%s events=%zu", clock_rfc3339(r->from, false, from),
                 clock_rfc3339(r->to, false, to), n);
}

enum outcome webhook_replay(struct db *db, const struct webhook *w, const struct replay *r,
                            const char *by, int64_t now, size_t *n, struct err *err)
{
    uint64_t hit = LIM_PAGE;
    char detail[160];
    enum outcome o = OK;

    *n = 0;
    while (o == OK && hit == LIM_PAGE && *n < REPLAY_MAX) {
        o = again_some(db, w, r, now, &hit, err);
        *n += o == OK ? (size_t)hit : 0;
    }
    if (o != OK)
        return o;
    if (*n == 0 && r->event_id != 0)
        return err_set(err, NOT_FOUND, "event %016llx was not sent to \"%s\", or waits anyway",
                       (unsigned long long)r->event_id, w->name);
    describe(r, *n, detail, sizeof detail);
    return audit_add(db, by, "webhook.replay", w->name, detail, err);
}
