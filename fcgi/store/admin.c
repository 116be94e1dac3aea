/* admin.c: see admin.h. */
#include "store/admin.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/account.h"
#include "store/audit.h"
#include "store/change.h"
#include "store/session.h"
#include "store/throttle.h"
#include "wire/encode.h"

#define REMOTE "REMOTE_USER" /* who acts when the web server says who somebody is */

static const struct sql ADD = {
    "admin_add",
    "INSERT INTO admin (name, password_hash, role, created_at, created_by, password_due) "
    "VALUES (?, ?, ?, ?, ?, ?)",
    0};
static const struct sql PASSWORD = {
    "admin_password_set",
    "UPDATE admin SET password_hash = ?, password_due = 0 WHERE name = ? AND origin = 'local'", 0};
static const struct sql RESET = {
    "admin_reset",
    "UPDATE admin SET password_hash = ?, password_due = 1, totp_secret = NULL, "
    "totp_pending = NULL WHERE name = ? AND origin = 'local'",
    0};
static const struct sql RESET_CODES = {
    "admin_reset_codes",
    "DELETE FROM admin_recovery WHERE admin_id = (SELECT id FROM admin WHERE name = ?)", 0};
static const struct sql DISABLE = {
    "admin_disable",
    "UPDATE admin SET disabled_at = IF(?, COALESCE(disabled_at, ?), NULL) WHERE name = ?", 0};
static const struct sql ROLE = {"admin_role",
                                "UPDATE admin SET role = ?, role_ruled = ? WHERE name = ?", 0};
/* Locked, so that two administrators cannot take each other's rights at the same moment. */
static const struct sql KEEPERS = {
    "admin_keepers",
    "SELECT name FROM admin WHERE role = 'administrator' AND disabled_at IS NULL AND "
    "origin = 'local' AND limited = 0 ORDER BY id LIMIT ? FOR UPDATE",
    0};
#define COLUMNS                                                                                    \
    "role, created_at, disabled_at, created_by, signed_in_at, origin = 'remote', password_due, "   \
    "totp_secret IS NOT NULL, limited, role_ruled"
static const struct sql FIND = {
    "admin_find", "SELECT id, name, password_hash, " COLUMNS ", 0 FROM admin WHERE name = ?", 0};
static const struct sql LIST = {
    "admin_list",
    "SELECT id, name, '', " COLUMNS
    ", COALESCE(s.n, 0) FROM admin LEFT JOIN (SELECT admin, COUNT(*) AS n FROM session WHERE "
    "pending = 0 AND idle_until > ? AND ends_at > ? GROUP BY admin) s ON s.admin = name ORDER BY "
    "name",
    0};
static const struct sql REMOTE_ADD = {
    "admin_remote_add",
    "INSERT INTO admin (name, password_hash, role, created_at, created_by, origin, role_ruled) "
    "VALUES (?, '', ?, ?, '" REMOTE "', 'remote', 1)",
    0};
static const struct sql LANGUAGE = {"admin_language_set",
                                    "UPDATE admin SET language = ? WHERE name = ?", 0};

static enum outcome hash_checked(const char *password, char hash[PASSWORD_HASH_MAX],
                                 struct err *err)
{
    size_t n = strlen(password);
    if (n < ADMIN_PASSWORD_MIN || n > ADMIN_PASSWORD_MAX)
        return err_set(err, INVALID, "a password has %d to %d octets", ADMIN_PASSWORD_MIN,
                       ADMIN_PASSWORD_MAX);
    return password_hash(password, hash, err);
}

static enum outcome name_and_role(const char *name, const char *role, struct err *err)
{
    enum outcome o = account_name_check(name, err);
    return o == OK && !role_known(role) ? err_set(err, INVALID, "there is no role \"%s\"", role)
                                        : o;
}

/* The hash must outlive it. */
static struct change addition(const char *name, const char *role, const char *hash, bool due,
                              const char *by)
{
    return (struct change){.sql = &ADD,
                           .args = {val_str(name), val_secret(bytes_str(hash)), val_str(role),
                                    val_int(clock_now()), val_str(by), val_int(due)},
                           .nargs = 6,
                           .by = by,
                           .action = "admin.add",
                           .name = name,
                           .detail = role};
}

static enum outcome add(struct db *db, const char *name, const char *role, const char *password,
                        bool due, const char *by, struct err *err)
{
    char hash[PASSWORD_HASH_MAX];
    enum outcome o = name_and_role(name, role, err);
    if (o == OK)
        o = hash_checked(password, hash, err);
    if (o != OK)
        return o;
    const struct change c = addition(name, role, hash, due, by);
    return change_run(db, &c, err);
}

enum outcome admin_secret_make(struct admin_secret *out, struct err *err)
{
    secret_new(ADMIN_GIVEN_LEN / 2, out->password);
    return hash_checked(out->password, out->hash, err);
}

