/* choice.c: see choice.h. */
#include "store/choice.h"

#include "base/limits.h"
#include "store/id.h"

static const struct sql GET = {"choice_get",
                               "SELECT value FROM admin_choice WHERE admin = ? AND what = ?", 0};
static const struct sql SET = {"choice_set",
                               "INSERT INTO admin_choice (admin, what, value) VALUES (?,?,?) "
                               "ON DUPLICATE KEY UPDATE value = VALUES(value)",
                               0};
static const struct sql FILTERS = {
    "saved_filter_list",
    "(SELECT id, owner, name, query, shared FROM saved_filter WHERE owner = ?) UNION (SELECT id, "
    "owner, name, query, shared FROM saved_filter WHERE shared = 1 ORDER BY name LIMIT ?) "
    "ORDER BY name, id LIMIT ?",
    0};
static const struct sql COUNT = {
    "saved_filter_count", "SELECT COUNT(*) FROM saved_filter WHERE owner = ? AND name <> ?", 0};
static const struct sql PUT = {
    "saved_filter_put",
    "INSERT INTO saved_filter (id, owner, name, query, shared, saved_at) VALUES (?,?,?,?,?,?) "
    "ON DUPLICATE KEY UPDATE query = VALUES(query), shared = VALUES(shared), "
    "saved_at = VALUES(saved_at)",
    0};
static const struct sql DROP = {"saved_filter_drop",
                                "DELETE FROM saved_filter WHERE id = ? AND owner = ?", 0};

enum outcome choice_get(struct db *db, const char *admin, const char *what, struct arena *a,
                        const char **value, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &GET, (struct val[]){val_str(admin), val_str(what)}, 2, a, &r, err);

    *value = o == OK && r.n > 0 ? row_at(&r, 0, 0)->s : "";
    return o;
}

enum outcome choice_set(struct db *db, const char *admin, const char *what, const char *value,
                        struct err *err)
{
    if (strlen(value) > utf8_prefix(value, CHOICE_VALUE_MAX))
        return err_set(err, INVALID, "that is too much to be kept");
    return db_exec(db, &SET, (struct val[]){val_str(admin), val_str(what), val_str(value)}, 3, NULL,
                   err);
}

enum outcome saved_filter_list(struct db *db, const char *admin, struct arena *a,
                               struct saved_filter **out, size_t *n, struct err *err)
{
    struct val args[] = {val_str(admin), val_int(LIM_PAGE), val_int(LIM_PAGE)};
    struct rows r;
    enum outcome o = db_select(db, &FILTERS, args, 3, a, &r, err);

    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n) {
        const struct val *v = row_at(&r, *n, 0);

        (*out)[*n] = (struct saved_filter){v[0].i, v[1].s, v[2].s, v[3].s, v[4].i != 0};
    }
    return OK;
}

struct put {
    const struct saved_filter *f;
    int64_t now;
};

static enum outcome put_unit(struct db *db, void *arg, struct err *err)
{
    const struct put *x = arg;
    const struct saved_filter *f = x->f;
    struct arena *a = arena_new(LIM_MB);
    struct rows r;
    enum outcome o =
        a != NULL ? db_select(db, &COUNT, (struct val[]){val_str(f->owner), val_str(f->name)}, 2, a,
                              &r, err)
                  : err_set(err, ERROR, "out of memory");

    if (o == OK && row_at(&r, 0, 0)->i >= FILTERS_MAX)
        o = err_set(err, INVALID, "an account saves at most %d filters; delete one first",
                    FILTERS_MAX);
    arena_free(&a);
    if (o != OK)
        return o;
    return db_exec(db, &PUT,
                   (struct val[]){val_int(id_new()), val_str(f->owner), val_str(f->name),
                                  val_str(f->query), val_int(f->shared), val_int(x->now)},
                   6, NULL, err);
}

enum outcome saved_filter_put(struct db *db, const struct saved_filter *f, int64_t now,
                              struct err *err)
{
    struct put x = {f, now};

    if (*f->name == '\0' || strlen(f->name) > utf8_prefix(f->name, FILTER_NAME_MAX))
        return err_set(err, INVALID, "a saved filter has a name of 1 to %d characters",
                       FILTER_NAME_MAX);
    if (strlen(f->query) > utf8_prefix(f->query, FILTER_QUERY_MAX))
        return err_set(err, INVALID, "the filter is too long to be saved");
    return db_unit(db, put_unit, &x, err);
}

enum outcome saved_filter_drop(struct db *db, const char *admin, int64_t id, struct err *err)
{
    uint64_t n = 0;
    enum outcome o = db_exec(db, &DROP, (struct val[]){val_int(id), val_str(admin)}, 2, &n, err);

    return o == OK && n == 0 ? err_set(err, NOT_FOUND, "you have no such saved filter") : o;
}
