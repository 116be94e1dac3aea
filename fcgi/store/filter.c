/* filter.c: see filter.h. The expression becomes text made of fixed pieces; values are bound. */
#include "store/filter.h"

#include "base/limits.h"
#include "store/inventory.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT_MAX (64u * LIM_KB)

/* Which tables an expression needs beside the enrollment e. */
enum join { JOIN_DEVICE = 1, JOIN_NETWORK = 2, JOIN_SECURITY = 4, JOIN_ENROLMENT = 8 };

/* What a device told when it enrolled stands in for an inventory that has not come yet. */
#define PLATFORM_SQL                                                                               \
    "COALESCE(NULLIF(d.platform, 0), CASE WHEN e.product_name LIKE 'iP%' THEN 1 "                  \
    "WHEN e.product_name LIKE '%Mac%' THEN 2 WHEN e.product_name LIKE 'AppleTV%' THEN 3 "          \
    "WHEN e.product_name LIKE 'RealityDevice%' THEN 4 WHEN e.product_name LIKE 'Watch%' THEN 5 "   \
    "END)"
#define PART(n)                                                                                    \
    "CAST(SUBSTRING_INDEX(SUBSTRING_INDEX(e.os_version, '.', " n "), '.', -1) AS SIGNED)"
#define VERSION_SQL                                                                                \
    "COALESCE(NULLIF(d.os_number, 0), IF(e.os_version REGEXP '^[0-9]', " PART(                     \
        "1") " * 1000000 + "                                                                       \
             "IF(e.os_version LIKE '%.%', " PART("2") " * 1000, 0) + "                             \
                                                      "IF(e.os_version LIKE '%.%.%', " PART(       \
                                                          "3") ", 0), NULL))"

struct fact {
    const char *name, *sql;
    enum filter_type type;
    unsigned joins;
};

static const struct fact FACTS[] = {
    {"platform", PLATFORM_SQL, FILTER_PLATFORM, JOIN_DEVICE},
    {"os_version", VERSION_SQL, FILTER_VERSION, JOIN_DEVICE},
    {"model", "COALESCE(d.model_name, e.model_name)", FILTER_TEXT, JOIN_DEVICE},
    {"product_name", "COALESCE(d.product_name, e.product_name)", FILTER_TEXT, JOIN_DEVICE},
    {"supervised", "d.is_supervised", FILTER_BOOL, JOIN_DEVICE},
    {"serial", "COALESCE(d.serial_number, e.serial)", FILTER_TEXT, JOIN_DEVICE},
    {"udid", "e.udid", FILTER_TEXT, 0},
    {"device_name", "COALESCE(d.device_name, e.device_name)", FILTER_TEXT, JOIN_DEVICE},
    {"enrolment_profile", "f.name", FILTER_TEXT, JOIN_ENROLMENT},
    {"user_enrolment", "(e.kind = 4)", FILTER_BOOL, 0},
};
#define NFACTS (sizeof FACTS / sizeof *FACTS)

struct compile {
    struct arena *a;
    struct buf text;
    struct val args[FILTER_VALUES];
    size_t nargs, leaves;
    unsigned joins;
    struct err *err;
};

static enum filter_type column_type(const struct inv_column *col)
{
    return col->type == INV_TEXT   ? FILTER_TEXT
           : col->type == INV_BOOL ? FILTER_BOOL
                                   : FILTER_NUMBER;
}

const char *filter_fact_name(size_t i)
{
    const struct inv_column *c = i < NFACTS ? NULL : inv_fact_at(i - NFACTS);

    return i < NFACTS ? FACTS[i].name : c != NULL ? c->key : NULL;
}

/* A column of the inventory by Apple's key. */
static bool inventory_fact(struct compile *c, const char *name, struct fact *out)
{
    const char *alias;
    const struct inv_column *col = inv_fact(name, &alias);

    if (col == NULL)
        return false;
    *out = (struct fact){name, arena_fmt(c->a, "%s.%s", alias, col->name), column_type(col),
                         *alias == 'd'   ? JOIN_DEVICE
                         : *alias == 'n' ? JOIN_NETWORK
                                         : JOIN_SECURITY};
    return out->sql != NULL;
}

