/* converge_app.c: how far a device is with an app whose command it has taken: see converge.h. */
#include "assets/assets.h"
#include "base/limits.h"
#include "library/converge_int.h"

#include <stdio.h>
#include <string.h>

#define ASK_MIN_US MINUTE_US
#define ASK_MAX_US HOUR_US
#define GIVE_UP_US (7 * DAY_US)
#define FILE_LOOK_US (10 * MINUTE_US)
#define FILE_HASH_MAX (128u * LIM_MB) /* longer files are judged by their size: a turn is short */

/* What a status means that is final, in words; NULL: it is under way. */
static const char *failure(const char *status)
{
    static const struct {
        const char *status, *words;
    } known[] = {
        {"Failed", "the installation failed"},
        {"UserRejected", "the user did not want it"},
        {"UpdateRejected", "the user did not want the update"},
        {"ManagementRejected", "the user did not let it be managed"},
        {"UserInstalledApp", "the user has installed it, so that it is not managed"},
        {"ManagedButUninstalled", "the user has removed it"},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].status, status) == 0)
            return known[i].words;
    return NULL;
}

/* The file of our own that a device could not install, looked at: words, "" when there is nothing
 * wrong with it. A fleet that fails over one file asks once in a while. */
static const char *file_judge(struct converge *c, const struct wanted_due *d, int64_t now)
{
    struct library_version v;
    struct err err = {0};
    js details = NULL;
    const char *file;

    if (c->file.item_id == d->item_id && c->file.version == d->version &&
        now - c->file.at < FILE_LOOK_US)
        return c->file.words;
    c->file.item_id = d->item_id;
    c->file.version = d->version;
    c->file.at = now;
    c->file.words[0] = '\0';
    if (library_version_any(c->db, d->item_id, d->version, c->a, &v, &err) != OK ||
        js_parse(bytes_str(v.details), &details, &err) != OK)
        return "";
    file = js_get_str(details, "file");
    if (file != NULL &&
        asset_check(c->conf, c->a, file, v.size, v.sha256, FILE_HASH_MAX, &err) == CONFLICT)
        snprintf(c->file.words, sizeof c->file.words, "%s", err.msg);
    js_free(&details);
    return c->file.words;
}

static enum outcome ask_state(struct converge *c, const struct wanted_app *x, int64_t now,
                              struct err *err)
{
    return converge_command(c, "ManagedApplicationList", x->due.ident,
                            "converge:ManagedApplicationList", now, err);
}

static enum outcome app_look(struct converge *c, const struct wanted_app *x, int64_t now,
                             struct err *err)
{
    const struct wanted_due *d = &x->due;
    int64_t age = now - x->since, pause = age / 2;
    bool told = x->told_at > x->since;
    const char *why = told ? failure(x->status) : NULL, *file;
    char reason[480];
    enum outcome o;

    c->did++;
    if (told && strcmp(x->status, "Managed") == 0)
        return wanted_note(c->db, &d, 1, WANTED_INSTALLED, now, "", c->a, err);
    if (told && strcmp(x->status, "NeedsRedemption") == 0)
        return ask_state(c, x, now, err) == OK ? converge_redeem(c, x, now, err) : err->outcome;
    if (why != NULL && strcmp(x->status, "Failed") == 0 && (file = file_judge(c, d, now))[0]) {
        snprintf(reason, sizeof reason, "%s: %s", why, file);
        why = reason;
    }
    if (why != NULL || age > GIVE_UP_US)
        return wanted_note(c->db, &d, 1, WANTED_FAILED, now + converge_backoff(d->attempts),
                           why != NULL ? why : "it was not installed within a week", c->a, err);
    o = ask_state(c, x, now, err);
    if (o != OK)
        return o;
    pause = pause < ASK_MIN_US ? ASK_MIN_US : pause > ASK_MAX_US ? ASK_MAX_US : pause;
    snprintf(reason, sizeof reason, "%s", told && x->status[0] ? x->status : "");
    return wanted_note(c->db, &d, 1, WANTED_INSTALLING, now + pause, reason, c->a, err);
}

enum outcome converge_apps(struct converge *c, int64_t now, struct err *err)
{
    struct wanted_app *x = NULL;
    size_t n = 0;
    enum outcome o;

    arena_reset(c->a);
    o = wanted_apps(c->db, now, CONVERGE_SOME, c->a, &x, &n, err);
    for (size_t i = 0; o == OK && i < n; i++)
        o = app_look(c, &x[i], now, err);
    return o;
}
