/* trail.c: GET /api/v1/audit, who did what, and GET /api/v1/errors, what devices' errors mean. */
#include "api/fleet.h"

#include "command/error_codes.h"
#include "store/audit.h"

void api_audit(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct audit_filter f = {.actor = req_query(req, "actor"),
                             .subject = req_query(req, "subject"),
                             .action = req_query(req, "action"),
                             .own = api_actor(req, caller)};
    struct audit_entry *e = NULL;
    struct err err = {0};
    struct db *db = NULL;
    int64_t before = 0;
    size_t limit, n;

    if (!api_limit(req, resp, &limit) || !api_number(req, resp, "cursor", &before) ||
        !api_db(app, resp, &db))
        return;
    enum outcome o = audit_list(db, &f, before, limit, req->arena, &e, &n, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    js root = js_object(), list = js_array();
    for (size_t i = 0; i < n; i++) {
        js one = js_object();

        api_set_time(one, "at", e[i].at);
        js_set_str(one, "actor", e[i].actor);
        js_set_str(one, "action", e[i].action);
        js_set_str(one, "subject", e[i].subject);
        api_set_text(one, "detail", e[i].detail);
        js_append(list, one);
    }
    js_set(root, "entries", list);
    if (n == limit)
        api_set_cursor(root, e[n - 1].id);
    api_json(resp, 200, &root);
}

void api_errors(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    js root = js_object();

    (void)app, (void)req, (void)caller;
    js_set(root, "errors", error_codes_json());
    api_json(resp, 200, &root);
}
