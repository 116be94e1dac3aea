/* converge_standing.c: commands that the devices of groups get by themselves: see converge.h. */
#include "library/converge_int.h"

#include "base/limits.h"
#include "base/log.h"
#include "command/consent.h"
#include "command/secrets.h"
#include "library/standing.h"
#include "store/audit.h"
#include "wire/sign.h"

#include <stdio.h>

#define CHECK_US (10 * MINUTE_US)
#define WAIT_US (10 * MINUTE_US)
#define APPROVAL_US HOUR_US /* what waits for a second person is looked at, whatever happened */
#define REQUEST_US MINUTE_US
#define TRIES 5 /* commands that fail, before the order waits for a person or its next turn */

enum outcome converge_standing_plan(struct converge *c, struct err *err)
{
    size_t before = c->orders.changes;
    enum outcome o = standing_plan(c->db, &c->orders, CONVERGE_SOME, err);

    c->did += c->orders.changes - before;
    if (o == OK && c->orders.done && c->orders.changes > 0)
        log_msg(LOG_LEVEL_INFO, "converge.orders", "%zu commands of groups to be sent",
                c->orders.changes);
    return o;
}

/* ---- acting ---- */

/* Devices that are due for one order. */
struct batch_of {
    const struct standing_due **d;
    size_t n;
    struct standing s;
    bool sensitive; /* the command */
    struct order order;
    const struct conf *conf;
    int64_t now;
};

/* The keys of an order; the caller frees them. */
static enum outcome keys_of(const struct standing *s, js *out, struct err *err)
{
    struct buf text = BUF_INIT(LIM_MB);
    char owner[32];
    enum outcome o = OK;

    snprintf(owner, sizeof owner, "%lld", (long long)s->id);
    if (s->sealed.n > 0)
        o = sign_unseal("StandingOrder", owner, s->sealed, bytes_of(NULL, 0), "", &text, err);
    else
        buf_str(&text, s->keys);
    if (o == OK)
        o = js_parse(buf_bytes(&text), out, err);
    buf_wipe(&text);
    return o;
}

static enum outcome note(struct converge *c, const struct batch_of *b,
                         const struct standing_due *const *d, size_t n, int state, int64_t due_at,
                         const char *reason, struct err *err)
{
    c->did += n;
    return n > 0 ? standing_note(c->db, d, n, state, due_at, reason, b->now, c->a, err) : OK;
}

/* When what a device cannot have is looked at again: with the next turn, or never. */
static int64_t next_turn(const struct standing *s, int64_t from, int64_t now)
{
    int64_t at = from + s->every_days * DAY_US;

    return s->policy != STANDING_EVERY ? STANDING_NEVER : at > now ? at : now + DAY_US;
}

/* In the unit that queues: a PIN is kept, and a sensitive command is on record. */
static enum outcome also(struct db *db, void *arg, const int64_t *ids, const char *const *idents,
                         size_t n, struct arena *a, struct err *err)
{
    const struct batch_of *b = arg;
    enum outcome o = OK;

    for (size_t i = 0; o == OK && i < n; i++)
        o = order_keep_pin(db, b->conf, a, &b->order, ids[i], idents[i], b->now, err);
    if (o == OK && n > 0 && b->sensitive)
        o = audit_add(db, CONVERGE_ACTOR, "command.sensitive", b->s.request_type,
                      arena_fmt(a, "standing=%lld by=%s enrollments=%zu first=%s reason=%s",
                                (long long)b->s.id, b->s.created_by, n, idents[0], b->s.reason),
                      err);
    return o;
}

static enum outcome part_queue(struct converge *c, struct batch_of *b, const struct order_part *p,
                               const struct standing_due *const *d, size_t n, struct err *err)
{
    struct bytes open = {0}, sealed = {0};
    char key[48];
    size_t queued = 0;
    enum outcome o = secrets_seal_command(c->conf->signer_dir, p->command.uuid, p->command.xml,
                                          c->a, &open, &sealed, err);

    snprintf(key, sizeof key, "standing:%lld", (long long)b->s.id);
    struct enqueue e = {.uuid = p->command.uuid,
                        .request_type = p->command.request_type,
                        .body = open,
                        .sealed = sealed,
                        .dropped = p->dropped,
                        .reason = b->s.reason[0] != '\0' ? b->s.reason : NULL,
                        .dedupe_key = key,
                        .dedupe = DEDUPE_SUPERSEDE,
                        .actor = CONVERGE_ACTOR,
                        .push = true,
                        .push_keep_s = c->conf->apns_expiration_s,
                        .now = b->now};
    if (o == OK)
        o = standing_queue(c->db, d, n, &e, b->now + CHECK_US, also, b, &queued, err);
    if (queued > 0)
        log_msg(LOG_LEVEL_INFO, "converge.ordered", "%s for %zu devices", e.request_type, queued);
    c->did += queued;
    return o;
}

