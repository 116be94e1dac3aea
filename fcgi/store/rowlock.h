/* rowlock.h: rows of enrollments that are still as they were read, locked, before a command is
 * queued for them: what changed meanwhile is left out. */
#ifndef DROVER_STORE_ROWLOCK_H
#define DROVER_STORE_ROWLOCK_H

#include "store/db.h"

/* One row as it was read. */
struct rowlock {
    const char *ident;     /* of the enrollment */
    const struct val *key; /* as many as the statement's list takes: first the enrollment's id */
};
/* Locks those of n rows that are still there, by a statement that gives their enrollment ids for a
 * list of keys (width values each), in ascending order. *idents: theirs, in the rows' order; in a.
 * Inside the caller's unit of work. */
enum outcome rowlock_take(struct db *db, const struct sql *lock, const struct rowlock *rows,
                          size_t n, size_t width, struct arena *a, const char ***idents,
                          size_t *nidents, struct err *err) MUST_USE;

#endif
