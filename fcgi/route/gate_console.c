/* gate_console.c: a signed-in administrator, by cookie, whose role holds the row's permission. A
 * form must carry its session's token; one that administers, a proof that is no older than a while.
 */
#include "console/console.h"
#include "html/form.h"
#include "route/gate_state.h"
#include "store/role.h"
#include "store/session.h"

static bool permitted(const struct app *app, const struct session *s, const struct route *row)
{
    bool own_first = s->password_due || console_factor_due(app, s);
    return role_allows(s->role, row->scope) && (!own_first || strcmp(row->scope, "self") == 0);
}

/* The session of the cookie, and that somebody uses it, unless a page asks by itself to stay fresh:
 * one that is left open keeps nobody signed in. */
static enum outcome find_session(struct app *app, struct req *req, struct session *s,
                                 struct err *err)
{
    const char *token = req_cookie(req, CONSOLE_COOKIE);
    struct db *db = NULL;
    if (!token || strlen(token) != SESSION_TOKEN_LEN)
        return NOT_FOUND;
    enum outcome o = db_pool_take(app->pool, &db, err);
    if (o == OK)
        o = session_find(db, token, req->now, req->arena, s, err);
    if (o == OK && !console_remote_same(app, req, s))
        o = NOT_FOUND;
    if (o == OK && !s->pending && !req_var(req, "HTTP_DROVER_LIVE"))
        o = session_keep(db, s, req->now, err);
    if (db)
        db_pool_give(app->pool, &db);
    return o;
}

bool gate_console_enter(struct app *app, const struct route *row, struct req *req,
                        struct caller *caller, struct resp *resp)
{
    struct session *s = arena_alloc(req->arena, sizeof *s);
    struct err err = {.outcome = OK};
    enum outcome o = s ? find_session(app, req, s, &err) : err_set(&err, ERROR, "out of memory");
    if (o == OK && !s->pending) {
        caller->session = s;
        caller->admin = s->admin;
        caller->scope = s->scope;
        bool may = permitted(app, s, row);
        if (may && (s->scope == 0 || row->reach == REACH_SCOPED))
            return true;
        console_deny(app, req, caller, may, resp);
        return false;
    }
    if (o == NOT_FOUND || o == OK)
        console_turn_away(app, req, o == OK, resp);
    else
        console_fail(app, req, NULL, resp, &err);
    return false;
}

bool gate_console_admit(struct app *app, const struct route *row, struct req *req,
                        struct caller *caller, struct resp *resp)
{
    const struct session *s = caller->session;
    if (req->method & (METHOD_GET | METHOD_HEAD))
        return true;
    if (!form_token_valid(bytes_of(s->csrf, sizeof s->csrf), req_form(req, "csrf"))) {
        console_refuse_form(app, req, caller, resp);
        return false;
    }
    return strcmp(row->scope, "administer") != 0 || console_confirm(app, req, caller, resp);
}
