/* converge_app.c: apps: the command, and how far the device is with it: see converge.h. */
#include "library/converge_int.h"

#include "base/limits.h"
#include "command/build.h"
#include "library/apps.h"
#include "wire/json.h"

#include <stdio.h>

#define ASK_MIN_US MINUTE_US
#define ASK_MAX_US HOUR_US
#define GIVE_UP_US (7 * DAY_US)

enum outcome converge_app_command(struct converge *c, const struct wanted_due *d,
                                  const struct library_version *v, const char *uuid,
                                  struct bytes *out, struct err *err)
{
    struct buf xml = BUF_INIT(LIM_MB);
    struct findings found;
    char ignored[UUID_LEN + 1];
    js keys = NULL;
    pl root = NULL;
    enum outcome o;

    if (d->wanted) {
        o = app_keys(d->identifier, d->settings, v->details, &keys, err);
    } else {
        keys = js_object();
        js_set_str(keys, "Identifier", d->identifier);
        o = OK;
    }
    if (o == OK)
        o = command_build(c->a, d->wanted ? "InstallApplication" : "RemoveApplication", keys, &root,
                          ignored, &found, err);
    if (o == OK) {
        pl_set_str(root, "CommandUUID", uuid);
        o = pl_to_xml(root, &xml);
    }
    *out = o == OK ? arena_bytes(c->a, buf_bytes(&xml)) : bytes_of(NULL, 0);
    if (o == OK && out->p == NULL)
        o = err_set(err, ERROR, "out of memory");
    js_free(&keys);
    pl_free(&root);
    buf_free(&xml);
    return o;
}

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
        {"NeedsRedemption", "it waits for a redemption code (ApplyRedemptionCode)"},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].status, status) == 0)
            return known[i].words;
    return NULL;
}

static enum outcome app_look(struct converge *c, const struct wanted_app *x, int64_t now,
                             struct err *err)
{
    const struct wanted_due *d = &x->due;
    int64_t age = now - x->since, pause = age / 2;
    bool told = x->told_at > x->since;
    const char *why = told ? failure(x->status) : NULL;
    char reason[96];
    enum outcome o;

    c->did++;
    if (told && strcmp(x->status, "Managed") == 0)
        return wanted_note(c->db, &d, 1, WANTED_INSTALLED, now, "", c->a, err);
    if (why != NULL || age > GIVE_UP_US)
        return wanted_note(c->db, &d, 1, WANTED_FAILED, now + converge_backoff(d->attempts),
                           why != NULL ? why : "it was not installed within a week", c->a, err);
    o = converge_command(c, "ManagedApplicationList", d->ident, "converge:ManagedApplicationList",
                         now, err);
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
