/* device.c: see device.h. */
#include "store/device.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"

#define COLUMNS                                                                                    \
    "e.id, e.ident, e.serial, e.device_name, e.product_name, e.model_name, e.os_version, "         \
    "e.state, e.last_seen_at, (SELECT COUNT(*) FROM queue q WHERE q.enrollment_id = e.id) "
#define IS_DEVICE "e.kind IN (1, 4) "
/* A platform as people call it, of a ProductName. */
#define PLATFORM                                                                                   \
    "CASE WHEN e.product_name LIKE 'iPhone%' THEN 'iPhone' "                                       \
    "WHEN e.product_name LIKE 'iPad%' THEN 'iPad' WHEN e.product_name LIKE 'iPod%' THEN 'iPod' "   \
    "WHEN e.product_name LIKE '%Mac%' THEN 'Mac' WHEN e.product_name LIKE 'AppleTV%' "             \
    "THEN 'Apple TV' WHEN e.product_name LIKE 'RealityDevice%' THEN 'Vision' "                     \
    "WHEN e.product_name LIKE 'Watch%' THEN 'Watch' ELSE '' END "
/* What is not asked for lets everything pass. */
#define FILTER                                                                                     \
    "AND ((? >> e.state) & 1) AND (? = '' OR " PLATFORM "= ?) AND (? = '' OR e.os_version "        \
    "LIKE CONCAT(?, '%')) AND (? = 0 OR e.last_seen_at < ?) "
#define FILTER_ARGS 7
#define PAGE                                                                                       \
    FILTER "AND (e.last_seen_at < ? OR (e.last_seen_at = ? AND e.id < ?)) "                        \
           "ORDER BY e.last_seen_at DESC, e.id DESC LIMIT ?"
#define TEXT                                                                                       \
    "AND (CONCAT_WS('\n', e.serial, e.device_name, e.ident, e.udid, e.model_name, "                \
    "e.product_name)" CI                                                                           \
    "OR e.id IN (SELECT u.device_id FROM enrollment u WHERE u.kind IN (2, 3, 5) AND "              \
    "CONCAT_WS('\n', u.user_short_name, u.user_long_name)" CI ")) "
#define CI " COLLATE utf8mb4_general_ci LIKE ? "

static const struct sql LIST = {"device_list",
                                "SELECT " COLUMNS "FROM enrollment e WHERE " IS_DEVICE PAGE, 0};
/* One comparison for all columns together: without an index for it, every device is read. */
static const struct sql SEARCH = {
    "device_search", "SELECT " COLUMNS "FROM enrollment e WHERE " IS_DEVICE TEXT PAGE, 0};
static const struct sql COUNT = {"device_count",
                                 "SELECT COUNT(*) FROM enrollment e WHERE " IS_DEVICE FILTER, 0};
static const struct sql COUNT_TEXT = {
    "device_count_text", "SELECT COUNT(*) FROM enrollment e WHERE " IS_DEVICE TEXT FILTER, 0};
#define BY_ID "AND e.id > ? ORDER BY e.id LIMIT ?"
static const struct sql IDS = {
    "device_ids", "SELECT e.id, e.ident FROM enrollment e WHERE " IS_DEVICE FILTER BY_ID, 0};
static const struct sql IDS_TEXT = {
    "device_ids_text", "SELECT e.id, e.ident FROM enrollment e WHERE " IS_DEVICE TEXT FILTER BY_ID,
    0};
static const struct sql GROUPS = {
    "device_groups",
    "SELECT e.state, " PLATFORM "AS platform, "
    "COALESCE(e.os_version, '') AS os, COUNT(*) AS n, SUM(e.last_seen_at >= ?), "
    "SUM(e.last_seen_at >= ?) FROM enrollment e WHERE " IS_DEVICE
    "GROUP BY e.state, platform, os ORDER BY n DESC LIMIT ?",
    0};
#define SHARES_FRESH (5 * MINUTE_US)
static const struct sql SHARES = {
    "device_shares",
    "SELECT state, platform, os_version, devices, seen_day, seen_week FROM fleet_share "
    "WHERE counted_at > ? ORDER BY devices DESC LIMIT ?",
    0};
