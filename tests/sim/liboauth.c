/*
 * liboauth.c: account-driven enrolment by OAuth 2, as a device does it (Apple, "Implementing the
 * OAuth 2 authentication account-driven enrollment flow"): from the challenge to the authorization
 * page, from the code to tokens, and with a 401 to one of its messages the refreshed token. When
 * that is refused the person is asked to sign in; the simulated one is not there and does not.
 */
#include "libenrol.h"

#include "base/limits.h"
#include "base/uuid.h"
#include "libdigest.h"
#include "wire/encode.h"
#include "wire/json.h"
#include <stdlib.h>

#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"

static void set(char **to, const char *from)
{
    free(*to);
    *to = from ? strdup(from) : NULL;
    if (from && !*to)
        abort();
}

void oauth_free(struct oauth *o)
{
    free(o->token_url);
    free(o->client);
    free(o->redirect);
    free(o->access);
    free(o->refresh);
    *o = (struct oauth){0};
}

static void pair(struct buf *out, const char *name, const char *value)
{
    if (out->len && out->data[out->len - 1] != '?')
        buf_char(out, '&');
    buf_fmt(out, "%s=", name);
    url_encode_add(out, value);
}

bool oauth_begin(struct simdev *d, const char *challenge, struct buf *url)
{
    char method[40], page[900], token[900], redirect[300], client[200], scope[100];
    if (!challenge_value(challenge, "method", method, sizeof method) ||
        strcmp(method, "apple-oauth2") != 0 ||
        !challenge_value(challenge, " authorization-url", page, sizeof page) ||
        !challenge_value(challenge, " token-url", token, sizeof token) ||
        !challenge_value(challenge, " redirect-url", redirect, sizeof redirect) ||
        !challenge_value(challenge, " client-id", client, sizeof client) ||
        !challenge_value(challenge, " scope", scope, sizeof scope))
        return false;
    oauth_free(&d->oauth);
    set(&d->oauth.token_url, token);
    set(&d->oauth.client, client);
    set(&d->oauth.redirect, redirect);
    uuid_v4(d->oauth.state);
    buf_fmt(url, "%s?", page);
    pair(url, "response_type", "code");
    pair(url, "client_id", client);
    pair(url, "redirect_uri", redirect);
    pair(url, "scope", scope);
    pair(url, "state", d->oauth.state);
    pair(url, "login_hint", d->fleet->opt.account);
    return true;
}

bool oauth_code(struct simdev *d, const char *location, char *code, size_t size)
{
    size_t n = d->oauth.redirect ? strlen(d->oauth.redirect) : 0;
    char state[80] = "";
    if (n == 0 || strncmp(location, d->oauth.redirect, n) != 0 || location[n] != '?')
        return false;
    const char *at = strstr(location + n, "code="), *its = strstr(location + n, "state=");
    if (!at || !its)
        return false;
    snprintf(code, size, "%.*s", (int)strcspn(at + 5, "&"), at + 5);
    snprintf(state, sizeof state, "%.*s", (int)strcspn(its + 6, "&"), its + 6);
    return strcmp(state, d->oauth.state) == 0;
}

void oauth_form(const struct simdev *d, const char *code, struct buf *form)
{
    pair(form, "grant_type", code ? "authorization_code" : "refresh_token");
    pair(form, code ? "code" : "refresh_token", code ? code : d->oauth.refresh);
    if (code)
        pair(form, "redirect_uri", d->oauth.redirect);
    pair(form, "client_id", d->oauth.client);
}

bool oauth_take(struct simdev *d, const struct httpc_result *r)
{
    struct err err;
    js root = NULL;
    if (r->outcome != OK || r->status != 200 || js_parse(r->body, &root, &err) != OK)
        return false;
    const char *access = js_get_str(root, "access_token");
    if (access) {
        set(&d->oauth.access, access);
        set(&d->oauth.refresh, js_get_str(root, "refresh_token"));
        d->signed_out = false;
        keep_save(d);
    }
    js_free(&root);
    return access != NULL;
}

bool oauth_refresh(struct simdev *d, httpc_fn *fn)
{
    struct buf form = BUF_INIT(8 * LIM_KB);
    if (!d->oauth.refresh || !d->oauth.token_url)
        return false;
    oauth_form(d, NULL, &form);
    struct httpc_request r = {.method = "POST",
                              .url = d->oauth.token_url,
                              .headers = "User-Agent: MDM/1.0\r\n" FORM,
                              .body = buf_bytes(&form),
                              .timeout_us = d->fleet->opt.timeout_us};
    d->fleet->stats.requests++;
    httpc_send(d->fleet->http, &d->conn, &r, fn, d);
    buf_wipe(&form);
    return true;
}
