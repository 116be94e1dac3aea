/*
 * enrollment_list.c: the list of enrollments: see enrollment.h. Where names are given their index
 * leads to the rows. Otherwise a page begins at what few have, the caller's groups, a mark, a
 * state; where all that is asked for is common, the order is gone through, as far as a page may.
 */
#include "store/enrollment_int.h"

#include "base/limits.h"
#include "store/begin.h"
#include "store/scope.h"
#include "wire/json.h"

#define MANY 20000 /* more than a page collects */
#define NEAR_FIRST 600
#define NEAR_MOST 4000 /* enrollments that a page looks at, then it ends */
#define ALL_KINDS 0x3e
#define ALL_STATES 0x1e
#define KINDS 5
#define STATES 4

/* The list that can be looked up by an index takes %IN%'s place; all three are asked for again as
 * JSON arrays, so that every combination is one of these statements. */
#define FILTER                                                                                     \
    "((? >> e.kind) & 1) AND ((? >> e.state) & 1) AND %SCOPE e.device_id% "                        \
    "AND (? IS NULL OR JSON_CONTAINS(?, JSON_QUOTE(e.ident))) "                                    \
    "AND (? IS NULL OR JSON_CONTAINS(?, JSON_QUOTE(e.serial))) "                                   \
    "AND (? IS NULL OR JSON_CONTAINS(?, JSON_QUOTE(e.user_short_name))) "                          \
    "AND (? = 0 OR " ENROLLMENT_INACTIVE_AT                                                        \
    " IS NOT NULL) AND (? = 0 OR l.push_dead_at IS NOT NULL) "
#define FILTER_ARGS 10
#define BY_ID FILTER "AND e.id > ? ORDER BY e.id LIMIT ? OFFSET ?"
#define BY_SEEN                                                                                    \
    FILTER "AND (e.last_seen_at < ? OR (e.last_seen_at = ? AND e.id < ?)) "                        \
           "ORDER BY e.last_seen_at DESC, e.id DESC LIMIT ? OFFSET ?"

enum driver { BY_ALL, BY_IDENT, BY_SERIAL, BY_SHORT_NAME };

static const struct sql LIST_ID[] = {
    {"enrollment_list", "SELECT " ENROLLMENT_COLUMNS ENROLLMENT_FROM "WHERE " BY_ID, 0},
    {"enrollment_list_ident",
     "SELECT " ENROLLMENT_COLUMNS ENROLLMENT_FROM "WHERE e.ident IN (%IN%) AND " BY_ID, 1},
    {"enrollment_list_serial",
     "SELECT " ENROLLMENT_COLUMNS ENROLLMENT_FROM "WHERE e.serial IN (%IN%) AND " BY_ID, 1},
    {"enrollment_list_user",
     "SELECT " ENROLLMENT_COLUMNS ENROLLMENT_FROM "WHERE e.user_short_name IN (%IN%) AND " BY_ID,
     1}};
static const struct sql LIST_SEEN[] = {
    {"enrollment_seen", "SELECT " ENROLLMENT_COLUMNS ENROLLMENT_FROM "WHERE " BY_SEEN, 0},
    {"enrollment_seen_ident",
     "SELECT " ENROLLMENT_COLUMNS ENROLLMENT_FROM "WHERE e.ident IN (%IN%) AND " BY_SEEN, 1},
    {"enrollment_seen_serial",
     "SELECT " ENROLLMENT_COLUMNS ENROLLMENT_FROM "WHERE e.serial IN (%IN%) AND " BY_SEEN, 1},
    {"enrollment_seen_user",
     "SELECT " ENROLLMENT_COLUMNS ENROLLMENT_FROM "WHERE e.user_short_name IN (%IN%) AND " BY_SEEN,
     1}};
