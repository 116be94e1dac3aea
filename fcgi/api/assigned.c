/* assigned.c: /v1/assigned: the devices that are assigned to this server. */
#include "api/api.h"

#include "base/limits.h"
#include "store/assigned.h"

#define SERIALS_MAX 1000

static void list(struct app *app, struct req *req, struct resp *resp)
{
    const char *after = req_query(req, "cursor");
    struct assigned_device *d;
    struct err err = {0};
    struct db *db = NULL;
    size_t limit, n;

    if (!api_limit(req, resp, &limit) || !api_db(app, resp, &db))
        return;
    enum outcome o = assigned_list(db, after ? after : "", limit, req->arena, &d, &n, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    js root = js_object(), devices = js_array();
    for (size_t i = 0; i < n; i++) {
        js one = js_object();
        js_set_str(one, "serial_number", d[i].serial);
        api_set_text(one, "note", d[i].note);
        js_set_str(one, "source", d[i].source);
        api_set_time(one, "added_at", d[i].added_at);
        js_set_str(one, "added_by", d[i].added_by);
        js_append(devices, one);
    }
    js_set(root, "devices", devices);
    if (n == limit)
        js_set_str(root, "next_cursor", d[n - 1].serial);
    api_json(resp, 200, &root);
}

static void add(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    static const char *const known[] = {"serial_numbers", "note"};
    const char *const *serial = NULL;
    struct err err = {0};
    struct db *db = NULL;
    uint64_t added;
    size_t n = 0;
    js body = api_body(req, resp, known, 2);

    if (body == NULL)
        return;
    const char *note = js_get_str(body, "note");
    if (!api_strings(req, resp, body, "serial_numbers", SERIALS_MAX, &serial, &n))
        goto out;
    if (n == 0) {
        resp_json_error(resp, 400, "\"serial_numbers\" must be a list of 1 to %d serial numbers",
                        SERIALS_MAX);
        goto out;
    }
    if (!api_db(app, resp, &db))
        goto out;
    enum outcome o = assigned_add(db, serial, n, note ? note : "", ASSIGNED_MANUAL,
                                  api_actor(req, caller), &added, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        goto out;
    }
    js root = js_object();
    js_set_int(root, "added", (int64_t)added);
    api_json(resp, 200, &root);
out:
    js_free(&body);
}

void api_assigned(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    if (req->method == METHOD_POST)
        add(app, req, caller, resp);
    else
        list(app, req, resp);
}

void api_assigned_remove(struct app *app, struct req *req, const struct caller *caller,
                         struct resp *resp)
{
    const char *serial;
    struct err err = {0};
    struct db *db = NULL;
    size_t n;

    if (!api_segments(req, resp, "/v1/assigned/", &serial, 1, &n) || !api_db(app, resp, &db))
        return;
    enum outcome o = assigned_remove(db, serial, api_actor(req, caller), &err);
    db_pool_give(app->pool, &db);
    if (o != OK)
        api_fail(resp, &err);
    else
        resp->status = 204;
}