static const struct sql SHARES_DROP = {"device_shares_drop", "DELETE FROM fleet_share", 0};
static const struct sql SHARES_COUNT = {
    "device_shares_count",
    "INSERT INTO fleet_share (state, platform, os_version, devices, seen_day, seen_week, "
    "counted_at) SELECT e.state, " PLATFORM "AS p, COALESCE(e.os_version, '') AS os, COUNT(*), "
    "SUM(e.last_seen_at >= ?), SUM(e.last_seen_at >= ?), ? FROM enrollment e WHERE " IS_DEVICE
    "GROUP BY e.state, p, os",
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

/* The arguments of TEXT and FILTER. False: the text is too long. */
static bool filter_args(const struct device_filter *f, struct arena *a, struct val *args, size_t *k)
{
    const char *like = *f->text ? device_pattern(f->text, a) : NULL;
    const struct val rest[FILTER_ARGS] = {val_int(f->states ? (int64_t)f->states : 0xff),
                                          val_str(f->platform),
                                          val_str(f->platform),
                                          val_str(f->os),
                                          val_str(f->os),
                                          val_int(f->seen_before),
                                          val_int(f->seen_before)};
    *k = 0;
    if (*f->text && !like)
        return false;
    while (like && *k < 2)
        args[(*k)++] = val_str(like);
    memcpy(args + *k, rest, sizeof rest);
    *k += FILTER_ARGS;
    return true;
}

static enum outcome too_long(struct err *err)
{
    return err_set(err, INVALID, "at most %d bytes can be searched for", DEVICE_SEARCH_MAX);
}

enum outcome device_count(struct db *db, const struct device_filter *f, struct arena *a, int64_t *n,
                          struct err *err)
{
    struct val args[FILTER_ARGS + 2];
    struct rows r;
    size_t k;
    *n = 0;
    if (!filter_args(f, a, args, &k))
        return too_long(err);
    enum outcome o = db_select(db, *f->text ? &COUNT_TEXT : &COUNT, args, k, a, &r, err);
    if (o == OK)
        *n = row_at(&r, 0, 0)->i;
    return o;
}

enum outcome device_ids(struct db *db, const struct device_filter *f, int64_t after, size_t max,
                        struct arena *a, struct rows *out, struct err *err)
{
    struct val args[FILTER_ARGS + 4];
    size_t k;
    if (!filter_args(f, a, args, &k))
        return too_long(err);
    args[k++] = val_int(after);
    args[k++] = val_int((int64_t)(max < LIM_PAGE ? max : LIM_PAGE));
    return db_select(db, *f->text ? &IDS_TEXT : &IDS, args, k, a, out, err);
}

enum outcome device_search(struct db *db, const struct device_filter *f,
                           struct enrollment_cursor after, size_t max, struct arena *a,
                           struct device_brief **out, size_t *n, struct err *err)
{
    struct val args[FILTER_ARGS + 6];
    struct rows r;
    size_t k;
    *n = 0;
    if (!filter_args(f, a, args, &k))
        return too_long(err);
    int64_t seen = after.id || after.last_seen_at ? after.last_seen_at : INT64_MAX;
    args[k++] = val_int(seen);
    args[k++] = val_int(seen);
    args[k++] = val_int(after.id);
    args[k++] = val_int((int64_t)(max < LIM_PAGE ? max : LIM_PAGE));
    enum outcome o = db_select(db, *f->text ? &SEARCH : &LIST, args, k, a, &r, err);
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

enum outcome device_groups(struct db *db, int64_t now, struct arena *a, struct device_share **out,
                           size_t *n, struct err *err)
{
    struct rows r;
    *n = 0;
    enum outcome o = db_select(
        db, &SHARES, (struct val[]){val_int(now - SHARES_FRESH), val_int(LIM_PAGE)}, 2, a, &r, err);
    if (o == OK && r.n == 0)
        o = db_select(
            db, &GROUPS,
            (struct val[]){val_int(now - DAY_US), val_int(now - 7 * DAY_US), val_int(LIM_PAGE)}, 3,
            a, &r, err);
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n) {
        const struct val *v = row_at(&r, *n, 0);
        (*out)[*n] = (struct device_share){(int)v[0].i, val_text(&v[1]), val_text(&v[2]),
                                           v[3].i,      sum_of(&v[4]),   sum_of(&v[5])};
    }
    return OK;
}

static enum outcome shares_unit(struct db *db, void *arg, struct err *err)
{
    int64_t now = *(const int64_t *)arg;
    enum outcome o = db_exec(db, &SHARES_DROP, NULL, 0, NULL, err);
    return o == OK ? db_exec(db, &SHARES_COUNT,
                             (struct val[]){val_int(now - DAY_US), val_int(now - 7 * DAY_US),
                                            val_int(now)},
                             3, NULL, err)
                   : o;
}

enum outcome device_groups_count(struct db *db, int64_t now, struct err *err)
{
    return db_unit(db, shares_unit, &now, err);
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
