/*
 * authenticate_read.c: whose Authenticate it is, whether that may be, and what it opens. Two round
 * trips for a batch (certificates, devices); one more each where a device comes again before its
 * TokenUpdate, or with an identity that it had or renewed, and where a CheckInURL names a handout.
 */
#include "store/authenticate_int.h"

#include "base/limits.h"
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
    "EXISTS(SELECT 1 FROM queue q FORCE INDEX (PRIMARY) WHERE q.enrollment_id = e.id AND "
    "q.sent_count > 0), e.last_seen_at, e.serial, e.device_name, e.product_name, e.model, "
    "e.model_name, e.os_version, e.build_version, e.imei, e.meid "
    "FROM enrollment e FORCE INDEX (ident) WHERE e.ident IN (%IN%)",
    1};
enum {
    D_IDENT,
    D_ID,
    D_DEVICE,
    D_STATE,
    D_LIFE,
    D_PENDING,
    D_ENDED,
    D_SENT,
    D_SEEN,
    D_FACTS /* in the order of authenticate_facts() */
};

/* Of known devices that come again, or with an identity that they had or renewed. */
static const struct sql LIVES = {
    "life_for_authenticate",
    "SELECT id, cert_sha256, token_at, handout_id FROM life FORCE INDEX (PRIMARY) "
    "WHERE id IN (%IN%)",
    1};
enum { L_ID, L_SHA, L_TOKEN_AT, L_HANDOUT };

/* The word in the CheckInURL of a profile whose identity does not lead to its handout. */
static const struct sql HANDOUTS = {
    "handout_by_token", "SELECT token, id, udid, serial FROM handout WHERE token IN (%IN%)", 1};
enum { H_TOKEN, H_ID, H_UDID, H_SERIAL };

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

