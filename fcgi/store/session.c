/* session.c: sessions; see session.h. */
#include "store/session.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "base/uuid.h"
#include "store/audit.h"
#include "store/scope.h"
#include "wire/encode.h"

#define IDLE_US (SESSION_IDLE_MIN * MINUTE_US)
#define USER_AGENT_MAX 255
#define ADDRESS_MAX 64

#define COLUMNS                                                                                    \
    "s.token_sha256, s.admin, a.language, s.csrf, s.created_at, s.seen_at, s.ends_at, "            \
    "s.user_agent, s.address, a.role, a.password_due, s.fresh_at, s.pending, "                     \
    "a.totp_secret IS NOT NULL, a.origin = 'remote', IF(a.limited = 1, a.id, NULL)"

static const struct sql NEW = {
    "session_new",
    "INSERT INTO session (token_sha256, admin, csrf, created_at, seen_at, idle_until, ends_at, "
    "user_agent, address, fresh_at, pending) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
    0};
static const struct sql SIGNED_IN = {"session_signed_in",
                                     "UPDATE admin SET signed_in_at = ? WHERE name = ?", 0};
static const struct sql FRESH = {"session_fresh",
                                 "UPDATE session SET fresh_at = ? WHERE token_sha256 = ?", 0};
static const struct sql DROP_ONE = {"session_drop_one",
                                    "DELETE FROM session WHERE token_sha256 = ? AND admin = ?", 0};
static const struct sql DROP = {"session_drop", "DELETE FROM session WHERE token_sha256 = ?", 0};
static const struct sql DROP_OTHERS = {
    "session_drop_others", "DELETE FROM session WHERE admin = ? AND token_sha256 <> ?", 0};
static const struct sql FIND = {
    "session_find",
    "SELECT " COLUMNS " FROM session s JOIN admin a ON a.name = s.admin "
    "WHERE s.token_sha256 = ? AND s.idle_until > ? AND s.ends_at > ? AND a.disabled_at IS NULL",
    0};
static const struct sql SEEN = {
    "session_seen", "UPDATE session SET seen_at = ?, idle_until = ? WHERE token_sha256 = ?", 0};
static const struct sql LIST = {
    "session_list",
    "SELECT " COLUMNS " FROM session s JOIN admin a ON a.name = s.admin "
    "WHERE (? IS NULL OR s.admin = ?) AND s.idle_until > ? AND s.ends_at > ? AND "
    "s.pending = 0 ORDER BY s.created_at DESC LIMIT ?",
    0};
struct birth {
    uint8_t token[SHA256_LEN], old[SHA256_LEN], csrf[SESSION_SECRET_LEN];
    const struct session_start *start;
};

/* A text as a column of max characters takes it. */
static struct val cut(const char *s, size_t max)
{
    if (!s || !utf8_valid(bytes_str(s)))
        return val_str("");
    return val_strn(s, utf8_prefix(s, max));
}

static struct val key_of(const uint8_t sum[SHA256_LEN])
{
    return val_secret(bytes_of(sum, SHA256_LEN));
}

static enum outcome new_unit(struct db *db, void *arg, struct err *err)
{
    struct birth *b = arg;
    const struct session_start *s = b->start;
    struct val old = key_of(b->old);
    int64_t lasts = s->pending ? SESSION_PENDING_MIN * MINUTE_US : SESSION_HOURS * HOUR_US;
    enum outcome o = s->old_token ? db_exec(db, &DROP, &old, 1, NULL, err) : OK;
    if (o == OK)
        o = db_exec(db, &NEW,
                    (struct val[]){key_of(b->token), val_str(s->admin),
                                   val_secret(bytes_of(b->csrf, sizeof b->csrf)), val_int(s->now),
                                   val_int(s->now), val_int(s->now + IDLE_US),
                                   val_int(s->now + lasts), cut(s->user_agent, USER_AGENT_MAX),
                                   cut(s->address, ADDRESS_MAX), val_int(s->pending ? 0 : s->now),
                                   val_int(s->pending)},
                    11, NULL, err);
    if (o != OK || s->pending)
        return o;
    o = db_exec(db, &SIGNED_IN, (struct val[]){val_int(s->now), val_str(s->admin)}, 2, NULL, err);
    return o == OK ? audit_add(db, s->admin, "admin.signin", s->admin, s->address, err) : o;
}

enum outcome session_new(struct db *db, const struct session_start *start,
                         char token[SESSION_TOKEN_LEN + 1], struct err *err)
{
    struct birth b = {.start = start};
    secret_new(SESSION_TOKEN_LEN / 2, token);
    sha256(bytes_str(token), b.token);
    if (start->old_token)
        sha256(bytes_str(start->old_token), b.old);
    random_bytes(b.csrf, sizeof b.csrf);
    enum outcome o = db_unit(db, new_unit, &b, err);
    if (o != OK)
        secret_wipe(token, SESSION_TOKEN_LEN + 1);
    secret_wipe(&b, sizeof b);
    return o;
}

