/* who.c: see who.h. */
#include "store/who.h"

#include "store/audit.h"

#include <string.h>

enum {
    C_SHA,
    C_CERT_LIFE,
    C_REVOKED,
    C_RENEWS,
    C_ID,
    C_IDENT,
    C_DEVICE,
    C_STATE,
    C_LIFE,
    C_PENDING,
    C_SEEN
};

static const struct sql BY_CERT = {
    "who_by_cert", "SELECT " WHO_COLUMNS " " WHO_FROM "WHERE i.sha256=?" WHO_NAMED("?"), 0};
static const struct sql CERT = {
    "who_cert", "SELECT device_id, revoked_at FROM identity_cert WHERE sha256=?", 0};
static const struct sql DEVICE = {
    "who_device",
    "SELECT e.id, e.state, e.life_id, l.cert_sha256 FROM enrollment e "
    "LEFT JOIN life l ON l.id = e.life_id WHERE e.ident=? AND e.device_id=e.id",
    0};
static const struct sql BIND = {
    "who_bind",
    "INSERT INTO identity_cert (sha256, device_id, life_id) VALUES (?,?,?) "
    "ON DUPLICATE KEY UPDATE life_id=IF(device_id IS NULL, VALUES(life_id), life_id), "
    "device_id=COALESCE(device_id, VALUES(device_id))",
    0};
static const struct sql BIND_LIFE = {
    "who_bind_life",
    "UPDATE life SET cert_sha256=? WHERE id=? AND (cert_sha256 IS NULL OR cert_sha256=?)", 0};

static enum verdict verdict_of(const struct who *w, bool revoked, bool same_device)
{
    if (revoked)
        return WHO_REVOKED;
    if (!same_device)
        return WHO_MISMATCH;
    /* a device that was ended may come back by a new enrolment: its new life is not ended */
    if (w->cert_life_id != 0 && w->cert_life_id == w->device_pending_id)
        return WHO_PENDING;
    if (w->device_state == ENROLLMENT_ENDED || w->state == ENROLLMENT_ENDED)
        return WHO_ENDED;
    if (w->cert_life_id != w->device_life_id)
        return WHO_OLD;
    if (w->device_state == ENROLLMENT_LEFT)
        return WHO_LEFT;
    return w->id == 0 ? WHO_NO_CHANNEL : WHO_GOOD;
}

void who_judge(const struct rows *r, const uint8_t sha256[32], const struct ident *id,
               struct who *out)
{
    bool bound = false, revoked = false, same_device = false;

    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < r->n; i++) {
        const struct val *v = row_at(r, i, 0);

        if (v[C_SHA].n != 32 || memcmp(v[C_SHA].s, sha256, 32) != 0)
            continue;
        bound = true;
        revoked = !val_is_null(&v[C_REVOKED]);
        if (v[C_ID].i == v[C_DEVICE].i) {
            out->device_id = v[C_ID].i;
            out->device_state = (int)v[C_STATE].i;
            out->device_life_id = val_or_0(&v[C_LIFE]);
            out->device_pending_id = val_or_0(&v[C_PENDING]);
            out->cert_life_id = val_or_0(&v[C_CERT_LIFE]);
            out->renews_device_id = val_or_0(&v[C_RENEWS]);
            same_device = strcmp(v[C_IDENT].s, id->device) == 0;
        }
        if (strcmp(v[C_IDENT].s, id->name) == 0) {
            out->id = v[C_ID].i;
            out->state = (int)v[C_STATE].i;
            out->life_id = val_or_0(&v[C_LIFE]);
            out->last_seen_at = v[C_SEEN].i;
            out->row = i;
        }
    }
    out->verdict = bound ? verdict_of(out, revoked, same_device) : WHO_UNBOUND;
}

struct bind {
    struct bytes sha256;
    int64_t device_id, life_id;
    const char *ident;
    struct arena *a;
};

/* CONFLICT: another certificate was first, or another device with this one. */
static enum outcome bind_unit(struct db *db, void *arg, struct err *err)
{
    struct bind *b = arg;
    struct val sha = val_bin(b->sha256), device = val_int(b->device_id), life = val_int(b->life_id);
    uint64_t n = 0;
    struct rows r;
    enum outcome o;

    if ((o = db_exec(db, &BIND_LIFE, (struct val[]){sha, life, sha}, 3, &n, err)) != OK ||
        (o = db_exec(db, &BIND, (struct val[]){sha, device, life}, 3, NULL, err)) != OK ||
        (o = db_select(db, &CERT, &sha, 1, b->a, &r, err)) != OK)
        return o;
    if (n != 1 || r.n != 1 || val_or_0(row_at(&r, 0, 0)) != b->device_id)
        o = err_set(err, CONFLICT, "somebody else has changed it meanwhile; read it again");
    if (o == OK)
        o = audit_add(db, "rule:first-contact", "identity.bind", b->ident,
                      "the first certificate of a device that was moved in without one", err);
    return o;
}

enum outcome who_look(struct db *db, const uint8_t sha256[32], const struct ident *id,
                      struct arena *a, struct who *out, struct err *err)
{
    struct val sha = val_bin(bytes_of(sha256, 32)), ident = val_str(id->device);
    struct rows cert, device, r;
    int64_t bound;
    enum outcome o;

    memset(out, 0, sizeof(*out));
    out->verdict = WHO_UNBOUND;
    if ((o = db_select(db, &CERT, &sha, 1, a, &cert, err)) != OK ||
        (o = db_select(db, &DEVICE, &ident, 1, a, &device, err)) != OK)
        return o;
    if (cert.n != 0 && !val_is_null(row_at(&cert, 0, 1))) {
        out->verdict = WHO_REVOKED;
        return OK;
    }
    if (device.n == 0)
        return OK;
    out->device_id = row_at(&device, 0, 0)->i;
    out->device_state = (int)row_at(&device, 0, 1)->i;
    out->verdict = WHO_MISMATCH;
    bound = cert.n != 0 ? val_or_0(row_at(&cert, 0, 0)) : 0;
    out->stranger = bound == 0;
    if (bound != out->device_id) { /* else it was bound since the caller looked */
        if (bound != 0 || val_is_null(row_at(&device, 0, 2)) || !val_is_null(row_at(&device, 0, 3)))
            return OK;
        struct bind b = {bytes_of(sha256, 32), out->device_id, row_at(&device, 0, 2)->i, id->device,
                         a};
        o = db_unit(db, bind_unit, &b, err);
        if (o != OK)
            return o == CONFLICT ? OK : o;
    }
    if ((o = db_select(db, &BY_CERT, (struct val[]){sha, val_str(id->name)}, 2, a, &r, err)) != OK)
        return o;
    who_judge(&r, sha256, id, out);
    return OK;
}

enum outcome who_ask(struct db *db, const uint8_t sha256[32], const struct ident *id,
                     struct arena *a, struct who *out, struct err *err)
{
    struct val sha = val_bin(bytes_of(sha256, 32));
    struct rows r;
    enum outcome o = db_select(db, &BY_CERT, (struct val[]){sha, val_str(id->name)}, 2, a, &r, err);

    if (o != OK)
        return o;
    who_judge(&r, sha256, id, out);
    return out->verdict == WHO_UNBOUND ? who_look(db, sha256, id, a, out, err) : OK;
}
