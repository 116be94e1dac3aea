/*
 * token_update.c: see token_update.h. Three round trips for a batch of new tokens (who, lives,
 * commit); six where lives begin (what begins, enrollments, newcomers), and one that replaces
 * another is tidied up one by one.
 */
#include "store/token_update_int.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "store/audit.h"
#include "store/leave.h"
#include "store/push.h"

#include <stdlib.h>
#include <string.h>

/* The life is there; the form of an INSERT is the one that MariaDB runs for a whole array at once,
 * at half the cost. VALUES(state) is the state it was read in: in another one nothing changes, and
 * the count of changed rows tells. state comes last, as those before it read it. */
#define IF_AS_READ(column, value) column "=IF(state=VALUES(state), " value ", " column "), "
/* A device tells the same UnlockToken again and again, each time sealed to other octets: to write
 * these, and in the undo log those before them, is most of what a TokenUpdate writes. */
#define UNLOCK_TOKEN                                                                               \
    "IF(unlock_token IS NOT NULL AND unlock_sha256 = VALUES(unlock_sha256), unlock_token, "        \
    "COALESCE(VALUES(unlock_token), unlock_token))"
static const struct sql SET_LIFE = {
    .name = "life_token",
    .text =
        "INSERT INTO life (topic, push_token, push_magic, unlock_token, unlock_sha256, "
        "awaiting_configuration, not_on_console, token_at, id, state, enrollment_id, "
        "opened_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?) ON DUPLICATE KEY UPDATE " IF_AS_READ(
            "topic", "VALUES(topic)") IF_AS_READ("push_token", "VALUES(push_token)")
            IF_AS_READ("push_magic", "VALUES(push_magic)") IF_AS_READ("unlock_token", UNLOCK_TOKEN)
                IF_AS_READ("unlock_sha256", "COALESCE(VALUES(unlock_sha256), unlock_sha256)")
                    IF_AS_READ("awaiting_configuration", "VALUES(awaiting_configuration)")
                        IF_AS_READ("not_on_console", "VALUES(not_on_console)") IF_AS_READ(
                            "token_at", "VALUES(token_at)") IF_AS_READ("token_update_tally",
                                                                       "token_update_tally + 1")
                            IF_AS_READ("push_dead_at", "NULL") IF_AS_READ("push_dead_why", "NULL")
                                IF_AS_READ("over_at", "NULL") IF_AS_READ(
                                    "over_why", "NULL") "state=IF(state=VALUES(state), 2, state)"};
#define SET_LIFE_ARGS 12
/* What the server counts for a row that was changed, not added. */
#define CHANGED 2
static const struct sql ADD_LIFE = {
    "life_add_user",
    "INSERT INTO life (id, enrollment_id, state, topic, opened_at) VALUES (?,?,2,?,?)", 0};
static const struct sql ADD_CHANNEL = {
    "enrollment_add_user",
    "INSERT INTO enrollment (id, ident, kind, device_id, state, udid, user_id, created_at, "
    "last_seen_at) VALUES (?,?,?,?,1,?,?,?,?)",
    0};
static const struct sql SET_ENROLLMENT = {
    "enrollment_token",
    "UPDATE enrollment SET enrolled_at=IF(life_id<=>? AND state=2, enrolled_at, ?), life_id=?, "
    "state=2, pending_life_id=IF(pending_life_id=?, NULL, pending_life_id), ended_at=NULL, "
    "ended_by=NULL, ended_why=NULL, user_short_name=COALESCE(?,user_short_name), "
    "user_long_name=COALESCE(?,user_long_name), search_due=IF(kind IN (2,3,5), 1, search_due) "
    "WHERE id=? AND state=? AND life_id<=>? "
    "AND pending_life_id<=>?",
    0};
#define SET_ENROLLMENT_ARGS 10
static const struct sql NEWCOMER = {
    "newcomer_add",
    "INSERT INTO newcomer (device_id, at, awaiting, planned) VALUES (?,?,?,?) ON DUPLICATE KEY "
    "UPDATE at = VALUES(at), awaiting = VALUES(awaiting), planned = LEAST(planned, "
    "VALUES(planned))",
    0};
#define NEWCOMER_ARGS 4
/* The life that waited begins: nothing in these differs from device to device. NULL matches none.
 */
#define BEGIN_LIFE                                                                                 \
    "UPDATE enrollment FORCE INDEX (PRIMARY) SET enrolled_at=?, state=2, "                         \
    "life_id=pending_life_id, pending_life_id=NULL, ended_at=NULL, ended_by=NULL, "                \
    "ended_why=NULL WHERE "
