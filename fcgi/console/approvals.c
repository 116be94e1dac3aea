/* approvals.c: sensitive commands that wait for a second person: asked for here, by the HTTP API or
 * at the shell, decided here or there. */
#include "console/page.h"

#include "command/consent.h"

static void show(struct page *p, int status)
{
    struct approval *x;
    size_t n;
    if (approval_list(p->db, false, page_number(req_query(p->req, "before")), PAGE_ROWS, p->a, &x,
                      &n, &p->err) != OK) {
        page_fail(p);
        return;
    }
    struct value *list = value_set_list(p->root, "approvals");
    for (size_t i = 0; i < n; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "id", arena_fmt(p->a, "%lld", (long long)x[i].id));
        value_set_text(v, "type", x[i].request_type);
        value_set_text(v, "first", x[i].first_target);
        value_set_text(v, "link", page_link(p, "/device", "id", x[i].first_target));
        value_set_int(v, "targets", x[i].targets);
        value_set_bool(v, "many", x[i].targets > 1);
        value_set_text(v, "reason", x[i].reason);
        value_set_text(v, "by", x[i].asked_by);
        value_set_text(v, "decided_by", x[i].decided_by);
        value_set_text(v, "why", x[i].decided_why);
        value_set_bool(v, "waits",
                       x[i].state == APPROVAL_WAITS &&
                           strcmp(x[i].asked_by, p->caller->admin) != 0);
        page_state(p, v, "approval", approval_state_name(x[i].state));
        page_time(p, v, "asked", x[i].asked_at);
        page_time(p, v, "expires", x[i].state == APPROVAL_WAITS ? x[i].expires_at : 0);
    }
    value_set_bool(p->root, "some", n > 0);
    if (n == PAGE_ROWS)
        value_set_text(
            p->root, "next",
            page_link(p, "/approvals", "before", arena_fmt(p->a, "%lld", (long long)x[n - 1].id)));
    page_show(p, status, "approvals");
}

void console_approvals(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp)
{
    struct page p;
    if (page_open(&p, app, req, caller, resp, "approvals"))
        show(&p, 200);
}

/* Why the one device that it was for did not get it; of many their pages tell it. */
static enum outcome became(struct page *p, const struct consent *c)
{
    if (!c->ran || c->order.nparts != 1 || c->order.n != 1)
        return OK;
    const struct send *s = &c->order.parts[0].send;
    const char *bad = s->command_error ? s->command_error : s->targets[0].command_error;
    return bad ? err_set(&p->err, CONFLICT, "%s", bad) : OK;
}

static enum outcome decide(struct page *p, bool approve)
{
    const char *why = page_field(p, "why");
    int64_t id = page_number(page_field(p, "id"));
    struct consent c;
    if (!*why || strlen(why) > CONSENT_WHY_MAX)
        return err_set(&p->err, INVALID, "%s", page_text(p, "reason_wrong"));
    enum outcome o = consent_decide(p->db, p->app->conf, p->a, id, approve, p->caller->admin, why,
                                    p->req->now, &c, &p->err);
    return o == OK ? became(p, &c) : o;
}

void console_approvals_post(struct app *app, struct req *req, const struct caller *caller,
                            struct resp *resp)
{
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "approvals") || !page_confirmed(&p))
        return;
    bool approve = strcmp(page_field(&p, "decision"), "approve") == 0;
    enum outcome o = decide(&p, approve);
    if (o == OK) {
        page_go(&p, approve ? "/approvals?done=approved" : "/approvals?done=refused");
    } else if (page_mendable(o)) {
        page_bad(&p, p.err.msg);
        show(&p, page_status(o));
    } else {
        page_fail(&p);
    }
}
