/* account.c: the statements of API keys; what names of accounts hold. */
#include "store/account.h"

#include <ctype.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "store/change.h"
#include "store/scope.h"
#include "wire/encode.h"

#define APIKEY_COLUMNS                                                                             \
    "id, name, scopes, created_at, created_by, expires_at, revoked_at, last_used_at, limited, "    \
    "EXISTS (SELECT 1 FROM admin m WHERE m.name = apikey.created_by AND m.disabled_at IS NOT "     \
    "NULL)"
static const struct sql APIKEY_NEW = {
    .name = "apikey_new",
    .text = "INSERT INTO apikey (name, sha256, scopes, created_at, created_by, expires_at) "
            "VALUES (?, ?, ?, ?, ?, ?)"};
static const struct sql APIKEY_SET = {
    .name = "apikey_set",
    .text = "UPDATE apikey SET sha256 = ?, scopes = ?, expires_at = ?, revoked_at = NULL, "
            "created_by = ? WHERE name = ?"};
static const struct sql APIKEY_FIND = {
    .name = "apikey_find", .text = "SELECT " APIKEY_COLUMNS " FROM apikey WHERE sha256 = ?"};
static const struct sql APIKEY_GET = {
    .name = "apikey_get", .text = "SELECT " APIKEY_COLUMNS " FROM apikey WHERE name = ?"};
static const struct sql APIKEY_LIST = {
    .name = "apikey_list", .text = "SELECT " APIKEY_COLUMNS " FROM apikey ORDER BY name"};
static const struct sql APIKEY_USED = {.name = "apikey_used",
                                       .text = "UPDATE apikey SET last_used_at = ? WHERE id = ?"};
static const struct sql APIKEY_REVOKE = {
    .name = "apikey_revoke",
    .text = "UPDATE apikey SET revoked_at = COALESCE(revoked_at, ?) WHERE name = ?"};

enum outcome account_name_check(const char *name, struct err *err)
{
    size_t n = strlen(name);
    if (n == 0 || n > ACCOUNT_NAME_MAX)
        return err_set(err, INVALID, "a name has 1 to %d octets", ACCOUNT_NAME_MAX);
    for (size_t i = 0; i < n; i++)
        if (iscntrl((unsigned char)name[i]) || name[i] == ':')
            return err_set(err, INVALID, "a name holds neither control characters nor a colon");
    return OK;
}

const char *const apikey_scopes[] = {"read",     "command",  "sensitive", "approve", "push",
                                     "reveal",   "audit",    "library",   "enroll",  "users",
                                     "identity", "pushcert", "decide",    "migrate", "webhook",
                                     "settings", "accounts", NULL};

/* A key with a word that no row asks for may do less than whoever makes it thinks. */
static enum outcome scopes_refuse(const char *word, size_t n, struct err *err)
{
    struct buf all = BUF_INIT(APIKEY_SCOPES_MAX);
    for (size_t i = 0; apikey_scopes[i]; i++)
        buf_fmt(&all, "%s%s", i ? " " : "", apikey_scopes[i]);
    err_set(err, INVALID,
            "\"%.*s\" is no scope; they are \"*\", or words with single spaces between them of: %s",
            (int)(n < 64 ? n : 64), word, buf_cstr(&all));
    buf_free(&all);
    return INVALID;
}

static enum outcome scopes_check(const char *s, struct err *err)
{
    if (strcmp(s, "*") == 0)
        return OK;
    if (strlen(s) > APIKEY_SCOPES_MAX)
        return err_set(err, INVALID, "scopes have at most %d octets", APIKEY_SCOPES_MAX);
    for (;;) {
        size_t n = strcspn(s, " "), i = 0;
        while (apikey_scopes[i] &&
               (strlen(apikey_scopes[i]) != n || memcmp(apikey_scopes[i], s, n) != 0))
            i++;
        if (!apikey_scopes[i])
            return scopes_refuse(s, n, err);
        if (!s[n])
            return OK;
        s += n + 1;
    }
}

