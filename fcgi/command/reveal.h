/* reveal.h: a secret that a device told, or was given, is opened for a named caller with a reason.
 */
#ifndef DROVER_COMMAND_REVEAL_H
#define DROVER_COMMAND_REVEAL_H

#include "base/buf.h"
#include "command/consent.h"

#define REVEAL_REASON_MAX 255

struct reveal {
    const char *id;     /* of the enrollment */
    const char *kind;   /* as the inventory lists it: ActivationLockBypassCode */
    const char *about;  /* the app, where it is one app's; "" */
    const char *reason; /* 1 to REVEAL_REASON_MAX octets */
};
/* Opens it into secret, which is the caller's to wipe; it is on record before it is told. *at: when
 * it was told or set. Where [command] approval asks for a second person, asked->state is
 * APPROVAL_WAITS until that has approved, and nothing is opened. INVALID: no reason, or a longer
 * one; NOT_FOUND. */
enum outcome reveal(struct db *db, const struct conf *conf, const char *actor, int64_t now,
                    const struct reveal *r, struct arena *a, struct buf *secret, int64_t *at,
                    struct approval *asked, struct err *err) MUST_USE;

#endif
