/*
 * exchange.c: see exchange.h. Round trips, whatever the number of units in the batch:
 *   polls with nothing queued   1  (who and head of the queue)
 *   polls with a command        3  (who and head, mark sent, commit), one more for commands that
 *                                  were not sent before (store/bodies.h)
 *   reports, nothing follows    4  (who and two heads, result, dequeue, commit)
 *   both                        5
 *   polls after a NotNow        6  (polls with a command; reset, note, head anew)
 * A report about anything but the head of the queue (a repeated or late one) is looked up alone.
 */
#include "store/exchange.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/bodies.h"
#include "store/putoff.h"
#include "store/queue_state.h"

#include <string.h>

/* enrollment.last_seen_at is true to this */
#define SEEN_EVERY MINUTE_US

/* For a batch of polls. [0] for messages of a device's own channel, [1] for those of its users. */
#define POLL_FROM(from, more)                                                                      \
    "SELECT " WHO_COLUMNS ", e.put_off, " PUTOFF_HEAD("", "") " " from                             \
                                                              "WHERE i.sha256 IN (%IN%)" more
static const struct sql POLL[] = {
    {.name = "exchange_poll", .text = POLL_FROM(WHO_FROM_DEVICE, ""), .tuple = 1},
    {.name = "exchange_poll_user", .text = POLL_FROM(WHO_FROM, WHO_NAMED("%IN%")), .tuple = 1}};

/* For a batch with reports, and the polls among them. What the device has just been sent is the
 * first command that it has not put off: the report's own row comes with it, and the one to send
 * next. To a poll of a device that has put off nothing it is the one to send. */
#define FOLLOWS(offset) PUTOFF_HEAD(" AND h.put_off = 0", offset)
#define BOTH_FROM(from, more)                                                                      \
    "SELECT " WHO_COLUMNS                                                                          \
    ", e.put_off, IF(e.put_off, " PUTOFF_HEAD("", "") ", q.command_id), " FOLLOWS(                 \
        " OFFSET 1") ", q.command_id, c.uuid, q.state, q.queued_at, q.sent_at, q.sent_count, "     \
                     "q.notnow_at, q.notnow_count, q.ticket " from                                 \
                     "LEFT JOIN queue q FORCE INDEX (one) ON q.enrollment_id = e.id AND "          \
                     "q.command_id = " FOLLOWS("") " LEFT JOIN command c FORCE INDEX (PRIMARY) "   \
                                                   "ON c.id = q.command_id WHERE i.sha256 IN "     \
                                                   "(%IN%)" more
static const struct sql BOTH[] = {
    {.name = "exchange_report", .text = BOTH_FROM(WHO_FROM_DEVICE, ""), .tuple = 1},
    {.name = "exchange_report_user", .text = BOTH_FROM(WHO_FROM, WHO_NAMED("%IN%")), .tuple = 1}};

enum {
    R_PUT_OFF = WHO_COLUMNS_N,
    R_HEAD,
    R_NEXT, /* from here on BOTH alone */
    R_COMMAND,
    R_UUID,
    R_STATE,
    R_QUEUED,
    R_SENT,
    R_SENT_COUNT,
    R_NOTNOW,
    R_NOTNOW_COUNT,
    R_TICKET
};

/* digest: the report waits to become inventory (store/digest.h). The order of assignments matters:
 * state is read by those before it. */
static const struct sql RESULT = {
    "result_add",
    "INSERT INTO result (enrollment_id, command_id, state, queued_at, sent_at, sent_count, "
    "notnow_at, notnow_count, closed_at, reported_at, report, digest) "
    "VALUES (?,?,?,?,?,?,?,?,?,?,?,1) ON DUPLICATE KEY UPDATE report = IF(state >= 7, "
    "VALUES(report), report), "
    "reported_at = IF(state >= 7, VALUES(reported_at), reported_at), "
    "digest = IF(state >= 7, 1, digest), "
    "state = IF(state >= 7, VALUES(state), state)",
    0};
#define RESULT_ARGS 11
/* One statement for all of a batch. The hint keeps it off the primary key, of which it knows the
 * first column only. */
static const struct sql DEQUEUE = {
    "queue_remove_some",
    "DELETE q FROM queue q FORCE INDEX (one) WHERE (q.enrollment_id, q.command_id) IN (%IN%)", 2};
