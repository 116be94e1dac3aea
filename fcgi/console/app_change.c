/* app_change.c: what is done to an app. */
#include "console/apps.h"
#include "console/item.h"

#include "base/limits.h"
#include "library/apps.h"
#include "library/codes.h"
#include "store/redemption.h"

/* ---- settings ---- */

/* What differs, key by key; in Configuration, Attributes and Options one step down. */
struct differing {
    struct page *p;
    struct value *list;
    js other;
    const char *prefix;
    bool gone; /* keys that `other` lacks; else those that differ or are new */
    size_t n;
};

static const char *shown(struct page *p, js v)
{
    struct buf b = BUF_INIT(2 * LIM_KB);
    const char *text = NULL;
    if (!v)
        return "–";
    if (js_str(v))
        text = arena_strdup(p->a, js_str(v));
    else if (js_write(v, false, &b) == OK)
        text = arena_strdup(p->a, buf_cstr(&b));
    buf_free(&b);
    return text ? text : "…";
}

static bool differ(const char *key, js value, void *arg)
{
    struct differing *d = arg;
    js there = js_get(d->other, key);
    const char *a = shown(d->p, value), *b = shown(d->p, there);
    if (d->gone ? there != NULL : there != NULL && strcmp(a, b) == 0)
        return true;
    struct value *v = value_append_dict(d->list);
    value_set_text(v, "path",
                   *d->prefix ? arena_fmt(d->p->a, "%s.%s", d->prefix, key)
                              : arena_strdup(d->p->a, key));
    value_set_text(v, "was", d->gone ? a : b);
    value_set_text(v, "became", d->gone ? b : a);
    d->n++;
    return true;
}

static size_t differences(struct page *p, struct value *list, js was, js now, const char *prefix)
{
    struct differing gone = {p, list, now, prefix, true, 0},
                     other = {p, list, was, prefix, false, 0};
    js_each(was, differ, &gone);
    js_each(now, differ, &other);
    return gone.n + other.n;
}

static js without_dicts(js settings)
{
    static const char *const keys[] = {"iTunesStoreID", "ManagementFlags", "ChangeManagementState",
                                       "InstallAsManaged", "iOSApp"};
    js out = js_object();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (js_get(settings, keys[i]))
            js_set(out, keys[i], js_copy(js_get(settings, keys[i])));
    return out;
}

static bool changes_show(struct page *p, js was, js now)
{
    static const char *const dicts[] = {"Options", "Configuration", "Attributes"};
    struct value *list = value_set_list(p->root, "changes");
    js a = without_dicts(was), b = without_dicts(now);
    size_t n = differences(p, list, a, b, "");
    for (size_t i = 0; i < sizeof dicts / sizeof *dicts; i++)
        n += differences(p, list, js_get(was, dicts[i]), js_get(now, dicts[i]), dicts[i]);
    value_set_bool(p->root, "show_changes", n > 0);
    js_free(&a);
    js_free(&b);
    return n > 0;
}

static void findings_show(struct page *p, const struct findings *f)
{
    struct value *list = value_set_list(p->root, "findings");
    for (size_t i = 0; i < f->n; i++) {
        struct value *v = value_append_dict(list);
        value_set_bool(v, "error", f->list[i].error);
        value_set_text(v, "path", f->list[i].path);
        value_set_text(v, "text", page_said(p, f->list[i].text));
    }
}

/* Which devices get what by it. */
static enum outcome settings_ask(struct item_page *x, js was, js now)
{
    struct page *p = x->p;
    struct library_app app = x->item->app;
    struct findings *found = arena_alloc(p->a, sizeof *found);
    struct preview_set s = {0};
    const char *text, *way = "app_reach_later";
    enum outcome o =
        found ? app_settings_take(p->a, now, x->item->settings, &app, &text, found, &p->err)
              : err_set(&p->err, ERROR, "out of memory");
    if (found)
        findings_show(p, found);
    if (o == OK && app.settings_rev != x->item->app.settings_rev) {
        way = app.install_rev != x->item->app.install_rev ? "app_reach_install"
                                                          : "app_reach_settings";
        o = preview_having(p->db, x->item->id, p->a, &s, &p->err);
    }
    if (o != OK)
        return o;
    if (!changes_show(p, was, now))
        return err_set(&p->err, INVALID, "%s", page_text(p, "app_no_change"));
    item_reach(p, &s);
    value_set_text(p->root, "reach_text", page_text(p, way));
    value_set_bool(p->root, "reach_later", app.settings_rev == x->item->app.settings_rev);
    return item_ask(x, "settings", page_text(p, "app_settings_ask"),
                    (const char *const[]){"settings", text, NULL}, false);
}

