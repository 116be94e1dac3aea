/* converge_send.c: the commands that bring an item to a device or take it away, and those that are
 * about no item: see converge.h. */
#include "library/converge_int.h"

#include "base/limits.h"
#include "base/uuid.h"
#include "command/build.h"
#include "library/apps.h"
#include "wire/json.h"
#include "wire/plist.h"

static void keys_set(pl command, const struct wanted_due *d, const struct library_version *v)
{
    if (d->wanted)
        return; /* the file is filled in on delivery */
    pl_set_str(command, d->kind == LIBRARY_PROFILE ? "Identifier" : "UUID",
               d->kind == LIBRARY_PROFILE ? d->identifier : v->uuid);
}

const char *converge_request_type(const struct wanted_due *d)
{
    if (d->kind == LIBRARY_APP)
        return d->tell != 0 ? "Settings" : d->wanted ? "InstallApplication" : "RemoveApplication";
    if (d->kind == LIBRARY_PROVISIONING)
        return d->wanted ? "InstallProvisioningProfile" : "RemoveProvisioningProfile";
    return d->wanted ? "InstallProfile" : "RemoveProfile";
}

/* The property list, in the arena. */
static enum outcome command_text(struct converge *c, const char *request_type, const char *uuid,
                                 const struct wanted_due *d, const struct library_version *v,
                                 struct bytes *out, struct err *err)
{
    struct buf xml = BUF_INIT(LIM_MB);
    pl root = pl_new_dict(), command = pl_new_dict();
    enum outcome o;

    pl_set_str(command, "RequestType", request_type);
    if (d != NULL)
        keys_set(command, d, v);
    pl_set(root, "Command", command);
    pl_set_str(root, "CommandUUID", uuid);
    o = pl_to_xml(root, &xml);
    *out = o == OK ? arena_bytes(c->a, buf_bytes(&xml)) : bytes_of(NULL, 0);
    pl_free(&root);
    buf_free(&xml);
    return out->p != NULL ? OK : err_set(err, ERROR, "the command cannot be written");
}

enum outcome converge_keys_command(struct converge *c, const char *request_type, js keys,
                                   const char *uuid, struct bytes *out, struct err *err)
{
    struct buf xml = BUF_INIT(LIM_MB);
    struct findings found;
    char ignored[UUID_LEN + 1];
    pl root = NULL;
    enum outcome o = command_build(c->a, request_type, keys, &root, ignored, &found, err);

    if (o == OK) {
        pl_set_str(root, "CommandUUID", uuid);
        o = pl_to_xml(root, &xml);
    }
    *out = o == OK ? arena_bytes(c->a, buf_bytes(&xml)) : bytes_of(NULL, 0);
    if (o == OK && out->p == NULL)
        o = err_set(err, ERROR, "out of memory");
    pl_free(&root);
    buf_free(&xml);
    return o;
}

static enum outcome app_command(struct converge *c, const struct wanted_due *d,
                                const struct library_version *v, const char *uuid,
                                struct bytes *out, struct err *err)
{
    js keys = NULL;
    enum outcome o = OK;

    if (d->tell != 0) {
        o = app_settings_keys(d->identifier, d->settings, d->tell & WANTED_TELL_CONFIGURATION,
                              d->tell & WANTED_TELL_ATTRIBUTES, &keys, err);
    } else if (d->wanted) {
        o = app_keys(d->identifier, d->settings, v->details, &keys, err);
    } else {
        keys = js_object();
        js_set_str(keys, "Identifier", d->identifier);
    }
    if (o == OK)
        o = converge_keys_command(c, converge_request_type(d), keys, uuid, out, err);
    js_free(&keys);
    return o;
}

enum outcome converge_item_command(struct converge *c, const struct wanted_due *d,
                                   const struct library_version *v, const char *uuid,
                                   struct bytes *out, struct err *err)
{
    return d->kind == LIBRARY_APP ? app_command(c, d, v, uuid, out, err)
                                  : command_text(c, converge_request_type(d), uuid, d, v, out, err);
}

enum outcome converge_command(struct converge *c, const char *request_type, const char *ident,
                              const char *dedupe_key, int64_t now, struct err *err)
{
    enum enqueue_outcome outcome;
    char uuid[UUID_LEN + 1];
    struct bytes body;
    int64_t id;
    enum outcome o;

    uuid_v4(uuid);
    o = command_text(c, request_type, uuid, NULL, NULL, &body, err);
    struct enqueue e = {.uuid = uuid,
                        .request_type = request_type,
                        .body = body,
                        .idents = &ident,
                        .n = 1,
                        .dedupe_key = dedupe_key,
                        .actor = CONVERGE_ACTOR,
                        .push = true,
                        .push_keep_s = c->conf->apns_expiration_s,
                        .now = now,
                        .outcomes = &outcome,
                        .enrollment_ids = &id};
    if (o == OK)
        o = queue_add(c->db, &e, err);
    return o == NOT_FOUND ? OK : o; /* it left, or has such a command already */
}
