/* approvals.c: sensitive commands that wait for a second person: GET /api/v1/approvals and
 * /api/v1/approvals/{id}; POST /api/v1/approvals/{id} decides. */
#include "api/order.h"

#include "api/fleet.h"
#include "command/consent.h"

#include <stdlib.h>

static js approval_object(struct req *req, const struct approval *x)
{
    js o = js_object();

    js_set_str(o, "approval", arena_fmt(req->arena, "%lld", (long long)x->id));
    js_set_str(o, "state", approval_state_name(x->state));
    js_set_str(o, "request_type", x->request_type);
    js_set_int(o, "enrollments", x->targets);
    js_set_str(o, "first", x->first_target);
    js_set_str(o, "reason", x->reason);
    js_set_str(o, "asked_by", x->asked_by);
    api_set_time(o, "asked_at", x->asked_at);
    api_set_time(o, "expires_at", x->expires_at);
    api_set_text(o, "decided_by", x->decided_by);
    api_set_time(o, "decided_at", x->decided_at);
    api_set_text(o, "decided_why", x->decided_why);
    return o;
}

void api_approvals(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct approval *x = NULL;
    struct err err = {0};
    struct db *db = NULL;
    bool waiting = false;
    int64_t before = 0;
    size_t limit, n;

    (void)caller;
    if (!api_limit(req, resp, &limit) || !api_number(req, resp, "cursor", &before) ||
        !api_flag(req, resp, "waiting", &waiting) || !api_db(app, resp, &db))
        return;
    enum outcome o = approval_list(db, waiting, before, limit, req->arena, &x, &n, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    js root = js_object(), list = js_array();
    for (size_t i = 0; i < n; i++)
        js_append(list, approval_object(req, &x[i]));
    js_set(root, "approvals", list);
    if (n == limit)
        api_set_cursor(root, x[n - 1].id);
    api_json(resp, 200, &root);
}

/* The id of the path. */
static bool id_of(struct req *req, struct resp *resp, int64_t *id)
{
    const char *part;
    char *end;
    size_t n;

    if (!api_segments(req, resp, "/api/v1/approvals/", &part, 1, &n))
        return false;
    *id = strtoll(part, &end, 10);
    if (*part >= '0' && *part <= '9' && *end == '\0')
        return true;
    resp_json_error(resp, 404, "there is no approval \"%.32s\"", part);
    return false;
}

void api_approval(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    const char *const *ids = NULL;
    struct approval x;
    struct err err = {0};
    struct db *db = NULL;
    size_t n = 0;
    int64_t id;
    js root, list;

    (void)caller;
    if (!id_of(req, resp, &id) || !api_db(app, resp, &db))
        return;
    enum outcome o = approval_get(db, id, req->arena, &x, &err);
    if (o == OK)
        o = approval_idents(db, id, req->arena, &ids, &n, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    root = approval_object(req, &x);
    list = js_array();
    for (size_t i = 0; i < n; i++)
        js_append(list, js_new_str(ids[i]));
    js_set(root, "ids", list);
    api_json(resp, 200, &root);
}

static bool read_decision(struct resp *resp, js body, bool *approve, const char **why)
{
    const char *decision = js_get_str(body, "decision");

    *why = js_get_str(body, "reason");
    *approve = decision != NULL && strcmp(decision, "approve") == 0;
    if (*approve || (decision != NULL && strcmp(decision, "refuse") == 0))
        return true;
    resp_json_error(resp, 400, "\"decision\" must be \"approve\" or \"refuse\"");
    return false;
}

static void decide(struct app *app, struct req *req, struct resp *resp, int64_t id, bool approve,
                   const char *by, const char *why)
{
    struct consent c;
    struct err err = {0};
    struct db *db = NULL;
    enum outcome o;

    if (!api_db(app, resp, &db))
        return;
    o = consent_decide(db, app->conf, req->arena, id, approve, by, why, req->now, &c, &err);
    db_pool_give(app->pool, &db);
    if (c.ran) {
        order_answer(req->arena, resp, &c.order);
    } else if (o == OK) {
        js root = approval_object(req, &c.approval);
        api_json(resp, 200, &root);
    } else {
        order_refuse(resp, &c.order, &err);
    }
}

void api_approval_decide(struct app *app, struct req *req, const struct caller *caller,
                         struct resp *resp)
{
    static const char *const known[] = {"decision", "reason"};
    const char *why;
    bool approve;
    int64_t id;
    js body;

    if (!id_of(req, resp, &id) || (body = api_body(req, resp, known, 2)) == NULL)
        return;
    if (read_decision(resp, body, &approve, &why))
        decide(app, req, resp, id, approve, api_actor(req, caller), why);
    js_free(&body);
}
