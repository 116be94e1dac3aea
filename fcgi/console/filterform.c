/* filterform.c: see filterform.h. */
#include "console/filterform.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

static const char *const GROUPS[] = {"all", "any", "none", "notall", NULL};
static const char *const LEAVES[] = {"fact", "tag", "profile", "app", NULL};
static const char *const OPS[] = {"is",      "is_not", "in",    "contains", "begins", "at_least",
                                  "at_most", "above",  "below", "known",    NULL};

static bool among(const char *const *words, const char *s)
{
    while (*words && strcmp(*words, s) != 0)
        words++;
    return *words != NULL;
}

static bool is_group(const struct filterform_row *r)
{
    return among(GROUPS, r->kind);
}

static struct filterform_row blank(unsigned depth, const char *kind)
{
    return (struct filterform_row){depth, kind, "", "is", ""};
}

void filterform_empty(struct filterform *f)
{
    f->n = 2;
    f->rows[0] = blank(0, "all");
    f->rows[1] = blank(1, "fact");
    f->rows[1].fact = "platform";
}

/* ---- from the form ---- */

struct reading {
    struct page *p;
    struct filterform *f;
};

static const char *word_of(const char *const *words, const char *s)
{
    while (*words && strcmp(*words, s) != 0)
        words++;
    return *words;
}

/* Fields come in the order of the page; "kind" begins a row. */
static bool field(const char *name, const char *value, void *arg)
{
    struct reading *x = arg;
    struct filterform *f = x->f;
    const char *known;
    if (strcmp(name, "r_kind") == 0) {
        known = word_of(GROUPS, value);
        known = known ? known : word_of(LEAVES, value);
        if (f->n < FILTERFORM_ROWS)
            f->rows[f->n++] = blank(0, known ? known : "fact");
        return true;
    }
    if (f->n == 0)
        return true;
    struct filterform_row *r = &f->rows[f->n - 1];
    if (strcmp(name, "r_depth") == 0) {
        int64_t d = page_number(value);
        r->depth = d > 0 && d <= FILTER_DEPTH ? (unsigned)d : 0;
    } else if (strcmp(name, "r_fact") == 0) {
        r->fact = arena_strdup(x->p->a, value);
    } else if (strcmp(name, "r_op") == 0) {
        known = word_of(OPS, value);
        r->op = known ? known : "is";
    } else if (strcmp(name, "r_value") == 0) {
        r->value = arena_strdup(x->p->a, value);
    }
    return true;
}

/* The row past what is in the group, or the comparison, at i. */
static size_t past(const struct filterform *f, size_t i)
{
    size_t k = i + 1;
    while (k < f->n && f->rows[k].depth > f->rows[i].depth)
        k++;
    return k;
}

static void insert(struct filterform *f, size_t at, struct filterform_row r)
{
    if (f->n == FILTERFORM_ROWS || r.depth > FILTER_DEPTH)
        return;
    memmove(&f->rows[at + 1], &f->rows[at], (f->n - at) * sizeof f->rows[0]);
    f->rows[at] = r;
    f->n++;
}

static void act(struct filterform *f, const char *what)
{
    const char *colon = strchr(what, ':');
    int64_t i = colon ? page_number(colon + 1) : -1;
    if (i < 0 || (size_t)i >= f->n)
        return;
    size_t at = (size_t)i, end = past(f, at);
    unsigned depth = f->rows[at].depth + 1;
    if (strncmp(what, "drop:", 5) == 0 && at > 0) {
        memmove(&f->rows[at], &f->rows[end], (f->n - end) * sizeof f->rows[0]);
        f->n -= end - at;
    } else if (strncmp(what, "fact:", 5) == 0 && is_group(&f->rows[at])) {
        insert(f, end, blank(depth, "fact"));
    } else if (strncmp(what, "group:", 6) == 0 && is_group(&f->rows[at])) {
        insert(f, end, blank(depth, "any"));
        insert(f, end + 1, blank(depth + 1, "fact"));
    }
}

/* A form that was made by hand is brought into order: the first row holds all others, and none is
 * deeper than one below what it stands in. */
static void straighten(struct filterform *f)
{
    if (f->n == 0)
        filterform_empty(f);
    if (!is_group(&f->rows[0]))
        f->rows[0] = blank(0, "all");
    f->rows[0].depth = 0;
    for (size_t i = 1; i < f->n; i++) {
        unsigned most = f->rows[i - 1].depth + is_group(&f->rows[i - 1]);
        struct filterform_row *r = &f->rows[i];
        r->depth = r->depth < 1 ? 1 : r->depth > most ? most : r->depth;
        if (!r->fact || !r->value)
            *r = blank(r->depth, r->kind);
    }
}

void filterform_read(struct page *p, struct filterform *f)
{
    struct reading x = {p, f};
    f->n = 0;
    req_form_each(p->req, field, &x);
    straighten(f);
    act(f, page_field(p, "do"));
}

