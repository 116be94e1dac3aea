/* users.c: droverctl users. */
#include "ctl/ctl.h"

#include <stdio.h>

#include "store/enroluser.h"
#include "wire/encode.h"

static int users_put(struct ctl *c, struct db *db, const char *name, const char *full_name,
                     const char *file, bool add)
{
    struct err err;
    char *password = NULL;
    enum outcome o =
        file ? ctl_secret_file(c, file, ENROLUSER_PASSWORD_MAX, &password, &err)
             : ctl_secret_prompt(c, "password", ENROLUSER_PASSWORD_MAX, &password, &err);
    if (o == OK)
        o = add ? enroluser_add(db, c->conf->signer_dir, name, full_name ? full_name : "", password,
                                c->actor, &err)
                : enroluser_password(db, c->conf->signer_dir, name, password, c->actor, &err);
    if (password)
        secret_wipe(password, strlen(password));
    return o == OK ? CTL_OK : ctl_failed(&err);
}

static int users_show(struct ctl *c, struct db *db, bool json)
{
    static const struct ctl_column cols[] = {
        {"name", CTL_TEXT},       {"full_name", CTL_TEXT},   {"managed_account", CTL_TEXT},
        {"created_at", CTL_TIME}, {"password_at", CTL_TIME}, {"disabled_at", CTL_TIME}};
    struct err err;
    struct enroluser *list;
    size_t n;
    if (enroluser_list(db, c->arena, &list, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(c->arena, n * 6, sizeof *cells);
    for (size_t i = 0; cells && i < n; i++)
        memcpy(&cells[i * 6],
               (struct val[]){val_str(list[i].name), ctl_text(list[i].full_name),
                              ctl_text(list[i].managed_account), val_int(list[i].created_at),
                              val_int(list[i].password_at), ctl_time(list[i].disabled_at)},
               6 * sizeof *cells);
    return cells ? ctl_list(c, json, cols, 6, cells, n) : CTL_FAILED;
}

int ctl_users(struct ctl *c, int argc, char **argv)
{
    const char *rest[3], *file = NULL, *full_name = NULL;
    bool json = false;
    const struct ctl_option options[] = {{.name = "password-file", .value = &file},
                                         {.name = "full-name", .value = &full_name},
                                         {.name = "json", .flag = &json}};
    struct db *db;
    struct err err;
    if (ctl_args(argc, argv, options, 3, rest, 1, 3) < 0)
        return CTL_USAGE;
    const char *verb = rest[0], *name = rest[1];
    bool list = strcmp(verb, "list") == 0, add = strcmp(verb, "add") == 0;
    bool managed = strcmp(verb, "managed") == 0;
    bool set = strcmp(verb, "password") == 0, disable = strcmp(verb, "disable") == 0;
    if (!list && !add && !set && !disable && !managed && strcmp(verb, "enable") != 0)
        return ctl_wrong("users: there is no \"%s\"", verb);
    if (list != (name == NULL))
        return ctl_wrong("users %s: %s", verb, list ? "takes no name" : "the name is missing");
    if (managed != (rest[2] != NULL))
        return ctl_wrong("users %s: %s", verb,
                         managed ? "the account is missing (\"\" for none)" : "takes one name");
    if (full_name && !add)
        return ctl_wrong("users %s: --full-name is for add", verb);
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (list)
        return users_show(c, db, json);
    if (add || set)
        return users_put(c, db, name, full_name, file, add);
    if (managed)
        return enroluser_managed(db, name, rest[2], c->actor, &err) == OK ? CTL_OK
                                                                          : ctl_failed(&err);
    return enroluser_disable(db, name, disable, c->actor, &err) == OK ? CTL_OK : ctl_failed(&err);
}
