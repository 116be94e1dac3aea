/*
 * token_update_read.c: whose TokenUpdate it is, and what it begins. One round trip for a batch; one
 * more where a life begins, or one that is over comes back.
 */
#include "store/token_update_int.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/id.h"
#include "store/push.h"

#include <string.h>

/* What the ordinary TokenUpdate needs, a new token of the current life. */
#define WHO_OF(from, more)                                                                         \
    "SELECT " WHO_COLUMNS ", EXISTS(SELECT 1 FROM queue q FORCE INDEX (PRIMARY) WHERE "            \
    "q.enrollment_id = e.id), o.state " from                                                       \
    "LEFT JOIN push o FORCE INDEX (PRIMARY) ON o.enrollment_id = e.id "                            \
    "WHERE i.sha256 IN (%IN%)" more
/* [0] for messages of a device's own channel, [1] for those of its users. */
static const struct sql WHO[] = {
    {.name = "token_update_who", .text = WHO_OF(WHO_FROM_DEVICE, ""), .tuple = 1},
    {.name = "token_update_who_user", .text = WHO_OF(WHO_FROM, WHO_NAMED("%IN%")), .tuple = 1}};
enum { T_QUEUE = WHO_COLUMNS_N, T_PUSH };

/* The life that waits for its TokenUpdate, and what is settled about the one before. */
static const struct sql BEGINS = {
    "token_update_begins",
    "SELECT e.id, p.renewal, p.cert_sha256, EXISTS(SELECT 1 FROM enrollment s FORCE INDEX (device) "
    "WHERE s.device_id = e.id AND s.id <> e.id), GREATEST(COALESCE(e.ended_at, 0), "
    "COALESCE(c.token_at, 0)) FROM enrollment e FORCE INDEX (PRIMARY) "
    "LEFT JOIN life p FORCE INDEX (PRIMARY) ON p.id = e.pending_life_id "
    "LEFT JOIN life c FORCE INDEX (PRIMARY) ON c.id = e.life_id WHERE e.id IN (%IN%)",
    1};
enum { B_ID, B_RENEWAL, B_PENDING_SHA, B_USERS, B_SETTLED };

/* Moved in from another server: no certificate speaks for it. */
static const struct sql BY_IDENT = {
    "token_update_ident",
    "SELECT e.id, e.state, e.life_id, e.pending_life_id FROM enrollment e WHERE e.ident=?", 0};

static const struct sql CAME_FROM = {
    "life_came_from", "SELECT token_at IS NOT NULL, renewal FROM life WHERE id=?", 0};

/* Which channel and which life the message is about; accepted or not. */
static void decide(struct token_update *x)
{
    struct who *w = &x->who;

    x->accepted = x->overtaken = false;
    x->new_channel_ = x->new_life_ = false;
    x->id_ = w->id;
    x->life_ = w->life_id;
    switch (w->verdict) {
    case WHO_GOOD:
        x->new_life_ = x->life_ == 0; /* a user whose device was enrolled anew */
        break;
    case WHO_NO_CHANNEL:
        x->new_channel_ = x->new_life_ = true;
        break;
    case WHO_PENDING:
        if (token_update_is_user(x))
            return; /* the device's own comes first; this one will come again */
        x->life_ = w->cert_life_id;
        break;
    case WHO_OLD:
    case WHO_LEFT:
        /* held up on its way while the device was enrolled anew, or left */
        x->overtaken = x->unit.now <= x->settled_at_;
        if (x->overtaken || token_update_is_user(x) || (x->began_ && !x->accept_restore))
            return;
        x->life_ = w->cert_life_id;
        break;
    default:
        return;
    }
    if (x->new_channel_)
        x->id_ = id_new();
    if (x->new_life_)
        x->life_ = id_new();
    x->accepted = x->unit.writes = true;
    unit_tell(&x->unit, x->id_, x->life_);
    if (x->unit.now - w->last_seen_at > MINUTE_US)
        batch_touch(x->id_, x->unit.now);
}

/* Of the life that a device comes back to: a backup has one that had begun. The other was replaced,
 * by another Authenticate or a CheckOut, before the TokenUpdate that begins it now. */
static enum outcome look_back(struct db *db, struct token_update *x, struct arena *a,
                              struct err *err)
{
    struct val life = val_int(x->who.cert_life_id);
    struct rows r;
    enum outcome o;

    x->began_ = true;
    if (token_update_is_user(x) || (x->who.verdict != WHO_OLD && x->who.verdict != WHO_LEFT))
        return OK;
    o = db_select(db, &CAME_FROM, &life, 1, a, &r, err);
    if (o != OK || r.n == 0 || row_at(&r, 0, 0)->i != 0)
        return o;
    x->began_ = false;
    x->has_users_ = true; /* it may have */
    x->renewal_ = row_at(&r, 0, 1)->i != 0 && !x->awaiting_configuration;
    return OK;
}

static enum outcome look_moved(struct db *db, struct token_update *x, struct arena *a,
                               struct err *err)
{
    struct val ident = val_str(x->id->device);
    struct rows r;
    enum outcome o = db_select(db, &BY_IDENT, &ident, 1, a, &r, err);
    const struct val *v;