enum outcome apikey_check(const char *name, const char *scopes, int64_t expires_at, struct err *err)
{
    enum outcome o = account_name_check(name, err);
    if (o != OK)
        return o;
    if ((o = scopes_check(scopes, err)) != OK)
        return o;
    if (expires_at && expires_at <= clock_now())
        return err_set(err, INVALID, "the key would have expired already");
    return OK;
}

typedef enum outcome change_fn(struct db *db, const struct change *c, struct err *err);

/* Adds the key's digest. */
static enum outcome apikey_insert(struct db *db, change_fn *run, const char *name, const char *key,
                                  const char *scopes, int64_t expires_at, const char *by,
                                  struct err *err)
{
    uint8_t sum[SHA256_LEN];
    sha256(bytes_str(key), sum);
    const struct change c = {.sql = &APIKEY_NEW,
                             .args = {val_str(name), val_secret(bytes_of(sum, sizeof sum)),
                                      val_str(scopes), val_int(clock_now()), val_str(by),
                                      expires_at ? val_int(expires_at) : val_null()},
                             .nargs = 6,
                             .by = by,
                             .action = "apikey.add",
                             .name = name,
                             .detail = scopes};
    return run(db, &c, err);
}

enum outcome apikey_add_do(struct db *db, const char *name, const char *key, const char *scopes,
                           int64_t expires_at, const char *by, struct err *err)
{
    return apikey_insert(db, change_do, name, key, scopes, expires_at, by, err);
}

struct birth {
    const char *name, *key, *scopes, *by;
    int64_t expires_at;
    const struct scope *limit;
    struct arena *a;
};

static enum outcome birth_unit(struct db *db, void *arg, struct err *err)
{
    const struct birth *b = arg;
    enum outcome o = apikey_add_do(db, b->name, b->key, b->scopes, b->expires_at, b->by, err);
    arena_reset(b->a);
    return o == OK ? scope_put(db, SCOPE_KEY, b->name, b->limit, b->by, b->a, err) : o;
}

/* It is never there without its limit. */
static enum outcome apikey_insert_limited(struct db *db, struct birth *b, struct err *err)
{
    b->a = arena_new(LIM_MB);
    enum outcome o = b->a ? db_unit(db, birth_unit, b, err) : err_set(err, ERROR, "out of memory");
    arena_free(&b->a);
    return o;
}

enum outcome apikey_new_limited(struct db *db, const char *name, const char *scopes,
                                int64_t expires_at, const struct scope *limit, const char *by,
                                char key[APIKEY_LEN + 1], struct err *err)
{
    key[0] = '\0';
    enum outcome o = apikey_check(name, scopes, expires_at, err);
    if (o != OK)
        return o;
    secret_new(APIKEY_LEN / 2, key);
    if (limit)
        o = apikey_insert_limited(db,
                                  &(struct birth){.name = name,
                                                  .key = key,
                                                  .scopes = scopes,
                                                  .by = by,
                                                  .expires_at = expires_at,
                                                  .limit = limit},
                                  err);
    else
        o = apikey_insert(db, change_run, name, key, scopes, expires_at, by, err);
    if (o != OK)
        secret_wipe(key, APIKEY_LEN);
    return o;
}

enum outcome apikey_new(struct db *db, const char *name, const char *scopes, int64_t expires_at,
                        const char *by, char key[APIKEY_LEN + 1], struct err *err)
{
    return apikey_new_limited(db, name, scopes, expires_at, NULL, by, key, err);
}

