/* signins.c: /api/v1/sessions, who is signed in to the console, and ends that; /api/v1/throttles,
 * wrong passwords that slow those down that follow, and forgets them. */
#include "api/api.h"

#include "store/session.h"
#include "store/throttle.h"
#include "wire/encode.h"

#define SESSIONS "/api/v1/sessions/"
#define THROTTLES "/api/v1/throttles/"

static js session_object(const void *row, const void *arg)
{
    const struct session *s = row;
    const struct req *req = arg;
    char hex[SHA256_HEX_LEN + 1];
    js o = js_object();

    hex_encode(bytes_of(s->token_sha256, SHA256_LEN), hex);
    js_set_str(o, "session", arena_strdup(req->arena, hex));
    js_set_str(o, "administrator", s->admin);
    js_set_str(o, "role", s->role);
    api_set_text(o, "address", s->address);
    api_set_text(o, "user_agent", s->user_agent);
    api_set_time(o, "created_at", s->created_at);
    api_set_time(o, "seen_at", s->seen_at);
    api_set_time(o, "ends_at", s->ends_at);
    return o;
}

void api_sessions(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct session *s = NULL;
    struct err err = {0};
    struct db *db = NULL;
    size_t n;

    (void)caller;
    if (!api_db(app, resp, &db))
        return;
    enum outcome o =
        session_list(db, req_query(req, "administrator"), req->now, req->arena, &s, &n, &err);
    db_pool_give(app->pool, &db);
    js root = o == OK ? api_rows("sessions", s, n, sizeof *s, session_object, req) : NULL;
    api_answer(resp, 200, o, &err, &root);
}

/* All of an administrator, or one of them. */
void api_session_end(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    const char *part[2] = {NULL, NULL}, *by = api_actor(req, caller);
    struct err err = {0};
    struct db *db = NULL;
    struct bytes sum;
    uint64_t ended;
    enum outcome o;
    size_t n;

    if (!api_segments(req, resp, SESSIONS, part, 2, &n))
        return;
    if (n == 2 && (hex_decode(req->arena, part[1], &sum) != OK || sum.n != SHA256_LEN)) {
        resp_json_error(resp, 404, "there is no session \"%.64s\"", part[1]);
        return;
    }
    if (!api_db(app, resp, &db))
        return;
    o = n == 2 ? session_end_one(db, part[0], sum, by, &err)
               : session_end_all(db, part[0], by, &ended, &err);
    db_pool_give(app->pool, &db);
    if (o == OK)
        resp->status = 204;
    else
        api_fail(resp, &err);
}

static void throttles_add(js list, const struct throttled *t, size_t n, int64_t now)
{
    for (size_t i = 0; i < n; i++) {
        js o = js_object();

        js_set_str(o, "subject", t[i].subject);
        js_set_int(o, "failures", t[i].failures);
        api_set_time(o, "first_at", t[i].first_at);
        api_set_time(o, "last_at", t[i].last_at);
        api_set_time(o, "held_until", t[i].free_at > now ? t[i].free_at : 0);
        js_append(list, o);
    }
}

void api_throttles(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    const char *admin = req_query(req, "administrator"), *user = req_query(req, "user");
    char code[SIGNIN_CODE_MAX];
    struct throttled *t = NULL;
    struct err err = {0};
    struct db *db = NULL;
    size_t n = 0;
    enum outcome o;
    js root, list;

    (void)caller;
    if (admin != NULL && user != NULL) {
        resp_json_error(resp, 400, "\"administrator\" or \"user\", not both");
        return;
    }
    if (!api_db(app, resp, &db))
        return;
    root = js_object();
    list = js_array();
    o = admin != NULL || user != NULL
            ? throttle_of(db, admin != NULL ? THROTTLE_ADMINS : THROTTLE_USERS,
                          admin != NULL ? admin : user, req->now, req->arena, &t, &n, &err)
            : throttle_held(db, req->now, req->arena, &t, &n, &err);
    if (o == OK)
        throttles_add(list, t, n, req->now);
    if (o == OK && admin != NULL) {
        signin_code_account(admin, code);
        o = throttle_of(db, THROTTLE_ADMINS, code, req->now, req->arena, &t, &n, &err);
        if (o == OK)
            throttles_add(list, t, n, req->now);
    }
    db_pool_give(app->pool, &db);
    js_set(root, "throttles", list);
    api_answer(resp, 200, o, &err, &root);
}

void api_throttle_clear(struct app *app, struct req *req, const struct caller *caller,
                        struct resp *resp)
{
    const char *subject;
    struct err err = {0};
    struct db *db = NULL;
    size_t n;

    if (!api_segments(req, resp, THROTTLES, &subject, 1, &n) || !api_db(app, resp, &db))
        return;
    if (throttle_clear(db, subject, api_actor(req, caller), &err) == OK)
        resp->status = 204;
    else
        api_fail(resp, &err);
    db_pool_give(app->pool, &db);
}