bool filter_asks_tag(js e, const char *tag)
{
    static const char *const lists[] = {"all", "any"};
    const char *own = js_get_str(e, "tag");

    if (own != NULL)
        return tag == NULL || strcmp(own, tag) == 0;
    for (size_t i = 0; i < 2; i++) {
        js list = js_get(e, lists[i]);

        for (size_t k = 0; list != NULL && k < js_size(list); k++)
            if (filter_asks_tag(js_at(list, k), tag))
                return true;
    }
    return js_get(e, "not") != NULL && filter_asks_tag(js_get(e, "not"), tag);
}

const char *filter_type_name(enum filter_type type)
{
    static const char *const names[] = {"?", "text", "number", "boolean", "platform", "version"};

    return names[type >= FILTER_NONE && type <= FILTER_VERSION ? type : FILTER_NONE];
}

enum filter_type filter_fact_type(const char *name)
{
    const struct inv_column *col;
    const char *alias;

    for (size_t i = 0; i < NFACTS; i++)
        if (strcmp(FACTS[i].name, name) == 0)
            return FACTS[i].type;
    col = inv_fact(name, &alias);
    return col != NULL ? column_type(col) : FILTER_NONE;
}

static enum outcome fact_find(struct compile *c, const char *name, struct fact *out)
{
    for (size_t i = 0; i < NFACTS; i++)
        if (strcmp(FACTS[i].name, name) == 0) {
            *out = FACTS[i];
            return OK;
        }
    if (inventory_fact(c, name, out))
        return OK;
    return err_set(c->err, INVALID, "there is no fact \"%.64s\" to filter by", name);
}

/* ---- values ---- */

static enum outcome bind(struct compile *c, struct val v)
{
    if (c->nargs == FILTER_VALUES)
        return err_set(c->err, INVALID, "a filter has at most %u values", FILTER_VALUES);
    c->args[c->nargs++] = v;
    return OK;
}

static enum outcome version_value(struct compile *c, const char *s, struct val *out)
{
    long part[3] = {0};
    char *end = NULL;
    int n = 0;

    for (const char *p = s; p != NULL && n < 3; p = *end == '.' ? end + 1 : NULL) {
        part[n] = strtol(p, &end, 10);
        if (end == p || part[n] < 0 || part[n++] > 999)
            end = NULL;
        if (end == NULL)
            break;
    }
    if (end == NULL || *end != '\0')
        return err_set(c->err, INVALID, "a version is a text like \"17.4.1\"");
    *out = val_int(part[0] * 1000000 + part[1] * 1000 + part[2]);
    return OK;
}

static enum outcome platform_value(struct compile *c, const char *s, struct val *out)
{
    static const char *const names[] = {"iOS", "macOS", "tvOS", "visionOS", "watchOS"};

    for (size_t i = 0; s != NULL && i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], s) == 0) {
            *out = val_int((int64_t)i + 1);
            return OK;
        }
    return err_set(c->err, INVALID, "a platform is iOS, macOS, tvOS, visionOS or watchOS");
}

static enum outcome value_read(struct compile *c, const struct fact *f, js v, struct val *out)
{
    const char *s = js_str(v);
    int64_t i;
    double d;
    bool b;

    switch (f->type) {
    case FILTER_PLATFORM:
        return platform_value(c, s, out);
    case FILTER_VERSION:
        return version_value(c, s, out);
    case FILTER_BOOL:
        if (!js_bool(v, &b))
            return err_set(c->err, INVALID, "%s is true or false", f->name);
        *out = val_int(b);
        return OK;
    case FILTER_NUMBER:
        if (js_int(v, &i))
            *out = val_int(i);
        else if (js_real(v, &d))
            *out = val_str(arena_fmt(c->a, "%.17g", d));
        else
            return err_set(c->err, INVALID, "%s is a number", f->name);
        return OK;
    case FILTER_TEXT:
    case FILTER_NONE:
        break;
    }
    if (s == NULL || strlen(s) > 4 * LIM_IDENT)
        return err_set(c->err, INVALID, "%s is a text", f->name);
    *out = val_str(arena_strdup(c->a, s));
    return out->s != NULL ? OK : err_set(c->err, ERROR, "out of memory");
}

