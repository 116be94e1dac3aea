/*
 * authenticate.c: see authenticate.h. Six round trips for a batch of new devices (certificates,
 * devices, enrollments, lives, identities, commit), three more where devices are known, one more
 * where a CheckInURL names its handout.
 */
#include "store/authenticate.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "store/id.h"

#include <string.h>

static const struct sql CERTS = {
    "identity_find",
    "SELECT i.sha256, i.device_id, i.life_id, i.revoked_at, i.renews_device_id, i.issued_at, "
    "i.handout_id, h.udid, h.serial FROM identity_cert i FORCE INDEX (PRIMARY) "
    "LEFT JOIN handout h FORCE INDEX (PRIMARY) ON h.id = i.handout_id "
    "WHERE i.sha256 IN (%IN%)",
    1};
enum { I_SHA, I_DEVICE, I_LIFE, I_REVOKED, I_RENEWS, I_ISSUED, I_HANDOUT, I_UDID, I_SERIAL };

static const struct sql DEVICES = {
    "enrollment_for_authenticate",
    "SELECT e.ident, e.id, e.device_id, e.state, e.life_id, e.pending_life_id, e.ended_at, "
    "p.cert_sha256, EXISTS(SELECT 1 FROM queue q FORCE INDEX (PRIMARY) WHERE "
    "q.enrollment_id = e.id AND q.sent_count > 0), c.token_at, c.handout_id, e.last_seen_at, "
    "e.serial, e.device_name, e.product_name, e.model, e.model_name, e.os_version, "
    "e.build_version, e.imei, e.meid FROM enrollment e FORCE INDEX (ident) "
    "LEFT JOIN life p FORCE INDEX (PRIMARY) ON p.id = e.pending_life_id "
    "LEFT JOIN life c FORCE INDEX (PRIMARY) ON c.id = e.life_id "
    "WHERE e.ident IN (%IN%)",
    1};
enum {
    D_IDENT,
    D_ID,
    D_DEVICE,
    D_STATE,
    D_LIFE,
    D_PENDING,
    D_ENDED,
    D_PENDING_SHA,
    D_SENT,
    D_TOKEN_AT,
    D_HANDOUT,
    D_SEEN,
    D_FACTS /* in the order of fact_args() */
};

/* The word in the CheckInURL of a profile whose identity does not lead to its handout. */
static const struct sql HANDOUTS = {
    "handout_by_token", "SELECT token, id, udid, serial FROM handout WHERE token IN (%IN%)", 1};
enum { H_TOKEN, H_ID, H_UDID, H_SERIAL };

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
/* It tells nothing new of itself: no index of the table changes. */
static const struct sql SAME_ENROLLMENT = {
    "enrollment_reopen_same",
    "UPDATE enrollment SET pending_life_id=? WHERE id=? AND state=? AND life_id<=>? AND "
    "pending_life_id<=>?",
    0};
#define SAME_ENROLLMENT_ARGS 5
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

static struct authenticate *of(struct unit *u)
{
    return (struct authenticate *)u;
}

/* ---- reading ---- */

static const struct val *find(const struct rows *r, const void *key, size_t n)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct val *v = row_at(r, i, 0);

        if (v->n == n && memcmp(v->s, key, n) == 0)
            return v;
    }
    return NULL;
}

/* May a device that somebody ended come back? Only with an identity made since, or with the one
 * that has opened its pending life. */
static bool may_return(const struct authenticate *x, const struct val *cert, const struct val *dev)
{
    int64_t ended_at = val_or_0(&dev[D_ENDED]);

    if (x->sha256 == NULL)
        return true;
    if (cert != NULL && val_or_0(&cert[I_DEVICE]) != 0)
        return val_or_0(&cert[I_LIFE]) == val_or_0(&dev[D_PENDING]);
    if (cert != NULL && val_or_0(&cert[I_RENEWS]) == dev[D_ID].i)
        return false; /* it only renewed what was ended */
    if (cert != NULL && !val_is_null(&cert[I_ISSUED]))
        return cert[I_ISSUED].i > ended_at;
    return x->cert_not_before > ended_at;
}

