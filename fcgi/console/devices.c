/* devices.c: the list of devices, with search, filters that can be saved, an order and columns of
 * one's own, also as CSV. */
#include "console/columns.h"
#include "console/filter.h"

#include <stdlib.h>

#include "base/limits.h"
#include "command/validate.h"
#include "store/choice.h"
#include "store/enrollment.h"

#define CSV_PAGES 400 /* of LIM_PAGE rows */

/* "ID", or "ID~PLACE", of the last row of the page before. */
static void after_read(struct page *p, struct device_order *o)
{
    const char *s = req_query(p->req, "after");
    char *end = NULL;
    long long id = s ? strtoll(s, &end, 10) : 0;
    if (id <= 0 || (*end && *end != '~') || !utf8_valid(bytes_str(s)))
        return;
    o->after_id = id;
    o->after = *end == '~' ? end + 1 : NULL;
}

static const char *after_write(struct page *p, const struct device_brief *d)
{
    return d->place ? arena_fmt(p->a, "%lld~%s", (long long)d->id, d->place)
                    : arena_fmt(p->a, "%lld", (long long)d->id);
}

/* Does such a device take the command? The rest of what is known of it its form looks at. */
static bool takes(struct page *p, const char *request_type, const struct device_brief *d)
{
    struct device_facts facts = DEVICE_FACTS_UNKNOWN;
    cat command = catalogue_find(request_type);
    const char *why;
    facts.platform = platform_of(d->product_name);
    facts.version = version_read(d->os_version);
    return command && command_has(p->a, command, &facts, &why);
}

static void row(struct page *p, const struct columns *c, struct value *list,
                const struct device_brief *d)
{
    struct value *v = value_append_dict(list);
    value_set_text(v, "link", page_link(p, "/device", "id", d->ident));
    value_set_text(v, "ident", d->ident);
    value_set_text(v, "name", *d->name ? d->name : *d->serial ? d->serial : d->ident);
    columns_cells(p, c, v, d);
    value_set_bool(v, "enrolled", d->state == ENROLLMENT_ENROLLED);
    if (takes(p, "DeviceLock", d))
        value_set_text(
            v, "lock",
            page_link(p, page_link(p, "/device/send", "id", d->ident), "type", "DeviceLock"));
}

static bool saved(struct page *p)
{
    const char *me = p->caller->session->admin;
    struct value *list = value_set_list(p->root, "saved");
    struct saved_filter *f;
    size_t n;
    if (saved_filter_list(p->db, me, p->a, &f, &n, &p->err) != OK)
        return false;
    for (size_t i = 0; i < n; i++) {
        struct value *v = value_append_dict(list);
        bool own = strcmp(f[i].owner, me) == 0;
        value_set_text(v, "name", f[i].name);
        value_set_text(v, "link",
                       *f[i].query ? arena_fmt(p->a, "/devices?%s", f[i].query) : "/devices");
        value_set_bool(v, "own", own);
        value_set_bool(v, "is_shared", f[i].shared);
        value_set_text(v, "owner", own ? NULL : f[i].owner);
        value_set_int(v, "id", f[i].id);
    }
    value_set_bool(p->root, "some_saved", n > 0);
    return true;
}

static void say_found(struct page *p, const char *key, int64_t n)
{
    value_set_text(p->root, "found",
                   words_fill(p->w, p->a, key, arena_fmt(p->a, "%lld", (long long)n), NULL));
}

/* How many fit, of which the page has n: the first page tells it where it is the last too; else it
 * is counted when asked for, as that may take as long as the list. */
static enum outcome tell_found(struct page *p, const struct device_filter *f, bool first, size_t n)
{
    int64_t all = 0;
    if (first && n <= PAGE_ROWS) {
        say_found(p, "devices_found", (int64_t)n);
        return OK;
    }
    if (!req_query(p->req, "count")) {
        value_set_text(p->root, "count_link",
                       page_link(p, filter_link(p, "/devices"), "count", "1"));
        if (first)
            say_found(p, "devices_first", PAGE_ROWS);
        return OK;
    }
    enum outcome o = device_count(p->db, f, p->a, &all, &p->err);
    if (o == OK)
        say_found(p, "devices_found", all);
    return o;
}

