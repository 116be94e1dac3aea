/* enqueue.c: /v1/enqueue/{ids}, any method, with a raw command as the body; and POST /v1/enqueue,
 * which takes a list of ids too long for a path and the particulars of the queue. */
#include "api/result.h"

#include "base/clock.h"
#include "base/limits.h"
#include "command/order.h"
#include "wire/encode.h"

#define PRIORITY_MAX 100
#define DEDUPE_KEY_MAX 128

/* A body that is no command concerns all ids: NanoMDM answers 500 with command_error. */
static bool read_command(struct req *req, struct resp *resp, struct sending *s,
                         struct raw_command *command)
{
    struct err err = {0};
    enum outcome o = raw_command_read(req->arena, req->body, command, &err);

    if (o == OK) {
        s->command = command;
        return true;
    }
    s->command_error = arena_strdup(req->arena, err.msg);
    result_answer(resp, s);
    return false;
}

void api_enqueue(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    const char *nopush = req_query(req, "nopush");
    struct sending s = {.push = nopush == NULL || nopush[0] == '\0',
                        .reason = req_query(req, "reason")}; /* NanoMDM has none */
    struct raw_command command;

    if (!result_targets_path(req, resp, "/v1/enqueue/", &s))
        return;
    if (!s.push)
        s.push_error = NULL;
    if (s.command_error != NULL) {
        result_answer(resp, &s);
        return;
    }
    if (req->body.n == 0 && !s.push) {
        s.command_error = "must enqueue or push: the body is empty and nopush is given";
        result_answer(resp, &s);
        return;
    }
    if (req->body.n == 0 || read_command(req, resp, &s, &command))
        result_run(app, req, caller, resp, &s, false);
}

/* ---- POST /v1/enqueue ---- */

static bool read_time(struct resp *resp, js body, const char *key, int64_t *out)
{
    const char *s = js_get_str(body, key);

    if (js_get(body, key) == NULL)
        return true;
    if (s != NULL && clock_parse_rfc3339(s, out) && *out > 0)
        return true;
    resp_json_error(resp, 400, "\"%s\" must be a time like 2026-11-22T08:15:30Z", key);
    return false;
}

static bool read_dedupe(struct req *req, struct resp *resp, js body, struct sending *s)
{
    const char *key = js_get_str(body, "dedupe_key"), *how = js_get_str(body, "dedupe");

    if ((js_get(body, "dedupe_key") != NULL &&
         (key == NULL || key[0] == '\0' || strlen(key) > DEDUPE_KEY_MAX))) {
        resp_json_error(resp, 400, "\"dedupe_key\" must be a string of 1 to %d octets",
                        DEDUPE_KEY_MAX);
        return false;
    }
    if (js_get(body, "dedupe") != NULL &&
        (how == NULL || (strcmp(how, "skip") != 0 && strcmp(how, "supersede") != 0))) {
        resp_json_error(resp, 400, "\"dedupe\" must be \"skip\" or \"supersede\"");
        return false;
    }
    s->dedupe_key = key != NULL ? arena_strdup(req->arena, key) : NULL;
    s->dedupe = how != NULL && strcmp(how, "supersede") == 0 ? DEDUPE_SUPERSEDE : DEDUPE_SKIP;
    return true;
}

bool result_particulars(struct req *req, struct resp *resp, js body, struct sending *s)
{
    int64_t priority = 0;

    if (js_get(body, "priority") != NULL && (!js_get_int(body, "priority", &priority) ||
                                             priority < -PRIORITY_MAX || priority > PRIORITY_MAX)) {
        resp_json_error(resp, 400, "\"priority\" must be a number from -%d to %d", PRIORITY_MAX,
                        PRIORITY_MAX);
        return false;
    }
    s->priority = (int)priority;
    s->push = true;
    if (js_get(body, "push") != NULL && !js_get_bool(body, "push", &s->push)) {
        resp_json_error(resp, 400, "\"push\" must be true or false");
        return false;
    }
    if (!read_time(resp, body, "not_before", &s->not_before) ||
        !read_time(resp, body, "expires_at", &s->expires_at))
        return false;
    if (s->expires_at != 0 && s->expires_at <= req->now) {
        resp_json_error(resp, 400, "\"expires_at\" is over already");
        return false;
    }
    if (s->expires_at != 0 && s->expires_at <= s->not_before) {
        resp_json_error(resp, 400, "\"expires_at\" is not later than \"not_before\"");
        return false;
    }
    return read_dedupe(req, resp, body, s);
}

static bool read_body_command(struct req *req, struct resp *resp, js body,
                              struct raw_command *command)
{
    const char *text = js_get_str(body, "command");
    struct err err = {0};
    struct bytes raw;

    if (text == NULL || base64_decode(req->arena, bytes_str(text), &raw) != OK) {
        resp_json_error(resp, 400, "\"command\" must be the command's property list in base64");
        return false;
    }
    if (raw_command_read(req->arena, raw, command, &err) == OK)
        return true;
    api_fail(resp, &err);
    return false;
}

static bool read_reason(struct resp *resp, js body, struct sending *s)
{
    s->reason = js_get_str(body, "reason");
    if (s->reason != NULL ? strlen(s->reason) > ORDER_REASON_MAX : js_get(body, "reason") != NULL) {
        resp_json_error(resp, 400, "\"reason\" must be a string of at most %u octets",
                        ORDER_REASON_MAX);
        return false;
    }
    return true;
}

void api_enqueue_bulk(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp)
{
    static const char *const known[] = {"ids",        "command",    "push",
                                        "priority",   "not_before", "expires_at",
                                        "dedupe_key", "dedupe",     "reason"};
    struct raw_command command;
    struct sending s = {.command = &command};
    js body = api_body(req, resp, known, sizeof(known) / sizeof(known[0]));

    if (body != NULL && result_particulars(req, resp, body, &s) &&
        read_body_command(req, resp, body, &command) && read_reason(resp, body, &s) &&
        result_targets_list(req, resp, body, &s))
        result_run(app, req, caller, resp, &s, true);
    js_free(&body);
}
