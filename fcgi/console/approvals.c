/* approvals.c: sensitive commands that wait for a second person: asked for here, by the HTTP API or
 * at the shell, decided here or there; one of them with all the devices that it is for. */
#include "console/page.h"

#include "base/clock.h"
#include "command/consent.h"
#include "store/standing.h"

/* What is no command is told in words. */
static const char *deed_name(struct page *p, const char *type)
{
    return strcmp(type, CONSENT_ESCROW) == 0
               ? page_text(p, "approval_escrow")
               : words_fill(p->w, p->a, "approval_reveal", type + strlen(CONSENT_REVEAL) + 1, NULL);
}

static void one_show(struct page *p, struct value *v, const struct approval *x)
{
    const char *id = arena_fmt(p->a, "%lld", (long long)x->id);
    value_set_text(v, "id", id);
    bool deed = consent_is_deed(x->request_type);
    value_set_text(v, "type", deed ? deed_name(p, x->request_type) : x->request_type);
    value_set_bool(v, "deed", deed);
    value_set_text(v, "first", x->first_target);
    value_set_text(v, "link",
                   x->order_id ? page_link_id(p, "/group/order", x->order_id)
                               : page_link(p, "/device", "id", x->first_target));
    value_set_text(v, "all", page_link(p, "/approval", "id", id));
    value_set_int(v, "targets", x->targets);
    value_set_bool(v, "group", x->order_id != 0);
    value_set_text(v, "reason", x->reason);
    value_set_text(v, "by", x->asked_by);
    value_set_text(v, "decided_by", x->decided_by);
    value_set_text(v, "why", x->decided_why);
    value_set_bool(v, "waits",
                   x->state == APPROVAL_WAITS && strcmp(x->asked_by, p->caller->admin) != 0);
    value_set_text(v, "seen", arena_fmt(p->a, "%lld", (long long)p->req->now));
    page_state(p, v, "approval", approval_state_name(x->state));
    page_time(p, v, "asked", x->asked_at);
    page_time(p, v, "decided", x->decided_at);
    page_time(p, v, "expires", x->state == APPROVAL_WAITS ? x->expires_at : 0);
}

static void show(struct page *p, int status)
{
    struct approval *x;
    size_t n;
    if (approval_list(p->db, false, page_number(req_query(p->req, "before")), PAGE_ROWS, p->a, &x,
                      &n, &p->err) != OK ||
        standing_targets_count(p->db, x, n, p->a, &p->err) != OK) {
        page_fail(p);
        return;
    }
    struct value *list = value_set_list(p->root, "approvals");
    for (size_t i = 0; i < n; i++)
        one_show(p, value_append_dict(list), &x[i]);
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

/* ---- one of them ---- */

void console_approval(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp)
{
    const char *id = req_query(req, "id");
    struct approval_target *t;
    struct approval x;
    struct page p;
    size_t n;
    if (!page_open(&p, app, req, caller, resp, "approvals"))
        return;
    if (approval_get(p.db, page_number(id), p.a, &x, &p.err) != OK ||
        standing_targets_count(p.db, &x, 1, p.a, &p.err) != OK ||
        standing_targets(p.db, &x, page_number(req_query(req, "after")), PAGE_ROWS, p.a, &t, &n,
                         &p.err) != OK) {
        page_fail(&p);
        return;
    }
    one_show(&p, p.root, &x);
    value_set_text(p.root, "title",
                   consent_is_deed(x.request_type) ? deed_name(&p, x.request_type)
                                                   : x.request_type);
    struct value *list = value_set_list(p.root, "devices");
    for (size_t i = 0; i < n; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "name", t[i].name);
        value_set_text(v, "link", page_link(&p, "/device", "id", t[i].ident));
    }
    value_set_bool(p.root, "some", n > 0);
    if (n == PAGE_ROWS)
        value_set_text(p.root, "next",
                       page_link(&p, page_link(&p, "/approval", "id", id), "after",
                                 arena_fmt(p.a, "%lld", (long long)t[n - 1].enrollment_id)));
    page_show(&p, 200, "approval");
}

/* ---- deciding ---- */

/* Why the one device that it was for did not get it; of many their pages tell it. */
static enum outcome became(struct page *p, const struct consent *c)
{
    if (!c->ran || c->order.nparts != 1 || c->order.n != 1)
        return OK;
    const struct sending *s = &c->order.parts[0].send;
    const char *bad = s->command_error ? s->command_error : s->targets[0].command_error;
    return bad ? err_set(&p->err, CONFLICT, "%s", bad) : OK;
}

/* Who decided before, and when. */
static enum outcome decided(struct page *p, const struct approval *x)
{
    char at[CLOCK_TEXT_MAX];
    const char *key = arena_fmt(p->a, "approval_%s_by", approval_state_name(x->state));
    return err_set(
        &p->err, CONFLICT, "%s",
        words_fill(p->w, p->a, key, x->decided_by, clock_rfc3339(x->decided_at, false, at)));
}

static enum outcome decide(struct page *p, bool approve, bool *deed)
{
    struct consent c;
    const struct approval_decision d = {.id = page_number(page_field(p, "id")),
                                        .approve = approve,
                                        .by = p->caller->admin,
                                        .why = page_field(p, "why"),
                                        .now = p->req->now,
                                        .seen_at = page_number(page_field(p, "seen"))};
    if (!*d.why || strlen(d.why) > CONSENT_WHY_MAX)
        return err_set(&p->err, INVALID, "%s", page_text(p, "reason_wrong"));
    enum outcome o = consent_decide(p->db, p->app->conf, p->a, &d, &c, &p->err);
    if (c.repeated || (o == CONFLICT && c.approval.decided_at))
        return decided(p, &c.approval);
    *deed = o == OK && consent_is_deed(c.approval.request_type);
    return o == OK ? became(p, &c) : o;
}

void console_approvals_post(struct app *app, struct req *req, const struct caller *caller,
                            struct resp *resp)
{
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "approvals") || !page_confirmed(&p))
        return;
    bool approve = strcmp(page_field(&p, "decision"), "approve") == 0;
    bool deed = false;
    enum outcome o = decide(&p, approve, &deed);
    if (o == OK) {
        page_go(&p, !approve ? "/approvals?done=refused"
                    : deed   ? "/approvals?done=approved_deed"
                             : "/approvals?done=approved");
    } else if (page_mendable(o)) {
        page_bad(&p, p.err.msg);
        show(&p, page_status(o));
    } else {
        page_fail(&p);
    }
}
