/* oauth.c: see oauth.h. */
#include "store/oauth.h"

#include "base/clock.h"
#include "store/audit.h"
#include "store/handout.h"
#include "store/id.h"
#include "wire/encode.h"

#define HANDLE_LEN 32
#define SECRET_LEN 48
#define REPEAT_US (10 * MINUTE_US) /* a device that had no answer asks again within */
#define KIND_CODE 'c'
#define KIND_ACCESS 'a'
#define KIND_REFRESH 'r'

static const struct sql NEW = {
    "oauth_new",
    "INSERT INTO oauth_grant (id, handle_sha256, account_kind, account, managed_account, mode, "
    "challenge, code_sha256, code_expires_at, created_at, expires_at) "
    "VALUES (?,?,?,?,?,?,?,?,?,?,?)",
    0};
#define COLUMNS                                                                                    \
    "g.id, g.account_kind, g.account, g.managed_account, g.mode, g.challenge, g.code_sha256, "     \
    "g.code_expires_at, g.code_used_at, g.access_sha256, g.access_expires_at, "                    \
    "g.old_access_sha256, g.old_access_expires_at, g.refresh_sha256, g.old_refresh_sha256, "       \
    "g.refreshed_at, g.confirmed, g.device, g.ident, g.uses, g.created_at, g.expires_at, "         \
    "g.ended_at, g.ended_why"
static const struct sql FIND = {
    "oauth_find", "SELECT " COLUMNS " FROM oauth_grant g WHERE g.handle_sha256 = ?", 0};
static const struct sql LOCK = {
    "oauth_lock", "SELECT " COLUMNS " FROM oauth_grant g WHERE g.handle_sha256 = ? FOR UPDATE", 0};
enum {
    G_ID,
    G_KIND,
    G_ACCOUNT,
    G_MANAGED,
    G_MODE,
    G_CHALLENGE,
    G_CODE,
    G_CODE_EXPIRES,
    G_CODE_USED,
    G_ACCESS,
    G_ACCESS_EXPIRES,
    G_OLD_ACCESS,
    G_OLD_ACCESS_EXPIRES,
    G_REFRESH,
    G_OLD_REFRESH,
    G_REFRESHED,
    G_CONFIRMED,
    G_DEVICE,
    G_IDENT,
    G_USES,
    G_CREATED,
    G_EXPIRES,
    G_ENDED,
    G_ENDED_WHY
};
static const struct sql PERSON = {
    "oauth_person", "SELECT password_at, disabled_at FROM enroll_user WHERE name = ?", 0};
static const struct sql FIRST = {
    "oauth_first",
    "UPDATE oauth_grant SET code_used_at = ?, access_sha256 = ?, access_expires_at = ?, "
    "refresh_sha256 = ?, refreshed_at = ?, expires_at = ? WHERE id = ?",
    0};
/* The tokens in force become those of before. MariaDB assigns from left to right. */
static const struct sql NEXT = {
    "oauth_next",
    "UPDATE oauth_grant SET old_access_sha256 = access_sha256, old_access_expires_at = "
    "access_expires_at, old_refresh_sha256 = refresh_sha256, access_sha256 = ?, "
    "access_expires_at = ?, refresh_sha256 = ?, refreshed_at = ?, expires_at = ?, confirmed = 0 "
    "WHERE id = ?",
    0};
/* Others instead of those whose answer was lost; the first time of the refresh token counts. */
static const struct sql AGAIN = {
    "oauth_again",
    "UPDATE oauth_grant SET access_sha256 = ?, access_expires_at = ?, refresh_sha256 = ?, "
    "expires_at = ? WHERE id = ?",
    0};
static const struct sql END = {
    "oauth_end",
    "UPDATE oauth_grant SET ended_at = ?, ended_why = ? WHERE id = ? AND ended_at IS NULL", 0};
static const struct sql USE = {
    "oauth_use",
    "UPDATE oauth_grant SET device = ?, uses = uses + 1, confirmed = 1 WHERE id = ? AND uses < ? "
    "AND (device IS NULL OR device = ?) AND ended_at IS NULL",
    0};
