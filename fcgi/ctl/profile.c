/* profile.c: droverctl profile: the profiles of the library. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "library/edit.h"
#include "library/payloads.h"
#include "library/profiles.h"
#include "store/audit.h"
#include "wire/sign.h"

#define COLUMNS 7
#define PROFILES (1u << LIBRARY_PROFILE | 1u << LIBRARY_PROVISIONING)
#define KEYS_MAX (64u * LIM_KB)

struct args {
    const char *search, *name, *signing, *keys, *version, *why;
    bool json, stage;
};

static int print_json(js *v)
{
    struct buf text = BUF_INIT(LIM_RESPONSE);
    struct err err = {0};
    int status = CTL_OK;

    if (js_write(*v, true, &text) == OK)
        puts(buf_cstr(&text));
    else {
        err_set(&err, ERROR, "out of memory");
        status = ctl_failed(&err);
    }
    js_free(v);
    buf_free(&text);
    return status;
}

static int list(struct ctl *c, struct db *db, const struct args *x)
{
    static const struct ctl_column cols[] = {
        {"id", CTL_INT},      {"kind", CTL_TEXT},    {"identifier", CTL_TEXT}, {"name", CTL_TEXT},
        {"version", CTL_INT}, {"changed", CTL_TIME}, {"changed_by", CTL_TEXT}};
    struct library_item *i;
    struct err err;
    size_t n, k = 0;

    if (library_list(db, 0, x->search, 0, LIM_PAGE, c->arena, &i, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(c->arena, n * COLUMNS + 1, sizeof *cells);
    for (size_t at = 0; cells != NULL && at < n; at++)
        if (i[at].kind != LIBRARY_APP)
            memcpy(&cells[k++ * COLUMNS],
                   (struct val[]){val_int(i[at].id), val_str(library_kind_name(i[at].kind)),
                                  val_str(i[at].identifier), val_str(i[at].name),
                                  val_int(i[at].version), ctl_time(i[at].changed_at),
                                  val_str(i[at].changed_by)},
                   COLUMNS * sizeof *cells);
    if (n == LIM_PAGE)
        fprintf(stderr, "Only the first %u are shown; --search narrows it.\n", LIM_PAGE);
    return cells != NULL ? ctl_list(c, x->json, cols, COLUMNS, cells, k) : CTL_FAILED;
}

static int show(const struct library_item *i)
{
    struct err err;
    js details = NULL;
    const struct library_version *v = &i->current;

    printf("id          %lld\nkind        %s\nidentifier  %s\nname        %s\n", (long long)i->id,
           library_kind_name(i->kind), i->identifier, i->name);
    printf("version     %d\nuuid        %s\nsize        %lld\n", i->version, v->uuid,
           (long long)v->size);
    if (i->kind == LIBRARY_PROFILE)
        printf("payloads    %s\nsigning     %s\nencrypt     %s\nchannel     %s (for %s)\n",
               v->types, profile_signing_name(i->signing), i->encrypt ? "yes" : "no",
               profile_channel_name(i->channel),
               profile_for_users(i) ? "users of devices" : "devices");
    if (v->signed_by[0] != '\0')
        printf("signed by   %s\n", v->signed_by);
    if (i->after_id != 0)
        printf("after       %lld\n", (long long)i->after_id);
    if (i->after_passcode)
        puts("after       the passcode is compliant");
    if (js_parse(bytes_str(v->details), &details, &err) != OK)
        return CTL_OK;
    js list = js_get(details, "warnings");
    for (size_t k = 0; k < js_size(list); k++)
        printf("warning     %s %s\n", js_get_str(js_at(list, k), "path"),
               js_get_str(js_at(list, k), "text"));
    js_free(&details);
    return CTL_OK;
}

static int put(struct ctl *c, struct db *db, int64_t item_id, const char *path,
               const struct args *x)
{
    struct profile_put p = {.item_id = item_id,
                            .name = x->name,
                            .signing = profile_signing_read(x->signing),
                            .stage = x->stage,
                            .actor = c->actor,
                            .now = clock_now()};
    struct err err;
    enum outcome o;

    if (x->signing != NULL && p.signing < 0)
        return ctl_wrong("--signing is drover, uploaded or none");
    o = ctl_file(c, path, LIM_PROFILE, &p.file, &err);
    if (o == OK)
        o = profile_put(db, c->conf, c->arena, &p, &err);
    for (size_t i = 0; i < p.found.n; i++)
        fprintf(stderr, "%s: %s%s%s\n", p.found.list[i].error ? "error" : "warning",
                p.found.list[i].path, p.found.list[i].path[0] != '\0' ? ": " : "",
                p.found.list[i].text);
    if (o != OK)
        return ctl_failed(&err);
    printf("%lld version %d%s\n", (long long)p.stored_id, p.number,
           p.repeated ? ", which is the same file" : "");
    return CTL_OK;
}

static int set(struct ctl *c, struct db *db, struct library_item *i, const struct args *x)
{
    struct bytes text = bytes_str(x->keys);
    struct err err;
    js keys = NULL;
    enum outcome o = x->keys[0] == '@' ? ctl_file(c, x->keys + 1, KEYS_MAX, &text, &err) : OK;

    if (o == OK)
        o = js_parse(text, &keys, &err);
    if (o == OK)
        o = library_edit(db, c->arena, i, keys, c->actor, clock_now(), &err);
    js_free(&keys);
    return o == OK ? show(i) : ctl_failed(&err);
}

static int get(struct ctl *c, struct db *db, const struct library_item *i, const struct args *x)
{
    struct buf file = BUF_INIT(LIM_PROFILE);
    struct library_version v;
    struct bytes sealed;
    struct err err;
    enum outcome o = library_version_get(db, i->id, x->version ? atoi(x->version) : i->version,
                                         c->arena, &v, &sealed, &err);

    sign_client_setup(c->conf->run_dir, SIGN_CTL);
    if (o == OK)
        o = audit_add(db, c->actor, "library.read",
                      arena_fmt(c->arena, "%s:%s", library_kind_name(i->kind), i->identifier), NULL,
                      &err);
    if (o == OK)
        o = profile_open(v.id, sealed, &file, &err);
    if (o == OK && (fwrite(file.data, 1, file.len, stdout) != file.len || fflush(stdout) != 0))
        o = err_set(&err, ERROR, "standard output: %m");
    buf_wipe(&file);
    return o == OK ? CTL_OK : ctl_failed(&err);
}

static int types(void)
{
    js all = js_array();

    for (size_t i = 0; i < payload_count(); i++)
        js_append(all, payload_json(payload_at(i)));
    return print_json(&all);
}

static int one(struct ctl *c, struct db *db, const char *verb, const char *word, const char *file,
               const struct args *x)
{
    struct library_item i;
    struct err err;

    if (strcmp(verb, "add") == 0)
        return put(c, db, 0, word, x);
    if (!ctl_item(c, db, word, PROFILES, &i))
        return CTL_FAILED;
    if (strcmp(verb, "show") == 0)
        return show(&i);
    if (strcmp(verb, "update") == 0)
        return put(c, db, i.id, file, x);
    if (strcmp(verb, "set") == 0)
        return set(c, db, &i, x);
    if (strcmp(verb, "get") == 0)
        return get(c, db, &i, x);
    if (library_delete(db, i.id, c->actor, x->why, clock_now(), &err) != OK)
        return ctl_failed(&err);
    printf("%s is deleted.\n", i.name);
    return CTL_OK;
}

int ctl_profile(struct ctl *c, int argc, char **argv)
{
    static const struct {
        const char *name;
        int words;
    } verbs[] = {{"list", 1}, {"types", 1},  {"show", 2}, {"add", 2},
                 {"set", 2},  {"update", 3}, {"get", 2},  {"remove", 2}};
    struct args x = {0};
    const struct ctl_option options[] = {
        {.name = "search", .value = &x.search},   {.name = "json", .flag = &x.json},
        {.name = "name", .value = &x.name},       {.name = "signing", .value = &x.signing},
        {.name = "stage", .flag = &x.stage},      {.name = "keys", .value = &x.keys},
        {.name = "version", .value = &x.version}, {.name = "why", .value = &x.why}};
    const char *rest[3];
    size_t v = 0;
    struct db *db;
    int n = ctl_args(argc, argv, options, sizeof options / sizeof *options, rest, 1, 3);

    if (n < 0)
        return CTL_USAGE;
    while (v < sizeof verbs / sizeof *verbs && strcmp(verbs[v].name, rest[0]) != 0)
        v++;
    if (v == sizeof verbs / sizeof *verbs)
        return ctl_wrong("profile: there is no \"%s\"", rest[0]);
    if (n != verbs[v].words)
        return ctl_wrong("profile %s: %s", rest[0],
                         n < verbs[v].words ? "an argument is missing" : "takes no more");
    if ((strcmp(rest[0], "remove") == 0) != (x.why != NULL) ||
        (strcmp(rest[0], "set") == 0) != (x.keys != NULL))
        return ctl_wrong("profile %s: --why goes with remove, --keys with set", rest[0]);
    if (strcmp(rest[0], "types") == 0)
        return types();
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    return n == 1 ? list(c, db, &x) : one(c, db, rest[0], rest[1], rest[2], &x);
}