/* Those of the batch that stand in a list of idents, in out. */
static size_t pick(const struct batch_of *b, const char *const *idents, size_t n,
                   const struct standing_due **out)
{
    size_t k = 0;

    for (size_t i = 0; i < b->n; i++)
        for (size_t j = 0; j < n; j++)
            if (strcmp(b->d[i]->ident, idents[j]) == 0) {
                out[k++] = b->d[i];
                break;
            }
    return k;
}

static const char *first_error(const struct findings *f)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->list[i].error)
            return f->list[i].text;
    return "the device cannot have the command";
}

static enum outcome refuse(struct converge *c, struct batch_of *b, struct err *err)
{
    const struct standing_due **d = arena_array(c->a, b->n + 1, sizeof *d);
    const struct checked *k = &b->order.checked;
    enum outcome o = d != NULL ? OK : err_set(err, ERROR, "out of memory");

    for (size_t i = 0; o == OK && i < k->n; i++)
        if (k->groups[i]->found.errors > 0)
            o = note(c, b, d, pick(b, k->groups[i]->idents, k->groups[i]->enrollments, d),
                     ORDER_REFUSED, next_turn(&b->s, b->now, b->now),
                     first_error(&k->groups[i]->found), err);
    return o;
}

/* Checks the command for the devices of a batch and queues it. */
static enum outcome send_batch(struct converge *c, struct batch_of *b, struct err *err)
{
    const struct standing_due **d = arena_array(c->a, b->n + 1, sizeof *d);
    const char **ids = arena_array(c->a, b->n + 1, sizeof *ids);
    js keys = NULL;
    enum outcome o = d != NULL && ids != NULL ? keys_of(&b->s, &keys, err)
                                              : err_set(err, ERROR, "out of memory");

    for (size_t i = 0; o == OK && i < b->n; i++)
        ids[i] = b->d[i]->ident;
    b->order =
        (struct order){.request_type = b->s.request_type, .keys = keys, .ids = ids, .n = b->n};
    if (o == OK)
        o = order_parts(c->db, c->a, &b->order, err);
    if (o == INVALID) /* it was right once, and this program knows better */
        o = note(c, b, b->d, b->n, ORDER_FAILED, next_turn(&b->s, b->now, b->now), err->msg, err);
    else if (o == OK)
        o = refuse(c, b, err);
    for (size_t i = 0; o == OK && i < b->order.nparts; i++) {
        const struct order_part *p = &b->order.parts[i];

        o = part_queue(c, b, p, d, pick(b, p->idents, p->n, d), err);
    }
    js_free(&keys);
    return o;
}

/* Of a sensitive command, where two are asked for, those that a second person has approved it for
 * stay in the batch; the others wait. */
static enum outcome spare_unapproved(struct converge *c, struct batch_of *b, struct err *err)
{
    const struct standing_due **wait = arena_array(c->a, b->n + 1, sizeof *wait);
    bool *approved = arena_array(c->a, b->n + 1, sizeof *approved);
    size_t n = 0, k = 0;
    enum outcome o;

    if (!consent_needed(c->conf, b->sensitive))
        return OK;
    if (wait == NULL || approved == NULL)
        return err_set(err, ERROR, "out of memory");
    o = standing_approved(c->db, b->d, b->n, c->a, approved, err);
    for (size_t i = 0; o == OK && i < b->n; i++) {
        if (approved[i])
            b->d[n++] = b->d[i];
        else
            wait[k++] = b->d[i];
    }
    if (o != OK || k == 0)
        return o;
    b->n = n;
    c->did += k;
    c->next_request = b->now;
    return standing_wait(c->db, wait, k, b->now + APPROVAL_US, b->now, c->a, err);
}

static enum outcome batch_run(struct converge *c, struct batch_of *b, struct err *err)
{
    const struct standing_due **gone = arena_array(c->a, b->n + 1, sizeof *gone);
    size_t n = 0, k = 0, rest;
    enum outcome o = gone != NULL ? standing_get(c->db, 0, b->d[0]->order_id, c->a, &b->s, err)
                                  : err_set(err, ERROR, "out of memory");

