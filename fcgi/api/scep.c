/* scep.c: POST /api/v1/scep/challenges makes a one-time challenge; /api/v1/scep/requests lists the
 * requests that wait for a person and decides about one. */
#include "api/api.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/scep_challenge.h"
#include "store/scep_request.h"

#define CHALLENGE_S (7 * 86400)
#define CHALLENGE_S_MAX (366 * 86400)
#define REQUESTS "/api/v1/scep/requests/"

/* "san" as lines; false: refused. */
static bool san_read(struct req *req, struct resp *resp, js body, const char **out)
{
    const char *const *names;
    struct buf lines = BUF_INIT(8192);
    size_t n;

    *out = NULL;
    if (!api_strings(req, resp, body, "san", SCEP_NAMES_MAX, &names, &n))
        return false;
    if (names == NULL)
        return true;
    for (size_t i = 0; i < n; i++) {
        if (names[i][0] == '\0' || strchr(names[i], '\n') != NULL)
            lines.failed = true;
        buf_fmt(&lines, "%s%s", i > 0 ? "\n" : "", names[i]);
    }
    *out = buf_failed(&lines) ? NULL : arena_strdup(req->arena, buf_cstr(&lines));
    buf_free(&lines);
    if (*out == NULL)
        resp_json_error(resp, 400, "\"san\" holds an empty name, a line break, or too much");
    return *out != NULL;
}

static bool challenge_read(struct req *req, struct resp *resp, js body, struct scep_challenge *c)
{
    int64_t seconds = CHALLENGE_S;
    js approve = js_get(body, "approve"), in = js_get(body, "expires_in");

    c->note = js_get_str(body, "note");
    c->common_name = js_get_str(body, "common_name");
    if (c->note == NULL)
        c->note = "";
    if (in != NULL && (!js_int(in, &seconds) || seconds < 1 || seconds > CHALLENGE_S_MAX)) {
        resp_json_error(resp, 400, "\"expires_in\" is a number of seconds up to %d",
                        CHALLENGE_S_MAX);
        return false;
    }
    if (approve != NULL && !js_bool(approve, &c->approve)) {
        resp_json_error(resp, 400, "\"approve\" must be true or false");
        return false;
    }
    c->expires_at = req->now + seconds * SECOND_US;
    return san_read(req, resp, body, &c->san);
}

static void challenge_make(struct app *app, struct resp *resp, const struct scep_challenge *c)
{
    char word[SCEP_CHALLENGE_LEN + 1];
    struct err err = {0};
    struct db *db = NULL;

    if (!api_db(app, resp, &db))
        return;
    enum outcome o = scep_challenge_make(db, c, word, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    js root = js_object();
    js_set_str(root, "challenge", word);
    api_set_time(root, "expires_at", c->expires_at);
    resp->secret = true;
    api_json(resp, 201, &root);
    secret_wipe(word, sizeof(word));
}

void api_scep_challenge(struct app *app, struct req *req, const struct caller *caller,
                        struct resp *resp)
{
    static const char *const known[] = {"note", "expires_in", "common_name", "san", "approve"};
    struct scep_challenge c = {.by = api_actor(req, caller)};
    js body = api_body(req, resp, known, sizeof(known) / sizeof(*known));

    if (body != NULL && challenge_read(req, resp, body, &c))
        challenge_make(app, resp, &c);
    js_free(&body);
}

/* --- requests --- */

static js names_array(const char *lines)
{
    js list = js_array();

    for (const char *p = lines; *p != '\0';) {
        size_t n = strcspn(p, "\n");
        char one[1024];

        if (n < sizeof(one)) {
            memcpy(one, p, n);
            one[n] = '\0';
            js_append(list, js_new_str(one));
        }
        p += n + (p[n] == '\n');
    }
    return list;
}

static js request_object(const void *row, const void *arg)
{
    const struct scep_waiting *w = row;
    char hex[SHA256_HEX_LEN + 1];
    js o = js_object();

    (void)arg;
    hex_encode(bytes_of(w->key_sha256, sizeof(w->key_sha256)), hex);
    js_set_int(o, "id", w->id);
    js_set_str(o, "state", scep_request_state_name(w->state));
    js_set_str(o, "transaction_id", w->transaction_id);
    js_set_str(o, "subject", w->subject);
    js_set_str(o, "common_name", w->common_name);
    js_set(o, "san", names_array(w->san));
    js_set_str(o, "key", w->key_text);
    js_set_str(o, "key_sha256", hex);
    js_set_str(o, "proof", w->proof);
    api_set_text(o, "note", w->note);
    api_set_text(o, "remote_addr", w->remote_addr);
    api_set_time(o, "created_at", w->created_at);
    api_set_time(o, "expires_at", w->expires_at);
    api_set_time(o, "decided_at", w->decided_at);
    api_set_text(o, "decided_by", w->decided_by);
    api_set_text(o, "decided_why", w->decided_why);
    return o;
}

void api_scep_requests(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp)
{
    const char *word = req_query(req, "state");
    int state = word != NULL ? scep_request_state_read(word) : 0;
    struct scep_waiting *w = NULL;
    struct err err = {0};
    struct db *db = NULL;
    int64_t after = 0;
    size_t limit, n;

    (void)caller;
    if (word != NULL && state == 0) {
        resp_json_error(resp, 400, "state must be waits, approved, denied or issued");
        return;
    }
    if (!api_limit(req, resp, &limit) || !api_number(req, resp, "cursor", &after) ||
        !api_db(app, resp, &db))
        return;
    enum outcome o = scep_request_list(db, state, after, limit, req->arena, &w, &n, &err);
    db_pool_give(app->pool, &db);
    js root = o == OK ? api_rows("requests", w, n, sizeof *w, request_object, NULL) : NULL;
    if (o == OK && n == limit)
        js_set_int(root, "next_cursor", w[n - 1].id);
    api_answer(resp, 200, o, &err, &root);
}

static void decide(struct app *app, struct req *req, const struct caller *caller, struct resp *resp,
                   int64_t id, js body)
{
    const char *decision = js_get_str(body, "decision"), *why;
    bool approve = decision != NULL && strcmp(decision, "approve") == 0;
    struct scep_waiting w;
    struct err err = {0};
    struct db *db = NULL;

    if (!approve && (decision == NULL || strcmp(decision, "deny") != 0)) {
        resp_json_error(resp, 400, "\"decision\" must be approve or deny");
        return;
    }
    if ((why = api_why(resp, body)) == NULL || !api_db(app, resp, &db))
        return;
    enum outcome o = scep_request_decide(db, id, approve, api_actor(req, caller), why, req->now,
                                         req->arena, &w, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    js root = request_object(&w, NULL);
    api_json(resp, 200, &root);
}

void api_scep_decide(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    static const char *const known[] = {"decision", "why"};
    int64_t id;

    if (!api_id(req, resp, REQUESTS, "request", &id))
        return;
    js body = api_body(req, resp, known, 2);
    if (body != NULL)
        decide(app, req, caller, resp, id, body);
    js_free(&body);
}
