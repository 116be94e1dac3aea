/* apps.c: the apps of the library, files on their way, and new apps. */
#include "console/apps.h"

#include "base/clock.h"
#include "base/limits.h"
#include "library/app_upload.h"
#include "library/apps.h"
#include "store/itemcount.h"
#include "store/redemption.h"

#include <stdio.h>

#define UPLOADS 20

/* ---- what the pages share ---- */

struct library_item *app_item(struct page *p, int64_t id)
{
    struct library_item *i = arena_alloc(p->a, sizeof *i);
    if (!i) {
        err_set(&p->err, ERROR, "out of memory");
        return NULL;
    }
    enum outcome o = id > 0 ? library_get(p->db, id, p->a, i, &p->err)
                            : err_set(&p->err, NOT_FOUND, "%s", page_text(p, "app_unknown"));
    if (o == OK && i->kind != LIBRARY_APP)
        o = err_set(&p->err, NOT_FOUND, "%s", page_text(p, "app_unknown"));
    return o == OK ? i : NULL;
}

const char *app_source(const struct library_item *i)
{
    return strstr(i->current.details, "\"file\"")           ? "file"
           : strstr(i->current.details, "\"manifest_url\"") ? "manifest"
                                                            : "store";
}

static void upload_row(struct page *p, struct value *list, const struct upload *u)
{
    struct value *v = value_append_dict(list);
    value_set_text(v, "id", arena_fmt(p->a, "%lld", (long long)u->id));
    value_set_text(v, "filename", u->filename);
    value_set_text(v, "size", page_size(p, u->size));
    value_set_int(v, "percent", u->size ? 100 * u->received / u->size : 0);
    value_set_text(v, "by", u->started_by);
    value_set_text(v, "why", page_said(p, u->why));
    value_set_bool(v, "is_open", u->state == UPLOAD_OPEN);
    value_set_bool(v, "is_mine", strcmp(u->started_by, p->caller->admin) == 0);
    page_state(p, v, "upload", upload_state_name(u->state));
    page_time(p, v, "changed", u->changed_at);
    if (u->done_item)
        value_set_text(v, "link",
                       page_link(p, page_link_id(p, "/app", u->done_item), "tab", "versions"));
}

enum outcome app_uploads(struct page *p, int64_t item)
{
    struct upload *u;
    size_t n;
    enum outcome o = upload_list(p->db, UPLOADS, p->a, &u, &n, &p->err);
    struct value *list = value_set_list(p->root, "uploads");
    bool some = false;
    for (size_t i = 0; o == OK && i < n; i++) {
        if (u[i].changed_at < p->req->now - DAY_US || (item && u[i].item_id != item))
            continue;
        upload_row(p, list, &u[i]);
        some = true;
    }
    value_set_bool(p->root, "some_uploads", some);
    return o;
}

int64_t app_file_take(struct page *p, int64_t item)
{
    struct upload u = {.item_id = item, .started_by = p->caller->admin, .started_at = p->req->now};
    struct bytes file = {0};
    if (!req_form_file(p->req, "file", &file, &u.filename) || file.n == 0) {
        err_set(&p->err, INVALID, "%s", page_text(p, "app_no_file"));
        return 0;
    }
    u.size = (int64_t)file.n;
    enum outcome o = app_upload_begin(p->db, p->app->conf, p->a, &u, &p->err);
    if (o == OK)
        o = app_upload_part(p->db, p->app->conf, p->a, u.id, p->caller->admin, 0, file, p->req->now,
                            &u, &p->err);
    if (o == OK && u.state != UPLOAD_DONE)
        o = err_set(&p->err, INVALID, "%s", u.why);
    return o == OK ? u.done_item : 0;
}

/* ---- the list ---- */

static enum outcome counts_of(struct page *p, const struct library_item *list, size_t n,
                              struct item_count **out)
{
    int64_t *ids = arena_array(p->a, n + 1, sizeof *ids);
    *out = arena_array(p->a, n + 1, sizeof **out);
    if (!ids || !*out)
        return err_set(&p->err, ERROR, "out of memory");
    for (size_t i = 0; i < n; i++)
        ids[i] = list[i].id;
    return item_counts(p->db, ids, n, p->a, *out, &p->err);
}