static const struct sql BY_IDS[] = {
    {"enrollment_page",
     "SELECT " ENROLLMENT_COLUMNS ENROLLMENT_FROM "WHERE e.id IN (%IN%) ORDER BY e.id", 1},
    {"enrollment_page_seen",
     "SELECT " ENROLLMENT_COLUMNS ENROLLMENT_FROM
     "WHERE e.id IN (%IN%) ORDER BY e.last_seen_at DESC, e.id DESC",
     1}};

/* ---- by names ---- */

/* A list as a JSON array in a; SQL NULL when it is the driver's own, or none. */
static enum outcome json_list(const char *const *list, size_t n, bool driver, struct arena *a,
                              struct val *out, struct err *err)
{
    struct buf b = BUF_INIT(LIM_RESPONSE);
    struct bytes copy;
    js array;
    enum outcome o;

    *out = val_null();
    if (list == NULL || driver)
        return OK;
    array = js_array();
    for (size_t i = 0; i < n; i++)
        js_append(array, js_new_str(list[i]));
    o = js_write(array, false, &b);
    js_free(&array);
    copy = o == OK ? arena_bytes(a, buf_bytes(&b)) : (struct bytes){NULL, 0};
    buf_free(&b);
    if (copy.p == NULL)
        return err_set(err, ERROR, "out of memory for a list of %zu names", n);
    *out = val_strn((const char *)copy.p, copy.n);
    return OK;
}

struct names {
    const char *const *list;
    size_t n;
};

static enum driver choose_driver(const struct enrollment_filter *f, struct names *names)
{
    const struct names known[] = {{NULL, 0},
                                  {f->idents, f->nidents},
                                  {f->serials, f->nserials},
                                  {f->user_short_names, f->nuser_short_names}};

    for (int d = BY_IDENT; d <= BY_SHORT_NAME; d++)
        if (known[d].list != NULL) {
            *names = known[d];
            return (enum driver)d;
        }
    *names = known[0];
    return BY_ALL;
}

/* The arguments of FILTER. */
static enum outcome filter_args(const struct enrollment_filter *f, enum driver d, struct arena *a,
                                struct val *args, struct err *err)
{
    enum outcome o;

    args[0] = val_int(f->kinds != 0 ? (int64_t)f->kinds : 0xff);
    args[1] = val_int(f->states != 0 ? (int64_t)f->states : 0xff);
    if ((o = json_list(f->idents, f->nidents, d == BY_IDENT, a, &args[2], err)) != OK ||
        (o = json_list(f->serials, f->nserials, d == BY_SERIAL, a, &args[4], err)) != OK ||
        (o = json_list(f->user_short_names, f->nuser_short_names, d == BY_SHORT_NAME, a, &args[6],
                       err)) != OK)
        return o;
    args[3] = args[2];
    args[5] = args[4];
    args[7] = args[6];
    args[8] = val_int(f->inactive);
    args[9] = val_int(f->push_dead);
    return OK;
}

static enum outcome named_list(struct db *db, const struct enrollment_filter *f, enum driver d,
                               const struct names *names, enum enrollment_order order,
                               const struct enrollment_cursor *after, size_t offset, size_t max,
                               struct arena *a, struct rows *r, struct err *err)
{
    bool seen = order == ENROLLMENT_BY_LAST_SEEN;
    struct val args[FILTER_ARGS + 5], *list = arena_array(a, names->n + 1, sizeof(*list));
    size_t k = FILTER_ARGS;
    enum outcome o;

    if (list == NULL)
        return err_set(err, ERROR, "out of memory");
    if ((o = filter_args(f, d, a, args, err)) != OK)
        return o;
    if (seen)
        args[k] = args[k + 1] = val_int(after->id != 0 ? after->last_seen_at : INT64_MAX);
    k += seen ? 2 : 0;
    args[k++] = val_int(after->id);
    args[k++] = val_int((int64_t)max);
    args[k++] = val_int((int64_t)offset);
    for (size_t i = 0; i < names->n; i++)
        list[i] = val_str(names->list[i]);
    return db_select_in(db, seen ? &LIST_SEEN[d] : &LIST_ID[d], NULL, 0, list, names->n, args, k, a,
                        r, err);
}

