/* failed.c: commands that ended with an error, of all devices, each with its way to the device. */
#include "store/failed.h"

#include "base/clock.h"
#include "console/page.h"
#include "store/queue_state.h"

#define DAYS 7

static void row(struct page *p, struct value *list, const struct failed *f)
{
    struct value *v = value_append_dict(list);
    value_set_text(v, "name", f->name);
    value_set_text(v, "device", page_link(p, "/device", "id", f->ident));
    value_set_text(v, "type", f->request_type);
    value_set_text(v, "link",
                   page_link(p, page_link(p, "/device/command", "id", f->ident), "uuid", f->uuid));
    value_set_text(v, "why", f->why);
    page_state(p, v, "queue", queue_state_name(f->state));
    page_time(p, v, "at", f->closed_at);
}

void console_failed(struct app *app, struct req *req, const struct caller *caller,
                    struct resp *resp)
{
    struct page p;
    struct failed *f;
    size_t n;
    int64_t before = page_number(req_query(req, "before"));
    if (!page_open(&p, app, req, caller, resp, "failed"))
        return;
    if (failed_list(p.db, req->now - DAYS * DAY_US, before ? before : INT64_MAX, PAGE_ROWS + 1, p.a,
                    &f, &n, &p.err) != OK) {
        page_fail(&p);
        return;
    }
    struct value *list = value_set_list(p.root, "failed");
    for (size_t i = 0; i < n && i < PAGE_ROWS; i++)
        row(&p, list, &f[i]);
    value_set_bool(p.root, "some", n > 0);
    if (n > PAGE_ROWS)
        value_set_text(p.root, "next",
                       page_link(&p, "/failed", "before",
                                 arena_fmt(p.a, "%lld", (long long)f[PAGE_ROWS - 1].closed_at)));
    page_show(&p, 200, "failed");
}
