/* columns.c: see columns.h. */
#include "console/columns.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "http/csv.h"
#include "store/choice.h"
#include "store/inventory.h"

#define USUAL "serial model os state open seen"
#define NAME_SORT "name"

enum own {
    C_SERIAL,
    C_MODEL,
    C_PRODUCT,
    C_OS,
    C_BUILD,
    C_STATE,
    C_OPEN,
    C_SEEN,
    C_ENROLLED,
    C_USERS,
    C_UDID,
    C__MAX
};

/* The list's own columns: the name in the choice, in the catalogue of texts, in CSV, and in "sort".
 */
static const struct {
    const char *name, *text, *csv, *sort;
    enum device_sort by;
} OWN[C__MAX] = {
    [C_SERIAL] = {"serial", "col_serial", "serial_number", "serial", DEVICE_BY_SERIAL},
    [C_MODEL] = {"model", "col_model", "model", NULL, 0},
    [C_PRODUCT] = {"product", "col_product", "product", NULL, 0},
    [C_OS] = {"os", "col_os", "os_version", "os", DEVICE_BY_OS},
    [C_BUILD] = {"build", "col_build", "build_version", NULL, 0},
    [C_STATE] = {"state", "state", "state", NULL, 0},
    [C_OPEN] = {"open", "col_open", "open_commands", NULL, 0},
    [C_SEEN] = {"seen", "col_seen", "last_seen", "seen", DEVICE_BY_SEEN},
    [C_ENROLLED] = {"enrolled", "col_enrolled", "enrolled_at", "enrolled", DEVICE_BY_ENROLLED},
    [C_USERS] = {"users", "users", "users", NULL, 0},
    [C_UDID] = {"udid", "fact_udid", "udid", NULL, 0},
};

struct device_order columns_order(const char *sort)
{
    struct device_order o = {.by = DEVICE_BY_SEEN};
    bool down = sort && *sort == '-';
    if (!sort)
        return o;
    sort += down;
    if (strcmp(sort, NAME_SORT) == 0)
        return (struct device_order){.by = DEVICE_BY_NAME, .up = !down};
    for (int i = 0; i < C__MAX; i++)
        if (OWN[i].sort && strcmp(OWN[i].sort, sort) == 0)
            return (struct device_order){.by = OWN[i].by, .up = !down};
    return o;
}

/* Adds a column by its name, unless it is none, is there already, or there is no room. */
static void add(struct columns *c, const char *name)
{
    const char *alias;
    if (c->n == COLUMNS_MAX) {
        c->left_out = true;
        return;
    }
    for (int i = 0; i < C__MAX; i++)
        if (strcmp(OWN[i].name, name) == 0) {
            for (size_t k = 0; k < c->n; k++)
                if (c->own[k] == i)
                    return;
            c->own[c->n++] = i;
            return;
        }
    const struct inv_column *fact = inv_fact(name, &alias);
    if (!fact)
        return;
    for (size_t k = 0; k < c->nfacts; k++)
        if (strcmp(c->facts[k], fact->key) == 0)
            return;
    if (c->nfacts == DEVICE_FACTS_MAX) {
        c->left_out = true;
        return;
    }
    c->own[c->n] = -1;
    c->fact[c->n++] = c->nfacts;
    c->facts[c->nfacts++] = fact->key;
}

static void read_choice(struct page *p, struct columns *c, const char *value)
{
    char *text = arena_strdup(p->a, value), *rest = text;
    *c = (struct columns){0};
    for (char *word; text && (word = strtok_r(rest, " ", &rest)) != NULL;)
        add(c, word);
}

static bool has(const struct columns *c, const char *name)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->own[i] >= 0 ? OWN[c->own[i]].name : c->facts[c->fact[i]], name) == 0)
            return true;
    return false;
}

/* A fact's name in the reader's language; *known: it has one, and not Apple's key alone. */
static const char *fact_label(struct page *p, const char *key, bool *known)
{
    const char *name = page_named(p, arena_fmt(p->a, "inv_%s", key));
    *known = name != NULL;
    return name ? name : key;
}