enum outcome admin_add_do(struct db *db, const char *name, const char *role,
                          const struct admin_secret *secret, const char *by, struct err *err)
{
    enum outcome o = name_and_role(name, role, err);
    const struct change c = addition(name, role, secret->hash, true, by);
    return o == OK ? change_do(db, &c, err) : o;
}

enum outcome admin_add(struct db *db, const char *name, const char *role, const char *password,
                       const char *by, struct err *err)
{
    return add(db, name, role, password, false, by, err);
}

enum outcome admin_invite(struct db *db, const char *name, const char *role, const char *by,
                          char password[ADMIN_GIVEN_LEN + 1], struct err *err)
{
    secret_new(ADMIN_GIVEN_LEN / 2, password);
    enum outcome o = add(db, name, role, password, true, by, err);
    if (o != OK)
        secret_wipe(password, ADMIN_GIVEN_LEN + 1);
    return o;
}

struct new_password {
    struct change c;
    const struct session *keep;
};

static enum outcome password_unit(struct db *db, void *arg, struct err *err)
{
    const struct new_password *x = arg;
    enum outcome o = change_do(db, &x->c, err);
    return o == OK ? session_end_rest(db, x->c.name, x->keep, err) : o;
}

enum outcome admin_password_set(struct db *db, const char *name, const char *password,
                                const struct session *keep, const char *by, struct err *err)
{
    char hash[PASSWORD_HASH_MAX];
    enum outcome o = hash_checked(password, hash, err);
    if (o != OK)
        return o;
    struct new_password x = {{.sql = &PASSWORD,
                              .args = {val_secret(bytes_str(hash)), val_str(name)},
                              .nargs = 2,
                              .by = by,
                              .action = "admin.password",
                              .name = name},
                             keep};
    return db_unit(db, password_unit, &x, err);
}

struct reset {
    const char *name, *by;
    const struct admin_secret *secret;
};

static enum outcome reset_unit(struct db *db, void *arg, struct err *err)
{
    const struct reset *r = arg;
    const struct val name = val_str(r->name);
    const struct change c = {.sql = &RESET,
                             .args = {val_secret(bytes_str(r->secret->hash)), name},
                             .nargs = 2,
                             .by = r->by,
                             .action = "admin.reset",
                             .name = r->name};
    char code[SIGNIN_CODE_MAX];
    enum outcome o = change_do(db, &c, err);
    if (o == OK)
        o = db_exec(db, &RESET_CODES, &name, 1, NULL, err);
    if (o == OK)
        o = throttle_forget(db, THROTTLE_ADMINS, r->name, err);
    signin_code_account(r->name, code);
    if (o == OK)
        o = throttle_forget(db, THROTTLE_ADMINS, code, err);
    return o == OK ? session_end_rest(db, r->name, NULL, err) : o;
}

enum outcome admin_reset_do(struct db *db, const char *name, const struct admin_secret *secret,
                            const char *by, struct err *err)
{
    struct reset r = {name, by, secret};
    return reset_unit(db, &r, err);
}

enum outcome admin_reset(struct db *db, const char *name, const char *by,
                         char password[ADMIN_GIVEN_LEN + 1], struct err *err)
{
    struct admin_secret secret;
    struct reset r = {name, by, &secret};
    enum outcome o = admin_secret_make(&secret, err);
    if (o == OK)
        o = db_unit(db, reset_unit, &r, err);
    password[0] = '\0';
    if (o == OK)
        memcpy(password, secret.password, sizeof secret.password);
    secret_wipe(&secret, sizeof secret);
    return o;
}

/* A change that takes rights away, perhaps those of the last administrator. */
struct taking {
    struct change c;
    bool ends_sessions;
    struct arena *a;
};

static enum outcome taking_unit(struct db *db, void *arg, struct err *err)
{
    const struct taking *t = arg;
    const struct val max = val_int(LIM_PAGE);
    struct rows r;
    arena_reset(t->a);
    enum outcome o = db_select(db, &KEEPERS, &max, 1, t->a, &r, err);
    if (o == OK && r.n == 1 && strcmp(row_at(&r, 0, 0)->s, t->c.name) == 0)
        o = err_set(err, CONFLICT, "\"%s\" is the last administrator", t->c.name);
    if (o == OK)
        o = change_do(db, &t->c, err);
    return o == OK && t->ends_sessions ? session_end_rest(db, t->c.name, NULL, err) : o;
}

static enum outcome taking_run(struct db *db, struct taking *t, struct err *err)
{
    t->a = arena_new(LIM_MB);
    enum outcome o = t->a ? db_unit(db, taking_unit, t, err) : err_set(err, ERROR, "out of memory");
    arena_free(&t->a);
    return o;
}

static struct taking disabling(const char *name, bool disable, const char *by)
{
    return (struct taking){.c = {.sql = &DISABLE,
                                 .args = {val_int(disable), val_int(clock_now()), val_str(name)},
                                 .nargs = 3,
                                 .by = by,
                                 .action = disable ? "admin.disable" : "admin.enable",
                                 .name = name},
                           .ends_sessions = disable};
}

