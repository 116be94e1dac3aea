/* libapps.c: apps, what they are given and leave, and provisioning profiles: commands that change
 * what a device has, and the questions about it. */
#include "libsimdev.h"

#include "base/clock.h"
#include "base/limits.h"
#include "wire/cms.h"
#include <stdlib.h>

static enum answer refuse(pl report, int64_t code, const char *text)
{
    answer_error(report, "MCMDMErrorDomain", code, text);
    return ANS_ERROR;
}

/* ------------------------------------------------------------------ values that are kept */

static void keep(struct plist_octets *k, pl value)
{
    struct buf out = BUF_INIT(LIM_MB);

    free(k->p);
    *k = (struct plist_octets){NULL, 0};
    if (value == NULL)
        return;
    if (pl_to_binary(value, &out) != OK)
        abort();
    k->p = (uint8_t *)out.data;
    k->n = out.len;
}

static pl kept(const struct plist_octets *k)
{
    struct err err;
    pl v = NULL;

    return k->p && pl_parse(bytes_of(k->p, k->n), &v, &err) == OK ? v : NULL;
}

void app_free(struct app **a)
{
    if (!*a)
        return;
    free((*a)->identifier);
    free((*a)->config.p);
    free((*a)->attributes.p);
    free((*a)->version);
    free((*a)->short_version);
    free((*a)->name);
    free((*a)->manifest_url);
    free(*a);
    *a = NULL;
}

/* ------------------------------------------------------------------ installing and removing */

struct app **app_place(struct simdev *d, const char *identifier)
{
    struct app **a = &d->apps;
    while (*a && strcmp((*a)->identifier, identifier) != 0)
        a = &(*a)->next;
    return a;
}

static struct app *app_make(struct simdev *d, const char *identifier)
{
    struct app **place = app_place(d, identifier);

    if (!*place) {
        *place = calloc(1, sizeof **place);
        if (!*place || !((*place)->identifier = strdup(identifier)))
            abort();
    }
    return *place;
}

/* A Mac says no more than "Other". */
static enum answer reject(const struct simdev *d, pl report, const char *reason, int64_t code,
                          const char *text)
{
    pl_set_str(report, "RejectionReason", d->hw.kind == HW_MAC ? "Other" : reason);
    return refuse(report, code, text);
}

enum answer app_reject(const struct simdev *d, pl report, int64_t code, const char *text)
{
    if (d->hw.kind == HW_MAC)
        pl_set_str(report, "RejectionReason", "Other");
    return refuse(report, code, text);
}

const struct own_app *app_own(size_t i)
{
    static const struct own_app own[] = {{"com.example.notes", "Notes"},
                                         {"com.example.weather", "Weather"},
                                         {"org.example.reader", "Reader"}};
    return i < sizeof own / sizeof own[0] ? &own[i] : NULL;
}

static bool is_own(const char *identifier)
{
    for (size_t i = 0; app_own(i); i++)
        if (strcmp(app_own(i)->identifier, identifier) == 0)
            return true;
    return false;
}

/* Paid apps wait for a code; the simulated store has one such family. */
static bool is_paid(const char *identifier)
{
    return strncmp(identifier, "com.example.paid", 16) == 0;
}

/* Some have an update in the store as soon as they are installed, and some the user has bought. */
static bool has_update(const char *identifier)
{
    return strncmp(identifier, "com.example.update", 18) == 0;
}

static bool is_bought(const char *identifier)
{
    return strncmp(identifier, "com.example.paid.bought", 23) == 0;
}

static char *copy(const char *s)
{
    char *d = strdup(s);
    if (!d)
        abort();
    return d;
}

static void replace(char **at, const char *s)
{
    free(*at);
    *at = s ? copy(s) : NULL;
}

void app_is_there(struct app *a, const char *version, const char *short_version, const char *name,
                  int64_t size)
{
    a->there = true;
    a->state[0] = '\0';
    a->size = size;
    replace(&a->version, version);
    replace(&a->short_version, short_version);
    replace(&a->name, name);
    replace(&a->manifest_url, NULL);
}

static void app_drop(struct app **place)
{
    struct app *gone = *place;
    *place = gone->next;
    app_free(&gone);
}