/* ---- leaves ---- */

static enum outcome op_compare(struct compile *c, const struct fact *f, const char *op, js v)
{
    struct val value;
    enum outcome o = value_read(c, f, v, &value);

    if (o != OK)
        return o;
    buf_fmt(&c->text, "%s %s ?", f->sql, op);
    return bind(c, value);
}

static enum outcome op_order(struct compile *c, const struct fact *f, const char *op, js v)
{
    if (f->type == FILTER_BOOL || f->type == FILTER_PLATFORM)
        return err_set(c->err, INVALID, "%s has no order", f->name);
    return op_compare(c, f, op, v);
}

static enum outcome op_in(struct compile *c, const struct fact *f, js list)
{
    enum outcome o = OK;

    if (js_type_of(list) != JS_ARRAY || js_size(list) == 0)
        return err_set(c->err, INVALID, "\"in\" needs an array of values");
    buf_fmt(&c->text, "%s IN (", f->sql);
    for (size_t i = 0; o == OK && i < js_size(list); i++) {
        struct val value;

        buf_str(&c->text, i != 0 ? ",?" : "?");
        o = value_read(c, f, js_at(list, i), &value);
        if (o == OK)
            o = bind(c, value);
    }
    buf_char(&c->text, ')');
    return o;
}

static enum outcome op_part(struct compile *c, const struct fact *f, bool begins, js v)
{
    struct val value;
    enum outcome o;

    if (f->type != FILTER_TEXT)
        return err_set(c->err, INVALID, "%s is no text", f->name);
    if ((o = value_read(c, f, v, &value)) != OK)
        return o;
    buf_fmt(&c->text, "LOCATE(?, %s COLLATE utf8mb4_general_ci) %s", f->sql,
            begins ? "= 1" : "> 0");
    return bind(c, value);
}

static enum outcome op_known(struct compile *c, const struct fact *f, js v)
{
    bool known;

    if (!js_bool(v, &known))
        return err_set(c->err, INVALID, "\"known\" is true or false");
    buf_fmt(&c->text, "%s IS %sNULL", f->sql, known ? "NOT " : "");
    return OK;
}

static enum outcome fact_leaf(struct compile *c, js e)
{
    static const struct {
        const char *word, *sql;
        bool order;
    } ops[] = {{"is", "=", false},      {"is_not", "<>", false}, {"below", "<", true},
               {"at_most", "<=", true}, {"above", ">", true},    {"at_least", ">=", true}};
    const char *name = js_get_str(e, "fact");
    struct fact f;
    js v;

    if (name == NULL || js_size(e) != 2)
        return err_set(c->err, INVALID, "a fact stands with its name and one comparison");
    if (fact_find(c, name, &f) != OK)
        return INVALID;
    c->joins |= f.joins;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if ((v = js_get(e, ops[i].word)) != NULL)
            return ops[i].order ? op_order(c, &f, ops[i].sql, v) : op_compare(c, &f, ops[i].sql, v);
    if ((v = js_get(e, "in")) != NULL)
        return op_in(c, &f, v);
    if ((v = js_get(e, "begins")) != NULL)
        return op_part(c, &f, true, v);
    if ((v = js_get(e, "contains")) != NULL)
        return op_part(c, &f, false, v);
    if ((v = js_get(e, "known")) != NULL)
        return op_known(c, &f, v);
    return err_set(c->err, INVALID,
                   "%.64s is compared by is, is_not, in, below, at_most, above, at_least, begins, "
                   "contains or known",
                   name);
}

