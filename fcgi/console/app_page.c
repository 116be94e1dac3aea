/* app_page.c: one app: how it is installed, the devices that are to have it, its versions, its
 * redemption codes, and what it left for the server. */
#include "console/apps.h"
#include "console/item.h"

#include "base/limits.h"
#include "command/plist_json.h"
#include "library/variables.h"
#include "store/appdata.h"
#include "store/redemption.h"

static const char *const TABS[] = {"settings", "devices", "versions", "codes", "feedback"};
#define NTABS (sizeof TABS / sizeof *TABS)

static struct item_page page_of(struct page *p, struct library_item *i)
{
    return (struct item_page){
        .p = p, .item = i, .path = "/app", .list = "/apps", .lists = "nav_apps"};
}

static void tabs(const struct item_page *x, const char *chosen)
{
    struct page *p = x->p;
    struct value *list = value_set_list(p->root, "tabs");
    for (size_t k = 0; k < NTABS; k++) {
        bool closed = p->caller->scope != 0 && strcmp(TABS[k], "codes") == 0;
        struct value *v = value_append_dict(list);
        const char *key = arena_fmt(p->a, "app_tab_%s", TABS[k]);
        bool here = strcmp(TABS[k], chosen) == 0;
        value_set_text(v, "link", item_link(x, TABS[k]));
        value_set_text(v, "text", key ? page_text(p, key) : NULL);
        value_set_bool(v, "chosen", here);
        if (here) /* what is of all groups is explained */
            value_set_bool(p->root, closed ? "tab_closed" : arena_fmt(p->a, "tab_%s", chosen),
                           true);
    }
}

/* ---- settings ---- */

static void details(struct page *p, const struct library_item *i)
{
    static const char *const keys[] = {"minimum_os", "build", "form", "manifest_url"};
    struct err ignored = {.outcome = OK};
    struct value *list = value_set_list(p->root, "details");
    js root = NULL;
    if (js_parse(bytes_str(i->current.details), &root, &ignored) != OK)
        return;
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        const char *text = js_get_str(root, keys[k]);
        const char *key = arena_fmt(p->a, "app_%s", keys[k]);
        if (!text || !key)
            continue;
        struct value *v = value_append_dict(list);
        value_set_text(v, "label", page_text(p, key));
        value_set_text(v, "text", arena_strdup(p->a, text));
    }
    js_free(&root);
}

static void variables(struct page *p)
{
    struct value *list = value_set_list(p->root, "variables");
    for (size_t k = 0; variable_name(k); k++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "label", arena_fmt(p->a, "%%%s%%", variable_name(k)));
        value_set_text(v, "about", page_said(p, variable_about(k)));
    }
}

/* What is stored, or what a form that was refused said. */
static void option_field(struct page *p, const char *name, int64_t stored)
{
    bool given = strcmp(page_field(p, "what"), "options") == 0;
    value_set_text(p->root, name,
                   given ? page_field(p, name) : arena_fmt(p->a, "%lld", (long long)stored));
}

static enum outcome settings_tab(const struct item_page *x)
{
    struct page *p = x->p;
    const struct library_item *i = x->item;
    struct library_item *all;
    size_t n;
    js settings = NULL;
    enum outcome o = js_parse(bytes_str(*i->settings ? i->settings : "{}"), &settings, &p->err);
    if (o == OK)
        o = library_list(p->db, 0, NULL, 0, LIM_PAGE, p->a, &all, &n, &p->err);
    if (o != OK)
        return o;
    app_form_show(p, settings);
    js_free(&settings);
    details(p, i);
    variables(p);
    const char *source = arena_fmt(p->a, "app_source_%s", app_source(i));
    value_set_text(p->root, "source", source ? page_text(p, source) : NULL);
    value_set_bool(p->root, "of_store", strcmp(app_source(i), "store") == 0);
    struct value *after = value_set_list(p->root, "after");
    struct value *v = value_append_dict(after);
    value_set_text(v, "value", "");
    value_set_text(v, "text", page_text(p, "item_after_none"));
    for (size_t k = 0; k < n; k++) {
        if (all[k].id == i->id)
            continue;
        v = value_append_dict(after);
        value_set_text(v, "value", arena_fmt(p->a, "%lld", (long long)all[k].id));
        value_set_text(v, "text", all[k].name);
        value_set_bool(v, "chosen", all[k].id == i->after_id);
    }
    value_set_bool(p->root, "after_passcode", i->after_passcode);
    value_set_bool(p->root, "feedback_delete", i->app.feedback_delete);
    option_field(p, "wave_first", i->wave_first);
    option_field(p, "halt_percent", i->halt_percent);
    option_field(p, "feedback_hours", i->app.feedback_hours);
    option_field(p, "update_hours", i->app.update_hours);
    option_field(p, "codes_low", i->app.codes_low);
    return OK;
}

/* ---- codes, feedback ---- */

