/* profiles.c: see profiles.h. */
#include "library/profiles.h"

#include "base/limits.h"
#include "command/sensitive.h"
#include "command/validate_int.h"
#include "library/config_profile.h"
#include "library/provisioning.h"
#include "store/audit.h"
#include "store/id.h"
#include "wire/encode.h"
#include "wire/seal.h"
#include "wire/sign.h"

#include <stdio.h>

#define PURPOSE "LibraryFile"
#define HALT_PERCENT 25 /* the schema's default */

const char *profile_signing_name(int signing)
{
    static const char *const names[] = {[LIBRARY_AS_UPLOADED] = "uploaded",
                                        [LIBRARY_SIGNED] = "drover",
                                        [LIBRARY_UNSIGNED] = "none"};

    return signing >= LIBRARY_AS_UPLOADED && signing <= LIBRARY_UNSIGNED ? names[signing] : "?";
}

int profile_signing_read(const char *word)
{
    for (int i = LIBRARY_AS_UPLOADED; word != NULL && i <= LIBRARY_UNSIGNED; i++)
        if (strcmp(profile_signing_name(i), word) == 0)
            return i;
    return -1;
}

const char *profile_channel_name(int channel)
{
    static const char *const names[] = {[LIBRARY_CHANNEL_AS_SAID] = "profile",
                                        [LIBRARY_CHANNEL_DEVICE] = "device",
                                        [LIBRARY_CHANNEL_USER] = "user"};

    return channel >= LIBRARY_CHANNEL_AS_SAID && channel <= LIBRARY_CHANNEL_USER ? names[channel]
                                                                                 : "?";
}

int profile_channel_read(const char *word)
{
    for (int i = LIBRARY_CHANNEL_AS_SAID; word != NULL && i <= LIBRARY_CHANNEL_USER; i++)
        if (strcmp(profile_channel_name(i), word) == 0)
            return i;
    return -1;
}

bool profile_for_users(const struct library_item *item)
{
    return item->channel == LIBRARY_CHANNEL_USER ||
           (item->channel == LIBRARY_CHANNEL_AS_SAID && item->current.scope == LIBRARY_SCOPE_USER);
}

static int scope_of(const char *word)
{
    return strcmp(word, "User") == 0     ? LIBRARY_SCOPE_USER
           : strcmp(word, "System") == 0 ? LIBRARY_SCOPE_SYSTEM
                                         : LIBRARY_SCOPE_NONE;
}

static js findings_json(const struct findings *f)
{
    js list = js_array();

    for (size_t i = 0; i < f->n; i++) {
        js o = js_object();

        js_set_str(o, "path", f->list[i].path);
        js_set_str(o, "text", f->list[i].text);
        js_append(list, o);
    }
    return list;
}

static void set_text(js o, const char *key, const char *s)
{
    if (s[0] != '\0')
        js_set_str(o, key, s);
}

/* In the arena. */
static enum outcome details_text(struct arena *a, js *details, const struct findings *f,
                                 const char **out, struct err *err)
{
    struct buf b = BUF_INIT(LIM_MB);

    js_set(*details, "warnings", findings_json(f));
    *out = js_write(*details, false, &b) == OK ? arena_strdup(a, buf_cstr(&b)) : NULL;
    buf_free(&b);
    js_free(details);
    return *out != NULL ? OK : err_set(err, INVALID, "the texts in the file are too long");
}

static enum outcome look_config(struct arena *a, struct bytes file, int64_t now,
                                struct profile_look *out, struct err *err)
{
    struct config_profile c;
    enum outcome o = config_profile_read(a, file, now, &c, err);

    *out = (struct profile_look){.kind = LIBRARY_PROFILE,
                                 .identifier = c.identifier,
                                 .name = c.display_name[0] != '\0' ? c.display_name : c.identifier,
                                 .display_name = c.display_name,
                                 .description = c.description,
                                 .organization = c.organization,
                                 .scope = c.scope,
                                 .uuid = c.uuid,
                                 .signed_by = c.signed_by,
                                 .types = c.types,
                                 .team = "",
                                 .app_id = "",
                                 .variables = c.variables,
                                 .platforms = c.platforms,
                                 .expires_at = c.expires_at,
                                 .encrypted = c.encrypted,
                                 .removal_disallowed = c.removal_disallowed,
                                 .found = c.found};
    return o;
}

static enum outcome look_provisioning(struct arena *a, struct bytes file, int64_t now,
                                      struct profile_look *out, struct err *err)
{
    struct provisioning c;
    enum outcome o = provisioning_read(a, file, now, &c, err);

