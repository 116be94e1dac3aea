/*
 * device_list.c: the list of devices: see device.h.
 *
 * What few devices have, a word or what the filter asks, is where a page begins: these are
 * collected and put in order. Otherwise the first that fit are near: the index of the order is gone
 * through, which has all that the filter asks, so that what does not fit costs an entry and not a
 * row. Where they are not near after all, as with "iphone" among Macs, all that have the words are
 * collected, and found among what the filter asks.
 */
#include "store/device.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "store/inventory.h"
#include "store/making.h"
#include "store/scope.h"
#include "store/search.h"

#define SCOPE_MANY 20000 /* reaches so many: the words of each one are not looked at */
#define NEAR 750         /* so many of the list are asked for the words one by one */
_Static_assert(SEARCH_ARGS_MAX + 24 <= MAKING_ARGS, "room for all arguments");
#define COLUMNS                                                                                    \
    "e.id, e.ident, COALESCE(d.serial_number, e.serial), COALESCE(d.device_name, e.device_name), " \
    "COALESCE(d.product_name, e.product_name), COALESCE(d.model_name, e.model_name), "             \
    "COALESCE(d.os_version, e.os_version), COALESCE(d.build_version, e.build_version), e.udid, "   \
    "(SELECT GROUP_CONCAT(u.user_short_name ORDER BY u.ident SEPARATOR ', ') FROM enrollment u "   \
    "WHERE u.device_id = e.id AND u.id <> e.id), e.state, e.last_seen_at, e.enrolled_at, "         \
    "(SELECT COUNT(*) FROM queue q WHERE q.enrollment_id = e.id)"
enum {
    L_ID,
    L_IDENT,
    L_SERIAL,
    L_NAME,
    L_PRODUCT,
    L_MODEL,
    L_OS,
    L_BUILD,
    L_UDID,
    L_USERS,
    L_STATE,
    L_SEEN,
    L_ENROLLED,
    L_OPEN,
    L_PLACE,
    L_FACTS
};

static const struct {
    const char *column, *index;
    bool number, may_be_null;
} SORTS[DEVICE_SORTS] = {
    [DEVICE_BY_SEEN] = {"e.last_seen_at", "last_seen", true, false},
    [DEVICE_BY_NAME] = {"e.list_name", "list_name", false, false},
    [DEVICE_BY_SERIAL] = {"e.list_serial", "list_serial", false, false},
    [DEVICE_BY_OS] = {"e.list_os", "list_os", true, false},
    [DEVICE_BY_ENROLLED] = {"e.enrolled_at", "enrolled", true, true},
};

/* "17" is 17.0 up to 18, "17.4" up to 17.5. */
static void os_range(const char *os, int64_t *from, int64_t *to)
{
    static const int64_t widths[] = {1000000, 1000, 1};
    size_t dots = 0;

    for (const char *s = os; (s = strchr(s, '.')) != NULL && s[1] != '\0'; s++)
        dots++;
    *from = inv_os_number(os);
    *to = *from + widths[dots < 2 ? dots : 2];
    if (*os < '0' || *os > '9')
        *to = *from; /* no version: nothing fits */
}

static bool is_narrow(const struct device_filter *f)
{
    return f->states != 0 || *f->platform != '\0' || *f->os != '\0';
}

/* What the index "filters" has, as lists of equal values, so that it is read in ranges. */
static void filter_say(struct making *m, const struct device_filter *f, bool scoped)
{
    int64_t number = 7, from, to;

    buf_str(&m->sql, "WHERE e.kind IN (1, 4) ");
    if (scoped)
        buf_str(&m->sql, "AND %SCOPE e.device_id% ");
    if (f->states != 0 || is_narrow(f)) {
        buf_str(&m->sql, "AND e.state IN (0");
        for (int i = 1; i <= 4; i++)
            if (f->states == 0 || (f->states >> i & 1))
                buf_fmt(&m->sql, ", %d", i);
        buf_str(&m->sql, ") ");
    }
    if (*f->platform != '\0') {
        while (number > 0 && strcmp(device_platform_name(number), f->platform) != 0)
            number--;
        making_say(m, "AND e.list_platform = ? ", val_int(number > 0 ? number : -1));
    } else if (is_narrow(f)) {
        buf_str(&m->sql, "AND e.list_platform IN (0, 1, 2, 3, 4, 5, 6, 7) ");
    }
    if (*f->os != '\0') {
        os_range(f->os, &from, &to);
        making_say(m, "AND e.list_os >= ? ", val_int(from));
        making_say(m, "AND e.list_os < ? ", val_int(to));
    }
    if (f->seen_before != 0)
        making_say(m, "AND e.last_seen_at < ? ", val_int(f->seen_before));
}

