/* page.c: see page.h. */
#include "console/page.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "html/form.h"
#include "store/role.h"
#include "wire/encode.h"

#define LIM_PAGE_OCTETS (4u * LIM_MB)

bool console_factor_due(const struct app *app, const struct session *s)
{
    return !s->has_totp && !s->remote && strcmp(app->conf->console_second_factor, "required") == 0;
}

/* may.PERMISSION, for what a template leaves out; may.library: change what all groups share. */
static void set_may(struct page *p, const char *role, bool whole)
{
    struct value *may = value_set_dict(p->root, "may");
    for (int i = 0; role_permissions[i]; i++)
        value_set_bool(may, role_permissions[i], role_allows(role, role_permissions[i]));
    value_set_bool(may, "library", whole && role_allows(role, "operate"));
    value_set_bool(may, "house",
                   (whole && role_allows(role, "administer")) || role_allows(role, "audit"));
}

static void set_signed_in(struct page *p)
{
    const struct session *s = p->caller ? p->caller->session : NULL;
    char *token = arena_alloc(p->a, FORM_TOKEN_LEN + 1);
    if (!s)
        return;
    if (token)
        form_token(bytes_of(s->csrf, sizeof s->csrf), token);
    value_set(p->root, "csrf", token ? value_text(p->a, token) : NULL);
    value_set_text(p->root, "admin", s->admin);
    value_set_bool(p->root, "whole", s->scope == 0);
    set_may(p, s->password_due || console_factor_due(p->app, s) ? NULL : s->role, s->scope == 0);
}

static void page_good(struct page *p, const char *text)
{
    value_set_text(p->root, "good", text);
}

static void set_done(struct page *p)
{
    const char *done = req_query(p->req, "done");
    const char *key = done ? arena_fmt(p->a, "done_%.40s", done) : NULL;
    const char *text = key ? page_text(p, key) : NULL;
    if (text && text != key)
        page_good(p, text);
}

void page_begin(struct page *p, struct app *app, struct req *req, const struct caller *caller,
                struct resp *resp, const char *nav)
{
    const struct session *s = caller ? caller->session : NULL;
    *p = (struct page){.app = app, .req = req, .caller = caller, .resp = resp, .a = req->arena};
    p->w = words_choose(app->console->words, s && s->language[0] ? s->language : NULL,
                        req_var(req, "HTTP_ACCEPT_LANGUAGE"));
    p->root = value_dict(p->a);
    value_set(p->root, "t", value_lookup(p->a, words_find, p->w));
    value_set_text(p->root, "lang", words_language(p->w));
    value_set_text(p->root, "css", app->console->asset[ASSET_CSS].url);
    value_set_text(p->root, "js", app->console->asset[ASSET_JS].url);
    value_set_text(p->root, "icon", app->console->asset[ASSET_ICON].url);
    value_set_text(p->root, "organization", app->conf->organization);
    const char *key = arena_fmt(p->a, "nav_%s", nav);
    value_set_text(p->root, "title", key ? page_text(p, key) : NULL);
    if (key)
        value_set_bool(p->root, key, true);
    set_signed_in(p);
    set_done(p);
}

bool page_open(struct page *p, struct app *app, struct req *req, const struct caller *caller,
               struct resp *resp, const char *nav)
{
    page_begin(p, app, req, caller, resp, nav);
    if (db_pool_take(app->pool, &p->db, &p->err) == OK)
        return true;
    page_fail(p);
    return false;
}

void page_leave(struct page *p)
{
    if (p->db)
        db_pool_give(p->app->pool, &p->db);
}