/* ---- from an expression ---- */

static const char *value_text_of(struct page *p, js v)
{
    int64_t i;
    double d;
    bool b;
    if (js_str(v))
        return arena_strdup(p->a, js_str(v));
    if (js_bool(v, &b))
        return b ? "true" : "false";
    if (js_int(v, &i))
        return arena_fmt(p->a, "%lld", (long long)i);
    const char *s = "";
    if (!js_real(v, &d))
        return s;
    for (int digits = 15; digits <= 17; digits++) { /* 0.2, not 0.20000000000000001 */
        s = arena_fmt(p->a, "%.*g", digits, d);
        if (!s || strtod(s, NULL) == d)
            break;
    }
    return s ? s : "";
}

static bool add(struct filterform *f, struct filterform_row r)
{
    if (f->n == FILTERFORM_ROWS)
        return false;
    f->rows[f->n++] = r;
    return true;
}

static bool node(struct page *p, js e, unsigned depth, struct filterform *f);

static bool list(struct page *p, js items, const char *kind, unsigned depth, struct filterform *f)
{
    bool ok = add(f, blank(depth, kind));
    for (size_t i = 0; ok && i < js_size(items); i++)
        ok = node(p, js_at(items, i), depth + 1, f);
    return ok;
}

/* "in": one row with commas, or, where a value has a comma, any of several. */
static bool in_list(struct page *p, js values, struct filterform_row r, struct filterform *f)
{
    bool comma = false;
    const char *all = "";
    for (size_t i = 0; i < js_size(values); i++) {
        const char *s = value_text_of(p, js_at(values, i));
        comma = comma || !s || strchr(s, ',') || strpbrk(s, "\r\n");
        all = arena_fmt(p->a, "%s%s%s", all ? all : "", i ? ", " : "", s ? s : "");
    }
    if (!comma) {
        r.value = all ? all : "";
        return add(f, r);
    }
    bool ok = add(f, blank(r.depth++, "any"));
    r.op = "is";
    for (size_t i = 0; ok && i < js_size(values); i++) {
        r.value = value_text_of(p, js_at(values, i));
        ok = add(f, r);
    }
    return ok;
}

static bool leaf(struct page *p, js e, unsigned depth, struct filterform *f)
{
    struct filterform_row r = blank(depth, "fact");
    for (int i = 1; LEAVES[i]; i++)
        if (js_get_str(e, LEAVES[i])) {
            r.kind = LEAVES[i];
            r.value = arena_strdup(p->a, js_get_str(e, LEAVES[i]));
            return add(f, r);
        }
    r.fact = arena_strdup(p->a, js_get_str(e, "fact") ? js_get_str(e, "fact") : "");
    for (int i = 0; OPS[i]; i++)
        if (js_get(e, OPS[i])) {
            r.op = OPS[i];
            if (strcmp(OPS[i], "in") == 0)
                return in_list(p, js_get(e, "in"), r, f);
            r.value = value_text_of(p, js_get(e, OPS[i]));
        }
    return add(f, r);
}

static bool node(struct page *p, js e, unsigned depth, struct filterform *f)
{
    js not = js_get(e, "not");
    if (js_get(e, "all"))
        return list(p, js_get(e, "all"), "all", depth, f);
    if (js_get(e, "any"))
        return list(p, js_get(e, "any"), "any", depth, f);
    if (not &&js_get(not, "any"))
        return list(p, js_get(not, "any"), "none", depth, f);
    if (not &&js_get(not, "all"))
        return list(p, js_get(not, "all"), "notall", depth, f);
    if (not )
        return add(f, blank(depth, "none")) && node(p, not, depth + 1, f);
    return leaf(p, e, depth, f);
}

bool filterform_of(struct page *p, js expression, struct filterform *f)
{
    f->n = 0;
    if (js_get(expression, "all") || js_get(expression, "any") || js_get(expression, "not"))
        return node(p, expression, 0, f);
    return add(f, blank(0, "all")) && node(p, expression, 1, f);
}

/* ---- to an expression ---- */

static js wrong(struct page *p, size_t row, const char *key)
{
    err_set(&p->err, INVALID, "%s %zu: %s", page_text(p, "filter_row"), row, page_text(p, key));
    return NULL;
}

static js value_of(struct page *p, const struct filterform_row *r, const char *s, size_t row)
{
    enum filter_type type = filter_fact_type(r->fact);
    char *end;
    if (type == FILTER_BOOL || strcmp(r->op, "known") == 0) {
        if (strcasecmp(s, "true") == 0 || strcasecmp(s, page_text(p, "yes")) == 0)
            return js_new_bool(true);
        if (strcasecmp(s, "false") == 0 || strcasecmp(s, page_text(p, "no")) == 0)
            return js_new_bool(false);
        return wrong(p, row, "filter_bool");
    }
    if (type != FILTER_NUMBER)
        return js_new_str(s);
    errno = 0;
    long long i = strtoll(s, &end, 10);
    if (*s && *end == '\0' && errno == 0)
        return js_new_int(i);
    double d = strtod(s, &end);
    return *s && *end == '\0' ? js_new_real(d) : wrong(p, row, "filter_number");
}