/* How many fit the filter, up to SEARCH_MANY: asked first whether there are so many, as in
 * search.c. */
static enum outcome filter_measure(struct db *db, const struct device_filter *f, struct arena *a,
                                   int64_t *n, struct err *err)
{
    struct device_filter indexed = *f;
    enum outcome o = OK;

    *n = SEARCH_MANY;
    indexed.seen_before = 0;
    for (int count = 0; o == OK && is_narrow(f) && count < 2; count++) {
        struct making m = MAKING_INIT;
        struct rows r;

        buf_fmt(&m.sql, "SELECT %s FROM enrollment e FORCE INDEX (filters) ",
                count ? "COUNT(*)" : "1");
        filter_say(&m, &indexed, false);
        if (!count)
            making_say(&m, "LIMIT 1 OFFSET ?", val_int(SEARCH_MANY - 1));
        o = making_run(db, &m, count ? "device_filter_count" : "device_filter_measure", a, &r, err);
        if (o != OK || (!count && r.n > 0))
            break;
        if (count)
            *n = row_at(&r, 0, 0)->i;
    }
    return o;
}

/* Where a page begins; SCOPE_NEAR: at those that the caller reaches, of which the first are asked
 * for the words. */
enum begin {
    BEGIN_SCOPE,
    BEGIN_SCOPE_NEAR,
    BEGIN_WORD,
    BEGIN_FILTER,
    BEGIN_NEAR,
    BEGIN_ORDER,
    BEGIN_ALL
};

static bool is_near(enum begin begin)
{
    return begin == BEGIN_NEAR || begin == BEGIN_SCOPE_NEAR;
}

/* By their ids, in the index alone: few fit, and their rows are read then. */
static bool is_collected(enum begin begin, const struct device_filter *f)
{
    return begin == BEGIN_ALL && is_narrow(f);
}

/* "FROM ... WHERE ..." of the devices e that fit; index: that of the order. */
static void from_say(struct making *m, const struct device_filter *f, const struct search *s,
                     enum begin begin, const char *index)
{
    const bool of_scope = begin == BEGIN_SCOPE || begin == BEGIN_SCOPE_NEAR;

    buf_str(&m->sql, "FROM ");
    if (of_scope || begin == BEGIN_WORD) {
        if (of_scope)
            buf_str(&m->sql, "(" SCOPE_DEVICES ")");
        else
            search_table(s, &m->sql, m->args, &m->n);
        buf_str(&m->sql, " AS found STRAIGHT_JOIN enrollment e FORCE INDEX (PRIMARY) ON e.id = "
                         "found.id ");
    } else {
        buf_fmt(&m->sql, "enrollment e FORCE INDEX (%s) ",
                begin == BEGIN_FILTER || is_collected(begin, f) ? "filters" : index);
    }
    filter_say(m, f, !of_scope && begin != BEGIN_NEAR && !is_collected(begin, f));
    if (!is_near(begin))
        search_conditions(s,
                          begin == BEGIN_ALL     ? SEARCH_COLLECT
                          : begin == BEGIN_SCOPE ? SEARCH_EACH
                                                 : SEARCH_BY_SIZE,
                          begin == BEGIN_WORD, &m->sql, m->args, &m->n);
}

static bool is_rare(const struct search *s)
{
    return s->n > 0 && s->piece[s->rarest].devices < SEARCH_MANY;
}

/* What is searched for, and whether the caller reaches so few that all begins there. */
static enum outcome begin_read(struct db *db, const struct device_filter *f, struct arena *a,
                               struct search *s, bool *few, struct err *err)
{
    enum outcome o = search_read(db, f->text, a, s, err);

    return o == OK ? db_scope_few(db, few, err) : o;
}

/* A row with what is asked of the devices that fit; nothing: none can. */
static enum outcome of_all(struct db *db, const struct device_filter *f, const char *asked,
                           struct arena *a, struct rows *r, struct err *err)
{
    struct making m = MAKING_INIT;
    struct search s;
    bool few;
    enum outcome o = begin_read(db, f, a, &s, &few, err);

    *r = (struct rows){0};
    if (o != OK || s.nothing)
        return o;
    buf_fmt(&m.sql, "SELECT %s ", asked);
    from_say(&m, f, &s,
             is_rare(&s) && !few ? BEGIN_WORD
             : db_scoped(db)     ? BEGIN_SCOPE
                                 : BEGIN_ALL,
             "last_seen");
    return making_run(db, &m, "device_count", a, r, err);
}

