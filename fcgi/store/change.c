/* change.c: see change.h. */
#include "store/change.h"

#include "store/audit.h"

enum outcome change_do(struct db *db, const struct change *c, struct err *err)
{
    uint64_t rows;
    enum outcome o = db_exec(db, c->sql, c->args, c->nargs, &rows, err);
    if (o == CONFLICT)
        return err_set(err, CONFLICT, "\"%s\": the name, or the key, is taken", c->name);
    if (o == OK && rows == 0)
        return err_set(err, NOT_FOUND, "there is no \"%s\"", c->name);
    return o == OK ? audit_add(db, c->by, c->action, c->name, c->detail, err) : o;
}

static enum outcome change_unit(struct db *db, void *arg, struct err *err)
{
    return change_do(db, arg, err);
}

enum outcome change_run(struct db *db, const struct change *c, struct err *err)
{
    struct change copy = *c;
    return db_unit(db, change_unit, &copy, err);
}
