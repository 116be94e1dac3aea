/* audit.c: who did what. */
#include "store/audit.h"

#include "base/clock.h"
#include "base/limits.h"
#include "console/page.h"
#include "http/csv.h"

#define CSV_PAGES 200 /* of LIM_PAGE entries */

static const char *wanted(struct page *p, const char *name)
{
    const char *s = req_query(p->req, name);
    s = s && *s ? s : NULL;
    value_set_text(p->root, name, s);
    return s;
}

/* path with the filter as its query. */
static const char *filtered(struct page *p, const struct audit_filter *f, const char *link)
{
    if (f->actor)
        link = page_link(p, link, "actor", f->actor);
    if (f->action)
        link = page_link(p, link, "action", f->action);
    if (f->subject)
        link = page_link(p, link, "subject", f->subject);
    return link;
}

void console_audit(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct page p;
    struct audit_entry *e;
    size_t n;
    if (!page_open(&p, app, req, caller, resp, "audit"))
        return;
    struct audit_filter f = {.actor = wanted(&p, "actor"),
                             .subject = wanted(&p, "subject"),
                             .action = wanted(&p, "action"),
                             .own = caller->admin};
    if (audit_list(p.db, &f, page_number(req_query(req, "before")), PAGE_ROWS, p.a, &e, &n,
                   &p.err) != OK) {
        page_fail(&p);
        return;
    }
    struct value *list = value_set_list(p.root, "entries");
    for (size_t i = 0; i < n; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "who", e[i].actor);
        value_set_text(v, "what", e[i].action);
        value_set_text(v, "whom", e[i].subject);
        value_set_text(v, "detail", e[i].detail);
        page_time(&p, v, "at", e[i].at);
    }
    value_set_bool(p.root, "some", n > 0);
    value_set_text(p.root, "csv_link", filtered(&p, &f, "/audit.csv"));
    if (n == PAGE_ROWS) {
        const char *at = arena_fmt(p.a, "%lld", (long long)e[n - 1].id);
        value_set_text(p.root, "next",
                       filtered(&p, &f, page_link(&p, "/audit", "before", at ? at : "")));
    }
    page_show(&p, 200, "audit");
}

/* The entries that fit, the latest first, as CSV. */
void console_audit_csv(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp)
{
    struct page p;
    struct audit_entry *e;
    char at[CLOCK_TEXT_MAX];
    int64_t before = 0;
    size_t n = LIM_PAGE;
    if (!page_open(&p, app, req, caller, resp, "audit"))
        return;
    struct audit_filter f = {.actor = wanted(&p, "actor"),
                             .subject = wanted(&p, "subject"),
                             .action = wanted(&p, "action"),
                             .own = caller->admin};
    struct arena *a = arena_new(32 * LIM_MB);
    enum outcome o = a ? OK : err_set(&p.err, ERROR, "out of memory");
    buf_str(&resp->body, "id,at,actor,action,subject,detail\r\n");
    for (int i = 0; o == OK && n == LIM_PAGE && i < CSV_PAGES; i++) {
        arena_reset(a);
        o = audit_list(p.db, &f, before, LIM_PAGE, a, &e, &n, &p.err);
        for (size_t k = 0; o == OK && k < n; k++) {
            buf_fmt(&resp->body, "%lld", (long long)e[k].id);
            csv_cell(&resp->body, clock_rfc3339(e[k].at, true, at), false);
            csv_cell(&resp->body, e[k].actor, false);
            csv_cell(&resp->body, e[k].action, false);
            csv_cell(&resp->body, e[k].subject, false);
            csv_cell(&resp->body, e[k].detail, false);
            csv_end(&resp->body);
            before = e[k].id;
        }
    }
    arena_free(&a);
    if (o != OK) {
        page_fail(&p);
        return;
    }
    page_leave(&p);
    resp->content_type = "text/csv; charset=utf-8";
    resp_header(resp, "Content-Disposition", "attachment; filename=\"audit.csv\"");
    resp_header(resp, "X-Content-Type-Options", "nosniff");
}
