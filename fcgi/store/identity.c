/* identity.c: see identity.h. */
#include "store/identity.h"

#include "store/making.h"
#include "store/scope.h"
#include "store/search.h"
#include "store/search_words.h"

#include <stdio.h>

#define TEXT_MAX 256
#define MANY 5000 /* more than a page collects */
#define REVOKED_FEW 1000
#define REVOKED_MANY 10000
#define PLACE_TOLD 2 /* octets of a digest that a place tells which is not the caller's */
#define NEAR_FIRST 300
#define NEAR_MOST 3000 /* places of the order that a page looks at, then it ends */

#define COLUMNS                                                                                    \
    "c.sha256, c.serial, c.subject, c.issuer, c.not_before, c.not_after, c.issued_at, e.ident, "   \
    "e.serial, e.life_id = c.life_id, c.revoked_at, c.revoked_why"
#define DEVICE "COALESCE(c.device_id, c.renews_device_id)"
#define JOIN "LEFT JOIN enrollment e ON e.id = " DEVICE " "
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

static const struct sql DEVICE_ID = {"identity_device", "SELECT id FROM enrollment WHERE ident = ?",
                                     0};
static const struct sql HOW_MANY = {
    "identity_how_many",
    "SELECT COUNT(*) FROM (SELECT 1 FROM identity_word WHERE word LIKE ? LIMIT ?) AS some", 0};
static const struct sql HOW_MANY_SERIALS = {
    "identity_how_many_serials",
    "SELECT COUNT(*) FROM (SELECT 1 FROM identity_cert FORCE INDEX (serial) WHERE serial LIKE "
    "CONVERT(? USING ascii) LIMIT ?) AS some",
    0};
static const struct sql HOW_MANY_REVOKED = {
    "identity_how_many_revoked",
    "SELECT COUNT(*) FROM (SELECT 1 FROM identity_cert FORCE INDEX (revoked) WHERE revoked_at IS "
    "NOT NULL LIMIT ?) AS some",
    0};