    *out = (struct profile_look){.kind = LIBRARY_PROVISIONING,
                                 .identifier = c.name,
                                 .name = c.name,
                                 .display_name = "",
                                 .description = "",
                                 .organization = "",
                                 .scope = "",
                                 .uuid = c.uuid,
                                 .signed_by = c.signed_by,
                                 .types = "",
                                 .team = c.team,
                                 .app_id = c.app_id,
                                 .devices = c.devices,
                                 .expires_at = c.expires_at,
                                 .found = c.found};
    for (enum platform i = PLATFORM_IOS; i < PLATFORM__MAX; i++)
        out->platforms |= 1u << i;
    return o;
}

static js details_json(const struct profile_look *x)
{
    js details = js_object();

    if (x->kind == LIBRARY_PROVISIONING) {
        set_text(details, "team", x->team);
        set_text(details, "app_id", x->app_id);
        js_set_int(details, "devices", (int64_t)x->devices);
        return details;
    }
    set_text(details, "display_name", x->display_name);
    set_text(details, "description", x->description);
    set_text(details, "organization", x->organization);
    set_text(details, "scope", x->scope);
    if (x->removal_disallowed)
        js_set_bool(details, "removal_disallowed", true);
    if (x->encrypted)
        js_set_bool(details, "encrypted", true);
    return details;
}

/* Is it a provisioning profile? A configuration profile says so; one without any of the two's marks
 * is told what it lacks as a configuration profile. */
static enum outcome kind_of(struct arena *a, struct bytes file, bool *provisioning, struct err *err)
{
    const char *signed_by;
    struct bytes plist;
    pl root = NULL;
    enum outcome o = config_profile_unwrap(a, file, &plist, &signed_by, err);

    if (o == OK)
        o = pl_parse(plist, &root, err);
    if (o == OK)
        *provisioning = pl_get(root, "PayloadType") == NULL &&
                        pl_get(root, "PayloadContent") == NULL &&
                        (pl_get(root, "Entitlements") != NULL || pl_get(root, "UUID") != NULL);
    pl_free(&root);
    return o;
}

/* A profile replaces the one of its identifier on a device: it must not be the one that manages.
 * What a device tells of itself warns only: one device must not keep the library from a change. */
static enum outcome look_managing(struct db *db, const struct conf *conf, struct arena *a,
                                  struct profile_look *out, struct err *err)
{
    struct check c = {.arena = a, .out = &out->found};
    enum profile_managing which;
    enum outcome o = profile_managing(db, conf, a, out->identifier, &which, err);

    if (o != OK || which == MANAGING_NOT)
        return o;
    check_key(&c, "PayloadIdentifier");
    if (which == MANAGING_TOLD)
        check_warn(&c,
                   "%.128s is the profile by which some devices are managed, as they tell: it "
                   "would take that one's place there; give it another identifier",
                   out->identifier);
    else
        check_error(&c,
                    "%.128s is the enrolment profile of this server: installed, it would take "
                    "that one's place and end management; give it another identifier",
                    out->identifier);
    if (c.failed)
        return err_set(err, ERROR, "out of memory");
    if (which == MANAGING_TOLD)
        return OK;
    for (size_t i = 0; i < out->found.n; i++)
        if (out->found.list[i].error)
            return err_set(err, INVALID, "%s %s", out->found.list[i].path, out->found.list[i].text);
    return err_set(err, INVALID, "the profile has %zu faults", out->found.errors);
}

/* A configuration profile, with what only the site can tell of it. */
static enum outcome look_here(struct db *db, const struct conf *conf, struct arena *a,
                              struct bytes file, int64_t now, struct profile_look *out,
                              struct err *err)
{
    struct err more = {0};
    enum outcome o = look_config(a, file, now, out, err), m;

    if (o == ERROR || out->identifier[0] == '\0')
        return o;
    m = look_managing(db, conf, a, out, &more);
    if (m != OK && (o == OK || m != INVALID)) {
        *err = more;
        return m;
    }
    return o;
}

enum outcome profile_look(struct db *db, const struct conf *conf, struct arena *a,
                          struct bytes file, int64_t now, struct profile_look *out, struct err *err)
{
    bool provisioning = false;
    enum outcome o;

