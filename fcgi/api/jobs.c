/* jobs.c: GET /api/v1/jobs, what the agent does for many devices, and how far it is;
 * GET and DELETE /api/v1/jobs/{id}, one, and stops it. */
#include "api/jobs.h"

static js job_object(const void *row, const void *arg)
{
    const struct bulk_job *j = row;
    js o = js_object();
    (void)arg;

    api_set_id(o, "job", j->id);
    js_set_str(o, "task", bulk_task_name(j->task));
    api_set_text(o, "request_type", j->request_type);
    api_set_id(o, "item", j->item_id);
    api_set_text(o, "item_name", j->item);
    js_set_str(o, "state", bulk_state_name(j->state));
    if (j->total >= 0)
        js_set_int(o, "total", j->total);
    js_set_int(o, "queued", j->queued);
    js_set_int(o, "refused", j->refused);
    api_set_time(o, "created_at", j->created_at);
    js_set_str(o, "created_by", j->created_by);
    api_set_time(o, "ended_at", j->ended_at);
    api_set_text(o, "ended_why", j->ended_why);
    return o;
}

void api_jobs(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct bulk_job *j = NULL;
    struct err err = {0};
    struct db *db = NULL;
    int64_t before = 0;
    size_t limit, n;

    (void)caller;
    if (!api_limit(req, resp, &limit) || !api_number(req, resp, "cursor", &before) ||
        !api_db(app, resp, &db))
        return;
    enum outcome o = bulk_list(db, before, limit, req->arena, &j, &n, &err);
    db_pool_give(app->pool, &db);
    js root = o == OK ? api_rows("jobs", j, n, sizeof *j, job_object, NULL) : NULL;
    if (o == OK && n == limit)
        api_set_cursor(root, j[n - 1].id);
    api_answer(resp, 200, o, &err, &root);
}

static void tell(struct req *req, struct resp *resp, struct db *db, int64_t id, int status)
{
    struct bulk_job j;
    struct err err = {0};
    enum outcome o = bulk_get(db, id, req->arena, &j, &err);
    js root = o == OK ? job_object(&j, NULL) : NULL;

    api_answer(resp, status, o, &err, &root);
}

void api_job(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct err err = {0};
    struct db *db = NULL;
    int64_t id;

    if (!api_id(req, resp, "/api/v1/jobs/", "job", &id) || !api_db(app, resp, &db))
        return;
    if (req->method == METHOD_DELETE &&
        bulk_stop(db, id, api_actor(req, caller), req->now, &err) != OK)
        api_fail(resp, &err);
    else
        tell(req, resp, db, id, 200);
    db_pool_give(app->pool, &db);
}

void api_job_begin(struct req *req, const struct caller *caller, struct resp *resp, struct db *db,
                   struct bulk_job *job)
{
    struct err err = {0};

    job->created_by = api_actor(req, caller);
    job->scope = caller->scope;
    if (bulk_add(db, job, NULL, 0, req->now, &err) == OK)
        tell(req, resp, db, job->id, 202);
    else
        api_fail(resp, &err);
}
