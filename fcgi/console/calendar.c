/* calendar.c: everything with an end on which management hangs, what to do about each, and the
 * addresses at which a calendar program reads it. */
#include "base/clock.h"
#include "base/limits.h"
#include "console/page.h"
#include "store/expiry.h"

static const char *judged(int64_t ends_at, int64_t now)
{
    if (ends_at <= now)
        return "over";
    return ends_at - now < EXPIRY_URGENT_DAYS * DAY_US ? "urgent"
           : ends_at - now < EXPIRY_SOON_DAYS * DAY_US ? "soon"
                                                       : "later";
}

/* The text PREFIX_KIND of the catalogue; of a kind that has none, its own word. */
static const char *kind_text(struct page *p, const char *prefix, const char *kind)
{
    const char *key = arena_fmt(p->a, "%s_%s", prefix, kind);
    const char *text = key ? page_text(p, key) : "";
    return text && text[0] && strcmp(text, key) != 0 ? text : kind;
}

/* Where it is mended: a page of the console, or NULL. */
static const char *mends(struct page *p, const char *kind)
{
    static const struct {
        const char *kind, *path, *permission;
    } PLACES[] = {
        {"push-certificate", "/pushcerts", "view"},
        {"vendor-certificate", "/pushcerts", "view"},
        {"device-identities", "/certificates", "view"},
        {"scep-ca", "/certificates?tab=ca", "view"},
        {"scep-ca-next", "/certificates?tab=ca", "view"},
        {"scep-ca-before", "/certificates?tab=ca", "view"},
        {"trusted-ca", "/certificates?tab=ca", "view"},
        {"profile-certificate", "/enrollment-profiles", "view"},
    };
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++)
        if (strcmp(PLACES[i].kind, kind) == 0 && page_may(p, PLACES[i].permission))
            return PLACES[i].path;
    return NULL;
}

static enum outcome ends(struct page *p)
{
    struct expiry *e;
    size_t n;
    enum outcome o = expiry_list(p->db, INT64_MAX, LIM_PAGE, p->a, &e, &n, &p->err);
    if (o != OK)
        return o;
    struct value *list = value_set_list(p->root, "ends");
    for (size_t i = 0; i < n; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "kind", kind_text(p, "ends", e[i].kind));
        value_set_text(v, "fix", kind_text(p, "ends_fix", e[i].kind));
        value_set_text(v, "name", e[i].name);
        value_set_text(v, "detail", page_said(p, e[i].detail));
        if (e[i].count > 1)
            value_set_int(v, "count", e[i].count);
        value_set_text(v, "mends", mends(p, e[i].kind));
        page_state(p, v, "ends_state", judged(e[i].ends_at, p->req->now));
        page_time(p, v, "at", e[i].ends_at);
    }
    value_set_bool(p->root, "some", n > 0);
    return OK;
}

static enum outcome feeds(struct page *p)
{
    struct calendar_feed *f;
    size_t n;
    enum outcome o = feed_list(p->db, p->a, &f, &n, &p->err);
    struct value *list = value_set_list(p->root, "feeds");
    for (size_t i = 0; o == OK && i < n; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "name", f[i].name);
        value_set_text(v, "by", f[i].created_by);
        page_time(p, v, "created", f[i].created_at);
        page_time(p, v, "used", f[i].last_used_at);
    }
    value_set_bool(p->root, "some_feeds", o == OK && n > 0);
    return o;
}

static void show(struct page *p, int status)
{
    enum outcome o = ends(p);
    if (o == OK && page_may(p, "operate") && p->caller->scope == 0)
        o = feeds(p);
    if (o == OK)
        page_show(p, status, "calendar");
    else
        page_fail(p);
}

void console_calendar(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp)
{
    struct page p;
    if (page_open(&p, app, req, caller, resp, "calendar"))
        show(&p, 200);
}

static enum outcome make(struct page *p)
{
    char token[FEED_TOKEN_LEN + 1];
    enum outcome o = feed_new(p->db, page_field(p, "name"), p->caller->admin, token, &p->err);
    if (o != OK)
        return o;
    value_set_text(p->root, "made",
                   arena_fmt(p->a, "%s/calendar/%s.ics?lang=%s", p->app->conf->console_url, token,
                             words_language(p->w)));
    value_set_text(p->root, "made_name", page_field(p, "name"));
    p->resp->secret = true;
    return OK;
}

void console_calendar_post(struct app *app, struct req *req, const struct caller *caller,
                           struct resp *resp)
{
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "calendar"))
        return;
    bool revoke = *page_field(&p, "revoke") != '\0';
    enum outcome o =
        revoke ? feed_revoke(p.db, page_field(&p, "revoke"), caller->admin, &p.err) : make(&p);
    if (o == OK && revoke) {
        page_go(&p, "/calendar?done=feed_revoked");
    } else if (o == OK) {
        show(&p, 200);
    } else if (page_mendable(o)) {
        value_set_text(p.root, "given", page_field(&p, "name"));
        page_bad(&p, p.err.msg);
        show(&p, page_status(o));
    } else {
        page_fail(&p);
    }
}
