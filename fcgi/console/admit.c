/* admit.c: see admit.h. */
#include "console/admit.h"

#include "wire/encode.h"

#define COOKIE_REST "; Path=/; Secure; HttpOnly; SameSite=Lax"

void admit_cookie(struct page *p, const char *name, const char *value, const char *more)
{
    const char *line = arena_fmt(p->a, "%s=%s" COOKIE_REST "%s", name, value, more);
    if (line)
        resp_header(p->resp, "Set-Cookie", line);
}

void admit_done(struct page *p, const char *name, bool pending)
{
    char token[SESSION_TOKEN_LEN + 1];
    const char *next =
        p->req->method == METHOD_POST ? req_form(p->req, "next") : req_query(p->req, "next");
    const struct session_start start = {.admin = name,
                                        .old_token = req_cookie(p->req, CONSOLE_COOKIE),
                                        .user_agent = req_var(p->req, "HTTP_USER_AGENT"),
                                        .address = p->req->remote_addr,
                                        .now = p->req->now,
                                        .pending = pending};
    next = next && *next ? next : "/";
    if (session_new(p->db, &start, token, &p->err) != OK) {
        page_fail(p);
        return;
    }
    admit_cookie(p, CONSOLE_COOKIE, token, "");
    admit_cookie(p, ADMIT_FORM_COOKIE, "", "; Max-Age=0");
    secret_wipe(token, sizeof token);
    page_go(p, pending ? page_link(p, "/signin/code", "next", next) : next);
}