void page_show(struct page *p, int status, const char *name)
{
    struct buf out = BUF_INIT(LIM_PAGE_OCTETS);
    struct err err = {.outcome = OK};
    page_leave(p);
    resp_page_headers(p->resp);
    if (template_render(p->app->console->templates, name, p->root, p->a, &out, &err) == OK) {
        p->resp->status = status;
        p->resp->content_type = "text/html; charset=utf-8";
        buf_clear(&p->resp->body);
        buf_add(&p->resp->body, out.data, out.len);
    } else {
        log_err(LOG_LEVEL_ERROR, "console.template", &err);
        resp_text(p->resp, 500, "The page cannot be shown; the log says why.");
        resp_note(p->resp, "%s", err.msg);
    }
    buf_wipe(&out);
}

void page_go(struct page *p, const char *path)
{
    page_leave(p);
    resp_page_headers(p->resp);
    resp_redirect(p->resp, 303, path);
}

bool page_may(const struct page *p, const char *permission)
{
    const struct session *s = p->caller ? p->caller->session : NULL;
    return s && role_allows(s->role, permission);
}

int page_status(enum outcome o)
{
    switch (o) {
    case OK:
        return 200;
    case NOT_FOUND:
        return 404;
    case DENIED:
        return 403;
    case CONFLICT:
        return 409;
    case INVALID:
        return 400;
    case UNAVAILABLE:
        return 503;
    default:
        return 500;
    }
}

bool page_mendable(enum outcome o)
{
    return o == NOT_FOUND || o == DENIED || o == CONFLICT || o == INVALID;
}

/* What was asked for, with its query; NULL without memory. */
static const char *address(struct page *p)
{
    return p->req->query[0] ? arena_fmt(p->a, "%s?%s", p->req->path, p->req->query) : p->req->path;
}

void page_fail(struct page *p)
{
    enum outcome o = p->err.outcome;
    bool form = p->req->method == METHOD_POST;
    if (page_mendable(o)) {
        value_set_text(p->root, "message", arena_strdup(p->a, page_said(p, p->err.msg)));
    } else {
        log_err(o == UNAVAILABLE ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR, "console.failed", &p->err);
        value_set_text(p->root, "message",
                       page_text(p, o != UNAVAILABLE ? "error_fault"
                                    : form           ? "error_away_form"
                                                     : "error_away"));
        value_set_text(p->root, "request", p->req->id);
    }
    value_set_text(p->root, "title",
                   page_text(p, o == NOT_FOUND ? "error_not_found" : "error_title"));
    resp_note(p->resp, "%s", p->err.msg);
    if (o == UNAVAILABLE)
        resp_header(p->resp, "Retry-After", "10");
    if (o == UNAVAILABLE && p->req->method & (METHOD_GET | METHOD_HEAD))
        value_set_text(p->root, "again", address(p));
    page_show(p, page_status(o), "error");
}

const char *page_text(const struct page *p, const char *key)
{
    return words_find(p->w, key);
}

const char *page_named(const struct page *p, const char *key)
{
    const char *text = key ? words_find(p->w, key) : NULL;
    return text != key ? text : NULL;
}

const char *page_said(const struct page *p, const char *english)
{
    return words_said(p->w, p->a, english);
}

void page_bad(struct page *p, const char *text)
{
    value_set_text(p->root, "bad", arena_strdup(p->a, page_said(p, text)));
}

/* What the request itself has made is younger than the request, by clocks of two hosts maybe. */
#define JUST_MADE (5 * SECOND_US)

/* "3 min ago", "in 12 days". */
static const char *distance(struct page *p, int64_t us)
{
    static const struct {
        int64_t unit, to;
        const char *past, *future;
    } steps[] = {{SECOND_US, MINUTE_US, "ago_now", "in_now"},
                 {MINUTE_US, HOUR_US, "ago_min", "in_min"},
                 {HOUR_US, 2 * DAY_US, "ago_hours", "in_hours"},
                 {DAY_US, INT64_MAX, "ago_days", "in_days"}};
    int64_t d = p->req->now - us, size = d < 0 ? -d : d;
    bool future = d < -JUST_MADE;
    size_t i = 0;
    while (size >= steps[i].to)
        i++;
    const char *n =
        arena_fmt(p->a, "%lld", (long long)((size + steps[i].unit / 2) / steps[i].unit));
    return words_fill(p->w, p->a, future ? steps[i].future : steps[i].past, n, NULL);
}