/* key: Apple's, where that is not what it is called. */
static void box(struct value *list, const char *name, const char *text, const char *key,
                bool chosen)
{
    struct value *v = value_append_dict(list);
    value_set_text(v, "name", name);
    value_set_text(v, "text", text);
    value_set_text(v, "key", key);
    value_set_bool(v, "chosen", chosen);
}

/* What the form has ticked: it was not kept, and is not lost. */
struct ticks {
    const char *name;
    bool any, found;
};

static bool tick(const char *name, const char *value, void *arg)
{
    struct ticks *t = arg;
    if (strcmp(name, "column") == 0) {
        t->any = true;
        t->found |= strcmp(value, t->name) == 0;
    }
    return true;
}

static bool chosen(struct page *p, const struct columns *c, const char *name)
{
    struct ticks t = {.name = name};
    if (p->req->method == METHOD_POST)
        req_form_each(p->req, tick, &t);
    return t.any ? t.found : has(c, name);
}

static void set_form(struct page *p, const struct columns *c)
{
    struct value *own = value_set_list(p->root, "columns_own");
    struct value *facts = value_set_list(p->root, "columns_facts");
    struct ticks t = {.name = ""};
    for (int i = 0; i < C__MAX; i++)
        box(own, OWN[i].name, page_text(p, OWN[i].text), NULL, chosen(p, c, OWN[i].name));
    const struct inv_column *f;
    for (size_t i = 0; (f = inv_fact_at(i)); i++) {
        const char *alias;
        bool known;
        const char *text = fact_label(p, f->key, &known);
        if (inv_fact(f->key, &alias) == f) /* of two tables with one key the first is shown */
            box(facts, f->key, text, known ? f->key : NULL, chosen(p, c, f->key));
    }
    if (p->req->method == METHOD_POST)
        req_form_each(p->req, tick, &t);
    value_set_bool(p->root, "ticked", t.any);
}

bool columns_of(struct page *p, struct columns *c)
{
    const struct session *s = p->caller->session;
    const char *value;
    if (choice_get(p->db, s->admin, "columns", p->a, &value, &p->err) != OK)
        return false;
    read_choice(p, c, value);
    if (c->n == 0)
        read_choice(p, c, USUAL);
    set_form(p, c);
    return true;
}

static bool gather(const char *name, const char *value, void *arg)
{
    struct columns *c = arg;
    if (strcmp(name, "column") == 0)
        add(c, value);
    return true;
}

bool columns_keep(struct page *p)
{
    struct columns c = {0};
    struct buf b = BUF_INIT(CHOICE_VALUE_MAX);
    req_form_each(p->req, gather, &c);
    const char *most = arena_fmt(p->a, "%d", DEVICE_FACTS_MAX);
    for (size_t i = 0; i < c.n; i++)
        buf_fmt(&b, "%s%s", i ? " " : "", c.own[i] >= 0 ? OWN[c.own[i]].name : c.facts[c.fact[i]]);
    enum outcome o =
        buf_failed(&b) || c.left_out
            ? err_set(&p->err, INVALID, "%s", words_fill(p->w, p->a, "columns_many", most, NULL))
            : choice_set(p->db, p->caller->session->admin, "columns", buf_cstr(&b), &p->err);
    buf_free(&b);
    return o == OK;
}

static struct value *head(struct page *p, struct value *list, const char *text, const char *sort,
                          enum device_sort by, bool number, const char *link,
                          struct device_order order)
{
    struct value *v = value_append_dict(list);
    bool is = sort && order.by == by;
    value_set_text(v, "text", text);
    value_set_bool(v, "number", number);
    value_set_bool(v, "up", is && order.up);
    value_set_bool(v, "down", is && !order.up);
    if (!sort)
        return v;
    /* what was latest, or highest, first; another click turns it round */
    bool up = is ? !order.up : by == DEVICE_BY_NAME || by == DEVICE_BY_SERIAL;
    value_set_text(v, "link", page_link(p, link, "sort", up ? sort : arena_fmt(p->a, "-%s", sort)));
    return v;
}

static void fact_head(struct page *p, struct value *list, const char *key,
                      struct device_order order)
{
    bool known;
    const char *text = fact_label(p, key, &known);
    struct value *v = head(p, list, text, NULL, 0, false, NULL, order);
    value_set_text(v, "key", known ? key : NULL);
}

