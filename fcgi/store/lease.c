/* lease.c: see lease.h. Conditional UPDATEs: of two that try at once, one finds its row changed. */
#include "store/lease.h"

#define NOW_US "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"

static const struct sql HOLD = {"lease_hold",
                                "UPDATE lease SET holder = ?, expires_at = " NOW_US
                                " + ? WHERE name = ? "
                                "AND (holder = ? OR expires_at < " NOW_US ")",
                                0};
static const struct sql MAKE = {
    "lease_make", "INSERT IGNORE INTO lease (name, holder, expires_at) VALUES (?, '', 0)", 0};
static const struct sql EXISTS = {"lease_exists", "SELECT 1 FROM lease WHERE name = ?", 0};
static const struct sql RELEASE = {
    "lease_release", "UPDATE lease SET expires_at = 0 WHERE name = ? AND holder = ?", 0};

static enum outcome lease_update(struct db *db, const char *name, const char *holder,
                                 int64_t duration_us, bool *held, struct err *err)
{
    uint64_t hit = 0;
    enum outcome o = db_exec(
        db, &HOLD,
        (struct val[]){val_str(holder), val_int(duration_us), val_str(name), val_str(holder)}, 4,
        &hit, err);
    *held = o == OK && hit > 0;
    return o;
}

enum outcome lease_hold(struct db *db, const char *name, const char *holder, int64_t duration_us,
                        bool *held, struct err *err)
{
    struct rows r;
    enum outcome o = lease_update(db, name, holder, duration_us, held, err);
    if (o != OK || *held)
        return o;
    struct arena *a = arena_new(4096);
    if (!a)
        return err_set(err, ERROR, "lease_hold: out of memory");
    o = db_select(db, &EXISTS, (struct val[]){val_str(name)}, 1, a, &r, err);
    if (o == OK && r.n == 0) {
        o = db_exec(db, &MAKE, (struct val[]){val_str(name)}, 1, NULL, err);
        if (o == OK)
            o = lease_update(db, name, holder, duration_us, held, err);
    }
    arena_free(&a);
    return o;
}

enum outcome lease_release(struct db *db, const char *name, const char *holder, struct err *err)
{
    return db_exec(db, &RELEASE, (struct val[]){val_str(name), val_str(holder)}, 2, NULL, err);
}
