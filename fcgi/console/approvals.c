/* approvals.c: sensitive commands that wait for a second person: asked for here or by the HTTP API,
 * decided here or there: what is kept is the API's request. */
#include "console/approval.h"

#include "base/clock.h"
#include "base/limits.h"
#include "library/standing.h"
#include "store/id.h"
#include "wire/seal.h"
#include "wire/sign.h"

#define REASON_MAX 255

enum outcome approval_of(struct page *p, struct order *o)
{
    struct approval x = {.id = id_new(),
                         .request_type = o->request_type,
                         .first_target = o->ids[0],
                         .reason = o->reason,
                         .asked_by = p->caller->admin,
                         .targets = (int64_t)o->n,
                         .asked_at = p->req->now,
                         .expires_at =
                             p->req->now + p->app->conf->command_approval_hours * HOUR_US};
    struct buf text = BUF_INIT(LIM_BODY_API), sealed = BUF_INIT(LIM_BODY_API + SEAL_OVERHEAD);
    const char *label = arena_fmt(p->a, "Order:%lld", (long long)x.id);
    uint8_t pub[SEAL_KEY_LEN];
    js body = js_object();
    enum outcome out = order_check(p->db, p->a, o, &p->err);
    js_set_str(body, "request_type", o->request_type);
    js_set_str(body, "reason", o->reason);
    js_set_bool(body, "force", o->force);
    if (o->keys) { /* the body's from here on */
        js_set(body, "command", o->keys);
        o->keys = NULL;
    }
    if (out == OK)
        out = label && js_write(body, false, &text) == OK
                  ? seal_public_load(p->app->conf->signer_dir, pub, &p->err)
                  : err_set(&p->err, ERROR, "out of memory");
    if (out == OK)
        out = seal(pub, label, buf_bytes(&text), &sealed, &p->err);
    x.request = buf_bytes(&sealed);
    if (out == OK)
        out = approval_ask(p->db, &x, &p->err);
    js_free(&body);
    buf_wipe(&text);
    buf_free(&sealed);
    return out;
}

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

/* The ids that the request names, or the one device it was for. */
static enum outcome ids_of(struct page *p, js body, const struct approval *x, struct order *o)
{
    js list = js_get(body, "ids");
    size_t n = list ? js_size(list) : 1;
    const char **ids = n <= ORDER_SENSITIVE_MAX ? arena_array(p->a, n, sizeof *ids) : NULL;
    if (!ids)
        return err_set(&p->err, INVALID, "a sensitive command for %zu enrollments", n);
    for (size_t i = 0; i < n; i++) {
        ids[i] = list ? js_str(js_at(list, i)) : x->first_target;
        if (!ids[i])
            return err_set(&p->err, INVALID, "the request that was kept is broken");
    }
    o->ids = ids;
    o->n = n;
    return OK;
}

/* The request as it was made, now with the leave of two; again and again it is queued once. */
static enum outcome run(struct page *p, const struct approval *x)
{
    const char *owner = arena_fmt(p->a, "%lld", (long long)x->id);
    const char *both = arena_fmt(p->a, "%.60s with %.60s", x->asked_by, p->caller->admin);
    struct buf text = BUF_INIT(LIM_BODY_API);
    struct order o = {.push = true, .approved = true};
    js body = NULL;
    enum outcome out = owner && both ? sign_unseal("Order", owner, x->request, bytes_of(NULL, 0),
                                                   "", &text, &p->err)
                                     : err_set(&p->err, ERROR, "out of memory");
    if (out == OK)
        out = js_parse(buf_bytes(&text), &body, &p->err);
    buf_wipe(&text);
    if (out == OK && standing_asked(body) != 0) {
        out = standing_approve(p->db, standing_asked(body), p->caller->admin, p->req->now, &p->err);
        js_free(&body);
        return out;
    }
    if (out == OK)
        out = ids_of(p, body, x, &o);
    o.request_type = x->request_type;
    o.keys = js_get(body, "command");
    o.reason = x->reason;
    o.seed = arena_fmt(p->a, "approval:%s", owner);
    if (out == OK && js_get(body, "force") && !js_get_bool(body, "force", &o.force))
        out = err_set(&p->err, INVALID, "the request that was kept is broken");
    if (out == OK)
        out = order_run(p->db, p->app->conf, p->a, both, p->req->now, &o, &p->err);
    js_free(&body);
    return out;
}

static enum outcome decide(struct page *p, bool approve)
{
    const char *why = page_field(p, "why"), *by = p->caller->admin;
    int64_t id = page_number(page_field(p, "id"));
    struct approval x;
    if (!*why || strlen(why) > REASON_MAX)
        return err_set(&p->err, INVALID, "%s", page_text(p, "reason_wrong"));
    enum outcome o = approval_decide(p->db, id, approve, by, why, p->req->now, &p->err);
    if (o != OK || !approve)
        return o;
    o = approval_get(p->db, id, p->a, &x, &p->err);
    return o == OK ? run(p, &x) : o;
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
