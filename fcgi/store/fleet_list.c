/*
 * fleet_list.c: the list of devices for the HTTP API: see fleet.h. A page begins at what few have:
 * a serial number, a word, the caller's groups, a system, a state, a time. Where all that is asked
 * for is common, the devices are gone through in the order of their ids, as far as a page may.
 */
#include "store/fleet_int.h"

#include "base/limits.h"
#include "store/begin.h"
#include "store/scope.h"
#include "store/search.h"

#define MANY 10000 /* more than a page collects */
#define NEAR_FIRST 300
#define NEAR_MOST 2000 /* devices that a page looks at, then it ends */
#define NEAR_WORDS 400 /* and where each is asked for words */
#define ALL_STATES 0x1e
#define STATES 4

enum begin { BEGIN_SERIAL, BEGIN_TEXT, BEGIN_SCOPE, BEGIN_OS, BEGIN_STATE, BEGIN_SEEN, BEGIN_NEAR };

struct asked {
    const struct fleet_filter *f;
    const struct search *s;
    size_t max;
};

/* "SELECT id FROM ...", read in an index alone, of those that have what the page begins at. */
static void found_say(struct making *m, const void *asked, int begin)
{
    const struct fleet_filter *f = ((const struct asked *)asked)->f;

    switch ((enum begin)begin) {
    case BEGIN_SERIAL:
        making_say_all(m,
                       "SELECT id FROM enrollment WHERE serial = ? UNION SELECT enrollment_id FROM "
                       "inv_device WHERE serial_number = ? ",
                       val_str(f->serial), 2);
        break;
    case BEGIN_SCOPE:
        buf_str(&m->sql, SCOPE_DEVICES);
        break;
    case BEGIN_OS:
        buf_str(&m->sql, "SELECT enrollment_id AS id FROM inv_device FORCE INDEX (os) WHERE ");
        if (f->platform != 0)
            making_say(m, "platform = ? ", val_int(f->platform));
        else
            buf_str(&m->sql, "platform IN (0, 1, 2, 3, 4, 5) ");
        making_say(m, "AND os_number >= ? ", val_int(f->os_min != 0 ? f->os_min : f->os_max != 0));
        making_say(m, "AND os_number <= ? ", val_int(f->os_max != 0 ? f->os_max : INT32_MAX));
        break;
    case BEGIN_STATE:
        buf_str(&m->sql, "SELECT id FROM enrollment FORCE INDEX (filters) WHERE kind IN (1, 4) ");
        making_bits(m, "AND state", f->states, STATES);
        break;
    case BEGIN_SEEN:
        making_say(m,
                   "SELECT id FROM enrollment FORCE INDEX (last_seen) WHERE kind IN (1, 4) AND "
                   "last_seen_at >= ? ",
                   val_int(f->seen_after));
        making_say(m, "AND last_seen_at < ? ",
                   val_int(f->seen_before != 0 ? f->seen_before : INT64_MAX));
        break;
    case BEGIN_TEXT:
    case BEGIN_NEAR:
        break;
    }
}

static void conditions_say(struct making *m, const struct fleet_filter *f, bool scoped)
{
    buf_str(&m->sql, "AND e.kind IN (1, 4) ");
    if (scoped)
        buf_str(&m->sql, "AND %SCOPE e.device_id% ");
    if (f->states != 0)
        making_bits(m, "AND e.state", f->states, STATES);
    if (f->platform != 0)
        making_say(m, "AND d.platform = ? ", val_int(f->platform));
    if (f->os_min != 0)
        making_say(m, "AND d.os_number >= ? ", val_int(f->os_min));
    if (f->os_max != 0)
        making_say(m, "AND d.os_number <= ? AND d.os_number > 0 ", val_int(f->os_max));
    if (f->product_name != NULL)
        making_say(m, "AND COALESCE(d.product_name, e.product_name) = ? ",
                   val_str(f->product_name));
    if (f->serial != NULL)
        making_say(m, "AND COALESCE(d.serial_number, e.serial) = ? ", val_str(f->serial));
    if (f->supervised >= 0)
        making_say(m, "AND d.is_supervised = ? ", val_int(f->supervised));
    if (f->seen_after != 0)
        making_say(m, "AND e.last_seen_at >= ? ", val_int(f->seen_after));
    if (f->seen_before != 0)
        making_say(m, "AND e.last_seen_at < ? ", val_int(f->seen_before));
}

/* What the fewest have. */
static enum outcome begin_choose(struct db *db, const struct asked *x, enum begin *out,
                                 struct arena *a, struct err *err)
{
    const struct fleet_filter *f = x->f;
    bool few;
    enum outcome o = db_scope_few(db, &few, err);
    const bool may[] = {
        [BEGIN_OS] = f->platform != 0 || f->os_min != 0 || f->os_max != 0,
        [BEGIN_STATE] = f->states != 0 && (f->states & ALL_STATES) != ALL_STATES,
        [BEGIN_SEEN] = f->seen_after != 0 || f->seen_before != 0,
    };
    const struct begin_ways ways = {"fleet_measure", x, found_say, may, BEGIN_OS, BEGIN_NEAR, MANY};
    int64_t least = MANY;
    int way;

    *out = f->serial != NULL ? BEGIN_SERIAL : few ? BEGIN_SCOPE : BEGIN_NEAR;
    if (*out != BEGIN_NEAR || o != OK)
        return o;
    if (x->s->n > 0 && x->s->piece[x->s->rarest].devices < SEARCH_MANY) {
        least = x->s->piece[x->s->rarest].devices;
        *out = BEGIN_TEXT;
    }
    way = *out;
    o = begin_at_fewest(db, &ways, a, &least, &way, err);
    *out = (enum begin)way;
    return o;
}

