/* reveal.c: see reveal.h. */
#include "command/reveal.h"

#include "store/audit.h"
#include "store/fleet.h"
#include "wire/sign.h"

enum outcome reveal(struct db *db, const char *actor, const struct reveal *r, struct arena *a,
                    struct buf *secret, int64_t *at, struct err *err)
{
    struct fleet_device d;
    struct bytes sealed;
    const char *detail;
    enum outcome o;

    if (r->reason == NULL || r->reason[0] == '\0' || strlen(r->reason) > REVEAL_REASON_MAX)
        return err_set(err, INVALID, "a reason of at most %d octets must be said",
                       REVEAL_REASON_MAX);
    detail = arena_fmt(a, "kind=%s about=%s reason=%s", r->kind, r->about, r->reason);
    if (detail == NULL)
        return err_set(err, ERROR, "out of memory");
    o = fleet_get(db, r->id, a, &d, err);
    if (o == OK)
        o = fleet_secret(db, d.id, r->kind, r->about, a, &sealed, at, err);
    if (o == OK)
        o = audit_add(db, actor, "secret.reveal", r->id, detail, err);
    return o == OK ? sign_unseal("Secret", r->id, sealed, bytes_of(NULL, 0), "", secret, err) : o;
}
