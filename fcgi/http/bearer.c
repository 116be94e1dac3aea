/* bearer.c: see bearer.h. */
#include "http/bearer.h"

#include <ctype.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/audit.h"
#include "store/oauth.h"

bool bearer_oauth(const struct conf *conf)
{
    return strcmp(conf->account_method, "oauth2") == 0;
}

const char *bearer_token(struct req *req)
{
    const char *a = req_var(req, "HTTP_AUTHORIZATION");
    if (!a || strncasecmp(a, "Bearer ", 7) != 0)
        return NULL;
    return a + 7 + strspn(a + 7, " ");
}

void bearer_challenge(const struct conf *conf, struct req *req, struct resp *resp, const char *mode,
                      const char *why)
{
    const char *base = conf->device_url, *text;
    char path[16];
    size_t n = 0;
    for (; mode[n] && n < sizeof path - 1; n++)
        path[n] = (char)tolower((unsigned char)mode[n]);
    path[n] = '\0';
    if (bearer_oauth(conf))
        text = arena_fmt(req->arena,
                         "Bearer method=\"apple-oauth2\", "
                         "authorization-url=\"%s/enroll/account/%s/login\", "
                         "token-url=\"%s" BEARER_TOKEN_PATH "\", redirect-url=\"" BEARER_REDIRECT
                         "\", client-id=\"" BEARER_CLIENT "\", scope=\"" BEARER_SCOPE "\"",
                         base, path, base);
    else
        text = arena_fmt(req->arena,
                         "Bearer method=\"apple-as-web\", url=\"%s/enroll/account/%s/login\"", base,
                         path);
    resp_bare(resp, 401, "%s", why);
    if (text)
        resp_header(resp, "WWW-Authenticate", text);
    else
        resp_bare(resp, 500, "out of memory");
}

static void note(struct message *m, struct db *db, const struct oauth_grant *g, const char *why)
{
    char actor[300], detail[400];
    struct err err = {.outcome = OK};
    log_event(LOG_LEVEL_INFO, "device.sign_in", "account", g->account, "why", why, NULL);
    if (g->state != OAUTH_ENDED)
        return;
    snprintf(actor, sizeof actor, "account:%.255s", g->account);
    snprintf(detail, sizeof detail, "why=%.300s", why);
    if (audit_add_rarely(db, DAY_US, actor, "account.sign_in", m->id.name, detail, &err) != OK)
        log_err(LOG_LEVEL_WARNING, "audit.failed", &err);
}

enum outcome bearer_admit(struct message *m, struct err *err)
{
    const struct conf *conf = m->app->conf;
    const char *token = conf->account_ongoing ? bearer_token(m->req) : NULL, *why = NULL;
    struct oauth_grant g;
    struct db *db = NULL;
    if (!token || !oauth_is_access(token) || pl_get(m->root, "MessageType") != NULL)
        return OK;
    enum outcome o = db_pool_take(m->app->pool, &db, err);
    if (o == OK)
        o = oauth_look(db, token, m->req->now, m->req->arena, &g, err);
    if (o == OK && g.state == OAUTH_GOOD)
        o = oauth_bind(db, &g, m->id.name, err);
    if (o == DENIED) {
        o = OK;
        why = err->msg;
        g.state = OAUTH_ENDED;
    } else if (o == OK && g.state == OAUTH_STALE) {
        why = "the access token has run out";
    } else if (o == OK && g.state == OAUTH_ENDED) {
        why = g.why;
    }
    if (why) {
        note(m, db, &g, why);
        bearer_challenge(conf, m->req, m->resp, g.mode, why);
    } else if (o == OK && g.state == OAUTH_UNKNOWN) {
        log_event(LOG_LEVEL_INFO, "device.token_unknown", NULL);
    }
    db_pool_give(m->app->pool, &db);
    return o == OK && why ? DENIED : o;
}