/* ---- without names ---- */

enum begin { BEGIN_SCOPE, BEGIN_INACTIVE, BEGIN_PUSH_DEAD, BEGIN_STATE, BEGIN_NEAR };

/* What is asked for; the kinds and states are those that can be. */
struct asked {
    const struct enrollment_filter *f;
    unsigned kinds, states;
    bool seen; /* the latest first; else by id */
};

/* "SELECT id ...", of those that have what the page begins at. */
static void found_say(struct making *m, const void *asked, int begin)
{
    const struct asked *x = asked;

    switch ((enum begin)begin) {
    case BEGIN_SCOPE:
        buf_str(&m->sql, "SELECT c.id FROM (" SCOPE_DEVICES
                         ") AS reached STRAIGHT_JOIN enrollment c FORCE INDEX (device) ON "
                         "c.device_id = reached.id ");
        break;
    case BEGIN_INACTIVE:
        buf_str(&m->sql,
                "SELECT id FROM enrollment FORCE INDEX (inactive) WHERE inactive_at IS NOT "
                "NULL ");
        break;
    case BEGIN_PUSH_DEAD:
        buf_str(&m->sql,
                "SELECT DISTINCT enrollment_id AS id FROM life FORCE INDEX (push_dead) WHERE "
                "push_dead_at IS NOT NULL ");
        break;
    case BEGIN_STATE:
        buf_str(&m->sql, "SELECT id FROM enrollment FORCE INDEX (filters) WHERE ");
        making_bits(m, "kind", x->kinds, KINDS);
        making_bits(m, "AND state", x->states, STATES);
        break;
    case BEGIN_NEAR:
        break;
    }
}

static void after_say(struct making *m, const struct asked *x, const struct enrollment_cursor *at)
{
    if (!x->seen) {
        making_say(m, "e.id > ? ", val_int(at->id));
        return;
    }
    making_say_all(m, "(e.last_seen_at < ? OR (e.last_seen_at = ? AND ",
                   val_int(at->id != 0 ? at->last_seen_at : INT64_MAX), 2);
    making_say(m, "e.id < ?)) ", val_int(at->id));
}

static void order_say(struct making *m, const struct asked *x)
{
    buf_str(&m->sql, x->seen ? "ORDER BY e.last_seen_at DESC, e.id DESC " : "ORDER BY e.id ");
}

static void conditions_say(struct making *m, const struct asked *x, bool scoped)
{
    if (scoped)
        buf_str(&m->sql, "AND %SCOPE e.device_id% ");
    if (x->kinds != ALL_KINDS)
        making_bits(m, "AND e.kind", x->kinds, KINDS);
    if (x->states != ALL_STATES)
        making_bits(m, "AND e.state", x->states, STATES);
    if (x->f->inactive)
        buf_str(&m->sql, "AND " ENROLLMENT_INACTIVE_AT " IS NOT NULL ");
    if (x->f->push_dead)
        buf_str(&m->sql, "AND (SELECT l.push_dead_at FROM life l WHERE l.id = e.life_id) IS NOT "
                         "NULL ");
}

static bool all_fit(const struct asked *x)
{
    return x->kinds == ALL_KINDS && x->states == ALL_STATES && !x->f->inactive && !x->f->push_dead;
}

/* What the fewest have. */
static enum outcome begin_choose(struct db *db, const struct asked *x, enum begin *out,
                                 struct arena *a, struct err *err)
{
    bool few;
    enum outcome o = db_scope_few(db, &few, err);
    const bool may[] = {[BEGIN_INACTIVE] = x->f->inactive,
                        [BEGIN_PUSH_DEAD] = x->f->push_dead,
                        [BEGIN_STATE] = x->kinds != ALL_KINDS || x->states != ALL_STATES};
    const struct begin_ways ways = {"enrollment_measure", x,          found_say, may,
                                    BEGIN_INACTIVE,       BEGIN_NEAR, MANY};
    int64_t least = MANY;
    int way = few ? BEGIN_SCOPE : BEGIN_NEAR;

