/* blueprint.c: droverctl blueprint: all that is assigned to a group, its commands among it, and its
 * versions. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "library/edit.h"
#include "library/standing.h"
#include "store/group.h"

struct args {
    const char *policy, *days, *keys, *why, *state;
    bool json;
};

/* The group, by id or name, and what is in force of it. False: the message is out. */
static bool named(struct ctl *c, struct db *db, const char *word, struct blueprint *out)
{
    struct device_group g;
    struct err err;
    int64_t id;
    enum outcome o = NOT_FOUND;

    if (library_id_read(word, &id))
        o = group_get(db, id, c->arena, &g, &err);
    if (o == NOT_FOUND)
        o = group_find(db, word, c->arena, &g, &err);
    if (o == OK)
        o = blueprint_now(db, g.id, c->arena, out, &err);
    if (o != OK) {
        err_prefix(&err, "%.100s", word);
        ctl_failed(&err);
    }
    return o == OK;
}

#define SHOWN 7

static int show(struct ctl *c, struct db *db, const struct blueprint *b, bool json)
{
    static const struct ctl_column cols[SHOWN] = {{"id", CTL_INT},
                                                  {"command", CTL_TEXT},
                                                  {"keys", CTL_TEXT},
                                                  {"policy", CTL_TEXT},
                                                  {"every_days", CTL_INT},
                                                  {"state", CTL_TEXT},
                                                  {"waiting_for_approval", CTL_INT}};
    struct standing *s;
    struct err err;
    size_t n;

    if (standing_list(db, b->group_id, c->arena, &s, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(c->arena, n * SHOWN + 1, sizeof *cells);
    for (size_t i = 0; cells != NULL && i < n; i++) {
        int64_t counts[ORDER__MAX];

        if (standing_counts(db, s[i].id, c->arena, counts, &err) != OK)
            return ctl_failed(&err);
        memcpy(&cells[i * SHOWN],
               (struct val[]){val_int(s[i].id), val_str(s[i].request_type), ctl_text(s[i].keys),
                              val_str(standing_policy_name(s[i].policy)),
                              s[i].every_days != 0 ? val_int(s[i].every_days) : val_null(),
                              val_str(standing_state_name(s[i].state)),
                              val_int(counts[ORDER_WAITS])},
               SHOWN * sizeof *cells);
    }
    if (!json)
        printf("version %d: %zu profiles and apps, %zu commands\n", b->number, b->nitems,
               b->norders);
    return cells != NULL ? ctl_list(c, json, cols, SHOWN, cells, n) : CTL_FAILED;
}

#define DEVICES_MAX 100000 /* that are told */
#define TOLD 7

/* How far the devices are with one command of the group. */
static int devices(struct ctl *c, struct db *db, const struct blueprint *b, const char *word,
                   const char *state, bool json)
{
    static const struct ctl_column cols[TOLD] = {
        {"enrollment_id", CTL_TEXT}, {"device_name", CTL_TEXT}, {"state", CTL_TEXT},
        {"reason", CTL_TEXT},        {"command", CTL_TEXT},     {"changed_at", CTL_TIME},
        {"done_at", CTL_TIME}};
    struct val *cells = arena_array(c->arena, DEVICES_MAX * TOLD, sizeof *cells);
    int64_t id = 0, after = 0;
    size_t n = 0, got = LIM_PAGE;
    struct standing s;
    struct err err;

    if (!library_id_read(word, &id))
        return ctl_wrong("blueprint devices: \"%s\" is no number of a command", word);
    if (state != NULL && device_order_state_read(state) == 0)
        return ctl_wrong("blueprint devices: there is no state \"%s\"", state);
    if (standing_get(db, b->group_id, id, c->arena, &s, &err) != OK)
        return ctl_failed(&err);
    while (cells != NULL && got == LIM_PAGE && n < DEVICES_MAX) {
        struct standing_progress *d;

        if (standing_devices(db, id, device_order_state_read(state), after, LIM_PAGE, c->arena, &d,
                             &got, &err) != OK)
            return ctl_failed(&err);
        for (size_t i = 0; i < got && n < DEVICES_MAX; i++, n++) {
            after = d[i].enrollment_id;
            memcpy(&cells[n * TOLD],
                   (struct val[]){val_str(d[i].ident), ctl_text(d[i].device_name),
                                  val_str(device_order_state_name(d[i].state)),
                                  ctl_text(d[i].reason), ctl_text(d[i].command_uuid),
                                  ctl_time(d[i].changed_at), ctl_time(d[i].done_at)},
                   TOLD * sizeof *cells);
        }
    }
    return cells != NULL ? ctl_list(c, json, cols, TOLD, cells, n) : CTL_FAILED;
}

static int versions(struct ctl *c, struct db *db, const struct blueprint *b, bool json)
{
    static const struct ctl_column cols[] = {{"version", CTL_INT},  {"items", CTL_INT},
                                             {"commands", CTL_INT}, {"by", CTL_TEXT},
                                             {"at", CTL_TIME},      {"note", CTL_TEXT}};
    struct blueprint *v;
    struct err err;
    size_t n;

    if (blueprint_list(db, b->group_id, 0, LIM_PAGE, c->arena, &v, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(c->arena, n * 6 + 1, sizeof *cells);
    for (size_t i = 0; cells != NULL && i < n; i++)
        memcpy(&cells[i * 6],
               (struct val[]){val_int(v[i].number), val_int((int64_t)v[i].nitems),
                              val_int((int64_t)v[i].norders), val_str(v[i].created_by),
                              ctl_time(v[i].created_at), ctl_text(v[i].note)},
               6 * sizeof *cells);
    return cells != NULL ? ctl_list(c, json, cols, 6, cells, n) : CTL_FAILED;
}

static int put(struct ctl *c, struct db *db, struct blueprint_save *s)
{
    bool sensitive = false;
    struct err err;

    if (blueprint_sensitive(db, c->conf, c->arena, &s->b, s->add, s->nadd, &sensitive, &err) != OK)
        return ctl_failed(&err);
    if (sensitive && strcmp(c->conf->command_approval, "sensitive") == 0 && !ctl_person(c))
        return CTL_FAILED;
    if (blueprint_put(db, c->conf, c->arena, s, &err) != OK)
        return ctl_failed(&err);
    printf("version %d\n", s->number);
    return CTL_OK;
}

static int add(struct ctl *c, struct db *db, struct blueprint_save *s, const char *type,
               const struct args *x)
{
    struct standing_put p = {.group_id = s->b.group_id,
                             .request_type = type,
                             .policy = x->policy != NULL ? x->policy : "join",
                             .every_days = x->days != NULL ? strtoll(x->days, NULL, 10) : 0,
                             .reason = x->why};
    struct findings found = {0};
    struct standing one;
    struct err err;
    int rc;

    if (x->keys != NULL && js_parse(bytes_str(x->keys), &p.keys, &err) != OK)
        return ctl_failed(&err);
    if (standing_make(db, c->conf, c->arena, &p, &one, &found, &err) == OK) {
        s->add = &one;
        s->nadd = 1;
        rc = put(c, db, s);
    } else {
        for (size_t i = 0; i < found.n; i++)
            fprintf(stderr, "%s: %s\n", found.list[i].path, found.list[i].text);
        rc = ctl_failed(&err);
    }
    js_free(&p.keys);
    return rc;
}

static int drop(struct ctl *c, struct db *db, struct blueprint_save *s, const char *word)
{
    int64_t *rest = arena_array(c->arena, s->b.norders + 1, sizeof *rest), id = 0;
    size_t n = 0;

    if (!library_id_read(word, &id) || rest == NULL)
        return ctl_wrong("blueprint drop: \"%s\" is no number of a command", word);
    for (size_t i = 0; i < s->b.norders; i++)
        if (s->b.orders[i] != id)
            rest[n++] = s->b.orders[i];
    if (n == s->b.norders) {
        fprintf(stderr, "The group has no command %s.\n", word);
        return CTL_FAILED;
    }
    s->b.orders = rest;
    s->b.norders = n;
    return put(c, db, s);
}

static int restore(struct ctl *c, struct db *db, struct blueprint_save *s, const char *word)
{
    const char *note = s->b.note;
    struct err err;

    if (blueprint_get(db, s->b.group_id, atoi(word), c->arena, &s->b, &err) != OK)
        return ctl_failed(&err);
    s->b.note = note[0] != '\0' ? note : arena_fmt(c->arena, "= %s", word);
    return put(c, db, s);
}

int ctl_blueprint(struct ctl *c, int argc, char **argv)
{
    static const struct {
        const char *name;
        int n;
        bool why; /* --why is needed */
    } verbs[] = {{"show", 2, false}, {"versions", 2, false}, {"command", 3, false},
                 {"drop", 3, true},  {"restore", 3, true},   {"devices", 3, false}};
    const char *rest[3];
    struct args x = {0};
    const struct ctl_option options[] = {
        {.name = "policy", .value = &x.policy}, {.name = "days", .value = &x.days},
        {.name = "keys", .value = &x.keys},     {.name = "why", .value = &x.why},
        {.name = "state", .value = &x.state},   {.name = "json", .flag = &x.json}};
    struct blueprint b;
    size_t v = 0;
    struct db *db;
    int n = ctl_args(argc, argv, options, 6, rest, 1, 3);

    if (n < 0)
        return CTL_USAGE;
    while (v < sizeof verbs / sizeof *verbs && strcmp(verbs[v].name, rest[0]) != 0)
        v++;
    if (v == sizeof verbs / sizeof *verbs)
        return ctl_wrong("blueprint: there is no \"%s\"", rest[0]);
    if (n != verbs[v].n || (verbs[v].why && x.why == NULL))
        return ctl_wrong("blueprint %s: %s", rest[0],
                         n != verbs[v].n ? "an argument is missing or too many"
                                         : "--why TEXT is missing");
    if (!ctl_db(c, &db) || !named(c, db, rest[1], &b))
        return CTL_FAILED;
    if (v == 0)
        return show(c, db, &b, x.json);
    if (v == 1)
        return versions(c, db, &b, x.json);
    if (v == 5)
        return devices(c, db, &b, rest[2], x.state, x.json);
    b.note = x.why != NULL ? x.why : "";
    struct blueprint_save s = {.b = b, .base = b.number, .actor = c->actor, .now = clock_now()};
    return v == 2   ? add(c, db, &s, rest[2], &x)
           : v == 3 ? drop(c, db, &s, rest[2])
                    : restore(c, db, &s, rest[2]);
}
