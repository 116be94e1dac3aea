/*
 * weblogin.c: who stands before the enrolment page: by an invitation, by a login with an account of
 * droverctl users, or by the web server's own variable REMOTE_USER; a header of that name arrives
 * as HTTP_REMOTE_USER and is not looked at.
 */
#include "enrollment/web_int.h"

#include <ctype.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "store/audit.h"
#include "store/enroll_session.h"
#include "store/login.h"
#include "wire/encode.h"

#define SESSION_US (15 * MINUTE_US)
#define AUDIT_EVERY MINUTE_US

bool visit_login_is(const struct visit *v, const char *what)
{
    return strcmp(v->app->conf->enroll_login, what) == 0;
}

/* ---- who asks ---- */

const char *visit_remote_user(const struct visit *v)
{
    const char *user = req_var(v->req, "REMOTE_USER");
    if (!user || !*user || strlen(user) > ENROLUSER_FULL_NAME_MAX || !utf8_valid(bytes_str(user)))
        return NULL;
    for (const char *p = user; *p; p++)
        if (iscntrl((unsigned char)*p))
            return NULL;
    return user;
}

/* The person of the cookie. DENIED: nobody has logged in. */
static enum outcome session_of(struct visit *v)
{
    struct enroll_session s;
    struct enroluser user;
    enum outcome o =
        enroll_session_find(v->db, SESSION_PERSON, v->cookie, v->req->now, v->a, &s, &v->err);
    if (o == OK)
        o = enroluser_find(v->db, s.account, v->a, &user, &v->err);
    /* one of before the password is of somebody who knew another, or had the name before */
    if (o == OK && !user.disabled_at && s.created_at >= user.password_at) {
        v->kind = ACCOUNT_LOCAL;
        v->account = s.account;
        return OK;
    }
    return o == UNAVAILABLE || o == ERROR ? o : DENIED;
}

enum outcome visit_who(struct visit *v)
{
    if (v->token)
        return v->token[0] ? OK : err_set(&v->err, NOT_FOUND, "no invitation");
    if (visit_login_is(v, "local"))
        return session_of(v);
    if (visit_login_is(v, "remote_user")) {
        v->account = visit_remote_user(v);
        v->kind = v->account ? ACCOUNT_WEB_SERVER : ACCOUNT_NONE;
        return v->account ? OK : DENIED;
    }
    return v->app->conf->enroll_open ? OK : err_set(&v->err, NOT_FOUND, "no web page");
}

void visit_nobody(struct visit *v, int status)
{
    v->err.outcome = OK;
    if (visit_login_is(v, "remote_user")) {
        log_event(LOG_LEVEL_WARNING, "enroll.no_user", "why",
                  "[enroll] login is remote_user, and the web server told no REMOTE_USER", NULL);
        visit_message(v, 403, "enrol_nobody_title", "enrol_nobody");
        return;
    }
    visit_ask_login(v, "", v->bad);
    visit_show(v, status);
}

/* ---- logging in ---- */

enum outcome visit_judge(struct visit *v, const char *name, const char *password,
                         struct enroluser *user, const char **bad, int *status)
{
    struct err err = {.outcome = OK};
    char detail[320], seconds[24], actor[200];
    int64_t wait = 0;
    enum outcome o = DENIED;
    if (!name || !utf8_valid(bytes_str(name)) || strlen(name) > ENROLUSER_NAME_MAX)
        name = "";
    if (!*name || !password || !*password || strlen(password) > ENROLUSER_PASSWORD_MAX)
        err_set(&v->err, DENIED, "no name or password that can be");
    else
        o = login_password(v->db, name, password, v->req->remote_addr, v->req->now, v->a, user,
                           &wait, &v->err);
    if (o != DENIED)
        return o;
    snprintf(detail, sizeof detail, "address=%.60s why=%.200s", v->req->remote_addr, v->err.msg);
    snprintf(actor, sizeof actor, "user:%.*s", (int)utf8_prefix(name, 40), name);
    log_event(LOG_LEVEL_WARNING, "login.failed", "account", name, "address", v->req->remote_addr,
              "why", v->err.msg, NULL);
    if (audit_add_rarely(v->db, AUDIT_EVERY, actor, "login.failed", v->req->remote_addr, detail,
                         &err) != OK)
        log_err(LOG_LEVEL_WARNING, "audit.failed", &err);
    snprintf(seconds, sizeof seconds, "%lld", (long long)wait);
    if (wait)
        resp_header(v->resp, "Retry-After", seconds);
    *bad = wait ? words_count(v->w, v->a, "enrol_login_wait", seconds)
                : visit_text(v, "enrol_login_wrong");
    *status = wait ? 429 : 403;
    return o;
}

bool visit_log_in(struct visit *v, struct enroluser *user)
{
    const char *name = req_form(v->req, "name"), *bad;
    int status;
    enum outcome o = visit_judge(v, name, req_form(v->req, "password"), user, &bad, &status);
    if (o == DENIED) {
        visit_ask_login(v, name && utf8_valid(bytes_str(name)) ? name : "", bad);
        visit_show(v, status);
    } else if (o != OK) {
        visit_fail(v);
    } else {
        log_event(LOG_LEVEL_INFO, "login.done", "account", user->name, "address",
                  v->req->remote_addr, NULL);
    }
    return o == OK;
}

void visit_session_start(struct visit *v, const char *path)
{
    struct enroluser user;
    char secret[ENROLL_SESSION_LEN + 1];
    if (!visit_log_in(v, &user))
        return;
    struct enroll_session s = {.kind = SESSION_PERSON,
                               .account = user.name,
                               .account_kind = ACCOUNT_LOCAL,
                               .created_at = v->req->now,
                               .expires_at = v->req->now + SESSION_US};
    if (enroll_session_new(v->db, &s, secret, &v->err) != OK) {
        visit_fail(v);
        return;
    }
    visit_cookie(v, secret);
    secret_wipe(secret, sizeof secret);
    visit_go(v, path);
}

void visit_session_end(struct visit *v, const char *path)
{
    if (enroll_session_end(v->db, SESSION_PERSON, v->cookie, &v->err) != OK) {
        visit_fail(v);
        return;
    }
    visit_cookie(v, "");
    visit_go(v, path);
}