    x->who = (struct who){.verdict = WHO_UNBOUND};
    if (o != OK || r.n == 0)
        return o;
    v = row_at(&r, 0, 0);
    x->who.device_id = v[0].i;
    x->who.device_state = (int)v[1].i;
    x->who.device_life_id = val_or_0(&v[2]);
    x->who.device_pending_id = x->who.cert_life_id = val_or_0(&v[3]);
    if (!token_update_is_user(x)) {
        x->who.id = v[0].i;
        x->who.state = (int)v[1].i;
        x->who.life_id = val_or_0(&v[2]);
        x->who.verdict = x->who.cert_life_id != 0 ? WHO_PENDING : WHO_GOOD;
        return OK;
    }
    ident = val_str(x->id->name);
    if ((o = db_select(db, &BY_IDENT, &ident, 1, a, &r, err)) != OK)
        return o;
    x->who.verdict = r.n > 0 ? WHO_GOOD : WHO_NO_CHANNEL;
    if (r.n > 0) {
        x->who.id = row_at(&r, 0, 0)->i;
        x->who.state = (int)row_at(&r, 0, 1)->i;
        x->who.life_id = val_or_0(row_at(&r, 0, 2));
    }
    return OK;
}

/* The device came with the identity that it had: what its Authenticate opened begins now. */
static void begin_again(struct token_update *x, const struct val *pending_sha)
{
    struct who *w = &x->who;

    if (token_update_is_user(x) || (w->verdict != WHO_GOOD && w->verdict != WHO_LEFT) ||
        w->device_pending_id == 0 || pending_sha->n != 32 ||
        memcmp(pending_sha->s, x->sha256, 32) != 0)
        return;
    w->verdict = WHO_PENDING;
    w->cert_life_id = w->device_pending_id;
    x->moves_cert_ = true;
}

static void take_row(struct token_update *x, const struct rows *r)
{
    const struct val *v;

    who_judge(r, x->sha256, x->id, &x->who);
    x->renewal_ = x->has_queue = x->has_users_ = x->push_open_ = x->moves_cert_ = false;
    x->settled_at_ = 0;
    if (x->who.id == 0)
        return;
    v = row_at(r, x->who.row, 0);
    x->has_queue = v[T_QUEUE].i != 0;
    x->push_open_ = !val_is_null(&v[T_PUSH]) && v[T_PUSH].i != PUSH_SENT;
}

/* May it begin a life, or bring back one that is over? */
static bool may_begin(const struct token_update *x)
{
    return x->who.id != 0 && (x->who.device_pending_id != 0 || x->who.verdict == WHO_OLD ||
                              x->who.verdict == WHO_LEFT);
}

static void take_begin(struct token_update *x, const struct val *v)
{
    x->renewal_ = val_or_0(&v[B_RENEWAL]) != 0 && !x->awaiting_configuration;
    x->has_users_ = v[B_USERS].i != 0;
    x->settled_at_ = v[B_SETTLED].i;
    begin_again(x, &v[B_PENDING_SHA]);
}

/* What was read in between has changed when it is written: a CONFLICT, and all is read again. */
static enum outcome read_begins(struct db *db, struct token_update **x, size_t n, struct arena *a,
                                struct err *err)
{
    struct val ids[LIM_BATCH];
    struct rows r;
    size_t k = 0;
    enum outcome o;

    for (size_t i = 0; i < n; i++)
        if (may_begin(x[i]))
            ids[k++] = val_int(x[i]->who.id);
    if (k == 0 || (o = db_select_in(db, &BEGINS, NULL, 0, ids, k, NULL, 0, a, &r, err)) != OK)
        return k == 0 ? OK : o;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; may_begin(x[i]) && j < r.n; j++)
            if (row_at(&r, j, B_ID)->i == x[i]->who.id) {
                take_begin(x[i], row_at(&r, j, 0));
                break;
            }
    return OK;
}

/* Reads for those with a certificate, of devices or of their users. */
static enum outcome prepare_some(struct db *db, struct unit **u, size_t n, bool users,
                                 struct arena *a, struct err *err)
{
    struct val list[2 * LIM_BATCH] = {{0}};
    struct token_update *some[LIM_BATCH];
    struct rows r;
    size_t k = 0;
    enum outcome o;

    for (size_t i = 0; i < n; i++) {
        if (token_update_of(u[i])->sha256 == NULL ||
            token_update_is_user(token_update_of(u[i])) != users)
            continue;
        some[k] = token_update_of(u[i]);
        list[k++] = val_bin(bytes_of(token_update_of(u[i])->sha256, 32));
    }
    if (k == 0)
        return OK;
    for (size_t i = 0; i < k; i++)
        list[k + i] = val_str(some[i]->id->name); /* for users */
    if ((o = db_select_in(db, &WHO[users], NULL, 0, list, k, NULL, 0, a, &r, err)) != OK)
        return o;
    for (size_t i = 0; o == OK && i < k; i++) {
        take_row(some[i], &r);
        if (some[i]->who.verdict == WHO_UNBOUND)
            o = who_look(db, some[i]->sha256, some[i]->id, a, &some[i]->who, err);
    }
    return o == OK ? read_begins(db, some, k, a, err) : o;
}

enum outcome token_update_prepare(struct db *db, struct unit **u, size_t n, struct arena *a,
                                  struct err *err)
{
    enum outcome o = prepare_some(db, u, n, false, a, err);

    if (o == OK)
        o = prepare_some(db, u, n, true, a, err);
    for (size_t i = 0; o == OK && i < n; i++) {
        if (token_update_of(u[i])->sha256 == NULL)
            o = look_moved(db, token_update_of(u[i]), a, err);
        if (o == OK)
            o = look_back(db, token_update_of(u[i]), a, err);
        if (o == OK)
            decide(token_update_of(u[i]));
    }
    return o;
}
