/* audit.c: who did what. */
#include "store/audit.h"

#include "console/page.h"

static const char *wanted(struct page *p, const char *name)
{
    const char *s = req_query(p->req, name);
    s = s && *s ? s : NULL;
    value_set_text(p->root, name, s);
    return s;
}

static void next_page(struct page *p, const struct audit_filter *f, int64_t last)
{
    const char *at = arena_fmt(p->a, "%lld", (long long)last);
    const char *link = page_link(p, "/audit", "before", at ? at : "");
    if (f->actor)
        link = page_link(p, link, "actor", f->actor);
    if (f->action)
        link = page_link(p, link, "action", f->action);
    if (f->subject)
        link = page_link(p, link, "subject", f->subject);
    value_set_text(p->root, "next", link);
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
                             .action = wanted(&p, "action")};
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
    if (n == PAGE_ROWS)
        next_page(&p, &f, e[n - 1].id);
    page_show(&p, 200, "audit");
}
