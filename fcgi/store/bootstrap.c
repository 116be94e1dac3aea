/* bootstrap.c: see bootstrap.h. */
#include "store/bootstrap.h"

static const struct sql SET = {"bootstrap_set", "UPDATE life SET bootstrap_token=? WHERE id=?", 0};
static const struct sql GET = {"bootstrap_get", "SELECT bootstrap_token FROM life WHERE id=?", 0};

enum outcome bootstrap_set(struct db *db, int64_t life_id, struct bytes sealed, struct err *err)
{
    struct val v = sealed.n > 0 ? val_secret(sealed) : val_null();

    return db_exec(db, &SET, (struct val[]){v, val_int(life_id)}, 2, NULL, err);
}

enum outcome bootstrap_get(struct db *db, int64_t life_id, struct arena *a, struct bytes *sealed,
                           struct err *err)
{
    struct val id = val_int(life_id);
    struct rows r;
    enum outcome o = db_select(db, &GET, &id, 1, a, &r, err);

    *sealed = o == OK && r.n > 0 && !val_is_null(row_at(&r, 0, 0)) ? val_bytes(row_at(&r, 0, 0))
                                                                   : bytes_of(NULL, 0);
    return o;
}