    if (o == OK && !few)
        o = begin_at_fewest(db, &ways, a, &least, &way, err);
    *out = (enum begin)way;
    return o;
}

/* The ids of a page, and where they stand in the order by time. near: of so many that follow `at`;
 * 0: of all. */
static enum outcome ids_find(struct db *db, const struct asked *x, enum begin begin,
                             const struct enrollment_cursor *at, size_t near, size_t offset,
                             size_t max, struct arena *a, struct rows *r, struct err *err)
{
    const char *index = x->seen ? "last_seen" : "PRIMARY";
    struct making m = MAKING_INIT;

    buf_str(&m.sql, "SELECT e.id, e.last_seen_at FROM ");
    if (begin == BEGIN_NEAR && near != 0) {
        buf_fmt(&m.sql, "(SELECT e.id FROM enrollment e FORCE INDEX (%s) WHERE ", index);
        after_say(&m, x, at);
        order_say(&m, x);
        making_say(&m, "LIMIT ?", val_int((int64_t)near));
    } else if (begin != BEGIN_NEAR) {
        buf_str(&m.sql, "(");
        found_say(&m, x, begin);
    }
    if (begin == BEGIN_NEAR && near == 0)
        buf_fmt(&m.sql, "enrollment e FORCE INDEX (%s) WHERE ", index);
    else
        buf_str(&m.sql, ") AS found STRAIGHT_JOIN enrollment e FORCE INDEX (PRIMARY) ON e.id = "
                        "found.id WHERE ");
    after_say(&m, x, at);
    conditions_say(&m, x, begin != BEGIN_SCOPE);
    order_say(&m, x);
    making_say(&m, "LIMIT ? ", val_int((int64_t)max));
    making_say(&m, "OFFSET ?", val_int((int64_t)offset));
    return making_run(db, &m, "enrollment_find", a, r, err);
}

static void cursor_set(struct enrollment_cursor *at, const struct val *row)
{
    *at = (struct enrollment_cursor){.id = row[0].i, .last_seen_at = row[1].i};
}

/* Where `near` of the order end; false: there are fewer. */
static enum outcome near_end(struct db *db, const struct asked *x, size_t near,
                             struct enrollment_cursor *at, bool *more, struct arena *a,
                             struct err *err)
{
    struct making m = MAKING_INIT;
    struct rows r;
    enum outcome o;

    buf_fmt(&m.sql, "SELECT e.id, e.last_seen_at FROM enrollment e FORCE INDEX (%s) WHERE ",
            x->seen ? "last_seen" : "PRIMARY");
    after_say(&m, x, at);
    order_say(&m, x);
    making_say(&m, "LIMIT 1 OFFSET ?", val_int((int64_t)near - 1));
    o = making_run(db, &m, "enrollment_near_end", a, &r, err);
    *more = o == OK && r.n > 0;
    if (*more)
        cursor_set(at, row_at(&r, 0, 0));
    return o;
}

/* A few first, which is enough nearly always, then as many as a page may look at. */
static enum outcome near_find(struct db *db, const struct asked *x, struct enrollment_cursor *at,
                              size_t max, bool *more, struct arena *a, struct val *ids, size_t *n,
                              struct err *err)
{
    static const size_t steps[] = {NEAR_FIRST, NEAR_MOST};
    enum outcome o = OK;

    *more = true;
    for (size_t i = 0; o == OK && *more && *n < max && i < sizeof steps / sizeof *steps; i++) {
        size_t room = max - *n;
        struct rows r;

        o = ids_find(db, x, BEGIN_NEAR, at, steps[i], 0, room, a, &r, err);
        if (o != OK)
            return o;
        for (size_t k = 0; k < r.n; k++)
            ids[(*n)++] = *row_at(&r, k, 0);
        if (r.n == room)
            cursor_set(at, row_at(&r, r.n - 1, 0));
        else
            o = near_end(db, x, steps[i], at, more, a, err);
    }
    return o;
}

