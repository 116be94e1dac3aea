/* app_codes.c: /api/v1/apps/ID/codes: the redemption codes of an app; and .../feedback: what the
 * app left for the server on each device. */
#include "api/library.h"

#include "base/limits.h"
#include "library/codes.h"
#include "store/appdata.h"
#include "store/redemption.h"

static js code_json(const struct redemption_row *x)
{
    js o = js_object();

    api_set_id(o, "id", x->id);
    js_set_str(o, "state", redemption_state_name(x->state));
    api_set_text(o, "enrollment_id", x->ident);
    api_set_text(o, "serial_number", x->serial);
    api_set_text(o, "device_name", x->device_name);
    if (x->reclaimed != 0)
        js_set_int(o, "came_back", x->reclaimed);
    api_set_time(o, "added_at", x->added_at);
    api_set_text(o, "added_by", x->added_by);
    api_set_time(o, "given_at", x->given_at);
    api_set_time(o, "ended_at", x->ended_at);
    return o;
}

void app_codes_answer(struct app *app, struct req *req, struct resp *resp, int64_t id)
{
    const char *word = req_query(req, "state");
    int state = redemption_state_read(word);
    struct redemption_counts counts;
    struct redemption_row *x = NULL;
    struct err err = {0};
    struct db *db = NULL;
    int64_t before = 0;
    size_t limit, n = 0;
    js root, list, sums;

    if (word != NULL && state == 0) {
        resp_json_error(resp, 400, "there is no state \"%.64s\" of a code", word);
        return;
    }
    if (!api_limit(req, resp, &limit) || !api_number(req, resp, "cursor", &before) ||
        !api_db(app, resp, &db))
        return;
    enum outcome o = redemption_list(db, id, state, before, limit, req->arena, &x, &n, &err);
    if (o == OK)
        o = redemption_counts(db, id, req->arena, &counts, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    root = js_object();
    sums = js_object();
    list = js_array();
    for (int s = REDEMPTION_FREE; s < REDEMPTION__MAX; s++)
        js_set_int(sums, redemption_state_name(s), counts.of[s]);
    js_set(root, "counts", sums);
    for (size_t i = 0; i < n; i++)
        js_append(list, code_json(&x[i]));
    js_set(root, "codes", list);
    if (n == limit)
        api_set_cursor(root, x[n - 1].id);
    api_json(resp, 200, &root);
}

void app_codes_post(struct app *app, struct req *req, const struct caller *caller,
                    struct resp *resp, int64_t id)
{
    size_t added = 0, known = 0;
    struct err err = {0};
    struct db *db = NULL;
    js root;

    if (!api_db(app, resp, &db))
        return;
    if (codes_add(db, app->conf, req->arena, id, req->body, api_actor(req, caller), req->now,
                  &added, &known, &err) == OK) {
        root = js_object();
        js_set_int(root, "added", (int64_t)added);
        js_set_int(root, "known", (int64_t)known);
        api_json(resp, added > 0 ? 201 : 200, &root);
    } else {
        api_fail(resp, &err);
    }
    db_pool_give(app->pool, &db);
}

/* The code that the query names; 0: none. */
static bool code_asked(struct req *req, struct resp *resp, bool must, int64_t *code)
{
    *code = 0;
    if (!api_number(req, resp, "code", code))
        return false;
    if (*code != 0 || !must)
        return true;
    resp_json_error(resp, 400, "code is missing: the id of a code");
    return false;
}

static const char *why_asked(struct req *req)
{
    const char *why = req_query(req, "why");

    return why != NULL ? why : "no reason given";
}

void app_code_release(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp, int64_t id)
{
    struct err err = {0};
    struct db *db = NULL;
    int64_t code;

    if (!code_asked(req, resp, true, &code) || !api_db(app, resp, &db))
        return;
    if (redemption_release(db, id, code, api_actor(req, caller), why_asked(req), req->now, &err) ==
        OK)
        resp->status = 204;
    else
        api_fail(resp, &err);
    db_pool_give(app->pool, &db);
}

void app_codes_remove(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp, int64_t id)
{
    struct err err = {0};
    struct db *db = NULL;
    int64_t code;
    uint64_t n = 0;
    js root;

    if (!code_asked(req, resp, false, &code) || !api_db(app, resp, &db))
        return;
    if (redemption_remove(db, id, code, api_actor(req, caller), why_asked(req), &n, &err) == OK) {
        root = js_object();
        js_set_int(root, "removed", (int64_t)n);
        api_json(resp, 200, &root);
    } else {
        api_fail(resp, &err);
    }
    db_pool_give(app->pool, &db);
}

void app_feedback_answer(struct app *app, struct req *req, struct resp *resp, int64_t id)
{
    struct app_data *x = NULL;
    struct err err = {0}, ignored;
    struct db *db = NULL;
    int64_t after = 0;
    size_t limit, n = 0;
    js root, list;

    if (!api_limit(req, resp, &limit) || !api_number(req, resp, "cursor", &after) ||
        !api_db(app, resp, &db))
        return;
    enum outcome o = appdata_feedback(db, id, after, limit, req->arena, &x, &n, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    root = js_object();
    list = js_array();
    for (size_t i = 0; i < n; i++) {
        js one = js_object(), content = NULL;

        js_set_str(one, "enrollment_id", x[i].ident);
        api_set_text(one, "serial_number", x[i].serial);
        api_set_text(one, "device_name", x[i].device_name);
        api_set_time(one, "at", x[i].at);
        if (js_parse(bytes_str(x[i].content), &content, &ignored) == OK)
            js_set(one, "feedback", content);
        js_append(list, one);
    }
    js_set(root, "feedback", list);
    if (n == limit)
        api_set_cursor(root, x[n - 1].enrollment_id);
    api_json(resp, 200, &root);
}