enum outcome apikey_set(struct db *db, const char *name, const char *key, const char *scopes,
                        int64_t expires_at, const char *by, struct err *err)
{
    uint8_t sum[SHA256_LEN];
    size_t n = strlen(key);
    enum outcome o = apikey_check(name, scopes, expires_at, err);
    if (o != OK)
        return o;
    if (n < APIKEY_GIVEN_MIN || n > APIKEY_GIVEN_MAX)
        return err_set(err, INVALID, "a key has %d to %d octets", APIKEY_GIVEN_MIN,
                       APIKEY_GIVEN_MAX);
    for (size_t i = 0; i < n; i++)
        if (!isgraph((unsigned char)key[i]))
            return err_set(err, INVALID, "a key holds printable ASCII characters only");
    sha256(bytes_str(key), sum);
    const struct change c = {.sql = &APIKEY_SET,
                             .args = {val_secret(bytes_of(sum, sizeof sum)), val_str(scopes),
                                      expires_at ? val_int(expires_at) : val_null(), val_str(by),
                                      val_str(name)},
                             .nargs = 5,
                             .by = by,
                             .action = "apikey.set",
                             .name = name,
                             .detail = scopes};
    o = change_run(db, &c, err);
    return o == NOT_FOUND ? apikey_insert(db, change_run, name, key, scopes, expires_at, by, err)
                          : o;
}

static void apikey_from_row(const struct rows *r, size_t i, struct apikey *out)
{
    *out = (struct apikey){.id = row_at(r, i, 0)->i,
                           .name = row_at(r, i, 1)->s,
                           .scopes = row_at(r, i, 2)->s,
                           .created_at = row_at(r, i, 3)->i,
                           .created_by = row_at(r, i, 4)->s,
                           .expires_at = val_or_0(row_at(r, i, 5)),
                           .revoked_at = val_or_0(row_at(r, i, 6)),
                           .last_used_at = val_or_0(row_at(r, i, 7)),
                           .limited = row_at(r, i, 8)->i != 0,
                           .maker_gone = row_at(r, i, 9)->i != 0};
}

enum outcome apikey_find(struct db *db, const char *key, struct arena *a, struct apikey *out,
                         struct err *err)
{
    uint8_t sum[SHA256_LEN];
    int64_t now = clock_now();
    struct rows r;
    sha256(bytes_str(key), sum);
    enum outcome o = db_select(
        db, &APIKEY_FIND, (struct val[]){val_secret(bytes_of(sum, sizeof sum))}, 1, a, &r, err);
    if (o != OK)
        return o;
    if (r.n == 0)
        return err_set(err, NOT_FOUND, "no such API key");
    apikey_from_row(&r, 0, out);
    if (out->revoked_at)
        return err_set(err, DENIED, "the API key \"%s\" was revoked", out->name);
    if (out->expires_at && out->expires_at <= now)
        return err_set(err, DENIED, "the API key \"%s\" has expired", out->name);
    if (now - out->last_used_at < HOUR_US)
        return OK;
    return db_exec(db, &APIKEY_USED, (struct val[]){val_int(now), val_int(out->id)}, 2, NULL, err);
}

enum outcome apikey_get(struct db *db, const char *name, struct arena *a, struct apikey *out,
                        struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &APIKEY_GET, (struct val[]){val_str(name)}, 1, a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no API key \"%s\"", name);
    if (o == OK)
        apikey_from_row(&r, 0, out);
    return o;
}

bool apikey_allows(const struct apikey *k, const char *scope)
{
    size_t n = strlen(scope);
    for (const char *s = k->scopes; *s;) {
        size_t len = strcspn(s, " ");
        if ((len == 1 && *s == '*') || (len == n && memcmp(s, scope, n) == 0))
            return true;
        s += len;
        s += *s == ' ';
    }
    return false;
}

enum outcome apikey_list(struct db *db, struct arena *a, struct apikey **out, size_t *n,
                         struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &APIKEY_LIST, NULL, 0, a, &r, err);
    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        apikey_from_row(&r, *n, &(*out)[*n]);
    return OK;
}

static struct change revocation(const char *name, const char *by)
{
    return (struct change){.sql = &APIKEY_REVOKE,
                           .args = {val_int(clock_now()), val_str(name)},
                           .nargs = 2,
                           .by = by,
                           .action = "apikey.revoke",
                           .name = name};
}

enum outcome apikey_revoke_do(struct db *db, const char *name, const char *by, struct err *err)
{
    const struct change c = revocation(name, by);
    return change_do(db, &c, err);
}

enum outcome apikey_revoke(struct db *db, const char *name, const char *by, struct err *err)
{
    const struct change c = revocation(name, by);
    return change_run(db, &c, err);
}