enum outcome device_count(struct db *db, const struct device_filter *f, struct arena *a, int64_t *n,
                          struct err *err)
{
    struct rows r;
    enum outcome o = of_all(db, f, "COUNT(*)", a, &r, err);

    *n = r.n > 0 ? row_at(&r, 0, 0)->i : 0;
    return o;
}

enum outcome device_count_reached(struct db *db, const struct device_filter *f, struct arena *a,
                                  int64_t *n, int64_t *reached, struct err *err)
{
    struct rows r;
    enum outcome o = of_all(db, f, "COUNT(*), COALESCE(SUM(e.state = 2), 0)", a, &r, err);

    *n = r.n > 0 ? row_at(&r, 0, 0)->i : 0;
    *reached = r.n > 0 ? row_at(&r, 0, 1)->i : 0;
    return o;
}

enum outcome device_ids(struct db *db, const struct device_filter *f, int64_t after, size_t max,
                        struct arena *a, struct rows *out, struct err *err)
{
    struct making m = MAKING_INIT;
    struct search s;
    bool few;
    enum outcome o = begin_read(db, f, a, &s, &few, err);

    *out = (struct rows){0};
    if (o != OK || s.nothing)
        return o;
    buf_str(&m.sql, "SELECT e.id, e.ident ");
    from_say(&m, f, &s, few ? BEGIN_SCOPE : is_rare(&s) ? BEGIN_WORD : BEGIN_ORDER, "PRIMARY");
    making_say(&m, "AND e.id > ? ", val_int(after));
    making_say(&m, "ORDER BY e.id LIMIT ?", val_int((int64_t)(max < LIM_PAGE ? max : LIM_PAGE)));
    return making_run(db, &m, "device_ids", a, out, err);
}

/* ---- a page ---- */

/* What stands after the last one of the page before. */
static void after_say(struct making *m, const struct device_order *at)
{
    const char *column = SORTS[at->by].column, *than = at->up ? ">" : "<";
    struct val v = at->after == NULL      ? val_null()
                   : SORTS[at->by].number ? val_int(strtoll(at->after, NULL, 10))
                                          : val_str(at->after);

    if (at->after_id == 0)
        return;
    if (val_is_null(&v)) {
        buf_fmt(&m->sql, "AND ((%s IS NULL AND e.id %s ?)%s%s%s) ", column, than,
                at->up ? " OR " : "", at->up ? column : "", at->up ? " IS NOT NULL" : "");
    } else {
        buf_fmt(&m->sql, "AND (%s %s ? OR (%s = ? AND e.id %s ?)", column, than, column, than);
        if (SORTS[at->by].may_be_null && !at->up)
            buf_fmt(&m->sql, " OR %s IS NULL", column);
        buf_str(&m->sql, ") ");
        m->args[m->n++] = v;
        m->args[m->n++] = v;
    }
    m->args[m->n++] = val_int(at->after_id);
}

static void order_say(struct making *m, const struct device_order *at)
{
    const char *way = at->up ? "ASC" : "DESC";

    buf_fmt(&m->sql, "ORDER BY %s %s, e.id %s", SORTS[at->by].column, way, way);
}

/* A page that is asked for. */
struct asked {
    const struct device_filter *f;
    const struct search *s;
    const struct device_order *at;
    const char *const *facts;
    size_t nfacts, max;
};

static void columns_say(struct making *m, const struct asked *x)
{
    buf_fmt(&m->sql, "SELECT " COLUMNS ", %s", SORTS[x->at->by].column);
    for (size_t i = 0; i < x->nfacts; i++) {
        const char *alias;
        const struct inv_column *c = inv_fact(x->facts[i], &alias);

        if (c != NULL)
            buf_fmt(&m->sql, ", %s.%s", alias, c->name);
        else
            buf_str(&m->sql, ", NULL");
    }
}

/* "(SELECT ...)", the ids of the page. */
static void ids_say(struct making *m, const struct asked *x, enum begin begin)
{
    const bool collect = is_collected(begin, x->f);

    buf_str(&m->sql,
            is_near(begin) || collect ? "(SELECT e.id FROM (SELECT e.id " : "(SELECT e.id ");
    from_say(m, x->f, x->s, begin, SORTS[x->at->by].index);
    if (collect)
        making_say(
            m,
            "LIMIT ?) AS fit STRAIGHT_JOIN enrollment e FORCE INDEX (PRIMARY) ON e.id = fit.id "
            "WHERE %SCOPE e.device_id% ",
            val_int(INT64_MAX));
    after_say(m, x->at);
    order_say(m, x->at);
    if (is_near(begin)) {
        making_say(m,
                   " LIMIT ?) AS near STRAIGHT_JOIN enrollment e FORCE INDEX (PRIMARY) ON e.id = "
                   "near.id WHERE TRUE ",
                   val_int(NEAR));
        if (begin == BEGIN_NEAR)
            buf_str(&m->sql, "AND %SCOPE e.device_id% ");
        search_conditions(x->s, SEARCH_EACH, false, &m->sql, m->args, &m->n);
        order_say(m, x->at);
    }
    making_say(m, " LIMIT ?)", val_int((int64_t)x->max));
}

