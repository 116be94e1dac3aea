/* config_profile.c: see config_profile.h. */
#include "library/config_profile.h"

#include "base/limits.h"
#include "library/payloads.h"
#include "library/practice.h"
#include "library/variables.h"
#include "wire/cms.h"

#include <stdlib.h>

#define CHAIN_MAX 16
#define DER_SEQUENCE 0x30

enum outcome config_profile_unwrap(struct arena *a, struct bytes file, struct bytes *plist,
                                   const char **signed_by, struct err *err)
{
    struct bytes signer, chain[CHAIN_MAX];
    struct cert_info info;
    size_t n = CHAIN_MAX;
    enum outcome o;

    *signed_by = "";
    *plist = file;
    if (file.n == 0 || file.p[0] != DER_SEQUENCE)
        return OK;
    o = cms_verify_attached(a, file, plist, &signer, chain, &n, err);
    if (o == OK)
        o = cert_info_read(a, signer, &info, err);
    if (o == OK) {
        *signed_by = info.subject[0] != '\0' ? info.subject : "a certificate without a subject";
        return OK;
    }
    err_prefix(err, "the file's signature");
    return o == ERROR ? ERROR : (err->outcome = INVALID);
}

/* A string of 1 to max octets without control characters and variables. "": it is none. */
static const char *name_read(struct check *c, pl dict, const char *key, size_t max)
{
    pl node = pl_get(dict, key);
    const char *s = pl_str(node), *out = "";
    size_t was = check_key(c, key);
    bool clean = true;

    for (const unsigned char *p = (const unsigned char *)s; clean && p != NULL && *p != '\0'; p++)
        clean = *p >= 0x20 && *p != 0x7f;
    if (node == NULL)
        check_error(c, "is missing");
    else if (s == NULL)
        check_error(c, "is of type %s; it must be a string", pl_type_name(pl_type_of(node)));
    else if (s[0] == '\0' || strlen(s) > max || !clean)
        check_error(c, "must have 1 to %zu octets and no control characters", max);
    else if (variables_in(s, NULL, 0) != 0)
        check_error(c, "holds a variable; it must be the same on every device");
    else if ((out = arena_strdup(c->arena, s)) == NULL)
        c->failed = true;
    check_up(c, was);
    return out != NULL ? out : "";
}

static const char *text_read(struct check *c, pl dict, const char *key)
{
    pl node = pl_get(dict, key);
    const char *s = pl_str(node), *copy = s != NULL ? arena_strdup(c->arena, s) : "";
    size_t was = check_key(c, key);

    if (node != NULL && s == NULL)
        check_error(c, "is of type %s; it must be a string", pl_type_name(pl_type_of(node)));
    check_up(c, was);
    c->failed |= copy == NULL;
    return copy != NULL ? copy : "";
}

/* ---- the payloads ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_text_case(const void *a, const void *b)
{
    return strcasecmp(*(const char *const *)a, *(const char *const *)b);
}

static void twins(struct check *c, const char **list, size_t n, const char *key,
                  int (*order)(const void *, const void *))
{
    qsort(list, n, sizeof *list, order);
    for (size_t i = 1; i < n; i++)
        if (list[i][0] != '\0' && order(&list[i - 1], &list[i]) == 0 &&
            (i < 2 || order(&list[i - 2], &list[i]) != 0))
            check_error(c, "%s %.64s stands in several places; each must have its own", key,
                        list[i]);
}

static void type_check(struct check *c, const char *type, struct config_profile *out)
{
    const struct payload_type *t = payload_find(type);
    size_t was = check_key(c, "PayloadType");

    if (t == NULL && type[0] != '\0')
        check_warn(c,
                   "%.64s is not among the types that Apple describes; a Mac takes it as the "
                   "settings of an app of that identifier",
                   type);
    if (t != NULL && (t->flags & PAYLOAD_ENROLMENT))
        check_error(c, "%s: a device has one MDM payload, in the profile it enrolled with", type);
    for (enum platform p = PLATFORM_IOS; t != NULL && p < PLATFORM__MAX; p++)
        if (t->os[p].introduced == 0)
            out->platforms &= ~(1u << p);
    check_up(c, was);
}

/* Everything in a list of payloads that is told of each. */
static void payloads_read(struct check *c, pl list, struct config_profile *out)
{
    size_t n = pl_size(list), room = n + 2;
    const char **uuids = arena_array(c->arena, room, sizeof *uuids);
    const char **idents = arena_array(c->arena, room, sizeof *idents);
    const char **types = arena_array(c->arena, room, sizeof *types);
    struct buf all = BUF_INIT(LIM_MB);

    if (uuids == NULL || idents == NULL || types == NULL) {
        c->failed = true;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        size_t was = check_index(c, i);
        pl payload = pl_at(list, i);

        uuids[i] = idents[i] = types[i] = "";
        if (pl_type_of(payload) == PL_DICT) {
            types[i] = name_read(c, payload, "PayloadType", LIM_IDENT);
            idents[i] = name_read(c, payload, "PayloadIdentifier", LIM_IDENT);
            uuids[i] = name_read(c, payload, "PayloadUUID", LIM_IDENT);
            type_check(c, types[i], out);
        } else {
            check_error(c, "is no dictionary");
        }
        check_up(c, was);
    }
    practice_payloads(c, list, types, n);
    uuids[n] = out->uuid;
    idents[n] = out->identifier;
    twins(c, uuids, n + 1, "PayloadUUID", by_text_case);
    twins(c, idents, n + 1, "PayloadIdentifier", by_text);
    qsort(types, n, sizeof *types, by_text);
    for (size_t i = 0; i < n; i++)
        if (types[i][0] != '\0' && (i == 0 || strcmp(types[i], types[i - 1]) != 0))
            buf_fmt(&all, "%s%s", all.len != 0 ? " " : "", types[i]);
    out->types = arena_strdup(c->arena, buf_cstr(&all));
    c->failed |= buf_failed(&all) || out->types == NULL;
    buf_free(&all);
}