static const struct sql SEND = {
    "queue_send",
    "UPDATE queue FORCE INDEX (one) SET state = 2, sent_at = ?, "
    "sent_count = LEAST(sent_count + 1, 32000) WHERE (enrollment_id, command_id) IN (%IN%)",
    2};
static const struct sql STILL_QUEUED = {
    "queue_has", "SELECT ticket FROM queue WHERE enrollment_id = ? AND command_id = ?", 0};
static const struct sql UNLOCK_TOKEN = {"life_unlock_token",
                                        "SELECT unlock_token FROM life WHERE id = ?", 0};
static const struct sql FIND = {
    "queue_find",
    "SELECT c.id, q.state, q.queued_at, q.sent_at, q.sent_count, q.notnow_at, q.notnow_count, "
    "q.ticket, r.state FROM command c LEFT JOIN queue q ON q.enrollment_id = ? AND q.command_id = "
    "c.id "
    "LEFT JOIN result r ON r.enrollment_id = ? AND r.command_id = c.id WHERE c.uuid = ?",
    0};

static struct exchange *of(struct unit *u)
{
    return (struct exchange *)u;
}

static bool is_final(enum report_status s)
{
    return s == REPORT_ACKNOWLEDGED || s == REPORT_ERROR || s == REPORT_FORMAT_ERROR;
}

static int final_state(enum report_status s)
{
    return s == REPORT_ACKNOWLEDGED ? QUEUE_ACKNOWLEDGED
           : s == REPORT_ERROR      ? QUEUE_ERROR
                                    : QUEUE_FORMAT_ERROR;
}

/* ---- reading ---- */

/* The rows about the certificates of u[0..n), with the heads of their queues. reports: there are
 * some among them. */
static enum outcome read_rows(struct db *db, struct unit **u, size_t n, bool reports, bool users,
                              struct arena *a, struct rows *r, struct err *err)
{
    struct val list[2 * LIM_BATCH], now[6];

    for (size_t i = 0; i < n; i++) {
        list[i] = val_bin(bytes_of(of(u[i])->sha256, 32));
        list[n + i] = val_str(of(u[i])->id->name); /* for users */
    }
    for (size_t i = 0; i < 6; i++)
        now[i] = val_int(u[0]->now);
    return db_select_in(db, reports ? &BOTH[users] : &POLL[users], now, reports ? 6 : 2, list, n,
                        NULL, 0, a, r, err);
}

static void take_open(struct open_command *c, int64_t command_id, const struct val *state)
{
    c->command_id = command_id;
    c->state = state[0].i;
    c->queued_at = state[1].i;
    c->sent_at = state[2];
    c->sent_count = state[3].i;
    c->notnow_at = state[4];
    c->notnow_count = state[5].i;
    c->ticket = state[6];
}

static void take_row(struct exchange *x, const struct rows *r)
{
    const struct val *v;

    who_judge(r, x->sha256, x->id, &x->who);
    if (x->who.verdict != WHO_GOOD)
        return;
    v = row_at(r, x->who.row, 0);
    if (x->status == REPORT_IDLE) {
        x->next_command_ = x->only ? x->only_command : val_or_0(&v[R_HEAD]);
        x->reset_ = v[R_PUT_OFF].i != 0;
        return;
    }
    /* The command it reports is usually the first; then the second follows. */
    x->head_reported_ = !val_is_null(&v[R_UUID]) && strcmp(v[R_UUID].s, x->uuid) == 0;
    if (x->head_reported_)
        take_open(&x->reported_, v[R_COMMAND].i, &v[R_STATE]); /* to R_TICKET */
    x->next_command_ = x->only ? 0 : val_or_0(&v[x->head_reported_ ? R_NEXT : R_COMMAND]);
}

/* Reads for the messages of devices, or of their users. */
static enum outcome prepare_some(struct db *db, struct unit **u, size_t n, bool users,
                                 struct arena *a, struct err *err)
{
    struct unit *some[LIM_BATCH];
    struct rows r;
    size_t k = 0;
    bool reports = false;
    enum outcome o;

