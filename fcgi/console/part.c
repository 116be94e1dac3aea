/* part.c: what a device is and has, as it told: one page for each part of its inventory. */
#include "console/device.h"

#include "store/fleet.h"

#define LIST_ROWS 200

/* The tabs of a device's page. area INV_NONE: another kind of rows, or (word "") the page itself.
 */
static const struct {
    const char *word;
    enum inv_area area;
} PARTS[] = {{"", INV_NONE},
             {"facts", INV_DEVICE},
             {"network", INV_NETWORK},
             {"security", INV_SECURITY},
             {"profiles", INV_PROFILE},
             {"apps", INV_APP},
             {"managed-apps", INV_MANAGED_APP},
             {"certificates", INV_CERTIFICATE},
             {"restrictions", INV_RESTRICTION},
             {"accounts", INV_USER},
             {"os-updates", INV_UPDATE},
             {"settings", INV_SETTING},
             {"history", INV_NONE}};
#define PARTS_N (sizeof PARTS / sizeof PARTS[0])

/* Columns of fleet_apps() and fleet_certificates(), which tell more than their tables. */
static const struct inv_column APP_COLUMNS[] = {
    {"identifier", "Identifier", INV_TEXT, 0, false},
    {"name", "Name", INV_TEXT, 0, false},
    {"version", "Version", INV_TEXT, 0, false},
    {"short_version", "ShortVersion", INV_TEXT, 0, false},
    {"bundle_size", "BundleSize", INV_INT, 0, false},
    {"dynamic_size", "DynamicSize", INV_INT, 0, false}};
static const struct inv_column CERT_COLUMNS[] = {{"sha256", "", INV_TEXT, 0, false},
                                                 {"common_name", "CommonName", INV_TEXT, 0, false},
                                                 {"is_identity", "IsIdentity", INV_BOOL, 0, false},
                                                 {"subject", "Subject", INV_TEXT, 0, false},
                                                 {"issuer", "Issuer", INV_TEXT, 0, false},
                                                 {"serial", "Serial", INV_TEXT, 0, false},
                                                 {"not_before", "NotBefore", INV_DATE, 0, false},
                                                 {"not_after", "NotAfter", INV_DATE, 0, false}};
static const char *const EVENT_WORDS[] = {"", "added", "changed", "removed", "told"};

void device_tabs(struct page *p, const char *ident, const char *part)
{
    struct value *list = value_set_list(p->root, "tabs");
    for (size_t i = 0; i < PARTS_N; i++) {
        struct value *v = value_append_dict(list);
        const char *base = *PARTS[i].word ? "/device/part" : "/device";
        const char *link = page_link(p, base, "id", ident);
        const char *key = arena_fmt(p->a, "part_%s", *PARTS[i].word ? PARTS[i].word : "overview");
        value_set_text(v, "link",
                       *PARTS[i].word ? page_link(p, link, "part", PARTS[i].word) : link);
        value_set_text(v, "text", key ? page_text(p, key) : NULL);
        value_set_bool(v, "chosen", strcmp(PARTS[i].word, part) == 0);
    }
}

static const char *label(const struct inv_column *c)
{
    return *c->key ? c->key : c->name;
}

/* One row as a list of facts: what was told. */
static void facts(struct page *p, const struct inv_column *c, size_t n, const struct val *row)
{
    struct value *list = value_set_list(p->root, "facts");
    for (size_t i = 0; i < n; i++) {
        if (val_is_null(&row[i]) || c[i].type == INV_EXTRA || c[i].type == INV_BIN)
            continue;
        struct value *v = value_append_dict(list);
        value_set_text(v, "name", label(&c[i]));
        page_cell(p, v, &c[i], &row[i]);
    }
}

/* Many rows as a table of the columns in which anything stands. */
static void table(struct page *p, const struct inv_column *c, size_t n, const struct rows *r,
                  size_t first)
{
    struct value *heads = value_set_list(p->root, "heads");
    struct value *lines = value_set_list(p->root, "lines");
    bool shown[128] = {false};
    for (size_t i = 0; i < n && i < 128; i++) {
        for (size_t k = 0; k < r->n && !shown[i]; k++)
            shown[i] = !val_is_null(row_at(r, k, first + i)) && c[i].type != INV_EXTRA &&
                       c[i].type != INV_BIN && c[i].type != INV_JSON;
        if (shown[i])
            value_append(heads, value_text(p->a, label(&c[i])));
    }
    for (size_t k = 0; k < r->n; k++) {
        struct value *cells = value_set_list(value_append_dict(lines), "cells");
        for (size_t i = 0; i < n && i < 128; i++)
            if (shown[i])
                page_cell(p, value_append_dict(cells), &c[i], row_at(r, k, first + i));
    }
}

