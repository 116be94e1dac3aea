/* webhooks.c: /api/v1/webhooks: addresses that are told what happens, and what became of it. */
#include "api/api.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/webhook.h"
#include "webhook/edit.h"
#include "wire/encode.h"

#include <stdio.h>
#include <stdlib.h>

#define PATH "/api/v1/webhooks/"

static void set_event_id(js o, int64_t id)
{
    char text[17];

    snprintf(text, sizeof text, "%016llx", (unsigned long long)id);
    js_set_str(o, "event_id", text);
}

static js webhook_object(const struct webhook *w, struct arena *a)
{
    const char *const *topics = NULL;
    js o = js_object(), list = js_array();
    size_t n = 0;

    if (webhook_topics(w->wants, a, &topics, &n, NULL) == OK)
        for (size_t i = 0; i < n; i++)
            js_append(list, js_new_str(topics[i]));
    api_set_id(o, "id", w->id);
    js_set_str(o, "name", w->name);
    js_set_str(o, "url", w->url);
    js_set(o, "topics", list);
    js_set_str(o, "payload", webhook_payload_name(w->payload));
    js_set_str(o, "state", webhook_state_name(w->state));
    api_set_time(o, "state_at", w->state_at);
    api_set_text(o, "state_by", w->state_by);
    api_set_text(o, "state_why", w->state_why);
    api_set_time(o, "failing_since", w->failing_since);
    api_set_text(o, "failure", w->failure);
    api_set_time(o, "last_success_at", w->last_ok_at);
    api_set_time(o, "old_secret_until", w->secret_before_until);
    js_set_int(o, "waiting", w->waiting);
    js_set_int(o, "dead", w->dead);
    api_set_time(o, "created_at", w->created_at);
    api_set_text(o, "created_by", w->created_by);
    return o;
}