static void show(struct page *p, int status)
{
    struct columns c;
    struct device_brief *d;
    size_t n;
    const struct device_filter f = filter_of(p);
    struct device_order order = columns_order(filter_given(p, "sort"));
    if (p->req->method != METHOD_POST)
        after_read(p, &order);
    value_set_bool(p->root, "later", order.after_id != 0);
    if (!columns_of(p, &c) || !saved(p) ||
        device_list(p->db, &f, order, c.facts, c.nfacts, PAGE_ROWS + 1, p->a, &d, &n, &p->err) !=
            OK ||
        tell_found(p, &f, order.after_id == 0, n) != OK) {
        page_fail(p);
        return;
    }
    struct value *list = value_set_list(p->root, "devices");
    for (size_t i = 0; i < n && i < PAGE_ROWS; i++)
        row(p, &c, list, &d[i]);
    const char *here = filter_link(p, "/devices");
    columns_heads(p, &c, filter_link_but(p, "/devices", "sort"), order);
    value_set_bool(p->root, "some", n > 0);
    value_set_bool(p->root, "everything", strcmp(here, "/devices") == 0);
    value_set_text(p->root, "csv_link", filter_link(p, "/devices.csv"));
    value_set_text(p->root, "bulk_link", filter_link(p, "/bulk"));
    if (n > PAGE_ROWS)
        value_set_text(p->root, "next",
                       page_link(p, here, "after", after_write(p, &d[PAGE_ROWS - 1])));
    page_show(p, status, "devices");
}

void console_devices(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    struct page p;
    if (page_open(&p, app, req, caller, resp, "devices"))
        show(&p, 200);
}

/* What stands after "?" of the list that the form was sent from. */
static const char *query_of(struct page *p)
{
    const char *link = filter_link(p, ""), *query = strchr(link, '?');
    return query ? query + 1 : "";
}

static enum outcome keep(struct page *p)
{
    struct saved_filter f = {.owner = p->caller->session->admin,
                             .name = page_field(p, "name"),
                             .query = query_of(p),
                             .shared = strcmp(page_field(p, "shared"), "1") == 0};
    if (!utf8_valid(bytes_str(f.name)))
        return err_set(&p->err, INVALID, "%s", page_text(p, "saved_no_name"));
    if (f.shared && !page_may(p, "operate"))
        return err_set(&p->err, DENIED, "%s", page_text(p, "saved_no_share"));
    if (!*f.name)
        return err_set(&p->err, INVALID, "%s", page_text(p, "saved_no_name"));
    return saved_filter_put(p->db, &f, p->req->now, &p->err);
}

void console_devices_post(struct app *app, struct req *req, const struct caller *caller,
                          struct resp *resp)
{
    struct page p;
    enum outcome o;
    const char *done = "filter_saved";
    if (!page_open(&p, app, req, caller, resp, "devices"))
        return;
    const char *what = page_field(&p, "what");
    if (strcmp(what, "columns") == 0) {
        o = columns_keep(&p) ? OK : p.err.outcome;
        done = "columns";
    } else if (strcmp(what, "save") == 0) {
        o = keep(&p);
    } else if (strcmp(what, "drop") == 0) {
        o = saved_filter_drop(p.db, caller->session->admin, page_number(page_field(&p, "number")),
                              &p.err);
        done = "filter_dropped";
    } else {
        o = err_set(&p.err, INVALID, "the form has no part \"what\" that is known here");
    }
    if (o == OK) {
        page_go(&p, page_link(&p, filter_link(&p, "/devices"), "done", done));
    } else if (page_mendable(o)) {
        page_bad(&p, p.err.msg);
        show(&p, page_status(o));
    } else {
        page_fail(&p);
    }
}

void console_devices_csv(struct app *app, struct req *req, const struct caller *caller,
                         struct resp *resp)
{
    struct page p;
    struct columns c;
    size_t n = LIM_PAGE;
    if (!page_open(&p, app, req, caller, resp, "devices"))
        return;
    const struct device_filter f = filter_of(&p);
    struct device_order order = columns_order(filter_given(&p, "sort"));
    struct arena *a = arena_new(16 * LIM_MB);
    enum outcome o = a ? OK : err_set(&p.err, ERROR, "out of memory");
    if (o == OK && !columns_of(&p, &c))
        o = p.err.outcome;
    if (o == OK)
        columns_csv(&p, &c, &resp->body, NULL, a);
    for (int i = 0; o == OK && n == LIM_PAGE && i < CSV_PAGES; i++) {
        struct device_brief *d;
        arena_reset(a);
        o = device_list(p.db, &f, order, c.facts, c.nfacts, LIM_PAGE, a, &d, &n, &p.err);
        for (size_t k = 0; o == OK && k < n; k++)
            columns_csv(&p, &c, &resp->body, &d[k], a);
        if (o == OK && n) {
            order.after_id = d[n - 1].id;
            order.after = d[n - 1].place ? arena_strdup(p.a, d[n - 1].place) : NULL;
        }
    }
    arena_free(&a);
    if (o != OK) {
        page_fail(&p);
        return;
    }
    page_leave(&p);
    resp->content_type = "text/csv; charset=utf-8";
    resp_header(resp, "Content-Disposition", "attachment; filename=\"devices.csv\"");
    resp_header(resp, "X-Content-Type-Options", "nosniff");
}
