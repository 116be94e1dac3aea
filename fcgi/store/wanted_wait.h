/*
 * wanted_wait.h: devices that are to have something for users and on which nobody has logged in
 * yet: no channel takes it, so that no row of device_item can stand for it. For wanted_plan(),
 * which keeps them, and for those who read how far devices are.
 */
#ifndef DROVER_STORE_WANTED_WAIT_H
#define DROVER_STORE_WANTED_WAIT_H

#include "store/wanted.h"

#define WANTED_WAITS_USER "waits until a user logs in"

/* Brings them up to date, at most max of each: of device `only` alone, if that is not 0, or the
 * device of that user. *n: the larger of how many came and how many went. */
enum outcome wanted_waits_plan(struct db *db, int64_t only, int64_t now, size_t max, size_t *n,
                               struct err *err) MUST_USE;

/* What waits on a device (item_id 0), or for an item on devices by id above after, at most max; as
 * rows that are pending. */
enum outcome wanted_waits(struct db *db, const char *ident, int64_t item_id, int64_t after,
                          size_t max, struct arena *a, struct wanted_row **out, size_t *n,
                          struct err *err) MUST_USE;
/* Adds the devices on which an item waits to those where it is pending. */
enum outcome wanted_waits_add(struct db *db, int64_t item_id, struct arena *a,
                              int64_t counts[WANTED__MAX], struct err *err) MUST_USE;

#endif
