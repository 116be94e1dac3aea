/* apps.c: droverctl app: the apps of the library. */
#include "ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "assets/assets.h"
#include "base/clock.h"
#include "base/limits.h"
#include "library/app_sweep.h"
#include "library/apps.h"
#include "library/codes.h"
#include "library/edit.h"
#include "store/appdata.h"
#include "store/redemption.h"

#define COLUMNS 6
#define PART (4u * LIM_MB)

struct args {
    const char *search, *name, *settings, *manifest, *version, *why, *file, *release;
    bool json, stage;
};

static int list(struct ctl *c, struct db *db, const struct args *x)
{
    static const struct ctl_column cols[] = {{"id", CTL_INT},           {"identifier", CTL_TEXT},
                                             {"name", CTL_TEXT},        {"version", CTL_INT},
                                             {"app_version", CTL_TEXT}, {"changed", CTL_TIME}};
    struct library_item *i;
    struct err err;
    size_t n;

    if (library_list(db, LIBRARY_APP, x->search, 0, LIM_PAGE, c->arena, &i, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(c->arena, n * COLUMNS + 1, sizeof *cells);
    for (size_t at = 0; cells != NULL && at < n; at++)
        memcpy(&cells[at * COLUMNS],
               (struct val[]){val_int(i[at].id), val_str(i[at].identifier), val_str(i[at].name),
                              val_int(i[at].version), ctl_text(i[at].current.uuid),
                              ctl_time(i[at].changed_at)},
               COLUMNS * sizeof *cells);
    return cells != NULL ? ctl_list(c, x->json, cols, COLUMNS, cells, n) : CTL_FAILED;
}

/* Copies a file to where devices will find it. *name: in the arena. */
static enum outcome copy_in(struct ctl *c, const char *path, const char **name, struct err *err)
{
    char *fresh = arena_alloc(c->arena, ASSET_NAME_LEN + 1), *part = arena_alloc(c->arena, PART);
    int64_t at = 0;
    ssize_t n = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum outcome o;

    if (fd < 0)
        return err_set(err, NOT_FOUND, "%s: %m", path);
    if (fresh == NULL || part == NULL)
        o = err_set(err, ERROR, "out of memory");
    else
        o = asset_begin(c->conf, c->arena, fresh, err);
    while (o == OK && n > 0) {
        n = read(fd, part, PART);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n < 0)
            o = err_set(err, ERROR, "%s: %m", path);
        else if (n > 0)
            o = asset_add(c->conf, c->arena, fresh, at, bytes_of(part, (size_t)n), &at, err);
    }
    close(fd);
    *name = fresh;
    return o;
}

/* What is uploaded by the owner of the machine belongs to those who own the folder. */
static void own(struct ctl *c, const char *name)
{
    static const char *const parts[] = {"incoming",          "assets",
                                        "assets/%s",         "assets/%s/app.ipa",
                                        "assets/%s/app.pkg", "assets/%s/manifest.plist"};
    struct stat st;

    if (geteuid() != 0 || stat(c->conf->assets_dir, &st) != 0)
        return;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const char *rest = strchr(parts[i], '%') ? strchr(parts[i], '%') + 2 : "";
        const char *path =
            arena_fmt(c->arena, "%s/%.*s%s%s", c->conf->assets_dir, (int)strcspn(parts[i], "%"),
                      parts[i], strchr(parts[i], '%') ? name : "", rest);

        if (path != NULL && lchown(path, st.st_uid, st.st_gid) != 0 && errno != ENOENT)
            fprintf(stderr, "droverctl: %s: %s\n", path, strerror(errno));
    }
}

