/*
 * adeweb.c: automated device enrolment in a web view (configuration_web_url): Apple,
 * "Authenticating through web views". The device proves itself with the first request alone, in the
 * header x-apple-aspen-deviceinfo; what it proved is kept (store/enroll_session.h) under the secret
 * that its web view carries as a cookie. Then a person logs in, sees what the organisation will see
 * and do, and gets the profile; the web view closes when it comes.
 */
#include "enrollment/ade.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "enrollment/way.h"
#include "enrollment/web_int.h"
#include "store/enroll_session.h"
#include "wire/encode.h"

#define VIEW_US (15 * MINUTE_US)

/* What the page explains. */
static enum outcome object_of(struct visit *v, int64_t profile_id)
{
    return profile_id ? enrollprofile_get(v->db, profile_id, v->a, &v->e, &v->err)
                      : enrollprofile_find(v->db, v->app->conf, ENROLLPROFILE_DEFAULT, v->a, &v->e,
                                           &v->err);
}

/* Shows the view of a session: the login, or what the profile means. */
static void show(struct visit *v, const struct enroll_session *s, int status)
{
    value_set_text(v->root, "action", ADE_VIEW_PATH);
    if (s->account[0]) {
        v->kind = (enum account_kind)s->account_kind;
        v->account = s->account;
        visit_explain(v);
        value_set_bool(v->root, "can_sign_out", false);
    } else {
        visit_ask_login(v, "", status == 403 ? visit_text(v, "error_csrf") : NULL);
    }
    visit_show(v, status);
}

/* ---- the device opens the view ---- */

/* What is known of the person already: the web server's own login. */
static bool person_of(struct visit *v, struct enroll_session *s)
{
    const char *login = v->app->conf->enroll_login;
    if (strcmp(login, "remote_user") == 0) {
        const char *user = visit_remote_user(v);
        if (user) {
            s->account = user;
            s->account_kind = ACCOUNT_WEB_SERVER;
        }
        return user != NULL;
    }
    return strcmp(login, "local") == 0;
}

static void open_view(struct way *w)
{
    struct visit v;
    const struct machine_info *m = &w->device.info;
    char secret[ENROLL_SESSION_LEN + 1];
    struct enroll_session s = {.kind = SESSION_WEB,
                               .profile_id = w->profile.id,
                               .account = "",
                               .udid = m->udid,
                               .serial = m->serial,
                               .cert_der = w->device.signer,
                               .created_at = w->req->now,
                               .expires_at = w->req->now + VIEW_US};
    visit_begin(&v, w->app, w->req, w->resp);
    v.db = w->db;
    w->db = NULL;
    if (!person_of(&v, &s)) {
        err_set(&v.err, DENIED, "[enroll] login lets nobody log in here");
        log_event(LOG_LEVEL_WARNING, "enroll.no_user", "why", v.err.msg, NULL);
        visit_message(&v, 403, "enrol_nobody_title", "enrol_nobody");
        return;
    }
    enum outcome o = enroll_session_new(v.db, &s, secret, &v.err);
    if (o == OK)
        o = object_of(&v, w->profile.id);
    if (o != OK) {
        visit_fail(&v);
    } else {
        visit_secret(&v, secret);
        show(&v, &s, 200);
    }
    secret_wipe(secret, sizeof secret);
}

void ade_view(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct way w = {
        .app = app, .req = req, .resp = resp, .kind = WAY_CONFIGURATION_URL, .subject = ""};
    const char *header = req_var(req, "HTTP_X_APPLE_ASPEN_DEVICEINFO");
    struct err err = {.outcome = OK};
    struct bytes cms = {0};
    (void)caller;
    if (!app->enroll) {
        resp_text(resp, 503, "The page cannot be shown: its files are not installed.");
        return;
    }
    if (!header || strlen(header) > LIM_HEADER_ATTESTED ||
        base64_decode(req->arena, bytes_str(header), &cms) != OK || !cms.n) {
        err_set(&err, INVALID, "x-apple-aspen-deviceinfo is missing, too long, or no base64");
        way_refuse(&w, 400, &err, "This page is for devices that are being set up.");
        return;
    }
    if (way_open(&w, cms, MACHINE_INFO_DEVICE, true) && ade_admit(&w)) {
        if (w.profile.login == ENROLL_LOGIN_WEB) {
            open_view(&w);
        } else {
            err_set(&err, DENIED, "the enrolment profile does not say login = web");
            way_refuse(&w, 403, &err, "This device is not set up by a web page.");
        }
    }
    way_close(&w);
}

/* ---- the person ---- */

static void give(struct visit *v, const struct enroll_session *s)
{
    struct way w = {
        .app = v->app,
        .req = v->req,
        .resp = v->resp,
        .kind = WAY_CONFIGURATION_URL,
        .subject = s->serial,
        .db = v->db,
        .device = {.signer = s->cert_der, .info = {.udid = s->udid, .serial = s->serial}}};
    struct profile_order order = {.account_kind = (enum account_kind)s->account_kind,
                                  .account = s->account};
    enum outcome o = way_load(&w, s->profile_id, &v->err);
    v->db = NULL;
    if (o != OK)
        way_fault(&w, &v->err);
    if (o == OK && w.profile.encrypt)
        order.recipient = s->cert_der;
    if (o == OK && way_claim(&w))
        way_hand_out(&w, &order, &(struct way_pass){.id = s->id, .device = s->udid});
    way_close(&w);
}

/* Whoever has logged in may do so still. */
static enum outcome person_check(struct visit *v, const struct enroll_session *s)
{
    struct enroluser user;
    if (!s->account[0] || s->account_kind != ACCOUNT_LOCAL)
        return OK;
    enum outcome o = enroluser_find(v->db, s->account, v->a, &user, &v->err);
    if (o == NOT_FOUND || (o == OK && user.disabled_at))
        o = err_set(&v->err, DENIED, "the account is gone or disabled");
    return o;
}

static void log_in(struct visit *v, struct enroll_session *s)
{
    struct enroluser user;
    value_set_text(v->root, "action", ADE_VIEW_PATH);
    if (!visit_log_in(v, &user))
        return;
    s->account = user.name;
    s->account_kind = ACCOUNT_LOCAL;
    if (enroll_session_person(v->db, s->id, s->account_kind, s->account, &v->err) != OK)
        visit_fail(v);
    else
        show(v, s, 200);
}

void ade_view_post(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct visit v;
    struct enroll_session s;
    const char *does = req_form(req, "do");
    (void)caller;
    if (!app->enroll) {
        resp_text(resp, 503, "The page cannot be shown: its files are not installed.");
        return;
    }
    visit_begin(&v, app, req, resp);
    if (!visit_open(&v))
        return;
    enum outcome o = enroll_session_find(v.db, SESSION_WEB, v.cookie, req->now, v.a, &s, &v.err);
    if (o == NOT_FOUND)
        v.err.outcome = DENIED;
    if (o == OK)
        o = person_check(&v, &s);
    if (o == OK)
        o = object_of(&v, s.profile_id);
    if (o != OK)
        visit_fail(&v);
    else if (!visit_form_good(&v))
        show(&v, &s, 403);
    else if (!s.account[0] && does && strcmp(does, "login") == 0 &&
             strcmp(app->conf->enroll_login, "local") == 0)
        log_in(&v, &s);
    else if (s.account[0] && does && strcmp(does, "get") == 0)
        give(&v, &s);
    else
        show(&v, &s, 200);
}
