/*
 * confirm.c: before a sensitive action the person proves again who they are, unless they have done
 * so within SESSION_FRESH_MIN minutes: by the password, or before the web server that knows them
 * (remote_again()). The page that asks carries the form's fields along, so that nothing is to be
 * filled in twice.
 */
#include "console/proof.h"

#include "base/clock.h"

#define FIELDS_MAX 2000 /* of a form: a filter has five for each of 200 rows */

struct carried {
    struct page *p;
    struct value *list;
    size_t n;
};

static bool carry(const char *name, const char *value, void *arg)
{
    struct carried *c = arg;
    if (strcmp(name, "csrf") == 0 || strncmp(name, "proof", 5) == 0)
        return true;
    if (++c->n > FIELDS_MAX)
        return false;
    struct value *v = value_append_dict(c->list);
    value_set_text(v, "name", name);
    value_set_text(v, "value", value);
    return true;
}

static void ask(struct page *p, int status)
{
    struct carried c = {.p = p, .list = value_set_list(p->root, "fields")};
    req_form_each(p->req, carry, &c);
    if (c.n > FIELDS_MAX) { /* a part of it would do something else */
        err_set(&p->err, INVALID, "%s", page_text(p, "confirm_too_many"));
        page_fail(p);
        return;
    }
    value_set_text(p->root, "action",
                   p->req->query[0] ? arena_fmt(p->a, "%s?%s", p->req->path, p->req->query)
                                    : p->req->path);
    value_set_bool(p->root, "totp", p->caller->session->has_totp);
    value_set_bool(p->root, "remote", p->caller->session->remote);
    value_set_bool(p->root, "local", !p->caller->session->remote);
    value_set_text(p->root, "title", page_text(p, "confirm_title"));
    p->resp->secret = true;
    page_show(p, status, "confirm");
}

bool page_confirmed(struct page *p)
{
    const struct session *s = p->caller->session;
    if (p->req->now - s->fresh_at < SESSION_FRESH_MIN * MINUTE_US)
        return true;
    if (s->remote || !req_form(p->req, "proof")) {
        ask(p, 403);
        return false;
    }
    enum outcome o = proof_again(p);
    if (o == OK)
        o = session_fresh(p->db, s, p->req->now, &p->err);
    if (o == OK)
        return true;
    if (o == DENIED) {
        page_bad(p, p->err.msg);
        ask(p, 403);
    } else {
        page_fail(p);
    }
    return false;
}

bool console_confirm(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "confirm"))
        return false;
    bool yes = page_confirmed(&p);
    if (yes)
        page_leave(&p);
    return yes;
}
