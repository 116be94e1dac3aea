/* fill.c: see fill.h. */
#include "command/fill.h"

#include "base/limits.h"
#include "wire/plist.h"
#include "wire/sign.h"

enum outcome command_fill_unlock_token(const char *ident, const char *uuid, struct bytes body,
                                       struct bytes sealed, struct bytes ticket, struct buf *out,
                                       struct err *err)
{
    struct buf token = BUF_INIT(LIM_SECRET);
    pl root = NULL;
    enum outcome o;

    if (sealed.n == 0)
        return err_set(err, NOT_FOUND, "the device has given no UnlockToken");
    if (ticket.n == 0)
        return err_set(err, NOT_FOUND, "the command has no ticket to open the UnlockToken");
    o = sign_unseal("UnlockToken", ident, sealed, ticket, uuid, &token, err);
    if (o == OK)
        o = pl_parse(body, &root, err);
    if (o == OK && pl_type_of(pl_get(root, "Command")) != PL_DICT)
        o = err_set(err, ERROR, "the stored command has no Command dictionary");
    if (o != OK)
        goto out;
    pl_set_data(pl_get(root, "Command"), "UnlockToken", buf_bytes(&token));
    o = pl_to_xml(root, out);
    if (o != OK)
        err_set(err, ERROR, "the command with its UnlockToken is too long");
out:
    pl_free(&root);
    buf_wipe(&token);
    return o;
}
