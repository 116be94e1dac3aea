/* calendar.c: /api/v1/calendar: everything with an end on which management hangs, as JSON, and as
 * iCalendar at addresses that are secrets themselves: a calendar program sends no API key. */
#include "api/api.h"

#include "base/clock.h"
#include "base/limits.h"
#include "html/words.h"
#include "store/expiry.h"
#include "wire/ical.h"

#include <stdio.h>

#define FEEDS "/api/v1/calendar/feeds/"
#define CALENDAR "/calendar/"
#define DAYS_MAX 36500
#define LIST_MAX 5000

void api_calendar(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct expiry *list;
    struct err err = {0};
    struct db *db = NULL;
    int64_t days = DAYS_MAX;
    size_t n;

    (void)caller;
    if (!api_number(req, resp, "within", &days))
        return;
    if (days < 1 || days > DAYS_MAX) {
        resp_json_error(resp, 400, "within must be from 1 to %d days", DAYS_MAX);
        return;
    }
    if (!api_db(app, resp, &db))
        return;
    enum outcome o =
        expiry_list(db, req->now + days * DAY_US, LIST_MAX, req->arena, &list, &n, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    js root = js_object(), array = js_array();
    for (size_t i = 0; i < n; i++) {
        js one = js_object();

        js_set_str(one, "kind", list[i].kind);
        js_set_str(one, "title", expiry_title(list[i].kind));
        js_set_str(one, "name", list[i].name);
        api_set_time(one, "ends_at", list[i].ends_at);
        js_set_int(one, "days_left", (list[i].ends_at - req->now) / DAY_US);
        js_set_int(one, "count", list[i].count);
        api_set_text(one, "detail", list[i].detail);
        js_set_str(one, "fix", expiry_fix(list[i].kind));
        js_append(array, one);
    }
    js_set(root, "calendar", array);
    api_json(resp, 200, &root);
}

/* --- addresses --- */

static js feed_object(const void *row, const void *arg)
{
    const struct calendar_feed *f = row;
    js o = js_object();

    (void)arg;
    js_set_str(o, "name", f->name);
    api_set_time(o, "created_at", f->created_at);
    js_set_str(o, "created_by", f->created_by);
    api_set_time(o, "last_used_at", f->last_used_at);
    return o;
}

void api_feeds(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct calendar_feed *f;
    struct err err = {0};
    struct db *db = NULL;
    size_t n;

    (void)caller;
    if (!api_db(app, resp, &db))
        return;
    enum outcome o = feed_list(db, req->arena, &f, &n, &err);
    db_pool_give(app->pool, &db);
    js root = o == OK ? api_rows("feeds", f, n, sizeof *f, feed_object, NULL) : NULL;
    api_answer(resp, 200, o, &err, &root);
}

void api_feed_new(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    static const char *const known[] = {"name"};
    js body = api_body(req, resp, known, 1);
    const char *name = js_get_str(body, "name");
    char token[FEED_TOKEN_LEN + 1];
    struct err err = {0};
    struct db *db = NULL;

    if (body == NULL)
        return;
    if (api_db(app, resp, &db)) {
        if (feed_new(db, name != NULL ? name : "", api_actor(req, caller), token, &err) == OK) {
            js root = js_object();

            js_set_str(root, "name", name);
            js_set_str(
                root, "url",
                arena_fmt(req->arena, "%s" CALENDAR "%s.ics", app->conf->console_url, token));
            resp->secret = true;
            api_json(resp, 201, &root);
        } else {
            api_fail(resp, &err);
        }
        secret_wipe(token, sizeof(token));
    }
    db_pool_give(app->pool, &db);
    js_free(&body);
}

void api_feed_revoke(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    struct err err = {0};
    struct db *db = NULL;
    const char *name;
    size_t n;

    if (!api_segments(req, resp, FEEDS, &name, 1, &n) || !api_db(app, resp, &db))
        return;
    if (feed_revoke(db, name, api_actor(req, caller), &err) == OK)
        resp->status = 204;
    else
        api_fail(resp, &err);
    db_pool_give(app->pool, &db);
}

/* The text PREFIX_KIND of the catalogue; of a kind that has none, the English one. */
static const char *kind_text(struct req *req, const struct words *w, const char *prefix,
                             const char *kind, const char *english)
{
    const char *key = arena_fmt(req->arena, "%s_%s", prefix, kind);
    const char *text = key != NULL ? words_find(w, key) : "";

    return key == NULL || strcmp(text, key) == 0 ? english : text;
}

static void event(struct req *req, struct resp *resp, const struct words *w, const char *host,
                  const struct expiry *e)
{
    static const int alarms[] = {EXPIRY_SOON_DAYS, EXPIRY_URGENT_DAYS};
    char hex[SHA256_HEX_LEN + 1];
    const char *what = arena_fmt(req->arena, "%s %s", e->kind, e->name);

    sha256_hex(bytes_str(what != NULL ? what : ""), hex);
    hex[32] = '\0';
    const char *title = kind_text(req, w, "ends", e->kind, expiry_title(e->kind));
    const char *fix = kind_text(req, w, "ends_fix", e->kind, expiry_fix(e->kind));
    const char *with[] = {title, e->name, arena_fmt(req->arena, "%lld", (long long)e->count)};
    struct ical_event v = {
        .uid = arena_fmt(req->arena, "%s@%s", hex, host),
        .summary = words_fill_all(w, req->arena, e->count > 1 ? "ends_many" : "ends_one", with, 3),
        .description =
            arena_fmt(req->arena, "%s%s%s", words_fill(w, req->arena, "ends_todo", fix, NULL),
                      e->detail[0] ? "\n" : "", words_said(w, req->arena, e->detail)),
        .category = title,
        .at = e->ends_at,
        .alarm_days = alarms,
        .nalarms = 2};
    if (v.uid != NULL && v.summary != NULL && v.description != NULL)
        ical_event(&resp->body, &v, req->now);
    else
        resp->body.failed = true;
}

/* "TOKEN.ics" to TOKEN; NULL: it is none. */
static const char *token_of(struct req *req)
{
    const char *name = req->path + strlen(CALENDAR);

    if (strlen(name) != FEED_TOKEN_LEN + 4 || strcmp(name + FEED_TOKEN_LEN, ".ics") != 0 ||
        strspn(name, "0123456789abcdef") < FEED_TOKEN_LEN)
        return NULL;
    return arena_strndup(req->arena, name, FEED_TOKEN_LEN);
}

void calendar_feed(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    const char *token = token_of(req), *host = strstr(app->conf->console_url, "://");
    struct expiry *list;
    struct err err = {0};
    struct db *db = NULL;
    size_t n = 0;

    (void)caller;
    enum outcome o = token != NULL ? db_pool_take(app->pool, &db, &err) : NOT_FOUND;
    if (o == OK)
        o = feed_check(db, token, req->now, req->arena, &err);
    if (o == OK)
        o = expiry_list(db, INT64_MAX, LIST_MAX, req->arena, &list, &n, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        resp_text(resp,
                  o == NOT_FOUND     ? 404
                  : o == UNAVAILABLE ? 503
                                     : 500,
                  o == NOT_FOUND ? "no calendar has this address" : "try again later");
        return;
    }
    const struct words *w =
        words_choose(app->words, req_query(req, "lang"), req_var(req, "HTTP_ACCEPT_LANGUAGE"));
    ical_begin(&resp->body, "Drover");
    for (size_t i = 0; i < n; i++)
        event(req, resp, w, host != NULL && host[3] ? host + 3 : "drover", &list[i]);
    ical_end(&resp->body);
    resp->content_type = "text/calendar; charset=utf-8";
}
