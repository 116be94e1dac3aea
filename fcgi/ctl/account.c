/* account.c: droverctl admin and apikey. */
#include "ctl/scope.h"

#include <stdio.h>

#include "base/clock.h"
#include "store/account.h"
#include "store/admin.h"
#include "wire/encode.h"

static enum outcome password_get(struct ctl *c, const char *file, char **out, struct err *err)
{
    return file ? ctl_secret_file(c, file, ADMIN_PASSWORD_MAX, out, err)
                : ctl_secret_prompt(c, "password", ADMIN_PASSWORD_MAX, out, err);
}

/* may_add, may_set: what to do with a name that is new, and with one that is not. */
static int admin_put(struct ctl *c, struct db *db, const char *name, const char *role,
                     const char *file, bool may_set)
{
    struct err err;
    char *password = NULL;
    enum outcome o = password_get(c, file, &password, &err);
    if (o == OK)
        o = may_set ? admin_password_set(db, name, password, NULL, c->actor, &err) : NOT_FOUND;
    if (o == NOT_FOUND && password)
        o = admin_add(db, name, role, password, c->actor, &err);
    if (password)
        secret_wipe(password, strlen(password));
    if (o != OK)
        return ctl_failed(&err);
    printf("The administrator \"%s\" can sign in.\n", name);
    return CTL_OK;
}

