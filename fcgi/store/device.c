/* device.c: see device.h. */
#include "store/device.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"

#define COLUMNS                                                                                    \
    "e.id, e.ident, e.serial, e.device_name, e.product_name, e.model_name, e.os_version, "         \
    "e.state, e.last_seen_at, (SELECT COUNT(*) FROM queue q WHERE q.enrollment_id = e.id) "
#define IS_DEVICE "e.kind IN (1, 4) "
#define PAGE                                                                                       \
    "AND ((? >> e.state) & 1) AND (e.last_seen_at < ? OR (e.last_seen_at = ? AND e.id < ?)) "      \
    "ORDER BY e.last_seen_at DESC, e.id DESC LIMIT ?"
#define CI " COLLATE utf8mb4_general_ci LIKE ? "

static const struct sql LIST = {"device_list",
                                "SELECT " COLUMNS "FROM enrollment e WHERE " IS_DEVICE PAGE, 0};
/* One comparison for all columns together: without an index for it, every device is read. */
static const struct sql SEARCH = {
    "device_search",
    "SELECT " COLUMNS "FROM enrollment e WHERE " IS_DEVICE
    "AND (CONCAT_WS('\n', e.serial, e.device_name, e.ident, e.udid, e.model_name, "
    "e.product_name)" CI
    "OR e.id IN (SELECT u.device_id FROM enrollment u WHERE u.kind IN (2, 3, 5) AND "
    "CONCAT_WS('\n', u.user_short_name, u.user_long_name)" CI ")) " PAGE,
    0};
static const struct sql GROUPS = {
    "device_groups",
    "SELECT e.state, CASE WHEN e.product_name LIKE 'iPhone%' THEN 'iPhone' "
    "WHEN e.product_name LIKE 'iPad%' THEN 'iPad' WHEN e.product_name LIKE 'iPod%' THEN 'iPod' "
    "WHEN e.product_name LIKE '%Mac%' THEN 'Mac' WHEN e.product_name LIKE 'AppleTV%' "
    "THEN 'Apple TV' WHEN e.product_name LIKE 'RealityDevice%' THEN 'Vision' "
    "WHEN e.product_name LIKE 'Watch%' THEN 'Watch' ELSE '' END AS platform, "
    "COALESCE(e.os_version, '') AS os, COUNT(*) AS n, SUM(e.last_seen_at >= ?), "
    "SUM(e.last_seen_at >= ?) FROM enrollment e WHERE " IS_DEVICE
    "GROUP BY e.state, platform, os ORDER BY n DESC LIMIT ?",
    0};
static const struct sql USERS = {
    "device_users",
    "SELECT ident, user_short_name, user_long_name, state, last_seen_at FROM enrollment "
    "WHERE device_id = ? AND id <> device_id ORDER BY ident LIMIT ?",
    0};

const char *device_pattern(const char *text, struct arena *a)
{
    struct buf b = BUF_INIT(2 * DEVICE_SEARCH_MAX + 3);
    buf_char(&b, '%');
    for (; *text; text++) {
        if (*text == '%' || *text == '_' || *text == '\\')
            buf_char(&b, '\\');
        buf_char(&b, *text);
    }
    buf_char(&b, '%');
    const char *copy = buf_failed(&b) ? NULL : arena_strdup(a, buf_cstr(&b));
    buf_free(&b);
    return copy;
}

enum outcome device_search(struct db *db, const char *text, unsigned states,
                           struct enrollment_cursor after, size_t max, struct arena *a,
                           struct device_brief **out, size_t *n, struct err *err)
{
    struct val args[7];
    size_t k = 0;
    struct rows r;
    *n = 0;
    if (*text) {
        const char *like = device_pattern(text, a);
        if (!like)
            return err_set(err, INVALID, "at most %d bytes can be searched for", DEVICE_SEARCH_MAX);
        while (k < 2)
            args[k++] = val_str(like);
    }
    int64_t seen = after.id || after.last_seen_at ? after.last_seen_at : INT64_MAX;
    args[k++] = val_int(states ? (int64_t)states : 0xff);
    args[k++] = val_int(seen);
    args[k++] = val_int(seen);
    args[k++] = val_int(after.id);
    args[k++] = val_int((int64_t)(max < LIM_PAGE ? max : LIM_PAGE));
    enum outcome o = db_select(db, *text ? &SEARCH : &LIST, args, k, a, &r, err);
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n) {
        const struct val *v = row_at(&r, *n, 0);
        (*out)[*n] = (struct device_brief){
            v[0].i,          v[1].s,          val_text(&v[2]), val_text(&v[3]), val_text(&v[4]),
            val_text(&v[5]), val_text(&v[6]), (int)v[7].i,     v[8].i,          v[9].i};
    }
    return OK;
}

/* SUM() is a decimal, which comes as text. */
static int64_t sum_of(const struct val *v)
{
    int64_t n = 0;
    if (v->type == VAL_INT)
        return v->i;
    for (size_t i = 0; !val_is_null(v) && i < v->n && v->s[i] >= '0' && v->s[i] <= '9'; i++)
        n = 10 * n + (v->s[i] - '0');
    return n;
}

enum outcome device_groups(struct db *db, int64_t now, struct arena *a, struct device_group **out,
                           size_t *n, struct err *err)
{
    struct rows r;
    *n = 0;
    enum outcome o = db_select(
        db, &GROUPS,
        (struct val[]){val_int(now - DAY_US), val_int(now - 7 * DAY_US), val_int(LIM_PAGE)}, 3, a,
        &r, err);
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n) {
        const struct val *v = row_at(&r, *n, 0);
        (*out)[*n] = (struct device_group){(int)v[0].i, val_text(&v[1]), val_text(&v[2]),
                                           v[3].i,      sum_of(&v[4]),   sum_of(&v[5])};
    }
    return OK;
}

enum outcome device_users(struct db *db, int64_t device_id, struct arena *a,
                          struct device_user **out, size_t *n, struct err *err)
{
    struct rows r;
    *n = 0;
    enum outcome o =
        db_select(db, &USERS, (struct val[]){val_int(device_id), val_int(LIM_PAGE)}, 2, a, &r, err);
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n) {
        const struct val *v = row_at(&r, *n, 0);
        (*out)[*n] =
            (struct device_user){v[0].s, val_text(&v[1]), val_text(&v[2]), (int)v[3].i, v[4].i};
    }
    return OK;
}
