/* settings.c: droverctl settings: what can be changed while the programs run. */
#include "ctl/ctl.h"

#include <stdio.h>

#include "store/setting.h"

#define COLUMNS 7

static int list(struct ctl *c, struct db *db, bool json)
{
    static const struct ctl_column cols[COLUMNS] = {
        {"name", CTL_TEXT},       {"value", CTL_TEXT},      {"origin", CTL_TEXT},
        {"changed_at", CTL_TIME}, {"changed_by", CTL_TEXT}, {"type", CTL_TEXT},
        {"default", CTL_TEXT}};
    struct val *cells = arena_array(c->arena, conf_keys_n * COLUMNS, sizeof *cells);
    struct setting_now *s;
    struct err err;
    int64_t version;
    size_t n = 0;
    if (setting_now(db, c->conf, c->arena, &s, &version, &err) != OK)
        return ctl_failed(&err);
    for (size_t i = 0; cells && i < conf_keys_n; i++)
        if (s[i].key->live)
            memcpy(&cells[n++ * COLUMNS],
                   (struct val[]){val_str(s[i].name), ctl_text(s[i].value), val_str(s[i].origin),
                                  ctl_time(s[i].changed_at), ctl_text(s[i].changed_by),
                                  val_str(conf_key_kind(s[i].key)), ctl_text(s[i].key->def)},
                   COLUMNS * sizeof *cells);
    return cells ? ctl_list(c, json, cols, COLUMNS, cells, n) : CTL_FAILED;
}

int ctl_settings(struct ctl *c, int argc, char **argv)
{
    const char *rest[3] = {NULL, NULL, NULL};
    bool json = false;
    const struct ctl_option options[] = {{.name = "json", .flag = &json}};
    struct err err;
    struct db *db;
    if (ctl_args(argc, argv, options, 1, rest, 1, 3) < 0)
        return CTL_USAGE;
    bool set = strcmp(rest[0], "set") == 0, reset = strcmp(rest[0], "reset") == 0;
    if (!set && !reset && strcmp(rest[0], "list") != 0)
        return ctl_wrong("settings: there is no \"%s\"", rest[0]);
    if ((rest[1] != NULL) != (set || reset) || (rest[2] != NULL) != set)
        return ctl_wrong("settings %s: %s", rest[0],
                         set     ? "which one, and to what?"
                         : reset ? "which one?"
                                 : "takes no argument");
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (!set && !reset)
        return list(c, db, json);
    const struct setting_change x = {rest[1], rest[2]};
    if (setting_save(db, c->conf, &x, 1, 0, c->actor, &err) != OK)
        return ctl_failed(&err);
    puts("The programs go by it within seconds.");
    return CTL_OK;
}