static const struct sql GET = {
    "identity_get",
    "SELECT " COLUMNS ", c.der FROM identity_cert c " JOIN
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

/* ---- the list ---- */

/* Where a page begins: at what few have, a device, words, a serial number, a revocation, the few
 * devices that the caller reaches; else the index of the order is gone through, as far as a page
 * may, or until it is full where that index tells what is asked for: whether it is revoked. */
enum begin { BEGIN_DEVICE, BEGIN_TEXT, BEGIN_REVOKED, BEGIN_SCOPE, BEGIN_ORDER, BEGIN_NEAR };

/* A list that is asked for. */
struct asked {
    const struct identity_filter *f;
    int64_t now, device;
    const char *begins[SEARCH_PIECES_MAX], *contains[SEARCH_PIECES_MAX];
    size_t npieces;
    int rarest;
    const char *serial; /* pattern; NULL: the text begins no serial number */
    bool serials_many;
};

/* The text as beginnings of words, and as that of a serial number. */
static enum outcome text_read(struct db *db, struct asked *x, bool *rare, struct arena *a,
                              struct err *err)
{
    const char *text = x->f->text, *piece, *word, *back;
    int64_t least = MANY;
    struct rows r;
    enum outcome o = OK;

    while (o == OK && x->npieces < SEARCH_PIECES_MAX &&
           search_piece(&text, a, &piece, &word, &back)) {
        size_t n = x->npieces;

        if (piece == NULL || word == NULL)
            return err_set(err, ERROR, "out of memory");
        if (*word == '\0')
            continue;
        x->begins[n] = search_pattern("", word, "%", a);
        x->contains[n] = search_pattern("%", piece, "%", a);
        if (x->begins[n] == NULL || x->contains[n] == NULL)
            return err_set(err, ERROR, "out of memory");
        o = db_select(db, &HOW_MANY, (struct val[]){val_str(x->begins[n]), val_int(MANY)}, 2, a, &r,
                      err);
        if (o == OK && (n == 0 || row_at(&r, 0, 0)->i < least)) {
            least = row_at(&r, 0, 0)->i;
            x->rarest = (int)n;
        }
        x->npieces++;
    }
    if (o == OK && x->npieces == 1 &&
        strspn(x->f->text, "0123456789abcdefABCDEF") == strlen(x->f->text)) {
        x->serial = search_pattern("", x->f->text, "%", a);
        o = db_select(db, &HOW_MANY_SERIALS, (struct val[]){val_str(x->serial), val_int(MANY)}, 2,
                      a, &r, err);
        x->serials_many = o == OK && row_at(&r, 0, 0)->i == MANY;
    }
    *rare = least < MANY && !x->serials_many;
    return o;
}

static enum outcome begin_choose(struct db *db, struct asked *x, enum begin *begin, bool *nobody,
                                 struct arena *a, struct err *err)
{
    const struct identity_filter *f = x->f;
    bool rare = false, few;
    int64_t n;
    struct rows r;
    enum outcome o = db_scope_few(db, &few, err);
    enum begin else_at = few ? BEGIN_SCOPE : BEGIN_NEAR;

    *nobody = false;
    *begin = db_scoped(db) || f->state != 0 || f->issued ? else_at : BEGIN_ORDER;
    if (o == OK && f->text != NULL) {
        o = text_read(db, x, &rare, a, err);
        *nobody = o == OK && x->npieces == 0;
        *begin = rare ? BEGIN_TEXT : else_at;
    }
    if (o == OK && f->ident != NULL) {
        o = db_select(db, &DEVICE_ID, (struct val[]){val_str(f->ident)}, 1, a, &r, err);
        *nobody = *nobody || (o == OK && r.n == 0);
        x->device = o == OK && r.n > 0 ? row_at(&r, 0, 0)->i : 0;
        *begin = BEGIN_DEVICE;
    } else if (o == OK && f->state == IDENTITY_REVOKED && !rare && !few) {
        o = db_select(db, &HOW_MANY_REVOKED, (struct val[]){val_int(REVOKED_MANY)}, 1, a, &r, err);
        n = o == OK ? row_at(&r, 0, 0)->i : 0;
        if (n < REVOKED_FEW)
            *begin = BEGIN_REVOKED;
        else if (n < REVOKED_MANY || (f->text == NULL && !f->issued && !db_scoped(db)))
            *begin = BEGIN_ORDER;
    }
    return o;
}

static void after_say(struct making *m, const struct identity_place *at)
{
    making_say_all(m, "(c.not_after > ? OR (c.not_after = ? AND ", val_int(at->ends), 2);
    making_say(m, "c.sha256 > ?)) ", val_bin(bytes_of(at->sha256, SHA256_LEN)));
}

/* What the index of the order knows. */
static void range_say(struct making *m, const struct asked *x, const struct identity_place *at)
{
    after_say(m, at);
    if (x->f->ends_before != 0)
        making_say(m, "AND c.not_after < ? ", val_int(x->f->ends_before));
    if (x->f->state == IDENTITY_VALID)
        making_say(m, "AND (c.not_after > ? OR c.not_after = 0) ", val_int(x->now));
    if (x->f->state == IDENTITY_EXPIRED)
        making_say(m, "AND c.not_after > 0 AND c.not_after <= ? ", val_int(x->now));
}

static void row_say(struct making *m, const struct asked *x)
{
    buf_str(&m->sql, "AND %SCOPE " DEVICE "% ");
    if (x->f->state != 0)
        buf_fmt(&m->sql, "AND c.revoked_at IS %sNULL ",
                x->f->state == IDENTITY_REVOKED ? "NOT " : "");
    if (x->f->issued)
        buf_str(&m->sql, "AND c.issued_at IS NOT NULL ");
    if (x->f->ident != NULL)
        making_say(m, "AND " DEVICE " = ? ", val_int(x->device));
    if (x->f->text == NULL)
        return;
    buf_str(&m->sql, "AND ((TRUE ");
    for (size_t i = 0; i < x->npieces; i++)
        making_say(m, "AND c.subject LIKE ? COLLATE utf8mb4_general_ci ", val_str(x->contains[i]));
    buf_str(&m->sql, ") ");
    if (x->serial != NULL)
        making_say(m, "OR c.serial LIKE CONVERT(? USING ascii) ", val_str(x->serial));
    buf_str(&m->sql, ") ");
}

/* "(SELECT ...) AS found", the digests of those that few have. */
static void found_say(struct making *m, const struct asked *x, enum begin begin)
{
    if (begin == BEGIN_DEVICE) {
        making_say(m, "(SELECT sha256 FROM identity_cert WHERE device_id = ? ", val_int(x->device));
        making_say(m, "UNION SELECT sha256 FROM identity_cert WHERE renews_device_id = ?",
                   val_int(x->device));
    } else if (begin == BEGIN_SCOPE) {
        buf_str(&m->sql,
                "(SELECT i.sha256 FROM (" SCOPE_DEVICES ") AS s STRAIGHT_JOIN identity_cert i "
                "FORCE INDEX (device) ON i.device_id = s.id UNION SELECT i.sha256 "
                "FROM (" SCOPE_DEVICES ") AS s STRAIGHT_JOIN identity_cert i FORCE INDEX (renews) "
                "ON i.renews_device_id = s.id");
    } else if (begin == BEGIN_REVOKED) {
        buf_str(&m->sql, "(SELECT sha256 FROM identity_cert FORCE INDEX (revoked) WHERE "
                         "revoked_at IS NOT NULL");
    } else {
        making_say(m, "(SELECT sha256 FROM identity_word WHERE word LIKE ? ",
                   val_str(x->begins[x->rarest]));
        if (x->serial != NULL)
            making_say(m,
                       "UNION SELECT sha256 FROM identity_cert FORCE INDEX (serial) WHERE serial "
                       "LIKE CONVERT(? USING ascii) ",
                       val_str(x->serial));
        making_say(m,
                   "UNION SELECT sha256 FROM identity_cert FORCE INDEX (word_due) WHERE word_due = "
                   "1 AND subject LIKE ? COLLATE utf8mb4_general_ci",
                   val_str(x->contains[x->rarest]));
    }
    buf_str(&m->sql, ") AS found ");
}

/* near: BEGIN_NEAR looks at so many places of the order from `at` on. */
static enum outcome page_find(struct db *db, const struct asked *x, enum begin begin,
                              const struct identity_place *at, size_t near, size_t max,
                              struct arena *a, struct rows *r, struct err *err)
{
    struct making m = MAKING_INIT;

    buf_str(&m.sql, "SELECT " COLUMNS " FROM (SELECT c.sha256 FROM ");
    if (begin == BEGIN_NEAR) {
        buf_str(&m.sql, "(SELECT c.sha256 FROM identity_cert c FORCE INDEX (not_after) WHERE ");
        range_say(&m, x, at);
        making_say(&m, "ORDER BY c.not_after, c.sha256 LIMIT ?) AS found ", val_int((int64_t)near));
    } else if (begin != BEGIN_ORDER) {
        found_say(&m, x, begin);
    }
    if (begin == BEGIN_ORDER)
        buf_str(&m.sql, "identity_cert c FORCE INDEX (not_after) ");
    else
        buf_str(&m.sql, "STRAIGHT_JOIN identity_cert c FORCE INDEX (PRIMARY) ON c.sha256 = "
                        "found.sha256 ");
    buf_str(&m.sql, "WHERE ");
    range_say(&m, x, at);
    row_say(&m, x);
    making_say(&m, "ORDER BY c.not_after, c.sha256 LIMIT ?", val_int((int64_t)max));
    buf_str(&m.sql, ") AS page STRAIGHT_JOIN identity_cert c FORCE INDEX (PRIMARY) ON c.sha256 = "
                    "page.sha256 " JOIN "ORDER BY c.not_after, c.sha256");
    return making_run(db, &m, "identity_list", a, r, err);
}

/* Where `near` places of the order end; false: the order is at its end before. */
static enum outcome near_end(struct db *db, const struct asked *x, size_t near,
                             struct identity_place *at, bool *more, struct arena *a,
                             struct err *err)
{
    struct making m = MAKING_INIT;
    struct rows r;

    buf_str(&m.sql, "SELECT c.not_after, c.sha256 FROM identity_cert c FORCE INDEX (not_after) "
                    "WHERE ");
    range_say(&m, x, at);
    making_say(&m, "ORDER BY c.not_after, c.sha256 LIMIT 1 OFFSET ?", val_int((int64_t)near - 1));
    enum outcome o = making_run(db, &m, "identity_near_end", a, &r, err);

    *more = o == OK && r.n > 0;
    if (*more) {
        at->ends = row_at(&r, 0, 0)->i;
        memcpy(at->sha256, row_at(&r, 0, 1)->s, SHA256_LEN);
    }
    return o;
}

static int place_order(const struct identity_place *a, const struct identity_place *b)
{
    return a->ends != b->ends ? (a->ends > b->ends) - (a->ends < b->ends)
                              : memcmp(a->sha256, b->sha256, SHA256_LEN);
}

/* The place is of a certificate that the caller may not reach: its digest is not told. A little
 * before it will do, but behind the last one that was found; start: where the page began. */
static void place_blur(struct identity_place *at, const struct identity_place *start,
                       const struct identity_place *found)
{
    struct identity_place blurred = *at;

    memset(blurred.sha256 + PLACE_TOLD, 0, SHA256_LEN - PLACE_TOLD);
    if (place_order(&blurred, found) > 0)
        *at = blurred;
    else if (place_order(found, start) > 0)
        *at = *found;
}

/* Adds rows to those that were found; the place is behind the last one then. */
static void rows_take(const struct rows *r, int64_t now, struct identity *out, size_t *n,
                      struct identity_place *at)
{
    for (size_t i = 0; i < r->n; i++)
        out[(*n)++] = identity_of(row_at(r, i, 0), now);
    if (r->n > 0) {
        at->ends = out[*n - 1].not_after;
        memcpy(at->sha256, out[*n - 1].sha256, SHA256_LEN);
    }
}

/* A few places first, which is enough nearly always, then as many as a page may look at. */
static enum outcome near_list(struct db *db, const struct asked *x, struct identity_place *at,
                              size_t max, bool *more, struct arena *a, struct identity *out,
                              size_t *n, struct err *err)
{
    static const size_t steps[] = {NEAR_FIRST, NEAR_MOST};
    enum outcome o = OK;

    *more = true;
    for (size_t i = 0; o == OK && *more && *n < max && i < sizeof steps / sizeof *steps; i++) {
        struct rows r;

        o = page_find(db, x, BEGIN_NEAR, at, steps[i], max - *n, a, &r, err);
        if (o == OK && r.n == max - *n)
            rows_take(&r, x->now, out, n, at);
        else if (o == OK) {
            const struct identity_place start = *at;
            struct identity_place found = start;

            rows_take(&r, x->now, out, n, &found);
            o = near_end(db, x, steps[i], at, more, a, err);
            if (o == OK && *more && db_scoped(db))
                place_blur(at, &start, &found);
        }
    }
    return o;
}

enum outcome identity_list(struct db *db, const struct identity_filter *f,
                           struct identity_place *at, int64_t now, size_t max, struct arena *a,
                           struct identity **out, size_t *n, bool *more, struct err *err)
{
    struct asked x = {.f = f, .now = now};
    enum begin begin = BEGIN_ORDER;
    bool nobody;
    struct rows r;
    enum outcome o;

    *n = 0;
    *more = false;
    if (f->text != NULL && strlen(f->text) > TEXT_MAX)
        return err_set(err, INVALID, "a text to search for has %d octets at most", TEXT_MAX);
    *out = arena_array(a, max + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    o = begin_choose(db, &x, &begin, &nobody, a, err);
    if (o != OK || nobody)
        return o;
    if (begin == BEGIN_NEAR)
        return near_list(db, &x, at, max, more, a, *out, n, err);
    o = page_find(db, &x, begin, at, 0, max, a, &r, err);
    if (o == OK)
        rows_take(&r, now, *out, n, at);
    *more = o == OK && *n == max;
    return o;
}

/* ---- one ---- */

/* The range of digests that begin with these digits. False: they are none, or too few. */
static bool range(const char *text, uint8_t from[SHA256_LEN], uint8_t to[SHA256_LEN])
{
    char digits[SHA256_HEX_LEN + 1];
    if (!fingerprint_digits(text, digits))
        return false;
    memset(from, 0, SHA256_LEN);
    memset(to, 0xff, SHA256_LEN);
    for (size_t i = 0; digits[i]; i++) {
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
        return err_set(err, NOT_FOUND, "\"%.80s\" is not the first %d or more digits of a SHA-256",
                       digits, FINGERPRINT_DIGITS);
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
