/*
 * web.c: enrolment by web page. Who asks is known by weblogin.c. The profile is the answer to the
 * form below what it means; a link that is only looked at, as mail scanners do, is not used up.
 */
#include "enrollment/web_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "enrollment/account.h"
#include "enrollment/oauth.h"
#include "html/form.h"
#include "http/bearer.h"
#include "store/invitation.h"
#include "store/oauth.h"
#include "wire/encode.h"

#define PROFILES_PER_HOUR 20

/* What this visit would get. NOT_FOUND, DENIED: nothing, by this link or under this name. */
static enum outcome profile_of(struct visit *v)
{
    struct invitation inv = {.note = ""};
    const char *name = v->name[0] ? v->name : ENROLLPROFILE_DEFAULT;
    enum outcome o = OK;
    if (v->token)
        o = invitation_find(v->db, v->token, v->a, &inv, &v->err);
    if (o != OK)
        return o;
    if (v->token && inv.profile_id)
        return enrollprofile_get(v->db, inv.profile_id, v->a, &v->e, &v->err);
    o = enrollprofile_find(v->db, v->app->conf, v->token ? ENROLLPROFILE_DEFAULT : name, v->a,
                           &v->e, &v->err);
    if (o == OK && !v->token && !v->e.c.web)
        o = err_set(&v->err, NOT_FOUND, "the profile is not for the web page");
    return o;
}

/* ---- looking ---- */

static void look(struct visit *v, int status)
{
    enum outcome o = visit_who(v);
    if (o == DENIED) {
        visit_nobody(v, status);
        return;
    }
    if (o == OK)
        o = profile_of(v);
    if (o != OK) {
        visit_fail(v);
        return;
    }
    visit_explain(v);
    visit_show(v, status);
}

static bool wants_html(struct req *req)
{
    const char *accept = req_var(req, "HTTP_ACCEPT");
    return accept && strstr(accept, "text/html") != NULL;
}

void enroll_handle(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct visit v;
    const char *token = gift_token(req, ENROLL_PREFIX);
    bool direct = token || (app->conf->enroll_open && strcmp(app->conf->enroll_login, "no") == 0);
    (void)caller;
    if (!app->enroll || (direct && !wants_html(req) && req->method != METHOD_HEAD)) {
        gift_handle(app, req, resp);
        return;
    }
    visit_begin(&v, app, req, resp);
    v.token = token;
    if (visit_open(&v))
        look(&v, 200);
}

static const char *back(struct visit *v)
{
    struct buf b = BUF_INIT(1024);
    buf_str(&b, "/enroll");
    if (v->name[0]) {
        buf_str(&b, "?profile=");
        url_encode_add(&b, v->name);
    }
    const char *path = buf_failed(&b) ? NULL : arena_strdup(v->a, buf_cstr(&b));
    buf_free(&b);
    return path ? path : "/enroll";
}

/* ---- the profile ---- */

static bool too_many(struct visit *v)
{
    int64_t n = 0;
    if (!v->account)
        return false;
    enum outcome o = handout_count(v->db, v->kind, v->account, v->req->now - HOUR_US, &n, &v->err);
    if (o == OK && n < PROFILES_PER_HOUR)
        return false;
    if (o != OK) {
        visit_fail(v);
        return true;
    }
    resp_header(v->resp, "Retry-After", "3600");
    err_set(&v->err, DENIED, "%lld profiles within an hour", (long long)n);
    visit_message(v, 429, "enrol_many_title", "enrol_many");
    return true;
}

static void give(struct visit *v)
{
    enum outcome o = visit_who(v);
    if (o == DENIED) {
        visit_nobody(v, 200);
        return;
    }
    if (o == OK)
        o = profile_of(v);
    if (o == OK && too_many(v))
        return;
    struct gift g = {.conf = v->app->conf,
                     .a = v->a,
                     .token = v->token,
                     .name = v->name,
                     .way = v->token     ? WAY_INVITATION
                            : v->account ? WAY_WEB
                                         : WAY_OPEN,
                     .account_kind = v->kind,
                     .account = v->account,
                     .address = v->req->remote_addr};
    if (o == OK)
        o = gift_give(v->db, &g, &v->err);
    if (o != OK) {
        visit_fail(v);
        return;
    }
    db_pool_give(v->app->pool, &v->db);
    gift_answer(&g, v->resp);
}

bool visit_form_good(struct visit *v)
{
    if (form_token_valid(bytes_str(v->cookie), req_form(v->req, "csrf")))
        return true;
    v->bad = visit_text(v, "error_csrf");
    value_set_text(v->root, "bad", v->bad);
    resp_note(v->resp, "the form is not of this page");
    return false;
}

