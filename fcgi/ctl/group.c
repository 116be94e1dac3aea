/* group.c: droverctl group and tag: which devices belong together, and what they are to have. */
#include "ctl/ctl.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "library/edit.h"
#include "store/filter.h"
#include "store/assignment.h"
#include "store/group.h"
#include "store/member.h"
#include "store/library.h"
#include "store/offer.h"

#define IDS_MAX 1000
#define COLUMNS 5

struct args {
    const char *filter, *note, *why;
    bool json;
};

static int list(struct ctl *c, struct db *db, const struct args *x)
{
    static const struct ctl_column cols[] = {{"id", CTL_INT},
                                             {"name", CTL_TEXT},
                                             {"devices", CTL_INT},
                                             {"filter", CTL_TEXT},
                                             {"note", CTL_TEXT}};
    struct device_group *g;
    struct err err;
    size_t n;

    if (group_list(db, 0, LIM_PAGE, c->arena, &g, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(c->arena, n * COLUMNS + 1, sizeof *cells);
    for (size_t i = 0; cells != NULL && i < n; i++)
        memcpy(&cells[i * COLUMNS],
               (struct val[]){val_int(g[i].id), val_str(g[i].name), val_int(g[i].members),
                              ctl_text(g[i].filter), ctl_text(g[i].note)},
               COLUMNS * sizeof *cells);
    return cells != NULL ? ctl_list(c, x->json, cols, COLUMNS, cells, n) : CTL_FAILED;
}

/* By id or name. False: the message is out. */
static bool named(struct ctl *c, struct db *db, const char *word, struct device_group *out)
{
    struct err err;
    int64_t id;
    enum outcome o = NOT_FOUND;

    if (library_id_read(word, &id))
        o = group_get(db, id, c->arena, out, &err);
    if (o == NOT_FOUND)
        o = group_find(db, word, c->arena, out, &err);
    if (o != OK) {
        err_prefix(&err, "%.100s", word);
        ctl_failed(&err);
    }
    return o == OK;
}

/* A new group, or another filter and note of one. */
static int save(struct ctl *c, struct db *db, struct device_group *g, const struct args *x)
{
    struct bytes text = x->filter != NULL ? bytes_str(x->filter) : bytes_of(NULL, 0);
    struct filter ignored;
    struct err err;
    js filter = NULL;
    enum outcome o = OK;

    if (x->filter != NULL && x->filter[0] == '@')
        o = ctl_file(c, x->filter + 1, LIM_MB, &text, &err);
    if (o == OK && x->filter != NULL)
        o = js_parse(text, &filter, &err);
    if (o == OK && x->filter != NULL)
        o = filter_compile(filter, c->arena, &ignored, &err);
    js_free(&filter);
    if (o == OK && x->filter != NULL)
        g->filter = (const char *)text.p;
    if (x->note != NULL)
        g->note = x->note;
    if (o == OK)
        o = group_save(db, g, c->actor, clock_now(), &err);
    if (o != OK)
        return ctl_failed(&err);
    printf("%lld %s\n", (long long)g->id, g->name);
    return CTL_OK;
}

static int devices(struct ctl *c, struct db *db, const struct device_group *g, bool json)
{
    static const struct ctl_column cols[] = {
        {"id", CTL_TEXT}, {"serial", CTL_TEXT}, {"name", CTL_TEXT}, {"since", CTL_TIME}};
    struct group_device *d;
    struct err err;
    size_t n;

    if (group_members(db, g->id, 0, LIM_PAGE, c->arena, &d, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(c->arena, n * 4 + 1, sizeof *cells);
    for (size_t i = 0; cells != NULL && i < n; i++)
        memcpy(&cells[i * 4],
               (struct val[]){val_str(d[i].ident), ctl_text(d[i].serial),
                              ctl_text(d[i].device_name), ctl_time(d[i].since)},
               4 * sizeof *cells);
    if (n == LIM_PAGE)
        fprintf(stderr, "Only the first %u are shown.\n", LIM_PAGE);
    return cells != NULL ? ctl_list(c, json, cols, 4, cells, n) : CTL_FAILED;
}

static int edited(enum outcome o, const struct group_edit *e, const struct err *err)
{
    if (o != OK)
        return ctl_failed(err);
    if (e->unknown > 0)
        fprintf(stderr, "%zu of them are no enrolled devices.\n", e->unknown);
    return e->unknown > 0 ? CTL_FAILED : CTL_OK;
}

static int assign(struct ctl *c, struct db *db, const struct device_group *g, const char *word,
                  bool take, const struct args *x)
{
    struct assignment *list;
    struct library_item i;
    struct err err;
    int64_t id = 0;
    size_t n;
    enum outcome o;

    if (!ctl_item(c, db, word, CTL_ITEM_ANY, &i))
        return CTL_FAILED;
    if (!take) {
        o = assignment_add(db, g->id, i.id, c->actor, clock_now(), &id, &err);
    } else {
        o = assignment_list(db, g->id, i.id, 0, 1, c->arena, &list, &n, &err);
        if (o == OK && n == 0)
            o = err_set(&err, NOT_FOUND, "%.100s is not assigned to %.100s", i.name, g->name);
        if (o == OK)
            o = assignment_delete(db, list[0].id, c->actor, x->why, &err);
    }
    if (o != OK)
        return ctl_failed(&err);
    printf("%s %s %s\n", i.name, take ? "is taken from" : "goes to", g->name);
    return CTL_OK;
}

static int offer(struct ctl *c, struct db *db, const struct device_group *g, const char *word,
                 bool take, const struct args *x)
{
    struct library_item i;
    struct offer *list;
    struct err err;
    int64_t id = 0;
    size_t n;
    enum outcome o;

    if (!ctl_item(c, db, word, CTL_ITEM_ANY, &i))
        return CTL_FAILED;
    if (!take) {
        o = offer_add(db, g->id, i.id, c->actor, clock_now(), &id, &err);
    } else {
        o = offer_list(db, g->id, i.id, 0, 1, c->arena, &list, &n, &err);
        if (o == OK && n == 0)
            o = err_set(&err, NOT_FOUND, "%.100s is not offered to %.100s", i.name, g->name);
        if (o == OK)
            o = offer_delete(db, list[0].id, c->actor, x->why, &err);
    }
    if (o != OK)
        return ctl_failed(&err);
    printf("%s %s the users of %s\n", i.name, take ? "is no longer offered to" : "is offered to",
           g->name);
    return CTL_OK;
}

static int one(struct ctl *c, struct db *db, const char *verb, int n, const char **rest,
               const struct args *x)
{
    struct group_edit e = {0};
    struct device_group g = {.name = rest[1], .filter = "", .note = ""};
    struct err err = {0};

    if (strcmp(verb, "add") == 0)
        return save(c, db, &g, x);
    if (!named(c, db, rest[1], &g))
        return CTL_FAILED;
    if (strcmp(verb, "set") == 0)
        return save(c, db, &g, x);
    if (strcmp(verb, "devices") == 0)
        return devices(c, db, &g, x->json);
    if (strcmp(verb, "put") == 0 || strcmp(verb, "take") == 0) {
        *(verb[0] == 'p' ? &e.add : &e.remove) = rest + 2;
        *(verb[0] == 'p' ? &e.nadd : &e.nremove) = (size_t)n - 2;
        return edited(group_edit(db, g.id, &e, c->actor, clock_now(), &err), &e, &err);
    }
    if (strcmp(verb, "assign") == 0 || strcmp(verb, "unassign") == 0)
        return assign(c, db, &g, rest[2], verb[0] == 'u', x);
    if (strcmp(verb, "offer") == 0 || strcmp(verb, "withdraw") == 0)
        return offer(c, db, &g, rest[2], verb[0] == 'w', x);
    if (group_delete(db, g.id, c->actor, x->why, clock_now(), &err) != OK)
        return ctl_failed(&err);
    printf("%s is deleted.\n", g.name);
    return CTL_OK;
}

/* What a filter can name, and what its values are. */
static int facts(struct ctl *c, bool json)
{
    static const struct ctl_column cols[] = {{"fact", CTL_TEXT}, {"type", CTL_TEXT}};
    struct val *cells;
    size_t n = 0;

    while (filter_fact_name(n) != NULL)
        n++;
    cells = arena_array(c->arena, n * 2 + 1, sizeof *cells);
    for (size_t i = 0; cells != NULL && i < n; i++) {
        const char *name = filter_fact_name(i);

        cells[i * 2] = val_str(name);
        cells[i * 2 + 1] = val_str(filter_type_name(filter_fact_type(name)));
    }
    return cells != NULL ? ctl_list(c, json, cols, 2, cells, n) : CTL_FAILED;
}

int ctl_group(struct ctl *c, int argc, char **argv)
{
    static const struct {
        const char *name;
        int min, max;
        bool why;
    } verbs[] = {{"list", 1, 1, false},       {"facts", 1, 1, false},   {"add", 2, 2, false},
                 {"set", 2, 2, false},        {"devices", 2, 2, false}, {"put", 3, IDS_MAX, false},
                 {"take", 3, IDS_MAX, false}, {"assign", 3, 3, false},  {"unassign", 3, 3, true},
                 {"offer", 3, 3, false},      {"withdraw", 3, 3, true}, {"remove", 2, 2, true}};
    static const char *rest[IDS_MAX];
    struct args x = {0};
    const struct ctl_option options[] = {{.name = "filter", .value = &x.filter},
                                         {.name = "note", .value = &x.note},
                                         {.name = "why", .value = &x.why},
                                         {.name = "json", .flag = &x.json}};
    size_t v = 0;
    struct db *db;
    int n = ctl_args(argc, argv, options, 4, rest, 1, IDS_MAX);

    if (n < 0)
        return CTL_USAGE;
    while (v < sizeof verbs / sizeof *verbs && strcmp(verbs[v].name, rest[0]) != 0)
        v++;
    if (v == sizeof verbs / sizeof *verbs)
        return ctl_wrong("group: there is no \"%s\"", rest[0]);
    if (n < verbs[v].min || n > verbs[v].max)
        return ctl_wrong("group %s: %s", rest[0],
                         n < verbs[v].min ? "an argument is missing" : "takes no more");
    if (verbs[v].why != (x.why != NULL))
        return ctl_wrong("group %s: %s", rest[0],
                         verbs[v].why ? "--why TEXT is missing" : "takes no --why");
    if (strcmp(rest[0], "facts") == 0)
        return facts(c, x.json);
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    return n == 1 ? list(c, db, &x) : one(c, db, rest[0], n, rest, &x);
}

int ctl_tag(struct ctl *c, int argc, char **argv)
{
    static const char *rest[IDS_MAX];
    struct group_edit e = {0};
    struct tag_count *t;
    struct err err = {0};
    struct db *db;
    size_t k;
    int n = ctl_args(argc, argv, NULL, 0, rest, 1, IDS_MAX);

    if (n < 0)
        return CTL_USAGE;
    bool show = strcmp(rest[0], "list") == 0, add = strcmp(rest[0], "add") == 0;
    if (!show && !add && strcmp(rest[0], "remove") != 0)
        return ctl_wrong("tag: there is no \"%s\"", rest[0]);
    if (show != (n == 1) || (!show && n < 3))
        return ctl_wrong("tag %s: %s", rest[0],
                         show ? "takes no more" : "give the tag and devices");
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (!show) {
        *(add ? &e.add : &e.remove) = rest + 2;
        *(add ? &e.nadd : &e.nremove) = (size_t)n - 2;
        return edited(tag_edit(db, rest[1], &e, c->actor, clock_now(), &err), &e, &err);
    }
    if (tag_list(db, c->arena, &t, &k, &err) != OK)
        return ctl_failed(&err);
    for (size_t i = 0; i < k; i++)
        printf("%s\t%lld\n", t[i].tag, (long long)t[i].devices);
    return CTL_OK;
}