static const struct sql BIND = {
    "oauth_bind",
    "UPDATE oauth_grant SET ident = COALESCE(ident, ?), confirmed = IF(?, 1, confirmed) "
    "WHERE id = ?",
    0};

/* ---- tokens ---- */

static bool looks_like(const char *token, char kind)
{
    return token && token[0] == kind && strlen(token) == OAUTH_TOKEN_LEN &&
           strspn(token + 1, "0123456789abcdef") == OAUTH_TOKEN_LEN - 1;
}

bool oauth_is_access(const char *token)
{
    return looks_like(token, KIND_ACCESS);
}

static struct val handle_of(const char *token, uint8_t sum[SHA256_LEN])
{
    sha256(bytes_of(token + 1, HANDLE_LEN), sum);
    return val_secret(bytes_of(sum, SHA256_LEN));
}

static struct val digest_of(const char *token, uint8_t sum[SHA256_LEN])
{
    sha256(bytes_str(token), sum);
    return val_secret(bytes_of(sum, SHA256_LEN));
}

static bool is(const struct val *v, const char *token)
{
    uint8_t sum[SHA256_LEN];
    sha256(bytes_str(token), sum);
    return v->n == SHA256_LEN && secret_equal(bytes_of(v->s, v->n), bytes_of(sum, sizeof sum));
}

/* handle: HANDLE_LEN digits. */
static void token_make(char kind, const char *handle, char out[OAUTH_TOKEN_LEN + 1])
{
    out[0] = kind;
    memmove(out + 1, handle, HANDLE_LEN);
    secret_new(SECRET_LEN / 2, out + 1 + HANDLE_LEN);
}

/* The tokens of the grant that `of` is of. */
static void pair_make(const char *of, struct oauth_tokens *t)
{
    token_make(KIND_ACCESS, of + 1, t->access);
    token_make(KIND_REFRESH, of + 1, t->refresh);
}

enum outcome oauth_begin(struct db *db, const struct oauth_person *p, const char *challenge,
                         int64_t now, char code[OAUTH_TOKEN_LEN + 1], struct err *err)
{
    char handle[HANDLE_LEN + 1];
    uint8_t sum[SHA256_LEN], code_sum[SHA256_LEN];
    int64_t expires = now + OAUTH_CODE_S * SECOND_US;
    secret_new(HANDLE_LEN / 2, handle);
    token_make(KIND_CODE, handle, code);
    return db_exec(db, &NEW,
                   (struct val[]){val_int(id_new()), handle_of(code, sum), val_int(p->account_kind),
                                  val_str(p->account), val_str(p->managed_account),
                                  val_str(p->mode), challenge ? val_str(challenge) : val_null(),
                                  digest_of(code, code_sum), val_int(expires), val_int(now),
                                  val_int(expires)},
                   11, NULL, err);
}

/* ---- the endpoint ---- */

struct change {
    const char *shown, *verifier;
    const struct oauth_life *life;
    int64_t now;
    struct arena *a;
    struct oauth_tokens *out;
    const char *why; /* refused; NULL: not */
    const char *end; /* and the grant with it */
};

/* S256 of RFC 7636. */
static bool verifier_fits(const char *challenge, const char *verifier)
{
    uint8_t sum[SHA256_LEN];
    char text[OAUTH_CHALLENGE_MIN + 1];
    if (!verifier || strlen(verifier) < OAUTH_CHALLENGE_MIN ||
        strlen(verifier) > OAUTH_CHALLENGE_MAX)
        return false;
    sha256(bytes_str(verifier), sum);
    base64url(bytes_of(sum, sizeof sum), text);
    return secret_equal(bytes_str(text), bytes_str(challenge));
}

/* May whoever logged in still do so, with the password of then? *why: NULL, or why not. */
static enum outcome person_check(struct db *db, int64_t kind, const char *account, int64_t since,
                                 struct arena *a, const char **why, struct err *err)
{
    struct rows r;
    *why = NULL;
    if (kind != ACCOUNT_LOCAL)
        return OK;
    enum outcome o = db_select(db, &PERSON, (struct val[]){val_str(account)}, 1, a, &r, err);
    if (o != OK)
        return o;
    if (r.n == 0)
        *why = "the account is gone";
    else if (!val_is_null(row_at(&r, 0, 1)))
        *why = "the account is disabled";
    else if (row_at(&r, 0, 0)->i > since)
        *why = "the account has another password";
    return OK;
}