static js values_of(struct page *p, const struct filterform_row *r, size_t row)
{
    js out = js_array();
    for (const char *s = r->value; s && *s;) {
        size_t n = strcspn(s, ",\r\n");
        const char *from = s + strspn(s, " "), *to = s + n;
        while (to > from && to[-1] == ' ')
            to--;
        s += n;
        s += strspn(s, ",\r\n");
        if (to <= from)
            continue;
        js v = value_of(p, r, arena_strndup(p->a, from, (size_t)(to - from)), row);
        if (!v) {
            js_free(&out);
            return NULL;
        }
        js_append(out, v);
    }
    return out;
}

static js leaf_of(struct page *p, const struct filterform_row *r, size_t row)
{
    js out, v;
    if (strcmp(r->kind, "fact") != 0) {
        if (!*r->value)
            return wrong(p, row, "filter_empty_value");
        out = js_object();
        js_set_str(out, r->kind, r->value);
        return out;
    }
    if (filter_fact_type(r->fact) == FILTER_NONE)
        return wrong(p, row, "filter_no_fact");
    v = strcmp(r->op, "in") == 0 ? values_of(p, r, row) : value_of(p, r, r->value, row);
    if (!v)
        return NULL;
    out = js_object();
    js_set_str(out, "fact", r->fact);
    js_set(out, r->op, v);
    return out;
}

static js group_of(struct page *p, const struct filterform *f, size_t *at)
{
    const struct filterform_row *r = &f->rows[*at];
    size_t row = *at + 1, end = past(f, *at);
    bool no = strcmp(r->kind, "none") == 0 || strcmp(r->kind, "notall") == 0;
    bool all = strcmp(r->kind, "all") == 0 || strcmp(r->kind, "notall") == 0;
    js items = js_array(), out, outer;
    for (++*at; *at < end;) {
        js one;
        if (is_group(&f->rows[*at])) {
            one = group_of(p, f, at);
        } else {
            one = leaf_of(p, &f->rows[*at], *at + 1);
            ++*at;
        }
        if (!one) {
            js_free(&items);
            return NULL;
        }
        js_append(items, one);
    }
    if (js_size(items) == 0) {
        js_free(&items);
        return wrong(p, row, "filter_empty_group");
    }
    out = js_object();
    js_set(out, all ? "all" : "any", items);
    if (!no)
        return out;
    outer = js_object();
    js_set(outer, "not", out);
    return outer;
}

enum outcome filterform_expression(struct page *p, const struct filterform *f, js *out)
{
    size_t at = 0;
    p->err = (struct err){.outcome = OK};
    *out = group_of(p, f, &at);
    if (!*out && p->err.outcome == OK)
        err_set(&p->err, ERROR, "out of memory");
    return *out ? OK : p->err.outcome;
}

/* ---- showing ---- */

static void options(struct page *p, struct value *v, const char *key, const char *const *words,
                    const char *prefix, const char *chosen)
{
    struct value *all = value_set_list(v, key);
    for (int i = 0; words[i]; i++) {
        struct value *o = value_append_dict(all);
        value_set_text(o, "value", words[i]);
        value_set_text(o, "text", page_text(p, arena_fmt(p->a, "%s_%s", prefix, words[i])));
        value_set_bool(o, "chosen", strcmp(words[i], chosen) == 0);
    }
}

void filterform_show(struct page *p, const struct filterform *f)
{
    struct value *rows = value_set_list(p->root, "rows"), *facts = value_set_list(p->root, "facts");
    for (size_t i = 0; i < f->n; i++) {
        const struct filterform_row *r = &f->rows[i];
        struct value *v = value_append_dict(rows);
        value_set_int(v, "at", (int64_t)i);
        value_set_int(v, "number", (int64_t)i + 1);
        value_set_int(v, "depth", r->depth);
        value_set_text(v, "indent", r->depth > 5 ? "5" : arena_fmt(p->a, "%u", r->depth));
        value_set_bool(v, "is_group", is_group(r));
        value_set_bool(v, "is_fact", strcmp(r->kind, "fact") == 0);
        value_set_bool(v, "removable", i > 0);
        value_set_text(v, "fact", r->fact);
        value_set_text(v, "value", r->value);
        value_set_text(v, "kind", r->kind);
        options(p, v, "kinds", is_group(r) ? GROUPS : LEAVES, "filter", r->kind);
        options(p, v, "ops", OPS, "op", r->op);
    }
    for (size_t i = 0; filter_fact_name(i); i++)
        value_append(facts, value_text(p->a, filter_fact_name(i)));
}
