/* digest.c: the work list of reports: see digest.h. */
#include "store/digest.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/event.h"

#include <stdlib.h>

#define WHY_MAX 400

static const struct sql WAITING = {
    "digest_waiting",
    "SELECT enrollment_id, command_id, closed_at, COALESCE(reported_at, closed_at), "
    "COALESCE(LENGTH(report), 0) FROM result WHERE digest = 1 AND closed_at >= ? "
    "ORDER BY closed_at LIMIT ?",
    0};
/* Of commands that say what the answer is about. */
static const struct sql TAKE = {
    "digest_take",
    "SELECT r.enrollment_id, r.command_id, COALESCE(r.reported_at, r.closed_at), r.state, e.ident, "
    "c.request_type, e.product_name, r.report, IF(c.request_type IN ('DeviceInformation', "
    "'InstalledApplicationList', 'ManagedApplicationList', 'ProfileList', "
    "'ProvisioningProfileList', 'CertificateList', 'Settings', 'RemoveApplication', "
    "'ManagedApplicationConfiguration', 'ManagedApplicationAttributes', "
    "'ManagedApplicationFeedback'), c.body, NULL) FROM result r FORCE INDEX (PRIMARY) "
    "JOIN command c ON c.id = r.command_id JOIN enrollment e ON e.id = r.enrollment_id "
    "WHERE (r.enrollment_id, r.command_id) IN (%IN%) AND r.digest = 1 FOR UPDATE",
    2};
static const struct sql DONE = {"digest_done",
                                "UPDATE result FORCE INDEX (PRIMARY) SET digest = IF(state IN (5, "
                                "6), 3, 0) WHERE (enrollment_id, command_id) IN (%IN%) AND digest "
                                "= 1",
                                2};
static const struct sql ASIDE = {
    "digest_aside",
    "UPDATE result SET digest = 2 WHERE enrollment_id = ? AND command_id = ? AND digest = 1", 0};
static const struct sql ASIDE_WHY = {
    "digest_aside_why",
    "INSERT INTO digest_failure (enrollment_id, command_id, at, why) VALUES (?,?,?,?) "
    "ON DUPLICATE KEY UPDATE at = VALUES(at), why = VALUES(why)",
    0};
static const struct sql OLDEST = {
    "digest_oldest", "SELECT closed_at FROM result WHERE digest = 1 ORDER BY closed_at LIMIT 1", 0};
static const struct sql COUNT = {
    "digest_count",
    "SELECT COUNT(*) FROM (SELECT 1 FROM result WHERE digest = ? LIMIT ?) AS waiting", 0};
static const struct sql FAILURES = {
    "digest_failures",
    "SELECT e.ident, c.uuid, c.request_type, f.why, f.at FROM digest_failure f JOIN enrollment e "
    "ON e.id = f.enrollment_id JOIN command c ON c.id = f.command_id ORDER BY f.at DESC LIMIT ?",
    0};
static const struct sql AGAIN = {"digest_again",
                                 "UPDATE result SET digest = 1 WHERE digest = 2 LIMIT ?", 0};
static const struct sql FORGET = {
    "digest_forget",
    "DELETE f FROM digest_failure f JOIN result r ON r.enrollment_id = f.enrollment_id AND "
    "r.command_id = f.command_id WHERE r.digest <> 2",
    0};

enum outcome digest_waiting(struct db *db, int64_t from, size_t max, struct arena *a,
                            struct digest_item **out, size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &WAITING, (struct val[]){val_int(from), val_int((int64_t)max)},
                               2, a, &r, err);

    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n) {
        const struct val *v = row_at(&r, *n, 0);

        (*out)[*n] = (struct digest_item){v[0].i, v[1].i, v[2].i, v[3].i, (size_t)v[4].i};
    }
    return OK;
}

static int by_arrival(const void *a, const void *b)
{
    const struct digest_report *x = a, *y = b;

    if (x->enrollment_id != y->enrollment_id)
        return x->enrollment_id < y->enrollment_id ? -1 : 1;
    if (x->reported_at != y->reported_at)
        return x->reported_at < y->reported_at ? -1 : 1;
    return (x->command_id > y->command_id) - (x->command_id < y->command_id);
}

static struct val *pairs(const struct digest_item *items, const struct digest_report *reports,
                         size_t n, struct arena *a)
{
    struct val *list = arena_array(a, n * 2 + 1, sizeof *list);

    for (size_t i = 0; list != NULL && i < n; i++) {
        list[i * 2] = val_int(items ? items[i].enrollment_id : reports[i].enrollment_id);
        list[i * 2 + 1] = val_int(items ? items[i].command_id : reports[i].command_id);
    }
    return list;
}

