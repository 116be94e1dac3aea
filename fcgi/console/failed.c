/* failed.c: commands that ended with an error, of all devices, each with its way to the device. */
#include "console/retry.h"

#include "base/clock.h"
#include "command/catalogue.h"
#include "store/queue_state.h"

/* The commands of the catalogue, to choose one. */
static void types(struct page *p, const char *chosen)
{
    struct value *list = value_set_list(p->root, "types");
    for (size_t i = 0; i < catalogue_count(); i++) {
        struct value *v = value_append_dict(list);
        const char *name = catalogue_name(catalogue_at(i));
        value_set_text(v, "name", name);
        value_set_bool(v, "chosen", chosen && strcmp(chosen, name) == 0);
    }
}

static void row(struct page *p, struct value *list, const struct failed *f)
{
    struct value *v = value_append_dict(list);
    value_set_text(v, "name", f->name);
    value_set_text(v, "device", page_link(p, "/device", "id", f->ident));
    value_set_text(v, "type", f->request_type);
    value_set_text(v, "link",
                   page_link(p, page_link(p, "/device/command", "id", f->ident), "uuid", f->uuid));
    value_set_text(v, "why", page_said(p, f->why));
    page_state(p, v, "queue", queue_state_name(f->state));
    page_time(p, v, "at", f->closed_at);
    retry_row(p, v, f);
    if (*f->again) {
        struct value *again = value_set_dict(v, "again");
        value_set_text(
            again, "link",
            page_link(p, page_link(p, "/device/command", "id", f->ident), "uuid", f->again));
        page_state(p, again, "queue", queue_state_name(f->again_state));
    }
}

void console_failed(struct app *app, struct req *req, const struct caller *caller,
                    struct resp *resp)
{
    struct page p;
    struct failed *f;
    size_t n;
    int64_t next, before = page_number(req_query(req, "before"));
    if (!page_open(&p, app, req, caller, resp, "failed"))
        return;
    struct failed_filter filter = failed_filter_of(&p);
    filter.before = before ? before : INT64_MAX;
    if (failed_list(p.db, &filter, PAGE_ROWS, p.a, &f, &n, &next, &p.err) != OK) {
        page_fail(&p);
        return;
    }
    struct value *list = value_set_list(p.root, "failed");
    for (size_t i = 0; i < n; i++)
        row(&p, list, &f[i]);
    types(&p, filter.request_type);
    const char *here =
        filter.request_type ? page_link(&p, "/failed", "type", filter.request_type) : "/failed";
    value_set_text(p.root, "retry",
                   filter.request_type ? page_link(&p, "/failed/retry", "type", filter.request_type)
                                       : "/failed/retry");
    value_set_bool(p.root, "some", n > 0);
    if (next != 0)
        value_set_text(p.root, "next",
                       page_link(&p, here, "before", arena_fmt(p.a, "%lld", (long long)next)));
    page_show(&p, 200, "failed");
}
