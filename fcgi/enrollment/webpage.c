/* webpage.c: what a person sees of the enrolment page; see web_int.h. */
#include "enrollment/web_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/log.h"
#include "enrollment/rights.h"
#include "html/form.h"
#include "wire/encode.h"

#define COOKIE "__Host-drover-enroll"
#define COOKIE_LEN 48
#define COOKIE_REST "; Path=/; Secure; HttpOnly; SameSite=Lax"
#define PAGE_MAX (256u * LIM_KB)

enum outcome enroll_web_new(const struct conf *conf, struct enroll_web **out, struct err *err)
{
    char path[4096];
    struct enroll_web *w = calloc(1, sizeof *w);
    *out = NULL;
    if (!w)
        return err_set(err, ERROR, "out of memory");
    snprintf(path, sizeof path, "%s/templates", conf->share_dir);
    enum outcome o = templates_new(path, &w->templates, err);
    if (o == OK)
        o = words_load(path, &w->words, err);
    if (o == OK)
        o = asset_read(conf->share_dir, "enroll", "css", "text/css; charset=utf-8",
                       "/enroll/static", &w->css, err);
    if (o == OK)
        *out = w;
    else
        enroll_web_free(&w);
    return o;
}

void enroll_web_free(struct enroll_web **wp)
{
    struct enroll_web *w = *wp;
    if (!w)
        return;
    templates_free(&w->templates);
    words_free(&w->words);
    asset_free(&w->css);
    free(w);
    *wp = NULL;
}

void enroll_static(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    const struct asset *a = app->enroll ? &app->enroll->css : NULL;
    (void)caller;
    if (!a || strcmp(req->path, a->url) != 0) {
        resp_text(resp, 404, "Not found");
        return;
    }
    bool packed;
    struct bytes b = asset_body(a, req_var(req, "HTTP_ACCEPT_ENCODING"), &packed);
    resp_asset(resp, a->type, b, packed);
}

/* ---- a visit ---- */

void visit_cookie(struct visit *v, const char *value)
{
    v->set_cookie =
        arena_fmt(v->a, COOKIE "=%s" COOKIE_REST "%s", value, value[0] ? "" : "; Max-Age=0");
}

/* What every answer of the page says, with the last cookie that was set. */
static void set_headers(struct visit *v)
{
    if (v->sign_in)
        resp_sign_in_headers(v->resp);
    else
        resp_page_headers(v->resp);
    if (v->set_cookie)
        resp_header(v->resp, "Set-Cookie", v->set_cookie);
}

static void set_forms(struct visit *v)
{
    char *token = arena_alloc(v->a, FORM_TOKEN_LEN + 1);
    if (token)
        form_token(bytes_str(v->cookie), token);
    value_set(v->root, "csrf", token ? value_text(v->a, token) : NULL);
}

void visit_secret(struct visit *v, const char *secret)
{
    v->cookie = arena_strdup(v->a, secret);
    visit_cookie(v, secret);
    set_forms(v);
}

void visit_begin(struct visit *v, struct app *app, struct req *req, struct resp *resp)
{
    const char *cookie = req_cookie(req, COOKIE);
    char *fresh = arena_alloc(req->arena, COOKIE_LEN + 1);
    *v = (struct visit){.app = app,
                        .req = req,
                        .resp = resp,
                        .a = req->arena,
                        .cookie = cookie,
                        .page = "enroll",
                        .posted = req->method == METHOD_POST};
    if (fresh && (!cookie || strlen(cookie) != COOKIE_LEN ||
                  strspn(cookie, "0123456789abcdef") != COOKIE_LEN)) {
        secret_new(COOKIE_LEN / 2, fresh);
        v->cookie = fresh;
        visit_cookie(v, fresh);
    }
    const char *name = v->posted ? req_form(req, "profile") : req_query(req, "profile");
    v->name = name ? name : "";
    v->w = words_choose(app->enroll->words, NULL, req_var(req, "HTTP_ACCEPT_LANGUAGE"));
    v->root = value_dict(v->a);
    value_set(v->root, "t", value_lookup(v->a, words_find, v->w));
    value_set_text(v->root, "lang", words_language(v->w));
    value_set_text(v->root, "css", app->enroll->css.url);
    value_set_text(v->root, "action", req->path);
    value_set_text(v->root, "profile", v->name);
    set_forms(v);
}

const char *visit_text(const struct visit *v, const char *key)
{
    return words_find(v->w, key);
}

