/* fill.h: what is personal to a device is put into a command on delivery. */
#ifndef DROVER_COMMAND_FILL_H
#define DROVER_COMMAND_FILL_H

#include "base/buf.h"

/* Adds the command `body` to out with Command.UnlockToken set to the device's own, opened by the
 * signer against the ticket that was made when the command was approved. ident: the enrollment;
 * sealed: its stored UnlockToken, empty when there is none.
 * NOT_FOUND: the device gave no UnlockToken, or the ticket is missing, spent or expired; DENIED:
 * the signer refuses; both for good. UNAVAILABLE: the signer is away. */
enum outcome command_fill_unlock_token(const char *ident, const char *uuid, struct bytes body,
                                       struct bytes sealed, struct bytes ticket, struct buf *out,
                                       struct err *err) MUST_USE;

#endif
