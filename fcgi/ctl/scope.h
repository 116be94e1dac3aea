/* scope.h: what lists of accounts and keys tell of their limits. */
#ifndef DROVER_CTL_SCOPE_H
#define DROVER_CTL_SCOPE_H

#include "ctl/ctl.h"
#include "store/scope.h"

/* "all", "nothing", or the names of the groups that an account or key reaches, with commas; in the
 * arena. */
const char *ctl_reach(struct ctl *c, struct db *db, enum scope_kind kind, const char *name,
                      bool limited);

#endif
