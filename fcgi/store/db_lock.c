/* db_lock.c: locks by name, which the server keeps for a connection: see db.h. */
#include "store/db.h"

#include "base/limits.h"
#include "store/db_int.h"

/* A lock's name belongs to the whole server and has 64 characters at most. */
static const struct sql LOCK = {
    .name = "lock",
    .text = "SELECT GET_LOCK(CONCAT('drover-', SHA1(CONCAT(DATABASE(), '.', ?))), ?)"};
static const struct sql UNLOCK = {
    .name = "unlock",
    .text = "SELECT RELEASE_LOCK(CONCAT('drover-', SHA1(CONCAT(DATABASE(), '.', ?))))"};

enum outcome db_lock(struct db *db, const char *name, int64_t wait_s, struct err *err)
{
    struct arena *a = arena_new(LIM_KB);
    struct rows r;
    if (!a)
        return err_set(err, ERROR, "out of memory");
    enum outcome o =
        db_select(db, &LOCK, (struct val[]){val_str(name), val_int(wait_s)}, 2, a, &r, err);
    if (o == OK && (r.n != 1 || row_at(&r, 0, 0)->i != 1))
        o = err_set(err, CONFLICT, "somebody else has held the lock \"%s\" for %lld s", name,
                    (long long)wait_s);
    db->locked = o == OK;
    arena_free(&a);
    return o;
}

void db_unlock(struct db *db, const char *name)
{
    struct arena *a = arena_new(LIM_KB);
    struct rows r;
    struct err e;
    if (db->locked && db->my && a &&
        db_select(db, &UNLOCK, (struct val[]){val_str(name)}, 1, a, &r, &e) != OK)
        db_conn_close(db); /* and the lock goes with the connection */
    db->locked = false;
    arena_free(&a);
}