/* Does it tell another UDID or serial number than it signed for when it was given its profile? */
static bool contradicts(const struct authenticate *x, const struct val *udid,
                        const struct val *serial)
{
    return (!val_is_null(udid) && x->id->kind == IDENT_DEVICE &&
            strcmp(udid->s, x->id->device) != 0) ||
           (!val_is_null(serial) && x->facts.serial != NULL && x->facts.serial[0] != '\0' &&
            strcmp(serial->s, x->facts.serial) != 0);
}

static enum verdict judge(const struct authenticate *x, const struct val *cert,
                          const struct val *dev, const struct val *token)
{
    int64_t bound = cert != NULL ? val_or_0(&cert[I_DEVICE]) : 0;

    if (cert != NULL && !val_is_null(&cert[I_REVOKED]))
        return WHO_REVOKED;
    if (dev != NULL && dev[D_ID].i != dev[D_DEVICE].i)
        return WHO_MISMATCH; /* the name of a user channel */
    if ((cert != NULL && contradicts(x, &cert[I_UDID], &cert[I_SERIAL])) ||
        (token != NULL && contradicts(x, &token[H_UDID], &token[H_SERIAL])))
        return WHO_NOT_ATTESTED;
    if (bound != 0 && (dev == NULL || dev[D_ID].i != bound))
        return WHO_MISMATCH;
    if (dev != NULL && dev[D_STATE].i == ENROLLMENT_ENDED && !may_return(x, cert, dev))
        return WHO_ENDED;
    return WHO_GOOD;
}

#define FACTS 9

static void fact_args(const struct device_facts *f, struct val v[FACTS])
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

/* Has nothing changed of what it tells? What it does not tell stays as it is. */
static bool same_facts(const struct device_facts *f, const struct val *dev)
{
    struct val v[FACTS];

    fact_args(f, v);
    for (size_t i = 0; i < FACTS; i++) {
        const struct val *was = &dev[D_FACTS + i];

        if (!val_is_null(&v[i]) && (val_is_null(was) || was->n != v[i].n ||
                                    (v[i].n > 0 && memcmp(was->s, v[i].s, v[i].n) != 0)))
            return false;
    }
    return true;
}

/* The profile it comes with: that of its identity, of its address, or, when the identity was only
 * renewed, the one it had. */
static int64_t handout_id(const struct authenticate *x, const struct val *cert,
                          const struct val *dev, const struct val *token)
{
    int64_t id = cert != NULL ? val_or_0(&cert[I_HANDOUT]) : 0;

    if (id == 0 && token != NULL)
        id = token[H_ID].i;
    return id == 0 && dev != NULL && x->renewal_ ? val_or_0(&dev[D_HANDOUT]) : id;
}

static void decide(struct authenticate *x, const struct val *cert, const struct val *dev,
                   const struct val *token)
{
    bool again;

    x->verdict = judge(x, cert, dev, token);
    x->is_new = dev == NULL;
    x->unit.writes = x->verdict == WHO_GOOD;
    x->id_ = dev != NULL ? dev[D_ID].i : id_new();
    x->state_ = dev != NULL ? dev[D_STATE].i : 0;
    x->current_ = dev != NULL ? val_or_0(&dev[D_LIFE]) : 0;
    x->pending_ = dev != NULL ? val_or_0(&dev[D_PENDING]) : 0;
    /* the same message once more: the device did not get the answer */
    again = x->pending_ != 0 && x->sha256 != NULL && dev[D_PENDING_SHA].n == 32 &&
            memcmp(dev[D_PENDING_SHA].s, x->sha256, 32) == 0;
    x->life_ = again ? x->pending_ : id_new();
    x->pending_old_ = again ? 0 : x->pending_;
    x->sent_ = dev != NULL && dev[D_SENT].i != 0;
    x->seen_at_ = dev != NULL ? dev[D_SEEN].i : 0;
    x->same_ = dev != NULL && same_facts(&x->facts, dev);
    /* an identity that serves the current life goes on doing so until the TokenUpdate */
    x->cert_moves_ = cert == NULL || x->current_ == 0 || val_or_0(&cert[I_LIFE]) != x->current_;
    x->renewal_ =
        cert != NULL && dev != NULL && val_or_0(&cert[I_RENEWS]) == x->id_ && x->cert_moves_;
    x->handout_ = handout_id(x, cert, dev, token);
    /* held up on its way until the TokenUpdate that followed its twin was done: nothing is new */
    if (!x->cert_moves_ && x->unit.now <= val_or_0(&dev[D_TOKEN_AT]))
        x->unit.writes = false;
    if (x->unit.writes)
        unit_tell(&x->unit, x->id_, 0);
}

