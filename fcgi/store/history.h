/* history.h: what was, and is kept for a number of days: results with their reports and errors,
 * commands that nobody has any more, changes of the inventory, jobs for many devices that are over.
 */
#ifndef DROVER_STORE_HISTORY_H
#define DROVER_STORE_HISTORY_H

#include "store/db.h"

/* Deletes what is older than `before`, in small transactions, at most max rows of each sort; *n
 * tells how many rows went. A report that still waits to become inventory stays. */
enum outcome history_purge(struct db *db, int64_t before, size_t max, size_t *n,
                           struct err *err) MUST_USE;

#endif
