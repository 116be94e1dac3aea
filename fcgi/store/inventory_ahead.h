/*
 * inventory_ahead.h: what the inventory knows of some devices, read for all of them at once, and
 * the notes of what their reports made of it, written at once. A report by itself would cost five
 * round trips although it changes nothing, as most do not.
 *
 * Belongs to one unit of work: opened at its beginning, closed before its end. What is written
 * meanwhile is seen by the reports that follow in the same unit. inv_before() (inventory.h) gives
 * what was read.
 */
#ifndef DROVER_STORE_INVENTORY_AHEAD_H
#define DROVER_STORE_INVENTORY_AHEAD_H

#include "store/inventory.h"

#define INV_AHEAD_MAX 64 /* devices of one unit */

/* Reads and locks the areas of n enrollments (at most INV_AHEAD_MAX, in any order, some perhaps
 * twice). *out lives in a. ERROR: memory, too many. */
enum outcome inv_ahead_open(struct db *db, const int64_t *enrollment_id, size_t n, struct arena *a,
                            struct inv_ahead **out, struct err *err) MUST_USE;
/* A row of a table with one row for each device has been written. */
void inv_ahead_changed(struct inv_ahead *ahead, int64_t enrollment_id, enum inv_area area);
/* The area is now what this report says. items: how many rows it has. */
enum outcome inv_ahead_note(struct inv_ahead *ahead, struct db *db, const struct inv_table *t,
                            const struct inv_source *s, bool changed, size_t items,
                            struct err *err) MUST_USE;
/* Writes the notes that are still to be written. */
enum outcome inv_ahead_close(struct inv_ahead *ahead, struct db *db, struct err *err) MUST_USE;

#endif
