/* session.c: sessions; see session.h. */
#include "store/session.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "base/uuid.h"
#include "store/audit.h"
#include "wire/encode.h"

#define IDLE_US (SESSION_IDLE_MIN * MINUTE_US)
#define USER_AGENT_MAX 255
#define ADDRESS_MAX 64

#define COLUMNS                                                                                    \
    "s.token_sha256, s.admin, a.language, s.csrf, s.created_at, s.seen_at, s.ends_at, "            \
    "s.user_agent, s.address"

static const struct sql NEW = {
    "session_new",
    "INSERT INTO session (token_sha256, admin, csrf, created_at, seen_at, idle_until, ends_at, "
    "user_agent, address) VALUES (?,?,?,?,?,?,?,?,?)",
    0};
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
    "WHERE s.admin = ? AND s.idle_until > ? AND s.ends_at > ? ORDER BY s.created_at DESC LIMIT ?",
    0};
static const struct sql LANGUAGE = {"admin_language_set",
                                    "UPDATE admin SET language = ? WHERE name = ?", 0};

struct birth {
    uint8_t token[SHA256_LEN], old[SHA256_LEN], csrf[SESSION_SECRET_LEN];
    bool has_old;
    const char *admin, *user_agent, *address;
    int64_t now;
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
    struct val old = key_of(b->old);
    enum outcome o = b->has_old ? db_exec(db, &DROP, &old, 1, NULL, err) : OK;
    if (o == OK)
        o = db_exec(db, &NEW,
                    (struct val[]){key_of(b->token), val_str(b->admin),
                                   val_secret(bytes_of(b->csrf, sizeof b->csrf)), val_int(b->now),
                                   val_int(b->now), val_int(b->now + IDLE_US),
                                   val_int(b->now + SESSION_HOURS * HOUR_US),
                                   cut(b->user_agent, USER_AGENT_MAX),
                                   cut(b->address, ADDRESS_MAX)},
                    9, NULL, err);
    return o == OK ? audit_add(db, b->admin, "admin.signin", b->admin, b->address, err) : o;
}

enum outcome session_new(struct db *db, const char *admin, const char *old_token,
                         const char *user_agent, const char *address, int64_t now,
                         char token[SESSION_TOKEN_LEN + 1], struct err *err)
{
    struct birth b = {.has_old = old_token != NULL,
                      .admin = admin,
                      .user_agent = user_agent,
                      .address = address,
                      .now = now};
    secret_new(SESSION_TOKEN_LEN / 2, token);
    sha256(bytes_str(token), b.token);
    if (old_token)
        sha256(bytes_str(old_token), b.old);
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
                          .address = v[8].s};
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
    if (now - out->seen_at < MINUTE_US)
        return OK;
    return db_exec(db, &SEEN, (struct val[]){val_int(now), val_int(now + IDLE_US), key_of(sum)}, 3,
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

struct others {
    const struct session *s;
    uint64_t n;
};

static enum outcome others_unit(struct db *db, void *arg, struct err *err)
{
    struct others *x = arg;
    char detail[48];
    enum outcome o =
        db_exec(db, &DROP_OTHERS, (struct val[]){val_str(x->s->admin), key_of(x->s->token_sha256)},
                2, &x->n, err);
    if (o != OK || x->n == 0)
        return o;
    snprintf(detail, sizeof detail, "sessions=%llu", (unsigned long long)x->n);
    return audit_add(db, x->s->admin, "admin.signout_others", x->s->admin, detail, err);
}

enum outcome session_end_others(struct db *db, const struct session *s, uint64_t *n,
                                struct err *err)
{
    struct others x = {.s = s};
    enum outcome o = db_unit(db, others_unit, &x, err);
    *n = o == OK ? x.n : 0;
    return o;
}

enum outcome session_list(struct db *db, const char *admin, int64_t now, struct arena *a,
                          struct session **out, size_t *n, struct err *err)
{
    struct rows r;
    *n = 0;
    enum outcome o = db_select(
        db, &LIST, (struct val[]){val_str(admin), val_int(now), val_int(now), val_int(LIM_PAGE)}, 4,
        a, &r, err);
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        from_row(row_at(&r, *n, 0), &(*out)[*n]);
    return OK;
}

enum outcome admin_language_set(struct db *db, const char *name, const char *language,
                                struct err *err)
{
    uint64_t rows;
    enum outcome o =
        db_exec(db, &LANGUAGE, (struct val[]){val_str(language), val_str(name)}, 2, &rows, err);
    return o == OK && rows == 0 ? err_set(err, NOT_FOUND, "there is no \"%s\"", name) : o;
}
