/* enrollprofile.c: droverctl enroll-profile. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/enrollprofile.h"
#include "wire/encode.h"

#define ARGS_MAX 64

struct options {
    const char *from, *note, *version, *if_version;
    bool json;
};

/* ---- printing ---- */

/* Long texts in a block of their own, indented; control characters were refused on the way in. */
static void text_print(const char *name, const char *text)
{
    if (!strchr(text, '\n')) {
        printf("%-24s%s\n", name, text[0] ? text : "-");
        return;
    }
    printf("%s\n", name);
    while (*text) {
        size_t n = strcspn(text, "\n");
        printf("    %.*s\n", (int)n, text);
        text += n + (text[n] == '\n');
    }
}

static void field_print(const struct enroll_field *f, const struct enroll_content *c)
{
    const struct enroll_names *list;
    switch (f->type) {
    case ENROLL_TEXT:
    case ENROLL_WORDS:
        text_print(f->name, enroll_field_text(f, c));
        return;
    case ENROLL_INT:
        printf("%-24s%lld\n", f->name, (long long)enroll_field_int(f, c));
        return;
    case ENROLL_BOOL:
        text_print(f->name, enroll_field_int(f, c) ? "yes" : "no");
        return;
    case ENROLL_WORD:
        text_print(f->name, enroll_field_word(f, c));
        return;
    case ENROLL_SECRET:
        text_print(f->name, enroll_field_secret(f, c) ? "(set)" : "");
        return;
    case ENROLL_LIST:
        list = enroll_field_list(f, c);
        printf("%-24s%s", f->name, list->n ? "" : "-");
        for (size_t i = 0; i < list->n; i++)
            printf("%s%s", i ? ", " : "", list->name[i]);
        putchar('\n');
    }
}

static int show(struct ctl *c, struct db *db, const char *name, const struct options *x)
{
    struct err err;
    struct enrollprofile p;
    char when[CLOCK_TEXT_MAX];
    enum outcome o = x->version ? enrollprofile_version(db, name, strtoll(x->version, NULL, 10),
                                                        c->arena, &p, &err)
                                : enrollprofile_find(db, c->conf, name, c->arena, &p, &err);
    if (o != OK)
        return ctl_failed(&err);
    text_print("name", p.name);
    if (!p.id) {
        puts("version                 as configured in [enroll]; droverctl migrate stores it");
    } else {
        printf("%-24s%lld%s\n", "version", (long long)p.version,
               p.version == p.current ? "" : " (not in force)");
        printf("%-24s%s by %s\n", "edited", clock_rfc3339(p.made_at, false, when), p.made_by);
        text_print("note", p.note);
    }
    for (size_t i = 0; i < enroll_fields_n; i++)
        field_print(&enroll_fields[i], &p.c);
    return CTL_OK;
}

static int table(struct ctl *c, const struct enrollprofile *p, size_t n, bool json)
{
    static const struct ctl_column cols[] = {{"name", CTL_TEXT},      {"version", CTL_INT},
                                             {"identity", CTL_TEXT},  {"access_rights", CTL_INT},
                                             {"topic", CTL_TEXT},     {"edited_at", CTL_TIME},
                                             {"edited_by", CTL_TEXT}, {"note", CTL_TEXT}};
    const size_t ncols = sizeof cols / sizeof *cols;
    struct val *cells = arena_array(c->arena, n * ncols + 1, sizeof *cells);
    const struct enroll_field *identity = enroll_field_find("identity");
    for (size_t i = 0; cells && i < n; i++)
        memcpy(&cells[i * ncols],
               (struct val[]){val_str(p[i].name), val_int(p[i].version),
                              ctl_text(enroll_field_word(identity, &p[i].c)),
                              val_int(p[i].c.access_rights), ctl_text(p[i].c.topic),
                              ctl_time(p[i].made_at), ctl_text(p[i].made_by), ctl_text(p[i].note)},
               ncols * sizeof *cells);
    return cells ? ctl_list(c, json, cols, ncols, cells, n) : CTL_FAILED;
}