static const struct sql BEGIN_FIRST = {
    "enrollment_begin", BEGIN_LIFE "life_id IS NULL AND (id, state, pending_life_id) IN (%IN%)", 3};
static const struct sql BEGIN_NEXT = {
    "enrollment_begin_next", BEGIN_LIFE "(id, state, life_id, pending_life_id) IN (%IN%)", 4};
/* The secrets of a device that was wiped are forgotten. */
static const struct sql CLOSE_LIFE = {
    "life_replaced",
    "UPDATE life FORCE INDEX (PRIMARY) SET state=3, over_at=COALESCE(over_at,?), "
    "over_why=COALESCE(over_why,?), "
    "unlock_token=IF(?,NULL,unlock_token), unlock_sha256=NULL, "
    "bootstrap_token=IF(?,NULL,bootstrap_token) "
    "WHERE id IN (%IN%)",
    1};
static const struct sql CARRY_OVER = {
    "life_carry_over",
    "UPDATE life n JOIN life o ON o.id=? SET n.unlock_token=COALESCE(n.unlock_token, "
    "o.unlock_token), n.bootstrap_token=COALESCE(n.bootstrap_token, o.bootstrap_token) "
    "WHERE n.id=?",
    0};
/* The users of a renewed device stay logged in. */
static const struct sql CARRY_USERS = {
    "user_auth_carry_over", "UPDATE user_auth SET life_id=? WHERE device_id=? AND life_id=?", 0};
static const struct sql CERT_LIFE = {"identity_life",
                                     "UPDATE identity_cert SET life_id=? WHERE sha256=?", 0};
static enum outcome add_channel(struct db *db, const struct token_update *x, struct err *err)
{
    struct val now = val_int(x->unit.now);
    enum outcome o = OK;

    if (x->new_channel_)
        o = db_exec(db, &ADD_CHANNEL,
                    (struct val[]){val_int(x->id_), val_str(x->id->name), val_int(x->id->kind),
                                   val_int(x->who.device_id), val_str(x->id->udid),
                                   val_cut(x->id->user_id, 128), now, now},
                    8, NULL, err);
    if (o == OK && x->new_life_)
        o = db_exec(db, &ADD_LIFE,
                    (struct val[]){val_int(x->life_), val_int(x->id_), val_str(x->topic), now}, 4,
                    NULL, err);
    return o;
}

static bool replaces(const struct token_update *x)
{
    return x->unit.writes && x->who.device_life_id != 0 && x->who.device_life_id != x->life_ &&
           x->who.verdict != WHO_GOOD && x->who.verdict != WHO_NO_CHANNEL;
}

static bool comes_back(const struct token_update *x)
{
    return x->who.verdict == WHO_OLD || x->who.verdict == WHO_LEFT;
}

static bool restored(const struct token_update *x)
{
    return comes_back(x) && x->began_;
}

static bool renewed(const struct token_update *x)
{
    return x->renewal_ && !restored(x);
}

static const char *why_over(const struct token_update *x)
{
    return restored(x) ? "a backup was restored" : "the device was enrolled anew";
}

/* What a life that begins (or comes back) takes from the one before, and what ends with that: what
 * is particular to one device. */
static enum outcome replace_life(struct db *db, const struct token_update *x, struct err *err)
{
    int64_t id = x->who.device_id, now = x->unit.now;
    enum outcome o = OK;

    if (x->sha256 != NULL && (x->moves_cert_ || x->who.cert_life_id != x->life_))
        o = db_exec(db, &CERT_LIFE,
                    (struct val[]){val_int(x->life_), val_bin(bytes_of(x->sha256, 32))}, 2, NULL,
                    err);
    if (o == OK && renewed(x) && x->who.device_life_id != 0)
        o = db_exec(db, &CARRY_OVER,
                    (struct val[]){val_int(x->who.device_life_id), val_int(x->life_)}, 2, NULL,
                    err);
    if (o == OK && renewed(x) && x->has_users_)
        o = db_exec(db, &CARRY_USERS,
                    (struct val[]){val_int(x->life_), val_int(id), val_int(x->who.device_life_id)},
                    3, NULL, err);
    if (o == OK && restored(x))
        o = audit_add(db, "rule:restore", "enrollment.restore", x->id->name,
                      "a TokenUpdate of an earlier installation was accepted", err);
    if (o != OK || renewed(x) || restored(x) || x->who.device_life_id == 0)
        return o;
    if (x->has_queue)
        o = leave_cancel_queue(db, id, now, now, why_over(x), err);
    if (o == OK && x->has_users_)
        o = leave_users(db, id, now, now, why_over(x), err);
    return o;
}

