/*
 * order.c: POST /api/v1/commands, a command by its name with its keys as JSON, for up to 100,000
 * enrollments, and POST /api/v1/devices/{id}/commands, for one. With an Idempotency-Key a repeated
 * request gets the first one's answer and queues nothing more.
 */
#include "api/order.h"

#include "api/result.h"
#include "base/limits.h"
#include "base/log.h"
#include "command/consent.h"
#include "store/account.h"
#include "store/idempotency.h"

#include <stdlib.h>

/* ---- reading ---- */

bool order_read(struct req *req, struct resp *resp, js body, const char *device, struct order *o)
{
    struct sending s = {0};
    const char **one = arena_array(req->arena, 1, sizeof *one);

    *o = (struct order){.request_type = js_get_str(body, "request_type"),
                        .keys = js_get(body, "command"),
                        .reason = js_get_str(body, "reason")};
    if (o->request_type == NULL) {
        resp_json_error(resp, 400, "\"request_type\" must name a command (GET /api/v1/commands)");
        return false;
    }
    if ((o->keys != NULL && js_type_of(o->keys) != JS_OBJECT) ||
        (js_get(body, "reason") != NULL && o->reason == NULL) ||
        (js_get(body, "force") != NULL && !js_get_bool(body, "force", &o->force))) {
        resp_json_error(resp, 400,
                        "\"command\" must be an object with the command's keys, \"reason\" a "
                        "string, \"force\" true or false");
        return false;
    }
    if (!result_particulars(req, resp, body, &s))
        return false;
    o->push = s.push;
    o->priority = s.priority;
    o->not_before = s.not_before;
    o->expires_at = s.expires_at;
    o->dedupe_key = s.dedupe_key;
    o->dedupe = s.dedupe;
    if (device != NULL && one != NULL) {
        one[0] = device;
        o->ids = one;
        o->n = 1;
        return true;
    }
    if (!api_strings(req, resp, body, "ids", ORDER_IDS_MAX, &o->ids, &o->n))
        return false;
    if (o->n > 0)
        return true;
    resp_json_error(resp, 400, "\"ids\" must name at least one enrollment");
    return false;
}

/* ---- answering ---- */

static js findings_json(const struct findings *f)
{
    js list = js_array();

    for (size_t i = 0; i < f->n; i++) {
        js o = js_object();

        js_set_str(o, "severity", f->list[i].error ? "error" : "warning");
        js_set_str(o, "path", f->list[i].path);
        js_set_str(o, "text", f->list[i].text);
        js_append(list, o);
    }
    return list;
}

/* What was found, once for all devices of a kind. */
static js kinds_json(const struct order *o)
{
    js list = js_array();

    for (size_t i = 0; i < o->checked.n; i++) {
        const struct checked_group *g = o->checked.groups[i];
        js one;

        if (g->found.n == 0)
            continue;
        one = js_object();
        js_set_str(one, "example", g->example);
        js_set_int(one, "enrollments", (int64_t)g->enrollments);
        js_set(one, "findings", findings_json(&g->found));
        js_append(list, one);
    }
    return list;
}

struct tally {
    js commands, results;
    size_t queued, refused;
};

static void tell_target(struct tally *t, const struct order_part *p, const struct target *g)
{
    js one = js_object();
    bool good = g->command_error == NULL && p->send.command_error == NULL;

    js_set_str(one, "id", g->id);
    js_set_bool(one, "queued", good);
    if (!good)
        js_set_str(one, "error",
                   g->command_error != NULL ? g->command_error : p->send.command_error);
    if (good)
        js_set_str(one, "command_uuid", p->command.uuid);
    js_set_str(one, "push_error", p->send.push ? g->push_error : NULL);
    js_append(t->results, one);
    *(good ? &t->queued : &t->refused) += 1;
}

static void tell_refused(struct tally *t, const char *id, const char *why)
{
    js one = js_object();

    js_set_str(one, "id", id);
    js_set_bool(one, "queued", false);
    js_set_str(one, "error", why);
    js_append(t->results, one);
    t->refused++;
}

