/* device.c: see device.h. */
#include "store/device.h"

#include "base/clock.h"
#include "base/limits.h"

#define IS_DEVICE "e.kind IN (1, 4) "
/* As device_platform_name() has it. */
#define PLATFORM                                                                                   \
    "COALESCE(ELT(e.list_platform, 'iPhone', 'iPad', 'iPod', 'Mac', 'Apple TV', 'Vision', "        \
    "'Watch'), '') "

/* What it told last: enrollment.os_version is what it enrolled with. As the list has it, which
 * finds the same devices by it. */
#define VERSION                                                                                    \
    "IF(e.list_os = 0, '', CONCAT(e.list_os DIV 1000000, '.', MOD(e.list_os DIV 1000, 1000), "     \
    "IF(MOD(e.list_os, 1000) = 0, '', CONCAT('.', MOD(e.list_os, 1000))))) "
/* All that is asked for but the scope stands in the index. */
#define LIKE_FROM "FROM enrollment e FORCE INDEX (last_seen) WHERE " IS_DEVICE
#define LIKE_BY "GROUP BY e.state, e.list_platform, e.list_os "

static const struct sql GROUPS = {"device_groups",
                                  "SELECT e.state, " PLATFORM "AS platform, " VERSION
                                  "AS os, COUNT(*) AS n, "
                                  "SUM(e.last_seen_at >= ?), SUM(e.last_seen_at >= ?) " LIKE_FROM
                                  "AND %SCOPE e.device_id% " LIKE_BY "ORDER BY n DESC LIMIT ?",
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
    "counted_at) SELECT e.state, " PLATFORM ", " VERSION ", COUNT(*), SUM(e.last_seen_at >= ?), "
    "SUM(e.last_seen_at >= ?), ? " LIKE_FROM LIKE_BY,
    0};
static const struct sql USERS = {
    "device_users",
    "SELECT ident, user_short_name, user_long_name, state, last_seen_at FROM enrollment "
    "WHERE device_id = ? AND id <> device_id AND ident > ? ORDER BY ident LIMIT ?",
    0};

const char *device_platform_name(int64_t number)
{
    static const char *const names[] = {"",    "iPhone",   "iPad",   "iPod",
                                        "Mac", "Apple TV", "Vision", "Watch"};

    return number > 0 && number < (int64_t)(sizeof names / sizeof *names) ? names[number] : "";
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
    struct rows r = {0};
    enum outcome o = OK;
    *n = 0;
    if (!db_scoped(db)) /* what the agent counted is of all */
        o = db_select(db, &SHARES, (struct val[]){val_int(now - SHARES_FRESH), val_int(LIM_PAGE)},
                      2, a, &r, err);
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

enum outcome device_users(struct db *db, int64_t device_id, const char *after, size_t max,
                          struct arena *a, struct device_user **out, size_t *n, struct err *err)
{
    struct rows r;
    *n = 0;
    enum outcome o =
        db_select(db, &USERS, (struct val[]){val_int(device_id), val_str(after), val_page(max)}, 3,
                  a, &r, err);
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