/* Ends the lives that are replaced: those whose secrets go with them, and the others. */
static enum outcome end_lives(struct db *db, struct unit **u, size_t n, struct arena *a,
                              struct err *err)
{
    enum outcome o = OK;

    for (int kind = 0; o == OK && kind < 3; kind++) {
        bool wipe = kind == 0, restore = kind == 2;
        struct val over[LIM_BATCH], how[4] = {{0}};
        size_t k = 0;

        for (size_t i = 0; i < n; i++) {
            struct token_update *x = token_update_of(u[i]);

            if (!replaces(x) || restored(x) != restore || (!restore && renewed(x) == wipe))
                continue;
            how[0] = val_int(x->unit.now);
            how[1] = val_str(why_over(x));
            how[2] = how[3] = val_int(wipe);
            over[k++] = val_int(x->who.device_life_id);
        }
        if (k > 0)
            o = db_exec_in(db, &CLOSE_LIFE, how, 4, over, k, a, NULL, err);
    }
    return o;
}

static void life_args(const struct token_update *x, struct val *v)
{
    v[0] = val_str(x->topic);
    v[1] = val_bin(x->push_token);
    v[2] = val_str(x->push_magic);
    v[3] = x->unlock_token.n > 0 ? val_secret(x->unlock_token) : val_null();
    v[4] = x->unlock_sha256.n > 0 ? val_bin(x->unlock_sha256) : val_null();
    v[5] = val_int(x->awaiting_configuration);
    v[6] = val_int(x->not_on_console);
    v[7] = val_int(x->unit.now);
    v[8] = val_int(x->life_);
    v[9] = val_int(x->who.verdict == WHO_PENDING ? LIFE_PENDING
                   : comes_back(x)               ? LIFE_OVER
                                                 : LIFE_CURRENT);
    v[10] = val_int(x->id_);
    v[11] = val_int(x->unit.now);
}

static void enrollment_args(const struct token_update *x, struct val *v)
{
    v[0] = v[2] = v[3] = val_int(x->life_);
    v[1] = val_int(x->unit.now);
    v[4] = token_update_is_user(x) ? val_cut(x->id->user_short_name, 255) : val_null();
    v[5] = token_update_is_user(x) ? val_cut(x->id->user_long_name, 255) : val_null();
    v[6] = val_int(x->id_);
    /* as it was read; else somebody else has written since */
    v[7] = val_int(x->new_channel_ ? ENROLLMENT_PENDING : x->who.state);
    v[8] = val_id(x->who.life_id);
    v[9] = val_id(token_update_is_user(x) ? 0 : x->who.device_pending_id);
}

/* The life that waited for this TokenUpdate begins. */
static bool begins(const struct token_update *x)
{
    return x->who.verdict == WHO_PENDING;
}

/* A new push token of a device's current life changes that life alone. */
static bool changes_enrollment(const struct token_update *x)
{
    return x->who.verdict != WHO_GOOD || x->new_life_ || token_update_is_user(x);
}

/* The first life of devices, or one that follows another; *updated grows by those that were as they
 * had been read. */
static enum outcome begin_lives(struct db *db, struct unit **u, size_t n, bool next,
                                struct arena *a, uint64_t *updated, struct err *err)
{
    struct val list[4 * LIM_BATCH], at = val_int(0);
    uint64_t done = 0;
    size_t k = 0, m = 0;
    enum outcome o;

    for (size_t i = 0; i < n; i++) {
        const struct token_update *x = token_update_of(u[i]);

        if (!x->unit.writes || !begins(x) || (x->who.life_id != 0) != next)
            continue;
        at.i = x->unit.now > at.i ? x->unit.now : at.i;
        list[k++] = val_int(x->id_);
        list[k++] = val_int(x->who.state);
        if (next)
            list[k++] = val_int(x->who.life_id);
        list[k++] = val_int(x->life_);
        m++;
    }
    if (m == 0)
        return OK;
    o = db_exec_in(db, next ? &BEGIN_NEXT : &BEGIN_FIRST, &at, 1, list, m, a, &done, err);
    *updated += done;
    return o;
}