    if (o != OK)
        return o;
    b->sensitive = standing_sensitive(c->db, c->conf, c->a, &b->s);
    for (size_t i = 0; i < b->n; i++) {
        if (b->d[i]->wanted)
            b->d[n++] = b->d[i];
        else
            gone[k++] = b->d[i];
    }
    o = note(c, b, gone, k, ORDER_WITHDRAWN, STANDING_NEVER, "", err);
    b->n = n;
    if (o == OK && n > 0)
        o = spare_unapproved(c, b, err);
    n = b->n;
    /* of a sensitive one not more at once than a person may send */
    rest = b->sensitive && n > ORDER_SENSITIVE_MAX ? ORDER_SENSITIVE_MAX : n;
    b->n = rest;
    return o == OK && b->n > 0 ? send_batch(c, b, err) : o;
}

static enum outcome act_on(struct converge *c, int state, int64_t now, struct err *err)
{
    struct standing_due *list = NULL;
    const struct standing_due **d;
    size_t n = 0;
    enum outcome o;

    arena_reset(c->a);
    o = standing_due(c->db, state, now, CONVERGE_SOME, c->a, &list, &n, err);
    if (o != OK || n == 0)
        return o;
    d = arena_array(c->a, n, sizeof *d);
    if (d == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < n; i++)
        d[i] = &list[i];
    for (size_t from = 0, k; o == OK && from < n; from += k) {
        struct batch_of b = {.d = d + from, .conf = c->conf, .now = now};

        for (k = 1; from + k < n && d[from + k]->order_id == d[from]->order_id;)
            k++;
        b.n = k;
        o = batch_run(c, &b, err);
    }
    return o;
}

/* A second person is asked about those that wait for one. */
static enum outcome request(struct converge *c, int64_t now, struct err *err)
{
    size_t n = 0;
    enum outcome o;

    if (now < c->next_request || strcmp(c->conf->command_approval, "sensitive") != 0)
        return OK;
    c->next_request = now + REQUEST_US;
    o = standing_request(c->db, CONVERGE_ACTOR, now + c->conf->command_approval_hours * HOUR_US,
                         now, &n, err);
    if (n > 0)
        log_msg(LOG_LEVEL_INFO, "converge.approval",
                "%zu commands of groups wait for a second "
                "person",
                n);
    return o;
}

enum outcome converge_standing_act(struct converge *c, int64_t now, struct err *err)
{
    static const int states[] = {ORDER_PENDING, ORDER_FAILED, ORDER_DONE, ORDER_REFUSED,
                                 ORDER_WAITS};
    enum outcome o = OK;

    for (size_t i = 0; o == OK && i < sizeof states / sizeof *states; i++)
        o = act_on(c, states[i], now, err);
    return o == OK ? request(c, now, err) : o;
}

/* ---- following ---- */

static void fail(struct standing_closed *x, int64_t now, const char *reason)
{
    const struct standing s = {.policy = x->policy, .every_days = x->every_days};

    x->next = ORDER_FAILED;
    x->reason = reason;
    x->due_at = x->attempts < TRIES ? now + converge_backoff(x->attempts)
                                    : next_turn(&s, x->queued_at, now);
}

static void judge(struct converge *c, struct standing_closed *x, int64_t now)
{
    const struct standing s = {.policy = x->policy, .every_days = x->every_days};

    x->reason = "";
    switch (x->state) {
    case QUEUE_ACKNOWLEDGED:
        x->next = ORDER_DONE;
        x->due_at = next_turn(&s, x->queued_at, now);
        break;
    case QUEUE_ERROR:
        fail(x, now, converge_error(c->a, x->report));
        break;
    case QUEUE_FORMAT_ERROR:
        fail(x, now, "the device does not understand the command");
        break;
    case QUEUE_CANCELLED:
        fail(x, now, x->closed_why[0] != '\0' ? x->closed_why : "the command was cancelled");
        x->due_at = next_turn(&s, x->queued_at, now); /* by a person: not at once again */
        break;
    case QUEUE_EXPIRED:
    case QUEUE_UNCONFIRMED:
        fail(x, now, "the device did not answer in time");
        break;
    default: /* a queue that was emptied, as a device does that enrols anew */
        x->next = ORDER_PENDING;
        x->due_at = now + WAIT_US;
        break;
    }
}

enum outcome converge_standing_follow(struct converge *c, int64_t since, int64_t now,
                                      struct err *err)
{
    struct standing_closed *x = NULL;
    size_t n = 0;
    enum outcome o;

    arena_reset(c->a);
    o = standing_closed(c->db, since, now, now + CHECK_US, CONVERGE_SOME, c->a, &x, &n, err);
    for (size_t i = 0; o == OK && i < n; i++)
        judge(c, &x[i], now);
    if (o == OK && n > 0)
        o = standing_settle(c->db, x, n, now, err);
    c->did += n;
    return o;
}