static enum outcome area_rows(struct page *p, enum inv_area area, int64_t id, size_t offset,
                              size_t *n)
{
    const struct inv_table *t = inv_table(area);
    struct rows r = {0};
    enum outcome o;
    *n = 0;
    if (area == INV_APP)
        o = fleet_apps(p->db, id, offset, LIST_ROWS, p->a, &r, &p->err);
    else if (area == INV_CERTIFICATE)
        o = fleet_certificates(p->db, id, offset, LIST_ROWS, p->a, &r, &p->err);
    else
        o = fleet_rows(p->db, t, id, offset, LIST_ROWS, p->a, &r, &p->err);
    if (o != OK || r.n == 0)
        return o;
    *n = r.n;
    value_set_bool(p->root, "some", true);
    if (area == INV_APP)
        table(p, APP_COLUMNS, sizeof APP_COLUMNS / sizeof *APP_COLUMNS, &r, 0);
    else if (area == INV_CERTIFICATE)
        table(p, CERT_COLUMNS, sizeof CERT_COLUMNS / sizeof *CERT_COLUMNS, &r, 0);
    else if (t->keys == 0)
        facts(p, t->cols, t->n, row_at(&r, 0, 1));
    else
        table(p, t->cols, t->n, &r, 1);
    value_set_bool(p->root, "is_list", area == INV_APP || area == INV_CERTIFICATE || t->keys > 0);
    return OK;
}

static enum outcome history(struct page *p, int64_t id, int64_t before, size_t *n, int64_t *last)
{
    struct rows r;
    enum outcome o = fleet_events(p->db, id, before, LIST_ROWS, p->a, &r, &p->err);
    if (o != OK)
        return o;
    struct value *list = value_set_list(p->root, "events");
    for (size_t i = 0; i < r.n; i++) {
        const struct val *x = row_at(&r, i, 0);
        struct value *v = value_append_dict(list);
        const char *word = x[3].i >= 1 && x[3].i <= 4 ? EVENT_WORDS[x[3].i] : "changed";
        const char *key = arena_fmt(p->a, "happened_%s", word);
        page_time(p, v, "at", x[1].i);
        value_set_text(v, "area", inv_area_word((int)x[2].i));
        value_set_text(v, "happened", key ? page_text(p, key) : NULL);
        value_set_text(v, "subject", x[4].s);
        value_set_text(v, "was", val_text(&x[5]));
        value_set_text(v, "became", val_text(&x[6]));
        *last = x[0].i;
    }
    *n = r.n;
    value_set_bool(p->root, "some", r.n > 0);
    value_set_bool(p->root, "is_history", true);
    return OK;
}

/* When the device told this part last. */
static enum outcome told(struct page *p, enum inv_area area, int64_t id)
{
    struct rows r;
    enum outcome o = fleet_areas(p->db, id, p->a, &r, &p->err);
    for (size_t i = 0; o == OK && i < r.n; i++)
        if (row_at(&r, i, 0)->i == area)
            page_time(p, p->root, "told", row_at(&r, i, 1)->i);
    return o;
}

static enum outcome part(struct page *p, const struct fleet_device *d, size_t i)
{
    const char *ident = d->ident, *word = PARTS[i].word;
    const char *link = page_link(p, page_link(p, "/device/part", "id", ident), "part", word);
    int64_t from = page_number(req_query(p->req, "from")), last = 0;
    size_t n = 0;
    enum outcome o = PARTS[i].area == INV_NONE
                         ? history(p, d->id, from, &n, &last)
                         : area_rows(p, PARTS[i].area, d->id, (size_t)from, &n);
    if (o == OK && PARTS[i].area != INV_NONE)
        o = told(p, PARTS[i].area, d->id);
    if (n == LIST_ROWS) {
        int64_t next = PARTS[i].area == INV_NONE ? last : from + LIST_ROWS;
        value_set_text(p->root, "next",
                       page_link(p, link, "from", arena_fmt(p->a, "%lld", (long long)next)));
    }
    return o;
}

void console_part(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct page p;
    struct fleet_device d;
    const char *ident = req_query(req, "id"), *word = req_query(req, "part");
    size_t i = 1;
    if (!page_open(&p, app, req, caller, resp, "devices"))
        return;
    while (i < PARTS_N && strcmp(PARTS[i].word, word ? word : "") != 0)
        i++;
    enum outcome o = i < PARTS_N ? fleet_get(p.db, ident ? ident : "", p.a, &d, &p.err)
                                 : err_set(&p.err, NOT_FOUND, "%s", page_text(&p, "part_none"));
    if (o == OK)
        o = part(&p, &d, i);
    if (o != OK) {
        page_fail(&p);
        return;
    }
    const char *name = *d.name ? d.name : *d.serial ? d.serial : d.ident;
    value_set_text(p.root, "ident", d.ident);
    value_set_text(p.root, "name", name);
    value_set_text(p.root, "title", name);
    page_state(&p, p.root, "state", enrollment_state_name(d.state));
    const char *key = arena_fmt(p.a, "part_%s", word);
    value_set_text(p.root, "part", key ? page_text(&p, key) : NULL);
    device_tabs(&p, d.ident, word);
    page_show(&p, 200, "part");
}