static int put(struct ctl *c, struct db *db, int64_t item_id, const char *identifier,
               const struct args *x)
{
    struct app_put p = {.item_id = item_id,
                        .manifest_url = x->manifest,
                        .identifier = identifier,
                        .app_version = x->version,
                        .name = x->name,
                        .stage = x->stage,
                        .actor = c->actor,
                        .now = clock_now()};
    struct bytes text = x->settings != NULL ? bytes_str(x->settings) : bytes_of(NULL, 0);
    struct err err = {0};
    enum outcome o = OK;

    if (x->settings != NULL && x->settings[0] == '@')
        o = ctl_file(c, x->settings + 1, LIM_MB, &text, &err);
    if (o == OK && x->settings != NULL)
        o = js_parse(text, &p.settings, &err);
    if (o == OK && x->file != NULL)
        o = copy_in(c, x->file, &p.file, &err);
    if (o == OK)
        o = app_put(db, c->conf, c->arena, &p, &err);
    if (p.file != NULL)
        own(c, p.file);
    for (size_t i = 0; i < p.found.n; i++)
        fprintf(stderr, "%s: %s: %s\n", p.found.list[i].error ? "error" : "warning",
                p.found.list[i].path, p.found.list[i].text);
    js_free(&p.settings);
    if (o != OK)
        return ctl_failed(&err);
    printf("%lld version %d%s\n", (long long)p.stored_id, p.number,
           p.repeated ? ", which is the same file" : "");
    return CTL_OK;
}

static int show(const struct library_item *i)
{
    printf(
        "id          %lld\nidentifier  %s\nname        %s\nversion     %d (%s)\nsettings    %s\n"
        "details     %s\nfeedback    every %d hours (0: never)%s\nupdates     every %d hours (0: "
        "never)\ncodes       alarm when fewer than %d are left\n",
        (long long)i->id, i->identifier, i->name, i->version, i->current.uuid,
        i->settings[0] ? i->settings : "{}", i->current.details, i->app.feedback_hours,
        i->app.feedback_delete ? ", deleted when read" : "", i->app.update_hours, i->app.codes_low);
    return CTL_OK;
}

/* ---- redemption codes, feedback ---- */

