/* devices.c: the list of devices, with search and filters, also as CSV. */
#include "console/filter.h"
#include "console/page.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "http/csv.h"

#define CSV_PAGES 400 /* of LIM_PAGE rows */

/* "SEEN-ID" of the last row of the page before. */
static struct enrollment_cursor cursor_of(const char *s)
{
    long long seen, id;
    char end;
    if (s && sscanf(s, "%lld-%lld%c", &seen, &id, &end) == 2 && seen > 0 && id > 0)
        return (struct enrollment_cursor){.id = id, .last_seen_at = seen};
    return (struct enrollment_cursor){0};
}

static void row(struct page *p, struct value *list, const struct device_brief *d)
{
    struct value *v = value_append_dict(list);
    value_set_text(v, "link", page_link(p, "/device", "id", d->ident));
    value_set_text(v, "ident", d->ident);
    value_set_text(v, "name", *d->name ? d->name : *d->serial ? d->serial : d->ident);
    value_set_text(v, "serial", d->serial);
    value_set_text(v, "model", *d->model_name ? d->model_name : d->product_name);
    value_set_text(v, "product", d->product_name);
    value_set_text(v, "os", d->os_version);
    value_set_int(v, "open", d->open_commands);
    page_state(p, v, "state", enrollment_state_name(d->state));
    page_time(p, v, "seen", d->last_seen_at);
}

void console_devices(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    struct page p;
    struct device_brief *d;
    size_t n;
    if (!page_open(&p, app, req, caller, resp, "devices"))
        return;
    const struct device_filter f = filter_of(&p);
    value_set_bool(p.root, "later", req_query(req, "after") != NULL);
    if (device_search(p.db, &f, cursor_of(req_query(req, "after")), PAGE_ROWS + 1, p.a, &d, &n,
                      &p.err) != OK) {
        page_fail(&p);
        return;
    }
    struct value *list = value_set_list(p.root, "devices");
    for (size_t i = 0; i < n && i < PAGE_ROWS; i++)
        row(&p, list, &d[i]);
    value_set_bool(p.root, "some", n > 0);
    value_set_text(p.root, "csv_link", filter_link(&p, "/devices.csv"));
    value_set_text(p.root, "bulk_link", filter_link(&p, "/bulk"));
    if (n > PAGE_ROWS) {
        const struct device_brief *last = &d[PAGE_ROWS - 1];
        const char *at =
            arena_fmt(p.a, "%lld-%lld", (long long)last->last_seen_at, (long long)last->id);
        value_set_text(p.root, "next", page_link(&p, filter_link(&p, "/devices"), "after", at));
    }
    page_show(&p, 200, "devices");
}

static void line(struct buf *out, const struct device_brief *d)
{
    char seen[CLOCK_TEXT_MAX], open[24];
    snprintf(open, sizeof open, "%lld", (long long)d->open_commands);
    csv_cell(out, d->ident, true);
    csv_cell(out, d->serial, false);
    csv_cell(out, d->name, false);
    csv_cell(out, d->model_name, false);
    csv_cell(out, d->product_name, false);
    csv_cell(out, d->os_version, false);
    csv_cell(out, enrollment_state_name(d->state), false);
    csv_cell(out, open, false);
    csv_cell(out, clock_rfc3339(d->last_seen_at, false, seen), false);
    csv_end(out);
}

void console_devices_csv(struct app *app, struct req *req, const struct caller *caller,
                         struct resp *resp)
{
    static const char *const heads[] = {"id",    "serial_number", "name",
                                        "model", "product",       "os_version",
                                        "state", "open_commands", "last_seen"};
    struct page p;
    struct enrollment_cursor at = {0};
    size_t n = LIM_PAGE;
    if (!page_open(&p, app, req, caller, resp, "devices"))
        return;
    const struct device_filter f = filter_of(&p);
    struct arena *a = arena_new(8 * LIM_MB);
    enum outcome o = a ? OK : err_set(&p.err, ERROR, "out of memory");
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        csv_cell(&resp->body, heads[i], i == 0);
    csv_end(&resp->body);
    for (int i = 0; o == OK && n == LIM_PAGE && i < CSV_PAGES; i++) {
        struct device_brief *d;
        arena_reset(a);
        o = device_search(p.db, &f, at, LIM_PAGE, a, &d, &n, &p.err);
        for (size_t k = 0; o == OK && k < n; k++)
            line(&resp->body, &d[k]);
        if (o == OK && n)
            at = (struct enrollment_cursor){.id = d[n - 1].id,
                                            .last_seen_at = d[n - 1].last_seen_at};
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
