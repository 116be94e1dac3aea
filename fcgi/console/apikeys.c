/* apikeys.c: keys of the HTTP API. */
#include "base/clock.h"
#include "base/buf.h"
#include "console/scope.h"
#include "store/account.h"

#define DAYS_MAX 3650

/* ticked: in the form for a new key. */
static void show(struct page *p, const struct scope *ticked, int status)
{
    struct apikey *k;
    size_t n;
    if (apikey_list(p->db, p->a, &k, &n, &p->err) != OK || scope_boxes(p, ticked) != OK) {
        page_fail(p);
        return;
    }
    struct value *list = value_set_list(p->root, "keys");
    for (size_t i = 0; i < n; i++) {
        struct value *v = value_append_dict(list);
        bool over = k[i].expires_at && k[i].expires_at <= p->req->now;
        value_set_text(v, "name", k[i].name);
        value_set_text(v, "scopes",
                       strcmp(k[i].scopes, "*") == 0 ? page_text(p, "scope_all") : k[i].scopes);
        value_set_text(v, "by", k[i].created_by);
        value_set_bool(v, "gone", k[i].maker_gone);
        value_set_bool(v, "some_groups", k[i].limited);
        value_set_text(v, "scope_link", page_link(p, "/scope?kind=key", "name", k[i].name));
        value_set_bool(v, "works", !k[i].revoked_at && !over);
        page_state(p, v, "key", k[i].revoked_at ? "revoked" : over ? "expired" : "active");
        page_time(p, v, "created", k[i].created_at);
        page_time(p, v, "used", k[i].last_used_at);
        page_time(p, v, "expires", k[i].expires_at);
    }
    value_set_bool(p->root, "some", n > 0);
    list = value_set_list(p->root, "all_scopes");
    bool given = status != 200; /* a form that was refused */
    for (size_t i = 0; apikey_scopes[i]; i++) {
        struct value *v = value_append_dict(list);
        const char *key = arena_fmt(p->a, "scope_%s", apikey_scopes[i]);
        value_set_text(v, "name", apikey_scopes[i]);
        value_set_text(v, "text", key ? page_text(p, key) : NULL);
        value_set_bool(v, "chosen", given && key && *page_field(p, key));
    }
    value_set_text(p->root, "days_given", given ? page_field(p, "days") : "365");
    page_show(p, status, "apikeys");
}

void console_apikeys(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    struct page p;
    if (page_open(&p, app, req, caller, resp, "apikeys"))
        show(&p, &(struct scope){0}, 200);
}

/* The boxes that are ticked, as the store wants them. */
static const char *scopes_of_form(struct page *p)
{
    struct buf b = BUF_INIT(APIKEY_SCOPES_MAX);
    for (size_t i = 0; apikey_scopes[i]; i++) {
        const char *field = arena_fmt(p->a, "scope_%s", apikey_scopes[i]);
        if (field && *page_field(p, field))
            buf_fmt(&b, "%s%s", b.len ? " " : "", apikey_scopes[i]);
    }
    const char *copy = arena_strdup(p->a, buf_cstr(&b));
    buf_free(&b);
    return copy ? copy : "";
}

static enum outcome make(struct page *p, struct scope *limit)
{
    char key[APIKEY_LEN + 1];
    const char *name = page_field(p, "name"), *scopes = scopes_of_form(p);
    int64_t days;
    if (!*scopes || !page_count(p, "days", DAYS_MAX, &days))
        return err_set(&p->err, INVALID, "%s", page_text(p, "apikey_scopes_wrong"));
    enum outcome o = scope_of_form(p, limit);
    if (o == OK)
        o = apikey_new_limited(p->db, name, scopes, days ? p->req->now + days * DAY_US : 0, limit,
                               p->caller->admin, key, &p->err);
    if (o != OK)
        return o;
    value_set_text(p->root, "made", arena_strdup(p->a, key));
    value_set_text(p->root, "made_name", name);
    p->resp->secret = true;
    return OK;
}

void console_apikeys_post(struct app *app, struct req *req, const struct caller *caller,
                          struct resp *resp)
{
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "apikeys"))
        return;
    bool revoke = *page_field(&p, "revoke") != '\0';
    struct scope limit = {0};
    enum outcome o = revoke ? apikey_revoke(p.db, page_field(&p, "revoke"), caller->admin, &p.err)
                            : make(&p, &limit);
    if (o == OK && revoke) {
        page_go(&p, "/apikeys?done=revoked");
    } else if (o == OK) {
        show(&p, &(struct scope){0}, 200);
    } else if (page_mendable(o)) {
        value_set_text(p.root, "name", page_field(&p, "name"));
        page_bad(&p, p.err.msg);
        show(&p, &limit, page_status(o));
    } else {
        page_fail(&p);
    }
}