/* Has nothing changed of what it tells? What it does not tell stays as it is. */
static bool same_facts(const struct device_facts *f, const struct val *dev)
{
    struct val v[AUTHENTICATE_FACTS];

    authenticate_facts(f, v);
    for (size_t i = 0; i < AUTHENTICATE_FACTS; i++) {
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
                          const struct val *current, const struct val *token)
{
    int64_t id = cert != NULL ? val_or_0(&cert[I_HANDOUT]) : 0;

    if (id == 0 && token != NULL)
        id = token[H_ID].i;
    return id == 0 && current != NULL && x->renewal_ ? val_or_0(&current[L_HANDOUT]) : id;
}

static void take_device(struct authenticate *x, const struct val *dev)
{
    x->is_new = dev == NULL;
    x->id_ = dev != NULL ? dev[D_ID].i : id_new();
    x->state_ = dev != NULL ? dev[D_STATE].i : 0;
    x->current_ = dev != NULL ? val_or_0(&dev[D_LIFE]) : 0;
    x->pending_ = dev != NULL ? val_or_0(&dev[D_PENDING]) : 0;
    x->sent_ = dev != NULL && dev[D_SENT].i != 0;
    x->seen_at_ = dev != NULL ? dev[D_SEEN].i : 0;
    x->same_ = dev != NULL && same_facts(&x->facts, dev);
}

static void take_cert(struct authenticate *x, const struct val *cert)
{
    /* an identity that serves the current life goes on doing so until the TokenUpdate */
    x->cert_moves_ = cert == NULL || x->current_ == 0 || val_or_0(&cert[I_LIFE]) != x->current_;
    x->renewal_ =
        cert != NULL && !x->is_new && val_or_0(&cert[I_RENEWS]) == x->id_ && x->cert_moves_;
}

/* The lives that decide() must know; how many. */
static size_t lives_wanted(const struct authenticate *x, struct val list[2])
{
    size_t n = 0;

    if (x->pending_ != 0)
        list[n++] = val_int(x->pending_);
    if (x->current_ != 0 && (x->renewal_ || !x->cert_moves_))
        list[n++] = val_int(x->current_);
    return n;
}

static const struct val *life_of(const struct rows *lives, int64_t id)
{
    for (size_t i = 0; id != 0 && i < lives->n; i++)
        if (row_at(lives, i, L_ID)->i == id)
            return row_at(lives, i, 0);
    return NULL;
}

static void decide(struct authenticate *x, const struct val *cert, const struct val *dev,
                   const struct val *token, const struct rows *lives)
{
    const struct val *pending = life_of(lives, x->pending_), *current = life_of(lives, x->current_);
    bool again;

    x->verdict = judge(x, cert, dev, token);
    x->unit.writes = x->verdict == WHO_GOOD;
    /* the same message once more: the device did not get the answer */
    again = pending != NULL && x->sha256 != NULL && pending[L_SHA].n == 32 &&
            memcmp(pending[L_SHA].s, x->sha256, 32) == 0;
    x->life_ = again ? x->pending_ : id_new();
    x->pending_old_ = again ? 0 : x->pending_;
    x->handout_ = handout_id(x, cert, current, token);
    /* held up on its way until the TokenUpdate that followed its twin was done: nothing is new */
    if (!x->cert_moves_ && current != NULL && x->unit.now <= val_or_0(&current[L_TOKEN_AT]))
        x->unit.writes = false;
    if (x->unit.writes)
        unit_tell(&x->unit, x->id_, 0);
}

static const struct val *cert_row(const struct authenticate *x, const struct rows *certs)
{
    return x->sha256 != NULL ? find(certs, x->sha256, 32) : NULL;
}

static enum outcome read_lives(struct db *db, struct unit **u, size_t n, struct arena *a,
                               struct rows *lives, struct err *err)
{
    struct val list[2 * LIM_BATCH];
    size_t k = 0;

    for (size_t i = 0; i < n; i++)
        k += lives_wanted(authenticate_of(u[i]), list + k);
    return k > 0 ? db_select_in(db, &LIVES, NULL, 0, list, k, NULL, 0, a, lives, err) : OK;
}

enum outcome authenticate_prepare(struct db *db, struct unit **u, size_t n, struct arena *a,
                                  struct err *err)
{
    struct val sha[LIM_BATCH] = {{0}}, ident[LIM_BATCH] = {{0}}, token[LIM_BATCH] = {{0}};
    struct rows certs = {0}, devices, handouts = {0}, lives = {0};
    size_t ns = 0, nt = 0;
    enum outcome o;

    for (size_t i = 0; i < n; i++) {
        ident[i] = val_str(authenticate_of(u[i])->id->name);
        if (authenticate_of(u[i])->sha256 != NULL)
            sha[ns++] = val_bin(bytes_of(authenticate_of(u[i])->sha256, 32));
        if (authenticate_of(u[i])->token != NULL)
            token[nt++] = val_str(authenticate_of(u[i])->token);
    }
    if (ns > 0 && (o = db_select_in(db, &CERTS, NULL, 0, sha, ns, NULL, 0, a, &certs, err)) != OK)
        return o;
    if ((o = db_select_in(db, &DEVICES, NULL, 0, ident, n, NULL, 0, a, &devices, err)) != OK)
        return o;
    if (nt > 0 &&
        (o = db_select_in(db, &HANDOUTS, NULL, 0, token, nt, NULL, 0, a, &handouts, err)) != OK)
        return o;
    for (size_t i = 0; i < n; i++) {
        struct authenticate *x = authenticate_of(u[i]);

        take_device(x, find(&devices, x->id->name, strlen(x->id->name)));
        take_cert(x, cert_row(x, &certs));
    }
    if ((o = read_lives(db, u, n, a, &lives, err)) != OK)
        return o;
    for (size_t i = 0; i < n; i++) {
        struct authenticate *x = authenticate_of(u[i]);

        decide(x, cert_row(x, &certs), find(&devices, x->id->name, strlen(x->id->name)),
               x->token != NULL ? find(&handouts, x->token, strlen(x->token)) : NULL, &lives);
    }
    return OK;
}