static void content_read(struct check *c, pl root, struct config_profile *out)
{
    pl list = pl_get(root, "PayloadContent");
    struct bytes sealed;
    size_t was;

    out->encrypted = pl_get_data(root, "EncryptedPayloadContent", &sealed);
    if (out->encrypted) {
        check_warn(c, "the payloads are encrypted and cannot be checked");
        return;
    }
    was = check_key(c, "PayloadContent");
    if (pl_type_of(list) != PL_ARRAY)
        check_error(c, "must be an array of payloads");
    else if (pl_size(list) == 0)
        check_warn(c, "has no payloads: the profile does nothing");
    else if (pl_size(list) > CONFIG_PROFILE_PAYLOADS_MAX)
        check_error(c, "has %zu payloads; at most %u are taken", pl_size(list),
                    CONFIG_PROFILE_PAYLOADS_MAX);
    else
        payloads_read(c, list, out);
    check_up(c, was);
}

/* ---- the whole ---- */

static void type_of_profile(struct check *c, pl root)
{
    const char *type = pl_get_str(root, "PayloadType");
    int64_t version;
    size_t was = check_key(c, "PayloadType");

    if (type == NULL || strcmp(type, "Configuration") != 0)
        check_error(c, "must be Configuration");
    check_up(c, was);
    was = check_key(c, "PayloadVersion");
    if (!pl_get_int(root, "PayloadVersion", &version) || version != 1)
        check_warn(c, "should be 1");
    check_up(c, was);
}

static void scope_read(struct check *c, pl root, struct config_profile *out)
{
    size_t was = check_key(c, "PayloadScope");

    out->scope = text_read(c, root, "PayloadScope");
    if (out->scope[0] != '\0' && strcmp(out->scope, "System") != 0 &&
        strcmp(out->scope, "User") != 0) {
        check_error(c, "must be System or User");
        out->scope = "";
    }
    check_up(c, was);
}

static void end_read(struct check *c, pl root, const char *key, int64_t now, int64_t *end)
{
    pl node = pl_get(root, key);
    size_t was = check_key(c, key);
    int64_t t;

    if (node != NULL && !pl_date(node, &t))
        check_error(c, "must be a date");
    else if (node != NULL) {
        if (t <= now)
            check_warn(c, "is past");
        if (*end == 0 || t < *end)
            *end = t;
    }
    check_up(c, was);
}

static void root_read(struct check *c, pl root, int64_t now, struct config_profile *out)
{
    if (pl_type_of(root) != PL_DICT) {
        check_error(c, "a configuration profile is a dictionary, not of type %s",
                    pl_type_name(pl_type_of(root)));
        return;
    }
    type_of_profile(c, root);
    out->identifier = name_read(c, root, "PayloadIdentifier", LIM_IDENT);
    out->uuid = name_read(c, root, "PayloadUUID", LIM_IDENT);
    out->display_name = text_read(c, root, "PayloadDisplayName");
    out->description = text_read(c, root, "PayloadDescription");
    out->organization = text_read(c, root, "PayloadOrganization");
    scope_read(c, root, out);
    end_read(c, root, "PayloadExpirationDate", now, &out->expires_at);
    end_read(c, root, "RemovalDate", now, &out->expires_at);
    pl_get_bool(root, "PayloadRemovalDisallowed", &out->removal_disallowed);
    content_read(c, root, out);
    practice_profile(c, root, out);
    out->variables = variables_used(root);
}

enum outcome config_profile_read(struct arena *a, struct bytes file, int64_t now,
                                 struct config_profile *out, struct err *err)
{
    struct check c = {.arena = a, .out = &out->found};
    pl root = NULL;
    enum outcome o;

    *out = (struct config_profile){.identifier = "",
                                   .uuid = "",
                                   .display_name = "",
                                   .description = "",
                                   .organization = "",
                                   .scope = "",
                                   .types = ""};
    for (enum platform p = PLATFORM_IOS; p < PLATFORM__MAX; p++)
        out->platforms |= 1u << p;
    o = config_profile_unwrap(a, file, &out->plist, &out->signed_by, err);
    if (o == OK)
        o = pl_parse(out->plist, &root, err);
    if (o != OK)
        return o;
    root_read(&c, root, now, out);
    pl_free(&root);
    if (c.failed)
        return err_set(err, ERROR, "out of memory");
    if (out->found.errors == 0)
        return OK;
    for (size_t i = 0; i < out->found.n; i++)
        if (out->found.list[i].error)
            return err_set(err, INVALID, "%s%s%s", out->found.list[i].path,
                           out->found.list[i].path[0] != '\0' ? " " : "", out->found.list[i].text);
    return err_set(err, INVALID, "the profile has %zu faults", out->found.errors);
}

const char *config_profile_refused(struct arena *a, const char *types,
                                   const struct device_facts *facts)
{
    for (const char *p = types; *p != '\0'; p += strspn(p, " ")) {
        size_t n = strcspn(p, " ");
        char *name = arena_strndup(a, p, n);
        const struct payload_type *t = name != NULL ? payload_find(name) : NULL;
        const char *why = t != NULL ? payload_refuses(t, facts) : NULL;

        if (why != NULL)
            return arena_fmt(a, "the payload %s %s", name, why);
        p += n;
    }
    return NULL;
}