static void row(struct page *p, struct value *list, const struct library_item *i,
                const struct item_count *c)
{
    struct value *v = value_append_dict(list);
    const char *source = arena_fmt(p->a, "app_source_%s", app_source(i));
    value_set_text(v, "name", i->name);
    value_set_text(v, "identifier", i->identifier);
    value_set_text(v, "link", page_link_id(p, "/app", i->id));
    value_set_text(v, "source", source ? page_text(p, source) : NULL);
    value_set_int(v, "version", i->version);
    value_set_text(v, "app_version", i->current.uuid);
    value_set_bool(v, "codes_low", i->app.codes_alarm_at != 0);
    value_set_bool(v, "counted", c->counted_at != 0);
    value_set_int(v, "installed", c->devices[WANTED_INSTALLED]);
    value_set_int(v, "coming",
                  c->devices[WANTED_PENDING] + c->devices[WANTED_QUEUED] +
                      c->devices[WANTED_INSTALLING]);
    value_set_int(v, "failed", c->devices[WANTED_FAILED] + c->devices[WANTED_REFUSED]);
    value_set_bool(v, "some_failed", c->devices[WANTED_FAILED] + c->devices[WANTED_REFUSED] > 0);
    page_time(p, v, "changed", i->changed_at);
}

static void show(struct page *p, int status)
{
    const char *q = req_query(p->req, "q");
    int64_t after = page_number(req_query(p->req, "after"));
    struct library_item *list;
    struct item_count *c;
    size_t n;
    enum outcome o = library_list(p->db, LIBRARY_APP, q && *q ? q : NULL, after, PAGE_ROWS, p->a,
                                  &list, &n, &p->err);
    if (o == OK)
        o = counts_of(p, list, n, &c);
    if (o == OK)
        o = app_uploads(p, 0);
    if (o != OK) {
        page_fail(p);
        return;
    }
    struct value *rows = value_set_list(p->root, "apps");
    for (size_t i = 0; i < n; i++)
        row(p, rows, &list[i], &c[i]);
    value_set_text(p->root, "q", q);
    value_set_bool(p->root, "some", n > 0);
    value_set_bool(p->root, "searched", (q && *q) || after);
    if (n == PAGE_ROWS)
        value_set_text(p->root, "next",
                       page_link(p, q && *q ? page_link(p, "/apps", "q", q) : "/apps", "after",
                                 arena_fmt(p->a, "%lld", (long long)list[n - 1].id)));
    page_show(p, status, "apps");
}

void console_apps(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct page p;
    if (page_open(&p, app, req, caller, resp, "apps"))
        show(&p, 200);
}

/* An upload is stopped. */
void console_apps_post(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp)
{
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "apps"))
        return;
    enum outcome o = app_upload_stop(p.db, app->conf, p.a, page_number(page_field(&p, "upload")),
                                     caller->admin, req->now, &p.err);
    if (o == OK) {
        page_go(&p, "/apps?done=upload_stopped");
    } else if (page_mendable(o)) {
        page_bad(&p, p.err.msg);
        show(&p, page_status(o));
    } else {
        page_fail(&p);
    }
}

/* ---- a new one ---- */

static void show_new(struct page *p, int status)
{
    static const char *const fields[] = {"number", "identifier", "name", "manifest_url",
                                         "manifest_identifier"};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        value_set_text(p->root, fields[i], page_field(p, fields[i]));
    value_set_text(p->root, "most", page_size(p, LIM_BODY_API));
    value_set_text(p->root, "most_script", page_size(p, p->app->conf->assets_max_mb * LIM_MB));
    page_show(p, status, "appnew");
}

void console_app_new(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    struct page p;
    if (page_open(&p, app, req, caller, resp, "apps"))
        show_new(&p, 200);
}

