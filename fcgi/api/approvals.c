/* approvals.c: sensitive commands that wait for a second person: GET /api/v1/approvals,
 * /api/v1/approvals/{id} and, whom it is for, /api/v1/approvals/{id}/targets;
 * POST /api/v1/approvals/{id} decides. */
#include "api/order.h"

#include "api/fleet.h"
#include "base/clock.h"
#include "command/consent.h"
#include "store/standing.h"

#include <stdlib.h>

static js approval_object(struct req *req, const struct approval *x)
{
    js o = js_object();

    js_set_str(o, "approval", arena_fmt(req->arena, "%lld", (long long)x->id));
    js_set_str(o, "state", approval_state_name(x->state));
    js_set_str(o, "request_type", x->request_type);
    js_set_int(o, "enrollments", x->targets);
    js_set_str(o, "first", x->first_target);
    api_set_id(o, "group", x->group_id);
    api_set_id(o, "group_command", x->order_id);
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
    if (o == OK)
        o = standing_targets_count(db, x, n, req->arena, &err);
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

/* The id of the path, and what follows it ("": nothing). */
static bool id_of(struct req *req, struct resp *resp, int64_t *id, const char **word)
{
    const char *part[2] = {"", ""};
    char *end;
    size_t n;

    if (!api_segments(req, resp, "/api/v1/approvals/", part, 2, &n))
        return false;
    *word = n == 2 ? part[1] : "";
    *id = strtoll(part[0], &end, 10);
    if (part[0][0] >= '0' && part[0][0] <= '9' && *end == '\0')
        return true;
    resp_json_error(resp, 404, "there is no approval \"%.32s\"", part[0]);
    return false;
}

static void tell(struct req *req, struct resp *resp, struct db *db, int64_t id)
{
    struct approval_target *t = NULL;
    struct approval x;
    struct err err = {0};
    size_t n = 0;
    js root, list;
    enum outcome o = approval_get(db, id, req->arena, &x, &err);

    if (o == OK)
        o = standing_targets_count(db, &x, 1, req->arena, &err);
    if (o == OK)
        o = standing_targets(db, &x, 0, LIM_PAGE, req->arena, &t, &n, &err);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    root = approval_object(req, &x);
    api_set_time(root, "as_of", req->now);
    list = js_array();
    for (size_t i = 0; i < n; i++)
        js_append(list, js_new_str(t[i].ident));
    js_set(root, "ids", list);
    api_json(resp, 200, &root);
}

static void tell_targets(struct req *req, struct resp *resp, struct db *db, int64_t id)
{
    struct approval_target *t = NULL;
    struct approval x;
    struct err err = {0};
    int64_t after = 0;
    size_t limit, n = 0;
    js root, list;

    if (!api_limit(req, resp, &limit) || !api_number(req, resp, "cursor", &after))
        return;
    enum outcome o = approval_get(db, id, req->arena, &x, &err);
    if (o == OK)
        o = standing_targets(db, &x, after, limit, req->arena, &t, &n, &err);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    root = js_object();
    list = js_array();
    for (size_t i = 0; i < n; i++) {
        js one = js_object();

        js_set_str(one, "id", t[i].ident);
        js_set_str(one, "name", t[i].name);
        js_append(list, one);
    }
    js_set(root, "targets", list);
    if (n == limit)
        api_set_cursor(root, t[n - 1].enrollment_id);
    api_json(resp, 200, &root);
}

void api_approval(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct db *db = NULL;
    const char *word;
    int64_t id;

    (void)caller;
    if (!id_of(req, resp, &id, &word) || !api_db(app, resp, &db))
        return;
    if (word[0] == '\0')
        tell(req, resp, db, id);
    else if (strcmp(word, "targets") == 0)
        tell_targets(req, resp, db, id);
    else
        resp_json_error(resp, 404, "an approval has nothing called \"%.64s\"", word);
    db_pool_give(app->pool, &db);
}

static bool read_decision(struct resp *resp, js body, struct approval_decision *d)
{
    const char *decision = js_get_str(body, "decision"), *seen = js_get_str(body, "seen_at");

    d->why = js_get_str(body, "reason");
    d->approve = decision != NULL && strcmp(decision, "approve") == 0;
    if (!d->approve && (decision == NULL || strcmp(decision, "refuse") != 0)) {
        resp_json_error(resp, 400, "\"decision\" must be \"approve\" or \"refuse\"");
        return false;
    }
    if (js_get(body, "seen_at") == NULL ||
        (seen != NULL && clock_parse_rfc3339(seen, &d->seen_at) && d->seen_at > 0))
        return true;
    resp_json_error(resp, 400, "\"seen_at\" must be a time like 2026-11-22T08:15:30.123456Z");
    return false;
}

/* It is decided already: the problem says by whom, when and why. */
static void tell_decided(struct req *req, struct resp *resp, const struct approval *x,
                         const struct err *err)
{
    js root = approval_object(req, x);

    api_problem(resp, 409, &root, err->msg);
}

static void decide(struct app *app, struct req *req, struct resp *resp,
                   const struct approval_decision *d)
{
    struct consent c;
    struct err err = {0};
    struct db *db = NULL;
    enum outcome o;

    if (!api_db(app, resp, &db))
        return;
    o = consent_decide(db, app->conf, req->arena, d, &c, &err);
    db_pool_give(app->pool, &db);
    if (c.ran) {
        order_answer(req->arena, resp, &c.order, c.repeated ? &c.approval : NULL);
    } else if (o == OK) {
        js root = approval_object(req, &c.approval);

        if (c.repeated)
            js_set_bool(root, "repeated", true);
        api_json(resp, 200, &root);
    } else if (o == CONFLICT && c.approval.decided_at != 0) {
        tell_decided(req, resp, &c.approval, &err);
    } else {
        order_refuse(resp, &c.order, &err);
    }
}

void api_approval_decide(struct app *app, struct req *req, const struct caller *caller,
                         struct resp *resp)
{
    static const char *const known[] = {"decision", "reason", "seen_at"};
    struct approval_decision d = {.now = req->now};
    const char *word;
    js body;

    if (!id_of(req, resp, &d.id, &word))
        return;
    if (word[0] != '\0') {
        resp_json_error(resp, 404, "there is nothing to post to at this path");
        return;
    }
    if ((body = api_body(req, resp, known, 3)) == NULL)
        return;
    d.by = api_actor(req, caller);
    if (read_decision(resp, body, &d))
        decide(app, req, resp, &d);
    js_free(&body);
}