    for (size_t i = 0; i < n; i++) {
        if (ident_is_user(of(u[i])->id) != users)
            continue;
        reports = reports || of(u[i])->status != REPORT_IDLE;
        some[k++] = u[i];
    }
    if (k == 0)
        return OK;
    if ((o = read_rows(db, some, k, reports, users, a, &r, err)) != OK)
        return o;
    for (size_t i = 0; i < k; i++)
        take_row(of(some[i]), &r);
    return OK;
}

static void settle(struct exchange *x, struct db *db, struct arena *a)
{
    if (x->who.verdict == WHO_UNBOUND && !x->only)
        x->unit.outcome = who_look(db, x->sha256, x->id, a, &x->who, &x->unit.err);
    if (x->unit.outcome != OK)
        return;
    if (x->who.verdict == WHO_LEFT && x->who.id != 0 && is_final(x->status) && !x->only) {
        x->unit.writes = true; /* what it was still doing when it left */
        unit_tell(&x->unit, x->who.id, 0);
    }
    if (x->who.verdict != WHO_GOOD)
        return;
    x->unit.writes = x->status != REPORT_IDLE || x->next_command_ != 0;
    unit_tell(&x->unit, x->who.id, 0);
    if (x->unit.now - x->who.last_seen_at > SEEN_EVERY)
        batch_touch(x->who.id, x->unit.now);
}

/* As if nothing had been answered yet: what came before may have been undone. */
static void answer_clear(struct exchange *x)
{
    x->effect = EFFECT_NONE;
    x->command_id = 0;
    x->fill = 0;
    x->fill_from = 0;
    x->closed_ticket = bytes_of(NULL, 0);
}

static enum outcome exchange_prepare(struct db *db, struct unit **u, size_t n, struct arena *a,
                                     struct err *err)
{
    enum outcome o;

    for (size_t i = 0; i < n; i++) {
        answer_clear(of(u[i])); /* it may have nothing to write this time */
        of(u[i])->next_command_ = 0;
        of(u[i])->head_reported_ = of(u[i])->reset_ = false;
    }
    o = prepare_some(db, u, n, false, a, err);
    if (o == OK)
        o = prepare_some(db, u, n, true, a, err);
    for (size_t i = 0; o == OK && i < n; i++)
        settle(of(u[i]), db, a);
    return o;
}

/* ---- writing ---- */

static void result_args(const struct exchange *x, const struct open_command *c, struct val *v)
{
    v[0] = val_int(x->who.id);
    v[1] = val_int(c->command_id);
    v[2] = val_int(final_state(x->status));
    v[3] = val_int(c->queued_at);
    v[4] = c->sent_at;
    v[5] = val_int(c->sent_count);
    v[6] = c->notnow_at;
    v[7] = val_int(c->notnow_count);
    v[8] = val_int(x->unit.now);
    v[9] = val_int(x->unit.now);
    v[10] = val_bin(x->report);
}

static enum outcome close_commands(struct db *db, struct exchange **x, size_t n, struct arena *a,
                                   struct err *err)
{
    struct val *result = arena_array(a, n * RESULT_ARGS, sizeof(*result));
    struct val gone[LIM_BATCH * 2];
    enum outcome o;

    if (result == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < n; i++) {
        result_args(x[i], &x[i]->reported_, result + i * RESULT_ARGS);
        gone[i * 2] = val_int(x[i]->who.id);
        gone[i * 2 + 1] = val_int(x[i]->reported_.command_id);
        x[i]->effect = EFFECT_STORED;
        if (!val_is_null(&x[i]->reported_.ticket))
            x[i]->closed_ticket = arena_bytes(x[i]->unit.arena, val_bytes(&x[i]->reported_.ticket));
    }
    o = db_exec_many(db, &RESULT, result, RESULT_ARGS, n, NULL, err);
    if (o == OK)
        o = db_exec_in(db, &DEQUEUE, NULL, 0, gone, n, a, NULL, err);
    return o;
}

static enum outcome put_off(struct db *db, struct exchange **x, size_t n, struct arena *a,
                            struct err *err)
{
    struct val pairs[LIM_BATCH * 2];