static const char *organization(const struct visit *v)
{
    const char *own = v->e.c.organization, *site = v->app->conf->organization;
    return own && own[0] ? own : site[0] ? site : visit_text(v, "enrol_organization");
}

void visit_show(struct visit *v, int status)
{
    struct buf out = BUF_INIT(PAGE_MAX);
    struct err err = {.outcome = OK};
    if (v->db)
        db_pool_give(v->app->pool, &v->db);
    value_set_text(v->root, "organization", organization(v));
    value_set_text(v->root, "support", v->app->conf->support);
    set_headers(v);
    resp_header(v->resp, "Vary", "Accept, Accept-Language, Cookie");
    if (template_render(v->app->enroll->templates, v->page, v->root, v->a, &out, &err) == OK) {
        v->resp->status = status;
        v->resp->content_type = "text/html; charset=utf-8";
        buf_clear(&v->resp->body);
        buf_add(&v->resp->body, out.data, out.len);
    } else {
        log_err(LOG_LEVEL_ERROR, "enroll.template", &err);
        resp_text(v->resp, 500, "The page cannot be shown; the log says why.");
    }
    buf_wipe(&out);
}

bool visit_open(struct visit *v)
{
    if (db_pool_take(v->app->pool, &v->db, &v->err) == OK)
        return true;
    visit_fail(v);
    return false;
}

void visit_message(struct visit *v, int status, const char *title, const char *text)
{
    value_set_text(v->root, "title", visit_text(v, title));
    value_set_text(v->root, "message", visit_text(v, text));
    if (v->err.outcome != OK)
        resp_note(v->resp, "%s", v->err.msg);
    visit_show(v, status);
}

void visit_fail(struct visit *v)
{
    switch (v->err.outcome) {
    case NOT_FOUND:
        visit_message(v, 404, "enrol_unknown_title", "enrol_unknown");
        return;
    case DENIED:
        visit_message(v, 410, "enrol_over_title", "enrol_over");
        return;
    case UNAVAILABLE:
        log_err(LOG_LEVEL_WARNING, "enroll.unavailable", &v->err);
        resp_header(v->resp, "Retry-After", "10");
        visit_message(v, 503, "enrol_away_title", "enrol_away");
        return;
    default:
        log_err(LOG_LEVEL_ERROR, "enroll.fault", &v->err);
        visit_message(v, 500, "enrol_fault_title", "enrol_fault");
    }
}

void visit_go(struct visit *v, const char *path)
{
    if (v->db)
        db_pool_give(v->app->pool, &v->db);
    set_headers(v);
    resp_redirect(v->resp, 303, path);
}

/* ---- the parts of the page ---- */

static void list_rights(struct visit *v, const char *key, bool does, bool held)
{
    struct value *list = value_list(v->a);
    bool any = false;
    for (size_t i = 0; i < enroll_rights_n; i++) {
        const struct enroll_right *r = &enroll_rights[i];
        if (r->does != does || ((v->e.c.access_rights & r->right) != 0) != held)
            continue;
        value_set_text(value_append_dict(list), "text", visit_text(v, r->key));
        any = true;
    }
    if (any) {
        struct value *part = value_set_dict(v->root, key);
        value_set(part, "items", list);
    }
}

void visit_rights(struct visit *v)
{
    list_rights(v, "sees", false, true);
    list_rights(v, "does", true, true);
    list_rights(v, "not_sees", false, false);
    list_rights(v, "not_does", true, false);
}

void visit_explain(struct visit *v)
{
    const char *org = organization(v);
    value_set_text(v->root, "title", words_fill(v->w, v->a, "enrol_title", org, NULL));
    value_set_text(v->root, "intro", words_fill(v->w, v->a, "enrol_intro", org, NULL));
    value_set_text(v->root, "description", v->e.c.description);
    visit_rights(v);
    value_set_text(v->root, "removal",
                   visit_text(v, v->e.c.removal == ENROLL_REMOVAL_ALLOWED ? "enrol_leave_free"
                                                                          : "enrol_leave_bound"));
    value_set_text(v->root, "account", v->account);
    value_set_bool(v->root, "can_sign_out", v->kind == ACCOUNT_LOCAL);
    value_set_bool(v->root, "explain", true);
}

void visit_ask_login(struct visit *v, const char *name, const char *bad)
{
    value_set_text(v->root, "title", visit_text(v, "enrol_login_title"));
    value_set_text(v->root, "bad", bad);
    value_set_text(v->root, "name", name);
    value_set_bool(v->root, "login", true);
}
