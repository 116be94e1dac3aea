/*
 * retry.c: commands that failed are sent again: POST /api/v1/retries, those that are named, up to
 * 500 in a call, or, as a job, those of GET /api/v1/failed; POST
 * /api/v1/devices/{id}/commands/{uuid}/retry, one.
 */
#include "api/jobs.h"
#include "api/order.h"

#include "base/clock.h"
#include "base/limits.h"
#include "command/retry.h"
#include "store/account.h"
#include "store/failed.h"

#include <stdlib.h>

#define SINCE_US (7 * DAY_US)

/* What sending it would take: a sensitive one takes a scope of its own. */
static const char *forbids(void *arg, const struct retry_item *x)
{
    const struct caller *caller = arg;
    const struct apikey key = {.scopes = caller->scopes};

    return x->sensitive && !apikey_allows(&key, "sensitive")
               ? "a sensitive command: the API key lacks the scope \"sensitive\""
               : NULL;
}

static js one_json(struct arena *a, const struct retry_one *x)
{
    js o = js_object();

    js_set_str(o, "id", x->ident);
    js_set_str(o, "command_uuid", x->uuid);
    api_set_text(o, "request_type", x->request_type);
    js_set_str(o, "outcome", retry_outcome_name(x->outcome));
    api_set_text(o, "retried_as", x->again);
    if (x->approval != 0)
        js_set_str(o, "approval", arena_fmt(a, "%lld", (long long)x->approval));
    api_set_text(o, "error", x->why);
    return o;
}

static void answer(struct req *req, struct resp *resp, const struct retry *r, int64_t next)
{
    js root = js_object(), list = js_array();

    for (size_t i = 0; i < r->n; i++)
        js_append(list, one_json(req->arena, &r->list[i]));
    for (int i = RETRY_REFUSED; i <= RETRY_ASKED; i++)
        js_set_int(root, i == RETRY_OPEN ? "queued_before" : retry_outcome_name(i),
                   (int64_t)r->counts[i]);
    if (r->dry)
        js_set_bool(root, "dry_run", true);
    js_set(root, "results", list);
    if (next != 0)
        api_set_cursor(root, next);
    api_json(resp, 200, &root);
}

static void run(struct app *app, struct req *req, const struct caller *caller, struct resp *resp,
                struct db *db, struct retry *r, int64_t next)
{
    struct err err = {0};

    r->forbids = forbids;
    r->forbids_arg = (void *)(uintptr_t)caller;
    if (retry_run(db, app->conf, req->arena, api_actor(req, caller), req->now, r, &err) == OK)
        answer(req, resp, r, next);
    else
        api_fail(resp, &err);
}

static bool particulars(struct resp *resp, js body, struct retry *r)
{
    r->reason = js_get_str(body, "reason");
    r->push = true;
    if ((js_get(body, "reason") == NULL ||
         (r->reason != NULL && strlen(r->reason) <= ORDER_REASON_MAX)) &&
        (js_get(body, "push") == NULL || js_get_bool(body, "push", &r->push)) &&
        (js_get(body, "dry_run") == NULL || js_get_bool(body, "dry_run", &r->dry)))
        return true;
    resp_json_error(resp, 400,
                    "\"reason\" must be a string of at most %u octets, \"push\" and \"dry_run\" "
                    "true or false",
                    ORDER_REASON_MAX);
    return false;
}

/* ---- one ---- */

void retry_device(struct app *app, struct req *req, const struct caller *caller, struct resp *resp,
                  const char *ident, const char *uuid)
{
    static const char *const known[] = {"reason", "push", "dry_run"};
    struct retry_one one = {.ident = ident, .uuid = uuid};
    struct retry r = {.list = &one, .n = 1};
    struct db *db = NULL;
    js body = api_body(req, resp, known, 3);

    if (body != NULL && particulars(resp, body, &r) && api_db(app, resp, &db))
        run(app, req, caller, resp, db, &r, 0);
    db_pool_give(app->pool, &db);
    js_free(&body);
}

/* ---- many ---- */

static bool named_read(struct req *req, struct resp *resp, js list, struct retry *r)
{
    size_t n = js_size(list);

    r->list = arena_array(req->arena, n + 1, sizeof *r->list);
    for (size_t i = 0; r->list != NULL && js_type_of(list) == JS_ARRAY && n <= RETRY_MAX && i < n;
         i++) {
        const char *id = js_get_str(js_at(list, i), "id");
        const char *uuid = js_get_str(js_at(list, i), "command_uuid");

        if (id == NULL || uuid == NULL)
            break;
        r->list[r->n++] = (struct retry_one){.ident = id, .uuid = uuid};
    }
    if (r->list != NULL && n > 0 && r->n == n)
        return true;
    resp_json_error(resp, 400,
                    "\"commands\" must be an array of 1 to %u objects with \"id\" and "
                    "\"command_uuid\"",
                    RETRY_MAX);
    return false;
}