static void tell_part(struct tally *t, const struct order_part *p)
{
    js one = js_object(), dropped = NULL;
    struct err ignored;

    js_set_str(one, "command_uuid", p->command.uuid);
    js_set_int(one, "enrollments", (int64_t)p->n);
    if (p->dropped != NULL && js_parse(bytes_str(p->dropped), &dropped, &ignored) == OK)
        js_set(one, "dropped", dropped);
    js_append(t->commands, one);
    for (size_t i = 0; i < p->send.n; i++)
        tell_target(t, p, &p->send.targets[i]);
}

static bool tell_unknown(struct tally *t, const struct order *o, struct arena *a)
{
    const char **unknown;
    size_t n;

    if (!order_unknown(a, o, &unknown, &n))
        return false;
    for (size_t i = 0; i < n; i++)
        tell_refused(t, unknown[i], ORDER_UNKNOWN_ID);
    return true;
}

void order_answer(struct arena *a, struct resp *resp, const struct order *o,
                  const struct approval *by)
{
    struct tally t = {.commands = js_array(), .results = js_array()};
    js root = js_object(), kinds = kinds_json(o);

    for (size_t i = 0; i < o->nparts; i++)
        tell_part(&t, &o->parts[i]);
    for (size_t i = 0; !o->force && i < o->checked.n; i++) {
        const struct checked_group *g = o->checked.groups[i];

        for (size_t k = 0; g->found.errors > 0 && k < g->enrollments; k++)
            tell_refused(&t, g->idents[k], "the command is not right for it: see kinds");
    }
    if (!tell_unknown(&t, o, a))
        resp->body.failed = true;
    js_set_str(root, "request_type", o->request_type);
    js_set_int(root, "queued", (int64_t)t.queued);
    js_set_int(root, "refused", (int64_t)t.refused);
    if (o->repeated)
        js_set_bool(root, "repeated", true);
    if (by != NULL) {
        js_set_str(root, "decided_by", by->decided_by);
        api_set_time(root, "decided_at", by->decided_at);
    }
    js_set(root, "commands", t.commands);
    if (js_size(kinds) > 0)
        js_set(root, "kinds", kinds);
    else
        js_free(&kinds);
    js_set(root, "results", t.results);
    if (t.queued == 0)
        api_problem(resp, 422, &root, "no enrollment took the command");
    else
        api_json(resp, t.refused > 0 ? 207 : 200, &root);
}

void order_refuse(struct resp *resp, const struct order *o, const struct err *err)
{
    js root;

    if (err->outcome != INVALID || (o->checked.built.n == 0 && o->checked.refused == 0)) {
        api_fail(resp, err);
        return;
    }
    root = js_object();
    if (o->checked.built.n > 0)
        js_set(root, "findings", findings_json(&o->checked.built));
    else
        js_set(root, "kinds", kinds_json(o));
    api_problem(resp, 400, &root, err->msg);
}

#define MANY 2000 /* enrollments for which the request's own memory is enough */

static void run(struct app *app, struct req *req, struct resp *resp, struct db *db,
                const char *actor, struct order *o)
{
    struct arena *more = o->n > MANY ? arena_new(LIM_ARENA_ORDER) : NULL;
    struct arena *a = o->n > MANY ? more : req->arena;
    struct err err = {0};
    enum outcome out = a != NULL ? order_run(db, app->conf, a, actor, req->now, o, &err)
                                 : err_set(&err, ERROR, "no memory for %zu enrollments", o->n);

    if (out == OK)
        order_answer(a, resp, o, NULL);
    else
        order_refuse(resp, o, &err);
    arena_free(&more);
}

/* ---- a second person ---- */

void approval_asked(struct resp *resp, const struct approval *x)
{
    js root = js_object();

    api_set_id(root, "approval", x->id);
    js_set_str(root, "state", approval_state_name(x->state));
    api_set_time(root, "expires_at", x->expires_at);
    api_json(resp, 202, &root);
}

