/* enroluser.c: see enroluser.h. */
#include "store/enroluser.h"

#include <ctype.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "store/audit.h"
#include "store/throttle.h"
#include "wire/encode.h"
#include "wire/seal.h"
#include "wire/sign.h"

static const struct sql ADD = {
    .name = "enroluser_add",
    .text =
        "INSERT INTO enroll_user (password_hash, ha1_md5, ha1_sha256, password_at, name, "
        "full_name, created_at, created_by, managed_account) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"};
static const struct sql PASSWORD = {
    .name = "enroluser_password",
    .text = "UPDATE enroll_user SET password_hash = ?, ha1_md5 = ?, ha1_sha256 = ?, "
            "password_at = ? WHERE name = ?"};
static const struct sql DISABLE = {
    .name = "enroluser_disable",
    .text = "UPDATE enroll_user SET disabled_at = IF(?, COALESCE(disabled_at, ?), NULL) "
            "WHERE name = ?"};
static const struct sql MANAGED = {.name = "enroluser_managed",
                                   .text =
                                       "UPDATE enroll_user SET managed_account = ? WHERE name = ?"};
static const struct sql VOID_TOKENS = {
    .name = "enroluser_void_tokens",
    .text = "UPDATE user_auth SET token_sha256 = NULL WHERE account = ?"};
#define FIND_TEXT                                                                                  \
    "SELECT id, name, full_name, password_hash, ha1_md5, ha1_sha256, created_at, password_at, "    \
    "disabled_at, managed_account FROM enroll_user WHERE name = ?"
static const struct sql FIND = {.name = "enroluser_find", .text = FIND_TEXT};
/* Whose a device is, by the profile it enrolled with, or who has logged in on it. */
#define HAS_DEVICE                                                                                 \
    " AND (name IN (SELECT h.account FROM handout h JOIN life l ON l.handout_id = h.id JOIN "      \
    "enrollment e ON e.life_id = l.id AND e.state = 2 WHERE h.account_kind = 1 AND "               \
    "h.account_ended_at IS NULL AND %SCOPE e.device_id%) OR name IN (SELECT u.account FROM "       \
    "user_auth u WHERE u.account IS NOT NULL AND "                                                 \
    "%SCOPE u.device_id%)) "
static const struct sql FIND_OWN = {.name = "enroluser_find_own", .text = FIND_TEXT HAS_DEVICE};
static const struct sql FULL_NAME = {.name = "enroluser_full_name",
                                     .text = "UPDATE enroll_user SET full_name = ? WHERE name = ?"};
static const struct sql LEAVE_DEVICES = {
    .name = "enroluser_leave_devices",
    .text = "UPDATE handout SET account_ended_at = ? WHERE account = ? AND account_kind = 1 AND "
            "account_ended_at IS NULL"};
static const struct sql REMOVE = {.name = "enroluser_remove",
                                  .text = "DELETE FROM enroll_user WHERE name = ?"};
#define LIST_TEXT                                                                                  \
    "SELECT id, name, full_name, '', '', '', created_at, password_at, disabled_at, "               \
    "managed_account FROM enroll_user WHERE name > ? AND (? = '' OR INSTR(LOWER(CONCAT_WS(' ', "   \
    "name, full_name, managed_account)), LOWER(?)) > 0) "
#define LIST_ORDER "ORDER BY name LIMIT ?"
static const struct sql LIST = {.name = "enroluser_list", .text = LIST_TEXT LIST_ORDER};
static const struct sql LIST_OWN = {.name = "enroluser_list_own",
                                    .text = LIST_TEXT HAS_DEVICE LIST_ORDER};

static enum outcome name_check(const char *name, struct err *err)
{
    size_t n = strlen(name);
    if (n == 0 || n > ENROLUSER_NAME_MAX || !utf8_valid(bytes_str(name)))
        return err_set(err, INVALID, "a name has 1 to %d octets of UTF-8", ENROLUSER_NAME_MAX);
    for (size_t i = 0; i < n; i++)
        if (iscntrl((unsigned char)name[i]) || strchr(":\"\\", name[i]))
            return err_set(err, INVALID,
                           "a name holds no control characters, colons, quotes and backslashes");
    return OK;
}

/* What is stored of a password. */
struct secrets {
    char hash[PASSWORD_HASH_MAX];
    struct buf md5, sha256;
};

