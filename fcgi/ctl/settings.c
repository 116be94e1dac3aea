/* settings.c: droverctl settings: what can be changed while the programs run. */
#include "ctl/ctl.h"

#include <stdio.h>

#include "base/limits.h"
#include "store/setting.h"

static const struct setting *of_key(const struct setting *s, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(s[i].name, name) == 0)
            return &s[i];
    return NULL;
}

static bool row_add(struct ctl *c, const struct conf_key *k, const struct setting *s, size_t n,
                    struct val *cells)
{
    struct buf text = BUF_INIT(LIM_KB);
    char *name = arena_fmt(c->arena, "%s.%s", k->section, k->name);
    const struct setting *set = name ? of_key(s, n, name) : NULL;
    conf_key_text(c->conf, k, &text);
    char *value = arena_strdup(c->arena, buf_cstr(&text));
    buf_free(&text);
    bool file = conf_key_given(c->conf, k);
    cells[0] = val_str(name ? name : "");
    cells[1] = ctl_text(value);
    cells[2] = val_str(file ? "file" : set ? "database" : "default");
    cells[3] = ctl_time(set && !file ? set->changed_at : 0);
    cells[4] = ctl_text(set && !file ? set->changed_by : NULL);
    return name && value;
}

static int list(struct ctl *c, struct db *db, bool json)
{
    static const struct ctl_column cols[] = {{"name", CTL_TEXT},
                                             {"value", CTL_TEXT},
                                             {"origin", CTL_TEXT},
                                             {"changed_at", CTL_TIME},
                                             {"changed_by", CTL_TEXT}};
    struct val *cells = arena_array(c->arena, conf_keys_n * 5, sizeof *cells);
    struct setting *s;
    struct err err;
    int64_t version;
    size_t n, rows = 0;
    if (setting_list(db, c->arena, &s, &n, &version, &err) != OK)
        return ctl_failed(&err);
    for (size_t i = 0; cells && i < conf_keys_n; i++)
        if (conf_keys[i].live && row_add(c, &conf_keys[i], s, n, &cells[rows * 5]))
            rows++;
    return cells ? ctl_list(c, json, cols, 5, cells, rows) : CTL_FAILED;
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