/* Kept until somebody approves it. */
static void ask_for_approval(struct app *app, struct req *req, struct resp *resp, struct db *db,
                             const char *actor, struct order *o)
{
    struct approval x;
    struct err err = {0};

    if (consent_ask(db, app->conf, req->arena, actor, req->now, o, &x, &err) == OK)
        approval_asked(resp, &x);
    else
        order_refuse(resp, o, &err);
}

static void admit(struct app *app, struct req *req, const struct caller *caller, struct resp *resp,
                  struct db *db, struct order *o)
{
    const struct apikey key = {.scopes = caller->scopes};
    const char *actor = api_actor(req, caller);

    bool sensitive = order_sensitive(db, app->conf, req->arena, o);

    if (!sensitive) {
        run(app, req, resp, db, actor, o);
        return;
    }
    if (!apikey_allows(&key, "sensitive"))
        resp_json_error(resp, 403, ORDER_NO_SCOPE, o->request_type);
    else if (consent_needed(app->conf, sensitive))
        ask_for_approval(app, req, resp, db, actor, o);
    else
        run(app, req, resp, db, actor, o);
}

/* ---- the requests ---- */

static bool begin_once(struct req *req, struct resp *resp, struct db *db, struct idempotency *once)
{
    struct err err = {0};
    enum outcome o;

    if (strlen(once->key) == 0 || strlen(once->key) > IDEMPOTENCY_KEY_MAX) {
        resp_json_error(resp, 400, "Idempotency-Key must have 1 to %u octets", IDEMPOTENCY_KEY_MAX);
        return false;
    }
    o = idempotency_begin(db, once, req->arena, &err);
    if (o == OK && !once->answered)
        return true;
    if (o != OK) {
        api_fail(resp, &err);
        return false;
    }
    resp->status = once->status;
    resp->content_type = once->status >= 400 ? "application/problem+json" : "application/json";
    buf_add(&resp->body, once->answer.p, once->answer.n);
    resp_header(resp, "Idempotent-Replayed", "true");
    return false;
}

static void run_once(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp, struct db *db, struct order *o)
{
    const char *key = req_var(req, "HTTP_IDEMPOTENCY_KEY");
    struct buf request = BUF_INIT(LIM_BODY_API + LIM_PATH + 16);
    struct idempotency once = {.actor = api_actor(req, caller), .key = key, .now = req->now};
    struct err err = {0};

    if (key == NULL) {
        admit(app, req, caller, resp, db, o);
        return;
    }
    buf_str(&request, req->path);
    buf_char(&request, '\n');
    buf_add(&request, req->body.p, req->body.n);
    once.request = buf_bytes(&request);
    if (begin_once(req, resp, db, &once)) {
        o->seed = once.seed;
        admit(app, req, caller, resp, db, o);
        if (idempotency_end(db, &once, resp->status, buf_bytes(&resp->body), &err) != OK)
            log_err(LOG_LEVEL_WARNING, "api.idempotency", &err);
    }
    buf_free(&request);
}

static void order_body(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp, const char *device)
{
    static const char *const known[] = {"request_type", "command",  "reason",     "force",
                                        "push",         "priority", "not_before", "expires_at",
                                        "dedupe_key",   "dedupe",   "ids"};
    js body = api_body(req, resp, known, sizeof known / sizeof *known - (device != NULL));
    struct db *db = NULL;
    struct order o;

    if (body != NULL && order_read(req, resp, body, device, &o) && api_db(app, resp, &db))
        run_once(app, req, caller, resp, db, &o);
    db_pool_give(app->pool, &db);
    js_free(&body);
}

void api_order(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    order_body(app, req, caller, resp, NULL);
}

void api_order_device(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp)
{
    const char *part[4];
    size_t n;

    if (!api_segments(req, resp, "/api/v1/devices/", part, 4, &n))
        return;
    if (n == 2 && strcmp(part[1], "commands") == 0)
        order_body(app, req, caller, resp, part[0]);
    else if (n == 4 && strcmp(part[1], "commands") == 0 && strcmp(part[3], "retry") == 0)
        retry_device(app, req, caller, resp, part[0], part[2]);
    else
        resp_json_error(resp, 404, "there is nothing to post to at this path");
}
