/* redemption_int.h: what redemption.c and redemption_give.c share. */
#ifndef DROVER_STORE_REDEMPTION_INT_H
#define DROVER_STORE_REDEMPTION_INT_H

#include "store/redemption.h"

/* Inside a unit: locks the app and notes what was done to its codes; action NULL: only locks.
 * NOT_FOUND: the library has no such app. */
enum outcome redemption_noted(struct db *db, int64_t item_id, const char *actor, const char *action,
                              const char *detail, struct arena *a, struct err *err) MUST_USE;

#endif
