/* pushcert.c: /v1/pushcert: stores a push certificate with its key, or tells of a stored one. */
#include "api/api.h"

#include "base/clock.h"
#include "push/pushcert.h"
#include "store/pushcert.h"

static void answer(struct resp *resp, int64_t not_after, const char *topic)
{
    char text[CLOCK_TEXT_MAX];
    js o = js_object();

    js_set_str(o, "not_after", clock_rfc3339(not_after, false, text));
    js_set_str(o, "topic", topic);
    api_json(resp, 200, &o);
}

void api_pushcert_put(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp)
{
    struct pushcert cert = {0};
    struct err err = {0};
    struct db *db = NULL;

    if (pushcert_check(req->arena, req->body, &cert, &err) != OK)
        api_fail(resp, &err);
    else if (api_db(app, resp, &db)) {
        if (pushcert_store(db, app->conf, &cert, api_actor(req, caller), NULL, &err) == OK)
            answer(resp, cert.info.not_after, cert.info.topic);
        else
            api_fail(resp, &err);
    }
    db_pool_give(app->pool, &db);
    pushcert_wipe(&cert);
}

void api_pushcert_get(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp)
{
    const char *topic = req_query(req, "topic");
    struct pushcert_row row;
    struct err err = {0};
    struct db *db = NULL;

    (void)caller;
    if (topic == NULL || topic[0] == '\0') {
        resp_json_error(resp, 400, "topic missing: call it with ?topic=com.apple.mgmt...");
        return;
    }
    if (!api_db(app, resp, &db))
        return;
    if (pushcert_get(db, topic, req->arena, &row, &err) == OK)
        answer(resp, row.not_after, row.topic);
    else
        api_fail(resp, &err);
    db_pool_give(app->pool, &db);
}
