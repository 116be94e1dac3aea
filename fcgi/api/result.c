/* result.c: see result.h. */
#include "api/result.h"

#include "command/order.h"
#include "store/account.h"
#include "base/limits.h"
#include "wire/encode.h"

#include <strings.h>

/* ---- the ids ---- */

/* The length of the separator at p, 0 for none. */
static size_t separator(const char *p)
{
    return *p == ',' ? 1 : strncasecmp(p, "%2c", 3) == 0 ? 3 : 0;
}

static bool make_targets(struct req *req, struct resp *resp, const char *const *ids, size_t n,
                         struct sending *s)
{
    struct err err = {0};

    if (send_targets(req->arena, ids, n, s, &err) == OK)
        return true;
    api_fail(resp, &err);
    return false;
}

bool result_targets_path(struct req *req, struct resp *resp, const char *prefix, struct sending *s)
{
    const char *p = req->path + strlen(prefix), *from, **ids;
    size_t max = 1, n = 0;

    if (*p == '\0') {
        s->push_error = s->command_error = "no enrollment ids in the path";
        return true;
    }
    for (const char *q = p; *q != '\0'; q++)
        max += separator(q) > 0;
    ids = arena_array(req->arena, max, sizeof(*ids));
    for (size_t len; ids != NULL && p != NULL; p = from) {
        char *id;

        for (len = 0; p[len] != '\0' && separator(p + len) == 0;)
            len++;
        from = p[len] != '\0' ? p + len + separator(p + len) : NULL;
        if (url_decode(req->arena, bytes_of(p, len), false, &id) != OK)
            id = arena_strndup(req->arena, p, len); /* nobody is called so */
        ids[n++] = id != NULL ? id : "";
    }
    return make_targets(req, resp, ids, ids != NULL ? n : 0, s);
}

bool result_targets_list(struct req *req, struct resp *resp, js body, struct sending *s)
{
    const char *const *ids;
    size_t n;

    if (!api_strings(req, resp, body, "ids", LIM_IDS, &ids, &n))
        return false;
    if (n > 0)
        return make_targets(req, resp, ids, n, s);
    resp_json_error(resp, 400, "\"ids\" must name at least one enrollment");
    return false;
}

void result_run(struct app *app, struct req *req, const struct caller *caller, struct resp *resp,
                struct sending *s, bool reasoned)
{
    const struct apikey key = {.scopes = caller->scopes};
    struct db *db;
    bool sensitive;

    if (!api_db(app, resp, &db))
        return;
    sensitive =
        s->command != NULL &&
        command_sensitive(db, app->conf, req->arena, s->command->request_type, s->command->removes);
    if (sensitive && !apikey_allows(&key, "sensitive"))
        resp_json_error(resp, 403, ORDER_NO_SCOPE, s->command->request_type);
    else if (sensitive && reasoned && (s->reason == NULL || s->reason[0] == '\0'))
        resp_json_error(resp, 400, "%s is a sensitive command: say the reason",
                        s->command->request_type);
    else {
        send_run(db, app->conf, req->arena, api_actor(req, caller), req->now, s);
        result_answer(resp, s);
    }
    db_pool_give(app->pool, &db);
}

/* ---- the answer ---- */

static bool has_error(const struct sending *s, const struct target *t)
{
    return (s->push && t->push_error != NULL) || (s->command != NULL && t->command_error != NULL);
}

static js status_object(const struct sending *s, size_t *errors)
{
    js status = js_object();

    *errors = 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct target *t = &s->targets[i];
        bool bad = has_error(s, t);
        js one;

        *errors += bad;
        if (!bad && !s->push)
            continue; /* nothing to say */
        one = js_object();
        if (s->push) {
            js_set_str(one, "push_error", t->push_error);
            js_set_str(one, "push_result", t->push_error == NULL ? t->push_result : NULL);
        }
        if (s->command != NULL)
            js_set_str(one, "command_error", t->command_error);
        js_set(status, t->id, one);
    }
    return status;
}

void result_answer(struct resp *resp, const struct sending *s)
{
    bool all = s->push_error != NULL || s->command_error != NULL;
    size_t errors = 0;
    js root = js_object(), status = all ? NULL : status_object(s, &errors);

    if (js_size(status) > 0)
        js_set(root, "status", status);
    else
        js_free(&status);
    if (!s->push)
        js_set_bool(root, "no_push", true);
    js_set_str(root, "push_error", s->push_error);
    js_set_str(root, "command_error", s->command_error);
    if (s->command != NULL) {
        js_set_str(root, "command_uuid", s->command->uuid);
        js_set_str(root, "request_type", s->command->request_type);
    }
    api_json(resp,
             all              ? (s->away ? 503 : 500)
             : errors == 0    ? 200
             : errors == s->n ? 500
                              : 207,
             &root);
}