    for (size_t i = 0; i < n; i++) {
        pairs[i * 2] = val_int(x[i]->who.id);
        pairs[i * 2 + 1] = val_int(x[i]->reported_.command_id);
        x[i]->effect = x[i]->reported_.state == QUEUE_SENT ? EFFECT_STORED : EFFECT_REPEATED;
    }
    return putoff_add(db, pairs, n, x[0]->unit.now, a, err);
}

/* A report about a command that is not the head of the queue. */
static enum outcome report_other(struct db *db, struct exchange *x, struct arena *a,
                                 struct err *err)
{
    struct val id = val_int(x->who.id);
    struct open_command c;
    const struct val *v;
    struct rows r;
    enum outcome o;

    x->effect = EFFECT_UNKNOWN;
    o = db_select(db, &FIND, (struct val[]){id, id, val_str(x->uuid)}, 3, a, &r, err);
    if (o != OK || r.n == 0)
        return o;
    v = row_at(&r, 0, 0);
    if (val_is_null(&v[1]) && val_is_null(&v[8]))
        return OK;
    x->effect = EFFECT_REPEATED;
    if (!val_is_null(&v[1])) {
        take_open(&c, v[0].i, &v[1]);
        x->reported_ = c;
        return is_final(x->status) ? close_commands(db, &x, 1, a, err) : put_off(db, &x, 1, a, err);
    }
    if (!is_final(x->status) || v[8].i < QUEUE_CANCELLED)
        return OK;
    /* RESULT's update takes the report and the status, and leaves the times of the row alone */
    c = (struct open_command){
        .command_id = v[0].i, .sent_at = val_null(), .notnow_at = val_null(), .ticket = val_null()};
    x->reported_ = c;
    o = close_commands(db, &x, 1, a, err);
    x->effect = EFFECT_LATE;
    return o;
}

static enum outcome store_reports(struct db *db, struct exchange **x, size_t n, struct arena *a,
                                  struct err *err)
{
    struct exchange *close[LIM_BATCH], *later[LIM_BATCH];
    size_t nc = 0, nl = 0;
    enum outcome o = OK;

    for (size_t i = 0; i < n; i++) {
        if (x[i]->status == REPORT_IDLE || !x[i]->head_reported_)
            continue;
        if (is_final(x[i]->status))
            close[nc++] = x[i];
        else
            later[nl++] = x[i];
    }
    if (nc > 0)
        o = close_commands(db, close, nc, a, err);
    if (o == OK && nl > 0)
        o = put_off(db, later, nl, a, err);
    for (size_t i = 0; o == OK && i < n; i++)
        if (x[i]->status != REPORT_IDLE && !x[i]->head_reported_)
            o = report_other(db, x[i], a, err);
    return o;
}

/* Somebody cancelled a command between the reading and now: it is not sent. */
static enum outcome drop_cancelled(struct db *db, struct exchange **x, size_t n, struct arena *a,
                                   struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        struct rows r;
        enum outcome o = db_select(
            db, &STILL_QUEUED, (struct val[]){val_int(x[i]->who.id), val_int(x[i]->next_command_)},
            2, a, &r, err);

        if (o != OK)
            return o;
        if (r.n == 0)
            x[i]->command_id = 0;
    }
    return OK;
}

/* Before the first command of an exchange: those that were put off are eligible again, and may go
 * before what was the first without them. */
static enum outcome reset(struct db *db, struct exchange **x, size_t n, struct arena *a,
                          struct err *err)
{
    struct val ids[LIM_BATCH];
    struct rows r;
    size_t k = 0;
    enum outcome o;

    for (size_t i = 0; i < n; i++)
        if (x[i]->reset_)
            ids[k++] = val_int(x[i]->who.id);
    if (k == 0)
        return OK;
    o = putoff_end(db, ids, k, x[0]->unit.now, a, &r, err);
    for (size_t i = 0; o == OK && i < n; i++)
        for (size_t j = 0; x[i]->reset_ && !x[i]->only && j < r.n; j++)
            if (row_at(&r, j, 0)->i == x[i]->who.id && !val_is_null(row_at(&r, j, 1)))
                x[i]->next_command_ = row_at(&r, j, 1)->i;
    return o;
}

static enum outcome mark_sent(struct db *db, struct exchange **x, size_t n, struct arena *a,
                              struct err *err)
{
    struct val keys[LIM_BATCH * 2], now = val_int(x[0]->unit.now);
    uint64_t affected = 0;
    enum outcome o = reset(db, x, n, a, err);