void app_failed(struct simdev *d, const char *identifier)
{
    struct app **place = app_place(d, identifier), *a = *place;
    if (!a)
        return;
    replace(&a->manifest_url, NULL);
    if (!a->managed && !a->there)
        app_drop(place);
    else
        snprintf(a->state, sizeof a->state, "Failed");
}

/* 0, or the refusal of a command for an app that is there: only a newer one is installed. */
static enum answer install_again(const struct simdev *d, const char *identifier,
                                 const struct app *a, pl command, pl report, bool manifest)
{
    const char *change = pl_get_str(command, "ChangeManagementState");
    if ((a && a->waits) || install_under_way(d, identifier))
        return reject(d, report, "AppAlreadyQueued", 12026, "It waits already.");
    if (a && a->managed && !a->updates && !manifest)
        return reject(d, report, "AppAlreadyInstalled", 12025, "The app is already installed.");
    if (!a && is_own(identifier) && d->hw.kind != HW_MAC && !change)
        return reject(d, report, "AppAlreadyInstalled", 12025, "The user has installed the app.");
    return ANS_ACKNOWLEDGED;
}

/* On a Mac it is to be asked for, elsewhere to be declined. */
static bool is_to_be_managed(const struct simdev *d, pl command)
{
    cat row = catalogue_path(catalogue_find("InstallApplication"), "InstallAsManaged");
    bool yes = false, no = false;
    if (simdev_has(d, row))
        pl_get_bool(command, "InstallAsManaged", &yes);
    pl_get_bool(pl_get(command, "Options"), "NotManaged", &no);
    return d->hw.kind == HW_MAC ? yes : !no;
}

static const char *state_now(const struct simdev *d, const struct app *a)
{
    if (a->waits)
        return "NeedsRedemption";
    if (a->there && a->manifest_url)
        return d->hw.supervised ? "Updating" : "PromptingForUpdate";
    return d->hw.supervised ? "Installing" : "Prompting";
}

enum answer app_accept(struct simdev *d, const char *identifier, pl command, pl report,
                       const char *manifest_url)
{
    struct app *a = *app_place(d, identifier);
    enum answer refused = install_again(d, identifier, a, command, report, manifest_url != NULL);
    if (refused != ANS_ACKNOWLEDGED)
        return refused;
    a = app_make(d, identifier);
    a->updates = !a->managed && has_update(identifier);
    a->waits = !a->managed && is_paid(identifier);
    a->managed = is_to_be_managed(d, command);
    a->flags = 0;
    pl_get_int(command, "ManagementFlags", &a->flags);
    keep(&a->config, pl_get(command, "Configuration"));
    keep(&a->attributes, pl_get(command, "Attributes"));
    replace(&a->manifest_url, manifest_url);
    pl_set_str(report, "Identifier", identifier);
    pl_set_str(report, "State", state_now(d, a));
    if (manifest_url)
        snprintf(a->state, sizeof a->state, "%s", a->there ? "Updating" : "Installing");
    else if (!a->waits)
        a->there = true;
    return ANS_ACKNOWLEDGED;
}

enum answer app_install(struct simdev *d, unsigned channel, pl command, pl report)
{
    const char *identifier = pl_get_str(command, "Identifier");
    const char *manifest = pl_get_str(command, "ManifestURL");
    int64_t store_id = 0;
    char made_up[64];
    (void)channel;
    bool by_id = pl_get_int(command, "iTunesStoreID", &store_id);
    if ((identifier != NULL) + (manifest != NULL) + by_id != 1)
        return ANS_FORMAT_ERROR;
    if (manifest && strncmp(manifest, "https:", 6) != 0)
        return app_reject(d, report, 12034, "The manifest's URL is not https.");
    if (manifest)
        return install_begin(d, command, report, d->cut_download);
    snprintf(made_up, sizeof made_up, "com.example.store%lld", (long long)store_id);
    return app_accept(d, identifier ? identifier : made_up, command, report, NULL);
}

/* A manifest in the command itself is judged as one that was fetched. */
enum answer app_install_enterprise(struct simdev *d, unsigned channel, pl command, pl report)
{
    const char *url = pl_get_str(command, "ManifestURL");
    (void)channel;
    if (!url && !pl_get(command, "Manifest"))
        return ANS_FORMAT_ERROR;
    if (url && strncmp(url, "https:", 6) != 0)
        return app_reject(d, report, 12034, "The manifest's URL is not https.");
    return install_begin(d, command, report, d->cut_download);
}