static enum outcome authenticate_prepare(struct db *db, struct unit **u, size_t n, struct arena *a,
                                         struct err *err)
{
    struct val sha[LIM_BATCH] = {{0}}, ident[LIM_BATCH] = {{0}}, token[LIM_BATCH] = {{0}};
    struct rows certs = {0}, devices, handouts = {0};
    size_t ns = 0, nt = 0;
    enum outcome o;

    for (size_t i = 0; i < n; i++) {
        ident[i] = val_str(of(u[i])->id->name);
        if (of(u[i])->sha256 != NULL)
            sha[ns++] = val_bin(bytes_of(of(u[i])->sha256, 32));
        if (of(u[i])->token != NULL)
            token[nt++] = val_str(of(u[i])->token);
    }
    if (ns > 0 && (o = db_select_in(db, &CERTS, NULL, 0, sha, ns, NULL, 0, a, &certs, err)) != OK)
        return o;
    if ((o = db_select_in(db, &DEVICES, NULL, 0, ident, n, NULL, 0, a, &devices, err)) != OK)
        return o;
    if (nt > 0 &&
        (o = db_select_in(db, &HANDOUTS, NULL, 0, token, nt, NULL, 0, a, &handouts, err)) != OK)
        return o;
    for (size_t i = 0; i < n; i++) {
        struct authenticate *x = of(u[i]);

        decide(x, x->sha256 != NULL ? find(&certs, x->sha256, 32) : NULL,
               find(&devices, x->id->name, strlen(x->id->name)),
               x->token != NULL ? find(&handouts, x->token, strlen(x->token)) : NULL);
    }
    return OK;
}

/* ---- writing ---- */

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
        fact_args(&x[i]->facts, v + 6);
        v[15] = val_int(x[i]->unit.now);
        v[16] = val_int(x[i]->unit.now);
    }
    return db_exec_many(db, &ADD_ENROLLMENT, args, ADD_ENROLLMENT_ARGS, n, NULL, err);
}

/* Those whose facts have changed, or the others. *updated: how many rows were as they had been
 * read.
 */
static enum outcome reopen_some(struct db *db, struct authenticate **x, size_t n, bool same,
                                struct arena *a, uint64_t *updated, struct err *err)
{
    size_t nargs = same ? SAME_ENROLLMENT_ARGS : UPDATE_ENROLLMENT_ARGS, k = 0;
    struct val *args = arena_array(a, n * nargs, sizeof(*args));

    if (args == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < n; i++) {
        struct val *v = args + k * nargs;

        if (x[i]->same_ != same)
            continue;
        *v++ = val_int(x[i]->life_);
        if (!same) {
            fact_args(&x[i]->facts, v);
            v += FACTS;
        }
        v[0] = val_int(x[i]->id_);
        v[1] = val_int(x[i]->state_);
        v[2] = val_id(x[i]->current_);
        v[3] = val_id(x[i]->pending_);
        k++;
    }
    return db_exec_many(db, same ? &SAME_ENROLLMENT : &UPDATE_ENROLLMENT, args, nargs, k, updated,
                        err);
}

static enum outcome reopen(struct db *db, struct authenticate **x, size_t n, struct arena *a,
                           struct err *err)
{
    struct val drop[LIM_BATCH], erase[LIM_BATCH], now = val_int(x[0]->unit.now);
    size_t nd = 0, ne = 0;
    uint64_t same = 0, changed = 0;
    enum outcome o;

    for (size_t i = 0; i < n; i++) {
        if (x[i]->unit.now - x[i]->seen_at_ > MINUTE_US)
            batch_touch(x[i]->id_, x[i]->unit.now);
        if (x[i]->sent_)
            erase[ne++] = val_int(x[i]->id_);
        if (x[i]->pending_old_ != 0)
            drop[nd++] = val_int(x[i]->pending_old_);
    }
    if ((o = reopen_some(db, x, n, true, a, &same, err)) != OK ||
        (o = reopen_some(db, x, n, false, a, &changed, err)) != OK)
        return o;
    if (same + changed != n)
        return err_set(err, CONFLICT, "the enrollment has changed meanwhile");
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
        struct authenticate *x = of(u[i]);

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