static enum outcome find(struct db *db, const struct asked *x, struct enrollment_cursor *at,
                         size_t offset, size_t max, bool *more, struct arena *a, struct val *ids,
                         size_t *n, struct err *err)
{
    enum begin begin;
    int64_t first, last;
    struct rows r;
    enum outcome o = begin_choose(db, x, &begin, a, err);

    if (o == OK && begin == BEGIN_NEAR && db_scoped(db) && !x->seen) {
        o = scope_range(db, a, &first, &last, err); /* a user is younger than its device */
        at->id = o == OK && at->id < first ? first - 1 : at->id;
    }
    if (o == OK && begin == BEGIN_NEAR && offset == 0 && (db_scoped(db) || !all_fit(x))) {
        o = near_find(db, x, at, max, more, a, ids, n, err);
        if (o != OK || !*more || *n > 0 || !db_scoped(db) || !all_fit(x))
            return o;
        begin = BEGIN_SCOPE; /* the caller's devices are many, and far */
    }
    if (o == OK)
        o = ids_find(db, x, begin, at, 0, offset, max, a, &r, err);
    for (size_t i = 0; o == OK && i < r.n; i++)
        ids[(*n)++] = *row_at(&r, i, 0);
    *more = o == OK && r.n == max && max > 0;
    if (o == OK && r.n > 0)
        cursor_set(at, row_at(&r, r.n - 1, 0));
    return o;
}

static enum outcome found_list(struct db *db, const struct enrollment_filter *f,
                               enum enrollment_order order, struct enrollment_cursor *at,
                               size_t offset, size_t max, bool *more, struct arena *a,
                               struct rows *r, struct err *err)
{
    struct asked x = {.f = f,
                      .kinds = f->kinds != 0 ? f->kinds & ALL_KINDS : ALL_KINDS,
                      .states = f->states != 0 ? f->states & ALL_STATES : ALL_STATES,
                      .seen = order == ENROLLMENT_BY_LAST_SEEN};
    struct val *ids = arena_array(a, max + 1, sizeof *ids);
    size_t n = 0;
    enum outcome o;

    *r = (struct rows){0};
    if (ids == NULL)
        return err_set(err, ERROR, "out of memory");
    if (f->inactive) /* nobody else is */
        x.states &= 1u << ENROLLMENT_ENROLLED;
    if (x.states == 0 || x.kinds == 0)
        return OK;
    o = find(db, &x, at, offset, max, more, a, ids, &n, err);
    return o == OK && n > 0 ? db_select_in(db, &BY_IDS[x.seen], NULL, 0, ids, n, NULL, 0, a, r, err)
                            : o;
}

/* ---- the list ---- */

enum outcome enrollment_list(struct db *db, const struct enrollment_filter *f,
                             enum enrollment_order order, struct enrollment_cursor *at,
                             size_t offset, size_t max, bool with_cert, struct arena *a,
                             struct enrollment **out, size_t *n, bool *more, struct err *err)
{
    struct names names;
    struct rows r;
    enum driver d = choose_driver(f, &names);
    enum outcome o;

    *n = 0;
    *out = NULL;
    *more = false;
    max = max < LIM_PAGE ? max : LIM_PAGE;
    if (d != BY_ALL && names.n == 0)
        return OK;
    o = d == BY_ALL ? found_list(db, f, order, at, offset, max, more, a, &r, err)
                    : named_list(db, f, d, &names, order, at, offset, max, a, &r, err);
    if (o == OK)
        o = enrollment_from_rows(&r, a, out, n, err);
    if (o == OK && d != BY_ALL && *n > 0) {
        *more = *n == max;
        *at = (struct enrollment_cursor){.id = (*out)[*n - 1].id,
                                         .last_seen_at = (*out)[*n - 1].last_seen_at};
    }
    return o == OK && with_cert ? enrollment_add_certs(db, *out, *n, a, err) : o;
}
