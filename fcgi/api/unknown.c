/* unknown.c: GET /v1/unknown lists devices that the database does not know, POST /v1/unknown/{id}
 * decides about one. */
#include "api/api.h"

#include "base/limits.h"
#include "store/unknown.h"
#include "wire/encode.h"

static js unknown_object(const void *row, const void *arg)
{
    const struct unknown_device *d = row;
    char hex[SHA256_HEX_LEN + 1];
    js o = js_object();

    (void)arg;
    hex_encode(bytes_of(d->cert_sha256, sizeof(d->cert_sha256)), hex);
    js_set_int(o, "id", d->id);
    js_set_str(o, "enrollment_id", d->ident);
    js_set_str(o, "certificate_sha256", hex);
    js_set_str(o, "certificate_subject", d->subject);
    api_set_text(o, "topic", d->topic);
    js_set_str(o, "last_message", d->last_message);
    api_set_time(o, "first_seen", d->first_seen_at);
    api_set_time(o, "last_seen", d->last_seen_at);
    js_set_int(o, "contacts", d->contacts);
    js_set_str(o, "decision", unknown_decision_name(d->decision));
    api_set_time(o, "decided_at", d->decided_at);
    api_set_text(o, "decided_by", d->decided_by);
    api_set_text(o, "decided_why", d->decided_why);
    return o;
}

/* -1: none of them. */
static int decision_of(const char *s)
{
    for (int d = DECISION_OPEN; s != NULL && d <= DECISION_END; d++)
        if (strcmp(unknown_decision_name(d), s) == 0)
            return d;
    return -1;
}

void api_unknown(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    const char *word = req_query(req, "decision");
    int decision = decision_of(word);
    struct unknown_device *d = NULL;
    struct err err = {0};
    struct db *db = NULL;
    int64_t after = 0;
    size_t limit, n;

    (void)caller;
    if (word != NULL && decision < 0) {
        resp_json_error(resp, 400, "decision must be open, accept or end");
        return;
    }
    if (!api_limit(req, resp, &limit) || !api_number(req, resp, "cursor", &after) ||
        !api_db(app, resp, &db))
        return;
    enum outcome o = unknown_list(db, decision, after, limit, req->arena, &d, &n, &err);
    db_pool_give(app->pool, &db);
    js root = o == OK ? api_rows("devices", d, n, sizeof *d, unknown_object, NULL) : NULL;
    if (o == OK && n == limit)
        js_set_int(root, "next_cursor", d[n - 1].id);
    api_answer(resp, 200, o, &err, &root);
}

static void decide(struct app *app, struct req *req, const struct caller *caller, struct resp *resp,
                   int64_t id, js body)
{
    int decision = decision_of(js_get_str(body, "decision"));
    const char *why;
    struct unknown_device d;
    struct err err = {0};
    struct db *db = NULL;
    js root;

    if (decision < 0) {
        resp_json_error(resp, 400, "\"decision\" must be accept, end or open");
        return;
    }
    if ((why = api_why(resp, body)) == NULL || !api_db(app, resp, &db))
        return;
    enum outcome o = unknown_decide(db, id, (enum unknown_decision)decision, api_actor(req, caller),
                                    why, req->now, req->arena, &d, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    root = unknown_object(&d, NULL);
    api_json(resp, 200, &root);
}

void api_unknown_decide(struct app *app, struct req *req, const struct caller *caller,
                        struct resp *resp)
{
    static const char *const known[] = {"decision", "why"};
    int64_t id;
    js body;

    if (!api_id(req, resp, "/v1/unknown/", "unknown device", &id))
        return;
    body = api_body(req, resp, known, 2);
    if (body == NULL)
        return;
    decide(app, req, caller, resp, id, body);
    js_free(&body);
}
