/* authority.c: see authority.h. */
#include "store/authority.h"

#include "base/limits.h"
#include "wire/encode.h"

static const struct sql ADMIN_NOW = {"authority_admin",
                                     "SELECT role FROM admin WHERE name = ? FOR UPDATE", 0};
static const struct sql KEY_NOW = {"authority_key",
                                   "SELECT scopes FROM apikey WHERE name = ? FOR UPDATE", 0};

bool authority_covers(const char *scopes, const char *words)
{
    const struct apikey k = {.scopes = scopes};
    char word[APIKEY_SCOPES_MAX + 1];

    while (*words != '\0') {
        size_t n = strcspn(words, " ");

        if (n >= sizeof word)
            return false;
        memcpy(word, words, n);
        word[n] = '\0';
        if (!apikey_allows(&k, word))
            return false;
        words += n;
        words += *words == ' ';
    }
    return true;
}

static enum outcome may(const struct authority *a, const char *name, const char *words,
                        struct err *err)
{
    return authority_covers(a->scopes, words)
               ? OK
               : err_set(err, DENIED, "\"%s\" has or would have more than this key has: %s", name,
                         words);
}

static enum outcome may_role(const struct authority *a, const char *name, const char *role,
                             struct err *err)
{
    return role_known(role) ? may(a, name, role_scopes(role), err)
                            : err_set(err, INVALID, "there is no role \"%s\"", role);
}

struct work {
    const struct authority *a;
    const char *name;
    struct account_edit *edit;
    struct admin_secret *secret; /* NULL: no password is made */
    bool add;
    const char *scopes; /* of a key that is made */
    int64_t expires_at;
    const struct scope *scope;
    char *key;
    struct arena *arena;
};

static enum outcome work_run(struct db *db, db_unit_fn *fn, struct work *w, struct err *err)
{
    w->arena = arena_new(LIM_MB);
    enum outcome o =
        w->arena != NULL ? db_unit(db, fn, w, err) : err_set(err, ERROR, "out of memory");
    arena_free(&w->arena);
    return o;
}

/* What an account or key has now. */
static enum outcome look(struct db *db, const struct work *w, const struct sql *sql,
                         const char **out, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, sql, (struct val[]){val_str(w->name)}, 1, w->arena, &r, err);

    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no \"%s\"", w->name);
    *out = o == OK ? row_at(&r, 0, 0)->s : "";
    return o;
}

/* ---- accounts ---- */

static enum outcome admin_unit(struct db *db, void *arg, struct err *err)
{
    const struct work *w = arg;
    const struct account_edit *e = w->edit;
    const char *role = NULL, *by = w->a->by;
    enum outcome o = OK;

    arena_reset(w->arena);
    if (!w->add)
        o = look(db, w, &ADMIN_NOW, &role, err);
    if (o == OK && role != NULL)
        o = may_role(w->a, w->name, role, err);
    if (o == OK && e->role != NULL)
        o = may_role(w->a, w->name, e->role, err);
    if (o == OK && w->add)
        o = admin_add_do(db, w->name, e->role, w->secret, by, err);
    else if (o == OK && e->role != NULL)
        o = admin_role_do(db, w->name, e->role, by, w->arena, err);
    if (o == OK && e->scope != NULL)
        o = scope_put(db, SCOPE_ADMIN, w->name, e->scope, by, w->arena, err);
    if (o == OK && e->reset)
        o = admin_reset_do(db, w->name, w->secret, by, err);
    if (o == OK && (e->disable || e->enable))
        o = admin_disable_do(db, w->name, e->disable, by, w->arena, err);
    return o;
}

static enum outcome admin_work(struct db *db, struct work *w, struct err *err)
{
    struct admin_secret secret = {0};
    bool makes = w->add || w->edit->reset;
    enum outcome o = OK;

    if (w->edit->role != NULL) /* before a password is made, which takes its time */
        o = may_role(w->a, w->name, w->edit->role, err);
    if (o == OK && makes)
        o = admin_secret_make(&secret, err);
    w->secret = makes ? &secret : NULL;
    if (o == OK)
        o = work_run(db, admin_unit, w, err);
    if (o == OK && makes)
        memcpy(w->edit->password, secret.password, sizeof secret.password);
    secret_wipe(&secret, sizeof secret);
    return o;
}

enum outcome authority_admin_add(struct db *db, const struct authority *a, const char *name,
                                 struct account_edit *edit, struct err *err)
{
    struct work w = {.a = a, .name = name, .edit = edit, .add = true};

    return admin_work(db, &w, err);
}

enum outcome authority_admin_change(struct db *db, const struct authority *a, const char *name,
                                    struct account_edit *edit, struct err *err)
{
    struct work w = {.a = a, .name = name, .edit = edit};

    return admin_work(db, &w, err);
}

/* ---- keys ---- */

static enum outcome key_add_unit(struct db *db, void *arg, struct err *err)
{
    const struct work *w = arg;
    enum outcome o = apikey_add_do(db, w->name, w->key, w->scopes, w->expires_at, w->a->by, err);

    arena_reset(w->arena);
    return o == OK && w->scope != NULL
               ? scope_put(db, SCOPE_KEY, w->name, w->scope, w->a->by, w->arena, err)
               : o;
}

enum outcome authority_key_add(struct db *db, const struct authority *a, const char *name,
                               const char *scopes, int64_t expires_at, const struct scope *scope,
                               char key[APIKEY_LEN + 1], struct err *err)
{
    struct work w = {.a = a,
                     .name = name,
                     .scopes = scopes,
                     .scope = scope,
                     .key = key,
                     .expires_at = expires_at != 0 ? expires_at : a->expires_at};
    enum outcome o = apikey_check(name, scopes, w.expires_at, err);

    key[0] = '\0';
    if (o == OK)
        o = may(a, name, scopes, err);
    if (o == OK && a->expires_at != 0 && w.expires_at > a->expires_at)
        o = err_set(err, DENIED, "\"%s\" would work longer than this key does", name);
    if (o != OK)
        return o;
    secret_new(APIKEY_LEN / 2, key);
    o = work_run(db, key_add_unit, &w, err);
    if (o != OK)
        secret_wipe(key, APIKEY_LEN);
    return o;
}

static enum outcome key_change_unit(struct db *db, void *arg, struct err *err)
{
    const struct work *w = arg;
    const char *scopes;

    arena_reset(w->arena);
    enum outcome o = look(db, w, &KEY_NOW, &scopes, err);
    if (o == OK)
        o = may(w->a, w->name, scopes, err);
    if (o != OK)
        return o;
    return w->scope != NULL ? scope_put(db, SCOPE_KEY, w->name, w->scope, w->a->by, w->arena, err)
                            : apikey_revoke_do(db, w->name, w->a->by, err);
}

enum outcome authority_key_change(struct db *db, const struct authority *a, const char *name,
                                  const struct scope *scope, struct err *err)
{
    struct work w = {.a = a, .name = name, .scope = scope};

    return work_run(db, key_change_unit, &w, err);
}