static void judge_code(struct change *c, const struct val *v)
{
    if (!is(&v[G_CODE], c->shown))
        c->why = "it is no code of this grant";
    else if (!val_is_null(&v[G_CODE_USED]))
        c->why = c->end = "the code was used twice";
    else if (v[G_CODE_EXPIRES].i <= c->now)
        c->why = "the code is too old";
    else if (!val_is_null(&v[G_CHALLENGE]) && !verifier_fits(v[G_CHALLENGE].s, c->verifier))
        c->why = "code_verifier is not that of the code_challenge";
    else if (val_is_null(&v[G_CHALLENGE]) && c->verifier)
        c->why = "a code_verifier came, and there was no code_challenge";
}

/* True: it is the one before, and its answer was lost. */
static bool judge_refresh(struct change *c, const struct val *v)
{
    bool again = is(&v[G_OLD_REFRESH], c->shown) && !v[G_CONFIRMED].i &&
                 c->now - v[G_REFRESHED].i < REPEAT_US;
    if (v[G_EXPIRES].i <= c->now)
        c->why = "the refresh token is too old";
    else if (!again && !is(&v[G_REFRESH], c->shown))
        c->why = c->end = "a refresh token was used twice";
    return again;
}

static enum outcome tokens_store(struct db *db, const struct sql *how, struct change *c, int64_t id,
                                 struct err *err)
{
    uint8_t access[SHA256_LEN], refresh[SHA256_LEN];
    struct val v[7];
    size_t n = 0;
    pair_make(c->shown, c->out);
    if (how == &FIRST)
        v[n++] = val_int(c->now);
    v[n++] = digest_of(c->out->access, access);
    v[n++] = val_int(c->now + c->life->access_s * SECOND_US);
    v[n++] = digest_of(c->out->refresh, refresh);
    if (how != &AGAIN)
        v[n++] = val_int(c->now);
    v[n++] = val_int(c->now + c->life->refresh_s * SECOND_US);
    v[n++] = val_int(id);
    return db_exec(db, how, v, n, NULL, err);
}

static enum outcome grant_end(struct db *db, const struct val *v, const char *why, int64_t now,
                              struct err *err)
{
    enum outcome o =
        db_exec(db, &END, (struct val[]){val_int(now), val_str(why), v[G_ID]}, 3, NULL, err);
    return o == OK ? audit_add(db, "rule:oauth", "oauth.end", v[G_ACCOUNT].s, why, err) : o;
}

static enum outcome change_unit(struct db *db, void *arg, struct err *err)
{
    struct change *c = arg;
    uint8_t sum[SHA256_LEN];
    struct rows r;
    const char *gone = NULL;
    bool code = c->shown[0] == KIND_CODE, again = false;
    c->why = c->end = NULL;
    enum outcome o =
        db_select(db, &LOCK, (struct val[]){handle_of(c->shown, sum)}, 1, c->a, &r, err);
    if (o != OK)
        return o;
    if (r.n == 0) {
        c->why = "there is no such grant";
        return OK;
    }
    const struct val *v = row_at(&r, 0, 0);
    if (!val_is_null(&v[G_ENDED])) {
        c->why = arena_fmt(c->a, "the grant has ended: %s", val_text(&v[G_ENDED_WHY]));
        return c->why ? OK : err_set(err, ERROR, "out of memory");
    }
    o = person_check(db, v[G_KIND].i, v[G_ACCOUNT].s, v[G_CREATED].i, c->a, &gone, err);
    if (o != OK)
        return o;
    if (gone)
        c->why = c->end = gone;
    else if (code)
        judge_code(c, v);
    else
        again = judge_refresh(c, v);
    if (c->end)
        return grant_end(db, v, c->end, c->now, err);
    if (c->why)
        return OK;
    return tokens_store(db, code ? &FIRST : again ? &AGAIN : &NEXT, c, v[G_ID].i, err);
}

