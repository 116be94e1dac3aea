/* profiles.c: see profiles.h. */
#include "library/profiles.h"

#include "base/limits.h"
#include "library/config_profile.h"
#include "library/provisioning.h"
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

static enum outcome read_config(struct arena *a, struct profile_put *p, struct library_upload *u,
                                struct err *err)
{
    struct config_profile c;
    enum outcome o = config_profile_read(a, p->file, p->now, &c, err);
    js details;

    p->found = c.found;
    if (o != OK)
        return o;
    u->item.kind = LIBRARY_PROFILE;
    u->item.identifier = c.identifier;
    u->item.name = c.display_name[0] != '\0' ? c.display_name : c.identifier;
    u->item.signing =
        c.signed_by[0] != '\0' && c.variables == 0 ? LIBRARY_AS_UPLOADED : LIBRARY_SIGNED;
    u->v.uuid = c.uuid;
    u->v.signed_by = c.signed_by;
    u->v.types = c.types;
    u->v.variables = c.variables;
    u->v.platforms = c.platforms;
    u->v.expires_at = c.expires_at;
    details = js_object();
    set_text(details, "display_name", c.display_name);
    set_text(details, "description", c.description);
    set_text(details, "organization", c.organization);
    set_text(details, "scope", c.scope);
    if (c.removal_disallowed)
        js_set_bool(details, "removal_disallowed", true);
    if (c.encrypted)
        js_set_bool(details, "encrypted", true);
    return details_text(a, &details, &c.found, &u->v.details, err);
}

static enum outcome read_provisioning(struct arena *a, struct profile_put *p,
                                      struct library_upload *u, struct err *err)
{
    struct provisioning c;
    enum outcome o = provisioning_read(a, p->file, p->now, &c, err);
    js details;

    p->found = c.found;
    if (o != OK)
        return o;
    u->item.kind = LIBRARY_PROVISIONING;
    u->item.identifier = u->item.name = c.name;
    u->item.signing = LIBRARY_AS_UPLOADED;
    u->v.uuid = c.uuid;
    u->v.signed_by = c.signed_by;
    u->v.types = "";
    for (enum platform i = PLATFORM_IOS; i < PLATFORM__MAX; i++)
        u->v.platforms |= 1u << i;
    u->v.expires_at = c.expires_at;
    details = js_object();
    set_text(details, "team", c.team);
    set_text(details, "app_id", c.app_id);
    js_set_int(details, "devices", (int64_t)c.devices);
    return details_text(a, &details, &c.found, &u->v.details, err);
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

static enum outcome file_seal(const struct conf *conf, struct arena *a, struct bytes file,
                              int64_t version_id, struct bytes *out, struct err *err)
{
    struct buf sealed = BUF_INIT(LIM_PROFILE + SEAL_OVERHEAD);
    uint8_t pub[SEAL_KEY_LEN];
    char label[64];
    enum outcome o = seal_public_load(conf->signer_dir, pub, err);

    snprintf(label, sizeof label, PURPOSE ":%lld", (long long)version_id);
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
    struct library_upload u = {
        .item_id = p->item_id, .stage = p->stage, .actor = p->actor, .now = p->now};
    bool provisioning = false;
    enum outcome o;

    p->found = (struct findings){0};
    if (p->file.n == 0 || p->file.n > LIM_PROFILE)
        return err_set(err, INVALID, "a profile has 1 to %u octets", LIM_PROFILE);
    o = kind_of(a, p->file, &provisioning, err);
    if (o == OK)
        o = provisioning ? read_provisioning(a, p, &u, err) : read_config(a, p, &u, err);
    if (o != OK)
        return o;
    u.item.halt_percent = HALT_PERCENT;
    if (p->name != NULL)
        u.item.name = p->name;
    if (p->signing >= 0)
        u.item.signing = p->signing;
    u.v.id = id_new();
    u.v.size = (int64_t)p->file.n;
    sha256(p->file, u.v.sha256);
    o = file_seal(conf, a, p->file, u.v.id, &u.content, err);
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