static int codes_list(struct ctl *c, struct db *db, int64_t id, const struct args *x)
{
    static const struct ctl_column cols[] = {{"id", CTL_INT},      {"state", CTL_TEXT},
                                             {"device", CTL_TEXT}, {"added", CTL_TIME},
                                             {"given", CTL_TIME},  {"ended", CTL_TIME}};
    struct redemption_row *r;
    struct err err;
    size_t n;

    if (redemption_list(db, id, 0, 0, LIM_PAGE, c->arena, &r, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(c->arena, n * COLUMNS + 1, sizeof *cells);
    for (size_t at = 0; cells != NULL && at < n; at++)
        memcpy(&cells[at * COLUMNS],
               (struct val[]){val_int(r[at].id), val_str(redemption_state_name(r[at].state)),
                              ctl_text(r[at].ident), ctl_time(r[at].added_at),
                              ctl_time(r[at].given_at), ctl_time(r[at].ended_at)},
               COLUMNS * sizeof *cells);
    return cells != NULL ? ctl_list(c, x->json, cols, COLUMNS, cells, n) : CTL_FAILED;
}

/* Lists the codes; adds those of --file; frees --release ID, with --why. */
static int codes(struct ctl *c, struct db *db, int64_t id, const struct args *x)
{
    size_t added = 0, known = 0;
    struct bytes text = {0};
    struct err err = {0};
    int64_t code;
    enum outcome o;

    if (x->release != NULL) {
        if (!library_id_read(x->release, &code) || x->why == NULL)
            return ctl_wrong("app codes: --release takes the id of a code, and --why a reason");
        o = redemption_release(db, id, code, c->actor, x->why, clock_now(), &err);
        if (o == OK)
            printf("The code is free again.\n");
        return o == OK ? CTL_OK : ctl_failed(&err);
    }
    if (x->file == NULL)
        return codes_list(c, db, id, x);
    o = ctl_file(c, x->file, LIM_MB, &text, &err);
    if (o == OK)
        o = codes_add(db, c->conf, c->arena, id, text, c->actor, clock_now(), &added, &known, &err);
    if (o != OK)
        return ctl_failed(&err);
    printf("%zu codes added, %zu were there already\n", added, known);
    return CTL_OK;
}

static int feedback(struct ctl *c, struct db *db, int64_t id, const struct args *x)
{
    static const struct ctl_column cols[] = {
        {"device", CTL_TEXT}, {"at", CTL_TIME}, {"feedback", CTL_TEXT}};
    struct app_data *f;
    struct err err;
    size_t n;

    if (appdata_feedback(db, id, 0, LIM_PAGE, c->arena, &f, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(c->arena, n * 3 + 1, sizeof *cells);
    for (size_t at = 0; cells != NULL && at < n; at++)
        memcpy(&cells[at * 3],
               (struct val[]){val_str(f[at].ident), ctl_time(f[at].at), val_str(f[at].content)},
               3 * sizeof *cells);
    return cells != NULL ? ctl_list(c, x->json, cols, 3, cells, n) : CTL_FAILED;
}

static int one(struct ctl *c, struct db *db, const char *verb, const char *word,
               const struct args *x)
{
    struct library_item i;
    struct err err;
    js keys = NULL;
    enum outcome o;

    if (strcmp(verb, "add") == 0)
        return put(c, db, 0, strcmp(word, "-") == 0 ? NULL : word, x);
    if (!ctl_item(c, db, word, 1u << LIBRARY_APP, &i))
        return CTL_FAILED;
    if (strcmp(verb, "show") == 0)
        return show(&i);
    if (strcmp(verb, "codes") == 0)
        return codes(c, db, i.id, x);
    if (strcmp(verb, "feedback") == 0)
        return feedback(c, db, i.id, x);
    if (strcmp(verb, "update") == 0)
        return put(c, db, i.id, NULL, x);
    if (strcmp(verb, "set") == 0) {
        o = js_parse(bytes_str(x->settings), &keys, &err);
        if (o == OK)
            o = library_edit(db, c->arena, &i, keys, c->actor, clock_now(), &err);
        js_free(&keys);
        return o == OK ? show(&i) : ctl_failed(&err);
    }
    if (library_delete(db, i.id, c->actor, x->why, clock_now(), &err) != OK)
        return ctl_failed(&err);
    app_sweep(db, c->conf, clock_now());
    printf("%s is deleted.\n", i.name);
    return CTL_OK;
}

int ctl_app(struct ctl *c, int argc, char **argv)
{
    static const struct {
        const char *name;
        int words;
    } verbs[] = {{"list", 1}, {"show", 2},   {"add", 2},   {"update", 2},
                 {"set", 2},  {"remove", 2}, {"codes", 2}, {"feedback", 2}};
    struct args x = {0};
    const char *keys = NULL;
    const struct ctl_option options[] = {
        {.name = "search", .value = &x.search},   {.name = "json", .flag = &x.json},
        {.name = "name", .value = &x.name},       {.name = "settings", .value = &x.settings},
        {.name = "file", .value = &x.file},       {.name = "manifest-url", .value = &x.manifest},
        {.name = "version", .value = &x.version}, {.name = "stage", .flag = &x.stage},
        {.name = "keys", .value = &keys},         {.name = "why", .value = &x.why},
        {.name = "release", .value = &x.release}};
    const char *rest[2];
    size_t v = 0;
    struct db *db;
    int n = ctl_args(argc, argv, options, sizeof options / sizeof *options, rest, 1, 2);

    if (n < 0)
        return CTL_USAGE;
    while (v < sizeof verbs / sizeof *verbs && strcmp(verbs[v].name, rest[0]) != 0)
        v++;
    if (v == sizeof verbs / sizeof *verbs)
        return ctl_wrong("app: there is no \"%s\"", rest[0]);
    if (n != verbs[v].words)
        return ctl_wrong("app %s: %s", rest[0],
                         n < verbs[v].words ? "an argument is missing" : "takes no more");
    if ((strcmp(rest[0], "remove") == 0) != (x.why != NULL && x.release == NULL) ||
        (strcmp(rest[0], "set") == 0) != (keys != NULL) ||
        (x.release != NULL && strcmp(rest[0], "codes") != 0))
        return ctl_wrong("app %s: --why goes with remove and codes --release, --keys with set",
                         rest[0]);
    if (keys != NULL)
        x.settings = keys;
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    return n == 1 ? list(c, db, &x) : one(c, db, rest[0], rest[1], &x);
}
