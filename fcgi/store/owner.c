/* owner.c: see owner.h. */
#include "store/owner.h"

#include "base/limits.h"
#include "store/enrollprofile.h"

/* The device's current life came of a handout to that person; a renewed profile is one too. An
 * account that was taken out, or is disabled, has none. */
static const struct sql DEVICES = {
    "own_devices",
    "SELECT e.id, e.ident, COALESCE(v.device_name, e.device_name), e.serial, "
    "COALESCE(v.product_name, e.product_name), COALESCE(v.model_name, e.model_name), "
    "COALESCE(v.os_version, e.os_version), "
    "e.enrolled_at, e.last_seen_at, h.access_rights, p.removal, p.organization, p.description "
    "FROM handout h JOIN life l ON l.handout_id = h.id JOIN enrollment e ON e.life_id = l.id AND "
    "e.id = e.device_id AND e.state = 2 LEFT JOIN enroll_profile_version p ON p.profile_id = "
    "h.profile_id AND p.version = h.profile_version LEFT JOIN inv_device v ON v.enrollment_id = "
    "e.id WHERE h.account = ? AND h.account_kind = ? "
    "AND h.account_ended_at IS NULL AND (h.account_kind <> 1 OR EXISTS (SELECT 1 FROM enroll_user "
    "u "
    "WHERE u.name = h.account AND u.disabled_at IS NULL)) AND e.id > ? AND (? = '' OR e.ident = ?) "
    "ORDER BY e.id LIMIT ?",
    0};
static const struct sql AREAS = {
    "own_areas",
    "SELECT area, reported_at, items FROM inv_area WHERE enrollment_id = ? ORDER BY area", 0};

enum outcome own_devices(struct db *db, const struct owner *who, const char *ident, int64_t after,
                         size_t max, struct arena *a, struct own_device **out, size_t *n,
                         struct err *err)
{
    struct val one = val_str(ident ? ident : "");
    struct rows r;
    enum outcome o =
        db_select(db, &DEVICES,
                  (struct val[]){val_str(who->account), val_int(who->kind), val_int(after), one,
                                 one, val_int(max < LIM_PAGE ? (int64_t)max : LIM_PAGE)},
                  6, a, &r, err);
    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n) {
        const struct val *v = row_at(&r, *n, 0);
        (*out)[*n] = (struct own_device){.id = v[0].i,
                                         .ident = v[1].s,
                                         .device_name = val_text(&v[2]),
                                         .serial = val_text(&v[3]),
                                         .product_name = val_text(&v[4]),
                                         .model_name = val_text(&v[5]),
                                         .os_version = val_text(&v[6]),
                                         .enrolled_at = val_or_0(&v[7]),
                                         .last_seen_at = val_or_0(&v[8]),
                                         .access_rights = val_or_0(&v[9]),
                                         .removal = val_or_0(&v[10]),
                                         .organization = val_text(&v[11]),
                                         .description = val_text(&v[12])};
        if (!(*out)[*n].removal) /* before there were objects, a profile could be removed */
            (*out)[*n].removal = ENROLL_REMOVAL_ALLOWED;
    }
    return OK;
}

enum outcome own_areas(struct db *db, int64_t enrollment_id, struct arena *a, struct own_area **out,
                       size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &AREAS, (struct val[]){val_int(enrollment_id)}, 1, a, &r, err);
    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        (*out)[*n] = (struct own_area){(int)row_at(&r, *n, 0)->i, row_at(&r, *n, 1)->i,
                                       row_at(&r, *n, 2)->i};
    return OK;
}
