/* users.c: droverctl users. */
#include "ctl/ctl.h"

#include <stdio.h>

#include "base/limits.h"
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
    const struct enroluser_edit e = {.full_name = full_name, .password = password};
    if (o == OK)
        o = add ? enroluser_add(db, c->conf->signer_dir, name, &e, c->actor, &err)
                : enroluser_change(db, c->conf->signer_dir, name, &e, c->actor, &err);
    if (password)
        secret_wipe(password, strlen(password));
    return o == OK ? CTL_OK : ctl_failed(&err);
}

#define COLUMNS 6

static int users_show(struct ctl *c, struct db *db, const char *search, bool json)
{
    static const struct ctl_column cols[COLUMNS] = {
        {"name", CTL_TEXT},       {"full_name", CTL_TEXT},   {"managed_account", CTL_TEXT},
        {"created_at", CTL_TIME}, {"password_at", CTL_TIME}, {"disabled_at", CTL_TIME}};
    struct err err;
    struct enroluser *list;
    struct val *cells = NULL;
    size_t n = 0, got = LIM_PAGE;
    const char *after = "";
    while (got == LIM_PAGE) {
        if (enroluser_list(db, search, after, LIM_PAGE, c->arena, &list, &got, &err) != OK)
            return ctl_failed(&err);
        struct val *more = arena_array(c->arena, (n + got + 1) * COLUMNS, sizeof *more);
        if (!more)
            return ctl_failed(&(struct err){.msg = "the list is too long"});
        if (n)
            memcpy(more, cells, n * COLUMNS * sizeof *more);
        cells = more;
        for (size_t i = 0; i < got; i++)
            memcpy(&cells[n++ * COLUMNS],
                   (struct val[]){val_str(list[i].name), ctl_text(list[i].full_name),
                                  ctl_text(list[i].managed_account), val_int(list[i].created_at),
                                  val_int(list[i].password_at), ctl_time(list[i].disabled_at)},
                   COLUMNS * sizeof *cells);
        after = got ? list[got - 1].name : after;
    }
    return ctl_list(c, json, cols, COLUMNS, cells, n);
}

int ctl_users(struct ctl *c, int argc, char **argv)
{
    const char *rest[3], *file = NULL, *full_name = NULL, *search = "";
    bool json = false;
    const struct ctl_option options[] = {{.name = "password-file", .value = &file},
                                         {.name = "full-name", .value = &full_name},
                                         {.name = "search", .value = &search},
                                         {.name = "json", .flag = &json}};
    struct db *db;
    struct err err;
    if (ctl_args(argc, argv, options, 4, rest, 1, 3) < 0)
        return CTL_USAGE;
    const char *verb = rest[0], *name = rest[1];
    bool list = strcmp(verb, "list") == 0, add = strcmp(verb, "add") == 0;
    bool managed = strcmp(verb, "managed") == 0, rename = strcmp(verb, "full-name") == 0;
    bool set = strcmp(verb, "password") == 0, remove = strcmp(verb, "remove") == 0;
    struct enroluser_edit e = {.disable = strcmp(verb, "disable") == 0,
                               .enable = strcmp(verb, "enable") == 0};
    if (!list && !add && !set && !e.disable && !e.enable && !managed && !rename && !remove)
        return ctl_wrong("users: there is no \"%s\"", verb);
    if (list != (name == NULL))
        return ctl_wrong("users %s: %s", verb, list ? "takes no name" : "the name is missing");
    if ((managed || rename) != (rest[2] != NULL))
        return ctl_wrong("users %s: %s", verb,
                         managed  ? "the account is missing (\"\" for none)"
                         : rename ? "the full name is missing"
                                  : "takes one name");
    if (full_name && !add)
        return ctl_wrong("users %s: --full-name is for add", verb);
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (list)
        return users_show(c, db, search, json);
    if (add || set)
        return users_put(c, db, name, full_name, file, add);
    *(managed ? &e.managed_account : &e.full_name) = rest[2];
    enum outcome o = remove ? enroluser_remove(db, name, c->actor, &err)
                            : enroluser_change(db, c->conf->signer_dir, name, &e, c->actor, &err);
    return o == OK ? CTL_OK : ctl_failed(&err);
}