void enroll_post(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct visit v;
    const char *does = req_form(req, "do");
    (void)caller;
    if (!app->enroll) {
        resp_text(resp, 503, "The page cannot be shown: its files are not installed.");
        return;
    }
    visit_begin(&v, app, req, resp);
    v.token = gift_token(req, ENROLL_PREFIX);
    if (!visit_open(&v))
        return;
    if (!visit_form_good(&v))
        look(&v, 403);
    else if (does && strcmp(does, "login") == 0 && !v.token && visit_login_is(&v, "local"))
        visit_session_start(&v, back(&v));
    else if (does && strcmp(does, "out") == 0 && !v.token)
        visit_session_end(&v, back(&v));
    else
        give(&v);
}

/* ---- account-driven enrolment ---- */

/* The mode of /enroll/account/MODE/login. */
static const struct account_mode *mode_of(struct req *req)
{
    static const char prefix[] = "/enroll/account/";
    const char *rest = req->path + strlen(prefix);
    const char *word = arena_strndup(req->arena, rest, strcspn(rest, "/"));
    return word ? account_mode_find(word) : NULL;
}

/* What the device asks for; the simple flow asks for nothing but a name to begin with. */
struct sign_in {
    const struct account_mode *mode;
    struct oauth_ask ask;
};

/* Reads it and begins the visit. False: it was answered. */
static bool sign_in_begin(struct visit *v, struct sign_in *s, struct app *app, struct req *req,
                          struct resp *resp)
{
    *s = (struct sign_in){.mode = mode_of(req)};
    if (!app->enroll || !s->mode) {
        resp_text(resp, 404, "Not found");
        return false;
    }
    visit_begin(v, app, req, resp);
    v->sign_in = true;
    if (!bearer_oauth(app->conf)) {
        s->ask.hint = req_query(req, "user-identifier");
    } else if (oauth_ask_read(req, &s->ask, &v->err) != OK) {
        visit_message(v, 400, "enrol_ask_title", "enrol_ask");
        return false;
    } else {
        /* the form comes back with what was asked for */
        value_set_text(v->root, "action", arena_fmt(v->a, "%s?%s", req->path, req->query));
    }
    if (!s->ask.hint || !utf8_valid(bytes_str(s->ask.hint)) ||
        strlen(s->ask.hint) > ENROLUSER_NAME_MAX)
        s->ask.hint = "";
    return visit_open(v);
}

/* Sends the device on with a code or an access token of somebody who has logged in. */
static void sign_in_go(struct visit *v, const struct sign_in *s, const char *managed)
{
    char secret[OAUTH_TOKEN_LEN + 1] = "";
    bool oauth = bearer_oauth(v->app->conf);
    enum outcome o = account_managed_check(v->account, managed, &v->err);
    if (o == OK && oauth)
        o = oauth_begin(v->db,
                        &(struct oauth_person){.account_kind = v->kind,
                                               .account = v->account,
                                               .managed_account = managed,
                                               .mode = s->mode->enrollment_mode},
                        s->ask.challenge, v->req->now, secret, &v->err);
    else if (o == OK)
        o = account_token_new(v->db, s->mode, v->kind, v->account, managed, v->req->now, secret,
                              &v->err);
    if (o == INVALID) {
        visit_message(v, 403, "enrol_no_account_title", "enrol_no_account");
    } else if (o != OK) {
        visit_fail(v);
    } else {
        db_pool_give(v->app->pool, &v->db);
        if (oauth)
            oauth_redirect(v->req, v->resp, &s->ask, secret);
        else
            account_redirect(v->resp, secret);
    }
    secret_wipe(secret, sizeof secret);
}

void enroll_account_login(struct app *app, struct req *req, const struct caller *caller,
                          struct resp *resp)
{
    struct visit v;
    struct sign_in s;
    (void)caller;
    if (!sign_in_begin(&v, &s, app, req, resp))
        return;
    if (visit_login_is(&v, "remote_user") && visit_who(&v) == OK) {
        sign_in_go(&v, &s, v.account);
    } else if (visit_login_is(&v, "local")) {
        visit_ask_login(&v, s.ask.hint, NULL);
        visit_show(&v, 200);
    } else if (visit_login_is(&v, "no")) {
        err_set(&v.err, NOT_FOUND, "[enroll] login is no");
        visit_fail(&v);
    } else {
        visit_nobody(&v, 200);
    }
}

void enroll_account_login_post(struct app *app, struct req *req, const struct caller *caller,
                               struct resp *resp)
{
    struct visit v;
    struct sign_in s;
    struct enroluser user;
    (void)caller;
    if (strcmp(app->conf->enroll_login, "local") != 0) {
        resp_text(resp, 404, "Not found");
        return;
    }
    if (!sign_in_begin(&v, &s, app, req, resp))
        return;
    if (!visit_form_good(&v)) {
        visit_ask_login(&v, s.ask.hint, visit_text(&v, "error_csrf"));
        visit_show(&v, 403);
    } else if (visit_log_in(&v, &user)) {
        v.kind = ACCOUNT_LOCAL;
        v.account = user.name;
        sign_in_go(&v, &s,
                   user.managed_account && user.managed_account[0] ? user.managed_account
                                                                   : user.name);
    }
}
