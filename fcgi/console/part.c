/* part.c: the tabs of a device: what it is and has, as it told, one page for each part of its
 * inventory; and the lists of part_lists.c. */
#include "console/part.h"

#include "console/device.h"

#define LIST_ROWS 200

static device_list_fn history;

/* The tabs of a device's page. area INV_NONE: a list of another kind, or (word "") the page itself.
 * may: who sees it; NULL: everybody who sees the device. question: the command that asks for it. */
static const struct {
    const char *word;
    enum inv_area area;
    device_list_fn *list;
    const char *may;
    const char *question;
} PARTS[] = {{"", INV_NONE, NULL, NULL, NULL},
             {"queue", INV_NONE, device_list_queue, NULL, NULL},
             {"results", INV_NONE, device_list_results, NULL, NULL},
             {"facts", INV_DEVICE, NULL, NULL, "DeviceInformation"},
             {"network", INV_NETWORK, NULL, NULL, "DeviceInformation"},
             {"security", INV_SECURITY, NULL, NULL, "SecurityInfo"},
             {"profiles", INV_PROFILE, NULL, NULL, "ProfileList"},
             {"provisioning", INV_PROVISIONING, NULL, NULL, "ProvisioningProfileList"},
             {"apps", INV_APP, NULL, NULL, "InstalledApplicationList"},
             {"managed-apps", INV_MANAGED_APP, NULL, NULL, NULL},
             {"certificates", INV_CERTIFICATE, NULL, NULL, "CertificateList"},
             {"restrictions", INV_RESTRICTION, NULL, NULL, "Restrictions"},
             {"users", INV_NONE, device_list_users, NULL, NULL},
             {"accounts", INV_USER, NULL, NULL, "UserList"},
             {"os-updates", INV_UPDATE, NULL, NULL, NULL},
             {"settings", INV_SETTING, NULL, NULL, NULL},
             {"history", INV_NONE, history, NULL, NULL},
             {"audit", INV_NONE, device_list_audit, "audit", NULL}};
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
        if (PARTS[i].may && !page_may(p, PARTS[i].may))
            continue;
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

/* What a column is called; *known: in the reader's language, and not by Apple's key alone. */
static const char *label(struct page *p, const struct inv_column *c, bool *known)
{
    const char *own = *c->key ? c->key : c->name;
    const char *name = page_named(p, arena_fmt(p->a, "inv_%s", own));
    *known = name != NULL;
    return name ? name : own;
}

/* One row as a list of facts: what was told. */
static void facts(struct page *p, const struct inv_column *c, size_t n, const struct val *row)
{
    struct value *list = value_set_list(p->root, "facts");
    for (size_t i = 0; i < n; i++) {
        bool own = !*c[i].key && c[i].type == INV_INT; /* a number of the database's */
        if (val_is_null(&row[i]) || own || c[i].type == INV_EXTRA || c[i].type == INV_BIN)
            continue;
        struct value *v = value_append_dict(list);
        bool known;
        value_set_text(v, "name", label(p, &c[i], &known));
        value_set_bool(v, "foreign", !known);
        value_set_text(v, "key", known ? c[i].key : NULL);
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
        if (shown[i]) {
            struct value *v = value_append_dict(heads);
            bool known;
            value_set_text(v, "name", label(p, &c[i], &known));
            value_set_bool(v, "foreign", !known);
            value_set_text(v, "key", known ? c[i].key : NULL);
        }
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

static enum outcome history(struct page *p, const struct fleet_device *d, const char *from,
                            const char **next)
{
    struct rows r;
    enum outcome o = fleet_events(p->db, d->id, page_number(from), LIST_ROWS, p->a, &r, &p->err);
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
        if (i + 1 == LIST_ROWS)
            *next = arena_fmt(p->a, "%lld", (long long)x[0].i);
    }
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

/* What the device told of an area, and when. */
static enum outcome area(struct page *p, enum inv_area which, int64_t id, const char *from,
                         const char **next)
{
    int64_t offset = page_number(from);
    size_t n = 0;
    enum outcome o = area_rows(p, which, id, (size_t)offset, &n);
    if (o == OK)
        o = told(p, which, id);
    if (n == LIST_ROWS)
        *next = arena_fmt(p->a, "%lld", (long long)offset + LIST_ROWS);
    return o;
}

static enum outcome part(struct page *p, const struct fleet_device *d, size_t i)
{
    const char *link =
        page_link(p, page_link(p, "/device/part", "id", d->ident), "part", PARTS[i].word);
    const char *from = req_query(p->req, "from"), *next = NULL;
    value_set_bool(p->root, "inventory", PARTS[i].list == NULL || PARTS[i].list == history);
    enum outcome o = PARTS[i].list ? PARTS[i].list(p, d, from ? from : "", &next)
                                   : area(p, PARTS[i].area, d->id, from, &next);
    if (next)
        value_set_text(p->root, "next", page_link(p, link, "from", next));
    return o;
}

/* Sets "secrets": what is kept of it under seal, never they themselves. */
static enum outcome secrets_list(struct page *p, int64_t id)
{
    struct rows r;
    enum outcome o = fleet_secrets(p->db, id, 0, LIM_PAGE, p->a, &r, &p->err);
    if (o != OK)
        return o;
    struct value *list = value_set_list(p->root, "secrets");
    for (size_t i = 0; i < r.n; i++) {
        const struct val *x = row_at(&r, i, 0);
        struct value *v = value_append_dict(list);
        value_set_text(v, "kind", x[0].s);
        value_set_text(v, "about", val_text(&x[1]));
        value_set_int(v, "number", (int64_t)i);
        page_time(p, v, "at", x[2].i);
    }
    value_set_bool(p->root, "some_secrets", r.n > 0);
    return OK;
}

void device_part_show(struct page *p, const char *ident, const char *word, int status)
{
    struct fleet_device d;
    size_t i = 1;
    while (i < PARTS_N &&
           (strcmp(PARTS[i].word, word) != 0 || (PARTS[i].may && !page_may(p, PARTS[i].may))))
        i++;
    enum outcome o = i < PARTS_N ? fleet_get(p->db, ident, p->a, &d, &p->err)
                                 : err_set(&p->err, NOT_FOUND, "%s", page_text(p, "part_none"));
    if (o == OK)
        o = part(p, &d, i);
    if (o == OK && PARTS[i].area == INV_SECURITY)
        o = secrets_list(p, d.id);
    if (o != OK) {
        page_fail(p);
        return;
    }
    const char *name = *d.name ? d.name : *d.serial ? d.serial : d.ident;
    const char *key = arena_fmt(p->a, "part_%s", word);
    value_set_text(p->root, "ident", d.ident);
    value_set_text(p->root, "name", name);
    value_set_text(p->root, "title", name);
    page_state(p, p->root, "state", enrollment_state_name(d.state));
    value_set_text(p->root, "part", key ? page_text(p, key) : NULL);
    device_tabs(p, d.ident, word);
    if (PARTS[i].question && device_question(p, d.ident, PARTS[i].question) != OK)
        page_fail(p);
    else
        page_show(p, status, "part");
}

void console_part(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct page p;
    const char *ident = req_query(req, "id"), *word = req_query(req, "part");
    if (page_open(&p, app, req, caller, resp, "devices"))
        device_part_show(&p, ident ? ident : "", word ? word : "", 200);
}