static enum outcome exists_leaf(struct compile *c, js e, const char *key, const char *sql)
{
    static const struct fact text = {"it", "", FILTER_TEXT, 0};
    struct val value;
    enum outcome o;

    if (js_size(e) != 1)
        return err_set(c->err, INVALID, "\"%s\" stands alone", key);
    if ((o = value_read(c, &text, js_get(e, key), &value)) != OK)
        return o;
    buf_str(&c->text, sql);
    return bind(c, value);
}

/* ---- the expression ---- */

static enum outcome node(struct compile *c, js e, unsigned depth);

static enum outcome list_node(struct compile *c, js list, const char *word, unsigned depth)
{
    enum outcome o = OK;

    if (js_type_of(list) != JS_ARRAY || js_size(list) == 0)
        return err_set(c->err, INVALID, "\"all\" and \"any\" need an array of expressions");
    buf_char(&c->text, '(');
    for (size_t i = 0; o == OK && i < js_size(list); i++) {
        if (i != 0)
            buf_fmt(&c->text, " %s ", word);
        o = node(c, js_at(list, i), depth + 1);
    }
    buf_char(&c->text, ')');
    return o;
}

/* Of what is not known a comparison is neither true nor false for SQL; here it is false. */
static enum outcome leaf(struct compile *c, js e)
{
    enum outcome o;

    if (++c->leaves > FILTER_LEAVES)
        return err_set(c->err, INVALID, "a filter has at most %u comparisons", FILTER_LEAVES);
    buf_str(&c->text, "(COALESCE(");
    if (js_get(e, "fact") != NULL)
        o = fact_leaf(c, e);
    else if (js_get(e, "tag") != NULL)
        o = exists_leaf(
            c, e, "tag",
            "EXISTS (SELECT 1 FROM device_tag t WHERE t.device_id = e.id AND t.tag = ?)");
    else if (js_get(e, "profile") != NULL)
        o = exists_leaf(c, e, "profile",
                        "EXISTS (SELECT 1 FROM inv_profile p WHERE p.enrollment_id = e.id AND "
                        "p.identifier = ?)");
    else if (js_get(e, "app") != NULL)
        o = exists_leaf(c, e, "app",
                        "EXISTS (SELECT 1 FROM inv_app b JOIN software w ON w.id = b.software_id "
                        "WHERE b.enrollment_id = e.id AND w.identifier = ?)");
    else
        o = err_set(c->err, INVALID,
                    "an expression is all, any, not, fact, tag, profile or app, with its value");
    buf_str(&c->text, ", 0) = 1)");
    return o;
}

static enum outcome node(struct compile *c, js e, unsigned depth)
{
    enum outcome o;

    if (depth > FILTER_DEPTH)
        return err_set(c->err, INVALID, "a filter is at most %u levels deep", FILTER_DEPTH);
    if (js_type_of(e) != JS_OBJECT)
        return err_set(c->err, INVALID, "an expression is a JSON object");
    if (js_size(e) != 1)
        return leaf(c, e);
    if (js_get(e, "all") != NULL)
        return list_node(c, js_get(e, "all"), "AND", depth);
    if (js_get(e, "any") != NULL)
        return list_node(c, js_get(e, "any"), "OR", depth);
    if (js_get(e, "not") == NULL)
        return leaf(c, e);
    buf_str(&c->text, "(NOT ");
    o = node(c, js_get(e, "not"), depth + 1);
    buf_char(&c->text, ')');
    return o;
}

enum outcome filter_compile(js expression, struct arena *a, struct filter *out, struct err *err)
{
    struct compile *c = arena_alloc(a, sizeof *c);
    struct buf joins = BUF_INIT(LIM_KB);
    enum outcome o;