static int admin_show(struct ctl *c, struct db *db, bool json)
{
    static const struct ctl_column cols[] = {{"name", CTL_TEXT},       {"role", CTL_TEXT},
                                             {"reach", CTL_TEXT},      {"second_factor", CTL_TEXT},
                                             {"created_at", CTL_TIME}, {"signed_in_at", CTL_TIME},
                                             {"disabled_at", CTL_TIME}};
    struct err err;
    struct admin *list;
    size_t n;
    if (admin_list(db, c->arena, &list, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(c->arena, n * 7, sizeof *cells);
    for (size_t i = 0; cells && i < n; i++) {
        const struct admin *a = &list[i];
        memcpy(&cells[i * 7],
               (struct val[]){val_str(a->name), val_str(a->role),
                              val_str(ctl_reach(c, db, SCOPE_ADMIN, a->name, a->limited)),
                              val_str(a->has_totp ? "yes" : "no"), val_int(a->created_at),
                              ctl_time(a->signed_in_at), ctl_time(a->disabled_at)},
               7 * sizeof *cells);
    }
    return cells ? ctl_list(c, json, cols, 7, cells, n) : CTL_FAILED;
}

/* Another password, made here, and no second factor: for somebody who has lost them. */
static int admin_lost(struct ctl *c, struct db *db, const char *name)
{
    struct err err;
    char password[ADMIN_GIVEN_LEN + 1];
    if (admin_reset(db, name, c->actor, password, &err) != OK)
        return ctl_failed(&err);
    printf("%s\n", password);
    fprintf(stderr, "\"%s\" signs in with this password and must change it at once.\n", name);
    secret_wipe(password, sizeof password);
    return CTL_OK;
}

int ctl_admin(struct ctl *c, int argc, char **argv)
{
    const char *rest[3], *file = NULL, *role = "administrator";
    bool json = false;
    const struct ctl_option options[] = {{.name = "password-file", .value = &file},
                                         {.name = "role", .value = &role},
                                         {.name = "json", .flag = &json}};
    struct db *db;
    struct err err;
    int n = ctl_args(argc, argv, options, 3, rest, 1, 3);
    if (n < 0)
        return CTL_USAGE;
    const char *verb = rest[0], *name = rest[1];
    bool list = strcmp(verb, "list") == 0, add = strcmp(verb, "add") == 0;
    bool set = strcmp(verb, "set") == 0, disable = strcmp(verb, "disable") == 0;
    bool reset = strcmp(verb, "reset") == 0, give = strcmp(verb, "role") == 0;
    if (!list && !add && !set && !disable && !reset && !give && strcmp(verb, "enable") != 0)
        return ctl_wrong("admin: there is no \"%s\"", verb);
    if (n != (list ? 1 : give ? 3 : 2))
        return ctl_wrong("admin %s: %s", verb,
                         list   ? "takes no name"
                         : give ? "takes a name and a role"
                                : "takes one name");
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (list)
        return admin_show(c, db, json);
    if (add || set)
        return admin_put(c, db, name, role, file, set);
    if (reset)
        return admin_lost(c, db, name);
    enum outcome o = give ? admin_role_set(db, name, rest[2], c->actor, &err)
                          : admin_disable(db, name, disable, c->actor, &err);
    return o == OK ? CTL_OK : ctl_failed(&err);
}

static int apikey_show(struct ctl *c, struct db *db, bool json)
{
    static const struct ctl_column cols[] = {{"name", CTL_TEXT},       {"scopes", CTL_TEXT},
                                             {"reach", CTL_TEXT},      {"created_at", CTL_TIME},
                                             {"created_by", CTL_TEXT}, {"expires_at", CTL_TIME},
                                             {"revoked_at", CTL_TIME}, {"last_used_at", CTL_TIME}};
    struct err err;
    struct apikey *list;
    size_t n;
    if (apikey_list(db, c->arena, &list, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(c->arena, n * 8, sizeof *cells);
    for (size_t i = 0; cells && i < n; i++) {
        const struct apikey *k = &list[i];
        memcpy(&cells[i * 8],
               (struct val[]){val_str(k->name), val_str(k->scopes),
                              val_str(ctl_reach(c, db, SCOPE_KEY, k->name, k->limited)),
                              val_int(k->created_at), val_str(k->created_by),
                              ctl_time(k->expires_at), ctl_time(k->revoked_at),
                              ctl_time(k->last_used_at)},
               8 * sizeof *cells);
    }
    return cells ? ctl_list(c, json, cols, 8, cells, n) : CTL_FAILED;
}

/* Makes a key and prints it, or stores the one of a file. */
static int apikey_put(struct ctl *c, struct db *db, const char *name, const char *file,
                      const char *scopes, int64_t expires_at)
{
    struct err err;
    char key[APIKEY_LEN + 1], *given = NULL;
    enum outcome o;
    if (file) {
        o = ctl_secret_file(c, file, APIKEY_GIVEN_MAX, &given, &err);
        if (o == OK)
            o = apikey_set(db, name, given, scopes, expires_at, c->actor, &err);
    } else {
        o = apikey_new(db, name, scopes, expires_at, c->actor, key, &err);
    }
    if (o != OK)
        return ctl_failed(&err);
    if (!file)
        printf("%s\n", key);
    fprintf(stderr, "The API key \"%s\" works%s\n", name, file ? "." : "; it is not shown again.");
    secret_wipe(key, sizeof key);
    return CTL_OK;
}

int ctl_apikey(struct ctl *c, int argc, char **argv)
{
    const char *rest[2], *file = NULL, *scopes = "*", *expires = NULL;
    bool json = false;
    const struct ctl_option options[] = {{.name = "key-file", .value = &file},
                                         {.name = "scopes", .value = &scopes},
                                         {.name = "expires", .value = &expires},
                                         {.name = "json", .flag = &json}};
    struct db *db;
    struct err err;
    int64_t in = 0;
    int n = ctl_args(argc, argv, options, 4, rest, 1, 2);
    if (n < 0)
        return CTL_USAGE;
    const char *verb = rest[0], *name = rest[1];
    bool list = strcmp(verb, "list") == 0, set = strcmp(verb, "set") == 0;
    bool revoke = strcmp(verb, "revoke") == 0;
    if (!list && !set && !revoke && strcmp(verb, "add") != 0)
        return ctl_wrong("apikey: there is no \"%s\"", verb);
    if (list != (name == NULL))
        return ctl_wrong("apikey %s: %s", verb, list ? "takes no name" : "the name is missing");
    if (set != (file != NULL))
        return ctl_wrong("apikey %s: %s", verb, set ? "--key-file is missing" : "no --key-file");
    if (expires && !ctl_duration(expires, &in))
        return ctl_wrong("--expires: \"%s\" is no time like 90d", expires);
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (list)
        return apikey_show(c, db, json);
    if (!revoke)
        return apikey_put(c, db, name, file, scopes, in ? clock_now() + in : 0);
    return apikey_revoke(db, name, c->actor, &err) == OK ? CTL_OK : ctl_failed(&err);
}