static enum outcome ha1_sealed(const uint8_t pub[SEAL_KEY_LEN], enum digest_algorithm a,
                               const char *name, const char *password, struct buf *out,
                               struct err *err)
{
    char ha1[DIGEST_HEX_MAX + 1];
    struct buf label = BUF_INIT(ENROLUSER_NAME_MAX + 64);
    buf_fmt(&label, SIGN_DIGEST_LABEL, digest_algorithm_name(a), name);
    digest_ha1(a, name, password, ha1);
    *out = BUF_INIT(DIGEST_HEX_MAX + SEAL_OVERHEAD);
    enum outcome o = buf_failed(&label) ? err_set(err, ERROR, "out of memory")
                                        : seal(pub, buf_cstr(&label), bytes_str(ha1), out, err);
    secret_wipe(ha1, sizeof ha1);
    buf_free(&label);
    return o;
}

static enum outcome secrets_make(const char *signer_dir, const char *name, const char *password,
                                 struct secrets *s, struct err *err)
{
    uint8_t pub[SEAL_KEY_LEN];
    size_t n = strlen(password);
    *s = (struct secrets){0};
    enum outcome o = name_check(name, err);
    if (o == OK && (n < ENROLUSER_PASSWORD_MIN || n > ENROLUSER_PASSWORD_MAX))
        o = err_set(err, INVALID, "a password has %d to %d octets", ENROLUSER_PASSWORD_MIN,
                    ENROLUSER_PASSWORD_MAX);
    if (o == OK)
        o = seal_public_load(signer_dir, pub, err);
    if (o == OK)
        o = password_hash(password, s->hash, err);
    if (o == OK)
        o = ha1_sealed(pub, DIGEST_MD5, name, password, &s->md5, err);
    if (o == OK)
        o = ha1_sealed(pub, DIGEST_SHA256, name, password, &s->sha256, err);
    return o;
}

static void secrets_free(struct secrets *s)
{
    secret_wipe(s->hash, sizeof s->hash);
    buf_free(&s->md5);
    buf_free(&s->sha256);
}

/* A change of one user with what it voids and its audit entry. */
struct change {
    const struct sql *sql;
    struct val args[9];
    size_t nargs;
    bool voids;   /* AuthTokens */
    bool forgets; /* wrong passwords */
    const char *by, *action, *name;
};

static enum outcome change_one(struct db *db, const struct change *c, struct err *err)
{
    uint64_t rows;
    enum outcome o = db_exec(db, c->sql, c->args, c->nargs, &rows, err);
    if (o == CONFLICT)
        return err_set(err, CONFLICT, "there is a user \"%s\" already", c->name);
    if (o == OK && rows == 0)
        return err_set(err, NOT_FOUND, "there is no user \"%s\"", c->name);
    if (o == OK && c->voids)
        o = db_exec(db, &VOID_TOKENS, (struct val[]){val_str(c->name)}, 1, NULL, err);
    if (o == OK && c->forgets)
        o = throttle_forget(db, THROTTLE_USERS, c->name, err);
    return o == OK ? audit_add(db, c->by, c->action, c->name, NULL, err) : o;
}

static enum outcome change_unit(struct db *db, void *arg, struct err *err)
{
    return change_one(db, arg, err);
}

#define CHANGES_MAX 4

struct changes {
    struct change list[CHANGES_MAX];
    size_t n;
};

static enum outcome changes_unit(struct db *db, void *arg, struct err *err)
{
    const struct changes *all = arg;
    enum outcome o = OK;
    for (size_t i = 0; o == OK && i < all->n; i++)
        o = change_one(db, &all->list[i], err);
    return o;
}

static void secret_args(struct change *c, const struct secrets *s, int64_t now)
{
    c->args[0] = val_secret(bytes_str(s->hash));
    c->args[1] = val_secret(buf_bytes(&s->md5));
    c->args[2] = val_secret(buf_bytes(&s->sha256));
    c->args[3] = val_int(now);
    c->args[4] = val_str(c->name);
}

static enum outcome managed_check(const char *m, struct err *err)
{
    const char *at = strchr(m, '@');
    if (*m && (!at || at == m || !at[1] || strlen(m) > 255 || strpbrk(m, " \t\r\n\"\\") ||
               !utf8_valid(bytes_str(m))))
        return err_set(err, INVALID, "a Managed Apple Account is written NAME@DOMAIN");
    return OK;
}

enum outcome enroluser_add(struct db *db, const char *signer_dir, const char *name,
                           const struct enroluser_edit *e, const char *by, struct err *err)
{
    const char *full = e->full_name ? e->full_name : "";
    const char *managed = e->managed_account ? e->managed_account : "";
    struct secrets s = {0};
    int64_t now = clock_now();
    struct change c = {.sql = &ADD, .nargs = 9, .by = by, .action = "user.add", .name = name};
    enum outcome o = managed_check(managed, err);
    if (o == OK && !utf8_valid(bytes_str(full)))
        o = err_set(err, INVALID, "the full name is not UTF-8");
    if (o == OK)
        o = secrets_make(signer_dir, name, e->password ? e->password : "", &s, err);
    if (o == OK) {
        secret_args(&c, &s, now);
        c.args[5] = val_strn(full, utf8_prefix(full, ENROLUSER_FULL_NAME_MAX));
        c.args[6] = val_int(now);
        c.args[7] = val_str(by);
        c.args[8] = *managed ? val_str(managed) : val_null();
        o = db_unit(db, change_unit, &c, err);
    }
    secrets_free(&s);
    return o;
}