void api_webhooks(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct webhook *w;
    struct err err = {0};
    struct db *db;
    size_t n = 0;

    (void)caller;
    if (!api_db(app, resp, &db))
        return;
    enum outcome o = webhook_list(db, true, req->arena, &w, &n, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    js root = js_object(), list = js_array();
    for (size_t i = 0; i < n; i++)
        js_append(list, webhook_object(&w[i], req->arena));
    js_set(root, "webhooks", list);
    api_json(resp, 200, &root);
}

/* Answers with the webhook as it is now; key: its new secret, told this once; NULL: none. */
static void answer(struct db *db, struct req *req, struct resp *resp, int status, int64_t id,
                   const char *key)
{
    struct err err = {0};
    struct webhook w;

    if (webhook_get(db, id, req->arena, &w, &err) != OK) {
        api_fail(resp, &err);
        return;
    }
    js root = webhook_object(&w, req->arena);
    if (key != NULL) {
        js_set_str(root, "secret", key);
        resp->secret = true;
    }
    api_json(resp, status, &root);
}

static bool text_read(struct resp *resp, js body, const char *key, const char **out)
{
    *out = js_get_str(body, key);
    if (*out != NULL || js_get(body, key) == NULL)
        return true;
    resp_json_error(resp, 400, "\"%s\" must be a string", key);
    return false;
}

static bool edit_read(struct req *req, struct resp *resp, js body, struct webhook_edit *e)
{
    return text_read(resp, body, "name", &e->name) && text_read(resp, body, "url", &e->url) &&
           text_read(resp, body, "payload", &e->payload) &&
           text_read(resp, body, "secret", &e->secret) &&
           api_strings(req, resp, body, "topics", 64, &e->topics, &e->ntopics);
}

void api_webhook_new(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    static const char *const known[] = {"name", "url", "topics", "payload", "secret"};
    char key[WEBHOOK_KEY_MAX] = "";
    struct webhook_edit e = {0};
    struct err err = {0};
    struct db *db = NULL;
    int64_t id;
    js body = api_body(req, resp, known, 5);

    if (body == NULL)
        return;
    if (edit_read(req, resp, body, &e) && api_db(app, resp, &db)) {
        if (webhook_make(db, app->conf, &e, api_actor(req, caller), req->now, req->arena, &id, key,
                         &err) == OK)
            answer(db, req, resp, 201, id, key);
        else
            api_fail(resp, &err);
        db_pool_give(app->pool, &db);
    }
    secret_wipe(key, sizeof key);
    js_free(&body);
}

/* The webhook that the path names, and what follows. False: refused. */
static bool path_read(struct req *req, struct resp *resp, int64_t *id, const char *rest[2],
                      size_t *nrest)
{
    const char *part[3];
    size_t n;
    char *end;

    if (!api_segments(req, resp, PATH, part, 3, &n))
        return false;
    *id = strtoll(part[0], &end, 10);
    if (*id <= 0 || *end != '\0') {
        resp_json_error(resp, 404, "there is no webhook \"%.64s\"", part[0]);
        return false;
    }
    *nrest = n - 1;
    for (size_t i = 1; i < n; i++)
        rest[i - 1] = part[i];
    return true;
}

static bool nothing_more(struct resp *resp, size_t nrest)
{
    if (nrest > 0)
        resp_json_error(resp, 404, "there is nothing at this path");
    return nrest == 0;
}

/* ---- deliveries ---- */

static js delivery_object(const struct delivery *d)
{
    const struct event_name *name = event_name_of(d->topic);
    js o = js_object();

    set_event_id(o, d->event_id);
    js_set_str(o, "topic", name != NULL ? name->filter : "?");
    api_set_text(o, "enrollment_id", d->ident);
    api_set_time(o, "at", d->at);
    js_set_str(o, "state", delivery_state_name(d->state));
    js_set_int(o, "attempts", d->attempts);
    if (d->status > 0)
        js_set_int(o, "status", d->status);
    api_set_text(o, "failure", d->failure);
    api_set_time(o, "asked_at", d->asked_at);
    if (d->state == DELIVERY_WAITS)
        api_set_time(o, "due_at", d->due_at);
    api_set_time(o, "done_at", d->done_at);
    return o;
}

static bool filter_read(struct req *req, struct resp *resp, struct delivery_filter *f)
{
    const char *state = req_query(req, "state"), *topic = req_query(req, "topic");
    const struct event_name *name = topic != NULL ? event_name_find(topic) : NULL;

    f->ident = req_query(req, "enrollment");
    f->state = state != NULL ? delivery_state_read(state) : 0;
    f->topic = name != NULL ? (int)name->topic : -1;
    if (f->state < 0)
        resp_json_error(resp, 400, "state must be waits, delivered or dead");
    else if (topic != NULL && name == NULL)
        resp_json_error(resp, 400, "there is no topic \"%.64s\"", topic);
    return f->state >= 0 && (topic == NULL || name != NULL);
}

/* The cursor is the id of the last event of the page before. */
static bool cursor_read(struct req *req, struct resp *resp, int64_t *before)
{
    const char *text = req_query(req, "cursor");

    *before = text != NULL ? webhook_event_id(text) : 0;
    if (text == NULL || *before != 0)
        return true;
    resp_json_error(resp, 400, "cursor must be an event_id");
    return false;
}

static void deliveries(struct db *db, struct req *req, struct resp *resp, int64_t id)
{
    struct delivery_filter f;
    struct delivery *d;
    struct err err = {0};
    int64_t before;
    size_t limit, n = 0;

    if (!filter_read(req, resp, &f) || !cursor_read(req, resp, &before) ||
        !api_limit(req, resp, &limit))
        return;
    if (delivery_list(db, id, &f, before, limit, req->arena, &d, &n, &err) != OK) {
        api_fail(resp, &err);
        return;
    }
    js root = js_object(), list = js_array();
    for (size_t i = 0; i < n; i++)
        js_append(list, delivery_object(&d[i]));
    js_set(root, "deliveries", list);
    if (n == limit) {
        char text[17];

        snprintf(text, sizeof text, "%016llx", (unsigned long long)d[n - 1].event_id);
        js_set_str(root, "next_cursor", text);
    }
    api_json(resp, 200, &root);
}

static void attempts(struct db *db, struct req *req, struct resp *resp, int64_t id,
                     const char *event)
{
    int64_t event_id = webhook_event_id(event);
    struct delivery_attempt *t;
    struct err err = {0};
    size_t n = 0;

    if (event_id == 0) {
        resp_json_error(resp, 404, "\"%.64s\" is no event_id", event);
        return;
    }
    if (delivery_attempts(db, id, event_id, req->arena, &t, &n, &err) != OK) {
        api_fail(resp, &err);
        return;
    }
    js root = js_object(), list = js_array();
    set_event_id(root, event_id);
    for (size_t i = 0; i < n; i++) {
        js o = js_object();

        api_set_time(o, "at", t[i].at);
        js_set_int(o, "took_ms", t[i].took_us / 1000);
        if (t[i].status > 0)
            js_set_int(o, "status", t[i].status);
        api_set_text(o, "failure", t[i].failure);
        api_set_text(o, "answer", t[i].answer);
        js_append(list, o);
    }
    js_set(root, "attempts", list);
    api_json(resp, 200, &root);
}

void api_webhook(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    const char *rest[2];
    struct err err = {0};
    struct webhook w;
    struct db *db = NULL;
    int64_t id;
    size_t n;

    (void)caller;
    if (!path_read(req, resp, &id, rest, &n) || !api_db(app, resp, &db))
        return;
    if (n > 0 && strcmp(rest[0], "deliveries") != 0)
        nothing_more(resp, n);
    else if (webhook_get(db, id, req->arena, &w, &err) != OK)
        api_fail(resp, &err);
    else if (n == 0)
        answer(db, req, resp, 200, id, NULL);
    else if (n == 1)
        deliveries(db, req, resp, id);
    else
        attempts(db, req, resp, id, rest[1]);
    db_pool_give(app->pool, &db);
}

/* ---- changes ---- */

void api_webhook_patch(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp)
{
    static const char *const known[] = {"name", "url", "topics", "payload"};
    struct webhook_edit e = {0};
    const char *rest[2];
    struct err err = {0};
    struct db *db = NULL;
    int64_t id;
    size_t n;
    js body;

    if (!path_read(req, resp, &id, rest, &n) || !nothing_more(resp, n) ||
        (body = api_body(req, resp, known, 4)) == NULL)
        return;
    if (edit_read(req, resp, body, &e) && api_db(app, resp, &db)) {
        if (webhook_edit(db, app->conf, id, &e, api_actor(req, caller), req->arena, &err) == OK)
            answer(db, req, resp, 200, id, NULL);
        else
            api_fail(resp, &err);
        db_pool_give(app->pool, &db);
    }
    js_free(&body);
}

void api_webhook_delete(struct app *app, struct req *req, const struct caller *caller,
                        struct resp *resp)
{
    const char *rest[2], *why = req_query(req, "why");
    struct err err = {0};
    struct webhook w;
    struct db *db = NULL;
    int64_t id;
    size_t n;

    if (!path_read(req, resp, &id, rest, &n) || !nothing_more(resp, n) || !api_db(app, resp, &db))
        return;
    if (webhook_get(db, id, req->arena, &w, &err) == OK &&
        webhook_delete(db, &w, api_actor(req, caller), why != NULL ? why : "no reason given",
                       &err) == OK)
        resp->status = 204;
    else
        api_fail(resp, &err);
    db_pool_give(app->pool, &db);
}

/* What a POST is about: the webhook is there, and the body is an object with known keys. */
struct doing {
    struct app *app;
    struct req *req;
    struct resp *resp;
    const char *by;
    struct db *db;
    struct webhook w;
    js body;
    struct err err;
};

static void do_test(struct doing *d)
{
    int64_t event_id;

    if (webhook_ping(d->db, &d->w, d->by, d->req->now, &event_id, &d->err) != OK) {
        api_fail(d->resp, &d->err);
        return;
    }
    js root = js_object();
    set_event_id(root, event_id);
    api_json(d->resp, 202, &root);
}

static void do_pause(struct doing *d)
{
    const char *why = api_why(d->resp, d->body);

    if (why == NULL)
        return;
    if (webhook_pause(d->db, &d->w, d->by, why, d->req->now, &d->err) == OK)
        answer(d->db, d->req, d->resp, 200, d->w.id, NULL);
    else
        api_fail(d->resp, &d->err);
}

static void do_resume(struct doing *d)
{
    if (webhook_resume(d->db, &d->w, d->by, d->req->now, &d->err) == OK)
        answer(d->db, d->req, d->resp, 200, d->w.id, NULL);
    else
        api_fail(d->resp, &d->err);
}

static void do_secret(struct doing *d)
{
    js overlap = js_get(d->body, "overlap_s");
    char key[WEBHOOK_KEY_MAX] = "";
    int64_t seconds = WEBHOOK_OVERLAP_S;
    const char *given;

    if (overlap != NULL && !js_int(overlap, &seconds)) {
        resp_json_error(d->resp, 400, "\"overlap_s\" must be a number of seconds");
        return;
    }
    if (!text_read(d->resp, d->body, "secret", &given))
        return;
    if (webhook_rotate(d->db, d->app->conf, d->w.id, given, seconds, d->by, d->req->now,
                       d->req->arena, key, &d->err) == OK)
        answer(d->db, d->req, d->resp, 200, d->w.id, key);
    else
        api_fail(d->resp, &d->err);
    secret_wipe(key, sizeof key);
}

static bool time_read(struct doing *d, const char *key, int64_t *out)
{
    const char *text = js_get_str(d->body, key);

    if (text != NULL && clock_parse_rfc3339(text, out))
        return true;
    resp_json_error(d->resp, 400, "\"%s\" must be a time as 2026-11-22T08:15:30Z", key);
    return false;
}

/* {"event_id": ...}, {"dead": true} or {"from": ..., "to": ...}. */
static bool replay_read(struct doing *d, struct replay *r)
{
    const char *event = js_get_str(d->body, "event_id");

    if (event != NULL) {
        r->event_id = webhook_event_id(event);
        if (r->event_id == 0)
            resp_json_error(d->resp, 400, "\"event_id\" has 16 hexadecimal digits");
        return r->event_id != 0;
    }
    if (js_get_bool(d->body, "dead", &r->dead) && r->dead)
        return true;
    if (js_get(d->body, "from") == NULL) {
        resp_json_error(d->resp, 400, "give \"event_id\", \"dead\": true, or \"from\" and \"to\"");
        return false;
    }
    return time_read(d, "from", &r->from) && time_read(d, "to", &r->to);
}

static void do_replay(struct doing *d)
{
    struct replay r = {0};
    size_t n;

    if (!replay_read(d, &r))
        return;
    if (webhook_replay(d->db, &d->w, &r, d->by, d->req->now, &n, &d->err) != OK) {
        api_fail(d->resp, &d->err);
        return;
    }
    js root = js_object();
    js_set_int(root, "events", (int64_t)n);
    js_set_bool(root, "more", n >= REPLAY_MAX);
    api_json(d->resp, 200, &root);
}

static const struct {
    const char *name;
    void (*run)(struct doing *d);
    const char *const keys[4];
    size_t nkeys;
} actions[] = {{"test", do_test, {0}, 0},
               {"pause", do_pause, {"why"}, 1},
               {"resume", do_resume, {0}, 0},
               {"secret", do_secret, {"secret", "overlap_s"}, 2},
               {"replay", do_replay, {"event_id", "dead", "from", "to"}, 4}};
#define ACTIONS (sizeof actions / sizeof *actions)

void api_webhook_act(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    struct doing d = {.app = app, .req = req, .resp = resp, .by = api_actor(req, caller)};
    const char *rest[2];
    int64_t id;
    size_t n, i = 0;

    if (!path_read(req, resp, &id, rest, &n))
        return;
    while (n == 1 && i < ACTIONS && strcmp(actions[i].name, rest[0]) != 0)
        i++;
    if (n != 1 || i == ACTIONS) {
        resp_json_error(resp, 404, "a webhook can be told: test, pause, resume, secret, replay");
        return;
    }
    d.body = api_body(req, resp, actions[i].keys, actions[i].nkeys);
    if (d.body != NULL && api_db(app, resp, &d.db)) {
        if (webhook_get(d.db, id, req->arena, &d.w, &d.err) == OK)
            actions[i].run(&d);
        else
            api_fail(resp, &d.err);
        db_pool_give(app->pool, &d.db);
    }
    js_free(&d.body);
}