    *out = (struct filter){0};
    if (c == NULL)
        return err_set(err, ERROR, "out of memory");
    c->a = a;
    c->err = err;
    buf_init(&c->text, TEXT_MAX);
    o = node(c, expression, 0);
    if (o == OK && buf_failed(&c->text))
        o = err_set(err, INVALID, "the filter is too long");
    if (c->joins & JOIN_DEVICE)
        buf_str(&joins, "LEFT JOIN inv_device d ON d.enrollment_id = e.id ");
    if (c->joins & JOIN_NETWORK)
        buf_str(&joins, "LEFT JOIN inv_network n ON n.enrollment_id = e.id ");
    if (c->joins & JOIN_SECURITY)
        buf_str(&joins, "LEFT JOIN inv_security s ON s.enrollment_id = e.id ");
    if (c->joins & JOIN_ENROLMENT)
        buf_str(&joins, "LEFT JOIN life l ON l.id = e.life_id LEFT JOIN handout h ON h.id = "
                        "l.handout_id LEFT JOIN enroll_profile f ON f.id = h.profile_id ");
    out->where = arena_strdup(a, buf_cstr(&c->text));
    out->joins = arena_strdup(a, buf_cstr(&joins));
    out->args = c->args;
    out->nargs = c->nargs;
    if (o == OK && (out->where == NULL || out->joins == NULL))
        o = err_set(err, ERROR, "out of memory");
    buf_free(&joins);
    buf_free(&c->text);
    return o;
}

/* Runs "SELECT what FROM enrollment e ... rest" for the devices that the filter lets through. */
static enum outcome filter_select(struct db *db, const struct filter *f, const char *what,
                                  int64_t only, const char *rest, struct arena *a, struct rows *r,
                                  struct err *err)
{
    struct val *args = arena_array(a, (f != NULL ? f->nargs : 0) + 1, sizeof *args);
    struct sql sql = {.name = "filter_devices"};
    size_t k = 0;
    enum outcome o;

    sql.text = arena_fmt(a,
                         "SELECT %s FROM enrollment e %sWHERE e.kind IN (1, 4) AND e.state = 2 AND "
                         "%%SCOPE e.device_id%%%s%s%s %s",
                         what, f != NULL ? f->joins : "", only != 0 ? " AND e.id = ?" : "",
                         f != NULL ? " AND " : "", f != NULL ? f->where : "", rest);
    if (args == NULL || sql.text == NULL)
        return err_set(err, ERROR, "out of memory");
    if (only != 0)
        args[k++] = val_int(only);
    for (size_t i = 0; f != NULL && i < f->nargs; i++)
        args[k++] = f->args[i];
    o = db_select(db, &sql, args, k, a, r, err);
    db_forget(db, &sql);
    return o;
}

enum outcome filter_devices(struct db *db, const struct filter *f, int64_t only, struct arena *a,
                            int64_t **ids, size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o = filter_select(db, f, "e.id", only, "ORDER BY e.id", a, &r, err);

    *n = 0;
    if (o != OK)
        return o;
    *ids = arena_array(a, r.n + 1, sizeof **ids);
    if (*ids == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        (*ids)[*n] = row_at(&r, *n, 0)->i;
    return OK;
}

enum outcome filter_count(struct db *db, const struct filter *f, size_t max, struct arena *a,
                          int64_t *n, struct filter_match **some, size_t *nsome, struct err *err)
{
    struct rows r;
    enum outcome o = filter_select(db, f, "COUNT(*)", 0, "", a, &r, err);

    *nsome = 0;
    *n = o == OK ? row_at(&r, 0, 0)->i : 0;
    if (o == OK)
        o = filter_select(db, f, "e.ident, e.device_name, e.serial", 0,
                          arena_fmt(a, "ORDER BY e.id LIMIT %zu", max), a, &r, err);
    if (o != OK)
        return o;
    *some = arena_array(a, r.n + 1, sizeof **some);
    if (*some == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *nsome < r.n; ++*nsome) {
        const struct val *v = row_at(&r, *nsome, 0);

        (*some)[*nsome] = (struct filter_match){v[0].s, val_text(&v[1]), val_text(&v[2])};
    }
    return OK;
}
