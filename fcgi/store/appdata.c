/* appdata.c: see appdata.h. */
#include "store/appdata.h"

#include "base/limits.h"

/* The devices are those that have the app, or had it, by the library. */
static const struct sql FEEDBACK = {
    "appdata_feedback",
    "SELECT f.enrollment_id, f.at, e.ident, e.serial, e.device_name, f.content FROM library_item i "
    "JOIN device_item d ON d.item_id = i.id JOIN inv_app_data f ON f.enrollment_id = "
    "d.enrollment_id AND f.identifier = i.identifier AND f.kind = 3 JOIN enrollment e ON e.id = "
    "d.enrollment_id WHERE i.id = ? AND d.enrollment_id > ? AND f.content <> 'null' AND "
    "%SCOPE d.enrollment_id% ORDER BY d.enrollment_id LIMIT ?",
    0};

enum outcome appdata_feedback(struct db *db, int64_t item_id, int64_t after, size_t max,
                              struct arena *a, struct app_data **out, size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &FEEDBACK,
                               (struct val[]){val_int(item_id), val_int(after),
                                              val_int(max < LIM_PAGE ? (int64_t)max : LIM_PAGE)},
                               3, a, &r, err);

    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n) {
        const struct val *v = row_at(&r, *n, 0);

        (*out)[*n] =
            (struct app_data){v[0].i, v[1].i, v[2].s, val_text(&v[3]), val_text(&v[4]), v[5].s};
    }
    return OK;
}