static void from_row(const struct val *v, struct session *s)
{
    *s = (struct session){.admin = v[1].s,
                          .language = v[2].s,
                          .created_at = v[4].i,
                          .seen_at = v[5].i,
                          .ends_at = v[6].i,
                          .user_agent = v[7].s,
                          .address = v[8].s,
                          .role = v[9].s,
                          .password_due = v[10].i != 0,
                          .fresh_at = v[11].i,
                          .pending = v[12].i != 0,
                          .has_totp = v[13].i != 0,
                          .remote = v[14].i != 0,
                          .scope = val_is_null(&v[15]) ? 0 : scope_number(SCOPE_ADMIN, v[15].i)};
    memcpy(s->token_sha256, v[0].s, v[0].n < SHA256_LEN ? v[0].n : SHA256_LEN);
    memcpy(s->csrf, v[3].s, v[3].n < SESSION_SECRET_LEN ? v[3].n : SESSION_SECRET_LEN);
}

enum outcome session_find(struct db *db, const char *token, int64_t now, struct arena *a,
                          struct session *out, struct err *err)
{
    uint8_t sum[SHA256_LEN];
    struct rows r;
    sha256(bytes_str(token), sum);
    enum outcome o = db_select(db, &FIND, (struct val[]){key_of(sum), val_int(now), val_int(now)},
                               3, a, &r, err);
    if (o != OK)
        return o;
    if (r.n == 0)
        return err_set(err, NOT_FOUND, "no such session, or it is over");
    from_row(row_at(&r, 0, 0), out);
    return OK;
}

enum outcome session_keep(struct db *db, const struct session *s, int64_t now, struct err *err)
{
    if (now - s->seen_at < MINUTE_US)
        return OK;
    return db_exec(db, &SEEN,
                   (struct val[]){val_int(now), val_int(now + IDLE_US), key_of(s->token_sha256)}, 3,
                   NULL, err);
}

static enum outcome end_unit(struct db *db, void *arg, struct err *err)
{
    const struct session *s = arg;
    struct val key = key_of(s->token_sha256);
    uint64_t rows;
    enum outcome o = db_exec(db, &DROP, &key, 1, &rows, err);
    return o == OK && rows ? audit_add(db, s->admin, "admin.signout", s->admin, NULL, err) : o;
}

enum outcome session_end(struct db *db, const struct session *s, struct err *err)
{
    struct session copy = *s;
    return db_unit(db, end_unit, &copy, err);
}

enum outcome session_fresh(struct db *db, const struct session *s, int64_t now, struct err *err)
{
    return db_exec(db, &FRESH, (struct val[]){val_int(now), key_of(s->token_sha256)}, 2, NULL, err);
}

struct one {
    const char *admin, *by;
    struct bytes token_sha256;
};

static enum outcome one_unit(struct db *db, void *arg, struct err *err)
{
    const struct one *x = arg;
    uint64_t rows;
    enum outcome o =
        db_exec(db, &DROP_ONE, (struct val[]){val_secret(x->token_sha256), val_str(x->admin)}, 2,
                &rows, err);
    return o == OK && rows ? audit_add(db, x->by, "admin.session_end", x->admin, NULL, err) : o;
}

enum outcome session_end_one(struct db *db, const char *admin, struct bytes token_sha256,
                             const char *by, struct err *err)
{
    struct one x = {admin, by, token_sha256};
    return db_unit(db, one_unit, &x, err);
}

static enum outcome drop_rest(struct db *db, const char *admin, const struct session *keep,
                              uint64_t *n, struct err *err)
{
    static const uint8_t none[SHA256_LEN];
    return db_exec(db, &DROP_OTHERS,
                   (struct val[]){val_str(admin), key_of(keep ? keep->token_sha256 : none)}, 2, n,
                   err);
}

enum outcome session_end_rest(struct db *db, const char *admin, const struct session *keep,
                              struct err *err)
{
    return drop_rest(db, admin, keep, NULL, err);
}

struct all {
    const char *admin, *by;
    const struct session *keep;
    uint64_t n;
};

static enum outcome all_unit(struct db *db, void *arg, struct err *err)
{
    struct all *x = arg;
    char detail[48];
    enum outcome o = drop_rest(db, x->admin, x->keep, &x->n, err);
    if (o != OK || x->n == 0)
        return o;
    snprintf(detail, sizeof detail, "sessions=%llu", (unsigned long long)x->n);
    return audit_add(db, x->by, x->keep ? "admin.signout_others" : "admin.session_end", x->admin,
                     detail, err);
}

static enum outcome all_end(struct db *db, struct all *x, uint64_t *n, struct err *err)
{
    enum outcome o = db_unit(db, all_unit, x, err);
    *n = o == OK ? x->n : 0;
    return o;
}

enum outcome session_end_others(struct db *db, const struct session *s, uint64_t *n,
                                struct err *err)
{
    return all_end(db, &(struct all){.admin = s->admin, .by = s->admin, .keep = s}, n, err);
}

enum outcome session_end_all(struct db *db, const char *admin, const char *by, uint64_t *n,
                             struct err *err)
{
    return all_end(db, &(struct all){.admin = admin, .by = by}, n, err);
}

enum outcome session_list(struct db *db, const char *admin, int64_t now, struct arena *a,
                          struct session **out, size_t *n, struct err *err)
{
    struct rows r;
    *n = 0;
    enum outcome o = db_select(db, &LIST,
                               (struct val[]){val_str(admin), val_str(admin), val_int(now),
                                              val_int(now), val_int(LIM_PAGE)},
                               5, a, &r, err);
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        from_row(row_at(&r, *n, 0), &(*out)[*n]);
    return OK;
}
