/* failed.c: see failed.h. */
#include "store/failed.h"

#include "base/limits.h"
#include "store/scope.h"

/* Of the latest command that was sent to the same in its place. */
#define AGAIN(what)                                                                                \
    "(SELECT " what " FROM command y LEFT JOIN queue q ON q.enrollment_id = r.enrollment_id AND "  \
    "q.command_id = y.id LEFT JOIN result z ON z.enrollment_id = r.enrollment_id AND "             \
    "z.command_id = y.id WHERE y.retry_of = r.command_id AND (q.command_id IS NOT NULL OR "        \
    "z.command_id IS NOT NULL) ORDER BY y.id DESC LIMIT 1)"
/* DIGEST_FAILED: backward through the index of those alone, however many have not failed, and
 * without their rows, however many are of others. The index has the enrollment too: one that is
 * older than all devices of a limited caller is none of them, nor one of their users. */
#define FAILED                                                                                     \
    " FROM result r FORCE INDEX (digest) STRAIGHT_JOIN enrollment e ON e.id = r.enrollment_id "    \
    "WHERE r.digest = 3 AND r.closed_at >= ? AND r.closed_at < ? AND r.enrollment_id >= ? AND "    \
    "%SCOPE e.device_id% AND (? IS NULL OR (SELECT t.request_type FROM command t WHERE t.id = "    \
    "r.command_id) = ?) AND (? = 0 OR " AGAIN("1") " IS NULL) "
#define PAGE "SELECT r.enrollment_id, r.command_id" FAILED "ORDER BY r.closed_at DESC LIMIT ?"
static const struct sql LIST = {
    "failed_list",
    "SELECT e.ident, COALESCE(NULLIF(e.list_name, ''), e.ident), c.uuid, c.request_type, (SELECT "
    "IF(x.english <> '', x.english, x.localized) FROM result_error x WHERE x.enrollment_id = "
    "r.enrollment_id AND x.command_id = r.command_id ORDER BY x.item, x.position LIMIT 1), "
    "r.state, r.closed_at, " AGAIN("y.uuid") ", " AGAIN(
        "COALESCE(q.state, z.state)") ", c.created_by, c.fill, c.sealed IS NOT NULL FROM (" PAGE
                                      ") AS page STRAIGHT_JOIN result r ON r.enrollment_id = "
                                      "page.enrollment_id AND r.command_id = page.command_id JOIN "
                                      "command c ON c.id = r.command_id JOIN enrollment e ON e.id "
                                      "= r.enrollment_id ORDER BY r.closed_at DESC",
    0};

static const struct sql COUNT = {"failed_count", "SELECT COUNT(*)" FAILED, 0};

#define L_CLOSED 6

/* How many of the rows, one more than the page has, are the page's. */
static size_t page_end(const struct rows *r, size_t most)
{
    size_t n = r->n < most ? r->n : most;

    if (r->n > most)
        while (n > 0 && row_at(r, n - 1, L_CLOSED)->i == row_at(r, most, L_CLOSED)->i)
            n--;
    return n > 0 ? n : r->n < most ? r->n : most;
}

enum outcome failed_list(struct db *db, const struct failed_filter *f, size_t max, struct arena *a,
                         struct failed **out, size_t *n, int64_t *next, struct err *err)
{
    struct val type = val_str(f->request_type);
    size_t most = max < LIM_PAGE ? max : LIM_PAGE, take;
    int64_t first, last;
    struct rows r;
    enum outcome o = scope_range(db, a, &first, &last, err);
    struct val args[] = {
        val_int(f->since),     val_int(f->before),        val_int(first), type, type,
        val_int(f->not_again), val_int((int64_t)most + 1)};

    *n = 0;
    *next = 0;
    if (o == OK)
        o = db_select(db, &LIST, args, sizeof args / sizeof *args, a, &r, err);
    if (o != OK)
        return o;
    take = page_end(&r, most);
    if (take < r.n)
        *next = row_at(&r, take - 1, L_CLOSED)->i;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < take; ++*n) {
        const struct val *v = row_at(&r, *n, 0);

        (*out)[*n] = (struct failed){v[0].s, v[1].s,          v[2].s,
                                     v[3].s, val_text(&v[4]), (int)v[5].i,
                                     v[6].i, val_text(&v[7]), (int)val_or_0(&v[8]),
                                     v[9].s, (int)v[10].i,    v[11].i != 0};
    }
    return OK;
}

enum outcome failed_count(struct db *db, const struct failed_filter *f, struct arena *a, int64_t *n,
                          struct err *err)
{
    struct val type = val_str(f->request_type);
    struct rows r;
    enum outcome o = db_select(db, &COUNT,
                               (struct val[]){val_int(f->since), val_int(f->before), val_int(0),
                                              type, type, val_int(f->not_again)},
                               6, a, &r, err);

    *n = o == OK ? row_at(&r, 0, 0)->i : 0;
    return o;
}