static int id_order(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Devices and users that have just enrolled: the agent finds what they are to have first, and lets
 * those that wait in Setup Assistant, or at the login, go on. A renewal of the identity changes
 * nothing on the device, nor does a user who logs in again. */
static bool newcomes(const struct token_update *x)
{
    if (token_update_is_user(x))
        return x->new_life_ || x->awaiting_configuration;
    return changes_enrollment(x) && !renewed(x);
}

static enum outcome note_newcomers(struct db *db, struct unit **u, size_t n, struct err *err)
{
    struct val args[LIM_BATCH * NEWCOMER_ARGS];
    size_t k = 0;

    for (size_t i = 0; i < n; i++) {
        struct token_update *x = token_update_of(u[i]);

        if (!x->unit.writes || !newcomes(x))
            continue;
        args[k * NEWCOMER_ARGS] = val_int(x->id_);
        args[k * NEWCOMER_ARGS + 1] = val_int(x->unit.now);
        args[k * NEWCOMER_ARGS + 2] = val_int(x->awaiting_configuration);
        args[k++ * NEWCOMER_ARGS + 3] = val_int(token_update_is_user(x) && !x->new_life_);
    }
    return db_exec_many(db, &NEWCOMER, args, NEWCOMER_ARGS, k, NULL, err);
}

/* A push that the old token did not let through, and one for commands that wait. */
static enum outcome wake(struct db *db, struct unit **u, size_t n, struct err *err)
{
    struct push_want want[LIM_BATCH];
    int64_t revive[LIM_BATCH];
    size_t nw = 0, nr = 0;
    enum outcome o = OK;

    for (size_t i = 0; i < n; i++) {
        struct token_update *x = token_update_of(u[i]);

        if (x->unit.writes && x->push_open_)
            revive[nr++] = x->id_;
        else if (x->unit.writes && x->has_queue)
            want[nw++] = (struct push_want){x->id_, NULL};
    }
    if (nr > 0) {
        qsort(revive, nr, sizeof(revive[0]), id_order);
        o = push_revive(db, revive, nr, err);
    }
    if (o == OK && nw > 0) {
        qsort(want, nw, sizeof(want[0]), id_order); /* the id is its first member */
        o = push_request(db, want, nw, token_update_of(u[0])->push_keep_s, err);
    }
    return o;
}

static enum outcome token_update_write(struct db *db, struct unit **u, size_t n, struct arena *a,
                                       struct err *err)
{
    struct val *life = arena_array(a, n * SET_LIFE_ARGS, sizeof(*life));
    struct val *enr = arena_array(a, n * SET_ENROLLMENT_ARGS, sizeof(*enr));
    uint64_t lives = 0, updated = 0, begun = 0;
    size_t k = 0, ne = 0, nb = 0;
    enum outcome o = OK;

    if (life == NULL || enr == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; o == OK && i < n; i++) {
        struct token_update *x = token_update_of(u[i]);

        if (!x->unit.writes)
            continue;
        o = add_channel(db, x, err);
        if (o == OK && x->who.verdict != WHO_GOOD && x->who.verdict != WHO_NO_CHANNEL)
            o = replace_life(db, x, err);
        life_args(x, life + k++ * SET_LIFE_ARGS);
        if (begins(x))
            nb++;
        else if (changes_enrollment(x))
            enrollment_args(x, enr + ne++ * SET_ENROLLMENT_ARGS);
    }
    if (o == OK)
        o = end_lives(db, u, n, a, err);
    if (o == OK)
        o = db_exec_many(db, &SET_LIFE, life, SET_LIFE_ARGS, k, &lives, err);
    if (o == OK)
        o = db_exec_many(db, &SET_ENROLLMENT, enr, SET_ENROLLMENT_ARGS, ne, &updated, err);
    if (o == OK)
        o = begin_lives(db, u, n, false, a, &begun, err);
    if (o == OK)
        o = begin_lives(db, u, n, true, a, &begun, err);
    if (o == OK && (lives != CHANGED * k || updated != ne || begun != nb))
        o = err_set(err, CONFLICT, "the enrollment has changed meanwhile");
    if (o == OK)
        o = note_newcomers(db, u, n, err);
    return o == OK ? wake(db, u, n, err) : o;
}

static const struct unit_kind TOKEN_UPDATE = {"token-update", token_update_prepare,
                                              token_update_write};

void token_update_init(struct token_update *x, struct arena *arena, int64_t now,
                       const uint8_t *sha256, const struct ident *id)
{
    *x = (struct token_update){.id = id, .sha256 = sha256};
    unit_init(&x->unit, &TOKEN_UPDATE, arena, now, sha256);
}
