/* change.h: one statement about a named thing with its audit entry, as one unit of work. */
#ifndef DROVER_STORE_CHANGE_H
#define DROVER_STORE_CHANGE_H

#include "store/db.h"

#define CHANGE_ARGS_MAX 8

struct change {
    const struct sql *sql;
    struct val args[CHANGE_ARGS_MAX];
    size_t nargs;
    const char *by, *action; /* for the audit entry */
    const char *name;        /* its subject, and what messages call the thing */
    const char *detail;      /* NULL: none */
};

/* Runs it in the caller's unit of work. NOT_FOUND: no row was hit; CONFLICT: the name is taken. */
enum outcome change_do(struct db *db, const struct change *c, struct err *err) MUST_USE;
/* The same as a unit of its own. */
enum outcome change_run(struct db *db, const struct change *c, struct err *err) MUST_USE;

#endif
