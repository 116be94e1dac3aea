/*
 * oauth.c: see oauth.h. RFC 6749 for a public client with one redirection address, which is known
 * beforehand; RFC 7636 where the device takes part in it (Apple's description of the flow does not
 * mention it); Apple, "Implementing the OAuth 2 authentication account-driven enrollment flow".
 */
#include "enrollment/oauth.h"

#include "base/clock.h"
#include "base/log.h"
#include "http/bearer.h"
#include "store/oauth.h"
#include "wire/encode.h"
#include "wire/json.h"

#define STATE_MAX 1024

static bool same(const char *a, const char *b)
{
    return a && strcmp(a, b) == 0;
}

/* ---- the authorization request ---- */

static bool is_challenge(const char *s)
{
    size_t n = strlen(s);
    return n >= OAUTH_CHALLENGE_MIN && n <= OAUTH_CHALLENGE_MAX &&
           strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == n;
}

enum outcome oauth_ask_read(struct req *req, struct oauth_ask *out, struct err *err)
{
    const char *method = req_query(req, "code_challenge_method");
    *out = (struct oauth_ask){.state = req_query(req, "state"),
                              .challenge = req_query(req, "code_challenge"),
                              .hint = req_query(req, "login_hint")};
    if (!out->hint)
        out->hint = "";
    if (!same(req_query(req, "client_id"), BEARER_CLIENT))
        return err_set(err, INVALID, "client_id is not " BEARER_CLIENT);
    if (!same(req_query(req, "redirect_uri"), BEARER_REDIRECT))
        return err_set(err, INVALID, "redirect_uri is not " BEARER_REDIRECT);
    if (!same(req_query(req, "response_type"), "code"))
        return err_set(err, INVALID, "response_type is not code");
    if (out->state && strlen(out->state) > STATE_MAX)
        return err_set(err, INVALID, "state is longer than %d octets", STATE_MAX);
    if (out->challenge ? !same(method, "S256") || !is_challenge(out->challenge) : method != NULL)
        return err_set(err, INVALID, "code_challenge is none by the method S256");
    return OK;
}

void oauth_redirect(struct req *req, struct resp *resp, const struct oauth_ask *ask,
                    const char *code)
{
    struct buf url = BUF_INIT(4 * STATE_MAX + 512);
    buf_fmt(&url, BEARER_REDIRECT "?code=%s", code);
    if (ask->state) {
        buf_str(&url, "&state=");
        url_encode_add(&url, ask->state);
    }
    const char *to = buf_failed(&url) ? NULL : arena_strdup(req->arena, buf_cstr(&url));
    buf_wipe(&url);
    if (!to) {
        resp_bare(resp, 500, "out of memory");
        return;
    }
    resp->status = 308;
    resp->no_body = true;
    resp->secret = true;
    resp_header(resp, "Cache-Control", "no-store");
    resp_header(resp, "Location", to);
}

/* ---- the token request ---- */

static void answer(struct resp *resp, int status, js root)
{
    resp->status = status;
    resp->content_type = "application/json";
    resp_header(resp, "Cache-Control", "no-store");
    resp_header(resp, "Pragma", "no-cache");
    if (js_write(root, false, &resp->body) != OK)
        resp_bare(resp, 500, "out of memory");
    js_free(&root);
}

static void refuse(struct req *req, struct resp *resp, const char *error, const char *why)
{
    js root = js_object();
    js_set_str(root, "error", error);
    js_set_str(root, "error_description", why);
    answer(resp, 400, root);
    resp_note(resp, "%s", why);
    log_event(LOG_LEVEL_WARNING, "oauth.refused", "error", error, "why", why, "address",
              req->remote_addr, NULL);
}

static void give(struct resp *resp, const struct oauth_tokens *t, int64_t access_s)
{
    js root = js_object();
    js_set_str(root, "token_type", "Bearer");
    js_set_str(root, "scope", BEARER_SCOPE);
    js_set_str(root, "access_token", t->access);
    js_set_int(root, "expires_in", access_s);
    js_set_str(root, "refresh_token", t->refresh);
    answer(resp, 200, root);
    resp->secret = true;
}

static enum outcome change(struct app *app, struct req *req, bool code, struct oauth_tokens *t,
                           struct err *err)
{
    const struct oauth_life life = {.access_s = app->conf->account_access_s,
                                    .refresh_s = app->conf->account_refresh_days * 86400};
    struct db *db = NULL;
    enum outcome o = db_pool_take(app->pool, &db, err);
    if (o == OK)
        o = code ? oauth_redeem(db, req_form(req, "code"), req_form(req, "code_verifier"), &life,
                                req->now, req->arena, t, err)
                 : oauth_refresh(db, req_form(req, "refresh_token"), &life, req->now, req->arena, t,
                                 err);
    db_pool_give(app->pool, &db);
    return o;
}

void oauth_token(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    const char *type = req_form(req, "grant_type"), *client = req_form(req, "client_id");
    bool code = same(type, "authorization_code");
    struct oauth_tokens t;
    struct err err = {.outcome = OK};
    (void)caller;
    if (!bearer_oauth(app->conf)) {
        resp_text(resp, 404, "Not found");
        return;
    }
    if (!code && !same(type, "refresh_token")) {
        refuse(req, resp, type ? "unsupported_grant_type" : "invalid_request",
               "grant_type is neither authorization_code nor refresh_token");
    } else if (client ? !same(client, BEARER_CLIENT) : code) {
        refuse(req, resp, "invalid_client", "client_id is not " BEARER_CLIENT);
    } else if (!req_form(req, code ? "code" : "refresh_token")) {
        refuse(req, resp, "invalid_request", "code or refresh_token is missing");
    } else if (code && !same(req_form(req, "redirect_uri"), BEARER_REDIRECT)) {
        refuse(req, resp, "invalid_grant", "redirect_uri is not that of the authorization");
    } else {
        enum outcome o = change(app, req, code, &t, &err);
        if (o == OK)
            give(resp, &t, app->conf->account_access_s);
        else if (o == DENIED)
            refuse(req, resp, "invalid_grant", err.msg);
        else {
            log_err(LOG_LEVEL_ERROR, "oauth.fault", &err);
            resp_bare(resp, o == UNAVAILABLE ? 503 : 500, "%s", err.msg);
        }
    }
    secret_wipe(&t, sizeof t);
}