static struct change *change_add(struct changes *all, const struct sql *sql, const char *action,
                                 const char *name, const char *by)
{
    struct change *c = &all->list[all->n++];
    *c = (struct change){.sql = sql, .nargs = 2, .by = by, .action = action, .name = name};
    c->args[1] = val_str(name);
    return c;
}

static void edit_changes(const struct enroluser_edit *e, const char *name, const char *by,
                         const struct secrets *s, struct changes *all)
{
    int64_t now = clock_now();
    if (e->full_name)
        change_add(all, &FULL_NAME, "user.full-name", name, by)->args[0] =
            val_strn(e->full_name, utf8_prefix(e->full_name, ENROLUSER_FULL_NAME_MAX));
    if (e->managed_account)
        change_add(all, &MANAGED, "user.managed", name, by)->args[0] =
            *e->managed_account ? val_str(e->managed_account) : val_null();
    if (e->password) {
        struct change *c = change_add(all, &PASSWORD, "user.password", name, by);
        secret_args(c, s, now);
        c->nargs = 5;
        c->voids = c->forgets = true;
    }
    if (e->disable || e->enable) {
        struct change *c =
            change_add(all, &DISABLE, e->disable ? "user.disable" : "user.enable", name, by);
        c->args[0] = val_int(e->disable);
        c->args[1] = val_int(now);
        c->args[2] = val_str(name);
        c->nargs = 3;
        c->voids = e->disable;
    }
}

enum outcome enroluser_change(struct db *db, const char *signer_dir, const char *name,
                              const struct enroluser_edit *e, const char *by, struct err *err)
{
    struct secrets s = {0};
    struct changes all = {.n = 0};
    enum outcome o = managed_check(e->managed_account ? e->managed_account : "", err);
    if (o == OK && e->full_name && !utf8_valid(bytes_str(e->full_name)))
        o = err_set(err, INVALID, "the full name is not UTF-8");
    if (o == OK && e->password)
        o = secrets_make(signer_dir, name, e->password, &s, err);
    if (o == OK) {
        edit_changes(e, name, by, &s, &all);
        o = db_unit(db, changes_unit, &all, err);
    }
    secrets_free(&s);
    return o;
}

static enum outcome remove_unit(struct db *db, void *arg, struct err *err)
{
    const struct change *c = arg;
    enum outcome o = change_one(db, c, err);
    return o == OK ? db_exec(db, &LEAVE_DEVICES,
                             (struct val[]){val_int(clock_now()), val_str(c->name)}, 2, NULL, err)
                   : o;
}

enum outcome enroluser_remove(struct db *db, const char *name, const char *by, struct err *err)
{
    struct change c = {.sql = &REMOVE,
                       .args = {val_str(name)},
                       .nargs = 1,
                       .voids = true,
                       .by = by,
                       .action = "user.remove",
                       .name = name};
    return db_unit(db, remove_unit, &c, err);
}

static void from_row(const struct rows *r, size_t i, struct enroluser *out)
{
    const struct val *v = row_at(r, i, 0);
    const char *managed = val_is_null(&v[9]) && strchr(v[1].s, '@') ? v[1].s : val_text(&v[9]);
    *out = (struct enroluser){.id = v[0].i,
                              .name = v[1].s,
                              .full_name = v[2].s,
                              .managed_account = managed,
                              .password_hash = v[3].s,
                              .ha1_md5 = val_bytes(&v[4]),
                              .ha1_sha256 = val_bytes(&v[5]),
                              .created_at = v[6].i,
                              .password_at = v[7].i,
                              .disabled_at = val_or_0(&v[8])};
}

enum outcome enroluser_find(struct db *db, const char *name, struct arena *a, struct enroluser *out,
                            struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, db_scoped(db) ? &FIND_OWN : &FIND, (struct val[]){val_str(name)},
                               1, a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no user of this name");
    if (o == OK)
        from_row(&r, 0, out);
    return o;
}

enum outcome enroluser_list(struct db *db, const char *search, const char *after, size_t max,
                            struct arena *a, struct enroluser **out, size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, db_scoped(db) ? &LIST_OWN : &LIST,
                               (struct val[]){val_str(after), val_str(search), val_str(search),
                                              val_int(max < LIM_PAGE ? (int64_t)max : LIM_PAGE)},
                               4, a, &r, err);
    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        from_row(&r, *n, &(*out)[*n]);
    return OK;
}