void columns_heads(struct page *p, const struct columns *c, const char *link,
                   struct device_order order)
{
    struct value *list = value_set_list(p->root, "heads");
    head(p, list, page_text(p, "col_name"), NAME_SORT, DEVICE_BY_NAME, false, link, order);
    for (size_t i = 0; i < c->n; i++) {
        int k = c->own[i];
        if (k >= 0)
            head(p, list, page_text(p, OWN[k].text), OWN[k].sort, OWN[k].by, k == C_OPEN, link,
                 order);
        else
            fact_head(p, list, c->facts[c->fact[i]], order);
    }
}

static const char *own_text(const struct device_brief *d, int k)
{
    switch (k) {
    case C_SERIAL:
        return d->serial;
    case C_MODEL:
        return *d->model_name ? d->model_name : d->product_name;
    case C_PRODUCT:
        return d->product_name;
    case C_OS:
        return d->os_version;
    case C_BUILD:
        return d->build_version;
    case C_USERS:
        return d->users;
    case C_UDID:
        return d->udid;
    default:
        return "";
    }
}

void columns_cells(struct page *p, const struct columns *c, struct value *row,
                   const struct device_brief *d)
{
    struct value *list = value_set_list(row, "cells");
    for (size_t i = 0; i < c->n; i++) {
        struct value *v = value_append_dict(list);
        const char *alias;
        int k = c->own[i];
        /* false, so that what the row or the page has under these names is not seen */
        value_set_bool(v, "time", false);
        value_set_bool(v, "state", false);
        value_set_bool(v, "number", k == C_OPEN);
        value_set_bool(v, "mono", k == C_SERIAL || k == C_UDID);
        if (k == C_STATE)
            page_state(p, v, "state", enrollment_state_name(d->state));
        else if (k == C_SEEN || k == C_ENROLLED)
            page_time(p, v, "time", k == C_SEEN ? d->last_seen_at : d->enrolled_at);
        else if (k == C_OPEN)
            value_set_int(v, "text", d->open_commands);
        else if (k >= 0)
            value_set_text(v, "text", own_text(d, k));
        else
            page_cell(p, v, inv_fact(c->facts[c->fact[i]], &alias), &d->facts[c->fact[i]]);
    }
}

static void csv_time(struct buf *out, int64_t us)
{
    char text[CLOCK_TEXT_MAX];
    csv_cell(out, us > 0 ? clock_rfc3339(us, false, text) : "", false);
}

static void csv_own(struct buf *out, const struct device_brief *d, int k)
{
    char open[24];
    snprintf(open, sizeof open, "%lld", (long long)d->open_commands);
    if (k == C_SEEN || k == C_ENROLLED)
        csv_time(out, k == C_SEEN ? d->last_seen_at : d->enrolled_at);
    else if (k == C_MODEL)
        csv_cell(out, d->model_name, false);
    else
        csv_cell(out,
                 k == C_OPEN    ? open
                 : k == C_STATE ? enrollment_state_name(d->state)
                                : own_text(d, k),
                 false);
}

static void csv_fact(struct buf *out, const char *key, const struct val *v, struct arena *a)
{
    const char *alias, *text;
    const struct inv_column *fact = inv_fact(key, &alias);
    if (fact && fact->type == INV_DATE) {
        csv_time(out, val_or_0(v));
        return;
    }
    text = !fact || val_is_null(v) ? NULL : fact->type == INV_TEXT ? v->s : inv_text(fact, v, a);
    csv_cell(out, text ? text : "", false);
}

void columns_csv(struct page *p, const struct columns *c, struct buf *out,
                 const struct device_brief *d, struct arena *a)
{
    (void)p;
    csv_cell(out, d ? d->ident : "id", true);
    csv_cell(out, d ? d->name : "name", false);
    for (size_t i = 0; i < c->n; i++) {
        const char *key = c->own[i] >= 0 ? OWN[c->own[i]].csv : c->facts[c->fact[i]];
        if (!d)
            csv_cell(out, key, false);
        else if (c->own[i] >= 0)
            csv_own(out, d, c->own[i]);
        else
            csv_fact(out, key, &d->facts[c->fact[i]], a);
    }
    csv_end(out);
}
