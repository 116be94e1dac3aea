/* invitations.c: links to the enrolment profile. */
#include "store/invitation.h"

#include "base/clock.h"
#include "console/page.h"
#include "store/enrollprofile.h"
#include "wire/qr.h"

#define DAYS_MAX 365

/* The profiles there are to choose from, the one of the form chosen. */
static enum outcome set_profiles(struct page *p)
{
    struct enrollprofile *e;
    size_t n;
    const char *given = page_field(p, "profile");
    enum outcome o = enrollprofile_list(p->db, p->a, &e, &n, &p->err);
    if (o != OK)
        return o;
    struct value *list = value_set_list(p->root, "profiles");
    for (size_t i = 0; i < n; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "name", e[i].name);
        value_set_bool(v, "chosen", strcmp(e[i].name, *given ? given : ENROLLPROFILE_DEFAULT) == 0);
    }
    value_set_bool(p->root, "some_profiles", n > 1);
    return OK;
}

/* The link as a code that a phone reads. */
static enum outcome set_link(struct page *p, const char *token)
{
    struct qr qr;
    const char *link = arena_fmt(p->a, "%s/enroll/%s", p->app->conf->device_url, token);
    enum outcome o =
        link ? qr_make(p->a, link, &qr, &p->err) : err_set(&p->err, ERROR, "out of memory");
    if (o != OK)
        return o;
    value_set_text(p->root, "link", link);
    value_set_text(p->root, "qr", qr.d);
    value_set_int(p->root, "qr_size", qr.size);
    p->resp->secret = true;
    return OK;
}

static void show(struct page *p, int status)
{
    struct invitation *v;
    size_t n;
    if (set_profiles(p) != OK) {
        page_fail(p);
        return;
    }
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
        value_set_int(row, "id", v[i].id);
        value_set_text(row, "profile", v[i].profile);
        value_set_bool(row, "works", !over && !used && !v[i].revoked_at);
        page_state(p, row, "invitation",
                   v[i].revoked_at ? "revoked"
                   : over          ? "expired"
                   : used          ? "used"
                                   : "open");
        page_time(p, row, "created", v[i].created_at);
        page_time(p, row, "expires", v[i].expires_at);
    }
    value_set_bool(p->root, "some", n > 0);
    if (status == 200) {
        value_set_int(p->root, "days_given", p->app->conf->invitation_days);
        value_set_int(p->root, "uses_given", p->app->conf->invitation_uses);
    } else { /* a form that was refused */
        value_set_text(p->root, "days_given", page_field(p, "days"));
        value_set_text(p->root, "uses_given", page_field(p, "uses"));
    }
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
    if (*page_field(&p, "revoke")) {
        if (invitation_revoke(p.db, page_number(page_field(&p, "revoke")), caller->admin, &p.err) ==
            OK)
            page_go(&p, "/invitations?done=invitation_revoked");
        else
            page_fail(&p);
        return;
    }
    int64_t days = page_number(page_field(&p, "days")), uses = page_number(page_field(&p, "uses"));
    enum outcome o;
    if (days < 1 || days > DAYS_MAX)
        o = err_set(&p.err, INVALID, "%s", page_text(&p, "invitation_days"));
    else
        o = invitation_new(p.db, page_field(&p, "profile"), page_field(&p, "note"), uses,
                           req->now + days * DAY_US, caller->admin, token, &p.err);
    if (o == OK)
        o = set_link(&p, token);
    if (o == OK) {
        show(&p, 200);
    } else if (page_mendable(o)) {
        value_set_text(p.root, "note", page_field(&p, "note"));
        page_bad(&p, p.err.msg);
        show(&p, page_status(o));
    } else {
        page_fail(&p);
    }
}