static int list(struct ctl *c, struct db *db, const char *name, bool json)
{
    struct err err;
    struct enrollprofile *p;
    size_t n;
    enum outcome o = name ? enrollprofile_history(db, name, c->arena, &p, &n, &err)
                          : enrollprofile_list(db, c->arena, &p, &n, &err);
    return o == OK ? table(c, p, n, json) : ctl_failed(&err);
}

static int fields(void)
{
    for (size_t i = 0; i < enroll_fields_n; i++)
        printf("%-24s%s\n", enroll_fields[i].name, enroll_fields[i].about);
    return CTL_OK;
}

/* ---- editing ---- */

static enum outcome from_file(struct ctl *c, const struct enroll_field *f, const char *path,
                              const char **out, struct err *err)
{
    struct bytes b;
    char *line;
    enum outcome o;
    if (f->type == ENROLL_SECRET) {
        o = ctl_secret_file(c, path, f->max, &line, err);
        *out = line;
        return o;
    }
    o = ctl_file(c, path, ENROLLPROFILE_PEM_MAX, &b, err);
    if (o == OK && memchr(b.p, '\0', b.n))
        return err_set(err, INVALID, "%s holds a NUL", path);
    *out = o == OK ? arena_strndup(c->arena, (const char *)b.p, b.n) : NULL;
    return o == OK && !*out ? err_set(err, ERROR, "out of memory") : o;
}

/* Takes FIELD=VALUE or FIELD=@FILE. */
static enum outcome word_take(struct ctl *c, struct enroll_content *content, const char *word,
                              struct err *err)
{
    const char *eq = strchr(word, '='), *value = eq ? eq + 1 : NULL;
    const char *name = eq ? arena_strndup(c->arena, word, (size_t)(eq - word)) : NULL;
    const struct enroll_field *f = name ? enroll_field_find(name) : NULL;
    enum outcome o = OK;
    if (!eq)
        return err_set(err, INVALID, "\"%.60s\" is no FIELD=VALUE", word);
    if (!f)
        return err_set(err, INVALID, "there is no field \"%.60s\"; droverctl enroll-profile fields",
                       name ? name : "");
    if (value[0] == '@')
        o = from_file(c, f, value + 1, &value, err);
    else if (f->type == ENROLL_SECRET && value[0])
        o = err_set(err, INVALID, "%s: give @FILE (@- for standard input): others see arguments",
                    f->name);
    return o == OK ? enroll_field_set(f, c->arena, content, value, err) : o;
}

static enum outcome words_take(struct ctl *c, struct enroll_content *content, const char **words,
                               int n, struct err *err)
{
    enum outcome o = OK;
    for (int i = 0; o == OK && i < n; i++)
        o = word_take(c, content, words[i], err);
    return o;
}

static int make(struct ctl *c, struct db *db, const char *name, const char **words, int n,
                const struct options *x)
{
    struct err err;
    struct enrollprofile p;
    const char *from = x->from ? x->from : ENROLLPROFILE_DEFAULT;
    enum outcome o = enrollprofile_find(db, c->conf, from, c->arena, &p, &err);
    p.c.scep_challenge = p.c.removal_password = bytes_of(NULL, 0); /* sealed to the other */
    if (o == OK)
        o = words_take(c, &p.c, words, n, &err);
    struct enrollprofile_change change = {
        .name = name, .c = &p.c, .by = c->actor, .note = x->note ? x->note : ""};
    if (o == OK)
        o = enrollprofile_new(db, c->conf, &change, &err);
    return o == OK ? CTL_OK : ctl_failed(&err);
}

static int store(struct ctl *c, struct db *db, const char *name,
                 const struct enroll_content *content, int64_t expected, const char *note)
{
    struct err err;
    int64_t version;
    struct enrollprofile_change change = {
        .name = name, .c = content, .expected = expected, .by = c->actor, .note = note};
    if (enrollprofile_save(db, c->conf, &change, &version, &err) != OK)
        return ctl_failed(&err);
    printf("%s is at version %lld.\n", name, (long long)version);
    return CTL_OK;
}