enum answer app_redeem(struct simdev *d, unsigned channel, pl command, pl report)
{
    const char *identifier = pl_get_str(command, "Identifier");
    const char *code = pl_get_str(command, "RedemptionCode");
    (void)channel;
    if (!identifier || !code)
        return ANS_FORMAT_ERROR;
    struct app *a = *app_place(d, identifier);
    if (!a || !a->waits)
        return refuse(report, 12028, "The app does not wait for a code.");
    if (strlen(code) < 4 || strncmp(code, "BAD", 3) == 0)
        return refuse(report, 12037, "The code is not valid.");
    a->waits = false;
    a->there = true;
    if (is_bought(identifier))
        snprintf(a->unused, sizeof a->unused, "%s", code);
    return ANS_ACKNOWLEDGED;
}

enum answer app_remove(struct simdev *d, unsigned channel, pl command, pl report)
{
    const char *identifier = pl_get_str(command, "Identifier");
    (void)channel;
    if (!identifier)
        return ANS_FORMAT_ERROR;
    struct app **place = app_place(d, identifier), *gone = *place;
    if (!gone || !gone->managed)
        return refuse(report, 12029, "The app is not managed.");
    install_abandon(d, identifier);
    app_drop(place);
    pl_set_str(report, "Identifier", identifier);
    return ANS_ACKNOWLEDGED;
}

/* ------------------------------------------------------------------ what apps have */

/* What is told once only is over when it was told. */
static void told(struct simdev *d, const char *identifier)
{
    struct app **place = app_place(d, identifier);
    if (strcmp((*place)->state, "Failed") != 0)
        return;
    (*place)->state[0] = '\0';
    if (!(*place)->there)
        app_drop(place);
}

static bool asked(pl command, const char *identifier)
{
    pl list = pl_get(command, "Identifiers");
    for (size_t i = 0; i < pl_size(list); i++) {
        const char *s = pl_str(pl_at(list, i));
        if (s && strcmp(s, identifier) == 0)
            return true;
    }
    return list == NULL;
}

enum answer app_list_managed(struct simdev *d, unsigned channel, pl command, pl report)
{
    pl all = pl_new_dict();
    (void)channel;
    for (struct app *a = d->apps, *next; a; a = next) {
        next = a->next;
        if (!a->managed || !asked(command, a->identifier))
            continue;
        pl one = pl_new_dict();
        pl_set_str(one, "Status",
                   a->waits      ? "NeedsRedemption"
                   : a->state[0] ? a->state
                                 : "Managed");
        pl_set_int(one, "ManagementFlags", a->flags);
        if (a->unused[0])
            pl_set_str(one, "UnusedRedemptionCode", a->unused);
        a->unused[0] = '\0';
        pl_set_bool(one, "HasConfiguration", a->config.p != NULL);
        pl_set_bool(one, "HasFeedback", a->config.p != NULL && !a->told_feedback);
        pl_set(all, a->identifier, one);
        told(d, a->identifier);
    }
    pl_set(report, "ManagedApplicationList", all);
    return ANS_ACKNOWLEDGED;
}

static enum answer tell_data(struct simdev *d, pl command, pl report, const char *list_key,
                             const char *key, int which)
{
    pl list = pl_new_array();

    for (struct app *a = d->apps; a; a = a->next) {
        pl value, one;
        if (!a->managed || !asked(command, a->identifier))
            continue;
        value = which == 2 ? kept(&a->attributes) : kept(&a->config);
        if (!value || (which == 3 && a->told_feedback)) {
            pl_free(&value);
            continue;
        }
        if (which == 3) { /* the app says which keys it has seen */
            pl seen = pl_new_dict();
            pl_set_int(seen, "keys", (int64_t)pl_size(value));
            pl_get_bool(command, "DeleteFeedback", &a->told_feedback);
            pl_free(&value);
            value = seen;
        }
        one = pl_new_dict();
        pl_set_str(one, "Identifier", a->identifier);
        pl_set(one, key, value);
        pl_append(list, one);
    }
    pl_set(report, list_key, list);
    return ANS_ACKNOWLEDGED;
}

enum answer app_configuration(struct simdev *d, unsigned channel, pl command, pl report)
{
    (void)channel;
    return tell_data(d, command, report, "ApplicationConfigurations", "Configuration", 1);
}