void page_time(struct page *p, struct value *dict, const char *key, int64_t us)
{
    char text[CLOCK_TEXT_MAX];
    if (us <= 0)
        return;
    struct value *v = value_set_dict(dict, key);
    const char *iso = arena_strdup(p->a, clock_rfc3339(us, false, text));
    value_set_text(v, "iso", iso);
    value_set_text(v, "ago", distance(p, us));
    value_set(v, "text",
              iso ? value_text(p->a, arena_fmt(p->a, "%.10s %.5s UTC", iso, iso + 11)) : NULL);
}

void page_state(struct page *p, struct value *dict, const char *prefix, const char *name)
{
    struct value *v = value_set_dict(dict, "state");
    const char *key = arena_fmt(p->a, "%s_%s", prefix, name ? name : "unknown");
    value_set_text(v, "name", name);
    value_set(v, "text", key ? value_text(p->a, page_text(p, key)) : NULL);
}

/* "1.5 MB", with the language's decimal mark; whole numbers without. */
static const char *size_text(struct page *p, int64_t whole, int tenths, const char *unit)
{
    const char *s = tenths ? arena_fmt(p->a, "%lld%s%d %s", (long long)whole,
                                       page_text(p, "decimal_mark"), tenths, unit)
                           : arena_fmt(p->a, "%lld %s", (long long)whole, unit);
    return s ? s : "";
}

const char *page_size(struct page *p, int64_t octets)
{
    const int64_t kb = LIM_KB, mb = LIM_MB, gb = 1024 * mb;
    if (octets < 10 * kb || octets < mb)
        return size_text(p, octets < 10 * kb ? octets : octets / kb, 0,
                         octets < 10 * kb ? "B" : "KB");
    int64_t unit = octets < gb ? mb : gb;
    return size_text(p, octets / unit, (int)(octets % unit * 10 / unit), unit == mb ? "MB" : "GB");
}

int64_t page_number(const char *s)
{
    char *end;
    errno = 0;
    long long n = s && *s >= '0' && *s <= '9' ? strtoll(s, &end, 10) : 0;
    return !n || errno || *end ? 0 : n;
}

bool page_count(struct page *p, const char *name, int64_t max, int64_t *out)
{
    const char *s = page_field(p, name);
    *out = page_number(s);
    return *s && strspn(s, "0123456789") == strlen(s) && *out <= max &&
           (*out > 0 || strspn(s, "0") == strlen(s));
}

const char *page_link(struct page *p, const char *path, const char *name, const char *value)
{
    struct buf b = BUF_INIT(LIM_PATH);
    buf_fmt(&b, "%s%c%s=", path, strchr(path, '?') ? '&' : '?', name);
    url_encode_add(&b, value);
    const char *link = buf_failed(&b) ? NULL : arena_strdup(p->a, buf_cstr(&b));
    buf_free(&b);
    return link ? link : "/";
}

const char *page_link_id(struct page *p, const char *path, int64_t id)
{
    return page_link(p, path, "id", arena_fmt(p->a, "%lld", (long long)id));
}

const char *page_field(struct page *p, const char *name)
{
    const char *s = req_form(p->req, name);
    if (!s)
        return "";
    s += strspn(s, " \t\r\n");
    size_t n = strlen(s);
    while (n && strchr(" \t\r\n", s[n - 1]))
        n--;
    const char *copy = arena_strndup(p->a, s, n);
    return copy ? copy : "";
}

const char *page_id(struct page *p)
{
    const char *id =
        p->req->method == METHOD_POST ? page_field(p, "device") : req_query(p->req, "id");
    return id ? id : "";
}

/* ---- for the gate ---- */

