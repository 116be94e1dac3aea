/* queue.c: GET /v1/queue/{id} lists open commands, DELETE /v1/queue/{id,...} cancels all of them,
 * DELETE /v1/queue/{id}/{uuid} one. */
#include "api/queue.h"
#include "api/result.h"

#include "base/limits.h"
#include "base/utf8.h"

#include <stdio.h>

js item_object(const struct queue_item *q)
{
    js o = js_object(), dropped = NULL;
    struct err ignored;

    js_set_str(o, "command_uuid", q->uuid);
    js_set_str(o, "request_type", q->request_type);
    js_set_str(o, "state", queue_state_name(q->state));
    if (q->priority != 0)
        js_set_int(o, "priority", q->priority);
    api_set_time(o, "queued_at", q->queued_at);
    api_set_time(o, "not_before", q->not_before);
    api_set_time(o, "expires_at", q->expires_at);
    api_set_time(o, "sent_at", q->sent_at);
    if (q->sent_count != 0)
        js_set_int(o, "sent_count", q->sent_count);
    api_set_time(o, "not_now_at", q->notnow_at);
    if (q->notnow_count != 0)
        js_set_int(o, "not_now_count", q->notnow_count);
    api_set_time(o, "closed_at", q->closed_at);
    api_set_text(o, "closed_why", q->closed_why);
    api_set_text(o, "report_set_aside", q->aside);
    api_set_time(o, "reported_at", q->reported_at);
    api_set_text(o, "created_by", q->created_by);
    api_set_text(o, "reason", q->reason);
    api_set_text(o, "retry_of", q->retry_of);
    if (q->dropped[0] != '\0' && js_parse(bytes_str(q->dropped), &dropped, &ignored) == OK)
        js_set(o, "dropped", dropped);
    api_set_base64(o, "command", q->body);
    if (q->withheld != NULL)
        js_set_str(o, "report_withheld", q->withheld);
    api_set_base64(o, "report", q->report);
    return o;
}

bool item_cursor_read(const char *cursor, struct queue_item *after)
{
    long long at, id;
    int end = 0;

    if (strlen(cursor) >= 60 ||
        sscanf(cursor, "%d.%lld.%lld%n", &after->priority, &at, &id, &end) != 3 ||
        cursor[end] != '\0')
        return false;
    after->queued_at = at;
    after->command_id = id;
    return true;
}

void item_cursor_set(js root, const struct queue_item *last)
{
    char text[64];

    snprintf(text, sizeof(text), "%d.%lld.%lld", last->priority, (long long)last->queued_at,
             (long long)last->command_id);
    js_set_str(root, "next_cursor", text);
}

static bool read_cursor(struct req *req, struct resp *resp, struct queue_item *after, bool *given)
{
    const char *s = req_query(req, "cursor");

    *given = s != NULL;
    if (s == NULL || item_cursor_read(s, after))
        return true;
    resp_json_error(resp, 400, "cursor is not one that was given as next_cursor");
    return false;
}

void api_queue(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct queue_item after = {0}, *q = NULL;
    struct err err = {0};
    struct db *db = NULL;
    bool with_body = false, given;
    size_t limit, n;
    const char *id;

    (void)caller;
    if (!api_segments(req, resp, "/v1/queue/", &id, 1, &n) || !api_limit(req, resp, &limit) ||
        !api_flag(req, resp, "include_command", &with_body) ||
        !read_cursor(req, resp, &after, &given) || !api_db(app, resp, &db))
        return;
    enum outcome o = queue_list(db, id, given ? &after : NULL, limit,
                                with_body ? ITEM_BLOBS / limit : 0, req->arena, &q, &n, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    js root = js_object(), list = js_array();
    for (size_t i = 0; i < n; i++)
        js_append(list, item_object(&q[i]));
    js_set(root, "commands", list);
    if (n == limit)
        item_cursor_set(root, &q[n - 1]);
    api_json(resp, 200, &root);
}

/* ---- cancelling ---- */

static void cancel_one(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp, const char *id, const char *uuid)
{
    const char *why = req_query(req, "why");
    struct err err = {0};
    struct db *db = NULL;
    size_t cancelled, sent;

    if (!api_db(app, resp, &db))
        return;
    if (queue_cancel(db, id, uuid, api_actor(req, caller), why != NULL ? why : "no reason given",
                     req->now, &cancelled, &sent, &err) == OK)
        resp->status = 204;
    else
        api_fail(resp, &err);
    db_pool_give(app->pool, &db);
}

static void cancel_all(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp, struct sending *s)
{
    const char *why = req_query(req, "why"), *actor = api_actor(req, caller);
    js root = js_object(), status = js_object();
    struct db *db = NULL;
    size_t errors = 0;

    if (!api_db(app, resp, &db))
        goto out;
    for (size_t i = 0; i < s->n; i++) {
        const struct target *t = &s->targets[i];
        struct err err = {0};
        size_t cancelled, sent;

        if (t->command_error != NULL)
            err_set(&err, INVALID, "%s", t->command_error);
        else if (queue_cancel(db, t->id, NULL, actor, why != NULL ? why : "no reason given",
                              req->now, &cancelled, &sent, &err) == OK)
            continue;
        if (err.outcome == UNAVAILABLE || err.outcome == ERROR) {
            api_fail(resp, &err);
            goto out;
        }
        js_set_str(status, t->id, err.msg);
        errors++;
    }
    if (errors == 0) {
        resp->status = 204;
        goto out;
    }
    js_set(root, "status", status);
    status = NULL;
    api_json(resp, errors == s->n ? 500 : 207, &root);
out:
    db_pool_give(app->pool, &db);
    js_free(&root);
    js_free(&status);
}

void api_queue_delete(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp)
{
    const char *part[2], *why = req_query(req, "why");
    struct sending s = {0};
    size_t n;

    if (why != NULL && why[utf8_prefix(why, QUEUE_WHY_MAX)] != '\0')
        resp_json_error(resp, 400, "why has at most %d characters", QUEUE_WHY_MAX);
    else if (strchr(req->path + strlen("/v1/queue/"), '/') != NULL) {
        if (api_segments(req, resp, "/v1/queue/", part, 2, &n))
            cancel_one(app, req, caller, resp, part[0], part[1]);
    } else if (result_targets_path(req, resp, "/v1/queue/", &s)) {
        if (s.command_error != NULL)
            resp_json_error(resp, 500, "%s", s.command_error);
        else
            cancel_all(app, req, caller, resp, &s);
    }
}