enum outcome digest_take(struct db *db, const struct digest_item *items, size_t n, struct arena *a,
                         struct digest_report **out, size_t *nout, struct err *err)
{
    struct val *list = pairs(items, NULL, n, a);
    struct rows r;
    enum outcome o;

    *nout = 0;
    if (list == NULL)
        return err_set(err, ERROR, "out of memory");
    o = db_select_in(db, &TAKE, NULL, 0, list, n, NULL, 0, a, &r, err);
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *nout < r.n; ++*nout) {
        const struct val *v = row_at(&r, *nout, 0);

        (*out)[*nout] = (struct digest_report){.enrollment_id = v[0].i,
                                               .command_id = v[1].i,
                                               .reported_at = v[2].i,
                                               .state = (int)v[3].i,
                                               .ident = v[4].s,
                                               .request_type = v[5].s,
                                               .product_name = val_text(&v[6]),
                                               .report = val_bytes(&v[7]),
                                               .command = val_bytes(&v[8])};
    }
    qsort(*out, *nout, sizeof **out, by_arrival);
    return OK;
}

enum outcome digest_done(struct db *db, const struct digest_report *r, size_t n, struct arena *a,
                         struct err *err)
{
    struct val *list = pairs(NULL, r, n, a);

    enum outcome o;

    if (list == NULL)
        return err_set(err, ERROR, "out of memory");
    if (n == 0)
        return OK;
    o = db_exec_in(db, &DONE, NULL, 0, list, n, a, NULL, err);
    return o == OK ? event_commands_finished(db, list, n, clock_now(), true, a, err) : o;
}

struct aside {
    const struct digest_item *item;
    const char *why;
    int64_t now;
};

static enum outcome aside_unit(struct db *db, void *arg, struct err *err)
{
    const struct aside *x = arg;
    struct val args[] = {val_int(x->item->enrollment_id), val_int(x->item->command_id),
                         val_int(x->now), val_cut(x->why, WHY_MAX)};
    uint64_t hit = 0;
    enum outcome o = db_exec(db, &ASIDE, args, 2, &hit, err);

    return o == OK && hit > 0 ? db_exec(db, &ASIDE_WHY, args, 4, NULL, err) : o;
}

enum outcome digest_set_aside(struct db *db, const struct digest_item *item, const char *why,
                              int64_t now, struct err *err)
{
    struct aside x = {item, why, now};

    return db_unit(db, aside_unit, &x, err);
}

enum outcome digest_lag(struct db *db, struct arena *a, struct digest_lag *out, struct err *err)
{
    struct val max = val_int(DIGEST_COUNT_MAX);
    struct rows oldest, waiting, aside;
    enum outcome o = db_select(db, &OLDEST, NULL, 0, a, &oldest, err);

    *out = (struct digest_lag){0};
    if (o == OK)
        o = db_select(db, &COUNT, (struct val[]){val_int(DIGEST_WAITING), max}, 2, a, &waiting,
                      err);
    if (o == OK)
        o = db_select(db, &COUNT, (struct val[]){val_int(DIGEST_ASIDE), max}, 2, a, &aside, err);
    if (o == OK)
        *out = (struct digest_lag){row_at(&waiting, 0, 0)->i,
                                   oldest.n > 0 ? row_at(&oldest, 0, 0)->i : 0,
                                   row_at(&aside, 0, 0)->i};
    return o;
}

enum outcome digest_failures(struct db *db, size_t max, struct arena *a,
                             struct digest_failure **out, size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &FAILURES, (struct val[]){val_int(max < LIM_PAGE ? (int64_t)max : LIM_PAGE)},
                  1, a, &r, err);

    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n) {
        const struct val *v = row_at(&r, *n, 0);

        (*out)[*n] = (struct digest_failure){v[0].s, v[1].s, v[2].s, v[3].s, v[4].i};
    }
    return OK;
}

struct again {
    size_t max;
    uint64_t n;
};

static enum outcome again_unit(struct db *db, void *arg, struct err *err)
{
    struct again *x = arg;
    enum outcome o = db_exec(db, &AGAIN, (struct val[]){val_int((int64_t)x->max)}, 1, &x->n, err);

    return o == OK ? db_exec(db, &FORGET, NULL, 0, NULL, err) : o;
}

enum outcome digest_again(struct db *db, size_t max, size_t *n, struct err *err)
{
    struct again x = {.max = max};
    enum outcome o = db_unit(db, again_unit, &x, err);

    *n = (size_t)x.n;
    return o;
}
