/* deliver_app.h: what is personal to a device in the command of an app, put in when it is
 * delivered.
 */
#ifndef DROVER_LIBRARY_DELIVER_APP_H
#define DROVER_LIBRARY_DELIVER_APP_H

#include "base/conf.h"
#include "store/db.h"

/* Adds the command `body` to out with the redemption code of that id in it (COMMAND_FILL_CODE), or
 * with the variables in Configuration and Attributes filled in, of InstallApplication and of each
 * setting (COMMAND_FILL_VALUES). ident: the enrollment.
 * NOT_FOUND and INVALID: it cannot be made for this device, for good: the code is not its own any
 * more, a variable stands for what is not known; UNAVAILABLE: the signer or the database is away.
 */
enum outcome library_deliver_app(struct db *db, const struct conf *conf, const char *ident,
                                 int fill, int64_t fill_from, struct bytes body, struct buf *out,
                                 struct err *err) MUST_USE;

#endif
