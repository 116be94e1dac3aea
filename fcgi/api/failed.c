/* failed.c: GET /api/v1/failed, commands that ended with an error, of all devices. */
#include "api/api.h"

#include "base/clock.h"
#include "store/failed.h"
#include "store/queue_state.h"

#define SINCE_US (7 * DAY_US)

/* since=RFC 3339; a week when absent. */
static bool since_read(struct req *req, struct resp *resp, int64_t *since)
{
    const char *text = req_query(req, "since");

    *since = req->now - SINCE_US;
    if (text == NULL || (clock_parse_rfc3339(text, since) && *since >= 0))
        return true;
    resp_json_error(resp, 400, "\"since\" must be a time like 2026-11-22T08:15:30Z");
    return false;
}

void api_failed(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct failed *f = NULL;
    struct err err = {0};
    struct db *db = NULL;
    struct failed_filter filter = {.request_type = req_query(req, "request_type")};
    int64_t before = 0, next;
    size_t limit, n;

    (void)caller;
    if (!api_limit(req, resp, &limit) || !api_number(req, resp, "cursor", &before) ||
        !since_read(req, resp, &filter.since) || !api_db(app, resp, &db))
        return;
    filter.before = before != 0 ? before : INT64_MAX;
    enum outcome o = failed_list(db, &filter, limit, req->arena, &f, &n, &next, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    js root = js_object(), list = js_array();
    for (size_t i = 0; i < n; i++) {
        js one = js_object();

        js_set_str(one, "id", f[i].ident);
        js_set_str(one, "name", f[i].name);
        js_set_str(one, "command_uuid", f[i].uuid);
        js_set_str(one, "request_type", f[i].request_type);
        js_set_str(one, "state", queue_state_name(f[i].state));
        api_set_text(one, "why", f[i].why);
        api_set_time(one, "closed_at", f[i].closed_at);
        api_set_text(one, "retried_as", f[i].again);
        if (f[i].again_state != 0)
            js_set_str(one, "retry_state", queue_state_name(f[i].again_state));
        js_append(list, one);
    }
    js_set(root, "failed", list);
    if (next != 0)
        api_set_cursor(root, next);
    api_json(resp, 200, &root);
}
