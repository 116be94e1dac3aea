/* invitations.c: links to the enrolment profile. */
#include "store/invitation.h"

#include "base/clock.h"
#include "console/page.h"

#define DAYS_MAX 365

static void show(struct page *p, int status)
{
    struct invitation *v;
    size_t n;
    if (invitation_list(p->db, page_number(req_query(p->req, "before")), PAGE_ROWS, p->a, &v, &n,
                        &p->err) != OK) {
        page_fail(p);
        return;
    }
    struct value *list = value_set_list(p->root, "invitations");
    for (size_t i = 0; i < n; i++) {
        struct value *row = value_append_dict(list);
        bool over = v[i].expires_at <= p->req->now, used = v[i].uses >= v[i].uses_max;
        value_set_text(row, "note", v[i].note);
        value_set_int(row, "uses", v[i].uses);
        value_set_int(row, "uses_max", v[i].uses_max);
        value_set_text(row, "by", v[i].created_by);
        page_state(p, row, "invitation", over ? "expired" : used ? "used" : "open");
        page_time(p, row, "created", v[i].created_at);
        page_time(p, row, "expires", v[i].expires_at);
    }
    value_set_bool(p->root, "some", n > 0);
    value_set_int(p->root, "days_given", p->app->conf->invitation_days);
    value_set_int(p->root, "uses_given", p->app->conf->invitation_uses);
    if (n == PAGE_ROWS)
        value_set(
            p->root, "next",
            value_text(p->a, arena_fmt(p->a, "/invitations?before=%lld", (long long)v[n - 1].id)));
    page_show(p, status, "invitations");
}

void console_invitations(struct app *app, struct req *req, const struct caller *caller,
                         struct resp *resp)
{
    struct page p;
    if (page_open(&p, app, req, caller, resp, "invitations"))
        show(&p, 200);
}

void console_invite(struct app *app, struct req *req, const struct caller *caller,
                    struct resp *resp)
{
    struct page p;
    char token[INVITATION_TOKEN_LEN + 1];
    if (!page_open(&p, app, req, caller, resp, "invitations"))
        return;
    int64_t days = page_number(page_field(&p, "days")), uses = page_number(page_field(&p, "uses"));
    enum outcome o;
    if (days < 1 || days > DAYS_MAX)
        o = err_set(&p.err, INVALID, "%s", page_text(&p, "invitation_days"));
    else
        o = invitation_new(p.db, page_field(&p, "profile"), page_field(&p, "note"), uses,
                           req->now + days * DAY_US, caller->admin, token, &p.err);
    if (o == OK) {
        value_set(p.root, "link",
                  value_text(p.a, arena_fmt(p.a, "%s/enroll/%s", app->conf->device_url, token)));
        resp->secret = true;
        show(&p, 200);
    } else if (page_mendable(o)) {
        value_set_text(p.root, "note", page_field(&p, "note"));
        page_bad(&p, p.err.msg);
        show(&p, page_status(o));
    } else {
        page_fail(&p);
    }
}
