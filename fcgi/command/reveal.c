/* reveal.c: see reveal.h. */
#include "command/reveal.h"

#include "store/audit.h"
#include "store/fleet.h"
#include "wire/encode.h"
#include "wire/sign.h"

#include <stdio.h>

/* What a second person is asked about. A name that is too long ends in its digest. */
static void deed_name(const struct reveal *r, char out[CONSENT_DEED_MAX + 1])
{
    char whole[1024], hex[SHA256_HEX_LEN + 1];
    int n = snprintf(whole, sizeof whole, CONSENT_REVEAL " %s%s%s", r->kind,
                     r->about[0] != '\0' ? " " : "", r->about);

    if (n > 0 && n <= (int)CONSENT_DEED_MAX) {
        memcpy(out, whole, (size_t)n + 1);
        return;
    }
    sha256_hex(bytes_str(r->about), hex);
    snprintf(out, CONSENT_DEED_MAX + 1, CONSENT_REVEAL " %.34s %.16s", r->kind, hex);
}

enum outcome reveal(struct db *db, const struct conf *conf, const char *actor, int64_t now,
                    const struct reveal *r, struct arena *a, struct buf *secret, int64_t *at,
                    struct approval *asked, struct err *err)
{
    char name[CONSENT_DEED_MAX + 1];
    struct fleet_device d;
    struct bytes sealed;
    const char *detail;
    enum outcome o;

    if (r->reason == NULL || r->reason[0] == '\0' || strlen(r->reason) > REVEAL_REASON_MAX)
        return err_set(err, INVALID, "a reason of at most %d octets must be said",
                       REVEAL_REASON_MAX);
    o = fleet_get(db, r->id, a, &d, err);
    if (o == OK)
        o = fleet_secret(db, d.id, r->kind, r->about, a, &sealed, at, err);
    if (o != OK)
        return o;
    deed_name(r, name);
    o = consent_deed(db, conf, a, actor, now, name, r->id, r->reason, asked, err);
    if (o != OK || asked->state != APPROVAL_APPROVED)
        return o;
    detail = asked->decided_by[0] != '\0'
                 ? arena_fmt(a, "kind=%s about=%s approved_by=%s reason=%s", r->kind, r->about,
                             asked->decided_by, r->reason)
                 : arena_fmt(a, "kind=%s about=%s reason=%s", r->kind, r->about, r->reason);
    if (detail == NULL)
        return err_set(err, ERROR, "out of memory");
    o = audit_add(db, actor, "secret.reveal", r->id, detail, err);
    return o == OK ? sign_unseal("Secret", r->id, sealed, bytes_of(NULL, 0), "", secret, err) : o;
}