static int set(struct ctl *c, struct db *db, const char *name, const char **words, int n,
               const struct options *x)
{
    struct err err;
    struct enrollprofile p;
    bool made;
    int64_t expected = x->if_version ? strtoll(x->if_version, NULL, 10) : 0;
    enum outcome o = strcmp(name, ENROLLPROFILE_DEFAULT) == 0
                         ? enrollprofile_default(db, c->conf, c->actor, &made, &err)
                         : OK;
    if (o == OK)
        o = enrollprofile_find(db, c->conf, name, c->arena, &p, &err);
    if (o == OK)
        o = words_take(c, &p.c, words, n, &err);
    if (o != OK)
        return ctl_failed(&err);
    return store(c, db, name, &p.c, expected ? expected : p.version, x->note ? x->note : "");
}

static int revert(struct ctl *c, struct db *db, const char *name, const char *version,
                  const struct options *x)
{
    struct err err;
    struct enrollprofile p;
    if (enrollprofile_version(db, name, strtoll(version, NULL, 10), c->arena, &p, &err) != OK)
        return ctl_failed(&err);
    const char *note = x->note ? x->note : arena_fmt(c->arena, "as in version %s", version);
    return store(c, db, name, &p.c, 0, note ? note : "");
}

static int run(struct ctl *c, const char *verb, const char **rest, int n, const struct options *x)
{
    struct err err;
    struct db *db;
    const char *name = rest[0];
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (strcmp(verb, "list") == 0)
        return list(c, db, NULL, x->json);
    if (strcmp(verb, "history") == 0)
        return list(c, db, name, x->json);
    if (strcmp(verb, "show") == 0)
        return show(c, db, name, x);
    if (strcmp(verb, "new") == 0)
        return make(c, db, name, rest + 1, n - 1, x);
    if (strcmp(verb, "set") == 0)
        return set(c, db, name, rest + 1, n - 1, x);
    if (strcmp(verb, "revert") == 0)
        return revert(c, db, name, rest[1], x);
    return enrollprofile_remove(db, name, c->actor, &err) == OK ? CTL_OK : ctl_failed(&err);
}

int ctl_enrollprofile(struct ctl *c, int argc, char **argv)
{
    static const struct {
        const char *verb;
        int min, max; /* arguments after it */
    } verbs[] = {{"list", 0, 0},    {"show", 1, 1},   {"new", 1, ARGS_MAX}, {"set", 2, ARGS_MAX},
                 {"history", 1, 1}, {"revert", 2, 2}, {"remove", 1, 1},     {"fields", 0, 0}};
    const char *rest[ARGS_MAX + 1];
    struct options x = {0};
    const struct ctl_option options[] = {{.name = "from", .value = &x.from},
                                         {.name = "note", .value = &x.note},
                                         {.name = "version", .value = &x.version},
                                         {.name = "if-version", .value = &x.if_version},
                                         {.name = "json", .flag = &x.json}};
    int n = ctl_args(argc, argv, options, 5, rest, 1, ARGS_MAX + 1);
    if (n < 0)
        return CTL_USAGE;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(verbs[i].verb, rest[0]) != 0)
            continue;
        if (n - 1 < verbs[i].min || n - 1 > verbs[i].max)
            return ctl_wrong("enroll-profile %s: %s", rest[0],
                             n - 1 < verbs[i].min ? "an argument is missing"
                                                  : "that is an argument too many");
        return verbs[i].min                     ? run(c, rest[0], rest + 1, n - 1, &x)
               : strcmp(rest[0], "fields") == 0 ? fields()
                                                : run(c, rest[0], rest + 1, n - 1, &x);
    }
    return ctl_wrong("enroll-profile: there is no \"%s\"", rest[0]);
}
