/* bootstrap.c: see bootstrap.h. */
#include "store/bootstrap.h"

static const struct sql SET = {"bootstrap_set", "UPDATE life SET bootstrap_token=? WHERE id=?", 0};
static const struct sql GET = {"bootstrap_get", "SELECT bootstrap_token FROM life WHERE id=?", 0};

struct setting {
    int64_t life_id;
    struct bytes sealed;
    const struct event *event;
};

static enum outcome set_unit(struct db *db, void *arg, struct err *err)
{
    const struct setting *s = arg;
    struct val v = s->sealed.n > 0 ? val_secret(s->sealed) : val_null();
    enum outcome o = db_exec(db, &SET, (struct val[]){v, val_int(s->life_id)}, 2, NULL, err);

    return o == OK && s->event != NULL ? event_add(db, &s->event, 1, err) : o;
}

enum outcome bootstrap_set(struct db *db, int64_t life_id, struct bytes sealed,
                           const struct event *event, struct err *err)
{
    struct setting s = {life_id, sealed, event};

    /* one statement is a transaction by itself */
    return event != NULL ? db_unit(db, set_unit, &s, err) : set_unit(db, &s, err);
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