static enum outcome codes_tab(const struct item_page *x)
{
    struct page *p = x->p;
    int64_t before = page_number(req_query(p->req, "before"));
    struct redemption_counts c;
    struct redemption_row *r;
    size_t n;
    enum outcome o = redemption_counts(p->db, x->item->id, p->a, &c, &p->err);
    if (o == OK)
        o = redemption_list(p->db, x->item->id, 0, before, PAGE_ROWS, p->a, &r, &n, &p->err);
    if (o != OK)
        return o;
    struct value *sums = value_set_list(p->root, "sums"), *list = value_set_list(p->root, "codes");
    for (int s = REDEMPTION_FREE; s < REDEMPTION__MAX; s++) {
        struct value *v = value_append_dict(sums);
        page_state(p, v, "code", redemption_state_name(s));
        value_set_int(v, "count", c.of[s]);
    }
    for (size_t k = 0; k < n; k++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "code_id", arena_fmt(p->a, "%lld", (long long)r[k].id));
        value_set_text(v, "device", *r[k].device_name ? r[k].device_name : r[k].ident);
        value_set_text(v, "link", *r[k].ident ? page_link(p, "/device", "id", r[k].ident) : NULL);
        value_set_text(v, "by", r[k].added_by);
        value_set_int(v, "reclaimed", r[k].reclaimed);
        value_set_bool(v, "came_back", r[k].reclaimed > 0);
        value_set_bool(v, "can_release",
                       r[k].state == REDEMPTION_GIVEN || r[k].state == REDEMPTION_REFUSED);
        page_state(p, v, "code", redemption_state_name(r[k].state));
        page_time(p, v, "added", r[k].added_at);
        page_time(p, v, "given", r[k].given_at);
        page_time(p, v, "ended", r[k].ended_at);
    }
    value_set_bool(p->root, "some_codes", c.all > 0);
    value_set_bool(p->root, "low", x->item->app.codes_alarm_at != 0);
    value_set_bool(p->root, "removable", c.of[REDEMPTION_FREE] + c.of[REDEMPTION_REFUSED] > 0);
    if (n == PAGE_ROWS)
        value_set_text(p->root, "next",
                       page_link(p, item_link(x, "codes"), "before",
                                 arena_fmt(p->a, "%lld", (long long)r[n - 1].id)));
    return OK;
}

/* Indented, so that a person can read it. */
static const char *pretty(struct page *p, const char *json)
{
    struct buf b = BUF_INIT(LIM_MB);
    struct err ignored;
    js root = NULL;
    const char *text = json;
    if (js_parse(bytes_str(json), &root, &ignored) == OK && js_write(root, true, &b) == OK)
        text = arena_strdup(p->a, buf_cstr(&b));
    js_free(&root);
    buf_free(&b);
    return text;
}

static enum outcome feedback_tab(const struct item_page *x)
{
    struct page *p = x->p;
    struct app_data *f;
    size_t n;
    enum outcome o = appdata_feedback(p->db, x->item->id, page_number(req_query(p->req, "after")),
                                      PAGE_ROWS, p->a, &f, &n, &p->err);
    if (o != OK)
        return o;
    struct value *list = value_set_list(p->root, "feedback");
    for (size_t k = 0; k < n; k++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "device", *f[k].device_name ? f[k].device_name : f[k].ident);
        value_set_text(v, "link", page_link(p, "/device", "id", f[k].ident));
        value_set_text(v, "text", pretty(p, f[k].content));
        page_time(p, v, "at", f[k].at);
    }
    value_set_bool(p->root, "some_feedback", n > 0);
    value_set_bool(p->root, "asks", x->item->app.feedback_hours > 0);
    value_set_text(p->root, "hours", arena_fmt(p->a, "%d", x->item->app.feedback_hours));
    if (n == PAGE_ROWS)
        value_set_text(p->root, "next",
                       page_link(p, item_link(x, "feedback"), "after",
                                 arena_fmt(p->a, "%lld", (long long)f[n - 1].enrollment_id)));
    return OK;
}

/* ---- the page ---- */

void app_show(struct page *p, struct library_item *i, const char *tab, int status)
{
    struct item_page x = page_of(p, i);
    enum outcome o = OK;
    item_head(&x);
    tabs(&x, tab);
    value_set_text(p->root, "app_version", i->current.uuid);
    if (strcmp(tab, "devices") == 0) {
        o = item_devices(&x);
    } else if (strcmp(tab, "versions") == 0) {
        o = item_versions(&x);
        if (o == OK)
            o = app_uploads(p, i->id);
        value_set_text(p->root, "most", page_size(p, LIM_BODY_API));
    } else if (strcmp(tab, "codes") == 0) {
        if (p->caller->scope == 0)
            o = codes_tab(&x);
    } else if (strcmp(tab, "feedback") == 0) {
        o = feedback_tab(&x);
    } else {
        o = settings_tab(&x);
    }
    if (o == OK)
        page_show(p, status, "app");
    else
        page_fail(p);
}

void console_app(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct page p;
    const char *asked = req_query(req, "tab"), *tab = TABS[0];
    if (!page_open(&p, app, req, caller, resp, "apps"))
        return;
    for (size_t k = 0; asked && k < NTABS; k++)
        if (strcmp(TABS[k], asked) == 0)
            tab = TABS[k];
    struct library_item *i = app_item(&p, page_number(req_query(req, "id")));
    if (i)
        app_show(&p, i, tab, 200);
    else
        page_fail(&p);
}
