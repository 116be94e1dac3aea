/* scope.c: droverctl scope: what an account or an API key is limited to. */
#include "ctl/scope.h"

#include <stdio.h>

#include "base/limits.h"
#include "library/edit.h"
#include "store/group.h"

static enum outcome group_named(struct ctl *c, struct db *db, const char *word, int64_t *out,
                                struct err *err)
{
    struct device_group g;
    enum outcome o = NOT_FOUND;

    if (library_id_read(word, out))
        o = group_get(db, *out, c->arena, &g, err);
    if (o == NOT_FOUND)
        o = group_find(db, word, c->arena, &g, err);
    if (o == OK)
        *out = g.id;
    else
        err_prefix(err, "%.100s", word);
    return o;
}

const char *ctl_reach(struct ctl *c, struct db *db, enum scope_kind kind, const char *name,
                      bool limited)
{
    struct buf b = BUF_INIT(LIM_MB);
    struct scope s = {.n = 0};
    const char *text = "all";
    struct err err;

    if (!limited)
        return text;
    if (scope_get(db, kind, name, c->arena, &s, &err) != OK)
        return "?";
    for (size_t i = 0; i < s.n; i++) {
        struct device_group g;

        if (group_get(db, s.groups[i], c->arena, &g, &err) == OK)
            buf_fmt(&b, "%s%s", b.len > 0 ? ", " : "", g.name);
    }
    text = b.len > 0 ? arena_strdup(c->arena, buf_cstr(&b)) : "nothing";
    buf_free(&b);
    return text != NULL ? text : "?";
}

static int show(struct ctl *c, struct db *db, enum scope_kind kind, const char *name)
{
    struct scope s;
    struct err err;

    if (scope_get(db, kind, name, c->arena, &s, &err) != OK)
        return ctl_failed(&err);
    if (!s.limited)
        printf("all devices\n");
    for (size_t i = 0; s.limited && i < s.n; i++) {
        struct device_group g;

        if (group_get(db, s.groups[i], c->arena, &g, &err) == OK)
            printf("%lld\t%s\n", (long long)g.id, g.name);
    }
    return CTL_OK;
}

int ctl_scope(struct ctl *c, int argc, char **argv)
{
    const char *rest[SCOPE_GROUPS + 2];
    bool all = false;
    const struct ctl_option options[] = {{.name = "all", .flag = &all}};
    int64_t ids[SCOPE_GROUPS];
    struct scope s = {.groups = ids};
    struct err err = {0};
    struct db *db;
    enum outcome o = OK;
    int n = ctl_args(argc, argv, options, 1, rest, 2, SCOPE_GROUPS + 2);

    if (n < 0)
        return CTL_USAGE;
    if (strcmp(rest[0], "admin") != 0 && strcmp(rest[0], "apikey") != 0)
        return ctl_wrong("scope: admin or apikey, not \"%s\"", rest[0]);
    if (all && n > 2)
        return ctl_wrong("scope: --all takes no groups");
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    enum scope_kind kind = rest[0][1] == 'd' ? SCOPE_ADMIN : SCOPE_KEY;
    if (n == 2 && !all)
        return show(c, db, kind, rest[1]);
    s.limited = !all;
    for (int i = 2; o == OK && i < n; i++)
        o = group_named(c, db, rest[i], &ids[s.n++], &err);
    if (o == OK)
        o = scope_set(db, kind, rest[1], &s, c->actor, &err);
    return o == OK ? show(c, db, kind, rest[1]) : ctl_failed(&err);
}