enum outcome admin_disable_do(struct db *db, const char *name, bool disable, const char *by,
                              struct arena *a, struct err *err)
{
    struct taking t = disabling(name, disable, by);
    t.a = a;
    return disable ? taking_unit(db, &t, err) : change_do(db, &t.c, err);
}

enum outcome admin_disable(struct db *db, const char *name, bool disable, const char *by,
                           struct err *err)
{
    struct taking t = disabling(name, disable, by);
    return disable ? taking_run(db, &t, err) : change_run(db, &t.c, err);
}

/* ruled: the configuration gives it, and no person. */
static struct taking role_change(const char *name, const char *role, bool ruled, const char *by)
{
    return (struct taking){.c = {.sql = &ROLE,
                                 .args = {val_str(role), val_int(ruled), val_str(name)},
                                 .nargs = 3,
                                 .by = by,
                                 .action = "admin.role",
                                 .name = name,
                                 .detail = role}};
}

enum outcome admin_role_do(struct db *db, const char *name, const char *role, const char *by,
                           struct arena *a, struct err *err)
{
    struct taking t = role_change(name, role, false, by);
    t.a = a;
    if (!role_known(role))
        return err_set(err, INVALID, "there is no role \"%s\"", role);
    return strcmp(role, "administrator") == 0 ? change_do(db, &t.c, err) : taking_unit(db, &t, err);
}

enum outcome admin_role_set(struct db *db, const char *name, const char *role, const char *by,
                            struct err *err)
{
    struct taking t = role_change(name, role, false, by);
    if (!role_known(role))
        return err_set(err, INVALID, "there is no role \"%s\"", role);
    return strcmp(role, "administrator") == 0 ? change_run(db, &t.c, err) : taking_run(db, &t, err);
}

static void from_row(const struct val *v, struct admin *out)
{
    *out = (struct admin){.id = v[0].i,
                          .name = v[1].s,
                          .password_hash = v[2].s,
                          .role = v[3].s,
                          .created_at = v[4].i,
                          .disabled_at = val_or_0(&v[5]),
                          .created_by = v[6].s,
                          .signed_in_at = val_or_0(&v[7]),
                          .remote = v[8].i != 0,
                          .password_due = v[9].i != 0,
                          .has_totp = v[10].i != 0,
                          .limited = v[11].i != 0,
                          .role_ruled = v[12].i != 0,
                          .sessions = v[13].i};
}

enum outcome admin_find(struct db *db, const char *name, struct arena *a, struct admin *out,
                        struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &FIND, (struct val[]){val_str(name)}, 1, a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no administrator of this name");
    if (o == OK)
        from_row(row_at(&r, 0, 0), out);
    return o;
}

/* The role of somebody who is known: what the configuration says now; what it gave and does not say
 * any more is over, and so are the sessions that have it. */
static enum outcome remote_known(struct db *db, const struct admin *known, const char *role,
                                 const char *otherwise, struct err *err)
{
    const char *now = role ? role : known->role_ruled ? otherwise : known->role;
    uint64_t ended;
    if (!now) {
        enum outcome o = session_end_all(db, known->name, REMOTE, &ended, err);
        return o == OK ? err_set(err, DENIED, "\"%s\" has no role any more", known->name) : o;
    }
    if (strcmp(known->role, now) == 0 && known->role_ruled >= (role != NULL))
        return OK;
    struct taking t = role_change(known->name, now, true, REMOTE);
    return taking_run(db, &t, err);
}

enum outcome admin_remote(struct db *db, const char *name, const char *role, const char *otherwise,
                          struct err *err)
{
    struct admin known;
    struct arena *a = arena_new(LIM_MB);
    enum outcome o = a ? account_name_check(name, err) : err_set(err, ERROR, "out of memory");
    if (o == OK)
        o = admin_find(db, name, a, &known, err);
    const char *now = role ? role : otherwise;
    struct change c = {.sql = &REMOTE_ADD,
                       .args = {val_str(name), val_str(now), val_int(clock_now())},
                       .nargs = 3,
                       .by = REMOTE,
                       .action = "admin.add",
                       .name = name,
                       .detail = now};
    if (o == OK && (!known.remote || known.disabled_at))
        o = err_set(err, DENIED, "\"%s\" is %s", name,
                    known.remote ? "disabled" : "a local account");
    else if (o == OK)
        o = remote_known(db, &known, role, otherwise, err);
    else if (o == NOT_FOUND)
        o = now ? change_run(db, &c, err) : err_set(err, DENIED, "\"%s\" has no role", name);
    arena_free(&a);
    return o;
}

enum outcome admin_list(struct db *db, struct arena *a, struct admin **out, size_t *n,
                        struct err *err)
{
    struct rows r;
    struct val now = val_int(clock_now());
    enum outcome o = db_select(db, &LIST, (struct val[]){now, now}, 2, a, &r, err);
    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n, sizeof **out);
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
