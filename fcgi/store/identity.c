/* identity.c: see identity.h. */
#include "store/identity.h"

#include <stdio.h>

#define DIGITS_MIN 8
#define LIKE_MAX 256

#define COLUMNS                                                                                    \
    "c.sha256, c.serial, c.subject, c.issuer, c.not_before, c.not_after, c.issued_at, e.ident, "   \
    "e.serial, e.life_id = c.life_id, c.revoked_at, c.revoked_why"
#define FROM                                                                                       \
    " FROM identity_cert c LEFT JOIN enrollment e "                                                \
    "ON e.id = COALESCE(c.device_id, c.renews_device_id) "
enum {
    C_SHA,
    C_SERIAL,
    C_SUBJECT,
    C_ISSUER,
    C_FROM,
    C_TO,
    C_ISSUED,
    C_IDENT,
    C_DEVICE,
    C_USED,
    C_REVOKED,
    C_WHY,
    C_DER
};

/* The order is that of the index on not_after. Of a device there are few: its own index is better
 * then, and the optimizer finds that out. */
static const struct sql LIST = {
    "identity_list",
    "SELECT " COLUMNS FROM "WHERE %SCOPE e.device_id% AND (c.not_after > ? OR (c.not_after = ? AND "
    "c.sha256 > ?)) AND c.not_after < ? "
    "AND (? = 0 OR (? = 3 AND c.revoked_at IS NOT NULL) OR (c.revoked_at IS NULL AND "
    "? = IF(c.not_after > ? OR c.not_after = 0, 1, 2))) "
    "AND (? = 0 OR c.issued_at IS NOT NULL) AND (? IS NULL OR e.ident = ?) "
    "AND (? IS NULL OR c.subject LIKE ? COLLATE utf8mb4_general_ci OR "
    "CONVERT(c.serial USING utf8mb4) LIKE LOWER(?) COLLATE utf8mb4_bin) "
    "ORDER BY c.not_after, c.sha256 LIMIT ?",
    0};
static const struct sql GET = {
    "identity_get",
    "SELECT " COLUMNS ", c.der" FROM
    "WHERE c.sha256 BETWEEN ? AND ? AND %SCOPE e.device_id% ORDER BY c.sha256 LIMIT 2",
    0};

static const char *const states[IDENTITY_STATE__MAX] = {"", "valid", "expired", "revoked"};

const char *identity_state_name(int state)
{
    return state > 0 && state < IDENTITY_STATE__MAX ? states[state] : "-";
}

int identity_state_read(const char *word)
{
    for (int i = 1; i < IDENTITY_STATE__MAX; i++)
        if (strcmp(states[i], word) == 0)
            return i;
    return 0;
}

static struct identity identity_of(const struct val *v, int64_t now)
{
    struct identity i = {.serial = val_text(&v[C_SERIAL]),
                         .subject = val_text(&v[C_SUBJECT]),
                         .issuer = val_text(&v[C_ISSUER]),
                         .not_before = v[C_FROM].i,
                         .not_after = v[C_TO].i,
                         .issued_at = v[C_ISSUED].i,
                         .ident = val_text(&v[C_IDENT]),
                         .device = val_text(&v[C_DEVICE]),
                         .in_use = v[C_USED].i != 0,
                         .revoked_at = v[C_REVOKED].i,
                         .revoked_why = val_text(&v[C_WHY])};
    memcpy(i.sha256, v[C_SHA].s, sizeof i.sha256);
    i.state = i.revoked_at                        ? IDENTITY_REVOKED
              : i.not_after && i.not_after <= now ? IDENTITY_EXPIRED
                                                  : IDENTITY_VALID;
    return i;
}

/* "%text%" with LIKE's own characters escaped. */
static struct val like(struct arena *a, const char *s)
{
    char *out = s ? arena_alloc(a, 2 * strlen(s) + 3) : NULL;
    size_t n = 0;
    if (!out)
        return val_null();
    out[n++] = '%';
    for (; *s; s++) {
        if (strchr("%_\\", *s))
            out[n++] = '\\';
        out[n++] = *s;
    }
    out[n++] = '%';
    return val_strn(out, n);
}

enum outcome identity_list(struct db *db, const struct identity_filter *f, int64_t ends,
                           const uint8_t sha256[SHA256_LEN], int64_t now, size_t max,
                           struct arena *a, struct identity **out, size_t *n, struct err *err)
{
    struct rows r;
    struct val pattern = like(a, f->text), state = val_int(f->state), ident = val_str(f->ident);
    struct val args[] = {val_int(ends),
                         val_int(ends),
                         val_bin(bytes_of(sha256, SHA256_LEN)),
                         val_int(f->ends_before ? f->ends_before : INT64_MAX),
                         state,
                         state,
                         state,
                         val_int(now),
                         val_int(f->issued),
                         ident,
                         ident,
                         pattern,
                         pattern,
                         pattern,
                         val_int((int64_t)max)};
    *n = 0;
    if (f->text && (strlen(f->text) > LIKE_MAX || val_is_null(&pattern)))
        return err_set(err, INVALID, "a text to search for has %d octets at most", LIKE_MAX);
    enum outcome o = db_select(db, &LIST, args, sizeof args / sizeof *args, a, &r, err);
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        (*out)[*n] = identity_of(row_at(&r, *n, 0), now);
    return OK;
}

/* The range of digests that begin with these digits. False: they are none, or too few. */
static bool range(const char *digits, uint8_t from[SHA256_LEN], uint8_t to[SHA256_LEN])
{
    size_t n = strlen(digits);
    memset(from, 0, SHA256_LEN);
    memset(to, 0xff, SHA256_LEN);
    if (n < DIGITS_MIN || n > SHA256_HEX_LEN || strspn(digits, "0123456789abcdef") != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        uint8_t d = (uint8_t)(digits[i] <= '9' ? digits[i] - '0' : digits[i] - 'a' + 10);
        unsigned shift = i % 2 ? 0 : 4;
        uint8_t mask = (uint8_t)(0xfu << shift);
        from[i / 2] |= (uint8_t)(d << shift);
        to[i / 2] = (uint8_t)((to[i / 2] & ~mask) | (d << shift));
    }
    return true;
}

enum outcome identity_get(struct db *db, const char *digits, int64_t now, struct arena *a,
                          struct identity *out, struct err *err)
{
    uint8_t from[SHA256_LEN], to[SHA256_LEN];
    struct rows r;
    if (!range(digits, from, to))
        return err_set(err, NOT_FOUND,
                       "\"%.80s\" is not the first %d or more digits of a SHA-256, in lower case",
                       digits, DIGITS_MIN);
    enum outcome o = db_select(
        db, &GET,
        (struct val[]){val_bin(bytes_of(from, sizeof from)), val_bin(bytes_of(to, sizeof to))}, 2,
        a, &r, err);
    if (o != OK)
        return o;
    if (r.n == 0)
        return err_set(err, NOT_FOUND, "no identity's SHA-256 begins with %s", digits);
    if (r.n > 1)
        return err_set(err, CONFLICT, "several identities begin with %s", digits);
    *out = identity_of(row_at(&r, 0, 0), now);
    if (!val_is_null(row_at(&r, 0, C_DER)))
        out->der = val_bytes(row_at(&r, 0, C_DER));
    return OK;
}