static enum outcome do_settings(struct item_page *x)
{
    struct page *p = x->p;
    const struct library_item *i = x->item;
    js was = NULL, now = NULL, object;
    bool more = false, raw = strcmp(page_field(p, "how"), "raw") == 0;
    enum outcome o = js_parse(bytes_str(*i->settings ? i->settings : "{}"), &was, &p->err);
    x->done = "app_saved";
    if (o == OK && x->sure) {
        o = js_parse(bytes_str(page_field(p, "settings")), &now, &p->err);
    } else if (o == OK) {
        now = raw ? app_raw_read(p, was) : app_form_read(p, was, &more);
        o = now ? OK : p->err.outcome;
    }
    if (o == OK && more) { /* one more row: the form once more */
        x->done = NULL;
        app_show(p, x->item, "settings", 200);
    } else if (o == OK && !x->sure) {
        o = settings_ask(x, was, now);
    } else if (o == OK) {
        object = js_object();
        js_set(object, "settings", now);
        now = NULL;
        o = item_edit(x, object);
        js_free(&object);
    }
    js_free(&was);
    js_free(&now);
    return o;
}

static enum outcome do_options(struct item_page *x)
{
    static const char *const numbers[] = {"wave_first", "halt_percent", "feedback_hours",
                                          "update_hours", "codes_low"};
    struct page *p = x->p;
    js object = js_object();
    const char *after = page_field(p, "after");
    x->done = "app_saved";
    js_set_str(object, "name", page_field(p, "name"));
    js_set(object, "after", *after ? js_new_str(after) : js_null());
    js_set_bool(object, "after_passcode", strcmp(page_field(p, "after_passcode"), "yes") == 0);
    js_set_bool(object, "feedback_delete", strcmp(page_field(p, "feedback_delete"), "yes") == 0);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        item_number(p, object, numbers[i]);
    enum outcome o = item_edit(x, object);
    js_free(&object);
    return o;
}

/* ---- versions ---- */

static enum outcome do_file(struct item_page *x)
{
    x->tab = "versions";
    x->done = "app_uploaded";
    return app_file_take(x->p, x->item->id) ? OK : x->p->err.outcome;
}

/* A version without a file: the devices ask the store, or the manifest, once more. */
static enum outcome do_again(struct item_page *x)
{
    struct page *p = x->p;
    const char *url = page_field(p, "manifest_url"), *called = page_field(p, "app_version");
    struct app_put put = {.item_id = x->item->id,
                          .manifest_url = *url ? url : NULL,
                          .app_version = *called ? called : NULL,
                          .stage = true,
                          .actor = p->caller->admin,
                          .now = p->req->now};
    x->tab = "versions";
    x->done = "app_version_added";
    return app_put(p->db, p->app->conf, p->a, &put, &p->err);
}

/* ---- codes ---- */

static enum outcome do_codes(struct item_page *x)
{
    struct page *p = x->p;
    struct bytes text = {0};
    size_t added, known;
    x->tab = "codes";
    x->done = "codes_added";
    if (!req_form_file(p->req, "file", &text, NULL) || text.n == 0)
        text = bytes_str(page_field(p, "codes"));
    return codes_add(p->db, p->app->conf, p->a, x->item->id, text, p->caller->admin, p->req->now,
                     &added, &known, &p->err);
}

static enum outcome do_release(struct item_page *x)
{
    struct page *p = x->p;
    x->tab = "codes";
    x->done = "code_released";
    enum outcome o = item_reason(x);
    return o == OK ? redemption_release(p->db, x->item->id, page_number(page_field(p, "code")),
                                        p->caller->admin, x->why, p->req->now, &p->err)
                   : o;
}

static enum outcome do_remove_codes(struct item_page *x)
{
    struct page *p = x->p;
    uint64_t n;
    x->tab = "codes";
    x->done = "codes_removed";
    enum outcome o = item_reason(x);
    return o == OK ? redemption_remove(p->db, x->item->id, 0, p->caller->admin, x->why, &n, &p->err)
                   : o;
}

static const struct item_deed DEEDS[] = {{"settings", do_settings},
                                         {"options", do_options},
                                         {"file", do_file},
                                         {"again", do_again},
                                         {"codes", do_codes},
                                         {"release", do_release},
                                         {"remove_codes", do_remove_codes}};

void console_app_post(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp)
{
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "apps"))
        return;
    struct item_page x = {.p = &p,
                          .item = app_item(&p, page_number(page_field(&p, "id"))),
                          .path = "/app",
                          .list = "/apps",
                          .lists = "nav_apps",
                          .sure = strcmp(page_field(&p, "sure"), "yes") == 0,
                          .why = "",
                          .tab = "settings"};
    if (!x.item) {
        page_fail(&p);
        return;
    }
    item_post(&x, DEEDS, sizeof DEEDS / sizeof *DEEDS, app_show);
}
