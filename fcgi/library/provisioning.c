/* provisioning.c: see provisioning.h. */
#include "library/provisioning.h"

#include "base/limits.h"
#include "command/validate_int.h"
#include "library/config_profile.h"

static const char *copy(struct check *c, const char *s)
{
    char *out = arena_strdup(c->arena, s != NULL ? s : "");

    c->failed |= out == NULL;
    return out != NULL ? out : "";
}

/* A name of 1 to LIM_IDENT octets without control characters. */
static const char *name_read(struct check *c, pl root, const char *key)
{
    const char *s = pl_get_str(root, key);
    size_t was = check_key(c, key), n = s != NULL ? strlen(s) : 0;

    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
            n = 0;
    if (n == 0 || n > LIM_IDENT)
        check_error(c, "must be a string of 1 to %u octets without control characters", LIM_IDENT);
    check_up(c, was);
    return copy(c, n != 0 && n <= LIM_IDENT ? s : "");
}

static void root_read(struct check *c, pl root, int64_t now, struct provisioning *out)
{
    size_t was;
    bool all = false;

    out->uuid = name_read(c, root, "UUID");
    out->name = name_read(c, root, "Name");
    out->team = copy(c, pl_get_str(root, "TeamName"));
    out->app_id = copy(c, pl_get_str(pl_get(root, "Entitlements"), "application-identifier"));
    out->devices = pl_size(pl_get(root, "ProvisionedDevices"));
    was = check_key(c, "ExpirationDate");
    if (!pl_date(pl_get(root, "ExpirationDate"), &out->expires_at))
        check_warn(c, "is missing");
    else if (out->expires_at <= now)
        check_warn(c, "is past: the app does not start with it");
    check_up(c, was);
    if (out->devices > 0)
        check_warn(c, "is limited to %zu devices", out->devices);
    else if (!pl_get_bool(root, "ProvisionsAllDevices", &all) || !all)
        check_warn(c, "does not say that it is for all devices (ProvisionsAllDevices)");
}

enum outcome provisioning_read(struct arena *a, struct bytes file, int64_t now,
                               struct provisioning *out, struct err *err)
{
    struct check c = {.arena = a, .out = &out->found};
    struct bytes plist;
    pl root = NULL;
    enum outcome o;

    *out = (struct provisioning){.uuid = "", .name = "", .team = "", .app_id = ""};
    o = config_profile_unwrap(a, file, &plist, &out->signed_by, err);
    if (o == OK && out->signed_by[0] == '\0')
        o = err_set(err, INVALID, "the file is not signed: no provisioning profile");
    if (o == OK)
        o = pl_parse(plist, &root, err);
    if (o != OK)
        return o;
    if (pl_type_of(root) == PL_DICT)
        root_read(&c, root, now, out);
    else
        check_error(&c, "a provisioning profile is a dictionary");
    pl_free(&root);
    if (c.failed)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < out->found.n; i++)
        if (out->found.list[i].error)
            return err_set(err, INVALID, "%s %s", out->found.list[i].path, out->found.list[i].text);
    return OK;
}
