/* revoke.c: see revoke.h. */
#include "store/revoke.h"

#include "base/utf8.h"
#include "store/audit.h"
#include "wire/encode.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS "LOWER(HEX(i.sha256)), i.subject, i.serial, i.revoked_at, i.sha256"
enum { C_HEX, C_SUBJECT, C_SERIAL, C_REVOKED, C_SHA };

/* Of whom it is, is what it is bound to; what it renews is only where it came from. */
#define REACHED "AND %SCOPE COALESCE(i.device_id, i.renews_device_id)% "
static const struct sql OF_DEVICE = {
    "identity_of_device",
    "SELECT " COLUMNS " FROM identity_cert i JOIN enrollment e ON i.device_id = e.id OR "
    "i.renews_device_id = e.id WHERE e.ident=? AND e.device_id=e.id " REACHED "FOR UPDATE",
    0};
static const struct sql OF_DIGITS = {
    "identity_of_digits",
    "SELECT " COLUMNS
    " FROM identity_cert i WHERE HEX(i.sha256) LIKE CONCAT(UPPER(?), '%') " REACHED
    "LIMIT 2 FOR UPDATE",
    0};
static const struct sql REVOKE = {
    "identity_revoke",
    "UPDATE identity_cert SET revoked_at=?, revoked_why=? WHERE sha256=? AND revoked_at IS NULL",
    0};

struct revoke {
    const char *name, *by, *why;
    int64_t now;
    struct arena *a;
    struct revoked_identity *out;
    size_t n;
};

static enum outcome find(struct db *db, const struct revoke *x, struct rows *r, struct err *err)
{
    char digits[SHA256_HEX_LEN + 1];
    struct val name = val_str(x->name);
    enum outcome o = db_select(db, &OF_DEVICE, &name, 1, x->a, r, err);

    if (o != OK || r->n > 0)
        return o;
    if (fingerprint_digits(x->name, digits)) {
        name = val_str(digits);
        if ((o = db_select(db, &OF_DIGITS, &name, 1, x->a, r, err)) != OK)
            return o;
    }
    if (r->n == 0)
        return err_set(err, NOT_FOUND,
                       "\"%s\" is no device with an identity, nor the first %d or more digits of "
                       "an identity's SHA-256",
                       x->name, FINGERPRINT_DIGITS);
    return r->n == 1 ? OK : err_set(err, CONFLICT, "%s: several identities begin so", x->name);
}

static enum outcome revoke_one(struct db *db, const struct revoke *x, const struct val *v,
                               struct err *err)
{
    char text[256 * 4];
    enum outcome o;

    snprintf(text, sizeof(text), "%s: %s", x->by, x->why);
    o = db_exec(db, &REVOKE,
                (struct val[]){val_int(x->now), val_strn(text, utf8_prefix(text, 255)), v[C_SHA]},
                3, NULL, err);
    snprintf(text, sizeof(text), "serial=%.64s why=%.300s", v[C_SERIAL].s, x->why);
    return o == OK ? audit_add(db, x->by, "identity.revoke", v[C_HEX].s, text, err) : o;
}

static enum outcome revoke_unit(struct db *db, void *arg, struct err *err)
{
    struct revoke *x = arg;
    struct rows r;
    enum outcome o = find(db, x, &r, err);

    x->n = 0;
    if (o != OK)
        return o;
    x->out = arena_array(x->a, r.n, sizeof(*x->out));
    if (x->out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; o == OK && i < r.n; i++) {
        const struct val *v = row_at(&r, i, 0);

        if (!val_is_null(&v[C_REVOKED]))
            continue;
        x->out[x->n++] = (struct revoked_identity){v[C_HEX].s, v[C_SUBJECT].s, v[C_SERIAL].s};
        o = revoke_one(db, x, v, err);
    }
    if (o == OK && x->n == 0)
        return err_set(err, CONFLICT, "%s is revoked already", x->name);
    return o;
}

enum outcome identity_revoke(struct db *db, const char *name, const char *by, const char *why,
                             int64_t now, struct arena *a, struct revoked_identity **out, size_t *n,
                             struct err *err)
{
    struct revoke x = {name, by, why, now, a, NULL, 0};
    enum outcome o = db_unit(db, revoke_unit, &x, err);

    *out = x.out;
    *n = o == OK ? x.n : 0;
    return o;
}
