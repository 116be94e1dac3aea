/*
 * authenticate.c: see authenticate.h. Four round trips to write a batch of new devices or of known
 * ones (enrollments, lives, identities, commit), one more where a known one tells something new.
 */
#include "store/authenticate_int.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"

static const struct sql ADD_ENROLLMENT = {
    "enrollment_add",
    "INSERT INTO enrollment (id, ident, kind, device_id, state, pending_life_id, udid, serial, "
    "device_name, product_name, model, model_name, os_version, build_version, imei, meid, "
    "created_at, last_seen_at) VALUES (?,?,?,?,1,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    0};
#define ADD_ENROLLMENT_ARGS 17
static const struct sql UPDATE_ENROLLMENT = {
    "enrollment_reopen",
    "UPDATE enrollment SET search_due=1, pending_life_id=?, serial=COALESCE(?,serial), "
    "device_name=COALESCE(?,device_name), product_name=COALESCE(?,product_name), "
    "model=COALESCE(?,model), model_name=COALESCE(?,model_name), "
    "os_version=COALESCE(?,os_version), build_version=COALESCE(?,build_version), "
    "imei=COALESCE(?,imei), meid=COALESCE(?,meid) WHERE id=? AND state=? "
    "AND life_id<=>? AND pending_life_id<=>?",
    0};
#define UPDATE_ENROLLMENT_ARGS 14
/* It tells nothing new of itself: no index of the table changes. The row is there; the form of an
 * INSERT is the one that MariaDB runs for a whole array at once. VALUES(ended_at) is the pending
 * life that was read; what is not as it was read stays, and the count of changed rows tells. */
static const struct sql SAME_ENROLLMENT = {
    "enrollment_reopen_same",
    "INSERT INTO enrollment (id, ident, kind, state, life_id, pending_life_id, ended_at, "
    "created_at, last_seen_at) VALUES (?,?,?,?,?,?,?,0,0) ON DUPLICATE KEY UPDATE "
    "pending_life_id=IF(state=VALUES(state) AND life_id<=>VALUES(life_id) AND "
    "pending_life_id<=>VALUES(ended_at), VALUES(pending_life_id), pending_life_id)",
    0};
#define SAME_ENROLLMENT_ARGS 7
/* What the server counts for a row that was changed, not added. */
#define CHANGED 2
static const struct sql ADD_LIFE = {
    "life_add",
    "INSERT INTO life (id, enrollment_id, state, cert_sha256, renewal, topic, opened_at, "
    "handout_id) VALUES (?,?,1,?,?,?,?,?)",
    0};
#define ADD_LIFE_ARGS 7
static const struct sql DROP_PENDING = {"life_replace_pending",
                                        "UPDATE life FORCE INDEX (PRIMARY) SET state=3, over_at=?, "
                                        "over_why='another Authenticate came before its "
                                        "TokenUpdate' WHERE state=1 AND id IN (%IN%)",
                                        1};
/* Two devices that come with one certificate at once: the first one has it. */
static const struct sql BIND = {
    "identity_bind",
    "INSERT INTO identity_cert (sha256, der, serial, subject, not_before, not_after, device_id, "
    "life_id) VALUES (?,?,?,?,?,?,?,?) ON DUPLICATE KEY UPDATE "
    "life_id=IF(device_id IS NULL OR device_id=VALUES(device_id), VALUES(life_id), life_id), "
    "device_id=COALESCE(device_id, VALUES(device_id))",
    0};
#define BIND_ARGS 8
/* A device that authenticates anew may have been erased: an EraseDevice that was delivered must
 * not reach it a second time. */
static const struct sql ERASED = {
    "result_unconfirmed",
    "INSERT INTO result (enrollment_id, command_id, state, queued_at, sent_at, sent_count, "
    "notnow_at, notnow_count, closed_at, closed_why) SELECT q.enrollment_id, q.command_id, 9, "
    "q.queued_at, q.sent_at, q.sent_count, q.notnow_at, q.notnow_count, ?, "
    "'the device enrolled anew after it was sent' FROM queue q FORCE INDEX (PRIMARY) "
    "JOIN command c FORCE INDEX (PRIMARY) ON c.id = q.command_id "
    "WHERE q.enrollment_id IN (%IN%) AND q.sent_count > 0 "
    "AND c.request_type='EraseDevice' ON DUPLICATE KEY UPDATE state=result.state",
    1};
/* What has its result, and no other: an EraseDevice may have been delivered since. */
static const struct sql ERASED_GONE = {
    "queue_remove_erase",
    "DELETE q FROM queue q FORCE INDEX (PRIMARY) JOIN result r FORCE INDEX (PRIMARY) ON "
    "r.enrollment_id = q.enrollment_id AND r.command_id = q.command_id "
    "WHERE q.enrollment_id IN (%IN%)",
    1};

void authenticate_facts(const struct device_facts *f, struct val v[AUTHENTICATE_FACTS])
{
    v[0] = val_cut(f->serial, 64);
    v[1] = val_cut(f->device_name, 255);
    v[2] = val_cut(f->product_name, 64);
    v[3] = val_cut(f->model, 64);
    v[4] = val_cut(f->model_name, 64);
    v[5] = val_cut(f->os_version, 32);
    v[6] = val_cut(f->build_version, 32);
    v[7] = val_cut(f->imei, 32);
    v[8] = val_cut(f->meid, 32);
}

static enum outcome add_new(struct db *db, struct authenticate **x, size_t n, struct arena *a,
                            struct err *err)
{
    struct val *args = arena_array(a, n * ADD_ENROLLMENT_ARGS, sizeof(*args));

    if (args == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < n; i++) {
        struct val *v = args + i * ADD_ENROLLMENT_ARGS;

        v[0] = val_int(x[i]->id_);
        v[1] = val_str(x[i]->id->name);
        v[2] = val_int(x[i]->id->kind);
        v[3] = val_int(x[i]->id_);
        v[4] = val_int(x[i]->life_);
        v[5] = val_str(x[i]->id->udid);
        authenticate_facts(&x[i]->facts, v + 6);
        v[15] = val_int(x[i]->unit.now);
        v[16] = val_int(x[i]->unit.now);
    }
    return db_exec_many(db, &ADD_ENROLLMENT, args, ADD_ENROLLMENT_ARGS, n, NULL, err);
}

/* Those that tell nothing new of themselves: all that changes is the life that waits. */
static bool only_reopens(const struct authenticate *x)
{
    return x->same_ && x->life_ != x->pending_;
}

static void same_args(const struct authenticate *x, struct val *v)
{
    v[0] = val_int(x->id_);
    v[1] = val_str(x->id->name);
    v[2] = val_int(x->id->kind);
    v[3] = val_int(x->state_);
    v[4] = val_id(x->current_);
    v[5] = val_int(x->life_);
    v[6] = val_id(x->pending_);
}

static void reopen_args(const struct authenticate *x, struct val *v)
{
    v[0] = val_int(x->life_);
    authenticate_facts(&x->facts, v + 1);
    v[1 + AUTHENTICATE_FACTS] = val_int(x->id_);
    v[2 + AUTHENTICATE_FACTS] = val_int(x->state_);
    v[3 + AUTHENTICATE_FACTS] = val_id(x->current_);
    v[4 + AUTHENTICATE_FACTS] = val_id(x->pending_);
}

/* CONFLICT: one of them is not as it was read. */
static enum outcome reopen_all(struct db *db, struct authenticate **x, size_t n, struct arena *a,
                               struct err *err)
{
    struct val *same = arena_array(a, n * SAME_ENROLLMENT_ARGS, sizeof(*same)),
               *other = arena_array(a, n * UPDATE_ENROLLMENT_ARGS, sizeof(*other));
    uint64_t same_done = 0, other_done = 0;
    size_t ns = 0, no = 0;
    enum outcome o;

    if (same == NULL || other == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < n; i++)
        if (only_reopens(x[i]))
            same_args(x[i], same + ns++ * SAME_ENROLLMENT_ARGS);
        else
            reopen_args(x[i], other + no++ * UPDATE_ENROLLMENT_ARGS);
    o = db_exec_many(db, &SAME_ENROLLMENT, same, SAME_ENROLLMENT_ARGS, ns, &same_done, err);
    if (o == OK)
        o = db_exec_many(db, &UPDATE_ENROLLMENT, other, UPDATE_ENROLLMENT_ARGS, no, &other_done,
                         err);
    if (o == OK && (same_done != CHANGED * ns || other_done != no))
        o = err_set(err, CONFLICT, "the enrollment has changed meanwhile");
    return o;
}

static enum outcome reopen(struct db *db, struct authenticate **x, size_t n, struct arena *a,
                           struct err *err)
{
    struct val drop[LIM_BATCH], erase[LIM_BATCH], now = val_int(x[0]->unit.now);
    size_t nd = 0, ne = 0;
    enum outcome o;

    for (size_t i = 0; i < n; i++) {
        if (x[i]->unit.now - x[i]->seen_at_ > MINUTE_US)
            batch_touch(x[i]->id_, x[i]->unit.now);
        if (x[i]->sent_)
            erase[ne++] = val_int(x[i]->id_);
        if (x[i]->pending_old_ != 0)
            drop[nd++] = val_int(x[i]->pending_old_);
    }
    if ((o = reopen_all(db, x, n, a, err)) != OK)
        return o;
    if (nd > 0 && (o = db_exec_in(db, &DROP_PENDING, &now, 1, drop, nd, a, NULL, err)) != OK)
        return o;
    if (ne == 0)
        return OK;
    o = db_exec_in(db, &ERASED, &now, 1, erase, ne, a, NULL, err);
    return o == OK ? db_exec_in(db, &ERASED_GONE, NULL, 0, erase, ne, a, NULL, err) : o;
}

static enum outcome add_lives(struct db *db, struct authenticate **x, size_t n, struct err *err)
{
    struct val args[LIM_BATCH * ADD_LIFE_ARGS];
    size_t k = 0;

    for (size_t i = 0; i < n; i++) {
        struct val *v = args + k * ADD_LIFE_ARGS;

        if (x[i]->life_ == x[i]->pending_)
            continue;
        v[0] = val_int(x[i]->life_);
        v[1] = val_int(x[i]->id_);
        v[2] = x[i]->sha256 != NULL ? val_bin(bytes_of(x[i]->sha256, 32)) : val_null();
        v[3] = val_int(x[i]->renewal_);
        v[4] = val_str(x[i]->topic);
        v[5] = val_int(x[i]->unit.now);
        v[6] = val_id(x[i]->handout_);
        k++;
    }
    return db_exec_many(db, &ADD_LIFE, args, ADD_LIFE_ARGS, k, NULL, err);
}

static enum outcome bind_certs(struct db *db, struct authenticate **x, size_t n, struct err *err)
{
    struct val args[LIM_BATCH * BIND_ARGS];
    size_t k = 0;

    for (size_t i = 0; i < n; i++) {
        struct val *v = args + k * BIND_ARGS;

        if (x[i]->sha256 == NULL || !x[i]->cert_moves_)
            continue;
        v[0] = val_bin(bytes_of(x[i]->sha256, 32));
        v[1] = val_bin(x[i]->cert_der);
        v[2] = val_cut(x[i]->cert_serial, 64);
        v[3] = val_cut(x[i]->cert_subject, 512);
        v[4] = val_int(x[i]->cert_not_before);
        v[5] = val_int(x[i]->cert_not_after);
        v[6] = val_int(x[i]->id_);
        v[7] = val_int(x[i]->life_);
        k++;
    }
    return db_exec_many(db, &BIND, args, BIND_ARGS, k, NULL, err);
}

static enum outcome authenticate_write(struct db *db, struct unit **u, size_t n, struct arena *a,
                                       struct err *err)
{
    struct authenticate *all[LIM_BATCH], *fresh[LIM_BATCH], *known[LIM_BATCH];
    size_t na = 0, nf = 0, nk = 0;
    enum outcome o = OK;

    for (size_t i = 0; i < n; i++) {
        struct authenticate *x = authenticate_of(u[i]);

        if (!x->unit.writes)
            continue;
        all[na++] = x;
        if (x->is_new)
            fresh[nf++] = x;
        else
            known[nk++] = x;
    }
    if (nf > 0)
        o = add_new(db, fresh, nf, a, err);
    if (o == OK && nk > 0)
        o = reopen(db, known, nk, a, err);
    if (o == OK)
        o = add_lives(db, all, na, err);
    return o == OK ? bind_certs(db, all, na, err) : o;
}

static const struct unit_kind AUTHENTICATE = {"authenticate", authenticate_prepare,
                                              authenticate_write};

void authenticate_init(struct authenticate *x, struct arena *arena, int64_t now,
                       const uint8_t *sha256, const struct ident *id)
{
    *x = (struct authenticate){.id = id, .sha256 = sha256};
    unit_init(&x->unit, &AUTHENTICATE, arena, now, sha256);
}