/* Of the store, or by a manifest. */
static int64_t add_named(struct page *p, bool store)
{
    const char *name = page_field(p, "name"), *number = page_field(p, "number");
    const char *identifier = page_field(p, store ? "identifier" : "manifest_identifier");
    struct app_put put = {.identifier = *identifier ? identifier : NULL,
                          .name = *name ? name : NULL,
                          .manifest_url = store ? NULL : page_field(p, "manifest_url"),
                          .settings = js_object(),
                          .actor = p->caller->admin,
                          .now = p->req->now};
    enum outcome o = OK;
    if (store && *number && !page_number(number))
        o = err_set(&p->err, INVALID, "%s", page_text(p, "app_number_wrong"));
    else if (store && *number)
        js_set_int(put.settings, "iTunesStoreID", page_number(number));
    if (o == OK)
        o = app_put(p->db, p->app->conf, p->a, &put, &p->err);
    js_free(&put.settings);
    return o == OK ? put.stored_id : 0;
}

void console_app_new_post(struct app *app, struct req *req, const struct caller *caller,
                          struct resp *resp)
{
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "apps"))
        return;
    const char *what = page_field(&p, "what");
    int64_t id = strcmp(what, "file") == 0 ? app_file_take(&p, 0)
                                           : add_named(&p, strcmp(what, "store") == 0);
    if (id) {
        page_go(&p, page_link(&p, page_link_id(&p, "/app", id), "done", "app_added"));
    } else if (page_mendable(p.err.outcome)) {
        page_bad(&p, p.err.msg);
        show_new(&p, page_status(p.err.outcome));
    } else {
        page_fail(&p);
    }
}

/* ---- files in parts, for the console's script ---- */

/* How far the upload is, as JSON. */
static void tell(struct page *p, int status, const struct upload *u, const char *wrong)
{
    struct buf out = BUF_INIT(LIM_KB * 64);
    js root = js_object();
    if (u) {
        js_set_str(root, "id", arena_fmt(p->a, "%lld", (long long)u->id));
        js_set_int(root, "received", u->received);
        js_set_str(root, "state", upload_state_name(u->state));
        if (u->why && *u->why)
            js_set_str(root, "why", page_said(p, u->why));
        if (u->done_item)
            js_set_str(root, "link",
                       page_link(p, page_link_id(p, "/app", u->done_item), "done", "app_uploaded"));
    }
    if (wrong)
        js_set_str(root, "why", wrong);
    page_leave(p);
    buf_clear(&p->resp->body);
    if (js_write(root, false, &out) != OK)
        out.failed = true;
    buf_add(&p->resp->body, out.data, out.len);
    p->resp->status = status;
    p->resp->content_type = "application/json";
    resp_page_headers(p->resp);
    js_free(&root);
    buf_free(&out);
}

static enum outcome upload_step(struct page *p, struct upload *u)
{
    const struct conf *conf = p->app->conf;
    const char *what = page_field(p, "what"), *me = p->caller->admin;
    int64_t id = page_number(page_field(p, "id"));
    struct bytes part = {0};
    if (strcmp(what, "begin") == 0) {
        *u = (struct upload){.filename = page_field(p, "filename"),
                             .size = page_number(page_field(p, "size")),
                             .item_id = page_number(page_field(p, "item")),
                             .started_by = me,
                             .started_at = p->req->now};
        return app_upload_begin(p->db, conf, p->a, u, &p->err);
    }
    if (strcmp(what, "stop") == 0)
        return app_upload_stop(p->db, conf, p->a, id, me, p->req->now, &p->err);
    if (strcmp(what, "part") != 0)
        return err_set(&p->err, INVALID, "%s", page_text(p, "form_unknown"));
    req_form_file(p->req, "part", &part, NULL);
    return app_upload_part(p->db, conf, p->a, id, me, page_number(page_field(p, "offset")), part,
                           p->req->now, u, &p->err);
}

void console_app_upload(struct app *app, struct req *req, const struct caller *caller,
                        struct resp *resp)
{
    struct page p;
    struct upload u = {.why = ""};
    if (!page_open(&p, app, req, caller, resp, "apps"))
        return;
    enum outcome o = upload_step(&p, &u);
    if (o == OK)
        tell(&p, 200, u.id ? &u : NULL, NULL);
    else if (page_mendable(o))
        tell(&p, page_status(o), u.id ? &u : NULL, p.err.msg);
    else
        page_fail(&p);
}