void console_turn_away(struct app *app, struct req *req, bool pending, struct resp *resp)
{
    struct page p;
    const char *to = pending ? "/signin/code" : "/signin";
    page_begin(&p, app, req, NULL, resp, "signin");
    if (!(req->method & (METHOD_GET | METHOD_HEAD))) {
        err_set(&p.err, DENIED, "%s", page_text(&p, "error_signed_out"));
        page_fail(&p);
        return;
    }
    const char *asked = address(&p);
    bool plain = strcmp(req->path, "/") == 0 || !asked || strlen(asked) > 2000;
    page_go(&p, plain ? to : page_link(&p, to, "next", asked));
}

/* Why an address is closed to who is limited, as "closed_ADDRESS" of the catalogue says. */
static const char *closed_why(const struct page *p)
{
    static const struct {
        const char *path, *key;
    } all[] = {{"/unknown", "closed_unknown"},
               {"/invitations", "closed_invitations"},
               {"/people", "closed_people"},
               {"/enrollment-profile", "closed_enrolment"},
               {"/certificates", "closed_requests"},
               {"/pushcerts", "closed_site"},
               {"/apikeys", "closed_accounts"},
               {"/accounts", "closed_accounts"},
               {"/signins", "closed_accounts"},
               {"/scope", "closed_accounts"},
               {"/set", "closed_site"},
               {"/webhook", "closed_webhooks"},
               {"/calendar", "closed_calendar"},
               {"/audit", "closed_audit"},
               {"/profile", "closed_library"},
               {"/draft", "closed_library"},
               {"/app", "closed_library"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strncmp(p->req->path, all[i].path, strlen(all[i].path)) == 0)
            return page_text(p, all[i].key);
    return "";
}

void console_deny(struct app *app, struct req *req, const struct caller *caller, bool limited,
                  struct resp *resp)
{
    struct page p;
    const struct session *s = caller->session;
    page_begin(&p, app, req, caller, resp, "error");
    bool own_first = s->password_due || console_factor_due(app, s);
    if (own_first && req->method & (METHOD_GET | METHOD_HEAD)) {
        page_go(&p, "/account");
        return;
    }
    if (!own_first && limited) {
        err_set(&p.err, DENIED, "%s %s", page_text(&p, "error_scope"), closed_why(&p));
        page_fail(&p);
        return;
    }
    const char *key = arena_fmt(p.a, "role_%s", s->role);
    const char *why = own_first
                          ? page_text(&p, s->password_due ? "error_password_due" : "error_totp_due")
                          : words_fill(p.w, p.a, "error_role", key ? page_text(&p, key) : "", NULL);
    err_set(&p.err, DENIED, "%s", why);
    page_fail(&p);
}

void console_refuse_form(struct app *app, struct req *req, const struct caller *caller,
                         struct resp *resp)
{
    struct page p;
    page_begin(&p, app, req, caller, resp, "error");
    err_set(&p.err, DENIED, "%s", page_text(&p, "error_csrf"));
    page_fail(&p);
}

void console_too_long(struct app *app, struct req *req, size_t max, struct resp *resp)
{
    struct page p;
    page_begin(&p, app, req, NULL, resp, "error");
    value_set_text(p.root, "message",
                   words_fill(p.w, p.a, "error_too_long", page_size(&p, req->content_length),
                              page_size(&p, (int64_t)max)));
    page_show(&p, 413, "error");
}

void console_not_found(struct app *app, struct req *req, struct resp *resp)
{
    struct page p;
    page_begin(&p, app, req, NULL, resp, "error");
    err_set(&p.err, NOT_FOUND, "%s", page_text(&p, "error_no_page"));
    page_fail(&p);
}

void console_fail(struct app *app, struct req *req, const struct caller *caller, struct resp *resp,
                  const struct err *err)
{
    struct page p;
    page_begin(&p, app, req, caller, resp, "error");
    p.err = *err;
    page_fail(&p);
}