    for (size_t i = 0; i < n; i++) {
        x[i]->command_id = x[i]->next_command_;
        keys[i * 2] = val_int(x[i]->who.id);
        keys[i * 2 + 1] = val_int(x[i]->next_command_);
        if (x[i]->unit.now > now.i)
            now.i = x[i]->unit.now;
    }
    if (o == OK)
        o = db_exec_in(db, &SEND, &now, 1, keys, n, a, &affected, err);
    /* fewer: one was cancelled */
    return o == OK && affected != n ? drop_cancelled(db, x, n, a, err) : o;
}

static enum outcome fill(struct db *db, struct exchange *x, struct err *err)
{
    struct rows ticket, token;
    enum outcome o;

    o = db_select(db, &STILL_QUEUED, (struct val[]){val_int(x->who.id), val_int(x->command_id)}, 2,
                  x->unit.arena, &ticket, err);
    if (o == OK)
        o = db_select(db, &UNLOCK_TOKEN, (struct val[]){val_int(x->who.life_id)}, 1, x->unit.arena,
                      &token, err);
    if (o != OK)
        return o;
    x->ticket = ticket.n > 0 ? val_bytes(row_at(&ticket, 0, 0)) : bytes_of(NULL, 0);
    x->unlock_token = token.n > 0 ? val_bytes(row_at(&token, 0, 0)) : bytes_of(NULL, 0);
    return OK;
}

static enum outcome give_body(struct db *db, struct exchange *x, const struct body *b,
                              struct err *err)
{
    x->command_uuid = arena_strdup(x->unit.arena, b->uuid);
    x->request_type = arena_strdup(x->unit.arena, b->request_type);
    x->body = arena_bytes(x->unit.arena, b->body);
    x->sealed = arena_bytes(x->unit.arena, b->sealed);
    if (x->command_uuid == NULL || x->request_type == NULL || x->body.p == NULL ||
        (x->sealed.p == NULL && b->sealed.n > 0))
        return err_set(err, ERROR, "out of memory");
    x->fill = (int)b->fill;
    x->fill_from = b->fill_from;
    return b->fill & COMMAND_FILL_UNLOCK_TOKEN ? fill(db, x, err) : OK;
}

static enum outcome give_commands(struct db *db, struct exchange **x, size_t n, struct arena *a,
                                  struct err *err)
{
    struct body body[LIM_BATCH];
    int64_t ids[LIM_BATCH];
    size_t which[LIM_BATCH], k = 0;
    enum outcome o;

    for (size_t i = 0; i < n; i++) {
        size_t j = 0;

        while (j < k && ids[j] != x[i]->command_id)
            j++;
        which[i] = j;
        if (j == k && x[i]->command_id != 0)
            ids[k++] = x[i]->command_id;
    }
    o = bodies_get(db, ids, k, a, body, err);
    for (size_t i = 0; o == OK && i < n; i++)
        if (x[i]->command_id != 0)
            o = give_body(db, x[i], &body[which[i]], err);
    return o;
}

static enum outcome exchange_write(struct db *db, struct unit **u, size_t n, struct arena *a,
                                   struct err *err)
{
    struct exchange *x[LIM_BATCH], *send[LIM_BATCH];
    size_t nx = 0, ns = 0;
    enum outcome o;

    for (size_t i = 0; i < n; i++) {
        if (!u[i]->writes)
            continue;
        x[nx] = of(u[i]);
        answer_clear(x[nx]);
        if (x[nx]->next_command_ != 0)
            send[ns++] = x[nx];
        nx++;
    }
    o = store_reports(db, x, nx, a, err);
    if (o == OK && ns > 0)
        o = mark_sent(db, send, ns, a, err);
    if (o == OK && ns > 0)
        o = give_commands(db, send, ns, a, err);
    return o;
}

static const struct unit_kind EXCHANGE = {"exchange", exchange_prepare, exchange_write};

void exchange_init(struct exchange *x, struct arena *arena, int64_t now, const uint8_t sha256[32],
                   const struct ident *id)
{
    *x = (struct exchange){.id = id, .sha256 = sha256};
    unit_init(&x->unit, &EXCHANGE, arena, now, sha256);
}