static bool time_read(struct resp *resp, js o, const char *key, int64_t *out)
{
    const char *text = js_get_str(o, key);

    if (js_get(o, key) == NULL || (text != NULL && clock_parse_rfc3339(text, out) && *out >= 0))
        return true;
    resp_json_error(resp, 400, "\"%s\" must be a time like 2026-11-22T08:15:30Z", key);
    return false;
}

static bool filter_read(struct req *req, struct resp *resp, js o, const char *cursor,
                        struct failed_filter *f)
{
    int64_t at = 0;

    *f = (struct failed_filter){.since = req->now - SINCE_US,
                                .before = INT64_MAX,
                                .request_type = js_get_str(o, "request_type"),
                                .not_again = true};
    if (js_type_of(o) != JS_OBJECT || (js_get(o, "request_type") != NULL && !f->request_type)) {
        resp_json_error(resp, 400,
                        "\"failed\" must be an object with \"since\", \"before\" and "
                        "\"request_type\", each as it likes");
        return false;
    }
    if (!time_read(resp, o, "since", &f->since) || !time_read(resp, o, "before", &f->before))
        return false;
    if (cursor != NULL && (at = strtoll(cursor, NULL, 10)) <= 0) {
        resp_json_error(resp, 400, "\"cursor\" is not one that was given as next_cursor");
        return false;
    }
    if (at != 0 && at < f->before)
        f->before = at;
    return true;
}

/* A page of those that failed and were not sent again yet: what would become of them. */
static bool failed_read(struct req *req, struct resp *resp, struct db *db,
                        const struct failed_filter *filter, struct retry *r, int64_t *next)
{
    struct failed *f = NULL;
    struct err err = {0};
    size_t n = 0;

    if (failed_list(db, filter, RETRY_MAX, req->arena, &f, &n, next, &err) != OK) {
        api_fail(resp, &err);
        return false;
    }
    r->many = true;
    r->list = arena_array(req->arena, n + 1, sizeof *r->list);
    for (size_t i = 0; r->list != NULL && i < n; i++)
        if (f[i].again[0] == '\0')
            r->list[r->n++] = (struct retry_one){.ident = f[i].ident, .uuid = f[i].uuid};
    return r->list != NULL;
}

static void begin(struct req *req, const struct caller *caller, struct resp *resp, struct db *db,
                  const struct failed_filter *f, const struct retry *r)
{
    struct bulk_job job = {.task = BULK_FAILED_AGAIN,
                           .request_type = f->request_type,
                           .failed_since = f->since,
                           .failed_before = f->before < req->now ? f->before : req->now,
                           .reason = r->reason,
                           .no_push = !r->push};

    api_job_begin(req, caller, resp, db, &job);
}

void api_retries(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    static const char *const known[] = {"commands", "failed",  "cursor",
                                        "reason",   "dry_run", "push"};
    js body = api_body(req, resp, known, 6), list, failed;
    struct failed_filter filter;
    struct retry r = {0};
    struct db *db = NULL;
    int64_t next = 0;

    if (body == NULL || !particulars(resp, body, &r))
        goto out;
    list = js_get(body, "commands");
    failed = js_get(body, "failed");
    if ((list != NULL) == (failed != NULL)) {
        resp_json_error(resp, 400, "either \"commands\" or \"failed\" says which ones");
        goto out;
    }
    if (list != NULL ? !named_read(req, resp, list, &r)
                     : !filter_read(req, resp, failed, js_get_str(body, "cursor"), &filter))
        goto out;
    if (failed != NULL && !r.dry && js_get(body, "cursor") != NULL)
        resp_json_error(resp, 400, "\"cursor\" is for a dry run: the job takes all of them");
    else if (!api_db(app, resp, &db))
        goto out;
    else if (failed != NULL && !r.dry)
        begin(req, caller, resp, db, &filter, &r);
    else if (list != NULL || failed_read(req, resp, db, &filter, &r, &next))
        run(app, req, caller, resp, db, &r, next);
out:
    db_pool_give(app->pool, &db);
    js_free(&body);
}
