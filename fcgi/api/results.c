/* results.c: GET /v1/results/{id} lists closed commands, newest first; GET
 * /v1/results/{id}/{uuid} tells all of one command, open or closed. */
#include "api/queue.h"
#include "command/error_codes.h"

#include "base/limits.h"
#include "wire/plist.h"

#include <stdio.h>

static void add_meanings(js o, const char *domain, int64_t code)
{
    const char *text[ERROR_MEANINGS_MAX];
    size_t n = error_meanings(domain, code, text, ERROR_MEANINGS_MAX);
    js list = js_array();

    for (size_t i = 0; i < n; i++)
        js_append(list, js_new_str(text[i]));
    if (n > 0)
        js_set(o, "meanings", list);
    else
        js_free(&list);
}

/* The errors of a report (reference, "MDM Result Payloads": ErrorChain). */
static js error_chain(pl chain)
{
    js list = js_array();

    for (size_t i = 0; i < pl_size(chain) && i < 16; i++) {
        pl e = pl_at(chain, i);
        js o = js_object();
        int64_t code = 0;

        if (pl_get_int(e, "ErrorCode", &code))
            js_set_int(o, "code", code);
        js_set_str(o, "domain", pl_get_str(e, "ErrorDomain"));
        js_set_str(o, "description",
                   pl_get_str(e, "USEnglishDescription") != NULL
                       ? pl_get_str(e, "USEnglishDescription")
                       : pl_get_str(e, "LocalizedDescription"));
        add_meanings(o, pl_get_str(e, "ErrorDomain"), code);
        js_append(list, o);
    }
    return list;
}

static void add_parsed(js o, struct bytes report)
{
    struct err err;
    pl root = NULL;

    if (report.n == 0 || pl_parse(report, &root, &err) != OK)
        return;
    js_set_str(o, "status", pl_get_str(root, "Status"));
    if (pl_type_of(pl_get(root, "ErrorChain")) == PL_ARRAY)
        js_set(o, "error_chain", error_chain(pl_get(root, "ErrorChain")));
    pl_free(&root);
}

static void tell_one(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp, const char *id, const char *uuid)
{
    struct queue_item q;
    struct err err = {0};
    struct db *db = NULL;
    bool with_command = false;
    js root;

    if (!api_flag(req, resp, "include_command", &with_command) || !api_db(app, resp, &db))
        return;
    enum outcome o = queue_get(db, id, uuid, req->arena, &q, &err);
    if (o == OK)
        o = personal_filter(db, personal_onlooker(req, caller), id, &q, 1, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    if (!with_command)
        q.body = bytes_of(NULL, 0);
    root = item_object(&q);
    add_parsed(root, q.report);
    api_json(resp, 200, &root);
}

static void tell_all(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp, const char *id)
{
    struct queue_item *q = NULL;
    struct err err = {0};
    struct db *db = NULL;
    bool with_report = false;
    int64_t before = 0;
    size_t limit, n;

    if (!api_limit(req, resp, &limit) || !api_number(req, resp, "cursor", &before) ||
        !api_flag(req, resp, "include_report", &with_report) || !api_db(app, resp, &db))
        return;
    enum outcome o = queue_results(db, id, before, limit, with_report ? ITEM_BLOBS / limit : 0,
                                   req->arena, &q, &n, &err);
    if (o == OK)
        o = personal_filter(db, personal_onlooker(req, caller), id, q, n, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    js root = js_object(), list = js_array();
    for (size_t i = 0; i < n; i++) {
        js item = item_object(&q[i]);

        add_parsed(item, q[i].report);
        js_append(list, item);
    }
    js_set(root, "results", list);
    if (n == limit) {
        char text[24];

        snprintf(text, sizeof(text), "%lld", (long long)q[n - 1].command_id);
        js_set_str(root, "next_cursor", text);
    }
    api_json(resp, 200, &root);
}

void api_results(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    const char *part[2];
    size_t n;

    if (!api_segments(req, resp, "/v1/results/", part, 2, &n))
        return;
    if (n == 2)
        tell_one(app, req, caller, resp, part[0], part[1]);
    else
        tell_all(app, req, caller, resp, part[0]);
}
