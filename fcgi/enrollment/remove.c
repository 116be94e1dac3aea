/* remove.c: see remove.h. */
#include "enrollment/remove.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/uuid.h"
#include "command/sensitive.h"
#include "enrollment/profile.h"
#include "store/leaving.h"
#include "store/queue.h"
#include "wire/plist.h"

static enum outcome command_make(struct arena *a, const char *identifier, const char *uuid,
                                 struct bytes *out, struct err *err)
{
    struct buf xml = BUF_INIT(16 * LIM_KB);
    pl root = pl_new_dict(), command = pl_new_dict();
    pl_set_str(command, "RequestType", "RemoveProfile");
    pl_set_str(command, "Identifier", identifier);
    pl_set(root, "Command", command);
    pl_set_str(root, "CommandUUID", uuid);
    enum outcome o = pl_to_xml(root, &xml);
    if (o == OK)
        *out = arena_bytes(a, buf_bytes(&xml));
    if (o != OK || !out->p)
        o = err_set(err, ERROR, "the command cannot be written");
    pl_free(&root);
    buf_free(&xml);
    return o;
}

enum outcome enrollment_remove(struct db *db, const struct conf *conf, const char *ident,
                               int64_t wait_us, const char *by, const char *why, struct arena *a,
                               struct err *err)
{
    char uuid[UUID_LEN + 1];
    struct bytes body = {0};
    struct err ignored;
    enum enqueue_outcome outcome;
    int64_t id, now = clock_now();
    const char *identifier = profile_identifier(a, conf->device_url);
    uuid_v4(uuid);
    enum outcome o = identifier ? command_make(a, identifier, uuid, &body, err)
                                : err_set(err, ERROR, "out of memory");
    if (o == OK)
        o = leaving_add(db, ident, uuid, now, now + wait_us, by, why, err);
    if (o != OK)
        return o;
    struct enqueue e = {.uuid = uuid,
                        .request_type = "RemoveProfile",
                        .body = body,
                        .idents = &ident,
                        .n = 1,
                        .actor = by,
                        .push = true,
                        .push_keep_s = conf->apns_expiration_s,
                        .now = now,
                        .outcomes = &outcome,
                        .enrollment_ids = &id};
    o = queue_add(db, &e, err);
    if (o != OK && leaving_drop(db, uuid, &ignored) != OK)
        err_prefix(err, "the decision stands and ends in 401, but the command");
    return o;
}
