/*
 * signin.c: signing in and out. The form's token before there is a session is made of a random
 * cookie, so that no other site can sign a person in either.
 */
#include "console/admit.h"
#include "console/proof.h"
#include "console/remote.h"

#include <stdio.h>

#include "base/log.h"
#include "html/form.h"
#include "store/audit.h"
#include "wire/encode.h"

#define FORM_COOKIE_LEN 32

static bool is_hex(const char *s, size_t n)
{
    return s && strlen(s) == n && strspn(s, "0123456789abcdef") == n;
}

/* Shows the form; its cookie is made when the browser has none. */
static void show(struct page *p, int status)
{
    const char *cookie = req_cookie(p->req, ADMIT_FORM_COOKIE);
    const char *next =
        p->req->method == METHOD_POST ? req_form(p->req, "next") : req_query(p->req, "next");
    char fresh[FORM_COOKIE_LEN + 1], token[FORM_TOKEN_LEN + 1];
    if (!is_hex(cookie, FORM_COOKIE_LEN)) {
        secret_new(FORM_COOKIE_LEN / 2, fresh);
        cookie = fresh;
        admit_cookie(p, ADMIT_FORM_COOKIE, fresh, "");
    }
    form_token(bytes_str(cookie), token);
    value_set_text(p->root, "csrf", arena_strdup(p->a, token));
    value_set_text(p->root, "next", next);
    value_set_bool(p->root, "signing_in", true);
    page_show(p, status, "signin");
}

void console_signin(struct app *app, struct req *req, const struct caller *caller,
                    struct resp *resp)
{
    struct page p;
    (void)caller;
    if (!remote_user(app, req)) {
        page_begin(&p, app, req, NULL, resp, "signin");
        show(&p, 200);
    } else if (page_open(&p, app, req, NULL, resp, "signin") && !remote_signin(&p)) {
        show(&p, 200);
    }
}

static void refuse(struct page *p, const char *name, const char *why)
{
    struct err err = {.outcome = OK};
    if (audit_add_rarely(p->db, INT64_C(60000000), "console", "admin.signin_failed", name,
                         p->req->remote_addr, &err) != OK)
        log_err(LOG_LEVEL_WARNING, "console.signin", &err);
    log_event(LOG_LEVEL_WARNING, "console.signin_failed", "account", name, "address",
              p->req->remote_addr, NULL);
    page_bad(p, why);
    value_set_text(p->root, "name", name);
    show(p, 403);
}

/* What was typed is not lost while the database is away; the password has to be given again. */
static void fail(struct page *p, const char *name)
{
    if (p->err.outcome != UNAVAILABLE) {
        page_fail(p);
        return;
    }
    log_err(LOG_LEVEL_WARNING, "console.signin", &p->err);
    resp_note(p->resp, "%s", p->err.msg);
    resp_header(p->resp, "Retry-After", "10");
    page_bad(p, page_text(p, "error_away"));
    value_set_text(p->root, "name", name);
    show(p, 503);
}

static void try_password(struct page *p, const char *name, const char *password)
{
    struct admin admin;
    int64_t wait;
    char seconds[24];
    switch (proof_password(p, name, password, &admin, &wait)) {
    case OK:
        if (signin_succeeded(p->db, name, p->req->remote_addr, p->a, &p->err) == OK)
            admit_done(p, name, admin.has_totp);
        else
            fail(p, name);
        return;
    case DENIED:
        break;
    default:
        fail(p, name);
        return;
    }
    if (!wait) {
        refuse(p, name, p->err.msg);
        return;
    }
    snprintf(seconds, sizeof seconds, "%lld", (long long)wait);
    resp_header(p->resp, "Retry-After", seconds);
    page_bad(p, p->err.msg);
    value_set_text(p->root, "name", name);
    show(p, 429);
}

void console_signin_post(struct app *app, struct req *req, const struct caller *caller,
                         struct resp *resp)
{
    struct page p;
    const char *cookie = req_cookie(req, ADMIT_FORM_COOKIE), *password = req_form(req, "password");
    (void)caller;
    page_begin(&p, app, req, NULL, resp, "signin");
    if (db_pool_take(app->pool, &p.db, &p.err) != OK) {
        fail(&p, page_field(&p, "name"));
        return;
    }
    if (remote_again(&p))
        return;
    if (is_hex(cookie, FORM_COOKIE_LEN) &&
        form_token_valid(bytes_str(cookie), req_form(req, "csrf"))) {
        try_password(&p, page_field(&p, "name"), password ? password : "");
        return;
    }
    page_bad(&p, page_text(&p, "error_csrf"));
    show(&p, 403);
}

void console_signout(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "signin"))
        return;
    if (session_end(p.db, caller->session, &p.err) != OK) {
        page_fail(&p);
        return;
    }
    admit_cookie(&p, CONSOLE_COOKIE, "", "; Max-Age=0");
    resp_header(resp, "Clear-Site-Data", "\"cache\"");
    page_go(&p, "/signin?done=signout");
}