static enum outcome page_find(struct db *db, const struct asked *x, enum begin begin,
                              struct arena *a, struct rows *r, struct err *err)
{
    struct making m = MAKING_INIT;

    columns_say(&m, x);
    buf_str(&m.sql, " FROM ");
    ids_say(&m, x, begin);
    buf_str(&m.sql, " AS page STRAIGHT_JOIN enrollment e ON e.id = page.id " INV_FACT_JOINS);
    order_say(&m, x->at);
    return making_run(db, &m, "device_list", a, r, err);
}

/* Where they are not near: all that have the words, or all that the caller reaches. */
static enum outcome far_find(struct db *db, const struct asked *x, struct arena *a, struct rows *r,
                             struct err *err)
{
    int64_t reach = SCOPE_MANY;
    enum outcome o = OK;

    if (db_scoped(db) && x->s->n > 0)
        o = scope_measure(db, a, SCOPE_MANY, &reach, err);
    if (o != OK)
        return o;
    if (!db_scoped(db) || (x->s->n > 0 && reach >= SCOPE_MANY))
        return page_find(db, x, BEGIN_ALL, a, r, err);
    *r = (struct rows){0};
    if (x->s->n > 0 && !is_narrow(x->f)) /* a filter may exclude the words */
        o = page_find(db, x, BEGIN_SCOPE_NEAR, a, r, err);
    return o == OK && r->n < x->max ? page_find(db, x, BEGIN_SCOPE, a, r, err) : o;
}

static void brief_read(const struct val *v, enum device_sort by, struct arena *a,
                       struct device_brief *out)
{
    const struct val *place = &v[L_PLACE];

    *out = (struct device_brief){.id = v[L_ID].i,
                                 .ident = v[L_IDENT].s,
                                 .serial = val_text(&v[L_SERIAL]),
                                 .name = val_text(&v[L_NAME]),
                                 .product_name = val_text(&v[L_PRODUCT]),
                                 .model_name = val_text(&v[L_MODEL]),
                                 .os_version = val_text(&v[L_OS]),
                                 .build_version = val_text(&v[L_BUILD]),
                                 .udid = val_text(&v[L_UDID]),
                                 .users = val_text(&v[L_USERS]),
                                 .state = (int)v[L_STATE].i,
                                 .last_seen_at = v[L_SEEN].i,
                                 .enrolled_at = val_or_0(&v[L_ENROLLED]),
                                 .open_commands = v[L_OPEN].i,
                                 .facts = v + L_FACTS};
    if (!val_is_null(place))
        out->place = SORTS[by].number ? arena_fmt(a, "%lld", (long long)place->i) : place->s;
}

enum outcome device_list(struct db *db, const struct device_filter *f, struct device_order order,
                         const char *const *facts, size_t nfacts, size_t max, struct arena *a,
                         struct device_brief **out, size_t *n, struct err *err)
{
    struct search s;
    const struct asked x = {f, &s, &order, facts, nfacts, max < LIM_PAGE ? max : LIM_PAGE};
    struct rows r;
    int64_t fit = SEARCH_MANY;
    enum begin begin = BEGIN_ORDER;
    bool few = false;
    enum outcome o = begin_read(db, f, a, &s, &few, err);

    *n = 0;
    if (o == OK && nfacts > DEVICE_FACTS_MAX)
        o = err_set(err, INVALID, "at most %d facts stand in a list", DEVICE_FACTS_MAX);
    if (o == OK && !s.nothing && !few)
        o = filter_measure(db, f, a, &fit, err);
    if (o != OK || s.nothing)
        return o;
    if (few)
        begin = BEGIN_SCOPE;
    else if (is_rare(&s) && s.piece[s.rarest].devices <= fit)
        begin = BEGIN_WORD;
    else if (fit < SEARCH_MANY)
        begin = BEGIN_FILTER;
    else if (s.n > 0 || db_scoped(db))
        begin = BEGIN_NEAR;
    o = page_find(db, &x, begin, a, &r, err);
    if (o == OK && begin == BEGIN_NEAR && r.n < x.max)
        o = far_find(db, &x, a, &r, err);
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        brief_read(row_at(&r, *n, 0), order.by, a, &(*out)[*n]);
    return OK;
}