static enum outcome change(struct db *db, struct change *c, char kind, struct err *err)
{
    if (!looks_like(c->shown, kind))
        return err_set(err, DENIED, "that is no %s of this server",
                       kind == KIND_CODE ? "code" : "refresh token");
    enum outcome o = db_unit(db, change_unit, c, err);
    return o == OK && c->why ? err_set(err, DENIED, "%s", c->why) : o;
}

enum outcome oauth_redeem(struct db *db, const char *code, const char *verifier,
                          const struct oauth_life *life, int64_t now, struct arena *a,
                          struct oauth_tokens *out, struct err *err)
{
    struct change c = {
        .shown = code, .verifier = verifier, .life = life, .now = now, .a = a, .out = out};
    return change(db, &c, KIND_CODE, err);
}

enum outcome oauth_refresh(struct db *db, const char *refresh, const struct oauth_life *life,
                           int64_t now, struct arena *a, struct oauth_tokens *out, struct err *err)
{
    struct change c = {.shown = refresh, .life = life, .now = now, .a = a, .out = out};
    return change(db, &c, KIND_REFRESH, err);
}

/* ---- access tokens ---- */

enum outcome oauth_look(struct db *db, const char *access, int64_t now, struct arena *a,
                        struct oauth_grant *out, struct err *err)
{
    uint8_t sum[SHA256_LEN];
    struct rows r;
    *out = (struct oauth_grant){.state = OAUTH_UNKNOWN, .device = "", .ident = "", .why = ""};
    if (!oauth_is_access(access))
        return OK;
    enum outcome o = db_select(db, &FIND, (struct val[]){handle_of(access, sum)}, 1, a, &r, err);
    if (o != OK || r.n == 0)
        return o;
    const struct val *v = row_at(&r, 0, 0);
    *out = (struct oauth_grant){.id = v[G_ID].i,
                                .account_kind = v[G_KIND].i,
                                .account = v[G_ACCOUNT].s,
                                .managed_account = v[G_MANAGED].s,
                                .mode = v[G_MODE].s,
                                .device = val_text(&v[G_DEVICE]),
                                .ident = val_text(&v[G_IDENT]),
                                .uses = v[G_USES].i,
                                .why = "",
                                .confirmed = v[G_CONFIRMED].i != 0};
    const char *gone = NULL;
    o = person_check(db, v[G_KIND].i, v[G_ACCOUNT].s, v[G_CREATED].i, a, &gone, err);
    if (o != OK)
        return o;
    if (!val_is_null(&v[G_ENDED]) || gone) {
        out->state = OAUTH_ENDED;
        out->why = gone ? gone : val_text(&v[G_ENDED_WHY]);
    } else if ((is(&v[G_ACCESS], access) && v[G_ACCESS_EXPIRES].i > now) ||
               (is(&v[G_OLD_ACCESS], access) && v[G_OLD_ACCESS_EXPIRES].i > now)) {
        out->state = OAUTH_GOOD;
        /* the one before says nothing of whether the new ones have come */
        out->latest = is(&v[G_ACCESS], access);
    } else {
        out->state = OAUTH_STALE;
    }
    return OK;
}

enum outcome oauth_use(struct db *db, int64_t id, const char *device, struct err *err)
{
    uint64_t rows;
    enum outcome o = db_exec(
        db, &USE,
        (struct val[]){val_str(device), val_int(id), val_int(OAUTH_USES_MAX), val_str(device)}, 4,
        &rows, err);
    return o == OK && rows == 0 ? err_set(err, DENIED,
                                          "another device has begun this enrolment, or it was "
                                          "repeated too often")
                                : o;
}

enum outcome oauth_bind(struct db *db, const struct oauth_grant *g, const char *ident,
                        struct err *err)
{
    if (g->ident[0] && strcmp(g->ident, ident) != 0)
        return err_set(err, DENIED, "the access token is that of the enrollment %.128s", g->ident);
    if (g->ident[0] && (g->confirmed || !g->latest))
        return OK;
    return db_exec(db, &BIND, (struct val[]){val_str(ident), val_int(g->latest), val_int(g->id)}, 3,
                   NULL, err);
}