/* near: BEGIN_NEAR looks at so many devices behind `after`. */
static enum outcome page_find(struct db *db, const struct asked *x, enum begin begin, int64_t after,
                              size_t near, size_t max, struct arena *a, struct rows *r,
                              struct err *err)
{
    struct making m = MAKING_INIT;

    buf_str(&m.sql, FLEET_SELECTED "FROM (");
    if (begin == BEGIN_TEXT) {
        search_table(x->s, &m.sql, m.args, &m.n);
    } else if (begin == BEGIN_NEAR) {
        making_say(&m, "SELECT id FROM enrollment FORCE INDEX (PRIMARY) WHERE id > ? ",
                   val_int(after));
        making_say(&m, "ORDER BY id LIMIT ?", val_int((int64_t)near));
    } else {
        found_say(&m, x, begin);
    }
    buf_str(&m.sql,
            ") AS found STRAIGHT_JOIN enrollment e FORCE INDEX (PRIMARY) ON e.id = found.id "
            "LEFT JOIN inv_device d ON d.enrollment_id = e.id WHERE ");
    making_say(&m, "e.id > ? ", val_int(after));
    conditions_say(&m, x->f, begin != BEGIN_SCOPE);
    search_conditions(x->s, SEARCH_EACH, begin == BEGIN_TEXT, &m.sql, m.args, &m.n);
    making_say(&m, "ORDER BY e.id LIMIT ?", val_int((int64_t)max));
    return making_run(db, &m, "fleet_list", a, r, err);
}

/* Where `near` devices behind `at` end; false: there are fewer. */
static enum outcome near_end(struct db *db, size_t near, int64_t *at, bool *more, struct arena *a,
                             struct err *err)
{
    static const struct sql END = {
        "fleet_near_end",
        "SELECT id FROM enrollment FORCE INDEX (PRIMARY) WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?",
        0};
    struct rows r;
    enum outcome o = db_select(db, &END, (struct val[]){val_int(*at), val_int((int64_t)near - 1)},
                               2, a, &r, err);

    *more = o == OK && r.n > 0;
    if (*more)
        *at = row_at(&r, 0, 0)->i;
    return o;
}

static void rows_take(const struct rows *r, struct fleet_device *out, size_t *n)
{
    for (size_t i = 0; i < r->n; i++)
        fleet_from_row(row_at(r, i, 0), &out[(*n)++]);
}

/* A few devices first, which is enough nearly always, then as many as a page may look at. */
static enum outcome near_list(struct db *db, const struct asked *x, int64_t *at, bool *more,
                              struct arena *a, struct fleet_device *out, size_t *n, struct err *err)
{
    const size_t steps[] = {NEAR_FIRST, x->s->n > 0 ? NEAR_WORDS : NEAR_MOST};
    enum outcome o = OK;

    *more = true;
    for (size_t i = 0; o == OK && *more && *n < x->max && i < sizeof steps / sizeof *steps; i++) {
        size_t room = x->max - *n;
        struct rows r;

        o = page_find(db, x, BEGIN_NEAR, *at, steps[i], room, a, &r, err);
        if (o != OK)
            return o;
        rows_take(&r, out, n);
        if (r.n == room)
            *at = out[*n - 1].id;
        else
            o = near_end(db, steps[i], at, more, a, err);
    }
    return o;
}

static bool is_filtered(const struct asked *x)
{
    const struct fleet_filter *f = x->f;

    return x->s->n > 0 || f->states != 0 || f->platform != 0 || f->os_min != 0 || f->os_max != 0 ||
           f->product_name != NULL || f->supervised >= 0 || f->seen_after != 0 ||
           f->seen_before != 0;
}

enum outcome fleet_list(struct db *db, const struct fleet_filter *f, int64_t *at, size_t max,
                        struct arena *a, struct fleet_device **out, size_t *n, bool *more,
                        struct err *err)
{
    struct search s;
    const struct asked x = {f, &s, max < LIM_PAGE ? max : LIM_PAGE};
    enum begin begin;
    int64_t first, last;
    struct rows r;
    enum outcome o = search_read(db, f->text, a, &s, err);

    *n = 0;
    *more = false;
    *out = o == OK ? arena_array(a, x.max + 1, sizeof **out) : NULL;
    if (o == OK && *out == NULL)
        o = err_set(err, ERROR, "out of memory");
    if (o != OK || s.nothing)
        return o;
    o = begin_choose(db, &x, &begin, a, err);
    if (o != OK)
        return o;
    if (begin == BEGIN_NEAR) {
        o = scope_range(db, a, &first, &last, err);
        if (o != OK || *at >= last)
            return o;
        *at = *at < first ? first - 1 : *at;
        o = near_list(db, &x, at, more, a, *out, n, err);
        if (o != OK || !*more || *n > 0 || !db_scoped(db) || is_filtered(&x))
            return o;
        begin = BEGIN_SCOPE; /* the caller's devices are many, and far */
    }
    o = page_find(db, &x, begin, *at, 0, x.max, a, &r, err);
    if (o != OK)
        return o;
    rows_take(&r, *out, n);
    *more = *n == x.max && *n > 0;
    if (*n > 0)
        *at = (*out)[*n - 1].id;
    return OK;
}