enum answer app_attributes(struct simdev *d, unsigned channel, pl command, pl report)
{
    (void)channel;
    return tell_data(d, command, report, "ApplicationAttributes", "Attributes", 2);
}

enum answer app_feedback(struct simdev *d, unsigned channel, pl command, pl report)
{
    (void)channel;
    return tell_data(d, command, report, "ManagedApplicationFeedback", "Feedback", 3);
}

bool app_set(struct simdev *d, pl setting)
{
    const char *item = pl_get_str(setting, "Item"), *id = pl_get_str(setting, "Identifier");
    struct app *a = id ? *app_place(d, id) : NULL;

    if (!a || !a->managed)
        return false;
    a->told_feedback = false; /* it has something new to say */
    if (strcmp(item, "ApplicationConfiguration") == 0)
        keep(&a->config, pl_get(setting, "Configuration"));
    else
        keep(&a->attributes, pl_get(setting, "Attributes"));
    return true;
}

/* ------------------------------------------------------------------ provisioning profiles */

/* A provisioning profile is a property list, signed or not. */
static pl provisioning_read(struct bytes payload)
{
    struct arena *a = arena_new(4 * LIM_MB);
    struct err err;
    pl root = NULL;
    struct bytes content = payload, signer, chain[8];
    size_t n = sizeof chain / sizeof chain[0];

    if (a && cms_verify_attached(a, payload, &content, &signer, chain, &n, &err) != OK)
        content = payload;
    if (!a || pl_parse(content, &root, &err) != OK)
        root = NULL;
    arena_free(&a);
    return root;
}

static struct installed **provisioning_place(struct simdev *d, const char *uuid)
{
    struct installed **p = &d->provisioning;
    while (*p && strcmp((*p)->identifier, uuid) != 0)
        p = &(*p)->next;
    return p;
}

enum answer provisioning_install(struct simdev *d, unsigned channel, pl command, pl report)
{
    struct bytes payload;
    pl root;
    const char *uuid;
    (void)channel;
    if (!pl_get_data(command, "ProvisioningProfile", &payload))
        return ANS_FORMAT_ERROR;
    root = provisioning_read(payload);
    uuid = pl_get_str(root, "UUID");
    if (!uuid) {
        pl_free(&root);
        answer_error(report, "MCProvisioningProfileErrorDomain", 25000, "Bad profile.");
        return ANS_ERROR;
    }
    struct installed **place = provisioning_place(d, uuid);
    if (!*place) {
        struct buf out = BUF_INIT(LIM_MB);
        pl one = pl_new_dict();
        pl_set_str(one, "Name", pl_get_str(root, "Name") ? pl_get_str(root, "Name") : uuid);
        pl_set_str(one, "UUID", uuid);
        pl_set(one, "ExpiryDate",
               pl_new_date((clock_now() + 365 * DAY_US) / SECOND_US * SECOND_US));
        if (!(*place = calloc(1, sizeof **place)) || pl_to_binary(one, &out) != OK)
            abort();
        (*place)->identifier = strdup(uuid);
        (*place)->summary = (uint8_t *)out.data;
        (*place)->n = out.len;
        pl_free(&one);
    }
    pl_free(&root);
    return ANS_ACKNOWLEDGED;
}

enum answer provisioning_remove(struct simdev *d, unsigned channel, pl command, pl report)
{
    const char *uuid = pl_get_str(command, "UUID");
    (void)channel;
    if (!uuid)
        return ANS_FORMAT_ERROR;
    struct installed **place = provisioning_place(d, uuid), *gone = *place;
    if (!gone)
        return refuse(report, 12014, "The provisioning profile is not managed.");
    *place = gone->next;
    free(gone->identifier);
    free(gone->summary);
    free(gone);
    return ANS_ACKNOWLEDGED;
}

enum answer provisioning_list(struct simdev *d, unsigned channel, pl command, pl report)
{
    pl list = pl_new_array();
    (void)channel;
    (void)command;
    for (struct installed *p = d->provisioning; p; p = p->next) {
        struct err err;
        pl one = NULL;
        if (pl_parse(bytes_of(p->summary, p->n), &one, &err) == OK)
            pl_append(list, one);
    }
    pl_set(report, "ProvisioningProfileList", list);
    return ANS_ACKNOWLEDGED;
}