    *out = (struct profile_look){.identifier = "",
                                 .name = "",
                                 .display_name = "",
                                 .description = "",
                                 .organization = "",
                                 .scope = "",
                                 .uuid = "",
                                 .signed_by = "",
                                 .types = "",
                                 .team = "",
                                 .app_id = ""};
    if (file.n == 0 || file.n > LIM_PROFILE)
        return err_set(err, INVALID, "a profile has 1 to %u octets", LIM_PROFILE);
    o = kind_of(a, file, &provisioning, err);
    if (o != OK)
        return o;
    return provisioning ? look_provisioning(a, file, now, out, err)
                        : look_here(db, conf, a, file, now, out, err);
}

/* What the library keeps of what was seen. */
static enum outcome upload_fill(struct arena *a, const struct profile_look *x,
                                struct library_upload *u, struct err *err)
{
    js details = details_json(x);

    u->item.kind = x->kind;
    u->item.identifier = x->identifier;
    u->item.name = x->name;
    u->item.signing =
        x->kind == LIBRARY_PROVISIONING || (x->signed_by[0] != '\0' && x->variables == 0)
            ? LIBRARY_AS_UPLOADED
            : LIBRARY_SIGNED;
    u->item.halt_percent = HALT_PERCENT;
    u->v.uuid = x->uuid;
    u->v.signed_by = x->signed_by;
    u->v.types = x->types;
    u->v.scope = scope_of(x->scope);
    u->v.variables = x->variables;
    u->v.platforms = x->platforms;
    u->v.expires_at = x->expires_at;
    return details_text(a, &details, &x->found, &u->v.details, err);
}

enum outcome profile_seal(const struct conf *conf, struct arena *a, struct bytes file,
                          const char *purpose, int64_t id, struct bytes *out, struct err *err)
{
    struct buf sealed = BUF_INIT(LIM_PROFILE + SEAL_OVERHEAD);
    uint8_t pub[SEAL_KEY_LEN];
    char label[64];
    enum outcome o = seal_public_load(conf->signer_dir, pub, err);

    snprintf(label, sizeof label, "%s:%lld", purpose, (long long)id);
    if (o == OK)
        o = seal_file(pub, label, file, &sealed, err);
    if (o == OK && (*out = arena_bytes(a, buf_bytes(&sealed))).p == NULL)
        o = err_set(err, ERROR, "out of memory");
    buf_free(&sealed);
    return o;
}

enum outcome profile_put(struct db *db, const struct conf *conf, struct arena *a,
                         struct profile_put *p, struct err *err)
{
    struct library_upload u = {.item_id = p->item_id,
                               .stage = p->stage,
                               .base = p->base,
                               .actor = p->actor,
                               .now = p->now};
    struct profile_look look;
    enum outcome o = profile_look(db, conf, a, p->file, p->now, &look, err);

    p->found = look.found;
    if (o == OK)
        o = upload_fill(a, &look, &u, err);
    if (o != OK)
        return o;
    if (p->name != NULL)
        u.item.name = p->name;
    if (p->signing >= 0)
        u.item.signing = p->signing;
    u.v.id = id_new();
    u.v.size = (int64_t)p->file.n;
    sha256(p->file, u.v.sha256);
    o = profile_seal(conf, a, p->file, PURPOSE, u.v.id, &u.content, err);
    if (o == OK)
        o = library_add(db, &u, err);
    p->stored_id = u.v.item_id;
    p->number = u.number;
    p->repeated = u.repeated;
    return o;
}

enum outcome profile_open(int64_t version_id, struct bytes sealed, struct buf *out, struct err *err)
{
    char owner[24];

    snprintf(owner, sizeof owner, "%lld", (long long)version_id);
    return sign_unseal(PURPOSE, owner, sealed, bytes_of(NULL, 0), "", out, err);
}

enum outcome profile_content(struct db *db, struct arena *a, const struct library_item *item,
                             int number, struct buf *out, struct err *err)
{
    struct library_version v;
    struct bytes sealed;
    enum outcome o =
        library_version_get(db, item->id, number > 0 ? number : item->version, a, &v, &sealed, err);

    return o == OK ? profile_open(v.id, sealed, out, err) : o;
}

enum outcome profile_file(struct db *db, struct arena *a, const struct library_item *item,
                          int number, const char *actor, struct buf *out, struct err *err)
{
    const char *subject = arena_fmt(a, "%s:%s", library_kind_name(item->kind), item->identifier);
    enum outcome o = subject != NULL ? audit_add(db, actor, "library.read", subject, NULL, err)
                                     : err_set(err, ERROR, "out of memory");

    return o == OK ? profile_content(db, a, item, number, out, err) : o;
}
